// The superblock, the group descriptors and their copies. What is wrong here and decides where
// everything else lies ends the check.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {
namespace {

using namespace ext;  // NOLINT: the on-disk words

struct Feature {
  std::uint32_t bit;
  const char* name;
};
// Names as dumpe2fs prints them, of what is refused.
constexpr Feature kIncompatNames[] = {
    {0x1, "compression"},  {0x8, "journal_dev"},    {0x10, "meta_bg"},
    {0x80, "64bit"},       {0x100, "mmp"},          {0x200, "flex_bg"},
    {0x400, "ea_inode"},   {0x1000, "dirdata"},     {0x2000, "metadata_csum_seed"},
    {0x4000, "large_dir"}, {0x8000, "inline_data"}, {0x10000, "encrypt"},
    {0x20000, "casefold"}};
constexpr Feature kCompatNames[] = {{0x40, "lazy_bg"},
                                    {0x80, "exclude_inode"},
                                    {0x100, "exclude_bitmap"},
                                    {0x400, "fast_commit"},
                                    {0x1000, "orphan_file"}};
constexpr Feature kRoCompatNames[] = {
    {0x4, "btree_dir"},        {0x10, "uninit_bg"},   {0x80, "snapshot"},
    {0x100, "quota"},          {0x200, "bigalloc"},   {0x400, "metadata_csum"},
    {0x800, "replica"},        {0x1000, "read-only"}, {0x2000, "project"},
    {0x4000, "shared_blocks"}, {0x8000, "verity"},    {0x10000, "orphan_present"}};

template <std::size_t kCount>
std::string NamesOf(std::uint32_t bits, const Feature (&names)[kCount], const char* kind) {
  std::string text;
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((bits & bit) == 0) continue;
    const auto* found = std::find_if(std::begin(names), std::end(names),
                                     [&](const Feature& feature) { return feature.bit == bit; });
    absl::StrAppend(&text, text.empty() ? "" : ", ");
    if (found != std::end(names)) {
      absl::StrAppend(&text, found->name);
    } else {
      absl::StrAppendFormat(&text, "%s bit 0x%x", kind, bit);
    }
  }
  return text;
}

constexpr std::uint8_t kMaxLogGroupsPerFlex = 31;    // wanted even without flex_bg
constexpr std::uint16_t kGroupUninitialized = 0x3;   // its inode table, its block bitmap
constexpr std::uint32_t kRoCompatReadOnly = 0x1000;  // `tune2fs -O read-only`: nothing to know
// A mount may be blind to every compatible feature; a check may not, but for dir_prealloc,
// imagic_inodes and stable_inodes.
constexpr std::uint32_t kCompatWithoutMeaning = 0x1 | 0x2 | 0x800;
constexpr std::uint32_t kCompatKnown =
    kCompatHasJournal | kCompatExtAttr | kCompatResizeInode | kCompatDirIndex | kCompatSparseSuper2;

}  // namespace

bool ImageCheck::CheckFeatures() {
  const std::uint32_t compat = super_.feature_compat & ~(kCompatKnown | kCompatWithoutMeaning);
  const std::uint32_t incompat = super_.feature_incompat & ~kIncompatKnown;
  const std::uint32_t ro_compat = super_.feature_ro_compat & ~(kRoCompatKnown | kRoCompatReadOnly);
  std::string names = NamesOf(incompat, kIncompatNames, "incompatible");
  for (const std::string& more : {NamesOf(ro_compat, kRoCompatNames, "read-only compatible"),
                                  NamesOf(compat, kCompatNames, "compatible")}) {
    if (!names.empty() && !more.empty()) names += ", ";
    names += more;
  }
  if (names.empty()) {
    const std::uint32_t any =
        super_.feature_compat | super_.feature_incompat | super_.feature_ro_compat;
    // The kernel and e2fsck go by the features all the same.
    if (super_.revision == 0 && any != 0) Note(Kind::kSuperblock, "features in revision 0");
    return true;
  }
  Refuse(Errno::kOpNotSupp, absl::StrCat("not supported: ", names));
  return false;
}

bool ImageCheck::CheckSuperblock() {
  if (device_->size_sectors() * kSectorBytes < kSuperblockOffset + sizeof(DiskSuperblock)) {
    Refuse(Errno::kInval, "not an ext file system: shorter than 2 KiB");
    return false;
  }
  std::vector<std::byte> bytes(sizeof(DiskSuperblock));
  ReadBytes(kSuperblockOffset, bytes);
  super_ = ReadRecord<DiskSuperblock>(bytes);
  if (super_.magic != kMagic) {
    Refuse(Errno::kInval, "not an ext file system: no magic number");
    return false;
  }
  if (super_.revision > 1) {
    Refuse(Errno::kOpNotSupp, absl::StrCat("not supported: revision ", super_.revision));
    return false;
  }
  if (!CheckFeatures()) return false;
  if (!CheckGeometry()) return false;
  CheckSuperblockFields();
  return ReadGroups();
}

// The numbers that everything is computed from.
bool ImageCheck::CheckGeometry() {
  if (super_.log_block_size > 2) {
    Refuse(Errno::kOpNotSupp, absl::StrFormat("not supported: blocks of %d bytes",
                                              1024ull << std::min(super_.log_block_size, 32u)));
    return false;
  }
  block_bytes_ = 1024u << super_.log_block_size;
  inode_bytes_ = super_.revision == 0 ? kMinInodeBytes : super_.inode_size;
  first_inode_ = super_.revision == 0 ? kFirstInodeOfRevision0 : super_.first_inode;
  if (inode_bytes_ != kMinInodeBytes && inode_bytes_ != kMaxInodeBytes) {
    const bool is_possible = inode_bytes_ > kMaxInodeBytes && inode_bytes_ <= block_bytes_ &&
                             (inode_bytes_ & (inode_bytes_ - 1)) == 0;
    if (is_possible) {
      Refuse(Errno::kOpNotSupp, absl::StrFormat("not supported: inodes of %d bytes", inode_bytes_));
    } else {
      Error(Kind::kSuperblock, absl::StrFormat("inodes of %d bytes", inode_bytes_));
    }
    return false;
  }
  const std::uint64_t device_blocks = device_->size_sectors() * kSectorBytes / block_bytes_;
  const auto stop = [&](bool is_wrong, const char* field, std::uint64_t value) {
    if (is_wrong) Error(Kind::kSuperblock, absl::StrFormat("%s is %d", field, value));
    return is_wrong;
  };
  bool wrong = false;
  wrong |= stop(super_.log_cluster_size != super_.log_block_size, "log_cluster_size",
                super_.log_cluster_size);
  wrong |= stop(super_.first_data_block != (block_bytes_ == 1024 ? 1u : 0u), "first_data_block",
                super_.first_data_block);
  wrong |=
      stop(super_.blocks_count <= super_.first_data_block, "blocks_count", super_.blocks_count);
  wrong |= stop(super_.blocks_per_group < 8 || super_.blocks_per_group > 8 * block_bytes_ ||
                    super_.blocks_per_group % 8 != 0,
                "blocks_per_group", super_.blocks_per_group);
  wrong |= stop(super_.clusters_per_group != super_.blocks_per_group, "clusters_per_group",
                super_.clusters_per_group);
  wrong |= stop(super_.inodes_per_group == 0 || super_.inodes_per_group > 8 * block_bytes_ ||
                    super_.inodes_per_group % 8 != 0,
                "inodes_per_group", super_.inodes_per_group);
  wrong |= stop(super_.log_groups_per_flex > kMaxLogGroupsPerFlex, "log_groups_per_flex",
                super_.log_groups_per_flex);
  if (wrong) return false;
  if (super_.blocks_count > device_blocks) {
    Error(Kind::kSuperblock, absl::StrFormat("blocks_count is %d, the device has %d",
                                             super_.blocks_count, device_blocks));
    return false;
  }
  const std::uint64_t blocks = super_.blocks_count - super_.first_data_block;
  group_count_ =
      static_cast<std::uint32_t>((blocks + super_.blocks_per_group - 1) / super_.blocks_per_group);
  descriptor_blocks_ = static_cast<std::uint32_t>(
      (std::uint64_t{group_count_} * sizeof(DiskGroup) + block_bytes_ - 1) / block_bytes_);
  table_blocks_ = static_cast<std::uint32_t>(
      (std::uint64_t{super_.inodes_per_group} * inode_bytes_ + block_bytes_ - 1) / block_bytes_);
  wrong |= stop(super_.inodes_count != std::uint64_t{group_count_} * super_.inodes_per_group,
                "inodes_count", super_.inodes_count);
  wrong |= stop(table_blocks_ + 3 > super_.blocks_per_group, "inodes_per_group",
                super_.inodes_per_group);
  wrong |= stop(super_.reserved_gdt_blocks > block_bytes_ / 4, "reserved_gdt_blocks",
                super_.reserved_gdt_blocks);
  wrong |= stop(first_inode_ < kFirstInodeOfRevision0 || first_inode_ > super_.inodes_per_group,
                "first_inode", first_inode_);
  return !wrong;
}

// What is wrong here can be put right without moving anything.
void ImageCheck::CheckSuperblockFields() {
  if (super_.reserved_blocks_count > super_.blocks_count / 2) {
    Error(Kind::kSuperblock,
          absl::StrFormat("reserved_blocks_count is %d", super_.reserved_blocks_count));
  }
  if (super_.reserved_gdt_blocks != 0 && !HasCompat(kCompatResizeInode)) {
    Error(Kind::kSuperblock, absl::StrFormat("%d reserved descriptor blocks without resize_inode",
                                             super_.reserved_gdt_blocks));
  }
  const std::uint32_t extra_room = inode_bytes_ - kMinInodeBytes;
  const bool has_extra = extra_room != 0;
  for (const std::uint16_t extra : {super_.min_extra_isize, super_.want_extra_isize}) {
    if (has_extra && (extra > extra_room || extra % 4 != 0)) {
      Error(Kind::kSuperblock, absl::StrFormat("extra_isize is %d", extra));
    }
  }
  for (const std::uint32_t inode : super_.quota_inodes) {
    if (inode > super_.inodes_count) {
      Error(Kind::kSuperblock, absl::StrFormat("names inode %d for a quota", inode));
    }
  }
  const bool has_uuid = std::any_of(super_.journal_uuid.begin(), super_.journal_uuid.end(),
                                    [](std::uint8_t byte) { return byte != 0; });
  const bool names_journal = super_.journal_inode != 0 || has_uuid;
  if (!HasCompat(kCompatHasJournal)) {
    if (names_journal) Error(Kind::kSuperblock, "names a journal without has_journal");
    if (HasIncompat(kIncompatRecover))
      Error(Kind::kSuperblock, "needs_recovery without has_journal");
  } else if (super_.journal_device != 0) {
    Refuse(Errno::kOpNotSupp, "not supported: a journal on another device");
  } else if (has_uuid) {
    Error(Kind::kSuperblock, "names the journal of another device", super_.journal_inode);
  } else if (super_.journal_inode == 0) {
    Error(Kind::kSuperblock, "has_journal, and no journal is named");
  } else if (super_.journal_inode != kJournalInode) {
    Error(Kind::kSuperblock, "the journal is not inode 8", super_.journal_inode);
  }
  if ((super_.state & kStateErrors) != 0)
    Note(Kind::kSuperblock, "marked: errors were found while it was in use");
  const bool was_unmounted = (super_.state & kStateValid) != 0;
  if (!was_unmounted) Note(Kind::kSuperblock, "marked: not unmounted cleanly");
}

std::uint32_t ImageCheck::FirstBlockOf(std::uint32_t group) const {
  return super_.first_data_block + group * super_.blocks_per_group;
}

std::uint32_t ImageCheck::BlockCountOf(std::uint32_t group) const {
  return std::min(super_.blocks_per_group, super_.blocks_count - FirstBlockOf(group));
}

bool ImageCheck::ReadGroups() {
  if (refusal_.has_value()) return false;
  std::vector<std::byte> bytes;
  for (std::uint32_t i = 0; i < descriptor_blocks_; ++i) {
    const std::uint32_t block = super_.first_data_block + 1 + i;
    const std::vector<std::byte> part =
        InRange(block) ? ReadBlock(block) : std::vector<std::byte>(block_bytes_);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  bool right = true;
  for (std::uint32_t group = 0; group < group_count_; ++group) {
    groups_.push_back(ReadRecord<DiskGroup>(bytes, group * sizeof(DiskGroup)));
    if (!CheckGroup(group)) right = false;
  }
  return right;
}

bool ImageCheck::CheckGroup(std::uint32_t group) {
  const DiskGroup& says = groups_[group];
  const std::uint64_t begin = FirstBlockOf(group);
  const std::uint64_t end = begin + BlockCountOf(group);
  const auto lies_within = [&](std::uint64_t first, std::uint64_t count, const char* what) {
    if (first >= begin && first + count <= end) return true;
    GroupError(Kind::kGroup, group,
               absl::StrFormat("its %s lies at block %d, outside it", what, first));
    return false;
  };
  bool right = lies_within(says.block_bitmap, 1, "block bitmap");
  right &= lies_within(says.inode_bitmap, 1, "inode bitmap");
  right &= lies_within(says.inode_table, table_blocks_, "inode table");
  if ((says.flags & kGroupUninitialized) != 0 || says.unused_inodes_count != 0) {
    GroupError(Kind::kGroup, group, "marked as not initialized without the feature for that");
  }
  return right;
}

void ImageCheck::MarkMeta(std::uint32_t first, std::uint32_t count) {
  for (std::uint64_t block = first; block < std::uint64_t{first} + count; ++block) {
    if (!InRange(block)) continue;
    if (metadata_[block]) {
      Error(Kind::kGroup, "two parts of group descriptors lie on it", 0,
            static_cast<std::uint32_t>(block));
    }
    metadata_[block] = true;
    used_blocks_[block] = true;
  }
}

void ImageCheck::MarkGroups() {
  used_blocks_.assign(super_.blocks_count, false);
  metadata_.assign(super_.blocks_count, false);
  for (std::uint32_t group = 0; group < group_count_; ++group) {
    if (HasSuperblock(super_, group)) {
      const std::uint32_t count = 1 + descriptor_blocks_ + super_.reserved_gdt_blocks;
      MarkMeta(FirstBlockOf(group), std::min(count, BlockCountOf(group)));
    }
    MarkMeta(groups_[group].block_bitmap, 1);
    MarkMeta(groups_[group].inode_bitmap, 1);
    MarkMeta(groups_[group].inode_table, table_blocks_);
  }
}

// Copies are not kept up to date; what never changes must be equal.
void ImageCheck::CheckBackups() {
  for (std::uint32_t group = 1; group < group_count_; ++group) {
    if (!HasSuperblock(super_, group)) continue;
    const std::uint32_t block = FirstBlockOf(group);
    const DiskSuperblock copy = ReadRecord<DiskSuperblock>(ReadBlock(block));
    const bool is_equal =
        copy.magic == super_.magic && copy.blocks_count == super_.blocks_count &&
        copy.inodes_count == super_.inodes_count && copy.log_block_size == super_.log_block_size &&
        copy.first_data_block == super_.first_data_block &&
        copy.blocks_per_group == super_.blocks_per_group &&
        copy.inodes_per_group == super_.inodes_per_group && copy.uuid == super_.uuid &&
        copy.revision == super_.revision && copy.inode_size == super_.inode_size &&
        copy.block_group == static_cast<std::uint16_t>(group);
    if (!is_equal)
      Note(Kind::kBackup, absl::StrFormat("the superblock's copy of group %d differs", group), 0,
           block);
    for (std::uint32_t i = 0; i < descriptor_blocks_ && InRange(block + 1 + i); ++i) {
      const std::vector<std::byte> part = ReadBlock(block + 1 + i);
      const std::uint32_t per_block = block_bytes_ / sizeof(DiskGroup);
      for (std::uint32_t n = 0; n < per_block && i * per_block + n < group_count_; ++n) {
        const DiskGroup described = ReadRecord<DiskGroup>(part, n * sizeof(DiskGroup));
        const DiskGroup& primary = groups_[i * per_block + n];
        if (described.block_bitmap == primary.block_bitmap &&
            described.inode_bitmap == primary.inode_bitmap &&
            described.inode_table == primary.inode_table) {
          continue;
        }
        Note(Kind::kBackup,
             absl::StrFormat("the copy of the descriptors of group %d differs", group), 0,
             block + 1 + i);
        break;
      }
    }
  }
}

}  // namespace lamina::internal
