// The body of a copy-up: O(1) between two file systems in memory, otherwise read and write with
// holes kept.
#ifndef LAMINA_VFS_UNION_COPY_BODY_H_
#define LAMINA_VFS_UNION_COPY_BODY_H_

#include <cstdint>

#include "lamina/fs/file_system.h"

namespace lamina {

// Copies the first `length_bytes` of `source` into the empty file `target`, open as `handle`, which
// then has that size. Returns the bytes of data a real copy moves (holes are skipped).
// `drop_zeros`: blocks of zeros become holes and are not moved.
// Errors: what the two file systems give.
Result<std::uint64_t> CopyBody(const OpContext& op, FileSystem& source_fs, NodeId source,
                               FileSystem& target_fs, HandleId handle, NodeId target,
                               std::uint64_t length_bytes, bool drop_zeros = false);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_COPY_BODY_H_
