#include "vfs/ext/block_map.h"

#include <algorithm>

#include "lamina/base/check.h"

namespace lamina::ext {
namespace {

constexpr std::uint64_t kMaxExtentBlocks = 0xffffffff;

}  // namespace

std::uint64_t MaxFileBlocks(const Geometry& geometry, bool extents) {
  if (extents) return kMaxExtentBlocks;
  const std::uint64_t per_block = geometry.block_bytes / 4;
  const std::uint64_t mapped =
      kDirectBlocks + per_block + per_block * per_block + per_block * per_block * per_block;
  return std::min(mapped, kMaxExtentBlocks);
}

Result<Mapping> FindBlocks(const OpContext& op, Volume& volume, const Inode& inode,
                           std::uint32_t logical) {
  return inode.has_extents() ? FindExtent(op, volume, inode, logical)
                             : FindIndirect(op, volume, inode, logical);
}

Result<Mapping> AddBlocks(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                          std::uint32_t wanted, const BlockRequest& request) {
  if (inode.has_extents()) return AddExtent(op, volume, inode, logical, wanted, request);
  LAMINA_CHECK(request.state == BlockState::kWritten);
  return AddIndirect(op, volume, inode, logical, wanted, request);
}

Result<std::uint64_t> RemoveBlocks(const OpContext& op, Volume& volume, Inode& inode,
                                   std::uint64_t first, std::uint64_t end, BlockUse use) {
  end = std::min(end, MaxFileBlocks(volume, inode));
  if (first >= end) return first;
  return inode.has_extents() ? RemoveExtents(op, volume, inode, first, end, use)
                             : RemoveIndirect(op, volume, inode, first, end, use);
}

void ClearMap(const Volume& volume, Inode& inode) {
  inode.disk.block = {};
  inode.disk.flags &= ~kInodeExtents;
  if (!volume.geometry.has_extents()) return;
  inode.disk.flags |= kInodeExtents;
  const DiskExtentHeader header{kExtentMagic, 0, 4, 0, 0};
  WriteRecord(std::as_writable_bytes(std::span(inode.disk.block)), header);
}

Result<std::uint32_t> TakeMapBlock(const OpContext& op, Volume& volume, Inode& inode,
                                   Reserve reserve) {
  Result<BlockRun> run =
      volume.allocator.Take(op, volume.allocator.FirstGoalOf(inode.number), 1, reserve);
  if (!run.ok()) return run.error();
  if (!inode.AddBlocks(volume.geometry, 1)) return Errno::kUClean;
  volume.cache.Create(run->first);
  return run->first;
}

Result<void> FreeMapped(const OpContext& op, Volume& volume, Inode& inode, BlockRun run,
                        BlockUse use) {
  if (Result<void> freed = volume.allocator.Free(op, run, use); !freed.ok()) return freed;
  if (!inode.AddBlocks(volume.geometry, -std::int64_t{run.count})) return Errno::kUClean;
  return {};
}

Result<std::uint32_t> GoalFor(const OpContext& op, Volume& volume, const Inode& inode,
                              std::uint32_t logical, const BlockRequest& request) {
  if (request.goal != 0) return request.goal;
  if (logical > 0) {
    Result<Mapping> before = FindBlocks(op, volume, inode, logical - 1);
    if (!before.ok()) return before.error();
    if (before->state != BlockState::kHole) return before->physical + 1;
  }
  return volume.allocator.FirstGoalOf(inode.number);
}

}  // namespace lamina::ext
