#include "vfs/ext/geometry.h"

#include <array>
#include <bit>
#include <string_view>
#include <utility>

namespace lamina::ext {
namespace {

// Even to read: they change where things lie.
constexpr std::uint32_t kRefusedRoCompat = kRoCompatBigalloc | kRoCompatMetadataCsum;

using Names = std::pair<std::uint32_t, std::string_view>;

constexpr std::array kCompatNames = std::to_array<Names>({
    {0x1, "dir_prealloc"},
    {0x2, "imagic_inodes"},
    {0x4, "has_journal"},
    {0x8, "ext_attr"},
    {0x10, "resize_inode"},
    {0x20, "dir_index"},
    {0x200, "sparse_super2"},
    {0x400, "fast_commit"},
    {0x800, "stable_inodes"},
    {0x1000, "orphan_file"},
});
constexpr std::array kIncompatNames = std::to_array<Names>({
    {0x1, "compression"},
    {0x2, "filetype"},
    {0x4, "needs_recovery"},
    {0x8, "journal_dev"},
    {0x10, "meta_bg"},
    {0x40, "extent"},
    {0x80, "64bit"},
    {0x100, "mmp"},
    {0x200, "flex_bg"},
    {0x400, "ea_inode"},
    {0x1000, "dirdata"},
    {0x2000, "metadata_csum_seed"},
    {0x4000, "large_dir"},
    {0x8000, "inline_data"},
    {0x10000, "encrypt"},
    {0x20000, "casefold"},
});
constexpr std::array kRoCompatNames = std::to_array<Names>({
    {0x1, "sparse_super"},
    {0x2, "large_file"},
    {0x4, "btree_dir"},
    {0x8, "huge_file"},
    {0x10, "uninit_bg"},
    {0x20, "dir_nlink"},
    {0x40, "extra_isize"},
    {0x80, "has_snapshot"},
    {0x100, "quota"},
    {0x200, "bigalloc"},
    {0x400, "metadata_csum"},
    {0x800, "replica"},
    {0x1000, "read-only"},
    {0x2000, "project"},
    {0x4000, "shared_blocks"},
    {0x8000, "verity"},
    {0x10000, "orphan_present"},
});

void AppendNames(const auto& table, char kind, std::uint32_t bits, std::vector<std::string>* out) {
  for (unsigned bit = 0; bit < 32; ++bit) {
    const std::uint32_t mask = std::uint32_t{1} << bit;
    if ((bits & mask) == 0) continue;
    std::string name = std::string("FEATURE_").append(1, kind).append(std::to_string(bit));
    for (const auto& [known, text] : table) {
      if (known == mask) name = text;
    }
    out->push_back(std::move(name));
  }
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text.append(", ");
    text.append(name);
  }
  return text;
}

ExtError Unclean(std::string text) { return {Errno::kUClean, std::move(text)}; }
ExtError Unsupported(std::string text) { return {Errno::kOpNotSupp, std::move(text)}; }

std::string Number(std::uint64_t number) { return std::to_string(number); }

std::optional<ExtError> CheckFeatures(const DiskSuperblock& super) {
  if (super.revision > 1) return Unsupported("revision " + Number(super.revision));
  if (super.revision == 0) return std::nullopt;
  std::vector<std::string> refused;
  AppendNames(kIncompatNames, 'I', super.feature_incompat & ~kIncompatKnown, &refused);
  AppendNames(kRoCompatNames, 'R', super.feature_ro_compat & kRefusedRoCompat, &refused);
  if (refused.empty()) return std::nullopt;
  return Unsupported("unsupported feature: " + Joined(refused));
}

std::optional<ExtError> CheckSizes(const DiskSuperblock& super) {
  if (super.log_block_size > 2) {
    const bool sane = super.log_block_size <= 6;
    const std::string bytes = sane ? Number(std::uint64_t{1024} << super.log_block_size) : "?";
    return Unsupported("block size " + bytes + ": only 1024, 2048 and 4096 are supported");
  }
  if (super.revision != 0 && super.inode_size != 128 && super.inode_size != 256) {
    if (!std::has_single_bit(super.inode_size) || super.inode_size < 128) {
      return Unclean("inode size " + Number(super.inode_size));
    }
    return Unsupported("inode size " + Number(super.inode_size) +
                       ": only 128 and 256 are supported");
  }
  return std::nullopt;
}

std::optional<ExtError> CheckCounts(const DiskSuperblock& super, const Geometry& geometry,
                                    std::uint64_t device_bytes) {
  const std::uint32_t bits = geometry.block_bytes * 8;
  if (super.first_data_block != (geometry.block_bytes == 1024 ? 1U : 0U)) {
    return Unclean("s_first_data_block " + Number(super.first_data_block));
  }
  if (super.blocks_count <= super.first_data_block + 1) {
    return Unclean("s_blocks_count " + Number(super.blocks_count));
  }
  if (std::uint64_t{super.blocks_count} * geometry.block_bytes > device_bytes) {
    return Unclean("s_blocks_count " + Number(super.blocks_count) + ": the device is shorter");
  }
  if (super.blocks_per_group == 0 || super.blocks_per_group > bits ||
      super.blocks_per_group % 8 != 0) {
    return Unclean("s_blocks_per_group " + Number(super.blocks_per_group));
  }
  const std::uint32_t inodes_per_block = geometry.block_bytes / geometry.inode_bytes;
  if (super.inodes_per_group == 0 || super.inodes_per_group > bits ||
      super.inodes_per_group % inodes_per_block != 0) {
    return Unclean("s_inodes_per_group " + Number(super.inodes_per_group));
  }
  if (std::uint64_t{super.inodes_per_group} * geometry.groups_count != super.inodes_count) {
    return Unclean("s_inodes_count " + Number(super.inodes_count));
  }
  if (geometry.first_inode < kFirstInodeOfRevision0 || geometry.first_inode >= super.inodes_count) {
    return Unclean("s_first_ino " + Number(geometry.first_inode));
  }
  if (super.reserved_blocks_count > super.blocks_count) {
    return Unclean("s_r_blocks_count " + Number(super.reserved_blocks_count));
  }
  if (super.reserved_gdt_blocks > geometry.block_bytes / 4) {
    return Unclean("s_reserved_gdt_blocks " + Number(super.reserved_gdt_blocks));
  }
  return std::nullopt;
}

}  // namespace

ExtOutcome<Geometry> ParseGeometry(const DiskSuperblock& super, std::uint64_t device_bytes) {
  if (super.magic != kMagic) return ExtError{Errno::kInval, "not an ext file system: no magic"};
  if (auto wrong = CheckFeatures(super)) return *std::move(wrong);
  if (auto wrong = CheckSizes(super)) return *std::move(wrong);
  Geometry geometry;
  geometry.block_bytes = kMinBlockBytes << super.log_block_size;
  geometry.blocks_count = super.blocks_count;
  geometry.first_data_block = super.first_data_block;
  geometry.blocks_per_group = super.blocks_per_group;
  geometry.inodes_count = super.inodes_count;
  geometry.inodes_per_group = super.inodes_per_group;
  geometry.inode_bytes = super.revision == 0 ? kMinInodeBytes : super.inode_size;
  geometry.first_inode = super.revision == 0 ? kFirstInodeOfRevision0 : super.first_inode;
  if (super.revision != 0) {
    geometry.feature_compat = super.feature_compat;
    geometry.feature_incompat = super.feature_incompat;
    geometry.feature_ro_compat = super.feature_ro_compat;
    geometry.unknown_ro_compat = (super.feature_ro_compat & ~kRoCompatKnown) != 0;
  }
  if (super.blocks_per_group != 0 && super.blocks_count > super.first_data_block) {
    const std::uint32_t data_blocks = super.blocks_count - super.first_data_block;
    geometry.groups_count = (data_blocks - 1) / super.blocks_per_group + 1;
    const std::uint32_t per_block = geometry.descriptors_per_block();
    geometry.descriptor_blocks = (geometry.groups_count - 1) / per_block + 1;
  }
  if (auto wrong = CheckCounts(super, geometry, device_bytes)) return *std::move(wrong);
  const std::uint64_t after =
      std::uint64_t{geometry.first_descriptor_block()} + geometry.descriptor_blocks;
  if (after > geometry.first_data_block + std::uint64_t{geometry.blocks_per_group} ||
      after > geometry.blocks_count) {
    return Unclean("the group descriptors do not fit in group 0");
  }
  return geometry;
}

std::optional<ExtError> CheckGroup(const Geometry& geometry, std::uint32_t group,
                                   const DiskGroup& descriptor) {
  const std::uint64_t first = geometry.first_block_of(group);
  const std::uint64_t end = first + geometry.blocks_in(group);
  const auto inside = [&](std::uint64_t block, std::uint64_t count) {
    const bool clear_of_super =
        group != 0 ||
        block >= geometry.first_descriptor_block() + std::uint64_t{geometry.descriptor_blocks};
    return block >= first && block + count <= end && clear_of_super;
  };
  const std::string where = " of group " + Number(group) + " at block ";
  if (!inside(descriptor.block_bitmap, 1)) {
    return Unclean("block bitmap" + where + Number(descriptor.block_bitmap));
  }
  if (!inside(descriptor.inode_bitmap, 1)) {
    return Unclean("inode bitmap" + where + Number(descriptor.inode_bitmap));
  }
  if (!inside(descriptor.inode_table, geometry.inode_table_blocks())) {
    return Unclean("inode table" + where + Number(descriptor.inode_table));
  }
  const std::uint64_t table_end =
      std::uint64_t{descriptor.inode_table} + geometry.inode_table_blocks();
  const auto in_table = [&](std::uint32_t block) {
    return block >= descriptor.inode_table && block < table_end;
  };
  if (descriptor.block_bitmap == descriptor.inode_bitmap || in_table(descriptor.block_bitmap) ||
      in_table(descriptor.inode_bitmap)) {
    return Unclean("bitmaps and inode table of group " + Number(group) + " overlap");
  }
  return std::nullopt;
}

std::vector<std::string> FeatureNames(const DiskSuperblock& super) {
  std::vector<std::string> names;
  AppendNames(kCompatNames, 'C', super.feature_compat, &names);
  AppendNames(kIncompatNames, 'I', super.feature_incompat, &names);
  AppendNames(kRoCompatNames, 'R', super.feature_ro_compat, &names);
  return names;
}

}  // namespace lamina::ext
