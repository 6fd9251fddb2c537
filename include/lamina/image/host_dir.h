// Host directories: a directory tree of the host, read into a MemFs as a layer.
//
//   MemFs layer;
//   absl::StatusOr<HostDirectoryReport> report = ReadHostDirectory("rootfs", layer, layer.root());
//
// Names, types, modes, owners, times, symlinks, hard links, xattrs and device numbers are read at
// once; the body of a file is read, whole, when somebody first wants its bytes. By then the file
// must still have the device, inode, size and mtime seen at first; otherwise the read gives kIo,
// now and ever after, and `on_message` is told which file and why.
//
// The host is never written (not even access times, where the kernel lets us), and no symlink is
// followed: everything is opened one component at a time, relative to the directory above it.
//
// Names and marks are taken as they are: character devices 0:0 and trusted.overlay.* xattrs, so the
// upper directory of a real overlay works as a layer; `.wh.` names are ordinary names.
//
// Threads: a pure function; the MemFs must not be used meanwhile. Bodies may be read from any
// thread afterwards.
// Lifetime: the MemFs keeps one descriptor of the host directory while it holds lazy bodies.
#ifndef LAMINA_IMAGE_HOST_DIR_H_
#define LAMINA_IMAGE_HOST_DIR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/fs/mem_fs.h"

namespace lamina {

enum class UnreadableDirectory : std::uint8_t {
  kError,  // the whole read fails
  kSkip,   // it stays empty, and the report names it
};

struct HostDirectoryOptions {
  std::uint64_t max_entries = 10'000'000;
  std::uint64_t max_xattr_bytes = std::uint64_t{1} << 20U;  // keys and values of one entry
  bool xattrs = true;                                       // needs /proc; false leaves them out
  UnreadableDirectory unreadable = UnreadableDirectory::kError;
  // Told about each body that could not be loaded: a sentence with the file's name. One call at a
  // time, from the thread that reads; it must not call into the MemFs.
  std::function<void(std::string_view message)> on_message;
};

struct HostDirectoryReport {
  std::uint64_t entries = 0;  // names, without the directory itself
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t special = 0;         // devices, fifos, sockets
  std::uint64_t hard_links = 0;      // names beyond the first one of a file
  std::uint64_t bytes = 0;           // sum of the file sizes, a hard-linked file once
  std::uint64_t xattrs_dropped = 0;  // not readable for us, or of a kind a MemFs cannot hold
  std::vector<std::string> unreadable_directories;  // with UnreadableDirectory::kSkip
  std::vector<std::string> mounts;                  // directories where another file system begins
};

// Reads the directory `path` into the directory `into`, which gets its mode, owner, times and
// xattrs. After an error the MemFs is what it was before. If `path` itself is a symlink it is
// followed: it is the caller's word, not the tree's.
//
// Errors, each naming the file:
//   FailedPrecondition  `fs` is frozen
//   InvalidArgument     `into` is no directory; `path` is no directory
//   NotFound            `path` does not exist, or an entry went away while we read
//   PermissionDenied    `path` or (kError) a directory below it is not readable
//   AlreadyExists       `into` holds that name already
//   ResourceExhausted   over a limit, or no space in `fs`
//   Aborted             a directory was moved while we read
//   Unavailable         any other error of the host
absl::StatusOr<HostDirectoryReport> ReadHostDirectory(std::string_view path, MemFs& fs, NodeId into,
                                                      const HostDirectoryOptions& options = {});

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_DIR_H_
