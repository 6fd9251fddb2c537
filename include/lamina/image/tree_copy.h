// CopyTree: everything below a directory of one FileSystem, made again in another.
//
//   absl::StatusOr<TreeCopyReport> report = CopyTree(op, from, from.root(), to, to.root());
//
// Names, types, modes, owners, access and modification times, symlinks, hard links, xattrs, device
// numbers and bodies; holes stay holes. Names with one (st_dev, st_ino) become one file. Marks are
// not translated. ctimes are those of the calls: `op.now`.
//
// Threads: as the file systems.
#ifndef LAMINA_IMAGE_TREE_COPY_H_
#define LAMINA_IMAGE_TREE_COPY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/fs/file_system.h"

namespace lamina {

struct TreeCopyReport {
  std::uint64_t files = 0;
  std::uint64_t directories = 0;  // without the one at the top
  std::uint64_t symlinks = 0;
  std::uint64_t special = 0;         // devices, FIFOs, sockets
  std::uint64_t hard_links = 0;      // names beyond the first one of a file
  std::uint64_t bytes = 0;           // sum of the file sizes, a hard-linked file once
  std::uint64_t xattrs_dropped = 0;  // of a kind that the target does not know
};

// Copies what is in the directory `from` into the directory `to`, which gets its attributes. A
// directory that is there already ("lost+found" of a new file system) gets the entries and the
// attributes of the one of that name. After an error, a part is there.
//
// Errors, each naming the entry by its path from `from`:
//   InvalidArgument    `from` or `to` is no directory; a name, xattr or ACL that the target refuses
//   AlreadyExists      the target holds that name already
//   ResourceExhausted  no space in the target, or too many links
//   DataLoss           the source cannot be read
//   FailedPrecondition the target is read-only
//   Internal           any other error of the target
absl::StatusOr<TreeCopyReport> CopyTree(const OpContext& op, FileSystem& source, NodeId from,
                                        FileSystem& target, NodeId to);

}  // namespace lamina
#endif  // LAMINA_IMAGE_TREE_COPY_H_
