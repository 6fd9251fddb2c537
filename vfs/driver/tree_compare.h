// CompareTrees: what makes the tree `after` of the tree `before`, by the attributes of NaiveDiff.
//
// Threads: as the FileSystems.
#ifndef LAMINA_VFS_DRIVER_TREE_COMPARE_H_
#define LAMINA_VFS_DRIVER_TREE_COMPARE_H_

#include <vector>

#include "lamina/driver/change_set.h"

namespace lamina::internal {

// Docker's sameFsTime: equal, or in the same second and one of them without nanoseconds.
bool IsSameTime(Instant a, Instant b);

struct TreeRoot {
  FileSystem* fs = nullptr;  // null: an empty tree
  NodeId node;
};

// Sorted by path; the roots themselves are not compared. Below a file that was a directory nothing
// is listed. Errors: those of reading the trees.
Result<std::vector<LayerChange>> CompareTrees(const OpContext& op, TreeRoot before, TreeRoot after);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_TREE_COMPARE_H_
