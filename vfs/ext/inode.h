// Inode: one inode as it lies on disk, with what the numbers in it mean; and the table of them.
//
// Threads: a plain value; the table is thread-compatible.
#ifndef LAMINA_VFS_EXT_INODE_H_
#define LAMINA_VFS_EXT_INODE_H_

#include <cstdint>

#include "lamina/ext/layout.h"
#include "lamina/fs/file_system.h"
#include "vfs/ext/allocator.h"

namespace lamina::ext {

// What a block map may use besides the cache.
struct Volume {
  Geometry geometry;
  BlockCache& cache;
  Allocator& allocator;
};

struct Inode {
  std::uint32_t number = 0;
  std::uint32_t disk_bytes = kMinInodeBytes;  // 128 or 256
  DiskInode disk{};

  // Only of an inode with a mode that means something.
  FileType type() const;
  bool is_directory() const { return (disk.mode & kModeTypeMask) == kModeDirectory; }
  bool is_regular() const { return (disk.mode & kModeTypeMask) == kModeRegular; }
  bool is_symlink() const { return (disk.mode & kModeTypeMask) == kModeSymlink; }
  bool is_device() const {
    return (disk.mode & kModeTypeMask) == kModeCharDevice ||
           (disk.mode & kModeTypeMask) == kModeBlockDevice;
  }
  bool has_map() const;  // block[] maps blocks: regular, directory, slow symlink
  bool has_extents() const { return (disk.flags & kInodeExtents) != 0; }
  bool is_fast_symlink(const Geometry& geometry) const;

  std::uint16_t mode() const { return disk.mode & kModeAll; }
  void set_mode(std::uint16_t mode);
  std::uint32_t uid() const { return disk.uid_low | std::uint32_t{disk.uid_high} << 16U; }
  std::uint32_t gid() const { return disk.gid_low | std::uint32_t{disk.gid_high} << 16U; }
  void set_uid(std::uint32_t uid);
  void set_gid(std::uint32_t gid);
  std::uint64_t size() const;
  void set_size(std::uint64_t bytes);
  // In units of 512 bytes.
  std::uint64_t sectors(const Geometry& geometry) const;
  // False when the count would be negative or does not fit.
  bool AddBlocks(const Geometry& geometry, std::int64_t blocks);

  std::uint64_t rdev() const;
  // False when the number does not fit the format: 12 bits of major, 20 of minor.
  bool set_rdev(std::uint64_t rdev);

  std::uint64_t change() const;
  void set_change(std::uint64_t change);

  // Bytes beyond 128 that are fields; 0 in an inode of 128 bytes.
  std::uint32_t extra() const { return disk_bytes > kMinInodeBytes ? disk.extra_isize : 0; }
  Instant atime() const;
  Instant mtime() const;
  Instant ctime() const;
  void set_atime(Instant time);
  void set_mtime(Instant time);
  void set_ctime(Instant time);
  void set_created(Instant time);

  // Where xattrs may lie in the inode, the magic number included; empty: nowhere.
  MutableBytes xattr_area();
  Bytes xattr_area() const;

 private:
  bool has_field(std::size_t end) const { return kMinInodeBytes + extra() >= end; }
};

NodeId NodeOf(const Inode& inode);
constexpr std::uint32_t InodeOf(NodeId node) { return static_cast<std::uint32_t>(node.value); }
constexpr std::uint32_t GenerationOf(NodeId node) {
  return static_cast<std::uint32_t>(node.value >> 32U);
}

FileType TypeOfEntry(std::uint8_t file_type);
std::uint8_t EntryTypeOf(FileType type);
std::uint16_t ModeTypeOf(FileType type);

// Errors: kUClean the number is out of range; kIo …
Result<Inode> LoadInode(const OpContext& op, Volume& volume, std::uint32_t number);
// The same, and it is in use and makes sense. Errors: kUClean; kIo …
Result<Inode> LoadLiveInode(const OpContext& op, Volume& volume, std::uint32_t number);
Result<void> StoreInode(const OpContext& op, Volume& volume, const Inode& inode);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_INODE_H_
