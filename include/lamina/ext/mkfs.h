// MakeExt: mkfs. Writes an empty ext2, ext3 or ext4 file system that is what
// `mke2fs -t ext2|ext3|ext4 -O ^64bit,^metadata_csum,^flex_bg` writes with its default
// configuration: same sizes, same features, same places.
//
// Source: e2fsprogs' mke2fs(8) and mke2fs.conf (5), version 1.47.
//
// Threads: a function.
#ifndef LAMINA_EXT_MKFS_H_
#define LAMINA_EXT_MKFS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "lamina/block/block_device.h"
#include "lamina/ext/ext_fs.h"

namespace lamina {

enum class ExtVersion : std::uint8_t { kExt2, kExt3, kExt4 };
enum class ExtJournal : std::uint8_t { kByVersion, kNone, kInternal };

struct ExtMkfsOptions {
  ExtVersion version = ExtVersion::kExt4;
  std::uint64_t size_bytes = 0;       // 0: the whole device
  std::uint32_t block_bytes = 0;      // 0: 1024 below 512 MiB, else 4096
  std::uint32_t inode_bytes = 256;    // 128 or 256
  std::uint32_t bytes_per_inode = 0;  // 0: 4096 below 512 MiB (8192 below 3 MiB), else 16384
  std::uint32_t inode_count = 0;      // wins over bytes_per_inode
  std::uint32_t reserved_percent = 5;
  ExtJournal journal = ExtJournal::kByVersion;
  std::uint32_t journal_blocks = 0;  // 0: by size, as mke2fs
  std::string label = {};            // up to 16 bytes
  std::array<std::uint8_t, 16> uuid = {0x6c, 0x61, 0x6d, 0x69, 0x6e, 0x61, 0x40, 0x00,
                                       0x80, 0x00, 0x65, 0x78, 0x74, 0x34, 0x66, 0x73};
  // Owner of the root directory.
  std::uint32_t root_uid = 0;
  std::uint32_t root_gid = 0;
};

// Every stamp is op.now. Ends with a flush.
//
// Errors, in the order they are checked:
//   kInval  an option that cannot be: block or inode size, a label over 16 bytes, percent over 50
//   kInval  the device or size_bytes is too small (below 60 blocks or so) or over 2^32-1 blocks
//   kIo …   the device
ExtOutcome<bool> MakeExt(const OpContext& op, BlockDevice& device,
                         const ExtMkfsOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_EXT_MKFS_H_
