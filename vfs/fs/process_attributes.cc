// Calls that read and change attributes. Order of errors: Linux fs/open.c, fs/attr.c, fs/utimes.c.
#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

constexpr std::uint16_t kModeGroupExecute = 010;

bool IsSpecial(FileType type) {
  return type == FileType::kCharDevice || type == FileType::kBlockDevice ||
         type == FileType::kFifo || type == FileType::kSocket;
}

std::uint16_t Without(std::uint16_t mode, std::uint16_t bits) {
  return static_cast<std::uint16_t>(mode & ~bits);
}

// chgrp_ok
bool MayGiveToGroup(const OpContext& op, const Stat& stat, std::uint32_t gid) {
  if (op.cred.Has(Capability::kChown)) return true;
  return op.cred.uid == stat.uid && (gid == stat.gid || op.cred.InGroup(gid));
}

// The mode after a change of owner (setattr_should_drop_suidgid): directories keep theirs.
std::uint16_t ModeAfterChown(const OpContext& op, const Stat& stat) {
  if (stat.type == FileType::kDirectory) return stat.mode;
  std::uint16_t mode = Without(stat.mode, kModeSetUid);
  if ((mode & kModeGroupExecute) != 0 || !MayKeepSetGid(op, stat.gid)) {
    mode = Without(mode, kModeSetGid);
  }
  return mode;
}

std::optional<Instant> TimeOf(const OpContext& op, TimeChange change) {
  switch (change.kind) {
    case TimeChange::Kind::kAt:
      return change.at;
    case TimeChange::Kind::kNow:
      return op.now;
    case TimeChange::Kind::kKeep:
      return std::nullopt;
  }
  return std::nullopt;
}

AttrChange SizeChange(std::uint64_t size_bytes) {
  AttrChange change;
  change.size_bytes = size_bytes;
  return change;
}

bool KeepsBoth(TimeChange atime, TimeChange mtime) {
  return atime.kind == TimeChange::Kind::kKeep && mtime.kind == TimeChange::Kind::kKeep;
}

}  // namespace

// chmod_common and setattr_prepare
Result<void> Process::Body::ChangeMode(const OpContext& op, const Stat& stat, std::uint16_t mode) {
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  if (!ActsAsOwner(op, stat)) return Errno::kPerm;
  // fchmodat of a symlink, which only an O_PATH descriptor could ask for, never gets here.
  mode &= kModeAll;
  if (!MayKeepSetGid(op, stat.gid)) mode = Without(mode, kModeSetGid);
  AttrChange change;
  change.mode = mode;
  return fs.SetAttr(op, stat.node, change);
}

// chown_common and setattr_prepare
Result<void> Process::Body::ChangeOwner(const OpContext& op, const Stat& stat,
                                        std::optional<std::uint32_t> uid,
                                        std::optional<std::uint32_t> gid) {
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  if (uid && !(op.cred.uid == stat.uid && *uid == stat.uid) && !op.cred.Has(Capability::kChown)) {
    return Errno::kPerm;
  }
  if (gid && !MayGiveToGroup(op, stat, *gid)) return Errno::kPerm;
  AttrChange change;
  change.uid = uid;
  change.gid = gid;
  // The set-id bits go even when both ids are kept; that is a change of mode, which only the owner
  // may make. Ids that are given as they are make the file system drop a file capability too.
  const std::uint16_t mode = ModeAfterChown(op, stat);
  if (mode != stat.mode) {
    if (!ActsAsOwner(op, stat)) return Errno::kPerm;
    const bool keeps = MayKeepSetGid(op, gid.value_or(stat.gid));
    change.mode = keeps ? mode : Without(mode, kModeSetGid);
  }
  if (!uid && !gid && stat.type != FileType::kDirectory) change.uid = stat.uid;
  return fs.SetAttr(op, stat.node, change);
}

// vfs_utimes and setattr_prepare
Result<void> Process::Body::ChangeTimes(const OpContext& op, const Stat& stat, TimeChange atime,
                                        TimeChange mtime) {
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  const bool touch = atime.kind == TimeChange::Kind::kNow && mtime.kind == TimeChange::Kind::kNow;
  if (!ActsAsOwner(op, stat)) {
    if (!touch) return Errno::kPerm;
    if (Result<void> allowed = CheckAccess(op, fs, stat, kMayWrite); !allowed.ok()) return allowed;
  }
  AttrChange change;
  change.atime = TimeOf(op, atime);
  change.mtime = TimeOf(op, mtime);
  return fs.SetAttr(op, stat.node, change);
}

Result<Stat> Process::GetStat(std::string_view path, LastLink last_link) {
  return body_->Run("stat", [&](const OpContext& op) -> Result<Stat> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return *walk->stat;
  });
}

Result<Stat> Process::Fstat(Fd fd) {
  return body_->Run("fstat", [&](const OpContext& op) -> Result<Stat> {
    std::shared_ptr<internal::OpenFile> file = body_->FindAny(fd);
    if (file == nullptr) return Errno::kBadF;
    return body_->fs.GetAttr(op, file->node);
  });
}

Result<void> Process::Chmod(std::string_view path, std::uint16_t mode) {
  return body_->Run("chmod", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, LastLink::kFollow);
    if (!walk.ok()) return walk.error();
    return body_->ChangeMode(op, *walk->stat, mode);
  });
}

Result<void> Process::Fchmod(Fd fd, std::uint16_t mode) {
  return body_->Run("fchmod", [&](const OpContext& op) -> Result<void> {
    Result<Stat> stat = body_->StatOf(op, fd);
    if (!stat.ok()) return stat.error();
    return body_->ChangeMode(body_->Through(op, fd), *stat, mode);
  });
}

Result<void> Process::Chown(std::string_view path, std::optional<std::uint32_t> uid,
                            std::optional<std::uint32_t> gid, LastLink last_link) {
  return body_->Run("chown", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return body_->ChangeOwner(op, *walk->stat, uid, gid);
  });
}

Result<void> Process::Fchown(Fd fd, std::optional<std::uint32_t> uid,
                             std::optional<std::uint32_t> gid) {
  return body_->Run("fchown", [&](const OpContext& op) -> Result<void> {
    Result<Stat> stat = body_->StatOf(op, fd);
    if (!stat.ok()) return stat.error();
    return body_->ChangeOwner(body_->Through(op, fd), *stat, uid, gid);
  });
}

Result<void> Process::Utimens(std::string_view path, TimeChange atime, TimeChange mtime,
                              LastLink last_link) {
  return body_->Run("utimensat", [&](const OpContext& op) -> Result<void> {
    if (KeepsBoth(atime, mtime)) return {};  // utimensat does not even look at the path
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return body_->ChangeTimes(op, *walk->stat, atime, mtime);
  });
}

Result<void> Process::Futimens(Fd fd, TimeChange atime, TimeChange mtime) {
  return body_->Run("futimens", [&](const OpContext& op) -> Result<void> {
    if (KeepsBoth(atime, mtime)) return {};
    Result<Stat> stat = body_->StatOf(op, fd);
    if (!stat.ok()) return stat.error();
    return body_->ChangeTimes(body_->Through(op, fd), *stat, atime, mtime);
  });
}

// vfs_truncate
Result<void> Process::Truncate(std::string_view path, std::uint64_t size_bytes) {
  return body_->Run("truncate", [&](const OpContext& op) -> Result<void> {
    if (size_bytes > internal::kMaxOffset) return Errno::kInval;
    Result<WalkResult> walk = body_->WalkToNode(op, path, LastLink::kFollow);
    if (!walk.ok()) return walk.error();
    const Stat& stat = *walk->stat;
    if (stat.type == FileType::kDirectory) return Errno::kIsDir;
    if (stat.type != FileType::kRegular) return Errno::kInval;
    if (Result<void> writable = body_->RequireWritable(); !writable.ok()) return writable;
    Result<void> allowed = CheckAccess(op, body_->fs, stat, kMayWrite);
    if (!allowed.ok()) return allowed;
    // Linux waits for the holder of a lease; nobody waits here.
    if (Result<void> free = body_->locks->CheckOpen(stat.node, true); !free.ok()) return free;
    return body_->fs.SetAttr(op, stat.node, SizeChange(size_bytes));
  });
}

Result<void> Process::Ftruncate(Fd fd, std::uint64_t size_bytes) {
  return body_->Run("ftruncate", [&](const OpContext& op) -> Result<void> {
    if (size_bytes > internal::kMaxOffset) return Errno::kInval;
    std::shared_ptr<internal::OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->type != FileType::kRegular || !file->writes()) return Errno::kInval;
    AttrChange change = SizeChange(size_bytes);
    change.mtime = op.now;  // unlike truncate, also when the size stays
    return body_->fs.SetAttr(body_->Through(op, fd), file->node, change);
  });
}

// do_faccessat with AT_EACCESS
Result<void> Process::CheckPath(std::string_view path, unsigned wanted, LastLink last_link) {
  return body_->Run("faccessat", [&](const OpContext& op) -> Result<void> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    Result<void> allowed = CheckAccess(op, body_->fs, *walk->stat, wanted);
    if (!allowed.ok()) return allowed;
    if ((wanted & kMayWrite) == 0 || IsSpecial(walk->stat->type)) return {};
    return body_->RequireWritable();
  });
}

Result<ProcessSpace> Process::Statfs(std::string_view path) {
  return body_->Run("statfs", [&](const OpContext& op) -> Result<ProcessSpace> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, LastLink::kFollow);
    if (!walk.ok()) return walk.error();
    Result<FsSpace> space = body_->fs.GetSpace(op);
    if (!space.ok()) return space.error();
    const FsLimits limits = body_->fs.limits();
    return ProcessSpace{*space, limits.name_max, limits.read_only};
  });
}

}  // namespace lamina
