// LayerUnpacker: puts the entries of a ChangeSet into a directory.
//
//   kLiteral    marks are files like others: a directory that is a branch of AUFS
//   kCarryOut   what a mark hides is removed: a tree that shows the layers below
//
// An entry over something: it replaces it, but a directory over a directory only sets attributes.
// Missing parents are made, 0755. Directories get their times when everything is in them.
//
// Threads: as the FileSystem.
#ifndef LAMINA_VFS_DRIVER_LAYER_UNPACKER_H_
#define LAMINA_VFS_DRIVER_LAYER_UNPACKER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "lamina/driver/change_set.h"
#include "vfs/driver/voice.h"

namespace lamina::internal {

enum class MarkHandling : std::uint8_t { kLiteral, kCarryOut };

class LayerUnpacker {
 public:
  LayerUnpacker(const OpContext& op, FileSystem& fs, NodeId top, MarkHandling marks,
                const Voice& voice)
      : op_(op), fs_(fs), top_(top), marks_(marks), voice_(voice) {}

  // Paths are checked before anything is done. Once only.
  // Errors: kInval a path that is not absolute, or has an empty component, "." or ".."; kNotDir a
  // way through something that is no directory; kNoEnt a hard link to nothing; kInval "Invalid aufs
  // hardlink" (kCarryOut), to a pseudo-link that the set does not hold. After an error a part is
  // done.
  Result<void> Unpack(const ChangeSet& set);

 private:
  Result<void> Put(const LayerEntry& entry);
  Result<void> CarryOutMark(const LayerEntry& entry, LayerMark mark);
  Result<void> EmptyOpaque(const std::string& path, NodeId dir);
  Result<void> PutNode(const LayerEntry& entry);
  Result<NodeId> Make(const LayerEntry& entry, Place place);
  Result<NodeId> MakeFile(const LayerEntry& entry, Place place);
  Result<NodeId> MakeLink(const LayerEntry& entry, Place place);
  Result<void> SetAttributes(const LayerEntry& entry, NodeId node);

  const OpContext& op_;
  FileSystem& fs_;
  const NodeId top_;
  const MarkHandling marks_;
  const Voice& voice_;
  absl::flat_hash_set<std::string> unpacked_;                         // paths of nodes so far
  absl::flat_hash_map<std::string, const LayerEntry*> pseudo_links_;  // kept aside, by path
  std::vector<std::pair<NodeId, const LayerEntry*>> directories_;
  bool warned_of_xattrs_ = false;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_LAYER_UNPACKER_H_
