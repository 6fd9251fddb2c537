// WalkTree: everything below a directory, in the order of Go's filepath.Walk: the names of a
// directory sorted, a directory before what is in it. The directory itself is not visited, no
// symlink is followed. A name that goes while the walk is under way is passed over.
//
// Threads: as the FileSystem. The visitor may change the tree.
#ifndef LAMINA_VFS_DRIVER_TREE_WALK_H_
#define LAMINA_VFS_DRIVER_TREE_WALK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "lamina/fs/file_system.h"

namespace lamina::internal {

enum class WalkOn : std::uint8_t {
  kInto,  // a directory: what is in it comes next
  kPast,  // the next name beside it
};
// `path` is absolute from the top: "/etc/hosts". An error ends the walk.
using TreeVisitor = absl::FunctionRef<Result<WalkOn>(const std::string& path, const Stat& stat)>;

// Errors: those of the visitor and of reading the directories.
Result<void> WalkTree(const OpContext& op, FileSystem& fs, NodeId top, TreeVisitor visit);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_TREE_WALK_H_
