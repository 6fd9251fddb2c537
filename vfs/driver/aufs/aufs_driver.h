// AufsDriver: Docker's aufs graph driver. See README.md.
//
// Threads: one lock around the books, the mounts and the counts; Diff and its kin hold none.
#ifndef LAMINA_VFS_DRIVER_AUFS_DRIVER_H_
#define LAMINA_VFS_DRIVER_AUFS_DRIVER_H_

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/driver/change_set.h"
#include "lamina/driver/mount_table.h"
#include "lamina/driver/storage_driver.h"
#include "lamina/union/branch.h"
#include "vfs/driver/aufs/aufs_books.h"
#include "vfs/driver/mount_counter.h"
#include "vfs/driver/naive_diff.h"
#include "vfs/driver/voice.h"

namespace lamina::internal {

class AufsDriver final : public StorageDriver {
 public:
  AufsDriver(FileSystem& home, AufsBooks books, const DriverOptions& options);

  std::string_view name() const override { return "aufs"; }

  // Creating an id that is there succeeds, and writes its ancestors anew.
  Result<void> CreateLayer(const OpContext& caller, const LayerId& id, const LayerId* parent,
                           const LayerOptions& options) override;
  Result<void> CreateReadWrite(const OpContext& op, const LayerId& id, const LayerId* parent,
                               const LayerOptions& options) override;
  // A layer without parents is diff/ID itself, not mounted.
  // Errors also: kInval, kNoSpc what AUFS does not mount, a missing parent among it.
  Result<Mount> Get(const OpContext& caller, const LayerId& id) override;
  // Missing pieces are no error; children are not looked for. Errors also: kNotEmpty a directory
  // that an earlier Remove left, and one that would take its name.
  Result<void> Remove(const OpContext& caller, const LayerId& id) override;
  bool Exists(const OpContext& caller, const LayerId& id) override;

  // Native when `parent` is the direct parent, or `id` has none; else NaiveDiff.
  Result<ChangeSet> Diff(const OpContext& caller, const LayerId& id,
                         const LayerId* parent) override;
  Result<std::vector<LayerChange>> Changes(const OpContext& caller, const LayerId& id,
                                           const LayerId* parent) override;
  Result<std::uint64_t> ApplyDiff(const OpContext& caller, const LayerId& id, const LayerId* parent,
                                  const ChangeSet& changes) override;
  Result<std::uint64_t> DiffSize(const OpContext& caller, const LayerId& id,
                                 const LayerId* parent) override;

  Rows Status(const OpContext& op) override;
  Rows Metadata(const OpContext& op, const LayerId& id) override;
  std::vector<std::string> warnings() const override;
  Result<void> Cleanup(const OpContext& caller) override;

 private:
  using Folder = AufsBooks::Folder;

  Result<void> Put(const OpContext& caller, const LayerId& id, const std::string& path) override;

  // ── Mounts; the lock is held ──
  Result<void> MountLayer(const OpContext& op, const LayerId& id, const std::string& target,
                          const std::vector<LayerId>& ancestors);
  Result<void> MountTexts(const OpContext& op, const std::string& target,
                          const struct AufsMountTexts& texts);
  // What can be found at `path`: what is mounted there, or the directory FOLDER/ID.
  Result<Mount::Tree> TreeAt(const OpContext& op, const std::string& path, Folder folder,
                             const LayerId& id);
  // The directory that a path of a mount text names.
  Result<DirectoryRef> Resolve(const OpContext& op, std::string_view path) const;
  // Nothing when nothing is mounted at `target`. Says nothing about an error; the second does.
  Result<void> Unmount(const OpContext& op, const std::string& target);
  Result<void> UnmountOrFail(const OpContext& op, const std::string& target);
  // What comes before and after umount(2); a failure is only told.
  void FlushLinks(const OpContext& op, const std::string& target, UnionFs& fs) const;
  void FinishRemovals(const OpContext& op, const std::string& target, UnionFs& fs) const;

  // The native Diff and its kin are enough.
  bool IsParent(const OpContext& op, const LayerId& id, const LayerId* parent) const;

  FileSystem& home_;
  const AufsBooks books_;
  const DriverOptions options_;
  const Voice voice_;
  NaiveDiff naive_;

  std::mutex mutex_;
  MountTable own_mounts_;
  MountTable& mounts_;
  MountCounter counter_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_AUFS_DRIVER_H_
