// AufsBooks: what Docker's aufs driver keeps on its home.
//
//   aufs/diff/ID      the layer's own files, whiteouts as files .wh.*
//   aufs/layers/ID    its ancestors, one a line, the nearest first
//   aufs/mnt/ID       the mount point
//
// A layer exists when layers/ID does. Nothing here is undone after an error: a crash and a failed
// call leave the same, and the next Open or Remove copes with it.
//
// An id that cannot be a file name is kInval, or exists nowhere.
//
// Threads: as the home.
#ifndef LAMINA_VFS_DRIVER_AUFS_BOOKS_H_
#define LAMINA_VFS_DRIVER_AUFS_BOOKS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"
#include "vfs/driver/voice.h"

namespace lamina::internal {

// Whether an id can be a file name.
bool IsGoodLayerId(const LayerId& id);

// The directory of the driver on its home, and its name in paths that are shown.
inline constexpr std::string_view kAufsDirectory = "aufs";

class AufsBooks {
 public:
  enum class Folder : std::uint8_t { kDiff, kLayers, kMnt };

  // Makes the directories that are missing, 0710. `shown_root`: the home's name in messages.
  // Errors: those of the home; kNotDir one of them is something else.
  static Result<AufsBooks> Open(const OpContext& op, FileSystem& home, std::string_view shown_root);

  // Removes directories ID-removing, which a Remove left that did not get to its end.
  void SweepRemoved(const OpContext& op, const Voice& voice) const;

  // Makes mnt/ID and diff/ID when they are missing, and layers/ID anew.
  // Errors: kNoEnt the parent has no layers/ID; then ID has an empty one.
  Result<void> Create(const OpContext& op, const LayerId& id, const LayerId* parent) const;
  bool Exists(const OpContext& op, const LayerId& id) const;

  // Nearest first. Errors: kNoEnt no layers/ID.
  Result<std::vector<LayerId>> Ancestors(const OpContext& op, const LayerId& id) const;
  // Errors: kNoEnt, kNotDir there is none.
  Result<NodeId> Directory(const OpContext& op, Folder which, const LayerId& id) const;

  // Nothing when there is none.
  Result<void> RemoveAncestors(const OpContext& op, const LayerId& id) const;
  // Renames FOLDER/ID to FOLDER/ID-removing, so that nobody finds it any more, then removes that.
  // Nothing when there is neither. Errors: kNotEmpty there are both.
  Result<void> RemoveDirectory(const OpContext& op, Folder which, const LayerId& id,
                               const Voice& voice) const;

  // layers/* that are no directories, mnt/* that are. Nothing when they cannot be read.
  std::size_t CountLayers(const OpContext& op) const;
  Result<std::vector<LayerId>> MountPoints(const OpContext& op) const;

  // "/var/lib/docker/aufs/diff/ID", "/var/lib/docker/aufs"
  std::string ShownPath(Folder which, const LayerId& id) const;
  const std::string& shown_directory() const { return shown_; }

 private:
  AufsBooks(FileSystem& home, std::string shown) : home_(&home), shown_(std::move(shown)) {}
  NodeId folder(Folder which) const { return folders_[static_cast<std::size_t>(which)]; }
  Result<void> WriteAncestors(const OpContext& op, const LayerId& id, const LayerId* parent) const;

  FileSystem* home_;
  std::string shown_;
  NodeId folders_[3] = {};
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_AUFS_BOOKS_H_
