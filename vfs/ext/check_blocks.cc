// The blocks of one inode, through its block map or its extents. A block is claimed once, so a map
// that goes in circles ends.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

std::uint32_t SlotAt(Bytes block, std::size_t index) {
  return ReadRecord<std::uint32_t>(block, index * sizeof(std::uint32_t));
}

}  // namespace

void ImageCheck::WalkBlocks(const DiskInode& inode, Walk& walk) {
  if ((inode.flags & kInodeExtents) != 0) {
    WalkExtents(inode, walk);
  } else {
    WalkBlockMap(inode, walk);
  }
}

bool ImageCheck::Claim(std::uint32_t block, Walk& walk) {
  if (!InRange(block)) {
    if (walk.purpose != Purpose::kLook)
      Error(Kind::kBlockRange, absl::StrFormat("names block %d, which does not exist", block),
            walk.inode);
    return false;
  }
  ++walk.blocks;
  if (walk.purpose == Purpose::kLook) return walk.blocks <= kMaxLooks;
  if (walk.purpose == Purpose::kCount) return true;
  if (used_blocks_[block]) {
    Error(Kind::kSharedBlock,
          metadata_[block] ? "claims a block of the file system's own"
                           : "claims a block that is in use already",
          walk.inode, block);
    return false;
  }
  used_blocks_[block] = true;
  return true;
}

void ImageCheck::TakeData(std::uint64_t logical, std::uint32_t physical, Walk& walk) {
  walk.last = std::max(walk.last, static_cast<std::int64_t>(logical));
  walk.last_written = std::max(walk.last_written, static_cast<std::int64_t>(logical));
  if (!Claim(physical, walk)) return;
  if (walk.keeps_list) walk.list.emplace_back(static_cast<std::uint32_t>(logical), physical);
}

void ImageCheck::WalkBlockMap(const DiskInode& inode, Walk& walk) {
  for (std::uint32_t i = 0; i < kDirectBlocks; ++i) {
    if (inode.block[i] != 0) TakeData(i, inode.block[i], walk);
  }
  std::uint64_t logical = kDirectBlocks;
  std::uint64_t span = block_bytes_ / 4;
  for (int level = 1; level <= 3; ++level) {
    const std::uint32_t block = inode.block[kIndirectSlot + level - 1];
    if (block != 0) WalkIndirect(block, level, logical, walk);
    logical += span;
    span *= block_bytes_ / 4;
  }
}

// At most three levels deep.
void ImageCheck::WalkIndirect(std::uint32_t block, int level, std::uint64_t logical, Walk& walk) {
  if (!Claim(block, walk)) return;
  const std::vector<std::byte> slots = ReadBlock(block);
  const std::uint32_t count = block_bytes_ / 4;
  std::uint64_t span = 1;
  for (int i = 1; i < level; ++i) span *= count;
  for (std::uint32_t i = 0; i < count; ++i, logical += span) {
    const std::uint32_t slot = SlotAt(slots, i);
    if (slot == 0) continue;
    if (level == 1) {
      TakeData(logical, slot, walk);
    } else {
      WalkIndirect(slot, level - 1, logical, walk);
    }
    if (walk.purpose == Purpose::kLook && walk.blocks > kMaxLooks) return;
  }
}

void ImageCheck::WalkExtents(const DiskInode& inode, Walk& walk) {
  const Bytes root = std::as_bytes(std::span(inode.block));
  const auto header = ReadRecord<DiskExtentHeader>(root);
  if (header.magic == kExtentMagic && header.depth > kMaxExtentDepth) {
    Error(Kind::kBlockMap, absl::StrFormat("an extent tree of depth %d", header.depth), walk.inode);
    return;
  }
  WalkExtentNode(root, header.depth, 0, std::uint64_t{1} << 32, walk);
}

// At most kMaxExtentDepth levels deep. `begin`..`end`: the logical blocks this node may speak of.
void ImageCheck::WalkExtentNode(Bytes node, int depth, std::uint64_t begin, std::uint64_t end,
                                Walk& walk) {
  const auto header = ReadRecord<DiskExtentHeader>(node);
  const std::size_t room = (node.size() - sizeof(DiskExtentHeader)) / sizeof(DiskExtent);
  // Two entries fewer than fit are allowed: room for a checksum.
  const bool is_right = header.magic == kExtentMagic && header.max <= room &&
                        header.max + 2u >= room && header.entries <= header.max;
  if (!is_right) {
    Error(Kind::kBlockMap, "a node of its extent tree has a header that cannot be", walk.inode);
    return;
  }
  if (header.depth != depth) {  // e2fsck goes by the root; the kernel does not read it
    Note(Kind::kBlockMap,
         absl::StrFormat("a node of its extent tree says depth %d, found %d", header.depth, depth),
         walk.inode);
  }
  const bool is_root = node.size() < kMinBlockBytes;
  if (header.entries == 0 && !is_root)
    Error(Kind::kBlockMap, "an empty node in its extent tree", walk.inode);
  for (std::size_t i = 0; i < header.entries; ++i) {
    const std::size_t at = sizeof(DiskExtentHeader) + i * sizeof(DiskExtent);
    if (depth == 0) {
      const auto extent = ReadRecord<DiskExtent>(node, at);
      TakeExtent(extent, begin, end, walk);
      begin = std::max<std::uint64_t>(begin, extent.block + 1ull);
      continue;
    }
    const auto index = ReadRecord<DiskExtentIndex>(node, at);
    std::uint64_t next = end;
    if (i + 1 < header.entries) {
      next = ReadRecord<DiskExtentIndex>(node, at + sizeof(DiskExtentIndex)).block;
    }
    if (index.block < begin || next <= index.block || next > end) {
      Error(Kind::kBlockMap,
            absl::StrFormat("its extent tree is out of order at block %d", index.block),
            walk.inode);
      continue;
    }
    if (index.leaf_high != 0) {
      Error(Kind::kBlockMap, "names a block past 2^32 in its extent tree", walk.inode);
      continue;
    }
    if (!Claim(index.leaf_low, walk)) continue;
    const std::vector<std::byte> child = ReadBlock(index.leaf_low);
    // Index and first extent may differ when what stood first was removed; e2fsck wants them equal.
    const auto first = ReadRecord<std::uint32_t>(child, sizeof(DiskExtentHeader));
    const auto child_header = ReadRecord<DiskExtentHeader>(child);
    if (child_header.entries != 0 && child_header.magic == kExtentMagic && first != index.block) {
      Error(Kind::kBlockMap,
            absl::StrFormat("an index of its extent tree says %d, the node begins with %d",
                            index.block, first),
            walk.inode);
    }
    WalkExtentNode(child, depth - 1, index.block, next, walk);
    begin = index.block + 1ull;
  }
}

void ImageCheck::TakeExtent(const DiskExtent& extent, std::uint64_t begin, std::uint64_t end,
                            Walk& walk) {
  const bool is_written = extent.length <= kMaxWrittenLength;
  const std::uint32_t length = is_written ? extent.length : extent.length - kMaxWrittenLength;
  const std::uint64_t logical_end = std::uint64_t{extent.block} + length;
  if (length == 0) {
    Error(Kind::kBlockMap, absl::StrFormat("an extent of no length at block %d", extent.block),
          walk.inode);
    return;
  }
  const std::uint64_t previous_end = static_cast<std::uint64_t>(walk.last + 1);
  if (extent.block < std::max(begin, previous_end) || logical_end > end) {
    Error(Kind::kBlockMap,
          absl::StrFormat("its extents are out of order at block %d", extent.block), walk.inode);
    return;
  }
  const std::uint64_t physical_end = std::uint64_t{extent.start_low} + length;
  if (extent.start_high != 0 || !InRange(extent.start_low) || !InRange(physical_end - 1)) {
    Error(Kind::kBlockRange,
          absl::StrFormat("an extent of %d blocks from %d, which do not exist", length,
                          extent.start_low),
          walk.inode);
    return;
  }
  walk.last = static_cast<std::int64_t>(logical_end) - 1;
  if (is_written) walk.last_written = walk.last;
  for (std::uint32_t i = 0; i < length; ++i) {
    if (!Claim(extent.start_low + i, walk)) {
      walk.blocks += length - i - 1;
      return;
    }
    if (walk.keeps_list && is_written) {
      walk.list.emplace_back(extent.block + i, extent.start_low + i);
    }
  }
}

}  // namespace lamina::internal
