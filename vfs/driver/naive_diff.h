// NaiveDiff: what a layer changes, found by mounting the layer and its parent and comparing the two
// trees by their attributes. Docker's drivers use it where they have nothing better.
//
// Two nodes of one name are the same when type, mode, owner and device number are, and, but for
// directories, size and mtime; and security.capability. Bodies are not read. A directory with a
// change in it counts as changed. mtimes are the same also when they are in the same second and one
// has no nanoseconds, as a tar would leave it.
//
// Threads: as the driver, whose lock must not be held.
#ifndef LAMINA_VFS_DRIVER_NAIVE_DIFF_H_
#define LAMINA_VFS_DRIVER_NAIVE_DIFF_H_

#include <cstdint>
#include <vector>

#include "lamina/driver/change_set.h"
#include "vfs/driver/voice.h"

namespace lamina::internal {

class NaiveDiff {
 public:
  NaiveDiff(StorageDriver& driver, const Voice& voice) : driver_(driver), voice_(voice) {}

  // As StorageDriver. Without a parent a Diff is the whole tree, and every change an addition.
  // Changes are sorted by path. Deletions are whiteouts with mode 0, made now.
  Result<ChangeSet> Diff(const OpContext& op, const LayerId& id, const LayerId* parent);
  Result<std::vector<LayerChange>> Changes(const OpContext& op, const LayerId& id,
                                           const LayerId* parent);
  // The bodies of what is added or modified; a file with several names once.
  Result<std::uint64_t> DiffSize(const OpContext& op, const LayerId& id, const LayerId* parent);
  // Carries marks out in the mounted layer. The bytes of the tar's bodies, private ones too.
  Result<std::uint64_t> ApplyDiff(const OpContext& op, const LayerId& id, const ChangeSet& changes);

 private:
  Result<std::vector<LayerChange>> Compare(const OpContext& op, const Mount& layer,
                                           const LayerId* parent);

  StorageDriver& driver_;
  const Voice& voice_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_NAIVE_DIFF_H_
