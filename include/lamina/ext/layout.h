// The on-disk format of ext2, ext3 and ext4: records, numbers and flags. Little endian throughout.
//
//   block 0 or 1         group 0          group 1 …
//   [boot] [superblock]  [descriptors][reserved][block bitmap][inode bitmap][inode table][data…]
//
// Source: the kernel's filesystems/ext4/*.rst ("ext4 Data Structures and Algorithms"); names follow
// it. Only what D8 supports has a name here.
//
// Threads: plain values.
#ifndef LAMINA_EXT_LAYOUT_H_
#define LAMINA_EXT_LAYOUT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lamina/base/bytes.h"
#include "lamina/base/check.h"

namespace lamina::ext {

static_assert(std::endian::native == std::endian::little, "records are copied as they lie");

// ── Superblock ───────────────────────────────────────────────────────────────────────────────────

inline constexpr std::uint64_t kSuperblockOffset = 1024;  // in bytes, whatever the block size
inline constexpr std::uint16_t kMagic = 0xEF53;
inline constexpr std::uint32_t kMinBlockBytes = 1024;
inline constexpr std::uint32_t kMaxBlockBytes = 4096;

// s_state
inline constexpr std::uint16_t kStateValid = 1;
inline constexpr std::uint16_t kStateErrors = 2;
inline constexpr std::uint16_t kStateOrphans = 4;

// s_feature_compat: whoever does not know one may write all the same.
inline constexpr std::uint32_t kCompatHasJournal = 0x4;
inline constexpr std::uint32_t kCompatExtAttr = 0x8;
inline constexpr std::uint32_t kCompatResizeInode = 0x10;
inline constexpr std::uint32_t kCompatDirIndex = 0x20;
inline constexpr std::uint32_t kCompatSparseSuper2 = 0x200;

// s_feature_incompat: whoever does not know one must not mount.
inline constexpr std::uint32_t kIncompatFileType = 0x2;
inline constexpr std::uint32_t kIncompatRecover = 0x4;  // the journal must be replayed
inline constexpr std::uint32_t kIncompatExtents = 0x40;
inline constexpr std::uint32_t kIncompatKnown =
    kIncompatFileType | kIncompatRecover | kIncompatExtents;

// s_feature_ro_compat: whoever does not know one must not write.
inline constexpr std::uint32_t kRoCompatSparseSuper = 0x1;
inline constexpr std::uint32_t kRoCompatLargeFile = 0x2;
inline constexpr std::uint32_t kRoCompatHugeFile = 0x8;
inline constexpr std::uint32_t kRoCompatDirNlink = 0x20;
inline constexpr std::uint32_t kRoCompatExtraIsize = 0x40;
inline constexpr std::uint32_t kRoCompatBigalloc = 0x200;
inline constexpr std::uint32_t kRoCompatMetadataCsum = 0x400;  // refused, even to read
inline constexpr std::uint32_t kRoCompatKnown = kRoCompatSparseSuper | kRoCompatLargeFile |
                                                kRoCompatHugeFile | kRoCompatDirNlink |
                                                kRoCompatExtraIsize;

struct DiskSuperblock {
  std::uint32_t inodes_count;
  std::uint32_t blocks_count;
  std::uint32_t reserved_blocks_count;
  std::uint32_t free_blocks_count;
  std::uint32_t free_inodes_count;
  std::uint32_t first_data_block;  // 1 with blocks of 1 KiB, else 0
  std::uint32_t log_block_size;    // 1024 << this
  std::uint32_t log_cluster_size;
  std::uint32_t blocks_per_group;
  std::uint32_t clusters_per_group;
  std::uint32_t inodes_per_group;
  std::uint32_t mount_time;
  std::uint32_t write_time;
  std::uint16_t mount_count;
  std::uint16_t max_mount_count;
  std::uint16_t magic;
  std::uint16_t state;
  std::uint16_t errors;
  std::uint16_t minor_revision;
  std::uint32_t last_check;
  std::uint32_t check_interval;
  std::uint32_t creator_os;
  std::uint32_t revision;  // 0: inodes of 128 bytes, no features
  std::uint16_t default_reserved_uid;
  std::uint16_t default_reserved_gid;
  std::uint32_t first_inode;
  std::uint16_t inode_size;
  std::uint16_t block_group;  // of this copy
  std::uint32_t feature_compat;
  std::uint32_t feature_incompat;
  std::uint32_t feature_ro_compat;
  std::array<std::uint8_t, 16> uuid;
  std::array<char, 16> volume_name;
  std::array<char, 64> last_mounted;
  std::uint32_t algorithm_usage;
  std::uint8_t prealloc_blocks;
  std::uint8_t prealloc_dir_blocks;
  std::uint16_t reserved_gdt_blocks;
  std::array<std::uint8_t, 16> journal_uuid;
  std::uint32_t journal_inode;
  std::uint32_t journal_device;
  std::uint32_t last_orphan;  // head of the orphan list
  std::array<std::uint32_t, 4> hash_seed;
  std::uint8_t default_hash_version;
  std::uint8_t journal_backup_type;  // 1: journal_blocks holds the journal inode's map and size
  std::uint16_t descriptor_size;
  std::uint32_t default_mount_options;
  std::uint32_t first_meta_group;
  std::uint32_t created_time;
  std::array<std::uint32_t, 17> journal_blocks;
  std::uint32_t blocks_count_high;
  std::uint32_t reserved_blocks_count_high;
  std::uint32_t free_blocks_count_high;
  std::uint16_t min_extra_isize;
  std::uint16_t want_extra_isize;
  std::uint32_t flags;
  std::array<std::uint8_t, 0x174 - 0x164> unused_here;
  std::uint8_t log_groups_per_flex;
  std::array<std::uint8_t, 0x240 - 0x175> unused_there;
  std::array<std::uint32_t, 2> quota_inodes;  // of users, of groups
  std::uint32_t overhead_blocks;
  std::array<std::uint32_t, 2> backup_groups;  // sparse_super2
  std::array<std::uint8_t, 1024 - 0x254> unused_at_end;
};
static_assert(sizeof(DiskSuperblock) == 1024);
static_assert(offsetof(DiskSuperblock, magic) == 0x38);
static_assert(offsetof(DiskSuperblock, feature_compat) == 0x5c);
static_assert(offsetof(DiskSuperblock, last_orphan) == 0xe8);
static_assert(offsetof(DiskSuperblock, journal_blocks) == 0x10c);
static_assert(offsetof(DiskSuperblock, flags) == 0x160);
static_assert(offsetof(DiskSuperblock, backup_groups) == 0x24c);

inline constexpr std::uint32_t kFlagSignedHash = 1;  // s_flags
inline constexpr std::uint32_t kFlagUnsignedHash = 2;

// ── Groups ───────────────────────────────────────────────────────────────────────────────────────

struct DiskGroup {
  std::uint32_t block_bitmap;
  std::uint32_t inode_bitmap;
  std::uint32_t inode_table;
  std::uint16_t free_blocks_count;
  std::uint16_t free_inodes_count;
  std::uint16_t used_dirs_count;
  std::uint16_t flags;
  std::array<std::uint8_t, 8> unused_here;
  std::uint16_t unused_inodes_count;
  std::uint16_t checksum;
};
static_assert(sizeof(DiskGroup) == 32);

// ── Inodes ───────────────────────────────────────────────────────────────────────────────────────

inline constexpr std::uint32_t kRootInode = 2;
inline constexpr std::uint32_t kResizeInode = 7;
inline constexpr std::uint32_t kJournalInode = 8;
inline constexpr std::uint32_t kFirstInodeOfRevision0 = 11;
inline constexpr std::uint32_t kMinInodeBytes = 128;
inline constexpr std::uint32_t kMaxInodeBytes = 256;

// i_mode: type in the high four bits.
inline constexpr std::uint16_t kModeTypeMask = 0xf000;
inline constexpr std::uint16_t kModeFifo = 0x1000;
inline constexpr std::uint16_t kModeCharDevice = 0x2000;
inline constexpr std::uint16_t kModeDirectory = 0x4000;
inline constexpr std::uint16_t kModeBlockDevice = 0x6000;
inline constexpr std::uint16_t kModeRegular = 0x8000;
inline constexpr std::uint16_t kModeSymlink = 0xa000;
inline constexpr std::uint16_t kModeSocket = 0xc000;

// i_flags
inline constexpr std::uint32_t kInodeImmutable = 0x10;
inline constexpr std::uint32_t kInodeAppendOnly = 0x20;
inline constexpr std::uint32_t kInodeEncrypt = 0x800;
inline constexpr std::uint32_t kInodeIndex = 0x1000;      // a hashed directory
inline constexpr std::uint32_t kInodeHugeFile = 0x40000;  // i_blocks counts file-system blocks
inline constexpr std::uint32_t kInodeExtents = 0x80000;
inline constexpr std::uint32_t kInodeVerity = 0x100000;
inline constexpr std::uint32_t kInodeEaInode = 0x200000;
inline constexpr std::uint32_t kInodeInlineData = 0x10000000;
inline constexpr std::uint32_t kInodeCaseFold = 0x40000000;

inline constexpr std::uint32_t kDirectBlocks = 12;
inline constexpr std::uint32_t kIndirectSlot = 12;
inline constexpr std::uint32_t kDoubleSlot = 13;
inline constexpr std::uint32_t kTripleSlot = 14;
inline constexpr std::uint32_t kBlockSlots = 15;
inline constexpr std::uint32_t kFastSymlinkBytes = 60;  // a target is shorter than this
inline constexpr std::uint32_t kMaxLinks = 65000;

struct DiskInode {
  std::uint16_t mode;
  std::uint16_t uid_low;
  std::uint32_t size_low;
  std::uint32_t atime;
  std::uint32_t ctime;
  std::uint32_t mtime;
  std::uint32_t dtime;  // of a deleted inode; the next of the orphan list
  std::uint16_t gid_low;
  std::uint16_t links_count;
  std::uint32_t blocks_low;  // units of 512 bytes, see kInodeHugeFile
  std::uint32_t flags;
  std::uint32_t version_low;
  std::array<std::uint32_t, kBlockSlots> block;
  std::uint32_t generation;
  std::uint32_t xattr_block;
  std::uint32_t size_high;
  std::uint32_t fragment;
  std::uint16_t blocks_high;
  std::uint16_t xattr_block_high;
  std::uint16_t uid_high;
  std::uint16_t gid_high;
  std::uint16_t checksum_low;
  std::uint16_t reserved;
  // Beyond 128 bytes, as far as extra_isize says.
  std::uint16_t extra_isize;
  std::uint16_t checksum_high;
  std::uint32_t ctime_extra;
  std::uint32_t mtime_extra;
  std::uint32_t atime_extra;
  std::uint32_t created_time;
  std::uint32_t created_time_extra;
  std::uint32_t version_high;
  std::uint32_t project;
  std::array<std::uint8_t, 96> xattrs;  // where in-inode xattrs lie depends on extra_isize
};
static_assert(sizeof(DiskInode) == kMaxInodeBytes);
static_assert(offsetof(DiskInode, block) == 0x28);
static_assert(offsetof(DiskInode, extra_isize) == kMinInodeBytes);
static_assert(offsetof(DiskInode, xattrs) == 160);

inline constexpr std::uint16_t kWantExtraIsize = 32;  // up to and including `project`

// ── Extents ──────────────────────────────────────────────────────────────────────────────────────

inline constexpr std::uint16_t kExtentMagic = 0xf30a;
inline constexpr std::uint16_t kMaxExtentDepth = 5;
inline constexpr std::uint32_t kMaxWrittenLength = 32768;    // ee_len up to here: data
inline constexpr std::uint32_t kMaxUnwrittenLength = 32767;  // above: unwritten, minus 32768

struct DiskExtentHeader {
  std::uint16_t magic;
  std::uint16_t entries;
  std::uint16_t max;
  std::uint16_t depth;  // 0: extents follow, else indexes
  std::uint32_t generation;
};
struct DiskExtentIndex {
  std::uint32_t block;
  std::uint32_t leaf_low;
  std::uint16_t leaf_high;
  std::uint16_t unused;
};
struct DiskExtent {
  std::uint32_t block;
  std::uint16_t length;
  std::uint16_t start_high;
  std::uint32_t start_low;
};
static_assert(sizeof(DiskExtentHeader) == 12);
static_assert(sizeof(DiskExtentIndex) == 12);
static_assert(sizeof(DiskExtent) == 12);

// ── Directories ──────────────────────────────────────────────────────────────────────────────────

inline constexpr std::uint32_t kMaxNameBytes = 255;

// The name follows the record, padded to four bytes.
struct DiskEntry {
  std::uint32_t inode;  // 0: unused
  std::uint16_t record_length;
  std::uint8_t name_length;
  std::uint8_t file_type;  // with the feature filetype, else 0
};
static_assert(sizeof(DiskEntry) == 8);

constexpr std::uint32_t EntryBytes(std::uint32_t name_length) {
  return (static_cast<std::uint32_t>(sizeof(DiskEntry)) + name_length + 3U) & ~3U;
}

// file_type
inline constexpr std::uint8_t kEntryUnknown = 0;
inline constexpr std::uint8_t kEntryRegular = 1;
inline constexpr std::uint8_t kEntryDirectory = 2;
inline constexpr std::uint8_t kEntryCharDevice = 3;
inline constexpr std::uint8_t kEntryBlockDevice = 4;
inline constexpr std::uint8_t kEntryFifo = 5;
inline constexpr std::uint8_t kEntrySocket = 6;
inline constexpr std::uint8_t kEntrySymlink = 7;

// ── Extended attributes ──────────────────────────────────────────────────────────────────────────

inline constexpr std::uint32_t kXattrMagic = 0xea020000;
inline constexpr std::uint32_t kMaxXattrReferences = 1024;

// In-inode: the magic number alone, and values count from the first entry. In a block: this record,
// and values count from the start of the block.
struct DiskXattrHeader {
  std::uint32_t magic;
  std::uint32_t references;
  std::uint32_t blocks;
  std::uint32_t hash;
  std::uint32_t checksum;
  std::array<std::uint32_t, 3> unused;
};
// The name follows, padded to four bytes; four zero bytes end the list.
struct DiskXattrEntry {
  std::uint8_t name_length;
  std::uint8_t name_index;
  std::uint16_t value_offset;
  std::uint32_t value_inode;
  std::uint32_t value_size;
  std::uint32_t hash;
};
static_assert(sizeof(DiskXattrHeader) == 32);
static_assert(sizeof(DiskXattrEntry) == 16);

constexpr std::uint32_t XattrEntryBytes(std::uint32_t name_length) {
  return (static_cast<std::uint32_t>(sizeof(DiskXattrEntry)) + name_length + 3U) & ~3U;
}

// e_name_index
inline constexpr std::uint8_t kXattrUser = 1;
inline constexpr std::uint8_t kXattrAccessAcl = 2;
inline constexpr std::uint8_t kXattrDefaultAcl = 3;
inline constexpr std::uint8_t kXattrTrusted = 4;
inline constexpr std::uint8_t kXattrSecurity = 6;

// An ACL value on disk: version 1, then entries; only kUser and kGroup carry an id.
inline constexpr std::uint32_t kAclVersion = 1;

// ── Copying records ──────────────────────────────────────────────────────────────────────────────

template <typename Record>
Record ReadRecord(Bytes from, std::size_t offset = 0) {
  LAMINA_CHECK(offset <= from.size());
  LAMINA_CHECK(sizeof(Record) <= from.size() - offset);
  Record record;
  std::memcpy(&record, from.data() + offset, sizeof(Record));
  return record;
}

template <typename Record>
void WriteRecord(MutableBytes into, const Record& record, std::size_t offset = 0) {
  LAMINA_CHECK(offset <= into.size());
  LAMINA_CHECK(sizeof(Record) <= into.size() - offset);
  std::memcpy(into.data() + offset, &record, sizeof(Record));
}

// Has group `group` a copy of the superblock and the descriptors? (sparse_super: groups 0, 1 and
// the powers of 3, 5 and 7.)
constexpr bool IsPowerOf(std::uint32_t base, std::uint32_t number) {
  while (number > 1 && number % base == 0) number /= base;
  return number == 1;
}
constexpr bool HasSuperblock(const DiskSuperblock& super, std::uint32_t group) {
  if (group == 0) return true;
  if ((super.feature_compat & kCompatSparseSuper2) != 0) {
    return group == super.backup_groups[0] || group == super.backup_groups[1];
  }
  if ((super.feature_ro_compat & kRoCompatSparseSuper) == 0) return true;
  return IsPowerOf(3, group) || IsPowerOf(5, group) || IsPowerOf(7, group);
}

}  // namespace lamina::ext
#endif  // LAMINA_EXT_LAYOUT_H_
