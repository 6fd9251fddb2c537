// SpaceMap: a reference count for every block of a device, and the search for a free one (§7, §17).
//
//   index ─► bitmap: 16320 counts of 0, 1, 2 or "more" ─► tree of the counts of 3 and more
//
// The counts of the last commit are read from their blocks; what this transaction changed is kept
// in memory and written into copies of the bitmaps by Flush. So a block can be found that is free
// now *and* was free at the last commit, and going back is to forget.
//
// Threads: one caller at a time. Lifetime: does not own the store.
#ifndef LAMINA_VFS_BLOCK_SPACE_MAP_H_
#define LAMINA_VFS_BLOCK_SPACE_MAP_H_

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "vfs/block/thin_layout.h"

namespace lamina::internal {

class ShadowStore;
struct MetadataBlock;

// Where the index lies: in a tree of its own, or in one block (the metadata's own space map).
enum class IndexForm : std::uint8_t { kTree, kBlock };

class SpaceMap {
 public:
  SpaceMap(ShadowStore& store, IndexForm form) : store_(&store), form_(form) {}

  // Takes the state of a commit. Errors: kBadMsg  the index is not what `root` says; kIo.
  Result<void> Load(const OpContext& op, const SpaceMapRoot& root);
  // An empty map, before the first commit.
  void LoadEmpty();

  std::uint64_t nr_blocks() const { return root_.nr_blocks; }
  ThinBlockCounts counts() const;

  // Errors of the following: kBadMsg  no such block, a count below 0 or above 2^32-1, damage.
  Result<std::uint32_t> Count(const OpContext& op, std::uint64_t block);
  Result<void> Inc(const OpContext& op, std::uint64_t block);
  // Gives what is left.
  Result<std::uint32_t> Dec(const OpContext& op, std::uint64_t block);

  // A block that is free now and was at the last commit gets the count 1: the lowest one at or
  // after the cursor, else the lowest. Errors: kNoSpc.
  Result<std::uint64_t> Allocate(const OpContext& op);

  // More blocks, all free. Errors: kBadMsg.
  Result<void> Grow(const OpContext& op, std::uint64_t nr_blocks);

  bool has_changes() const {
    return !pending_.empty() || !fresh_bitmaps_.empty() || root_.nr_blocks != committed_.nr_blocks;
  }
  // Writes the changes into fresh blocks. The metadata's own map changes while it is written, so
  // it goes on until nothing is left.
  Result<void> Flush(const OpContext& op);
  std::uint64_t counts_in_memory() const { return touched_.size(); }
  // Writes what has changed so far into fresh bitmaps and forgets it: for a transaction that
  // changes very much. Only for a map in a tree: a metadata map changes while it is written.
  Result<void> Spill(const OpContext& op);
  // What the superblock must say; after Flush.
  const SpaceMapRoot& root() const { return root_; }
  // The superblock was written.
  void EndCommit();

 private:
  struct Touched {
    std::uint32_t now = 0;
    std::uint32_t committed = 0;
    bool pending = false;  // not yet in a fresh bitmap
  };
  // A bitmap of this transaction.
  struct FreshBitmap {
    BlockNumber number = 0;
    BlockBytes* bytes = nullptr;
  };

  Result<void> LoadIndexTree(const OpContext& op);
  Result<void> LoadIndexBlock(const OpContext& op);
  Result<std::uint32_t> CommittedCount(const OpContext& op, std::uint64_t block);
  // What is not in memory: after a Spill a fresh bitmap may have it, else nothing has changed.
  Result<std::uint32_t> WrittenCount(const OpContext& op, std::uint64_t block);
  Result<std::uint32_t> CountIn(const OpContext& op, const BlockBytes& bitmap,
                                BlockNumber large_counts, std::uint64_t block);
  Result<Touched*> Touch(const OpContext& op, std::uint64_t block);
  void SetCount(std::uint64_t block, Touched& touched, std::uint32_t count);

  // The first block in begin..end-1 that is free now and was at the last commit; `end`: none.
  Result<std::uint64_t> FindFree(const OpContext& op, std::uint64_t begin, std::uint64_t end);
  Result<std::uint64_t> FindFreeInBitmap(const OpContext& op, std::uint64_t index,
                                         std::uint64_t begin, std::uint64_t end);
  bool IsFreeNow(std::uint64_t block) const;

  // There is a tree of large counts, and a bitmap for every block.
  Result<void> MakeWritable(const OpContext& op);
  Result<MetadataBlock*> ShadowIndexBlock(const OpContext& op);
  Result<FreshBitmap> ShadowBitmap(const OpContext& op, std::uint64_t index);
  Result<void> WritePending(const OpContext& op);
  Result<void> WriteCount(const OpContext& op, BlockBytes& bitmap, std::uint64_t block,
                          std::uint32_t count);
  Result<void> WriteIndexTree(const OpContext& op);
  void WriteIndexBlock(BlockBytes& block);
  void RefreshEntries();
  // What changed in this transaction is in the blocks of the commit, or not wanted.
  void ForgetChanges();

  ShadowStore* store_;
  IndexForm form_;
  SpaceMapRoot committed_;
  SpaceMapRoot root_;              // of this transaction
  std::vector<IndexEntry> index_;  // of the last commit
  absl::btree_map<std::uint64_t, FreshBitmap> fresh_bitmaps_;
  absl::btree_map<std::uint64_t, IndexEntry> fresh_index_;
  absl::flat_hash_map<std::uint64_t, Touched> touched_;
  std::vector<std::uint64_t> pending_;
  bool spilled_ = false;
  std::uint64_t freed_ = 0;   // committed blocks that are free now: not to be used yet
  std::uint64_t cursor_ = 0;  // where the next search begins
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_SPACE_MAP_H_
