// What mkfs decides before it writes: sizes, counts and features, as mke2fs 1.47 picks them.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_EXT_MKFS_PLAN_H_
#define LAMINA_VFS_EXT_MKFS_PLAN_H_

#include <cstdint>
#include <vector>

#include "lamina/ext/mkfs.h"
#include "vfs/ext/geometry.h"

namespace lamina::ext {

struct MkfsPlan {
  DiskSuperblock super{};  // all groups empty: nothing but their books is in use
  Geometry geometry;
  std::vector<DiskGroup> groups;
  std::uint32_t journal_blocks = 0;  // 0: none
};

// Errors: kInval, as MakeExt.
ExtOutcome<MkfsPlan> PlanMkfs(const ExtMkfsOptions& options, std::uint64_t device_bytes,
                              Instant now);

// Blocks at the start of the group before its bitmaps: superblock, descriptors, reserved ones.
std::uint32_t LeadingBlocks(const MkfsPlan& plan, std::uint32_t group);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_MKFS_PLAN_H_
