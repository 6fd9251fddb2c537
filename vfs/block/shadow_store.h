// ShadowStore: metadata blocks with reference counts, changed by copying (persistent-data's
// transaction manager).
//
// Threads: one caller at a time. Lifetime: does not own the device.
#ifndef LAMINA_VFS_BLOCK_SHADOW_STORE_H_
#define LAMINA_VFS_BLOCK_SHADOW_STORE_H_

#include <cstdint>

#include "vfs/block/metadata_blocks.h"
#include "vfs/block/space_map.h"

namespace lamina::internal {

// A block that may be changed now.
struct Shadow {
  MetadataBlock* block = nullptr;
  bool was_shared = false;  // others keep the old one: what it names has one more reference
};

class ShadowStore {
 public:
  explicit ShadowStore(BlockDevice& device) : blocks_(device), counts_(*this, IndexForm::kBlock) {}
  ShadowStore(const ShadowStore&) = delete;
  ShadowStore& operator=(const ShadowStore&) = delete;

  MetadataBlocks& blocks() { return blocks_; }
  SpaceMap& counts() { return counts_; }
  const SpaceMap& counts() const { return counts_; }

  Result<const MetadataBlock*> Read(const OpContext& op, BlockNumber number, BlockKind kind) {
    return blocks_.Read(op, number, kind);
  }
  // A block of zeros with one reference. Errors: kNoSpc; kBadMsg  a block in use counts as free.
  Result<MetadataBlock*> NewBlock(const OpContext& op, BlockKind kind);
  // The block itself when this transaction made it and nobody else refers to it; else a copy, and
  // the old one loses a reference.
  Result<Shadow> ShadowBlock(const OpContext& op, BlockNumber number, BlockKind kind);

  Result<void> Inc(const OpContext& op, BlockNumber number) { return counts_.Inc(op, number); }
  // Gives what is left; at 0 the block is free, what it names is the caller's to release.
  Result<std::uint32_t> Dec(const OpContext& op, BlockNumber number);

 private:
  MetadataBlocks blocks_;
  SpaceMap counts_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_SHADOW_STORE_H_
