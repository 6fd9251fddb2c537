// Extended attributes. Order of errors: Linux fs/xattr.c, fs/posix_acl.c, security/commoncap.c.
#include <algorithm>

#include "lamina/fs/posix_acl.h"
#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

constexpr std::size_t kMaxKeyBytes = 255;
constexpr std::size_t kMaxValueBytes = 65536;
constexpr std::string_view kCapabilityKey = "security.capability";

bool IsAclKey(std::string_view key) { return key == kAccessAclKey || key == kDefaultAclKey; }

// import_xattr_name
Result<void> CheckKey(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyBytes) return Errno::kRange;
  return {};
}

// A namespace without a name in it (xattr_resolve_name).
Result<void> CheckHasName(std::string_view key) {
  const bool bare = key == "user." || key == "trusted." || key == "security.";
  if (bare) return Errno::kInval;
  return {};
}

// xattr_permission
Result<void> CheckXattrAccess(const OpContext& op, FileSystem& fs, const Stat& stat,
                              std::string_view key, unsigned wanted) {
  const bool write = wanted == kMayWrite;
  if (key.starts_with("security.") || key.starts_with("system.")) return {};
  if (key.starts_with("trusted.")) {
    if (op.cred.Has(Capability::kSysAdmin)) return {};
    return write ? Errno::kPerm : Errno::kNoData;
  }
  if (key.starts_with("user.")) {
    const bool directory = stat.type == FileType::kDirectory;
    if (stat.type != FileType::kRegular && !directory) {
      return write ? Errno::kPerm : Errno::kNoData;
    }
    const bool sticky = directory && (stat.mode & kModeSticky) != 0;
    if (sticky && write && !ActsAsOwner(op, stat)) return Errno::kPerm;
  }
  return CheckAccess(op, fs, stat, wanted);
}

// cap_inode_setxattr and cap_inode_removexattr
Result<void> CheckSecurityKey(const OpContext& op, std::string_view key) {
  if (!key.starts_with("security.") || key == kCapabilityKey) return {};
  if (!op.cred.Has(Capability::kSysAdmin)) return Errno::kPerm;
  return {};
}

// validheader of security/commoncap.c: revision 2 has 20 bytes, revision 3 has 24.
bool IsCapabilityValue(std::string_view value) {
  constexpr std::size_t kRevision2Bytes = 20;
  constexpr std::size_t kRevision3Bytes = 24;
  if (value.size() != kRevision2Bytes && value.size() != kRevision3Bytes) return false;
  const int revision = static_cast<unsigned char>(value[3]);  // top byte, little endian
  return revision == (value.size() == kRevision2Bytes ? 2 : 3);
}

// set_posix_acl up to the file system's own part.
Result<void> CheckMayChangeAcl(const OpContext& op, const Stat& stat, std::string_view key,
                               const PosixAcl& acl) {
  if (stat.type == FileType::kSymlink) return Errno::kOpNotSupp;
  if (key == kDefaultAclKey && stat.type != FileType::kDirectory) {
    if (acl.empty()) return {};
    return Errno::kAccess;
  }
  if (!ActsAsOwner(op, stat)) return Errno::kPerm;
  if (acl.empty() || IsValidAcl(acl)) return {};
  return Errno::kInval;
}

// Removing an ACL that is not there is no error. posix_acl_update_mode looks at the set-gid bit
// even then.
Result<void> RemoveAcl(const OpContext& op, FileSystem& fs, const Stat& stat,
                       std::string_view key) {
  Result<void> removed = fs.RemoveXattr(op, stat.node, key);
  if (!removed.ok() && removed.error() != Errno::kNoData) return removed;
  const bool set_gid = (stat.mode & kModeSetGid) != 0;
  if (key != kAccessAclKey || !set_gid || MayKeepSetGid(op, stat.gid)) return {};
  AttrChange change;
  change.mode = static_cast<std::uint16_t>(stat.mode & ~kModeSetGid);
  return fs.SetAttr(op, stat.node, change);
}

}  // namespace

Result<void> Process::Body::SetXattrOf(const OpContext& op, const Stat& stat, std::string_view key,
                                       std::string_view value, XattrMode mode) {
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  if (IsAclKey(key)) {
    Result<PosixAcl> acl = DecodePosixAcl(value);
    if (!acl.ok()) return acl.error();
    if (Result<void> allowed = CheckMayChangeAcl(op, stat, key, *acl); !allowed.ok()) {
      return allowed;
    }
    if (acl->empty()) return RemoveAcl(op, fs, stat, key);
    return fs.SetXattr(op, stat.node, key, value, XattrMode::kSet);  // the mode is not looked at
  }
  if (key == kCapabilityKey && !value.empty()) {
    if (!IsCapabilityValue(value)) return Errno::kInval;
    if (!op.cred.Has(Capability::kSetFCap)) return Errno::kPerm;
  }
  Result<void> allowed = CheckXattrAccess(op, fs, stat, key, kMayWrite);
  if (!allowed.ok()) return allowed;
  if (Result<void> secure = CheckSecurityKey(op, key); !secure.ok()) return secure;
  if (Result<void> named = CheckHasName(key); !named.ok()) return named;
  return fs.SetXattr(op, stat.node, key, value, mode);
}

Result<std::string> Process::Body::GetXattrOf(const OpContext& op, const Stat& stat,
                                              std::string_view key) {
  if (IsAclKey(key)) {
    if (stat.type == FileType::kSymlink) return Errno::kOpNotSupp;
    return fs.GetXattr(op, stat.node, key);
  }
  Result<void> allowed = CheckXattrAccess(op, fs, stat, key, kMayRead);
  if (!allowed.ok()) return allowed.error();
  if (Result<void> named = CheckHasName(key); !named.ok()) return named.error();
  return fs.GetXattr(op, stat.node, key);
}

Result<void> Process::Body::RemoveXattrOf(const OpContext& op, const Stat& stat,
                                          std::string_view key) {
  if (Result<void> writable = RequireWritable(); !writable.ok()) return writable;
  if (IsAclKey(key)) {
    if (Result<void> allowed = CheckMayChangeAcl(op, stat, key, {}); !allowed.ok()) {
      return allowed;
    }
    return RemoveAcl(op, fs, stat, key);
  }
  Result<void> allowed = CheckXattrAccess(op, fs, stat, key, kMayWrite);
  if (!allowed.ok()) return allowed;
  if (key == kCapabilityKey && !op.cred.Has(Capability::kSetFCap)) return Errno::kPerm;
  if (Result<void> secure = CheckSecurityKey(op, key); !secure.ok()) return secure;
  if (Result<void> named = CheckHasName(key); !named.ok()) return named;
  return fs.RemoveXattr(op, stat.node, key);
}

Result<std::string> Process::Getxattr(std::string_view path, std::string_view key,
                                      LastLink last_link) {
  return body_->Run("getxattr", [&](const OpContext& op) -> Result<std::string> {
    if (Result<void> valid = CheckKey(key); !valid.ok()) return valid.error();
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return body_->GetXattrOf(op, *walk->stat, key);
  });
}

Result<std::string> Process::Fgetxattr(Fd fd, std::string_view key) {
  return body_->Run("fgetxattr", [&](const OpContext& op) -> Result<std::string> {
    if (Result<void> valid = CheckKey(key); !valid.ok()) return valid.error();
    Result<Stat> stat = body_->StatOf(op, fd);
    if (!stat.ok()) return stat.error();
    return body_->GetXattrOf(op, *stat, key);
  });
}

Result<void> Process::Setxattr(std::string_view path, std::string_view key, std::string_view value,
                               XattrMode mode, LastLink last_link) {
  return body_->Run("setxattr", [&](const OpContext& op) -> Result<void> {
    if (Result<void> valid = CheckKey(key); !valid.ok()) return valid;
    if (value.size() > kMaxValueBytes) return Errno::k2Big;
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return body_->SetXattrOf(op, *walk->stat, key, value, mode);
  });
}

Result<void> Process::Fsetxattr(Fd fd, std::string_view key, std::string_view value,
                                XattrMode mode) {
  return body_->Run("fsetxattr", [&](const OpContext& op) -> Result<void> {
    if (Result<void> valid = CheckKey(key); !valid.ok()) return valid;
    if (value.size() > kMaxValueBytes) return Errno::k2Big;
    Result<Stat> stat = body_->StatOf(op, fd);
    if (!stat.ok()) return stat.error();
    return body_->SetXattrOf(body_->Through(op, fd), *stat, key, value, mode);
  });
}

Result<void> Process::Removexattr(std::string_view path, std::string_view key, LastLink last_link) {
  return body_->Run("removexattr", [&](const OpContext& op) -> Result<void> {
    if (Result<void> valid = CheckKey(key); !valid.ok()) return valid;
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    return body_->RemoveXattrOf(op, *walk->stat, key);
  });
}

Result<std::vector<std::string>> Process::Listxattr(std::string_view path, LastLink last_link) {
  return body_->Run("listxattr", [&](const OpContext& op) -> Result<std::vector<std::string>> {
    Result<WalkResult> walk = body_->WalkToNode(op, path, last_link);
    if (!walk.ok()) return walk.error();
    Result<std::vector<std::string>> keys = body_->fs.ListXattr(op, walk->stat->node);
    if (keys.ok() && !op.cred.Has(Capability::kSysAdmin)) {
      std::erase_if(*keys, [](const std::string& key) { return key.starts_with("trusted."); });
    }
    return keys;
  });
}

}  // namespace lamina
