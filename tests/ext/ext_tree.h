// The tree of a file system as text, for comparison in tests.
#ifndef LAMINA_TESTS_EXT_EXT_TREE_H_
#define LAMINA_TESTS_EXT_EXT_TREE_H_

#include <cstdint>
#include <string>

#include "lamina/fs/file_system.h"

namespace lamina::test {

enum class TreeTimes : std::uint8_t { kNone, kSeconds, kNanoseconds };  // mtime; of symlinks too
struct TreeShown {
  TreeTimes times = TreeTimes::kNanoseconds;
  bool xattrs = true;
  bool special = true;  // devices, fifos, sockets
  bool owners = true;
  std::uint16_t modes = 07777;  // which bits
  bool root = true;             // the line of the root itself
  bool links = true;            // how many and which names are one inode
};

// One line a node, sorted by path; content as a checksum; names of one inode name the first of
// them. What cannot be read shows as the name of its error. Without "lost+found" of the root.
std::string TreeLines(FileSystem& fs, NodeId root, const TreeShown& shown = {});

}  // namespace lamina::test
#endif  // LAMINA_TESTS_EXT_EXT_TREE_H_
