#include "sim/model/rules.h"

namespace lamina::sim {

bool Allows(const ModelCaller& caller, const ModelInode& inode, unsigned wanted) {
  if (caller.is_root()) {
    const bool executes = (wanted & kModelExecute) != 0;
    return inode.is_directory() || !executes || (inode.mode & 0111U) != 0;
  }
  unsigned granted = inode.mode & 7U;
  if (caller.uid == inode.uid) {
    granted = (inode.mode >> 6U) & 7U;
  } else if (caller.gid == inode.gid) {
    granted = (inode.mode >> 3U) & 7U;
  }
  return (wanted & ~granted) == 0;
}

bool Owns(const ModelCaller& caller, const ModelInode& inode) {
  return caller.is_root() || caller.uid == inode.uid;
}

bool StickyForbids(const ModelCaller& caller, const ModelInode& dir, const ModelInode& victim) {
  if ((dir.mode & kModelSticky) == 0) return false;
  return !Owns(caller, dir) && !Owns(caller, victim);
}

bool StickyForbidsReuse(const ModelCaller& caller, const ModelInode& dir, const ModelInode& found) {
  if (found.type == ModelType::kFile || found.type == ModelType::kFifo) return false;
  const bool shared = (dir.mode & kModelSticky) != 0 && (dir.mode & 0002U) != 0;
  return shared && found.uid != dir.uid && found.uid != caller.uid;
}

std::uint16_t WithoutSetId(const ModelCaller& caller, const ModelInode& inode) {
  std::uint16_t mode = inode.mode & static_cast<std::uint16_t>(~kModelSetUid);
  const bool group_may_execute = (mode & 010U) != 0;
  if (group_may_execute || !(caller.is_root() || caller.gid == inode.gid)) {
    mode &= static_cast<std::uint16_t>(~kModelSetGid);
  }
  return mode;
}

std::uint16_t ModeToSet(const ModelCaller& caller, std::uint32_t gid, std::uint16_t mode) {
  if (caller.is_root() || caller.gid == gid) return mode;
  return mode & static_cast<std::uint16_t>(~kModelSetGid);
}

}  // namespace lamina::sim
