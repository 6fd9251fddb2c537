// Allocator: which blocks and inodes are free. Everything lies in the bitmap, descriptor and
// superblock blocks of the cache, so a call that is rolled back gives back what it took; what is
// kept here are hints, and the blocks that were freed and may not be used before the commit.
//
// Policy (ours; simple and deterministic):
//   block      the goal if free, else the next free one after it in its group, then the group's
//              other blocks, then the groups after it, round
//   inode      the directory's group, then the groups after it, round
//   directory  below the root: the group with the fewest directories (ties: most free blocks, then
//              the lowest number), as Orlov spreads them; deeper: as a file
//
// Threads: thread-compatible. Lifetime: does not own the cache.
#ifndef LAMINA_VFS_EXT_ALLOCATOR_H_
#define LAMINA_VFS_EXT_ALLOCATOR_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/ext/layout.h"
#include "vfs/ext/block_cache.h"
#include "vfs/ext/geometry.h"

namespace lamina::ext {

enum class Reserve : std::uint8_t { kKeep, kUse };  // the superblock's reserved blocks
enum class BlockUse : std::uint8_t { kData, kMetadata };
enum class InodeUse : std::uint8_t { kOther, kDirectory };

class Allocator {
 public:
  Allocator(const Geometry& geometry, BlockCache& cache);

  // Reads and checks all descriptors. Errors: kIo …; kUClean, `*wrong` says what.
  Result<void> Load(const OpContext& op, ExtError* wrong);

  // ── Blocks ───────────────────────────────────────────────────────────────────────────────────
  // One to `wanted` neighbours. Errors: kNoSpc; kUClean; kIo …
  Result<BlockRun> Take(const OpContext& op, std::uint32_t goal, std::uint32_t wanted,
                        Reserve reserve);
  // Errors: kUClean a block that is free, or that holds the file system's own books; kIo …
  Result<void> Free(const OpContext& op, BlockRun run, BlockUse use);
  // May a file have these blocks? Not outside, not superblock, descriptors, bitmaps, inode tables.
  bool IsFileRange(std::uint64_t first, std::uint64_t count) const;
  std::uint32_t FirstGoalOf(std::uint32_t inode) const;

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────
  // Errors: kNoSpc; kUClean; kIo …
  Result<std::uint32_t> TakeInode(const OpContext& op, std::uint32_t parent, InodeUse use);
  Result<void> FreeInode(const OpContext& op, std::uint32_t inode, InodeUse use);
  // Is it marked as used? Errors: kIo …
  Result<bool> IsInodeUsed(const OpContext& op, std::uint32_t inode);
  std::uint32_t inode_table(std::uint32_t group) const { return places_[group].inode_table; }

  // ── Counts ───────────────────────────────────────────────────────────────────────────────────
  struct Counts {
    std::uint64_t free_blocks = 0;
    std::uint64_t reserved_blocks = 0;
    std::uint64_t free_inodes = 0;
  };
  Result<Counts> Count(const OpContext& op);
  Result<std::uint32_t> FreeBlocksOf(const OpContext& op, std::uint32_t group);
  // Sums of the descriptors into the superblock, which a crash may have left behind them.
  Result<void> RepairTotals(const OpContext& op);
  // Blocks that hold the file system itself.
  std::uint64_t overhead_blocks() const;

  // ── Calls and transactions ───────────────────────────────────────────────────────────────────
  struct Mark {
    std::size_t freed = 0;
  };
  Mark Now() const { return {freed_.size()}; }
  void RollBackTo(Mark mark);
  bool has_pending() const { return !freed_.empty(); }
  // The transaction is durable: its freed blocks may be used again. Says which they are.
  std::vector<BlockRun> ReleasePending();

 private:
  struct Places {
    std::uint32_t block_bitmap = 0;
    std::uint32_t inode_bitmap = 0;
    std::uint32_t inode_table = 0;
  };
  struct Pending {
    std::vector<std::uint64_t> words;
    std::uint32_t count = 0;
  };

  Result<DiskGroup> ReadGroup(const OpContext& op, std::uint32_t group);
  // Adds to a descriptor and to the superblock. Errors: kUClean a count would be impossible.
  struct Delta {
    int blocks = 0;
    int inodes = 0;
    int directories = 0;
  };
  Result<void> AddCounts(const OpContext& op, std::uint32_t group, Delta delta);
  Result<BlockRun> TakeInGroup(const OpContext& op, std::uint32_t group, std::uint32_t from,
                               std::uint32_t wanted);
  Result<void> FreeInGroup(const OpContext& op, BlockRun run);
  void SetPending(BlockRun run, bool on);
  bool IsFreeBit(Bytes bitmap, const Pending* pending, std::uint32_t bit) const;
  std::uint32_t NextFree(Bytes bitmap, const Pending* pending, std::uint32_t from,
                         std::uint32_t end) const;
  Result<std::uint32_t> GroupForDirectory(const OpContext& op, std::uint32_t parent);
  std::uint32_t FirstFreePlace(std::uint32_t group) const;

  const Geometry& geometry_;
  BlockCache& cache_;
  DiskSuperblock super_at_mount_{};
  std::vector<Places> places_;
  std::vector<std::uint32_t> block_hints_;  // below: no free block
  std::vector<std::uint32_t> inode_hints_;
  absl::flat_hash_map<std::uint32_t, Pending> pending_;  // by group
  std::vector<BlockRun> freed_;
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_ALLOCATOR_H_
