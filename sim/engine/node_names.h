// NodeNames: the names under which a file system's nodes were last seen, and so the paths of calls
// that name a node only.
//
// A name that was removed is not forgotten: the node may live on under another one, or open.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_ENGINE_NODE_NAMES_H_
#define LAMINA_SIM_ENGINE_NODE_NAMES_H_

#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "lamina/fs/file_system.h"

namespace lamina::sim::internal {

class NodeNames {
 public:
  explicit NodeNames(NodeId top) : top_(top) {}

  // `node` was found, or made, at `place`.
  void Learn(NodeId node, Place place);
  // What was seen at `from` is at `to` now; with an exchange also the other way round.
  void Move(Place from, Place to, RenameMode mode);

  // "/a/b", counted from the top. What is not known to lie below it begins with the first name
  // known, without '/': "work/#3"; "" when nothing is known.
  std::string PathOf(NodeId node) const;
  std::string PathOf(Place place) const;

 private:
  using Name = std::pair<NodeId, std::string>;  // directory, component

  NodeId top_;
  absl::flat_hash_map<NodeId, Name> names_;
  absl::flat_hash_map<Name, NodeId> nodes_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_ENGINE_NODE_NAMES_H_
