// SourceTree: one tree, from where trees come from on the command line.
//
//   absl::StatusOr<std::unique_ptr<SourceTree>> tree = SourceTree::Open("ext4:disk.img");
//   … (*tree)->fs(), (*tree)->root() …
//
//   dir:DIR      a directory of the host
//   tar:A,B,…    layer tars, bottom first, mounted as an overlay when there are several or one that
//                holds whiteouts or opaque directories
//   ext4:FILE    an image of ext2, ext3 or ext4, mounted read-only; its file is not written
//   FILE         a scenario: the tree mounted at its end
//
// Threads: belongs to one simulation.
#ifndef LAMINA_SIM_SOURCE_TREE_H_
#define LAMINA_SIM_SOURCE_TREE_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/fs/file_system.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim {

class SourceTree {
 public:
  virtual ~SourceTree() = default;
  virtual FileSystem& fs() = 0;
  virtual NodeId root() const = 0;
  // Of the scenario, where the source is one.
  virtual const ScenarioLimits& limits() const = 0;

  // Errors: kNotFound and others of reading; those of ParseScenario and of running;
  // kFailedPrecondition nothing is mounted at the end; kUnimplemented a scenario or an image that
  // uses what is not modelled.
  static absl::StatusOr<std::unique_ptr<SourceTree>> Open(std::string_view source);
};

// Does `source` name a tree of the host, and no scenario?
bool IsHostSource(std::string_view source);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_SOURCE_TREE_H_
