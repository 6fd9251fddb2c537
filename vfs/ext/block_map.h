// Block maps: which device block holds a file's block. Two formats behind one set of calls: the
// direct and indirect pointers of ext2 and ext3, and the extent tree of ext4.
//
//   inode ─ 12 direct ─ indirect ─ double ─ triple        inode ─ [index ─ index ─ …] ─ extent
//
// The calls change the inode they are given; the caller stores it. Whatever is read from the device
// is checked: depth, order, ranges; a map that cannot be is kUClean.
//
// Threads: as the cache.
#ifndef LAMINA_VFS_EXT_BLOCK_MAP_H_
#define LAMINA_VFS_EXT_BLOCK_MAP_H_

#include <cstdint>

#include "vfs/ext/inode.h"

namespace lamina::ext {

enum class BlockState : std::uint8_t { kHole, kUnwritten, kWritten };

// File blocks [logical, logical + count), all of one state, and neighbours on the device.
struct Mapping {
  std::uint32_t logical = 0;
  std::uint32_t count = 0;
  std::uint32_t physical = 0;  // 0: a hole
  BlockState state = BlockState::kHole;
};

// Where new blocks come from and what they hold.
struct BlockRequest {
  Reserve reserve = Reserve::kKeep;
  BlockUse use = BlockUse::kData;
  BlockState state = BlockState::kWritten;  // kUnwritten: extents only
  std::uint32_t goal = 0;                   // 0: behind the block before
};

// One past the last file block that the format can map.
std::uint64_t MaxFileBlocks(const Geometry& geometry, bool extents);
inline std::uint64_t MaxFileBlocks(const Volume& volume, const Inode& inode) {
  return MaxFileBlocks(volume.geometry, inode.has_extents());
}

// The run that begins at `logical`; a hole may be reported in pieces.
// Errors: kUClean; kIo …
Result<Mapping> FindBlocks(const OpContext& op, Volume& volume, const Inode& inode,
                           std::uint32_t logical);

// Gives blocks to the hole at `logical`: one to `wanted` of them.
// Errors: kNoSpc; kUClean; kIo …
Result<Mapping> AddBlocks(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                          std::uint32_t wanted, const BlockRequest& request);

// The blocks [logical, logical + count), which must all be written or all be unwritten, become what
// `state` says. Extents only. Errors: kNoSpc; kUClean; kIo …
Result<void> ChangeState(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                         std::uint32_t count, BlockState state);

// Frees the file blocks [first, end), last ones first, until the transaction should be committed.
// Gives the new `end`: `first` when all is done.
// Errors: kNoSpc a punch that splits an extent; kUClean; kIo …
Result<std::uint64_t> RemoveBlocks(const OpContext& op, Volume& volume, Inode& inode,
                                   std::uint64_t first, std::uint64_t end, BlockUse use);

// An inode without blocks.
void ClearMap(const Volume& volume, Inode& inode);

// So many changed blocks end a step of RemoveBlocks.
inline constexpr std::size_t kLargeTransaction = 192;

// ── The two formats ──────────────────────────────────────────────────────────────────────────────

// A block for the map itself, zeroed. Errors: kNoSpc; kUClean; kIo …
Result<std::uint32_t> TakeMapBlock(const OpContext& op, Volume& volume, Inode& inode,
                                   Reserve reserve);
Result<void> FreeMapped(const OpContext& op, Volume& volume, Inode& inode, BlockRun run,
                        BlockUse use);
// Where the block after the one before `logical` is, unless the request has a goal.
Result<std::uint32_t> GoalFor(const OpContext& op, Volume& volume, const Inode& inode,
                              std::uint32_t logical, const BlockRequest& request);

Result<Mapping> FindIndirect(const OpContext& op, Volume& volume, const Inode& inode,
                             std::uint32_t logical);
Result<Mapping> AddIndirect(const OpContext& op, Volume& volume, Inode& inode,
                            std::uint32_t logical, std::uint32_t wanted,
                            const BlockRequest& request);
Result<std::uint64_t> RemoveIndirect(const OpContext& op, Volume& volume, Inode& inode,
                                     std::uint64_t first, std::uint64_t end, BlockUse use);

Result<Mapping> FindExtent(const OpContext& op, Volume& volume, const Inode& inode,
                           std::uint32_t logical);
Result<Mapping> AddExtent(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                          std::uint32_t wanted, const BlockRequest& request);
Result<std::uint64_t> RemoveExtents(const OpContext& op, Volume& volume, Inode& inode,
                                    std::uint64_t first, std::uint64_t end, BlockUse use);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_BLOCK_MAP_H_
