#include "vfs/block/map_census.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lamina::internal {

bool MapCensus::Gather(const SpaceMapRoot& root, IndexForm form) {
  root_ = root;
  form_ = form;
  const bool indexed = form == IndexForm::kBlock ? GatherIndexBlock() : GatherIndexTree();
  bool sound = indexed;
  for (const IndexEntry& entry : entries_) {
    if (!AddBitmap(entry)) sound = false;
  }
  return GatherCounts() && sound;
}

bool MapCensus::GatherIndexBlock() {
  if (!trees_->Name(root_.bitmap_root, "index")) return false;
  BlockBytes block;
  if (!trees_->ReadOther(root_.bitmap_root, BlockKind::kIndex, "index", block)) return false;
  if (BitmapsFor(root_.nr_blocks) > kMaxIndexEntries) {
    findings_->Damage(absl::StrCat("the ", name_, " space map: too many blocks"));
    return false;
  }
  for (std::uint64_t i = 0; i < BitmapsFor(root_.nr_blocks); ++i) {
    entries_.push_back(LoadIndexEntry(block.data() + kIndexHeaderBytes + i * kIndexEntryBytes));
  }
  return true;
}

bool MapCensus::GatherIndexTree() {
  if (!trees_->Walk(TreeKind::kIndex, root_.bitmap_root)) return false;
  bool in_order = true;
  trees_->ForEachEntry(root_.bitmap_root, [&](std::uint64_t key, const std::byte* value) {
    if (key != entries_.size()) in_order = false;
    if (in_order) entries_.push_back(LoadIndexEntry(value));
  });
  if (in_order && entries_.size() == BitmapsFor(root_.nr_blocks)) return true;
  findings_->Damage(absl::StrCat("the ", name_,
                                 " space map: its index has not one bitmap for every ",
                                 kBitmapEntries, " blocks"));
  return false;
}

bool MapCensus::GatherCounts() {
  if (!trees_->Walk(TreeKind::kCounts, root_.ref_count_root)) return false;
  trees_->ForEachEntry(root_.ref_count_root, [&](std::uint64_t key, const std::byte* value) {
    large_counts_[key] = LoadLe<std::uint32_t>(value);
  });
  return true;
}

bool MapCensus::AddBitmap(const IndexEntry& entry) {
  if (!trees_->Name(entry.bitmap, "bitmap")) return false;
  if (bitmaps_.insert(entry.bitmap).second) return true;
  findings_->Damage(absl::StrCat("block ", entry.bitmap, ": two bitmaps in one block"));
  return false;
}

void MapCensus::Compare(const ReferenceCounts& references) {
  Expected expected(references.begin(), references.end());
  std::sort(expected.begin(), expected.end());
  auto at = expected.cbegin();
  for (std::uint64_t index = 0; index < entries_.size(); ++index) {
    BlockBytes bitmap;
    if (!trees_->ReadOther(entries_[index].bitmap, BlockKind::kBitmap, "bitmap", bitmap)) return;
    CompareBitmap(index, bitmap, at, expected.cend());
    CompareEntry(index, bitmap);
  }
  if (!large_counts_.empty()) {
    findings_->Odd(absl::StrCat("the ", name_, " space map: ", large_counts_.size(),
                                " counts in its tree belong to no bitmap entry"));
  }
  CompareTotal();
}

// thin_restore 0.9 frees a block of the metadata without taking it off one entry and the total; a
// kernel then mends the entry with the next change. That is how real metadata looks, and no
// finding.
void MapCensus::CompareTotal() {
  const bool is_metadata = form_ == IndexForm::kBlock;
  if (is_metadata && one_too_many_.size() < 2 && root_.nr_allocated == allocated_ + 1) return;
  for (std::string& what : one_too_many_) findings_->Leak(std::move(what));
  if (allocated_ == root_.nr_allocated) return;
  Report(allocated_ < root_.nr_allocated,
         absl::StrCat("the ", name_, " space map: ", allocated_,
                      " blocks are allocated, its total says ", root_.nr_allocated));
}

void MapCensus::Report(bool is_leak, std::string what) {
  if (is_leak) {
    findings_->Leak(std::move(what));
  } else {
    findings_->Damage(std::move(what));
  }
}

void MapCensus::CompareBitmap(std::uint64_t index, const BlockBytes& bitmap,
                              Expected::const_iterator& at, Expected::const_iterator end) {
  const std::uint64_t base = index * kBitmapEntries;
  for (std::uint64_t i = 0; i < kBitmapEntries; ++i) {
    const std::uint64_t block = base + i;
    // What is neither counted nor named needs no look, a byte of it at a time.
    if (i % 4 == 0 && bitmap[kBitmapHeaderBytes + i / 4] == std::byte{0} &&
        (at == end || at->first > block + 3)) {
      i += 3;
      continue;
    }
    const std::uint32_t stored = StoredCount(bitmap, i);
    if (block >= root_.nr_blocks) {
      if (stored == 0) continue;
      findings_->Odd(
          absl::StrCat("the ", name_, " space map counts block ", block, ", which does not exist"));
      return;
    }
    const bool is_named = at != end && at->first == block;
    const std::uint64_t references = is_named ? at->second : 0;
    if (is_named) ++at;
    if (stored > 0) ++allocated_;
    if (stored > 0 || references > 0) CompareCount(block, stored, references);
  }
}

void MapCensus::CompareCount(std::uint64_t block, std::uint32_t stored, std::uint64_t expected) {
  std::uint64_t count = stored;
  if (stored == kOverflowCount) {
    const auto large = large_counts_.find(block);
    if (large == large_counts_.end()) {
      findings_->Damage(absl::StrCat(name_, " block ", block, ": its count is missing"));
      return;
    }
    count = large->second;
    large_counts_.erase(large);
    if (count < kOverflowCount) {
      findings_->Odd(
          absl::StrCat(name_, " block ", block, ": a small count in the tree of counts"));
    }
  }
  if (count == expected) return;
  Report(count > expected, absl::StrCat(name_, " block ", block, ": the count is ", count, ", ",
                                        expected, " is right"));
}

void MapCensus::CompareEntry(std::uint64_t index, const BlockBytes& bitmap) {
  const std::uint64_t base = index * kBitmapEntries;
  const std::uint64_t there = std::min(kBitmapEntries, root_.nr_blocks - base);
  // The kernel counts all the entries of the last bitmap, thin_restore only those of blocks.
  const std::uint64_t missing = kBitmapEntries - there;
  const std::uint32_t free = FreeEntries(bitmap);
  const IndexEntry& entry = entries_[index];
  bool one_too_many = false;
  if (entry.nr_free != free && entry.nr_free + missing != free) {
    std::string what = absl::StrCat("the ", name_, " space map: bitmap ", index, " has ", free,
                                    " free entries, the index says ", entry.nr_free);
    one_too_many = entry.nr_free + 1 == free || entry.nr_free + missing + 1 == free;
    if (one_too_many) {
      one_too_many_.push_back(std::move(what));
    } else {
      Report(entry.nr_free < free, std::move(what));
    }
  }
  std::uint64_t first_free = NextFreeEntry(bitmap, 0, there);
  if (one_too_many && first_free < there) first_free = NextFreeEntry(bitmap, first_free + 1, there);
  if (first_free < std::min<std::uint64_t>(entry.none_free_before, there)) {
    findings_->Odd(absl::StrCat("the ", name_, " space map: bitmap ", index,
                                " has a free entry where the index says none"));
  }
}

}  // namespace lamina::internal
