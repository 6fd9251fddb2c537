// Allocator: inodes.
#include <algorithm>

#include "vfs/ext/allocator.h"
#include "vfs/ext/bitmap.h"

namespace lamina::ext {

Result<std::uint32_t> Allocator::GroupForDirectory(const OpContext& op, std::uint32_t parent) {
  const std::uint32_t near = (parent - 1) / geometry_.inodes_per_group;
  if (parent != kRootInode) return near;
  std::uint32_t best = 0;
  DiskGroup best_group{};
  bool found = false;
  for (std::uint32_t group = 0; group < geometry_.groups_count; ++group) {
    Result<DiskGroup> descriptor = ReadGroup(op, group);
    if (!descriptor.ok()) return descriptor.error();
    if (descriptor->free_inodes_count == 0 || descriptor->free_blocks_count == 0) continue;
    const bool fewer = descriptor->used_dirs_count < best_group.used_dirs_count;
    const bool emptier = descriptor->used_dirs_count == best_group.used_dirs_count &&
                         descriptor->free_blocks_count > best_group.free_blocks_count;
    if (found && !fewer && !emptier) continue;
    found = true;
    best = group;
    best_group = *descriptor;
  }
  return best;
}

Result<std::uint32_t> Allocator::TakeInode(const OpContext& op, std::uint32_t parent,
                                           InodeUse use) {
  std::uint32_t first_group = (parent - 1) / geometry_.inodes_per_group;
  if (use == InodeUse::kDirectory) {
    Result<std::uint32_t> group = GroupForDirectory(op, parent);
    if (!group.ok()) return group;
    first_group = *group;
  }
  const std::uint32_t end = geometry_.inodes_per_group;
  for (std::uint32_t step = 0; step < geometry_.groups_count; ++step) {
    const std::uint32_t group = (first_group + step) % geometry_.groups_count;
    std::uint32_t& hint = inode_hints_[group];
    if (group == 0) hint = std::max(hint, geometry_.first_inode - 1);
    if (hint >= end) continue;
    Result<Bytes> bitmap = cache_.Read(op, places_[group].inode_bitmap);
    if (!bitmap.ok()) return bitmap.error();
    hint = FindZero(hint, end, [&](std::uint32_t word) { return BitWord(*bitmap, word); });
    if (hint == end) continue;
    const std::uint32_t bit = hint;
    Result<MutableBytes> part = cache_.Edit(op, places_[group].inode_bitmap, bit / 8, 1);
    if (!part.ok()) return part.error();
    SetBit(*part, bit % 8);
    const int directories = use == InodeUse::kDirectory ? 1 : 0;
    Result<void> counted = AddCounts(op, group, {.inodes = -1, .directories = directories});
    if (!counted.ok()) return counted.error();
    return group * geometry_.inodes_per_group + bit + 1;
  }
  return Errno::kNoSpc;
}

Result<void> Allocator::FreeInode(const OpContext& op, std::uint32_t inode, InodeUse use) {
  const std::uint32_t group = (inode - 1) / geometry_.inodes_per_group;
  const std::uint32_t bit = (inode - 1) % geometry_.inodes_per_group;
  Result<MutableBytes> part = cache_.Edit(op, places_[group].inode_bitmap, bit / 8, 1);
  if (!part.ok()) return part.error();
  if (!TestBit(*part, bit % 8)) return Errno::kUClean;
  ClearBit(*part, bit % 8);
  inode_hints_[group] = std::min(inode_hints_[group], bit);
  const int directories = use == InodeUse::kDirectory ? -1 : 0;
  return AddCounts(op, group, {.inodes = 1, .directories = directories});
}

Result<bool> Allocator::IsInodeUsed(const OpContext& op, std::uint32_t inode) {
  const std::uint32_t group = (inode - 1) / geometry_.inodes_per_group;
  Result<Bytes> bitmap = cache_.Read(op, places_[group].inode_bitmap);
  if (!bitmap.ok()) return bitmap.error();
  return TestBit(*bitmap, (inode - 1) % geometry_.inodes_per_group);
}

}  // namespace lamina::ext
