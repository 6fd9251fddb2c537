// What mounts of every dialect do with the directories of a branch, and the device of a union.
//
// Threads: pure functions of the branches.
#ifndef LAMINA_VFS_UNION_BRANCH_TREE_H_
#define LAMINA_VFS_UNION_BRANCH_TREE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/union/branch.h"

namespace lamina {

bool SameDirectory(const DirectoryRef& a, const DirectoryRef& b);
// `inner` lies below `outer`.
bool IsInside(const DirectoryRef& inner, const DirectoryRef& outer);

using NamedEntry = std::pair<std::string, FileType>;
// In the order of the branch.
Result<std::vector<NamedEntry>> ReadEntries(const OpContext& op, FileSystem& fs, NodeId dir);
// Removes everything below `dir`.
Result<void> EmptyDirectory(const OpContext& op, FileSystem& fs, NodeId dir);

// The st_dev of a union; another one at each call.
std::uint64_t NextUnionDevice();

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_BRANCH_TREE_H_
