// LayerWriter: applies the entries of a layer tar to a directory of a MemFs and turns the marks of
// the tar into the marks of an overlay.
//
// Attributes of directories are set last: until then the parents are plain 0755 directories of
// root, so nothing is inherited from them and their times are not touched by their children.
//
// Threads: belongs to one thread, which owns the MemFs meanwhile.
#ifndef LAMINA_IMAGE_LAYER_WRITER_H_
#define LAMINA_IMAGE_LAYER_WRITER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/image/layer_tar.h"
#include "vfs/image/node_attributes.h"
#include "vfs/image/tar_reader.h"

namespace lamina {

class LayerWriter {
 public:
  // `into` must be a directory.
  LayerWriter(MemFs& fs, NodeId into, const LayerTarOptions& options);

  // One entry; its body is read from `reader` when it has one.
  // Errors: as ReadLayerTar. After an error the MemFs is half changed.
  absl::Status Apply(const TarEntry& entry, TarReader& reader);

  // After the last entry: attributes and opaque marks of the directories.
  absl::Status Finish();

  const LayerTarReport& report() const { return report_; }

 private:
  using Names = std::vector<std::string_view>;
  using Slot = std::pair<NodeId, std::string>;  // a directory and a name in it

  OpContext op(Instant now) const { return {root_, now, {}}; }

  absl::StatusOr<Names> SplitName(std::string_view name) const;
  absl::StatusOr<NodeId> EnsureParent(const Names& names);
  absl::StatusOr<NodeId> EnsureDirectory(Place place);
  absl::StatusOr<std::optional<NodeId>> FindDirectory(Place place);
  absl::StatusOr<NodeId> FindLinkTarget(std::string_view link);

  absl::Status SetDirectory(NodeId node, const TarEntry& entry);
  absl::Status PutMarkFile(Place place, Instant time);
  absl::Status RenameWhiteouts();
  absl::Status PutWhiteout(NodeId parent, std::string_view name, const TarEntry& entry);
  absl::Status PutNode(Place place, const TarEntry& entry, TarReader& reader);
  absl::Status PutDirectory(Place place, const TarEntry& entry);
  absl::Status PutHardLink(Place place, const TarEntry& entry);
  absl::Status PutFile(Place place, const TarEntry& entry, TarReader& reader);
  absl::Status PutSimple(Place place, const TarEntry& entry, const NewNode& node);
  absl::StatusOr<NodeId> CreateDirectory(Place place, NodeAttributes attributes);

  // Frees `place` for another node: what is there goes, a directory with all that is in it.
  absl::Status Clear(Place place);
  absl::Status ListInto(NodeId dir, std::vector<std::string>& names);
  void Forget(NodeId node);
  // A directory that was there before gets its attributes back in the end.
  void Note(NodeId directory);

  NodeAttributes AttributesOf(const TarEntry& entry);

  MemFs& fs_;
  const NodeId into_;
  const LayerTarOptions options_;
  const Credentials root_ = RootCredentials();
  const std::uint32_t name_max_;
  LayerTarReport report_;
  absl::flat_hash_map<NodeId, NodeAttributes> directories_;  // set by Finish
  absl::flat_hash_set<NodeId> opaque_;
  absl::flat_hash_set<NodeId> whiteouts_;  // nodes made for a `.wh.` entry
  absl::flat_hash_set<Slot> hidden_;       // named by a `.wh.` entry, whiteout or not
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_LAYER_WRITER_H_
