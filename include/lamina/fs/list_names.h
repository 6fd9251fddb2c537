// ListNames: the names in a directory, as one value.
//
//   Result<std::vector<std::string>> names = ListNames(op, fs, fs.root());
//
// Threads: as the file system.
#ifndef LAMINA_FS_LIST_NAMES_H_
#define LAMINA_FS_LIST_NAMES_H_

#include <string>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

// In the order of readdir, without "." and "..". Opens the directory and closes it again.
// Errors: those of FileSystem::Open and then of FileSystem::ReadDir.
Result<std::vector<std::string>> ListNames(const OpContext& op, FileSystem& fs, NodeId dir);

}  // namespace lamina
#endif  // LAMINA_FS_LIST_NAMES_H_
