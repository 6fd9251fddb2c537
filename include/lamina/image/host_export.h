// Host export: a tree of a FileSystem, written to a directory of the host. The counterpart of
// ReadHostDirectory.
//
//   absl::StatusOr<HostExportReport> report = WriteHostDirectory(op, fs, fs.root(), "out");
//
// Names, types, modes, owners, access and modification times, symlinks, hard links, xattrs, device
// numbers and bodies come out as they are; holes stay holes. Names with one (st_dev, st_ino) become
// one file. Marks are not translated: character devices 0:0 and trusted.overlay.* xattrs, so the
// upper directory of an overlay becomes one that a kernel mounts. ctimes are the host's.
//
// Nothing outside the directory is written and no symlink is followed: everything is made one
// component at a time, relative to the directory above it, and must be new. While it is written the
// directory is ours alone (mode 0700). Needs /proc.
//
// Threads: as the FileSystem.
#ifndef LAMINA_IMAGE_HOST_EXPORT_H_
#define LAMINA_IMAGE_HOST_EXPORT_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/fs/file_system.h"

namespace lamina {

// What happens to an owner, a device or an xattr that this user may not write, or that the host's
// file system cannot hold.
enum class Unpermitted : std::uint8_t {
  kError,     // the export fails
  kLeaveOut,  // it is left out and counted; without its owner a file has no set-id bits
};

struct HostExportOptions {
  Unpermitted unpermitted = Unpermitted::kError;
};

struct HostExportReport {
  std::uint64_t entries = 0;  // names, without the directory itself
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t special = 0;     // devices, fifos, sockets
  std::uint64_t hard_links = 0;  // names beyond the first one of a file
  std::uint64_t bytes = 0;       // sum of the file sizes, a hard-linked file once
  // With kLeaveOut.
  std::uint64_t owners_left_out = 0;
  std::uint64_t xattrs_left_out = 0;
  std::uint64_t devices_left_out = 0;
};

// Writes what is in the directory `from` to the directory `path`, which also gets its mode, owner,
// times and xattrs. `path` must be missing, with its parent there, or an empty directory. If `path`
// itself is a symlink it is followed: it is the caller's word. `op.cred` should be root, since `fs`
// is read as it is. After an error the directory holds what was written so far.
//
// Errors, each naming the file:
//   InvalidArgument     `from` is no directory; `path` is there and no directory; a name that no
//                       directory of the host can hold
//   FailedPrecondition  `path` is a directory that is not empty
//   NotFound            the parent of `path` does not exist
//   PermissionDenied    the host does not let us (with kLeaveOut: read or write `path`)
//   DataLoss            `fs` gives an errno
//   Aborted             a directory was moved while we wrote
//   ResourceExhausted, Unavailable   any other error of the host
absl::StatusOr<HostExportReport> WriteHostDirectory(const OpContext& op, FileSystem& fs,
                                                    NodeId from, std::string_view path,
                                                    const HostExportOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_EXPORT_H_
