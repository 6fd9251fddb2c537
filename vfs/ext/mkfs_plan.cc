#include "vfs/ext/mkfs_plan.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lamina::ext {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kFloppyBytes = 3 * kMiB;      // mke2fs.conf: [fs_types] floppy
constexpr std::uint64_t kSmallBytes = 512 * kMiB;     // small
constexpr std::uint64_t kBigBytes = kMiB * kMiB * 4;  // big: 4 TiB
constexpr std::uint64_t kHugeBytes = kMiB * kMiB * 16;
constexpr std::uint64_t kMaxBlocks = 0xffffffff;
constexpr std::uint32_t kMinBlocks = 60;
constexpr std::uint32_t kSmallestLastGroup = 50;  // free blocks that a last group must have
constexpr std::uint32_t kPageBytes = 4096;
constexpr std::uint32_t kMountOptions = 0x4 | 0x8;  // user_xattr, acl
constexpr std::uint16_t kErrorsContinue = 1;
constexpr std::uint8_t kHashHalfMd4 = 1;

ExtError Invalid(std::string text) { return {Errno::kInval, std::move(text)}; }

std::uint64_t DivideUp(std::uint64_t value, std::uint64_t by) { return (value + by - 1) / by; }

std::uint32_t DefaultInodeRatio(std::uint64_t size_bytes) {
  if (size_bytes < kFloppyBytes) return 8192;
  if (size_bytes < kSmallBytes) return 4096;
  if (size_bytes < kBigBytes) return 16384;
  return size_bytes < kHugeBytes ? 32768 : 65536;
}

// ext2fs_default_journal_size
std::uint32_t DefaultJournalBlocks(std::uint64_t blocks) {
  constexpr std::uint64_t kKilo = 1024;
  if (blocks < 2 * kKilo) return 0;
  if (blocks < 32 * kKilo) return 1024;
  if (blocks < 256 * kKilo) return 4096;
  if (blocks < 512 * kKilo) return 8192;
  if (blocks < 4096 * kKilo) return 16384;
  if (blocks < 8192 * kKilo) return 32768;
  if (blocks < 16384 * kKilo) return 65536;
  return blocks < 32768 * kKilo ? 131072 : 262144;
}

// Errors: kInval.
std::optional<ExtError> CheckOptions(const ExtMkfsOptions& options, std::uint64_t device_bytes) {
  const std::uint32_t block = options.block_bytes;
  if (block != 0 && block != 1024 && block != 2048 && block != 4096) {
    return Invalid("block size " + std::to_string(block) + ": 1024, 2048 or 4096");
  }
  if (options.inode_bytes != 128 && options.inode_bytes != 256) {
    return Invalid("inode size " + std::to_string(options.inode_bytes) + ": 128 or 256");
  }
  if (options.bytes_per_inode != 0 && options.bytes_per_inode < 1024) {
    return Invalid("bytes per inode " + std::to_string(options.bytes_per_inode) +
                   ": at least 1024");
  }
  if (options.label.size() > 16) return Invalid("label: over 16 bytes");
  if (options.reserved_percent > 50) {
    return Invalid("reserved blocks: over 50 percent");
  }
  if (options.size_bytes > device_bytes) return Invalid("size: the device is shorter");
  return std::nullopt;
}

class Planner {
 public:
  Planner(const ExtMkfsOptions& options, std::uint64_t size_bytes, Instant now)
      : options_(options), size_bytes_(size_bytes) {
    DiskSuperblock& super = plan_.super;
    const auto seconds = static_cast<std::uint32_t>(now.virtual_ns / kNanosecondsPerSecond);
    super.magic = kMagic;
    super.revision = 1;
    super.state = kStateValid;
    super.errors = kErrorsContinue;
    super.max_mount_count = 0xffff;
    super.write_time = super.last_check = super.created_time = seconds;
    super.first_inode = kFirstInodeOfRevision0;
    super.inode_size = static_cast<std::uint16_t>(options.inode_bytes);
    super.uuid = options.uuid;
    std::copy(options.label.begin(), options.label.end(), super.volume_name.begin());
    super.default_mount_options = kMountOptions;
    super.default_hash_version = kHashHalfMd4;
    super.flags = kFlagSignedHash;
    for (std::size_t word = 0; word < super.hash_seed.size(); ++word) {
      std::memcpy(&super.hash_seed[word], options.uuid.data() + word * 4, 4);
      super.hash_seed[word] ^= 0x9e3779b9U * static_cast<std::uint32_t>(word + 1);
    }
    if (options.inode_bytes > kMinInodeBytes) {
      super.min_extra_isize = super.want_extra_isize = kWantExtraIsize;
    }
  }

  ExtOutcome<MkfsPlan> Run() {
    ChooseBlockSize();
    SetFeatures();
    if (blocks_ > kMaxBlocks) return Invalid("over 2^32-1 blocks");
    if (blocks_ < kMinBlocks) return Invalid("too small: below 60 blocks");
    if (auto wrong = ChooseGroups()) return *std::move(wrong);
    if (auto wrong = ChooseJournal()) return *std::move(wrong);
    DiskSuperblock& super = plan_.super;
    super.reserved_blocks_count = static_cast<std::uint32_t>(std::uint64_t{super.blocks_count} *
                                                             options_.reserved_percent / 100);
    ExtOutcome<Geometry> geometry =
        ParseGeometry(super, std::uint64_t{super.blocks_count} * plan_.geometry.block_bytes);
    if (!geometry.ok()) return Invalid(geometry.error().text);
    plan_.geometry = *geometry;
    PlaceGroups();
    return std::move(plan_);
  }

 private:
  void ChooseBlockSize() {
    std::uint32_t bytes = options_.block_bytes;
    if (bytes == 0) bytes = size_bytes_ < kSmallBytes ? 1024 : 4096;
    plan_.geometry.block_bytes = bytes;
    blocks_ = size_bytes_ / bytes;
    // The whole of a device: whole pages of it.
    if (options_.size_bytes == 0 && bytes < kPageBytes) blocks_ -= blocks_ % (kPageBytes / bytes);
    plan_.super.log_block_size = plan_.super.log_cluster_size =
        bytes == 1024 ? 0 : (bytes == 2048 ? 1 : 2);
    plan_.super.first_data_block = bytes == 1024 ? 1 : 0;
  }

  void SetFeatures() {
    DiskSuperblock& super = plan_.super;
    super.feature_compat = kCompatExtAttr | kCompatResizeInode | kCompatDirIndex;
    super.feature_incompat = kIncompatFileType;
    super.feature_ro_compat = kRoCompatSparseSuper | kRoCompatLargeFile;
    if (options_.version != ExtVersion::kExt4) return;
    super.feature_incompat |= kIncompatExtents;
    super.feature_ro_compat |= kRoCompatHugeFile | kRoCompatDirNlink | kRoCompatExtraIsize;
  }

  // ext2fs_initialize: a last group that would hold little but its own books is left out.
  std::optional<ExtError> ChooseGroups() {
    DiskSuperblock& super = plan_.super;
    const std::uint64_t ratio =
        options_.bytes_per_inode != 0 ? options_.bytes_per_inode : DefaultInodeRatio(size_bytes_);
    std::uint64_t inodes = options_.inode_count;
    if (inodes == 0) inodes = blocks_ * plan_.geometry.block_bytes / ratio;
    inodes = std::max<std::uint64_t>(inodes, kFirstInodeOfRevision0 + 1);
    while (true) {
      const std::uint32_t bits = plan_.geometry.block_bytes * 8;
      const std::uint32_t per_group = bits;
      const std::uint64_t data_blocks = blocks_ - super.first_data_block;
      groups_ = static_cast<std::uint32_t>(DivideUp(data_blocks, per_group));
      descriptor_blocks_ = static_cast<std::uint32_t>(
          DivideUp(groups_, plan_.geometry.block_bytes / sizeof(DiskGroup)));
      if (!ChooseInodes(inodes)) return Invalid("too many inodes");
      super.blocks_per_group = super.clusters_per_group = per_group;
      super.reserved_gdt_blocks = static_cast<std::uint16_t>(ReservedDescriptorBlocks());
      const std::uint32_t left = static_cast<std::uint32_t>(data_blocks % per_group);
      const std::uint64_t books = BooksOf(groups_ - 1);
      if (left != 0 && left < books + kSmallestLastGroup && groups_ > 1) {
        blocks_ -= left;
        continue;
      }
      if (books + kSmallestLastGroup / 2 > (left == 0 ? per_group : left) && groups_ == 1) {
        return Invalid("too small: no room for the inode table");
      }
      if (1 + BooksOf(0) > per_group) return Invalid("too many inodes");
      super.blocks_count = static_cast<std::uint32_t>(blocks_);
      return std::nullopt;
    }
  }

  // Whole blocks of inodes, and a multiple of eight.
  bool ChooseInodes(std::uint64_t inodes) {
    DiskSuperblock& super = plan_.super;
    const std::uint32_t per_block = plan_.geometry.block_bytes / options_.inode_bytes;
    std::uint64_t per_group = DivideUp(inodes, groups_);
    if (per_group > plan_.geometry.block_bytes * 8) return false;
    per_group = DivideUp(per_group, per_block) * per_block;
    per_group = std::max<std::uint64_t>(per_group, 8) & ~std::uint64_t{7};
    if (per_group % per_block != 0) per_group = DivideUp(per_group, per_block) * per_block;
    if (per_group * groups_ > 0xffffffff) return false;
    super.inodes_per_group = static_cast<std::uint32_t>(per_group);
    super.inodes_count = static_cast<std::uint32_t>(per_group * groups_);
    table_blocks_ = static_cast<std::uint32_t>(per_group / per_block);
    return true;
  }

  // calc_reserved_gdt_blocks: room to grow to 1024 times the size.
  std::uint32_t ReservedDescriptorBlocks() const {
    const std::uint32_t per_block = plan_.geometry.block_bytes / sizeof(DiskGroup);
    const std::uint64_t most = std::min<std::uint64_t>(kMaxBlocks, blocks_ * 1024);
    const std::uint64_t groups =
        DivideUp(most - plan_.super.first_data_block, plan_.super.blocks_per_group);
    const std::uint64_t blocks = DivideUp(groups, per_block);
    if (blocks <= descriptor_blocks_) return 0;
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(blocks - descriptor_blocks_, plan_.geometry.block_bytes / 4));
  }

  std::uint64_t BooksOf(std::uint32_t group) const {
    const std::uint64_t copies = 1 + descriptor_blocks_ + plan_.super.reserved_gdt_blocks;
    return 2 + table_blocks_ + (HasSuperblock(plan_.super, group) ? copies : 0);
  }

  std::optional<ExtError> ChooseJournal() {
    const bool by_version = options_.journal == ExtJournal::kByVersion;
    if (options_.journal == ExtJournal::kNone) return std::nullopt;
    if (by_version && options_.version == ExtVersion::kExt2) return std::nullopt;
    std::uint32_t blocks = options_.journal_blocks;
    if (blocks == 0) blocks = DefaultJournalBlocks(blocks_);
    if (blocks == 0 && by_version) return std::nullopt;
    if (blocks < 1024) return Invalid("journal: at least 1024 blocks, on at least 2048");
    if (blocks > blocks_ / 2) return Invalid("journal: over half of the blocks");
    plan_.journal_blocks = blocks;
    plan_.super.feature_compat |= kCompatHasJournal;
    plan_.super.journal_inode = kJournalInode;
    return std::nullopt;
  }

  void PlaceGroups() {
    DiskSuperblock& super = plan_.super;
    const Geometry& geometry = plan_.geometry;
    for (std::uint32_t group = 0; group < geometry.groups_count; ++group) {
      DiskGroup made{};
      made.block_bitmap = geometry.first_block_of(group) + LeadingBlocks(plan_, group);
      made.inode_bitmap = made.block_bitmap + 1;
      made.inode_table = made.inode_bitmap + 1;
      const auto used = static_cast<std::uint32_t>(BooksOf(group));
      made.free_blocks_count = static_cast<std::uint16_t>(geometry.blocks_in(group) - used);
      made.free_inodes_count = static_cast<std::uint16_t>(geometry.inodes_per_group);
      if (group == 0) {
        made.free_inodes_count =
            static_cast<std::uint16_t>(geometry.inodes_per_group - (geometry.first_inode - 1));
      }
      super.free_blocks_count += made.free_blocks_count;
      super.free_inodes_count += made.free_inodes_count;
      plan_.groups.push_back(made);
    }
  }

  const ExtMkfsOptions& options_;
  std::uint64_t size_bytes_;
  MkfsPlan plan_;
  std::uint64_t blocks_ = 0;
  std::uint32_t groups_ = 0;
  std::uint32_t descriptor_blocks_ = 0;
  std::uint32_t table_blocks_ = 0;
};

}  // namespace

std::uint32_t LeadingBlocks(const MkfsPlan& plan, std::uint32_t group) {
  if (!HasSuperblock(plan.super, group)) return 0;
  return 1 + plan.geometry.descriptor_blocks + plan.super.reserved_gdt_blocks;
}

ExtOutcome<MkfsPlan> PlanMkfs(const ExtMkfsOptions& options, std::uint64_t device_bytes,
                              Instant now) {
  if (auto wrong = CheckOptions(options, device_bytes)) return *std::move(wrong);
  return Planner(options, options.size_bytes != 0 ? options.size_bytes : device_bytes, now).Run();
}

}  // namespace lamina::ext
