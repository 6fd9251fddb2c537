// LayerReader: nodes of a tree as entries of a ChangeSet, as Docker puts them into a tar: the first
// name that is met of a file with several is the file, the others are hard links to it; sockets are
// left out, with a warning.
//
// Threads: as the FileSystem.
#ifndef LAMINA_VFS_DRIVER_LAYER_READER_H_
#define LAMINA_VFS_DRIVER_LAYER_READER_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "lamina/driver/change_set.h"
#include "vfs/driver/voice.h"

namespace lamina::internal {

class LayerReader {
 public:
  LayerReader(const OpContext& op, FileSystem& fs, const Voice& voice, ChangeSet& into)
      : op_(op), fs_(fs), voice_(voice), set_(into) {}

  // Appends the node at `path`. Errors: those of reading it.
  Result<void> Add(const std::string& path, const Stat& stat);

 private:
  Result<void> ReadXattrs(NodeId node, LayerEntry& entry);

  const OpContext& op_;
  FileSystem& fs_;
  const Voice& voice_;
  ChangeSet& set_;
  absl::flat_hash_map<NodeId, std::string> linked_;  // files with several names: the first one
};

// Private names of AUFS at the root of a layer (LayerMark::kPrivate).
enum class PrivateNames : std::uint8_t { kTake, kLeaveOut };

// Everything below `top`. Errors: those of WalkTree and of LayerReader::Add.
Result<ChangeSet> ReadLayer(const OpContext& op, FileSystem& fs, NodeId top, PrivateNames names,
                            const Voice& voice);

// The bytes of every file below `top`, directories apart, one with several names once.
Result<std::uint64_t> SizeOfTree(const OpContext& op, FileSystem& fs, NodeId top);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_LAYER_READER_H_
