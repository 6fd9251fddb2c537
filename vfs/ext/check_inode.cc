// Every inode: its fields, its blocks against its size and sector count.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

constexpr std::uint32_t kInodeMagic = 0x2000;
constexpr std::uint32_t kCompatMagic = 0x2;
constexpr std::uint32_t kBadBlocksInode = 1;
constexpr std::uint32_t kUserQuotaInode = 3;
constexpr std::uint32_t kGroupQuotaInode = 4;
constexpr std::uint32_t kBootLoaderInode = 5;

std::uint16_t TypeOf(const DiskInode& inode) { return inode.mode & kModeTypeMask; }

bool IsKnownType(std::uint16_t type) {
  return type == kModeRegular || type == kModeDirectory || type == kModeSymlink ||
         type == kModeCharDevice || type == kModeBlockDevice || type == kModeFifo ||
         type == kModeSocket;
}

bool IsSpecial(std::uint16_t type) {
  return type == kModeCharDevice || type == kModeBlockDevice || type == kModeFifo ||
         type == kModeSocket;
}

std::uint64_t SizeOf(const DiskInode& inode) {
  return std::uint64_t{inode.size_high} << 32 | inode.size_low;
}

bool IsFastSymlink(const DiskInode& inode) {
  return TypeOf(inode) == kModeSymlink && SizeOf(inode) < kFastSymlinkBytes;
}

// The length of a file that direct, indirect, double and triple indirect blocks reach, as the
// kernel's ext4_max_bitmap_size: the sector count must fit in 32 bits too.
std::uint64_t MaxBlockMapBytes(std::uint32_t block_bytes) {
  const std::uint64_t slots = block_bytes / 4;
  const std::uint64_t blocks = kDirectBlocks + slots + slots * slots + slots * slots * slots;
  return blocks * block_bytes;
}

}  // namespace

void ImageCheck::CheckInodes() {
  const std::uint32_t per_block = block_bytes_ / inode_bytes_;
  for (std::uint32_t group = 0; group < group_count_; ++group) {
    for (std::uint32_t block = 0; block < table_blocks_; ++block) {
      std::vector<std::byte> bytes = ReadBlock(groups_[group].inode_table + block);
      bytes.resize(bytes.size() + kMinInodeBytes);  // an inode of 128 bytes has no second half
      for (std::uint32_t i = 0; i < per_block; ++i) {
        const std::uint32_t index = block * per_block + i;
        if (index >= super_.inodes_per_group) break;
        DiskInode inode = ReadRecord<DiskInode>(bytes, std::size_t{i} * inode_bytes_);
        if (inode_bytes_ == kMinInodeBytes) inode.extra_isize = 0;
        CheckInode(group * super_.inodes_per_group + index + 1, inode);
      }
    }
  }
}

// False: a time of deletion cannot be told from a number of an inode.
bool ImageCheck::HasRealTimes() const {
  const auto is_real = [&](std::uint32_t time) { return time == 0 || time >= super_.inodes_count; };
  return is_real(super_.write_time) && is_real(super_.mount_time) && is_real(super_.created_time);
}

void ImageCheck::CheckInode(std::uint32_t number, const DiskInode& inode) {
  const bool is_orphan = orphans_.contains(number);
  if (!is_orphan && inode.dtime != 0 && inode.dtime < super_.inodes_count && HasRealTimes()) {
    Error(Kind::kOrphan, "was part of an orphan list that is broken", number);
  }
  if ((inode.flags & kInodeCaseFold) != 0 && (inode.links_count != 0 || IsReserved(number))) {
    Error(Kind::kInode, "has the casefold flag without the feature", number);
  }
  if (IsReserved(number) && number != kRootInode) return CheckReservedInode(number, inode);
  if (inode.links_count == 0 && !is_orphan) {
    if (inode.mode != 0 && inode.dtime == 0)
      Error(Kind::kInode, "deleted without a time of deletion", number);
    if (number == kRootInode) Error(Kind::kInode, "there is no root directory", number);
    return;
  }
  if (inode.dtime != 0 && !is_orphan)
    Error(Kind::kInode, "in use, with a time of deletion", number);
  inodes_[number] = {.mode = inode.mode, .links = inode.links_count};
  if (!CheckInodeFields(number, inode)) return;
  CheckExtraFields(number, inode);
  if (IsSpecial(TypeOf(inode))) CheckSpecialFile(number, inode);
  CheckBlocksOf(number, inode);
}

void ImageCheck::CheckReservedInode(std::uint32_t number, const DiskInode& inode) {
  if (number == kResizeInode && HasCompat(kCompatResizeInode)) return;  // CheckResizeInode
  if (number == kBadBlocksInode) return CheckBadBlocks(inode);
  if (number == super_.journal_inode && HasCompat(kCompatHasJournal)) {
    CheckBlocksOf(number, inode);
    return;
  }
  const bool has_blocks = std::any_of(inode.block.begin(), inode.block.end(),
                                      [](std::uint32_t block) { return block != 0; });
  if (number == kResizeInode && has_blocks) {
    Error(Kind::kResizeInode, "maps blocks without resize_inode", number);
  }
  if (number == kJournalInode || number == kUserQuotaInode || number == kGroupQuotaInode) {
    const bool is_clear = inode.links_count == 0 && inode.blocks_low == 0 && inode.block[0] == 0;
    if (!is_clear) Error(Kind::kInode, "in use without the feature it is for", number);
    return;
  }
  const bool may_be_file = number == kBootLoaderInode && TypeOf(inode) != kModeDirectory;
  if (inode.mode != 0 && !may_be_file) {
    Error(Kind::kInode, absl::StrFormat("reserved, with mode %06o", inode.mode), number);
  }
  CheckBlocksOf(number, inode);
}

void ImageCheck::CheckBadBlocks(const DiskInode& inode) {
  const bool is_bare = inode.mode == 0 && inode.uid_low == 0 && inode.gid_low == 0 &&
                       inode.links_count == 0 && inode.xattr_block == 0;
  if (!is_bare) Error(Kind::kInode, "the list of bad blocks is a file", kBadBlocksInode);
  Walk walk{.inode = kBadBlocksInode};
  WalkBlocks(inode, walk);
}

// False: nothing more can be said of it.
bool ImageCheck::CheckInodeFields(std::uint32_t number, const DiskInode& inode) {
  const std::uint16_t type = TypeOf(inode);
  if (!IsKnownType(type)) {
    Error(Kind::kInode, absl::StrFormat("mode %06o is no type of file", inode.mode), number);
    return false;
  }
  if (number == kRootInode && type != kModeDirectory)
    Error(Kind::kInode, "root is not a directory", number);
  if (inode.fragment != 0) Error(Kind::kInode, "a fragment address", number);
  if (inode.xattr_block_high != 0) Error(Kind::kInode, "an attribute block past 2^32", number);
  if (inode.blocks_high != 0 && !Has(kRoCompatHugeFile)) {
    Error(Kind::kInode, "a sector count past 2^32 without huge_file", number);
  }
  if ((inode.flags & kInodeHugeFile) != 0 && !Has(kRoCompatHugeFile)) {
    Note(Kind::kInode, "counts blocks without huge_file", number);
  }
  if (type != kModeRegular && inode.size_high != 0) Error(Kind::kInode, "a size past 2^32", number);
  if ((inode.flags & kInodeExtents) != 0 && !HasIncompat(kIncompatExtents)) {
    Error(Kind::kInode, "has extents without the feature extent", number);
    return false;
  }
  if ((inode.flags & kInodeMagic) != 0 && !HasCompat(kCompatMagic)) {
    Error(Kind::kInode, "has the imagic flag without the feature", number);
  }
  if ((inode.flags & kInodeEncrypt) != 0) {
    Error(Kind::kInode, "has the encrypt flag without the feature", number);
  }
  for (const auto& [flag, name] : {std::pair{kInodeInlineData, "inline data"},
                                   std::pair{kInodeEaInode, "an attribute value"}}) {
    if ((inode.flags & flag) == 0) continue;
    Error(Kind::kInode, absl::StrFormat("holds %s without the feature", name), number);
    return false;
  }
  return true;
}

void ImageCheck::CheckExtraFields(std::uint32_t number, const DiskInode& inode) {
  if (inode_bytes_ == kMinInodeBytes || inode.extra_isize == 0) return;
  const std::uint32_t room = inode_bytes_ - kMinInodeBytes;
  if (inode.extra_isize < 4 || inode.extra_isize > room || inode.extra_isize % 4 != 0) {
    Error(Kind::kInode, absl::StrFormat("extra_isize is %d", inode.extra_isize), number);
    return;
  }
  CheckInodeXattrs(number, inode);
  if (inode.extra_isize < offsetof(DiskInode, version_high) - kMinInodeBytes) return;
  for (const std::uint32_t extra :
       {inode.ctime_extra, inode.mtime_extra, inode.atime_extra, inode.created_time_extra}) {
    if (extra >> 2 >= 1'000'000'000)
      Note(Kind::kInode, "a time with a second of nanoseconds or more", number);
  }
}

void ImageCheck::CheckSpecialFile(std::uint32_t number, const DiskInode& inode) {
  if (SizeOf(inode) != 0) Error(Kind::kInode, "a device, FIFO or socket with a size", number);
  if ((inode.flags & (kInodeExtents | kInodeIndex)) != 0) {
    Error(Kind::kInode, "a device, FIFO or socket with extents or an index", number);
  }
  if ((inode.flags & (kInodeImmutable | kInodeAppendOnly)) != 0) {
    Error(Kind::kInode, "a device, FIFO or socket that is immutable or append-only", number);
  }
}

void ImageCheck::CheckSymlink(std::uint32_t number, const DiskInode& inode) {
  const std::uint64_t size = SizeOf(inode);
  if (size == 0) return Error(Kind::kSymlink, "a symbolic link without a target", number);
  if ((inode.flags & (kInodeImmutable | kInodeAppendOnly)) != 0) {
    Error(Kind::kSymlink, "a symbolic link that is immutable or append-only", number);
  }
  std::vector<std::byte> target;
  if (IsFastSymlink(inode)) {
    if ((inode.flags & kInodeExtents) != 0)
      return Error(Kind::kSymlink, "a short link with extents", number);
    const Bytes slots = std::as_bytes(std::span(inode.block));
    target.assign(slots.begin(), slots.end());
  } else {
    Walk walk{.inode = number, .keeps_list = true, .purpose = Purpose::kLook};
    WalkBlocks(inode, walk);
    if (walk.list.size() != 1 || walk.list[0].first != 0 || walk.last != 0) {
      return Error(Kind::kSymlink, "a symbolic link that is not one block", number);
    }
    target = ReadBlock(walk.list[0].second);
  }
  const auto end = std::find(target.begin(), target.end(), std::byte{});
  if (end == target.end() || static_cast<std::uint64_t>(end - target.begin()) != size) {
    Error(Kind::kSymlink,
          absl::StrFormat("a symbolic link of %d bytes whose target has another length", size),
          number);
  }
}

// Does block[] map anything? Devices keep their number there, short links their target.
bool ImageCheck::HasBlocks(const DiskInode& inode) const {
  return IsKnownType(TypeOf(inode)) && !IsSpecial(TypeOf(inode)) && !IsFastSymlink(inode);
}

void ImageCheck::CheckIndexFlag(std::uint32_t number, const DiskInode& inode) {
  if ((inode.flags & kInodeIndex) == 0) return;
  if (TypeOf(inode) != kModeDirectory) {
    Error(Kind::kIndex, "has the index flag and is not a directory", number);
  }
  if (!HasCompat(kCompatDirIndex)) {
    Error(Kind::kIndex, "has the index flag without dir_index", number);
  }
}

void ImageCheck::CheckBlocksOf(std::uint32_t number, const DiskInode& inode) {
  const bool is_directory = TypeOf(inode) == kModeDirectory;
  CheckIndexFlag(number, inode);
  Walk walk{.inode = number, .keeps_list = is_directory};
  if (HasBlocks(inode)) WalkBlocks(inode, walk);
  CheckSectorCount(number, inode, walk.blocks + CheckXattrBlock(number, inode));
  if (TypeOf(inode) != kModeSymlink) CheckSize(number, inode, walk);
  if (TypeOf(inode) == kModeSymlink) CheckSymlink(number, inode);
  if (is_directory) TakeDirectory(number, inode, walk);
}

void ImageCheck::CheckSectorCount(std::uint32_t number, const DiskInode& inode,
                                  std::uint64_t blocks) {
  const bool counts_blocks = (inode.flags & kInodeHugeFile) != 0 && Has(kRoCompatHugeFile);
  const std::uint64_t expected = counts_blocks ? blocks : blocks * (block_bytes_ / kSectorBytes);
  const std::uint64_t high = Has(kRoCompatHugeFile) ? inode.blocks_high : 0;
  const std::uint64_t says = high << 32 | inode.blocks_low;
  if (says == expected) return;
  Error(Kind::kSectorCount, absl::StrFormat("its sector count is %d, found %d", says, expected),
        number);
}

void ImageCheck::CheckSize(std::uint32_t number, const DiskInode& inode, const Walk& walk) {
  const std::uint64_t size = SizeOf(inode);
  const std::uint64_t found = static_cast<std::uint64_t>(walk.last + 1);
  const auto wrong = [&] {
    Error(Kind::kSize,
          absl::StrFormat("its size is %d bytes, its blocks end at %d", size, found * block_bytes_),
          number);
  };
  if (TypeOf(inode) == kModeDirectory) {
    const std::uint64_t blocks = size / block_bytes_;
    const std::uint64_t spare = super_.prealloc_dir_blocks;
    if (size % block_bytes_ != 0 || blocks > found || blocks + spare < found) wrong();
    return;
  }
  if (TypeOf(inode) == kModeRegular && size > 0x7fffffff && !Has(kRoCompatLargeFile)) {
    Error(Kind::kInode, "2 GiB or longer without large_file", number);
  }
  // One block behind the end is let pass, as e2fsck does; unwritten ones may lie anywhere.
  if (walk.last_written >= 0 &&
      size < static_cast<std::uint64_t>(walk.last_written) * block_bytes_) {
    wrong();
  }
  const bool has_extents = (inode.flags & kInodeExtents) != 0;
  const std::uint64_t most =
      has_extents ? (std::uint64_t{block_bytes_} << 32) - 1 : MaxBlockMapBytes(block_bytes_);
  if (size > most) {
    Error(Kind::kSize, absl::StrFormat("its size is %d bytes, more than a file can have", size),
          number);
  }
}

void ImageCheck::TakeDirectory(std::uint32_t number, const DiskInode& inode, Walk& walk) {
  if (IsReserved(number) && number != kRootInode) return;
  if (walk.list.empty()) Error(Kind::kDirectory, "a directory without a block", number);
  std::sort(walk.list.begin(), walk.list.end());
  SeenDirectory& directory = directories_[number];
  directory.blocks = std::move(walk.list);
  directory.block_count = inode.size_low / block_bytes_;
  directory.is_indexed = (inode.flags & kInodeIndex) != 0 && HasCompat(kCompatDirIndex);
}

}  // namespace lamina::internal
