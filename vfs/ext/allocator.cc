// Allocator: blocks, counts, transactions.
#include "vfs/ext/allocator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/ext/bitmap.h"

namespace lamina::ext {

Allocator::Allocator(const Geometry& geometry, BlockCache& cache)
    : geometry_(geometry), cache_(cache) {}

Result<DiskGroup> Allocator::ReadGroup(const OpContext& op, std::uint32_t group) {
  const std::uint32_t per_block = geometry_.descriptors_per_block();
  Result<Bytes> block = cache_.Read(op, geometry_.first_descriptor_block() + group / per_block);
  if (!block.ok()) return block.error();
  return ReadRecord<DiskGroup>(*block, group % per_block * sizeof(DiskGroup));
}

Result<void> Allocator::Load(const OpContext& op, ExtError* wrong) {
  Result<Bytes> super = cache_.Read(op, geometry_.super_block());
  if (!super.ok()) return super.error();
  super_at_mount_ = ReadRecord<DiskSuperblock>(*super, geometry_.super_offset());
  places_.clear();
  for (std::uint32_t group = 0; group < geometry_.groups_count; ++group) {
    Result<DiskGroup> descriptor = ReadGroup(op, group);
    if (!descriptor.ok()) return descriptor.error();
    if (std::optional<ExtError> found = CheckGroup(geometry_, group, *descriptor)) {
      *wrong = *std::move(found);
      return wrong->code;
    }
    places_.push_back(
        {descriptor->block_bitmap, descriptor->inode_bitmap, descriptor->inode_table});
  }
  block_hints_.assign(geometry_.groups_count, 0);
  inode_hints_.assign(geometry_.groups_count, 0);
  return {};
}

// ── Where the books lie ──────────────────────────────────────────────────────────────────────────

std::uint32_t Allocator::FirstFreePlace(std::uint32_t group) const {
  if (!HasSuperblock(super_at_mount_, group)) return geometry_.first_block_of(group);
  return geometry_.first_block_of(group) + 1 + geometry_.descriptor_blocks;
}

bool Allocator::IsFileRange(std::uint64_t first, std::uint64_t count) const {
  const std::uint64_t end = first + count;
  if (count == 0 || first < geometry_.first_data_block || end > geometry_.blocks_count) {
    return false;
  }
  const std::uint32_t last_group = geometry_.group_of(static_cast<std::uint32_t>(end - 1));
  for (std::uint32_t group = geometry_.group_of(static_cast<std::uint32_t>(first));
       group <= last_group; ++group) {
    const Places& places = places_[group];
    const auto touches = [&](std::uint64_t begin, std::uint64_t length) {
      return first < begin + length && begin < end;
    };
    const std::uint64_t start = geometry_.first_block_of(group);
    if (touches(places.block_bitmap, 1) || touches(places.inode_bitmap, 1)) return false;
    if (touches(places.inode_table, geometry_.inode_table_blocks())) return false;
    if (touches(start, FirstFreePlace(group) - start)) return false;
  }
  return true;
}

std::uint64_t Allocator::overhead_blocks() const {
  std::uint64_t blocks = geometry_.first_data_block;
  for (std::uint32_t group = 0; group < geometry_.groups_count; ++group) {
    const bool has_super = HasSuperblock(super_at_mount_, group);
    const std::uint32_t reserved = has_super ? super_at_mount_.reserved_gdt_blocks : 0;
    blocks += FirstFreePlace(group) - geometry_.first_block_of(group) + reserved + 2 +
              geometry_.inode_table_blocks();
  }
  return blocks;
}

std::uint32_t Allocator::FirstGoalOf(std::uint32_t inode) const {
  return geometry_.first_block_of((inode - 1) / geometry_.inodes_per_group);
}

// ── Counts ───────────────────────────────────────────────────────────────────────────────────────

Result<Allocator::Counts> Allocator::Count(const OpContext& op) {
  Result<Bytes> block = cache_.Read(op, geometry_.super_block());
  if (!block.ok()) return block.error();
  const auto super = ReadRecord<DiskSuperblock>(*block, geometry_.super_offset());
  return Counts{super.free_blocks_count, super.reserved_blocks_count, super.free_inodes_count};
}

Result<std::uint32_t> Allocator::FreeBlocksOf(const OpContext& op, std::uint32_t group) {
  Result<DiskGroup> descriptor = ReadGroup(op, group);
  if (!descriptor.ok()) return descriptor.error();
  return std::uint32_t{descriptor->free_blocks_count};
}

Result<void> Allocator::RepairTotals(const OpContext& op) {
  std::uint64_t blocks = 0;
  std::uint64_t inodes = 0;
  for (std::uint32_t group = 0; group < geometry_.groups_count; ++group) {
    Result<DiskGroup> descriptor = ReadGroup(op, group);
    if (!descriptor.ok()) return descriptor.error();
    blocks += descriptor->free_blocks_count;
    inodes += descriptor->free_inodes_count;
  }
  if (blocks > geometry_.blocks_count || inodes > geometry_.inodes_count) return Errno::kUClean;
  Result<Counts> counts = Count(op);
  if (!counts.ok()) return counts.error();
  if (counts->free_blocks == blocks && counts->free_inodes == inodes) return {};
  Result<MutableBytes> part =
      cache_.Edit(op, geometry_.super_block(), geometry_.super_offset(), sizeof(DiskSuperblock));
  if (!part.ok()) return part.error();
  auto super = ReadRecord<DiskSuperblock>(*part);
  super.free_blocks_count = static_cast<std::uint32_t>(blocks);
  super.free_inodes_count = static_cast<std::uint32_t>(inodes);
  WriteRecord(*part, super);
  return {};
}

Result<void> Allocator::AddCounts(const OpContext& op, std::uint32_t group, Delta delta) {
  const std::uint32_t per_block = geometry_.descriptors_per_block();
  Result<MutableBytes> part =
      cache_.Edit(op, geometry_.first_descriptor_block() + group / per_block,
                  group % per_block * sizeof(DiskGroup), sizeof(DiskGroup));
  if (!part.ok()) return part.error();
  auto descriptor = ReadRecord<DiskGroup>(*part);
  const int blocks = descriptor.free_blocks_count + delta.blocks;
  const int inodes = descriptor.free_inodes_count + delta.inodes;
  const int directories = descriptor.used_dirs_count + delta.directories;
  if (blocks < 0 || blocks > static_cast<int>(geometry_.blocks_per_group)) return Errno::kUClean;
  if (inodes < 0 || inodes > static_cast<int>(geometry_.inodes_per_group)) return Errno::kUClean;
  if (directories < 0 || directories > 0xffff) return Errno::kUClean;
  descriptor.free_blocks_count = static_cast<std::uint16_t>(blocks);
  descriptor.free_inodes_count = static_cast<std::uint16_t>(inodes);
  descriptor.used_dirs_count = static_cast<std::uint16_t>(directories);
  WriteRecord(*part, descriptor);
  constexpr std::size_t kCounts = offsetof(DiskSuperblock, free_blocks_count);
  Result<MutableBytes> super =
      cache_.Edit(op, geometry_.super_block(), geometry_.super_offset() + kCounts, 8);
  if (!super.ok()) return super.error();
  const auto free_blocks = ReadRecord<std::uint32_t>(*super, 0);
  const auto free_inodes = ReadRecord<std::uint32_t>(*super, 4);
  WriteRecord(*super, free_blocks + static_cast<std::uint32_t>(delta.blocks), 0);
  WriteRecord(*super, free_inodes + static_cast<std::uint32_t>(delta.inodes), 4);
  return {};
}

// ── Blocks ───────────────────────────────────────────────────────────────────────────────────────

std::uint32_t Allocator::NextFree(Bytes bitmap, const Pending* pending, std::uint32_t from,
                                  std::uint32_t end) const {
  return FindZero(from, end, [&](std::uint32_t word) {
    const std::uint64_t used = BitWord(bitmap, word);
    return pending == nullptr ? used : used | pending->words[word];
  });
}

bool Allocator::IsFreeBit(Bytes bitmap, const Pending* pending, std::uint32_t bit) const {
  if (TestBit(bitmap, bit)) return false;
  return pending == nullptr || (pending->words[bit / 64] >> (bit % 64) & 1U) == 0;
}

Result<BlockRun> Allocator::TakeInGroup(const OpContext& op, std::uint32_t group,
                                        std::uint32_t from, std::uint32_t wanted) {
  const std::uint32_t end = geometry_.blocks_in(group);
  std::uint32_t& hint = block_hints_[group];
  if (hint >= end) return Errno::kNoSpc;
  Result<Bytes> bitmap = cache_.Read(op, places_[group].block_bitmap);
  if (!bitmap.ok()) return bitmap.error();
  const auto found_pending = pending_.find(group);
  const Pending* pending = found_pending == pending_.end() ? nullptr : &found_pending->second;
  std::uint32_t bit = end;
  if (from > hint) bit = NextFree(*bitmap, pending, from, end);
  if (bit == end) {
    bit = NextFree(*bitmap, pending, hint, end);
    hint = bit;
  }
  if (bit == end) return Errno::kNoSpc;
  const std::uint32_t first = geometry_.first_block_of(group) + bit;
  std::uint32_t count = 1;
  while (count < wanted && bit + count < end && IsFreeBit(*bitmap, pending, bit + count)) ++count;
  while (count > 0 && !IsFileRange(first, count)) --count;
  if (count == 0) return Errno::kUClean;  // the bitmap gives away the file system's own blocks
  const std::uint32_t first_byte = bit / 8;
  const std::uint32_t bytes = (bit + count - 1) / 8 - first_byte + 1;
  Result<MutableBytes> part = cache_.Edit(op, places_[group].block_bitmap, first_byte, bytes);
  if (!part.ok()) return part.error();
  for (std::uint32_t index = 0; index < count; ++index) {
    SetBit(*part, bit + index - first_byte * 8);
  }
  Result<void> counted = AddCounts(op, group, {.blocks = -static_cast<int>(count)});
  if (!counted.ok()) return counted.error();
  return BlockRun{first, count};
}

Result<BlockRun> Allocator::Take(const OpContext& op, std::uint32_t goal, std::uint32_t wanted,
                                 Reserve reserve) {
  LAMINA_CHECK(wanted > 0);
  Result<Counts> counts = Count(op);
  if (!counts.ok()) return counts.error();
  const std::uint64_t kept = reserve == Reserve::kKeep ? counts->reserved_blocks : 0;
  if (counts->free_blocks <= kept) return Errno::kNoSpc;
  wanted = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, counts->free_blocks - kept));
  if (!geometry_.contains(goal)) goal = geometry_.first_data_block;
  const std::uint32_t first_group = geometry_.group_of(goal);
  std::uint32_t from = goal - geometry_.first_block_of(first_group);
  for (std::uint32_t step = 0; step < geometry_.groups_count; ++step) {
    const std::uint32_t group = (first_group + step) % geometry_.groups_count;
    Result<BlockRun> run = TakeInGroup(op, group, from, wanted);
    if (run.ok() || run.error() != Errno::kNoSpc) return run;
    from = 0;
  }
  return Errno::kNoSpc;
}

void Allocator::SetPending(BlockRun run, bool on) {
  const std::uint32_t group = geometry_.group_of(run.first);
  Pending& pending = pending_[group];
  if (pending.words.empty()) pending.words.resize((geometry_.block_bytes * 8 + 63) / 64);
  const std::uint32_t bit = run.first - geometry_.first_block_of(group);
  for (std::uint32_t index = bit; index < bit + run.count; ++index) {
    const std::uint64_t mask = std::uint64_t{1} << (index % 64);
    if (on) {
      pending.words[index / 64] |= mask;
    } else {
      pending.words[index / 64] &= ~mask;
    }
  }
}

Result<void> Allocator::FreeInGroup(const OpContext& op, BlockRun run) {
  const std::uint32_t group = geometry_.group_of(run.first);
  const std::uint32_t bit = run.first - geometry_.first_block_of(group);
  const std::uint32_t first_byte = bit / 8;
  const std::uint32_t bytes = (bit + run.count - 1) / 8 - first_byte + 1;
  Result<MutableBytes> part = cache_.Edit(op, places_[group].block_bitmap, first_byte, bytes);
  if (!part.ok()) return part.error();
  for (std::uint32_t index = 0; index < run.count; ++index) {
    const std::uint32_t here = bit + index - first_byte * 8;
    if (!TestBit(*part, here)) return Errno::kUClean;
    ClearBit(*part, here);
  }
  SetPending(run, true);
  freed_.push_back(run);
  return AddCounts(op, group, {.blocks = static_cast<int>(run.count)});
}

Result<void> Allocator::Free(const OpContext& op, BlockRun run, BlockUse use) {
  if (!IsFileRange(run.first, run.count)) return Errno::kUClean;
  while (run.count > 0) {
    const std::uint32_t group = geometry_.group_of(run.first);
    const std::uint32_t end = geometry_.first_block_of(group) + geometry_.blocks_in(group);
    const BlockRun part{run.first, std::min(run.count, end - run.first)};
    if (use == BlockUse::kData) {
      cache_.ForgetData(part);
    } else {
      for (std::uint32_t index = 0; index < part.count; ++index) cache_.Forget(part.first + index);
    }
    if (Result<void> freed = FreeInGroup(op, part); !freed.ok()) return freed;
    run.first += part.count;
    run.count -= part.count;
  }
  return {};
}

// ── Calls and transactions ───────────────────────────────────────────────────────────────────────

void Allocator::RollBackTo(Mark mark) {
  while (freed_.size() > mark.freed) {
    SetPending(freed_.back(), false);
    freed_.pop_back();
  }
  std::fill(block_hints_.begin(), block_hints_.end(), 0);
  std::fill(inode_hints_.begin(), inode_hints_.end(), 0);
}

std::vector<BlockRun> Allocator::ReleasePending() {
  for (const BlockRun& run : freed_) {
    const std::uint32_t group = geometry_.group_of(run.first);
    const std::uint32_t bit = run.first - geometry_.first_block_of(group);
    block_hints_[group] = std::min(block_hints_[group], bit);
  }
  pending_.clear();
  return std::exchange(freed_, {});
}

}  // namespace lamina::ext
