// A tree of a file system as text, for comparison in tests.
#ifndef LAMINA_TESTS_IMAGE_TREE_TEXT_H_
#define LAMINA_TESTS_IMAGE_TREE_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/fs/file_system.h"

namespace lamina::test {

enum class TreeDetail : std::uint8_t {
  kBrief,  // type, name, content, xattrs
  kFull,   // and mode, owner, times, link count, which names are one inode
};

// One line a node, a directory before what is in it, names sorted, the root (".") only in full:
//   d a                       directory
//   f a/b "text"              file; `~5` for a hole of 5 bytes or more
//   l a/c -> target           symlink
//   c a/d 0:0                 device (c or b), p fifo, s socket
// Xattrs follow as [key=value]. A body that cannot be read shows as the name of its error.
std::string TreeText(FileSystem& fs, NodeId root, TreeDetail detail);

// The node at `path` (components by '/', no symlinks followed); value 0 when there is none.
NodeId Find(FileSystem& fs, NodeId root, std::string_view path);
// The attributes of the node at `path`, which must be there.
Stat StatOf(FileSystem& fs, NodeId root, std::string_view path);
// The whole content, or the error.
Result<std::string> ContentOf(FileSystem& fs, NodeId node);

}  // namespace lamina::test
#endif  // LAMINA_TESTS_IMAGE_TREE_TEXT_H_
