// Block maps of ext2 and ext3: direct, indirect, double and triple indirect pointers.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "lamina/base/check.h"
#include "vfs/ext/block_map.h"

namespace lamina::ext {
namespace {

// The way to a pointer: a slot of the inode, then an index in each indirect block.
struct PointerPath {
  std::uint32_t slot = 0;
  unsigned depth = 0;  // indirect blocks on the way
  std::array<std::uint32_t, 3> index{};
};

std::uint32_t PerBlock(const Volume& volume) { return volume.geometry.block_bytes / 4; }

// Data blocks below a pointer of a block that is `depth` - 1 indirect blocks above them.
std::uint64_t SpanBelow(const Volume& volume, unsigned depth) {
  std::uint64_t span = 1;
  for (unsigned level = 0; level < depth; ++level) span *= PerBlock(volume);
  return span;
}

PointerPath PathTo(const Volume& volume, std::uint64_t logical) {
  if (logical < kDirectBlocks) return {static_cast<std::uint32_t>(logical), 0, {}};
  logical -= kDirectBlocks;
  PointerPath path;
  for (unsigned depth = 1; depth <= 3; ++depth) {
    const std::uint64_t span = SpanBelow(volume, depth);
    if (logical >= span) {
      logical -= span;
      continue;
    }
    path.slot = kIndirectSlot + depth - 1;
    path.depth = depth;
    for (unsigned level = 0; level < depth; ++level) {
      const std::uint64_t below = SpanBelow(volume, depth - 1 - level);
      path.index[level] = static_cast<std::uint32_t>(logical / below);
      logical %= below;
    }
    return path;
  }
  LAMINA_CHECK(false);  // the callers stay below MaxFileBlocks
  return path;
}

// How many of the pointers continue the first one: neighbours, or all zero.
template <typename PointerAt>
std::uint32_t RunLength(std::uint32_t index, std::uint32_t end, PointerAt at) {
  const std::uint32_t first = at(index);
  std::uint32_t count = 1;
  while (index + count < end && at(index + count) == (first == 0 ? 0 : first + count)) ++count;
  return count;
}

std::uint32_t PointerIn(Bytes block, std::uint32_t index) {
  return ReadRecord<std::uint32_t>(block, std::size_t{index} * 4);
}

Result<Mapping> Found(const Volume& volume, std::uint32_t logical, std::uint32_t physical,
                      std::uint32_t count) {
  if (physical == 0) return Mapping{logical, count, 0, BlockState::kHole};
  if (!volume.allocator.IsFileRange(physical, count)) return Errno::kUClean;
  return Mapping{logical, count, physical, BlockState::kWritten};
}

}  // namespace

Result<Mapping> FindIndirect(const OpContext& op, Volume& volume, const Inode& inode,
                             std::uint32_t logical) {
  const std::uint64_t limit = MaxFileBlocks(volume, inode);
  if (logical >= limit) return Mapping{logical, 1, 0, BlockState::kHole};
  const PointerPath path = PathTo(volume, logical);
  if (path.depth == 0) {
    const auto at = [&](std::uint32_t index) { return inode.disk.block[index]; };
    return Found(volume, logical, at(path.slot), RunLength(path.slot, kDirectBlocks, at));
  }
  std::uint32_t block = inode.disk.block[path.slot];
  for (unsigned level = 0; level < path.depth; ++level) {
    if (block == 0) {
      // Nothing below: a hole up to the end of what this pointer spans.
      const std::uint64_t span = SpanBelow(volume, path.depth - level);
      std::uint64_t before = 0;
      for (unsigned below = level; below < path.depth; ++below) {
        before += path.index[below] * SpanBelow(volume, path.depth - 1 - below);
      }
      const std::uint64_t count = std::min(span - before, limit - logical);
      return Mapping{logical, static_cast<std::uint32_t>(count), 0, BlockState::kHole};
    }
    if (!volume.allocator.IsFileRange(block, 1)) return Errno::kUClean;
    Result<Bytes> bytes = volume.cache.Read(op, block);
    if (!bytes.ok()) return bytes.error();
    if (level + 1 == path.depth) {
      const auto at = [&](std::uint32_t index) { return PointerIn(*bytes, index); };
      const std::uint32_t count = RunLength(path.index[level], PerBlock(volume), at);
      return Found(volume, logical, at(path.index[level]), count);
    }
    block = PointerIn(*bytes, path.index[level]);
  }
  return Errno::kUClean;
}

// ── Adding ───────────────────────────────────────────────────────────────────────────────────────

namespace {

// The last indirect block on the way; those that are missing are made. 0: there is none.
Result<std::uint32_t> MakePath(const OpContext& op, Volume& volume, Inode& inode,
                               const PointerPath& path, Reserve reserve) {
  std::uint32_t parent = 0;
  for (unsigned level = 0; level < path.depth; ++level) {
    std::uint32_t block = inode.disk.block[path.slot];
    if (level > 0) {
      Result<Bytes> bytes = volume.cache.Read(op, parent);
      if (!bytes.ok()) return bytes.error();
      block = PointerIn(*bytes, path.index[level - 1]);
    }
    if (block == 0) {
      Result<std::uint32_t> made = TakeMapBlock(op, volume, inode, reserve);
      if (!made.ok()) return made;
      block = *made;
      if (level == 0) {
        inode.disk.block[path.slot] = block;
      } else {
        Result<MutableBytes> pointer =
            volume.cache.Edit(op, parent, std::size_t{path.index[level - 1]} * 4, 4);
        if (!pointer.ok()) return pointer.error();
        WriteRecord(*pointer, block);
      }
    }
    if (!volume.allocator.IsFileRange(block, 1)) return Errno::kUClean;
    parent = block;
  }
  return parent;
}

}  // namespace

Result<Mapping> AddIndirect(const OpContext& op, Volume& volume, Inode& inode,
                            std::uint32_t logical, std::uint32_t wanted,
                            const BlockRequest& request) {
  if (logical >= MaxFileBlocks(volume, inode)) return Errno::kFBig;
  Result<Mapping> hole = FindIndirect(op, volume, inode, logical);
  if (!hole.ok()) return hole;
  LAMINA_CHECK(hole->state == BlockState::kHole);
  const PointerPath path = PathTo(volume, logical);
  const std::uint32_t index = path.depth == 0 ? path.slot : path.index[path.depth - 1];
  const std::uint32_t end = path.depth == 0 ? kDirectBlocks : PerBlock(volume);
  wanted = std::min({wanted, hole->count, end - index});
  Result<std::uint32_t> goal = GoalFor(op, volume, inode, logical, request);
  if (!goal.ok()) return goal.error();
  Result<std::uint32_t> last = MakePath(op, volume, inode, path, request.reserve);
  if (!last.ok()) return last.error();
  Result<BlockRun> run = volume.allocator.Take(op, *goal, wanted, request.reserve);
  if (!run.ok()) return run.error();
  if (!inode.AddBlocks(volume.geometry, run->count)) return Errno::kFBig;
  if (path.depth == 0) {
    for (std::uint32_t each = 0; each < run->count; ++each) {
      inode.disk.block[index + each] = run->first + each;
    }
  } else {
    Result<MutableBytes> pointers =
        volume.cache.Edit(op, *last, std::size_t{index} * 4, std::size_t{run->count} * 4);
    if (!pointers.ok()) return pointers.error();
    for (std::uint32_t each = 0; each < run->count; ++each) {
      WriteRecord(*pointers, run->first + each, std::size_t{each} * 4);
    }
  }
  return Mapping{logical, run->count, run->first, BlockState::kWritten};
}

// ── Removing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

// Removes the file blocks [first, end) below one pointer of the inode, last ones first.
class BranchRemoval {
 public:
  BranchRemoval(const OpContext& op, Volume& volume, Inode& inode, std::uint64_t first,
                std::uint64_t end, BlockUse use)
      : op_(op), volume_(volume), inode_(inode), first_(first), end_(end), use_(use) {}

  // What is left to do ends here.
  std::uint64_t end() const { return end_; }
  bool stopped() const { return stopped_; }

  // The pointer that `block` is, `depth` levels above data, begins at file block `base`.
  // Gives the new value of the pointer.
  Result<std::uint32_t> Remove(std::uint32_t block, unsigned depth, std::uint64_t base) {
    if (block == 0) return block;
    if (depth == 0) {
      Result<void> freed = FreeMapped(op_, volume_, inode_, {block, 1}, use_);
      if (!freed.ok()) return freed.error();
      end_ = base;
      return std::uint32_t{0};
    }
    if (!volume_.allocator.IsFileRange(block, 1)) return Errno::kUClean;
    const std::uint64_t span = SpanBelow(volume_, depth - 1);
    const std::uint64_t from = first_ > base ? (first_ - base) / span : 0;
    std::uint64_t to = std::min<std::uint64_t>((end_ - base + span - 1) / span, PerBlock(volume_));
    while (to > from && !stopped_) {
      Result<Bytes> bytes = volume_.cache.Read(op_, block);
      if (!bytes.ok()) return bytes.error();
      const auto index = static_cast<std::uint32_t>(to - 1);
      const std::uint32_t before = PointerIn(*bytes, index);
      --to;
      if (before == 0) continue;
      Result<std::uint32_t> after = RemoveChild(block, before, index, depth, base, from);
      if (!after.ok()) return after;
      to = *after;
      stopped_ = stopped_ || volume_.cache.dirty_blocks() > kLargeTransaction;
    }
    return KeepIfUsed(block);
  }

 private:
  // Removes what the pointer at `index` leads to; data neighbours at once. Gives the index of the
  // last pointer that was dealt with.
  Result<std::uint32_t> RemoveChild(std::uint32_t block, std::uint32_t child, std::uint32_t index,
                                    unsigned depth, std::uint64_t base, std::uint64_t from) {
    std::uint32_t first_index = index;
    if (depth == 1) {
      Result<Bytes> bytes = volume_.cache.Read(op_, block);
      if (!bytes.ok()) return bytes.error();
      std::uint32_t first_block = child;
      while (first_index > from && first_block > 1 &&
             PointerIn(*bytes, first_index - 1) == first_block - 1) {
        --first_index;
        --first_block;
      }
      const std::uint32_t count = index - first_index + 1;
      Result<void> freed = FreeMapped(op_, volume_, inode_, {first_block, count}, use_);
      if (!freed.ok()) return freed.error();
      end_ = base + first_index;
      Result<void> cleared = Clear(block, first_index, count);
      if (!cleared.ok()) return cleared.error();
      return first_index;
    }
    const std::uint64_t span = SpanBelow(volume_, depth - 1);
    Result<std::uint32_t> after = Remove(child, depth - 1, base + index * span);
    if (!after.ok()) return after;
    if (*after == 0) {
      Result<void> cleared = Clear(block, index, 1);
      if (!cleared.ok()) return cleared.error();
    }
    return index;
  }

  Result<void> Clear(std::uint32_t block, std::uint32_t index, std::uint32_t count) {
    Result<MutableBytes> pointers =
        volume_.cache.Edit(op_, block, std::size_t{index} * 4, std::size_t{count} * 4);
    if (!pointers.ok()) return pointers.error();
    std::fill(pointers->begin(), pointers->end(), std::byte{0});
    return {};
  }

  // An indirect block without a pointer goes.
  Result<std::uint32_t> KeepIfUsed(std::uint32_t block) {
    Result<Bytes> bytes = volume_.cache.Read(op_, block);
    if (!bytes.ok()) return bytes.error();
    const bool empty = std::all_of(bytes->begin(), bytes->end(),
                                   [](std::byte byte) { return byte == std::byte{}; });
    if (!empty) return block;
    Result<void> freed = FreeMapped(op_, volume_, inode_, {block, 1}, BlockUse::kMetadata);
    if (!freed.ok()) return freed.error();
    return std::uint32_t{0};
  }

  const OpContext& op_;
  Volume& volume_;
  Inode& inode_;
  std::uint64_t first_;
  std::uint64_t end_;
  BlockUse use_;
  bool stopped_ = false;
};

}  // namespace

Result<std::uint64_t> RemoveIndirect(const OpContext& op, Volume& volume, Inode& inode,
                                     std::uint64_t first, std::uint64_t end, BlockUse use) {
  BranchRemoval removal(op, volume, inode, first, end, use);
  std::array<std::pair<unsigned, std::uint64_t>, kBlockSlots> slots;  // depth and first block
  for (std::uint32_t slot = 0; slot < kDirectBlocks; ++slot) slots[slot] = {0, slot};
  std::uint64_t base = kDirectBlocks;
  for (unsigned depth = 1; depth <= 3; ++depth) {
    slots[kIndirectSlot + depth - 1] = {depth, base};
    base += SpanBelow(volume, depth);
  }
  for (std::uint32_t slot = kBlockSlots; slot-- > 0 && !removal.stopped();) {
    const auto [depth, begin] = slots[slot];
    if (begin >= end || begin + SpanBelow(volume, depth) <= first) continue;
    Result<std::uint32_t> after = removal.Remove(inode.disk.block[slot], depth, begin);
    if (!after.ok()) return after.error();
    inode.disk.block[slot] = *after;
  }
  return removal.stopped() ? removal.end() : first;
}

}  // namespace lamina::ext
