// Journal: a JBD2 journal, the real one (big endian), in some blocks of a device. It makes a set of
// blocks change all at once or not at all, whatever a crash does to unflushed writes.
//
//   journal block    0    1 … maxlen-1
//                  super  ring of transactions, each:
//                         [revoke…] [descriptor, block, block…]… │flush│ [commit] │flush│
//
// A committed block stays in memory ("pending") until Checkpoint writes it to its own place; until
// then the device holds the old one there, so whoever reads it asks Pending() first. The writes:
//
//   Commit      a Checkpoint first when the ring has no room
//               journal superblock, when the ring was empty   (start of the log)
//               revoke records, descriptors, copies of the blocks
//               Flush         also makes durable what the caller wrote before (ordered data)
//               commit record
//               Flush         when this returns, the transaction survives every crash
//   Checkpoint  each pending block to its place · Flush
//               journal superblock: the log is empty · Flush
//   Replay      the same two steps with what the log holds
//
// After a crash at any point, Replay brings exactly the transactions up to one of them: all whose
// Commit returned, perhaps the one that was under way, and nothing else. Replay may itself be cut
// off and repeated.
//
// What the caller does:
//   - it sets needs_recovery in the ext superblock, and flushes, before the first Commit; it clears
//     it after a Checkpoint: the kernel and e2fsck replay only when it is set;
//   - a block that held metadata and is freed is passed as revoked in that transaction, and is not
//     used again before its Commit returned: until then the old content may be needed;
//   - data of a freed block is discarded after the Commit, not before.
//
// Not modelled: writing checksums or 64-bit tags (a journal that has them is replayed, then goes on
// without), fast commits, external journals, partial checkpoints. Source: the kernel's
// filesystems/ext4/journal.rst; recovery as in fs/jbd2/recovery.c.
//
// Threads: thread-compatible. Lifetime: does not own the device.
#ifndef LAMINA_EXT_JOURNAL_H_
#define LAMINA_EXT_JOURNAL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "lamina/block/block_device.h"

namespace lamina {

class Journal {
 public:
  // Where a journal lies: the device block of each journal block, as the journal inode maps them.
  struct Layout {
    std::uint32_t block_bytes = 0;      // of the file system: 1024, 2048 or 4096
    std::vector<std::uint32_t> blocks;  // at least kMinBlocks
  };
  struct Block {
    std::uint32_t fs_block = 0;
    Bytes content;  // block_bytes
  };
  struct Replayed {
    std::uint32_t transactions = 0;
    std::uint32_t blocks_written = 0;
    std::uint32_t blocks_revoked = 0;  // found in the log and left out
  };
  using Uuid = std::array<std::byte, 16>;

  // The kernel mounts no journal below 1024 blocks; this one works with less, for tests.
  static constexpr std::uint32_t kMinBlocks = 8;
  static constexpr std::uint32_t kMinKernelBlocks = 1024;

  // Writes an empty journal: a version 2 superblock, and zeros over every block that holds anything
  // else, so that no older log is ever taken for this one. Not flushed.
  //
  // Errors, in the order they are checked:
  //   kInval  the block size, fewer than kMinBlocks, or a block past the end of the device
  //   kIo …   the device
  static Result<void> Format(const OpContext& op, BlockDevice& device, const Layout& layout,
                             const Uuid& uuid);

  // Reads the superblock. Writes nothing.
  //
  // Errors, in the order they are checked:
  //   kInval      as Format
  //   kIo …       the device
  //   kUClean     not a journal superblock, another block size, or lengths that cannot be
  //   kOpNotSupp  a feature that is not known (fast commit is one)
  static Result<std::unique_ptr<Journal>> Open(const OpContext& op, BlockDevice& device,
                                               Layout layout);

  // The log holds something, if only the start of a transaction that was never committed.
  bool needs_replay() const { return needs_replay_; }

  // Writes what the log holds to its place, as the picture above says; then the log is empty.
  // Nothing happens when !needs_replay().
  //
  // Errors, in the order they are checked:
  //   kIo …    the device
  //   kUClean  a committed transaction names a block past the end of the device
  //   kBadMsg  a checksum of a committed transaction is wrong (journals that have them)
  Result<Replayed> Replay(const OpContext& op);

  // Commits one transaction. A block that is also revoked counts as written, not as revoked; naming
  // a block twice is an error. An empty transaction writes nothing.
  //
  // Errors, in the order they are checked:
  //   kRoFs   an earlier Commit or Checkpoint failed on the device (jbd2: aborted)
  //   kBusy   needs_replay()
  //   kInval  a content of another size, a block named twice, or past the end of the device
  //   kNoSpc  does not fit, even in the empty ring: see Fits. A transaction is never split.
  //   kIo …   the device; whether the transaction is durable is not known, and the journal aborts
  Result<void> Commit(const OpContext& op, std::span<const Block> blocks,
                      std::span<const std::uint32_t> revoked);

  // Journal blocks that a transaction takes: copies, descriptors, revoke records, commit record.
  std::uint64_t BlocksNeeded(std::uint64_t blocks, std::uint64_t revoked) const;
  // The ring's length, in journal blocks.
  std::uint64_t capacity_blocks() const { return maxlen_ - first_; }
  bool Fits(std::uint64_t blocks, std::uint64_t revoked) const {
    return BlocksNeeded(blocks, revoked) <= capacity_blocks();
  }

  // Nothing happens when nothing was committed since the last one. Errors as Commit but kInval,
  // kNoSpc.
  Result<void> Checkpoint(const OpContext& op);

  // The content of a block that is committed and not yet in its place; empty: read the device.
  // Valid until the next Commit or Checkpoint.
  Bytes Pending(std::uint32_t fs_block) const;

  // The number the next transaction gets.
  std::uint32_t next_sequence() const { return sequence_; }

 private:
  struct Reader;

  Journal(BlockDevice& device, Layout layout) : device_(&device), layout_(std::move(layout)) {}

  Result<void> ReadBlock(const OpContext& op, std::uint32_t journal_block, MutableBytes into);
  Result<void> WriteBlock(const OpContext& op, std::uint32_t journal_block, Bytes from);
  Result<void> WriteHome(const OpContext& op, std::uint32_t fs_block, Bytes from);
  // Writes the superblock with this start of the log (0: empty) and sequence_.
  Result<void> WriteSuperblock(const OpContext& op, std::uint32_t start);
  // Takes what the superblock says, after Open has read it into super_.
  Result<void> TakeSuperblock();

  Result<void> CheckTransaction(std::span<const Block> blocks,
                                std::span<const std::uint32_t> revoked) const;
  Result<void> WriteTransaction(const OpContext& op, std::span<const Block> blocks,
                                std::span<const std::uint32_t> revoked);
  Result<void> WriteRevokes(const OpContext& op, std::span<const std::uint32_t> revoked);
  Result<void> WriteBlocks(const OpContext& op, std::span<const Block> blocks);
  Result<void> WriteCommitRecord(const OpContext& op);
  // Writes at the head and moves it.
  Result<void> Append(const OpContext& op, Bytes block);
  Result<void> CheckpointPending(const OpContext& op);
  Result<void> EmptyLog(const OpContext& op);
  std::uint32_t After(std::uint32_t journal_block) const {
    return journal_block + 1 == maxlen_ ? first_ : journal_block + 1;
  }

  BlockDevice* device_;
  Layout layout_;
  std::vector<std::byte> super_;  // the superblock's block, as on the device
  std::uint32_t maxlen_ = 0;      // journal blocks, the superblock included
  std::uint32_t first_ = 1;       // of the ring
  std::uint32_t sequence_ = 1;    // of the next transaction
  std::uint32_t start_ = 0;       // of the log; 0: empty
  std::uint32_t head_ = 1;        // where the next transaction goes
  std::uint64_t used_ = 0;        // journal blocks from start_ to head_
  bool needs_replay_ = false;
  bool aborted_ = false;
  std::map<std::uint32_t, std::vector<std::byte>> pending_;
};

}  // namespace lamina
#endif  // LAMINA_EXT_JOURNAL_H_
