// The model's words for types, modes and attributes as the library's, and back.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_MODEL_VALUES_H_
#define LAMINA_TESTS_MODEL_MODEL_VALUES_H_

#include "lamina/fs/file_system.h"
#include "sim/model/inode.h"
#include "sim/model/posix.h"
#include "sim/model/view.h"

namespace lamina::sim {

FileType TypeOf(ModelType type);
ModelType ModelTypeOf(FileType type);
RenameMode RenameModeOf(ModelRename mode);
XattrMode XattrModeOf(ModelXattrMode mode);
// What a stat says of the inode; its device numbers too.
ModelInode InodeOf(const Stat& stat);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_MODEL_VALUES_H_
