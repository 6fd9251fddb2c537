// ExtentTree: the extent tree of one inode, for the length of one call.
//
//   root (in the inode, 4 entries) ─ index … ─ leaf ─ extents, ascending
//
// An index carries the first file block of its child. Nodes split on insertion and go when empty;
// a root with one child that would fit in the inode takes its entries back.
//
// Source: the kernel's filesystems/ext4/ifork.rst. Threads: as the cache.
#ifndef LAMINA_VFS_EXT_EXTENT_TREE_H_
#define LAMINA_VFS_EXT_EXTENT_TREE_H_

#include <array>
#include <cstdint>

#include "vfs/ext/block_map.h"

namespace lamina::ext {

// An extent with its numbers put together.
struct Extent {
  std::uint32_t block = 0;
  std::uint32_t count = 0;
  std::uint32_t physical = 0;
  bool unwritten = false;

  std::uint64_t end() const { return std::uint64_t{block} + count; }
};

class ExtentTree {
 public:
  ExtentTree(const OpContext& op, Volume& volume, Inode& inode)
      : op_(op), volume_(volume), inode_(inode) {}

  struct Position {
    bool found = false;  // `extent` begins at or before the block
    Extent extent;
    std::uint64_t next = 0;  // where the extent after that begins
  };
  Result<Position> Find(std::uint32_t logical);

  // Must not overlap another one. Merges it with its neighbours where that is possible.
  Result<void> Insert(const Extent& extent, Reserve reserve);
  // Takes [first, end), which lies in one extent, out of the tree; frees nothing that it maps.
  Result<void> CutOut(std::uint32_t first, std::uint64_t end);
  // The whole extent that begins here becomes written or unwritten; it must not be too long.
  Result<void> FlipWhole(std::uint32_t block, BlockState state);
  // Fewer levels, when the root has one child that fits in it.
  Result<void> Collapse();

 private:
  struct Level {
    std::uint32_t block = 0;  // 0: the root
    std::uint32_t entries = 0;
    std::uint32_t max = 0;
    int position = -1;  // the entry that begins at or before the block; -1: none
  };
  struct Path {
    std::array<Level, kMaxExtentDepth + 1> levels;
    unsigned depth = 0;
    std::uint64_t next = 0;
    Level& leaf() { return levels[depth]; }
  };

  Result<Path> Walk(std::uint32_t logical);
  Result<Bytes> ReadNode(std::uint32_t block, unsigned depth);
  Result<MutableBytes> EditNode(std::uint32_t block);
  bool IsSane(Bytes node, unsigned depth, std::uint32_t capacity) const;
  Result<void> SetKeys(Path& path, unsigned level, std::uint32_t key);
  Result<void> InsertEntry(Path& path, unsigned level, std::uint32_t index, Bytes entry);
  Result<void> RemoveEntry(Path& path, unsigned level);
  Result<bool> MergeInLeaf(Path& path, const Extent& extent);
  Result<void> MakeRoom(Path& path, Reserve reserve);
  Result<void> GrowRoot(Reserve reserve);
  Result<void> SplitNode(Path& path, unsigned level, Reserve reserve);

  const OpContext& op_;
  Volume& volume_;
  Inode& inode_;
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_EXTENT_TREE_H_
