#include "vfs/block/space_map.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "vfs/block/btree.h"

namespace lamina::internal {
namespace {

constexpr std::uint32_t kMaxCount = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void SpaceMap::LoadEmpty() {
  committed_ = {};
  root_ = {};
  index_.clear();
  cursor_ = 0;
  ForgetChanges();
}

void SpaceMap::ForgetChanges() {
  fresh_bitmaps_.clear();
  fresh_index_.clear();
  touched_.clear();
  pending_.clear();
  spilled_ = false;
  freed_ = 0;
}

Result<void> SpaceMap::Load(const OpContext& op, const SpaceMapRoot& root) {
  LoadEmpty();
  const std::uint64_t most =
      form_ == IndexForm::kBlock ? kMaxThinMetadataBlocks : kMaxThinDataBlocks;
  if (root.nr_blocks > most || root.nr_allocated > root.nr_blocks) return Errno::kBadMsg;
  // Every bitmap is a block of the metadata device.
  if (BitmapsFor(root.nr_blocks) > store_->blocks().device_blocks()) return Errno::kBadMsg;
  committed_ = root;
  root_ = root;
  return form_ == IndexForm::kBlock ? LoadIndexBlock(op) : LoadIndexTree(op);
}

Result<void> SpaceMap::LoadIndexBlock(const OpContext& op) {
  const Result<const MetadataBlock*> block =
      store_->Read(op, committed_.bitmap_root, BlockKind::kIndex);
  if (!block.ok()) return block.error();
  const std::byte* at = (*block)->bytes.data() + kIndexHeaderBytes;
  for (std::uint64_t i = 0; i < BitmapsFor(committed_.nr_blocks); ++i) {
    index_.push_back(LoadIndexEntry(at + i * kIndexEntryBytes));
  }
  return {};
}

Result<void> SpaceMap::LoadIndexTree(const OpContext& op) {
  Btree tree(*store_, kIndexEntryBytes);
  BtreeCursor cursor(tree, committed_.bitmap_root);
  if (Result<void> sought = cursor.Seek(op, 0); !sought.ok()) return sought;
  for (std::uint64_t i = 0; i < BitmapsFor(committed_.nr_blocks); ++i) {
    if (!cursor.valid() || cursor.key() != i) return Errno::kBadMsg;
    index_.push_back(LoadIndexEntry(cursor.value()));
    if (Result<void> next = cursor.Next(op); !next.ok()) return next;
  }
  return {};
}

ThinBlockCounts SpaceMap::counts() const {
  const std::uint64_t free = root_.nr_blocks - std::min(root_.nr_blocks, root_.nr_allocated);
  return {root_.nr_blocks, root_.nr_allocated, free - std::min(free, freed_)};
}

Result<std::uint32_t> SpaceMap::CommittedCount(const OpContext& op, std::uint64_t block) {
  if (block >= committed_.nr_blocks) return 0u;
  const Result<const MetadataBlock*> bitmap =
      store_->Read(op, index_[block / kBitmapEntries].bitmap, BlockKind::kBitmap);
  if (!bitmap.ok()) return bitmap.error();
  return CountIn(op, (*bitmap)->bytes, committed_.ref_count_root, block);
}

Result<std::uint32_t> SpaceMap::WrittenCount(const OpContext& op, std::uint64_t block) {
  if (!spilled_) return CommittedCount(op, block);
  const auto fresh = fresh_bitmaps_.find(block / kBitmapEntries);
  if (fresh == fresh_bitmaps_.end()) return CommittedCount(op, block);
  return CountIn(op, *fresh->second.bytes, root_.ref_count_root, block);
}

Result<std::uint32_t> SpaceMap::CountIn(const OpContext& op, const BlockBytes& bitmap,
                                        BlockNumber large_counts, std::uint64_t block) {
  const std::uint32_t stored = StoredCount(bitmap, block % kBitmapEntries);
  if (stored < kOverflowCount) return stored;
  Btree tree(*store_, sizeof(std::uint32_t));
  const Result<const std::byte*> count = tree.Find(op, large_counts, block);
  if (!count.ok()) return count.error();
  if (*count == nullptr) return Errno::kBadMsg;
  return LoadLe<std::uint32_t>(*count);
}

Result<std::uint32_t> SpaceMap::Count(const OpContext& op, std::uint64_t block) {
  if (block >= root_.nr_blocks) return Errno::kBadMsg;
  if (const auto found = touched_.find(block); found != touched_.end()) return found->second.now;
  return WrittenCount(op, block);
}

Result<SpaceMap::Touched*> SpaceMap::Touch(const OpContext& op, std::uint64_t block) {
  if (block >= root_.nr_blocks) return Errno::kBadMsg;
  const auto [place, is_new] = touched_.try_emplace(block);
  if (!is_new) return &place->second;
  const Result<std::uint32_t> committed = CommittedCount(op, block);
  // Only what was spilled can be another count.
  const Result<std::uint32_t> now = spilled_ ? WrittenCount(op, block) : committed;
  if (!committed.ok() || !now.ok()) {
    touched_.erase(place);
    return committed.ok() ? now.error() : committed.error();
  }
  place->second = {*now, *committed};
  return &place->second;
}

void SpaceMap::SetCount(std::uint64_t block, Touched& touched, std::uint32_t count) {
  if (touched.now == 0 && count > 0) {
    ++root_.nr_allocated;
    if (touched.committed > 0) --freed_;
  }
  if (touched.now > 0 && count == 0) {
    --root_.nr_allocated;
    if (touched.committed > 0) ++freed_;
  }
  touched.now = count;
  if (touched.pending) return;
  touched.pending = true;
  pending_.push_back(block);
}

Result<void> SpaceMap::Inc(const OpContext& op, std::uint64_t block) {
  const Result<Touched*> touched = Touch(op, block);
  if (!touched.ok()) return touched.error();
  if ((*touched)->now == kMaxCount) return Errno::kBadMsg;
  SetCount(block, **touched, (*touched)->now + 1);
  return {};
}

Result<std::uint32_t> SpaceMap::Dec(const OpContext& op, std::uint64_t block) {
  const Result<Touched*> touched = Touch(op, block);
  if (!touched.ok()) return touched.error();
  // The total is a stranger's number too.
  if ((*touched)->now == 0 || root_.nr_allocated == 0) return Errno::kBadMsg;
  SetCount(block, **touched, (*touched)->now - 1);
  return (*touched)->now;
}

Result<std::uint64_t> SpaceMap::Allocate(const OpContext& op) {
  if (counts().allocatable == 0) return Errno::kNoSpc;
  std::uint64_t end = root_.nr_blocks;
  Result<std::uint64_t> found = FindFree(op, cursor_, end);
  if (found.ok() && *found == end) {
    end = std::min(cursor_, end);
    found = FindFree(op, 0, end);
  }
  if (!found.ok()) return found;
  if (*found == end) return Errno::kNoSpc;
  if (Result<void> taken = Inc(op, *found); !taken.ok()) return taken.error();
  cursor_ = *found + 1;
  return *found;
}

Result<std::uint64_t> SpaceMap::FindFree(const OpContext& op, std::uint64_t begin,
                                         std::uint64_t end) {
  for (std::uint64_t from = begin; from < end;) {
    const std::uint64_t index = from / kBitmapEntries;
    const std::uint64_t stop = std::min(end, (index + 1) * kBitmapEntries);
    const Result<std::uint64_t> found = FindFreeInBitmap(op, index, from, stop);
    if (!found.ok() || *found < stop) return found;
    from = stop;
  }
  return end;
}

Result<std::uint64_t> SpaceMap::FindFreeInBitmap(const OpContext& op, std::uint64_t index,
                                                 std::uint64_t begin, std::uint64_t end) {
  if (index >= index_.size()) {
    while (begin < end && !IsFreeNow(begin)) ++begin;
    return begin;
  }
  if (index_[index].nr_free == 0) return end;
  const Result<const MetadataBlock*> bitmap =
      store_->Read(op, index_[index].bitmap, BlockKind::kBitmap);
  if (!bitmap.ok()) return bitmap.error();
  const std::uint64_t base = index * kBitmapEntries;
  for (std::uint64_t at = begin; at < end; ++at) {
    at = base + NextFreeEntry((*bitmap)->bytes, at - base, end - base);
    if (at == end || IsFreeNow(at)) return at;
  }
  return end;
}

bool SpaceMap::IsFreeNow(std::uint64_t block) const {
  if (const auto found = touched_.find(block); found != touched_.end()) {
    return found->second.now == 0;
  }
  if (!spilled_) return true;
  const auto fresh = fresh_bitmaps_.find(block / kBitmapEntries);
  return fresh == fresh_bitmaps_.end() ||
         StoredCount(*fresh->second.bytes, block % kBitmapEntries) == 0;
}

Result<void> SpaceMap::Grow(const OpContext& op, std::uint64_t nr_blocks) {
  // thin_restore counts only the blocks that exist as free in the last bitmap: count anew.
  if (!index_.empty() && committed_.nr_blocks % kBitmapEntries != 0) {
    const Result<const MetadataBlock*> last =
        store_->Read(op, index_.back().bitmap, BlockKind::kBitmap);
    if (!last.ok()) return last.error();
    index_.back().nr_free = FreeEntries((*last)->bytes);
  }
  root_.nr_blocks = nr_blocks;
  return {};
}

}  // namespace lamina::internal
