// A Branch is one directory tree taking part in a union. The union never looks below a branch:
// a branch may be a MemFs, an ext file system on a device, or another union.
//
//   index 0   rw   upper     writes land here
//   index 1   ro   image/2   searched next
//   index 2   ro   image/1   searched last
//
// Threads: immutable after construction; the FileSystem it points to has its own rule.
// Lifetime: does not own `fs`; whoever built the union does.
#ifndef LAMINA_UNION_BRANCH_H_
#define LAMINA_UNION_BRANCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

using BranchIndex = std::uint16_t;  // AUFS allows 32,767 branches
inline constexpr BranchIndex kNoBranch = 0xffff;

enum class BranchMode : std::uint8_t {
  kReadOnly,          // searched, never written
  kReadOnlyWhiteout,  // read-only, but its whiteouts count (AUFS `ro+wh`)
  kReadWrite,
};

struct Branch {
  FileSystem* fs = nullptr;
  NodeId root;
  BranchMode mode = BranchMode::kReadOnly;
  bool data_only = false;  // overlay `::`: no names, only bodies for metacopy files above
  std::string name;        // for explanations; need not be unique
};

// A directory of a file system, with the directories above it (from the file system's root down,
// without itself), which is how the mount sees that two directories overlap.
struct DirectoryRef {
  FileSystem* fs = nullptr;
  NodeId node;
  std::vector<NodeId> ancestors;
  std::string name = {};  // for explanations
};

}  // namespace lamina
#endif  // LAMINA_UNION_BRANCH_H_
