// Geometry: where everything lies, out of a superblock and group descriptors that were checked.
//
// Threads: a plain value.
#ifndef LAMINA_VFS_EXT_GEOMETRY_H_
#define LAMINA_VFS_EXT_GEOMETRY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lamina/block/block_device.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/layout.h"

namespace lamina::ext {

struct Geometry {
  std::uint32_t block_bytes = 0;
  std::uint32_t blocks_count = 0;
  std::uint32_t first_data_block = 0;
  std::uint32_t blocks_per_group = 0;
  std::uint32_t inodes_count = 0;
  std::uint32_t inodes_per_group = 0;
  std::uint32_t inode_bytes = 0;
  std::uint32_t first_inode = 0;
  std::uint32_t groups_count = 0;
  std::uint32_t descriptor_blocks = 0;
  std::uint32_t feature_compat = 0;
  std::uint32_t feature_incompat = 0;
  std::uint32_t feature_ro_compat = 0;
  bool unknown_ro_compat = false;

  bool has_extents() const { return (feature_incompat & kIncompatExtents) != 0; }
  bool has_file_type() const { return (feature_incompat & kIncompatFileType) != 0; }
  bool has_journal() const { return (feature_compat & kCompatHasJournal) != 0; }
  bool has_ro_compat(std::uint32_t feature) const { return (feature_ro_compat & feature) != 0; }

  std::uint32_t sectors_per_block() const { return block_bytes / 512; }
  std::uint32_t super_block() const { return static_cast<std::uint32_t>(1024 / block_bytes); }
  std::uint32_t super_offset() const { return block_bytes == 1024 ? 0 : 1024; }
  std::uint32_t first_descriptor_block() const { return super_block() + 1; }
  std::uint32_t descriptors_per_block() const { return block_bytes / sizeof(DiskGroup); }
  std::uint32_t first_block_of(std::uint32_t group) const {
    return first_data_block + group * blocks_per_group;
  }
  std::uint32_t blocks_in(std::uint32_t group) const {
    const std::uint32_t left = blocks_count - first_block_of(group);
    return left < blocks_per_group ? left : blocks_per_group;
  }
  std::uint32_t group_of(std::uint32_t block) const {
    return (block - first_data_block) / blocks_per_group;
  }
  std::uint32_t inode_table_blocks() const {
    return inodes_per_group / (block_bytes / inode_bytes);
  }
  bool contains(std::uint64_t block) const {
    return block >= first_data_block && block < blocks_count;
  }
};

// The geometry a superblock tells of. Errors: kInval no magic number; kOpNotSupp; kUClean.
ExtOutcome<Geometry> ParseGeometry(const DiskSuperblock& super, std::uint64_t device_bytes);

// What is wrong with the place of a group's bitmaps and inode table; nothing when all is well.
std::optional<ExtError> CheckGroup(const Geometry& geometry, std::uint32_t group,
                                   const DiskGroup& descriptor);

// As dumpe2fs prints them: compat, incompat, ro_compat.
std::vector<std::string> FeatureNames(const DiskSuperblock& super);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_GEOMETRY_H_
