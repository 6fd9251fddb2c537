// Images of ext2, ext3 and ext4 in files of the host: a tree out of one, a tree into one.
//
//   absl::StatusOr<std::unique_ptr<ExtImage>> image = ExtImage::Open("disk.img");
//   … (*image)->fs() …                                          a read-only mount
//   WriteExtImage(op, fs, fs.root(), "new.img", {.size_bytes = 64 << 20});
//
// Threads: an ExtImage as a read-only ExtFs; WriteExtImage as the FileSystem.
#ifndef LAMINA_IMAGE_EXT_IMAGE_H_
#define LAMINA_IMAGE_EXT_IMAGE_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/image/host_disk.h"
#include "lamina/image/tree_copy.h"

namespace lamina {

// A mounted image; the file is not written, its journal is replayed in memory.
class ExtImage {
 public:
  // Errors: those of HostDisk::Open, and, naming the file:
  //   InvalidArgument  not an ext file system, or one with a field that cannot be
  //   Unimplemented    a feature that is not supported
  //   Unavailable      the host fails
  static absl::StatusOr<std::unique_ptr<ExtImage>> Open(std::string_view path);

  ExtFs& fs() { return *fs_; }

 private:
  ExtImage(std::unique_ptr<HostDisk> disk, std::unique_ptr<ExtFs> fs)
      : disk_(std::move(disk)), fs_(std::move(fs)) {}

  std::unique_ptr<HostDisk> disk_;
  std::unique_ptr<ExtFs> fs_;
};

struct ExtImageOptions {
  // 0: that of the file, where it is there; else as the tree needs, at least kSmallestImage.
  std::uint64_t size_bytes = 0;
  ExtVersion version = ExtVersion::kExt4;
};
inline constexpr std::uint64_t kSmallestImage = 8ull << 20;

struct ExtImageReport {
  TreeCopyReport tree;
  std::uint64_t size_bytes = 0;
};

// Makes the file `path`, a file system that holds the tree below `from`: what
// `mke2fs -t ext4 -d` makes of it, with an inode for every file. Unmounted cleanly. The file must
// be missing, or hold nothing (HostDisk::Create); after an error it is missing, or holds nothing.
//
// Errors: those of HostDisk::Create and of CopyTree (ResourceExhausted: too small a size), and
//   InvalidArgument  a size that is too small or too large for a file system
absl::StatusOr<ExtImageReport> WriteExtImage(const OpContext& op, FileSystem& source, NodeId from,
                                             std::string_view path,
                                             const ExtImageOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_IMAGE_EXT_IMAGE_H_
