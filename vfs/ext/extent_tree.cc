#include "vfs/ext/extent_tree.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::ext {
namespace {

constexpr std::size_t kEntryBytes = sizeof(DiskExtent);
constexpr std::uint32_t kRootEntries = 4;
constexpr std::uint8_t kNoteBase = 0x10;  // a checked node of depth N has note kNoteBase + N

std::size_t OffsetOf(std::uint32_t index) { return sizeof(DiskExtentHeader) + index * kEntryBytes; }

DiskExtentHeader HeaderOf(Bytes node) { return ReadRecord<DiskExtentHeader>(node); }
void SetEntries(MutableBytes node, std::uint32_t entries) {
  auto header = HeaderOf(node);
  header.entries = static_cast<std::uint16_t>(entries);
  WriteRecord(node, header);
}

// The first file block: the first field of an index and of an extent.
std::uint32_t KeyOf(Bytes node, std::uint32_t index) {
  return ReadRecord<std::uint32_t>(node, OffsetOf(index));
}

Extent Decode(const DiskExtent& disk) {
  Extent extent;
  extent.block = disk.block;
  extent.unwritten = disk.length > kMaxWrittenLength;
  extent.count = extent.unwritten ? disk.length - kMaxWrittenLength : disk.length;
  extent.physical = disk.start_low;
  return extent;
}
Extent ExtentAt(Bytes node, std::uint32_t index) {
  return Decode(ReadRecord<DiskExtent>(node, OffsetOf(index)));
}
DiskExtent Encode(const Extent& extent) {
  const std::uint32_t length = extent.count + (extent.unwritten ? kMaxWrittenLength : 0);
  return {extent.block, static_cast<std::uint16_t>(length), 0, extent.physical};
}

bool Joins(const Extent& left, const Extent& right) {
  const std::uint32_t most = left.unwritten ? kMaxUnwrittenLength : kMaxWrittenLength;
  return left.unwritten == right.unwritten && left.end() == right.block &&
         left.physical + left.count == right.physical && left.count + right.count <= most;
}

template <typename Record>
Bytes BytesOf(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

}  // namespace

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

bool ExtentTree::IsSane(Bytes node, unsigned depth, std::uint32_t capacity) const {
  const DiskExtentHeader header = HeaderOf(node);
  if (header.magic != kExtentMagic || header.depth != depth) return false;
  if (header.max == 0 || header.max > capacity || header.entries > header.max) return false;
  std::uint64_t free_from = 0;
  for (std::uint32_t index = 0; index < header.entries; ++index) {
    if (index > 0 && KeyOf(node, index) < free_from) return false;
    if (depth > 0) {
      const auto entry = ReadRecord<DiskExtentIndex>(node, OffsetOf(index));
      if (entry.leaf_high != 0 || !volume_.allocator.IsFileRange(entry.leaf_low, 1)) return false;
      free_from = std::uint64_t{entry.block} + 1;
      continue;
    }
    const auto entry = ReadRecord<DiskExtent>(node, OffsetOf(index));
    const Extent extent = Decode(entry);
    if (entry.start_high != 0 || entry.length == 0) return false;
    if (!volume_.allocator.IsFileRange(extent.physical, extent.count)) return false;
    if (extent.end() > 0xffffffffU) return false;
    free_from = extent.end();
  }
  return true;
}

Result<Bytes> ExtentTree::ReadNode(std::uint32_t block, unsigned depth) {
  if (block == 0) return Bytes(std::as_bytes(std::span(inode_.disk.block)));
  Result<BlockCache::Noted> node = volume_.cache.ReadNoted(op_, block);
  if (!node.ok()) return node.error();
  const auto wanted = static_cast<std::uint8_t>(kNoteBase + depth);
  if (*node->note != wanted) {
    const auto capacity =
        static_cast<std::uint32_t>((node->bytes.size() - sizeof(DiskExtentHeader)) / kEntryBytes);
    if (!IsSane(node->bytes, depth, capacity)) return Errno::kUClean;
    *node->note = wanted;
  }
  return node->bytes;
}

Result<MutableBytes> ExtentTree::EditNode(std::uint32_t block) {
  if (block == 0) return MutableBytes(std::as_writable_bytes(std::span(inode_.disk.block)));
  return volume_.cache.Edit(op_, block, 0, volume_.geometry.block_bytes, kNoteBase);
}

Result<ExtentTree::Path> ExtentTree::Walk(std::uint32_t logical) {
  Path path;
  const Bytes root = std::as_bytes(std::span(inode_.disk.block));
  path.depth = HeaderOf(root).depth;
  if (path.depth > kMaxExtentDepth) return Errno::kUClean;
  if (!IsSane(root, path.depth, kRootEntries)) return Errno::kUClean;
  path.next = std::uint64_t{1} << 32U;
  std::uint32_t block = 0;
  for (unsigned level = 0; level <= path.depth; ++level) {
    Result<Bytes> node = ReadNode(block, path.depth - level);
    if (!node.ok()) return node.error();
    const DiskExtentHeader header = HeaderOf(*node);
    Level& here = path.levels[level];
    here = {block, header.entries, header.max, -1};
    if (level > 0) {
      // A child begins where its index says and ends before the next one.
      const Level& above = path.levels[level - 1];
      Result<Bytes> parent = ReadNode(above.block, path.depth - level + 1);
      if (!parent.ok()) return parent.error();
      if (header.entries == 0) return Errno::kUClean;
      if (KeyOf(*node, 0) != KeyOf(*parent, static_cast<std::uint32_t>(above.position))) {
        return Errno::kUClean;
      }
      const std::uint32_t last = header.entries - 1U;
      const std::uint64_t end =
          level == path.depth ? ExtentAt(*node, last).end() : std::uint64_t{KeyOf(*node, last)} + 1;
      if (end > path.next) return Errno::kUClean;
    }
    std::uint32_t low = 0;
    std::uint32_t high = header.entries;
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (KeyOf(*node, middle) <= logical) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    here.position = static_cast<int>(low) - 1;
    if (level < path.depth) {
      if (header.entries == 0) return Errno::kUClean;
      if (here.position < 0) here.position = 0;
    }
    const auto after = static_cast<std::uint32_t>(here.position + 1);
    if (after < header.entries) path.next = KeyOf(*node, after);
    if (level == path.depth) break;
    block = ReadRecord<DiskExtentIndex>(*node, OffsetOf(after - 1)).leaf_low;
  }
  return path;
}

Result<ExtentTree::Position> ExtentTree::Find(std::uint32_t logical) {
  Result<Path> path = Walk(logical);
  if (!path.ok()) return path.error();
  Position position;
  position.next = path->next;
  if (path->leaf().position < 0) return position;
  Result<Bytes> leaf = ReadNode(path->leaf().block, 0);
  if (!leaf.ok()) return leaf.error();
  position.found = true;
  position.extent = ExtentAt(*leaf, static_cast<std::uint32_t>(path->leaf().position));
  return position;
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────────

// The first key of a node has changed: the indexes above say so too.
Result<void> ExtentTree::SetKeys(Path& path, unsigned level, std::uint32_t key) {
  while (level > 0) {
    --level;
    Level& above = path.levels[level];
    Result<MutableBytes> node = EditNode(above.block);
    if (!node.ok()) return node.error();
    WriteRecord(*node, key, OffsetOf(static_cast<std::uint32_t>(above.position)));
    if (above.position != 0) return {};
  }
  return {};
}

Result<void> ExtentTree::InsertEntry(Path& path, unsigned level, std::uint32_t index, Bytes entry) {
  Level& here = path.levels[level];
  LAMINA_CHECK(here.entries < here.max);
  LAMINA_CHECK(index <= here.entries);
  Result<MutableBytes> node = EditNode(here.block);
  if (!node.ok()) return node.error();
  std::memmove(node->data() + OffsetOf(index + 1), node->data() + OffsetOf(index),
               (here.entries - index) * kEntryBytes);
  std::memcpy(node->data() + OffsetOf(index), entry.data(), kEntryBytes);
  SetEntries(*node, ++here.entries);
  if (index != 0) return {};
  return SetKeys(path, level, ReadRecord<std::uint32_t>(entry));
}

Result<void> ExtentTree::RemoveEntry(Path& path, unsigned level) {
  while (true) {
    Level& here = path.levels[level];
    const auto index = static_cast<std::uint32_t>(here.position);
    Result<MutableBytes> node = EditNode(here.block);
    if (!node.ok()) return node.error();
    std::memmove(node->data() + OffsetOf(index), node->data() + OffsetOf(index + 1),
                 (here.entries - index - 1) * kEntryBytes);
    std::memset(node->data() + OffsetOf(here.entries - 1), 0, kEntryBytes);
    SetEntries(*node, --here.entries);
    if (here.entries > 0) {
      if (index != 0) return {};
      return SetKeys(path, level, KeyOf(*node, 0));
    }
    if (level == 0) {
      auto header = HeaderOf(*node);
      header.depth = 0;
      WriteRecord(*node, header);
      return {};
    }
    Result<void> freed = FreeMapped(op_, volume_, inode_, {here.block, 1}, BlockUse::kMetadata);
    if (!freed.ok()) return freed;
    --level;
  }
}

// ── Room ─────────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtentTree::GrowRoot(Reserve reserve) {
  const MutableBytes root = std::as_writable_bytes(std::span(inode_.disk.block));
  DiskExtentHeader header = HeaderOf(root);
  if (header.depth >= kMaxExtentDepth) return Errno::kNoSpc;
  Result<std::uint32_t> block = TakeMapBlock(op_, volume_, inode_, reserve);
  if (!block.ok()) return block.error();
  Result<MutableBytes> child = EditNode(*block);
  if (!child.ok()) return child.error();
  std::memcpy(child->data(), root.data(), root.size());
  DiskExtentHeader child_header = header;
  child_header.max =
      static_cast<std::uint16_t>((child->size() - sizeof(DiskExtentHeader)) / kEntryBytes);
  WriteRecord(*child, child_header);
  const std::uint32_t key = KeyOf(root, 0);
  std::fill(root.begin(), root.end(), std::byte{0});
  ++header.depth;
  header.entries = 1;
  WriteRecord(root, header);
  WriteRecord(root, DiskExtentIndex{key, *block, 0, 0}, OffsetOf(0));
  return {};
}

Result<void> ExtentTree::SplitNode(Path& path, unsigned level, Reserve reserve) {
  Level& full = path.levels[level];
  Level& above = path.levels[level - 1];
  Result<std::uint32_t> block = TakeMapBlock(op_, volume_, inode_, reserve);
  if (!block.ok()) return block.error();
  // Appending leaves the old node nearly full; anything else halves it.
  const bool appends = full.position + 1 == static_cast<int>(full.entries);
  const std::uint32_t cut = appends ? full.entries - 1 : full.entries / 2;
  Result<MutableBytes> node = EditNode(full.block);
  if (!node.ok()) return node.error();
  Result<MutableBytes> made = EditNode(*block);
  if (!made.ok()) return made.error();
  DiskExtentHeader header = HeaderOf(*node);
  const std::uint32_t moved = full.entries - cut;
  header.entries = static_cast<std::uint16_t>(moved);
  header.max = static_cast<std::uint16_t>((made->size() - sizeof(DiskExtentHeader)) / kEntryBytes);
  WriteRecord(*made, header);
  std::memcpy(made->data() + OffsetOf(0), node->data() + OffsetOf(cut), moved * kEntryBytes);
  std::memset(node->data() + OffsetOf(cut), 0, moved * kEntryBytes);
  SetEntries(*node, cut);
  const DiskExtentIndex index{KeyOf(*made, 0), *block, 0, 0};
  return InsertEntry(path, level - 1, static_cast<std::uint32_t>(above.position + 1),
                     BytesOf(index));
}

Result<void> ExtentTree::MakeRoom(Path& path, Reserve reserve) {
  unsigned level = path.depth;
  while (level > 0) {
    const Level& above = path.levels[level - 1];
    if (above.entries < above.max) return SplitNode(path, level, reserve);
    --level;
  }
  return GrowRoot(reserve);
}

// ── Changes ──────────────────────────────────────────────────────────────────────────────────────

Result<bool> ExtentTree::MergeInLeaf(Path& path, const Extent& extent) {
  Level& leaf = path.leaf();
  Result<Bytes> bytes = ReadNode(leaf.block, 0);
  if (!bytes.ok()) return bytes.error();
  const bool has_left = leaf.position >= 0;
  const auto right_index = static_cast<std::uint32_t>(leaf.position + 1);
  const bool has_right = right_index < leaf.entries;
  Extent left = has_left ? ExtentAt(*bytes, right_index - 1) : Extent{};
  Extent right = has_right ? ExtentAt(*bytes, right_index) : Extent{};
  const bool joins_left = has_left && Joins(left, extent);
  if (joins_left) {
    left.count += extent.count;
    Result<MutableBytes> node = EditNode(leaf.block);
    if (!node.ok()) return node.error();
    WriteRecord(*node, Encode(left), OffsetOf(right_index - 1));
    if (!has_right || !Joins(left, right)) return true;
    left.count += right.count;
    WriteRecord(*node, Encode(left), OffsetOf(right_index - 1));
    leaf.position = static_cast<int>(right_index);
    Result<void> removed = RemoveEntry(path, path.depth);
    if (!removed.ok()) return removed.error();
    return true;
  }
  if (!has_right || !Joins(extent, right)) return false;
  Result<MutableBytes> node = EditNode(leaf.block);
  if (!node.ok()) return node.error();
  right.block = extent.block;
  right.physical = extent.physical;
  right.count += extent.count;
  WriteRecord(*node, Encode(right), OffsetOf(right_index));
  if (right_index == 0) {
    Result<void> set = SetKeys(path, path.depth, right.block);
    if (!set.ok()) return set.error();
  }
  return true;
}

Result<void> ExtentTree::Insert(const Extent& extent, Reserve reserve) {
  constexpr int kMaxSteps = 3 * (kMaxExtentDepth + 1);
  for (int step = 0; step < kMaxSteps; ++step) {
    Result<Path> path = Walk(extent.block);
    if (!path.ok()) return path.error();
    Result<bool> merged = MergeInLeaf(*path, extent);
    if (!merged.ok()) return merged.error();
    if (*merged) return {};
    const Level& leaf = path->leaf();
    if (leaf.entries < leaf.max) {
      const DiskExtent disk = Encode(extent);
      return InsertEntry(*path, path->depth, static_cast<std::uint32_t>(leaf.position + 1),
                         BytesOf(disk));
    }
    if (Result<void> made = MakeRoom(*path, reserve); !made.ok()) return made;
  }
  return Errno::kUClean;
}

Result<void> ExtentTree::CutOut(std::uint32_t first, std::uint64_t end) {
  Result<Path> path = Walk(first);
  if (!path.ok()) return path.error();
  const Level& leaf = path->leaf();
  if (leaf.position < 0) return Errno::kUClean;
  const auto index = static_cast<std::uint32_t>(leaf.position);
  Result<Bytes> bytes = ReadNode(leaf.block, 0);
  if (!bytes.ok()) return bytes.error();
  const Extent extent = ExtentAt(*bytes, index);
  if (end > extent.end()) return Errno::kUClean;
  if (first == extent.block && end == extent.end()) return RemoveEntry(*path, path->depth);
  Result<MutableBytes> node = EditNode(leaf.block);
  if (!node.ok()) return node.error();
  Extent left = extent;
  left.count = first - extent.block;
  Extent right = extent;
  right.block = static_cast<std::uint32_t>(end);
  right.physical += right.block - extent.block;
  right.count = static_cast<std::uint32_t>(extent.end() - end);
  if (left.count == 0) {
    WriteRecord(*node, Encode(right), OffsetOf(index));
    if (index == 0) return SetKeys(*path, path->depth, right.block);
    return {};
  }
  WriteRecord(*node, Encode(left), OffsetOf(index));
  if (right.count == 0) return {};
  return Insert(right, Reserve::kUse);
}

Result<void> ExtentTree::FlipWhole(std::uint32_t block, BlockState state) {
  Result<Path> path = Walk(block);
  if (!path.ok()) return path.error();
  Level& leaf = path->leaf();
  if (leaf.position < 0) return Errno::kUClean;
  const auto index = static_cast<std::uint32_t>(leaf.position);
  Result<MutableBytes> node = EditNode(leaf.block);
  if (!node.ok()) return node.error();
  Extent extent = ExtentAt(*node, index);
  extent.unwritten = state == BlockState::kUnwritten;
  WriteRecord(*node, Encode(extent), OffsetOf(index));
  if (index == 0) return {};
  Extent left = ExtentAt(*node, index - 1);
  if (!Joins(left, extent)) return {};
  left.count += extent.count;
  WriteRecord(*node, Encode(left), OffsetOf(index - 1));
  return RemoveEntry(*path, path->depth);
}

Result<void> ExtentTree::Collapse() {
  while (true) {
    const MutableBytes root = std::as_writable_bytes(std::span(inode_.disk.block));
    const DiskExtentHeader header = HeaderOf(root);
    if (header.depth == 0 || header.entries != 1) return {};
    const std::uint32_t block = ReadRecord<DiskExtentIndex>(root, OffsetOf(0)).leaf_low;
    Result<Bytes> child = ReadNode(block, header.depth - 1U);
    if (!child.ok()) return child.error();
    DiskExtentHeader child_header = HeaderOf(*child);
    if (child_header.entries > kRootEntries) return {};
    std::memcpy(root.data(), child->data(), root.size());
    child_header.max = kRootEntries;
    WriteRecord(root, child_header);
    const std::size_t used = OffsetOf(child_header.entries);
    std::fill(root.begin() + static_cast<std::ptrdiff_t>(used), root.end(), std::byte{0});
    Result<void> freed = FreeMapped(op_, volume_, inode_, {block, 1}, BlockUse::kMetadata);
    if (!freed.ok()) return freed;
  }
}

// ── The calls of block_map.h ─────────────────────────────────────────────────────────────────────

Result<Mapping> FindExtent(const OpContext& op, Volume& volume, const Inode& inode,
                           std::uint32_t logical) {
  ExtentTree tree(op, volume, const_cast<Inode&>(inode));  // Find changes nothing
  Result<ExtentTree::Position> position = tree.Find(logical);
  if (!position.ok()) return position.error();
  const Extent& extent = position->extent;
  if (position->found && logical < extent.end()) {
    const std::uint32_t into = logical - extent.block;
    return Mapping{logical, extent.count - into, extent.physical + into,
                   extent.unwritten ? BlockState::kUnwritten : BlockState::kWritten};
  }
  const std::uint64_t count = std::min<std::uint64_t>(position->next - logical, 0xffffffffU);
  return Mapping{logical, static_cast<std::uint32_t>(count), 0, BlockState::kHole};
}

Result<Mapping> AddExtent(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                          std::uint32_t wanted, const BlockRequest& request) {
  if (logical >= MaxFileBlocks(volume, inode)) return Errno::kFBig;
  Result<Mapping> hole = FindExtent(op, volume, inode, logical);
  if (!hole.ok()) return hole;
  LAMINA_CHECK(hole->state == BlockState::kHole);
  const bool unwritten = request.state == BlockState::kUnwritten;
  wanted = std::min({wanted, hole->count, unwritten ? kMaxUnwrittenLength : kMaxWrittenLength});
  wanted = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(wanted, MaxFileBlocks(volume, inode) - logical));
  Result<std::uint32_t> goal = GoalFor(op, volume, inode, logical, request);
  if (!goal.ok()) return goal.error();
  Result<BlockRun> run = volume.allocator.Take(op, *goal, wanted, request.reserve);
  if (!run.ok()) return run.error();
  if (!inode.AddBlocks(volume.geometry, run->count)) return Errno::kFBig;
  ExtentTree tree(op, volume, inode);
  Result<void> inserted =
      tree.Insert({logical, run->count, run->first, unwritten}, request.reserve);
  if (!inserted.ok()) return inserted.error();
  return Mapping{logical, run->count, run->first, request.state};
}

Result<void> ChangeState(const OpContext& op, Volume& volume, Inode& inode, std::uint32_t logical,
                         std::uint32_t count, BlockState state) {
  LAMINA_CHECK(inode.has_extents());
  const bool to_unwritten = state == BlockState::kUnwritten;
  const std::uint32_t most = to_unwritten ? kMaxUnwrittenLength : kMaxWrittenLength;
  ExtentTree tree(op, volume, inode);
  while (count > 0) {
    Result<ExtentTree::Position> position = tree.Find(logical);
    if (!position.ok()) return position.error();
    const Extent extent = position->extent;
    if (!position->found || logical >= extent.end()) return Errno::kUClean;
    if (extent.unwritten == to_unwritten) return Errno::kUClean;
    const auto rest = static_cast<std::uint32_t>(extent.end() - logical);
    const std::uint32_t length = std::min({rest, count, most});
    if (logical == extent.block && length == extent.count) {
      if (Result<void> flipped = tree.FlipWhole(logical, state); !flipped.ok()) return flipped;
    } else {
      const std::uint64_t end = std::uint64_t{logical} + length;
      if (Result<void> cut = tree.CutOut(logical, end); !cut.ok()) return cut;
      const Extent made{logical, length, extent.physical + (logical - extent.block), to_unwritten};
      if (Result<void> put = tree.Insert(made, Reserve::kUse); !put.ok()) return put;
    }
    logical += length;
    count -= length;
  }
  return {};
}

Result<std::uint64_t> RemoveExtents(const OpContext& op, Volume& volume, Inode& inode,
                                    std::uint64_t first, std::uint64_t end, BlockUse use) {
  ExtentTree tree(op, volume, inode);
  while (end > first) {
    if (volume.cache.dirty_blocks() > kLargeTransaction) return end;
    Result<ExtentTree::Position> position = tree.Find(static_cast<std::uint32_t>(end - 1));
    if (!position.ok()) return position.error();
    const Extent extent = position->extent;
    if (!position->found || extent.end() <= first) break;
    const std::uint64_t from = std::max<std::uint64_t>(first, extent.block);
    const std::uint64_t to = std::min(end, extent.end());
    end = from;
    if (from >= to) continue;
    const auto begin = static_cast<std::uint32_t>(from);
    if (Result<void> cut = tree.CutOut(begin, to); !cut.ok()) return cut.error();
    const BlockRun run{extent.physical + (begin - extent.block),
                       static_cast<std::uint32_t>(to - from)};
    Result<void> freed = FreeMapped(op, volume, inode, run, use);
    if (!freed.ok()) return freed.error();
  }
  if (Result<void> collapsed = tree.Collapse(); !collapsed.ok()) return collapsed.error();
  return first;
}

}  // namespace lamina::ext
