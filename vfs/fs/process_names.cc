// Calls that make, remove and move names. The order of errors is that of Linux fs/namei.c; the
// function there is named where ours follows it.
#include <algorithm>

#include "lamina/fs/posix_acl.h"
#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

using internal::NewNameSlash;

constexpr std::uint16_t kModeGroupExecute = 010;
constexpr std::uint16_t kMakeDirectoryBits = kModeSticky | kModePermissions;

bool IsDirectory(const Stat& stat) { return stat.type == FileType::kDirectory; }

bool Contains(const std::vector<NodeId>& chain, NodeId node) {
  return std::find(chain.begin(), chain.end(), node) != chain.end();
}

// may_delete: permission and sticky bit first, the type after them.
Result<void> CheckMayDelete(const OpContext& op, FileSystem& fs, const Stat& dir,
                            const Stat& victim, FileType expected) {
  if (Result<void> allowed = CheckMayRemove(op, fs, dir, victim); !allowed.ok()) return allowed;
  if (expected == FileType::kDirectory) {
    if (!IsDirectory(victim)) return Errno::kNotDir;
    return {};
  }
  if (IsDirectory(victim)) return Errno::kIsDir;
  return {};
}

// What is wrong with a rename before anybody's permission is asked (do_renameat2).
Result<void> CheckRenameNames(const WalkResult& from, const WalkResult& to, RenameMode mode) {
  const bool exchange = mode == RenameMode::kExchange;
  if (!from.stat) return from.missing;
  if (to.stat) {
    if (mode == RenameMode::kNoReplace) return Errno::kExist;
    if (exchange && !IsDirectory(*to.stat) && to.trailing_slash) return Errno::kNotDir;
  } else if (exchange || to.missing != Errno::kNoEnt) {
    return to.missing;
  }
  if (!IsDirectory(*from.stat)) {
    if (from.trailing_slash) return Errno::kNotDir;
    if (!exchange && to.trailing_slash) return Errno::kNotDir;
  }
  if (Contains(to.chain, from.stat->node)) return Errno::kInval;
  if (to.stat && Contains(from.chain, to.stat->node)) {
    return exchange ? Errno::kInval : Errno::kNotEmpty;
  }
  return {};
}

Result<void> CheckRenameLast(const WalkResult& from, const WalkResult& to, RenameMode mode) {
  if (from.last != WalkResult::Last::kName) return Errno::kBusy;
  if (to.last == WalkResult::Last::kName) return {};
  return mode == RenameMode::kNoReplace ? Errno::kExist : Errno::kBusy;
}

// safe_hardlink_source
bool IsSafeToLink(const OpContext& op, FileSystem& fs, const Stat& stat) {
  if (stat.type != FileType::kRegular) return false;
  if ((stat.mode & kModeSetUid) != 0) return false;
  constexpr std::uint16_t kGroupRun = kModeSetGid | kModeGroupExecute;
  if ((stat.mode & kGroupRun) == kGroupRun) return false;
  return CheckAccess(op, fs, stat, kMayRead | kMayWrite).ok();
}

}  // namespace

Result<WalkResult> Process::Body::WalkToNode(const OpContext& op, std::string_view path,
                                             LastLink last_link) {
  Result<WalkResult> walk = Walk(op, start, path, last_link);
  if (walk.ok() && !walk->stat) return walk->missing;
  return walk;
}

Result<WalkResult> Process::Body::WalkToNewName(const OpContext& op, std::string_view path,
                                                NewNameSlash slash) {
  Result<WalkResult> walk = WalkToParent(op, start, path);
  if (!walk.ok()) return walk;
  if (walk->last != WalkResult::Last::kName || walk->stat) return Errno::kExist;
  if (walk->missing != Errno::kNoEnt) return walk->missing;
  if (walk->trailing_slash && slash == NewNameSlash::kRefused) return Errno::kNoEnt;
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable.error();
  return walk;
}

Result<Stat> Process::Body::CheckMayCreate(const OpContext& op, NodeId dir) {
  Result<Stat> stat = fs.GetAttr(op, dir);
  if (!stat.ok()) return stat;
  if (stat->nlink == 0) return Errno::kNoEnt;
  if (Result<void> allowed = CheckAccess(op, fs, *stat, kMayWrite | kMayExecute); !allowed.ok()) {
    return allowed.error();
  }
  return stat;
}

// vfs_prepare_mode
std::uint16_t Process::Body::ModeOfNew(const OpContext& op, const Stat& dir, FileType type,
                                       std::uint16_t mode) {
  mode &= type == FileType::kDirectory ? kMakeDirectoryBits : kModeAll;
  constexpr std::uint16_t kGroupRun = kModeSetGid | kModeGroupExecute;
  if ((mode & kGroupRun) == kGroupRun && (dir.mode & kModeSetGid) != 0 &&
      !MayKeepSetGid(op, dir.gid)) {
    mode &= static_cast<std::uint16_t>(~kModeSetGid);
  }
  if ((mode & umask) == 0) return mode;
  const bool inherits = fs.limits().xattrs && fs.GetXattr(op, dir.node, kDefaultAclKey).ok();
  if (inherits) return mode;
  return static_cast<std::uint16_t>(mode & ~umask);
}

Result<void> Process::Body::CheckMayLink(const OpContext& op, const Stat& source, NodeId dir) {
  if (options.protected_hardlinks && !IsSafeToLink(op, fs, source) && !ActsAsOwner(op, source)) {
    return Errno::kPerm;
  }
  if (Result<Stat> allowed = CheckMayCreate(op, dir); !allowed.ok()) return allowed.error();
  if (IsDirectory(source)) return Errno::kPerm;
  return {};
}

void Process::Body::FollowRename(NodeId moved, const std::vector<NodeId>& new_parents) {
  auto found = std::find(start.cwd.begin(), start.cwd.end(), moved);
  if (found == start.cwd.end()) return;
  std::vector<NodeId> chain = new_parents;
  chain.insert(chain.end(), found, start.cwd.end());
  start.cwd = std::move(chain);
}

Result<void> Process::Mkdir(std::string_view path, std::uint16_t mode) {
  return body_->Run("mkdir", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = body_->WalkToNewName(op, path, NewNameSlash::kAllowed);
    if (!walk.ok()) return walk.error();
    Result<Stat> dir = body_->CheckMayCreate(op, walk->parent());
    if (!dir.ok()) return dir.error();
    NewNode node;
    node.type = FileType::kDirectory;
    node.mode = body_->ModeOfNew(op, *dir, node.type, mode);
    Result<NodeId> made = body_->fs.Create(op, walk->place(), node);
    if (!made.ok()) return made.error();
    return {};
  });
}

Result<void> Process::Mknod(std::string_view path, FileType type, std::uint16_t mode,
                            std::uint64_t rdev) {
  return body_->Run("mknod", [&](const OpContext& op) -> Result<void> {
    if (type == FileType::kDirectory) return Errno::kPerm;
    if (type == FileType::kSymlink) return Errno::kInval;
    Result<WalkResult> walk = body_->WalkToNewName(op, path, NewNameSlash::kRefused);
    if (!walk.ok()) return walk.error();
    Result<Stat> dir = body_->CheckMayCreate(op, walk->parent());
    if (!dir.ok()) return dir.error();
    // vfs_mknod: a whiteout (character device 0:0) is not a device anybody could open.
    const bool whiteout = type == FileType::kCharDevice && rdev == MakeDevice(0, 0);
    const bool device = type == FileType::kCharDevice || type == FileType::kBlockDevice;
    if (device && !whiteout && !op.cred.Has(Capability::kMknod)) return Errno::kPerm;
    NewNode node;
    node.type = type;
    if (device) node.rdev = rdev;
    node.mode = body_->ModeOfNew(op, *dir, type, mode);
    Result<NodeId> made = body_->fs.Create(op, walk->place(), node);
    if (!made.ok()) return made.error();
    return {};
  });
}

Result<void> Process::Symlink(std::string_view target, std::string_view path) {
  return body_->Run("symlink", [&](const OpContext& op) -> Result<void> {
    if (target.empty()) return Errno::kNoEnt;
    if (target.size() > kMaxPathBytes) return Errno::kNameTooLong;
    Result<WalkResult> walk = body_->WalkToNewName(op, path, NewNameSlash::kRefused);
    if (!walk.ok()) return walk.error();
    Result<Stat> dir = body_->CheckMayCreate(op, walk->parent());
    if (!dir.ok()) return dir.error();
    const NewNode node{
        .type = FileType::kSymlink, .mode = kModePermissions, .symlink_target = target};
    Result<NodeId> made = body_->fs.Create(op, walk->place(), node);
    if (!made.ok()) return made.error();
    return {};
  });
}

Result<void> Process::Link(std::string_view from, std::string_view to, LastLink last_link) {
  return body_->Run("link", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> source = body_->WalkToNode(op, from, last_link);
    if (!source.ok()) return source.error();
    Result<WalkResult> target = body_->WalkToNewName(op, to, NewNameSlash::kRefused);
    if (!target.ok()) return target.error();
    Result<void> allowed = body_->CheckMayLink(op, *source->stat, target->parent());
    if (!allowed.ok()) return allowed;
    return body_->fs.Link(op, source->stat->node, target->place());
  });
}

Result<void> Process::LinkOpenFile(Fd fd, std::string_view to) {
  return body_->Run("linkat", [&](const OpContext& op) -> Result<void> {
    std::shared_ptr<internal::OpenFile> file = body_->FindAny(fd);
    if (file == nullptr) return Errno::kBadF;
    // AT_EMPTY_PATH is for who opened the file, or may search everything.
    const bool opened_it = file->opener == body_->cred_change;
    if (!opened_it && !op.cred.Has(Capability::kDacReadSearch)) return Errno::kNoEnt;
    Result<Stat> source = body_->fs.GetAttr(op, file->node);
    if (!source.ok()) return source.error();
    Result<WalkResult> target = body_->WalkToNewName(op, to, NewNameSlash::kRefused);
    if (!target.ok()) return target.error();
    Result<void> allowed = body_->CheckMayLink(op, *source, target->parent());
    if (!allowed.ok()) return allowed;
    if (source->nlink > 0) return body_->fs.Link(op, file->node, target->place());
    if (!file->may_get_name) return Errno::kNoEnt;
    return body_->fs.LinkHandle(op, file->handle, target->place());
  });
}

Result<void> Process::Unlink(std::string_view path) {
  return body_->Run("unlink", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = WalkToParent(op, body_->start, path);
    if (!walk.ok()) return walk.error();
    if (walk->last != WalkResult::Last::kName) return Errno::kIsDir;
    if (Result<void> writable = body_->RequireWritable(); !writable.ok()) return writable;
    if (!walk->stat) return walk->missing;
    const Stat& victim = *walk->stat;
    if (walk->trailing_slash) return IsDirectory(victim) ? Errno::kIsDir : Errno::kNotDir;
    Result<Stat> dir = body_->fs.GetAttr(op, walk->parent());
    if (!dir.ok()) return dir.error();
    Result<void> allowed = CheckMayDelete(op, body_->fs, *dir, victim, FileType::kRegular);
    if (!allowed.ok()) return allowed;
    return body_->fs.Remove(op, walk->place(), victim.type);
  });
}

Result<void> Process::Rmdir(std::string_view path) {
  return body_->Run("rmdir", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = WalkToParent(op, body_->start, path);
    if (!walk.ok()) return walk.error();
    switch (walk->last) {
      case WalkResult::Last::kDotDot:
        return Errno::kNotEmpty;
      case WalkResult::Last::kDot:
        return Errno::kInval;
      case WalkResult::Last::kRoot:
        return Errno::kBusy;
      case WalkResult::Last::kName:
        break;
    }
    if (Result<void> writable = body_->RequireWritable(); !writable.ok()) return writable;
    if (!walk->stat) return walk->missing;
    Result<Stat> dir = body_->fs.GetAttr(op, walk->parent());
    if (!dir.ok()) return dir.error();
    Result<void> allowed = CheckMayDelete(op, body_->fs, *dir, *walk->stat, FileType::kDirectory);
    if (!allowed.ok()) return allowed;
    return body_->fs.Remove(op, walk->place(), FileType::kDirectory);
  });
}

// The permission half of vfs_rename.
Result<void> Process::Body::CheckMayRename(const OpContext& op, const WalkResult& from,
                                           const WalkResult& to, RenameMode mode) {
  const Stat& source = *from.stat;
  Result<Stat> old_dir = fs.GetAttr(op, from.parent());
  if (!old_dir.ok()) return old_dir.error();
  if (Result<void> allowed = CheckMayDelete(op, fs, *old_dir, source, source.type); !allowed.ok()) {
    return allowed;
  }
  const bool exchange = mode == RenameMode::kExchange;
  if (to.stat) {
    Result<Stat> new_dir = fs.GetAttr(op, to.parent());
    if (!new_dir.ok()) return new_dir.error();
    const FileType expected = exchange ? to.stat->type : source.type;
    Result<void> allowed = CheckMayDelete(op, fs, *new_dir, *to.stat, expected);
    if (!allowed.ok()) return allowed;
  } else if (Result<Stat> allowed = CheckMayCreate(op, to.parent()); !allowed.ok()) {
    return allowed.error();
  }
  if (from.parent() == to.parent()) return {};
  // A directory that changes its parent is written: its ".." changes.
  if (IsDirectory(source)) {
    if (Result<void> allowed = CheckAccess(op, fs, source, kMayWrite); !allowed.ok()) {
      return allowed;
    }
  }
  if (exchange && IsDirectory(*to.stat)) return CheckAccess(op, fs, *to.stat, kMayWrite);
  return {};
}

Result<void> Process::Rename(std::string_view from_path, std::string_view to_path,
                             RenameMode mode) {
  return body_->Run("rename", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> from = WalkToParent(op, body_->start, from_path);
    if (!from.ok()) return from.error();
    Result<WalkResult> to = WalkToParent(op, body_->start, to_path);
    if (!to.ok()) return to.error();
    if (Result<void> last = CheckRenameLast(*from, *to, mode); !last.ok()) return last;
    if (Result<void> writable = body_->RequireWritable(); !writable.ok()) return writable;
    if (Result<void> names = CheckRenameNames(*from, *to, mode); !names.ok()) return names;
    if (to->stat && to->stat->node == from->stat->node) return {};
    // As Linux since 5.8, leaving a whiteout asks for no capability.
    Result<void> allowed = body_->CheckMayRename(op, *from, *to, mode);
    if (!allowed.ok()) return allowed;
    Result<void> renamed = body_->fs.Rename(op, from->place(), to->place(), mode);
    if (!renamed.ok()) return renamed;
    const NodeId moved = from->stat->node;
    if (mode == RenameMode::kExchange && Contains(body_->start.cwd, to->stat->node)) {
      body_->FollowRename(to->stat->node, from->chain);
    } else {
      body_->FollowRename(moved, to->chain);
    }
    return {};
  });
}

Result<std::string> Process::Readlink(std::string_view path) {
  return body_->Run("readlink", [&](const OpContext& op) -> Result<std::string> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, LastLink::kKeep);
    if (!walk.ok()) return walk.error();
    if (walk->stat->type != FileType::kSymlink) return Errno::kInval;
    return body_->fs.ReadLink(op, walk->stat->node);
  });
}

Result<void> Process::Chdir(std::string_view path) {
  return body_->Run("chdir", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, LastLink::kFollow);
    if (!walk.ok()) return walk.error();
    if (!IsDirectory(*walk->stat)) return Errno::kNotDir;
    Result<void> allowed = CheckAccess(op, body_->fs, *walk->stat, kMayExecute);
    if (!allowed.ok()) return allowed;
    Result<HandleId> handle =
        body_->fs.Open(op, walk->stat->node, OpenFlags{.access = Access::kPath});
    if (!handle.ok()) return handle.error();
    if (body_->cwd_handle != HandleId{}) body_->fs.Close(body_->cwd_handle);
    body_->cwd_handle = *handle;
    if (walk->last == WalkResult::Last::kName) walk->chain.push_back(walk->stat->node);
    body_->start.cwd = std::move(walk->chain);
    return {};
  });
}

}  // namespace lamina
