#include "tests/model/model_values.h"

namespace lamina::sim {

FileType TypeOf(ModelType type) {
  switch (type) {
    case ModelType::kFile:
      return FileType::kRegular;
    case ModelType::kDirectory:
      return FileType::kDirectory;
    case ModelType::kSymlink:
      return FileType::kSymlink;
    case ModelType::kCharDevice:
      return FileType::kCharDevice;
    case ModelType::kBlockDevice:
      return FileType::kBlockDevice;
    case ModelType::kFifo:
      return FileType::kFifo;
    case ModelType::kSocket:
      return FileType::kSocket;
  }
  return FileType::kRegular;
}

ModelType ModelTypeOf(FileType type) {
  for (int i = 0; i <= static_cast<int>(ModelType::kSocket); ++i) {
    if (TypeOf(static_cast<ModelType>(i)) == type) return static_cast<ModelType>(i);
  }
  return ModelType::kFile;
}

RenameMode RenameModeOf(ModelRename mode) {
  switch (mode) {
    case ModelRename::kReplace:
      return RenameMode::kReplace;
    case ModelRename::kNoReplace:
      return RenameMode::kNoReplace;
    case ModelRename::kExchange:
      return RenameMode::kExchange;
    case ModelRename::kLeaveWhiteout:
      return RenameMode::kLeaveWhiteout;
  }
  return RenameMode::kReplace;
}

XattrMode XattrModeOf(ModelXattrMode mode) {
  switch (mode) {
    case ModelXattrMode::kSet:
      return XattrMode::kSet;
    case ModelXattrMode::kCreate:
      return XattrMode::kCreate;
    case ModelXattrMode::kReplace:
      return XattrMode::kReplace;
  }
  return XattrMode::kSet;
}

ModelInode InodeOf(const Stat& stat) {
  ModelInode inode;
  inode.type = ModelTypeOf(stat.type);
  inode.mode = stat.mode;
  inode.uid = stat.uid;
  inode.gid = stat.gid;
  inode.mtime_ns = stat.mtime.virtual_ns;
  if (inode.is_device()) {
    inode.major = DeviceMajor(stat.rdev);
    inode.minor = DeviceMinor(stat.rdev);
  }
  return inode;
}

}  // namespace lamina::sim
