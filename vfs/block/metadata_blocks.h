// MetadataBlocks: the blocks of a metadata device that were looked at, kept in memory.
//
// A block that was read is checked once and then never changes. A fresh one was made by this
// transaction, changes freely and reaches the device at the commit.
//
// Threads: one caller at a time. Lifetime: does not own the device.
#ifndef LAMINA_VFS_BLOCK_METADATA_BLOCKS_H_
#define LAMINA_VFS_BLOCK_METADATA_BLOCKS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "lamina/block/block_device.h"
#include "vfs/block/block_table.h"
#include "vfs/block/thin_layout.h"

namespace lamina::internal {

struct MetadataBlock {
  BlockNumber number = 0;
  BlockKind kind{};
  bool fresh = false;            // made by this transaction
  bool dead = false;             // freed by this transaction
  alignas(16) BlockBytes bytes;  // so that no number in it lies on two cache lines
};

class MetadataBlocks {
 public:
  explicit MetadataBlocks(BlockDevice& device) : device_(&device) {}

  // How many blocks the device has, as far as they are used.
  BlockNumber device_blocks() const;

  // The block, good for its kind; stays where it is until Revert or the end of a commit.
  // Errors, in the order they are checked:
  //   kBadMsg  no such block, or the superblock's place
  //   kIo      the device fails
  //   kBadMsg  checksum or place are wrong, or it is a node with impossible contents
  Result<const MetadataBlock*> Read(const OpContext& op, BlockNumber number, BlockKind kind);

  // The block, when this transaction made it and it is of that kind; else null.
  MetadataBlock* FindFresh(BlockNumber number, BlockKind kind);
  // A fresh block of zeros. Null: the block is in use, whatever its count says.
  MetadataBlock* Make(BlockNumber number, BlockKind kind);
  // The block was freed. What was read of it stays readable until the commit.
  void Forget(BlockNumber number);

  // Writes a fresh block that will not change again before the commit, and lets it go. Errors: kIo.
  Result<void> WriteOut(const OpContext& op, BlockNumber number);

  bool has_fresh() const { return !fresh_.empty(); }
  // Writes the fresh blocks, ascending.
  Result<void> WriteFresh(const OpContext& op);
  // They are committed.
  void EndCommit();
  // Throws the fresh blocks away.
  void Revert();

 private:
  BlockDevice* device_;
  BlockTable<MetadataBlock> blocks_;
  std::vector<BlockNumber> fresh_;  // may name one that was written out
  std::vector<BlockNumber> dead_;   // that were not fresh
};

// A whole block, as it lies on the device. Errors: kIo.
Result<void> ReadBlock(const OpContext& op, BlockDevice& device, BlockNumber number,
                       BlockBytes& into);
Result<void> WriteBlock(const OpContext& op, BlockDevice& device, BlockNumber number,
                        const BlockBytes& from);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_METADATA_BLOCKS_H_
