// How a SpaceMap's changes get into fresh blocks at a commit.
#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/block/btree.h"
#include "vfs/block/space_map.h"

namespace lamina::internal {

Result<void> SpaceMap::MakeWritable(const OpContext& op) {
  if (root_.ref_count_root == 0) {
    const Result<BlockNumber> tree = Btree(*store_, sizeof(std::uint32_t)).MakeEmpty(op);
    if (!tree.ok()) return tree.error();
    root_.ref_count_root = *tree;
  }
  for (std::uint64_t i = index_.size(); i < BitmapsFor(root_.nr_blocks); ++i) {
    if (Result<FreshBitmap> bitmap = ShadowBitmap(op, i); !bitmap.ok()) return bitmap.error();
  }
  return {};
}

Result<void> SpaceMap::Spill(const OpContext& op) {
  LAMINA_CHECK(form_ == IndexForm::kTree);
  if (Result<void> ready = MakeWritable(op); !ready.ok()) return ready;
  while (!pending_.empty()) {
    if (Result<void> written = WritePending(op); !written.ok()) return written;
  }
  touched_.clear();
  spilled_ = true;
  return {};
}

Result<void> SpaceMap::Flush(const OpContext& op) {
  MetadataBlock* index_block = nullptr;
  if (form_ == IndexForm::kBlock) {
    const Result<MetadataBlock*> shadow = ShadowIndexBlock(op);
    if (!shadow.ok()) return shadow.error();
    index_block = *shadow;
  }
  if (Result<void> ready = MakeWritable(op); !ready.ok()) return ready;
  while (!pending_.empty()) {
    if (Result<void> written = WritePending(op); !written.ok()) return written;
  }
  RefreshEntries();
  if (form_ == IndexForm::kTree) return WriteIndexTree(op);
  WriteIndexBlock(index_block->bytes);
  return {};
}

Result<MetadataBlock*> SpaceMap::ShadowIndexBlock(const OpContext& op) {
  if (root_.bitmap_root == 0) {
    const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kIndex);
    if (block.ok()) root_.bitmap_root = (*block)->number;
    return block;
  }
  const Result<Shadow> shadow = store_->ShadowBlock(op, root_.bitmap_root, BlockKind::kIndex);
  if (!shadow.ok()) return shadow.error();
  root_.bitmap_root = shadow->block->number;
  return shadow->block;
}

Result<SpaceMap::FreshBitmap> SpaceMap::ShadowBitmap(const OpContext& op, std::uint64_t index) {
  if (const auto found = fresh_bitmaps_.find(index); found != fresh_bitmaps_.end()) {
    return found->second;
  }
  MetadataBlock* block = nullptr;
  if (index < index_.size()) {
    const Result<Shadow> shadow = store_->ShadowBlock(op, index_[index].bitmap, BlockKind::kBitmap);
    if (!shadow.ok()) return shadow.error();
    block = shadow->block;
  } else {
    const Result<MetadataBlock*> made = store_->NewBlock(op, BlockKind::kBitmap);
    if (!made.ok()) return made.error();
    block = *made;
  }
  const FreshBitmap fresh{block->number, &block->bytes};
  fresh_bitmaps_.emplace(index, fresh);
  return fresh;
}

Result<void> SpaceMap::WritePending(const OpContext& op) {
  std::vector<std::uint64_t> blocks = std::exchange(pending_, {});
  std::sort(blocks.begin(), blocks.end());
  for (const std::uint64_t block : blocks) touched_.at(block).pending = false;
  FreshBitmap bitmap;
  std::uint64_t index = 0;
  for (const std::uint64_t block : blocks) {
    if (bitmap.bytes == nullptr || block / kBitmapEntries != index) {
      index = block / kBitmapEntries;
      const Result<FreshBitmap> fresh = ShadowBitmap(op, index);
      if (!fresh.ok()) return fresh.error();
      bitmap = *fresh;
    }
    // Shadowing may have changed the count of this very block; then it is pending again.
    const Result<void> written = WriteCount(op, *bitmap.bytes, block, touched_.at(block).now);
    if (!written.ok()) return written;
  }
  return {};
}

Result<void> SpaceMap::WriteCount(const OpContext& op, BlockBytes& bitmap, std::uint64_t block,
                                  std::uint32_t count) {
  const std::uint64_t position = block % kBitmapEntries;
  const std::uint32_t before = StoredCount(bitmap, position);
  StoreCount(bitmap, position, std::min(count, kOverflowCount));
  Btree tree(*store_, sizeof(std::uint32_t));
  if (count >= kOverflowCount) {
    std::byte value[sizeof(std::uint32_t)];
    StoreLe(value, count);
    const Result<bool> put = tree.Insert(op, root_.ref_count_root, block, value);
    if (!put.ok()) return put.error();
  } else if (before == kOverflowCount) {
    const Result<bool> gone = tree.Remove(op, root_.ref_count_root, block);
    if (!gone.ok()) return gone.error();
  }
  return {};
}

void SpaceMap::RefreshEntries() {
  for (const auto& [index, bitmap] : fresh_bitmaps_) {
    IndexEntry entry;
    entry.bitmap = bitmap.number;
    entry.nr_free = FreeEntries(*bitmap.bytes);
    entry.none_free_before =
        static_cast<std::uint32_t>(NextFreeEntry(*bitmap.bytes, 0, kBitmapEntries));
    fresh_index_[index] = entry;
  }
}

Result<void> SpaceMap::WriteIndexTree(const OpContext& op) {
  Btree tree(*store_, kIndexEntryBytes);
  if (root_.bitmap_root == 0) {
    const Result<BlockNumber> made = tree.MakeEmpty(op);
    if (!made.ok()) return made.error();
    root_.bitmap_root = *made;
  }
  for (const auto& [index, entry] : fresh_index_) {
    std::byte value[kIndexEntryBytes];
    StoreIndexEntry(value, entry);
    const Result<bool> put = tree.Insert(op, root_.bitmap_root, index, value);
    if (!put.ok()) return put.error();
  }
  return {};
}

void SpaceMap::WriteIndexBlock(BlockBytes& block) {
  for (const auto& [index, entry] : fresh_index_) {
    LAMINA_CHECK(index < kMaxIndexEntries);
    StoreIndexEntry(block.data() + kIndexHeaderBytes + index * kIndexEntryBytes, entry);
  }
}

void SpaceMap::EndCommit() {
  for (const auto& [index, entry] : fresh_index_) {
    if (index >= index_.size()) index_.resize(index + 1);
    index_[index] = entry;
  }
  committed_ = root_;
  ForgetChanges();
}

}  // namespace lamina::internal
