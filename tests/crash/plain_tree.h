// PlainTree: a whole directory tree as values, so that two of them can be compared field by field.
//
// Change times are left out: taking a step back moves them, too. Times after `recent` are all
// alike: a second attempt at a call is later than the first.
//
// Threads: plain values.
#ifndef LAMINA_TESTS_CRASH_PLAIN_TREE_H_
#define LAMINA_TESTS_CRASH_PLAIN_TREE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina::testing {

inline constexpr Instant kRecently{std::numeric_limits<std::int64_t>::max()};

struct PlainEntry {
  std::optional<Errno> error;  // listed, and then not found: nothing else is known
  FileType type{};
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::string content;  // bytes, target or device number
  Instant atime;
  Instant mtime;
  std::map<std::string, std::string> xattrs;
  std::string same_as;  // the first path with this inode number
};

using PlainTree = std::map<std::string, PlainEntry>;  // by path; "/" is the root

// Reads the tree below `root`. Errors are entries; a directory that cannot be read has none.
PlainTree ReadPlainTree(FileSystem& fs, NodeId root, Instant recent);

enum class TreeField : std::uint8_t {
  kPresence,  // there, not there, of another type
  kMode,
  kOwner,
  kLinks,
  kContent,
  kAtime,
  kMtime,
  kXattrs,
  kIdentity,
};

struct TreeDifference {
  std::string path;
  TreeField field{};
  const PlainEntry* expected = nullptr;  // null: no such path
  const PlainEntry* seen = nullptr;

  std::string ToString() const;  // "/d/a: mtime 5, expected 3"
};

// The differences point into both trees.
std::vector<TreeDifference> Compare(const PlainTree& expected, const PlainTree& seen);

// A line an entry: equal texts mean equal trees.
std::string TreeText(const PlainTree& tree);

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_PLAIN_TREE_H_
