#include "lamina/fs/permission.h"

#include <string>

#include "lamina/fs/posix_acl.h"

namespace lamina {
namespace {

constexpr unsigned kGroupBits = 070;
constexpr unsigned kExecuteBits = 0111;

Result<void> Grant(unsigned permissions, unsigned wanted) {
  if ((wanted & ~permissions) == 0) return {};
  return Errno::kAccess;
}

// The access ACL; the empty one when there is none.
Result<PosixAcl> FetchAccessAcl(const OpContext& op, FileSystem& fs, const Stat& stat) {
  if (stat.type == FileType::kSymlink) return PosixAcl{};
  Result<std::string> value = fs.GetXattr(op, stat.node, kAccessAclKey);
  if (value.ok()) return ParsePosixAcl(*value);
  if (value.error() == Errno::kNoData || value.error() == Errno::kOpNotSupp) return PosixAcl{};
  return value.error();
}

// acl_permission_check: mode bits and ACL, without capabilities.
Result<void> CheckClasses(const OpContext& op, FileSystem& fs, const Stat& stat, unsigned wanted) {
  const unsigned mode = stat.mode;
  if (op.cred.uid == stat.uid) return Grant((mode >> 6U) & 7U, wanted);
  // An ACL without any group-class bit cannot grant more than the mode does.
  if ((mode & kGroupBits) != 0 && fs.limits().xattrs) {
    Result<PosixAcl> acl = FetchAccessAcl(op, fs, stat);
    if (!acl.ok()) return acl.error();
    if (!acl->empty()) return CheckAcl(*acl, op.cred, stat.uid, stat.gid, wanted);
  }
  if (op.cred.InGroup(stat.gid)) return Grant((mode >> 3U) & 7U, wanted);
  return Grant(mode & 7U, wanted);
}

// The second half of generic_permission: what capabilities grant when the classes do not.
bool CapabilitiesGrant(const Credentials& cred, const Stat& stat, unsigned wanted) {
  const bool override_all = cred.Has(Capability::kDacOverride);
  const bool read_search = cred.Has(Capability::kDacReadSearch);
  if (stat.type == FileType::kDirectory) {
    return override_all || (read_search && (wanted & kMayWrite) == 0);
  }
  if (wanted == kMayRead && read_search) return true;
  const bool executable = (stat.mode & kExecuteBits) != 0;
  return override_all && ((wanted & kMayExecute) == 0 || executable);
}

bool IsLockedByReadOnly(FileType type) {
  return type == FileType::kRegular || type == FileType::kDirectory || type == FileType::kSymlink;
}

}  // namespace

Result<void> CheckAccess(const OpContext& op, FileSystem& fs, const Stat& stat, unsigned wanted) {
  wanted &= kMayRead | kMayWrite | kMayExecute;
  const FsLimits limits = fs.limits();
  if ((wanted & kMayWrite) != 0 && IsLockedByReadOnly(stat.type) && limits.read_only) {
    return Errno::kRoFs;
  }
  // Asked first although Linux asks it last: only the answer counts, and this one needs no ACL.
  if (!CapabilitiesGrant(op.cred, stat, wanted)) {
    if (Result<void> allowed = CheckClasses(op, fs, stat, wanted); !allowed.ok()) return allowed;
  }
  return limits.checks_access ? fs.CheckAccess(op, stat.node, wanted) : Result<void>();
}

Result<void> CheckMayRemove(const OpContext& op, FileSystem& fs, const Stat& dir,
                            const Stat& victim) {
  if (Result<void> allowed = CheckAccess(op, fs, dir, kMayWrite | kMayExecute); !allowed.ok()) {
    return allowed;
  }
  const bool sticky = (dir.mode & kModeSticky) != 0;
  if (!sticky || op.cred.uid == victim.uid || op.cred.uid == dir.uid) return {};
  if (op.cred.Has(Capability::kFOwner)) return {};
  return Errno::kPerm;
}

}  // namespace lamina
