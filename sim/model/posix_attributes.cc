// Attributes: stat, chmod, chown, utimens, extended attributes. Linux fs/attr.c, fs/xattr.c.
#include <algorithm>

#include "sim/model/posix.h"

namespace lamina::sim {
namespace {

constexpr std::size_t kKeyLimit = 255;
constexpr std::size_t kValueLimit = 65536;

bool IsKnownNamespace(const std::string& key) {
  return key.starts_with("user.") || key.starts_with("trusted.") || key.starts_with("security.");
}

// cap_convert_nscap: version 2 or 3 with the length that belongs to it
bool IsCapabilityValue(const std::string& value) {
  const std::size_t length = value.size();
  if (length != 20 && length != 24) return false;
  return value[1] == 0 && value[2] == 0 && value[3] == (length == 20 ? 2 : 3);
}

}  // namespace

Result<ModelStat> PosixModel::GetStat(const std::string& path) const {
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  return ModelStat{*view_->Find(*at), view_->Links(*at), view_->Identity(*at)};
}

Result<std::string> PosixModel::Readlink(const std::string& path) const {
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  const ModelInode& inode = *view_->Find(*at);
  if (inode.type != ModelType::kSymlink) return Errno::kInval;
  return inode.target;
}

Result<void> PosixModel::CheckPath(const std::string& path, unsigned wanted) const {
  Result<std::string> at = Existing(path, FinalLink::kFollow);
  if (!at.ok()) return at.error();
  return view_->Permits(caller_, *at, wanted);
}

Result<void> PosixModel::Chmod(const std::string& path, std::uint16_t mode) {
  Result<std::string> at = Existing(path, FinalLink::kFollow);
  if (!at.ok()) return at.error();
  const ModelInode& inode = *view_->Find(*at);
  if (!Owns(caller_, inode)) return Errno::kPerm;
  const std::uint16_t mode_to_set = ModeToSet(caller_, inode.gid, mode);
  Result<ModelInode*> changed = view_->Change(*at);
  if (!changed.ok()) return changed.error();
  (*changed)->mode = mode_to_set;
  return {};
}

Result<void> PosixModel::Chown(const std::string& path, std::optional<std::uint32_t> uid,
                               std::optional<std::uint32_t> gid) {
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  const ModelInode before = *view_->Find(*at);
  if (!caller_.is_root()) {
    const bool owner = caller_.uid == before.uid;
    if (uid.has_value() && !(owner && *uid == before.uid)) return Errno::kPerm;
    const bool may_have_group = gid == caller_.gid || gid == before.gid;
    if (gid.has_value() && !(owner && may_have_group)) return Errno::kPerm;
  }
  std::uint16_t mode = before.mode;
  if (!before.is_directory()) mode = WithoutSetId(caller_, before);
  if (mode != before.mode && !Owns(caller_, before)) return Errno::kPerm;
  Result<ModelInode*> changed = view_->Change(*at);
  if (!changed.ok()) return changed.error();
  ModelInode& inode = **changed;
  inode.mode = mode;
  if (!inode.is_directory()) inode.xattrs.erase(kFileCapability);
  inode.uid = uid.value_or(inode.uid);
  inode.gid = gid.value_or(inode.gid);
  return {};
}

Result<void> PosixModel::Utimens(const std::string& path, std::int64_t mtime_ns) {
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  if (!Owns(caller_, *view_->Find(*at))) return Errno::kPerm;
  if (view_->DropsTimes(*at)) return {};
  Result<ModelInode*> changed = view_->Change(*at);
  if (!changed.ok()) return changed.error();
  (*changed)->mtime_ns = mtime_ns;
  return {};
}

// xattr_permission, then the check of the security modules
Result<void> PosixModel::MayTouchXattr(const std::string& path, const std::string& key,
                                       unsigned wanted) const {
  const ModelInode& inode = *view_->Find(path);
  const bool writes = wanted == kModelWrite;
  if (key.starts_with("security.")) {
    if (writes && !caller_.is_root()) return Errno::kPerm;
    return {};
  }
  if (key.starts_with("trusted.")) {
    if (!caller_.is_root()) return writes ? Errno::kPerm : Errno::kNoData;
    return {};
  }
  if (key.starts_with("user.")) {
    const bool can_hold = inode.type == ModelType::kFile || inode.is_directory();
    if (!can_hold) return writes ? Errno::kPerm : Errno::kNoData;
    const bool sticky = inode.is_directory() && (inode.mode & kModelSticky) != 0;
    if (sticky && writes && !Owns(caller_, inode)) return Errno::kPerm;
  }
  if (Result<void> may = view_->Permits(caller_, path, wanted); !may.ok()) return may;
  if (!IsKnownNamespace(key)) return Errno::kOpNotSupp;
  return {};
}

Result<void> PosixModel::SetXattr(const std::string& path, const std::string& key,
                                  const std::string& value, ModelXattrMode mode) {
  if (key.empty() || key.size() > kKeyLimit) return Errno::kRange;
  if (value.size() > kValueLimit) return Errno::k2Big;
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  const bool malformed = key == kFileCapability && !value.empty() && !IsCapabilityValue(value);
  if (malformed) return Errno::kInval;
  if (Result<void> may = MayTouchXattr(*at, key, kModelWrite); !may.ok()) return may;
  const std::string stored = view_->StoredKey(key);
  Result<ModelInode*> changed = view_->Change(*at);
  if (!changed.ok()) return changed.error();
  std::map<std::string, std::string>& xattrs = (*changed)->xattrs;
  if (mode == ModelXattrMode::kCreate && xattrs.contains(stored)) return Errno::kExist;
  if (mode == ModelXattrMode::kReplace && !xattrs.contains(stored)) return Errno::kNoData;
  xattrs[stored] = value;
  return {};
}

Result<std::string> PosixModel::GetXattr(const std::string& path, const std::string& key) const {
  if (key.empty() || key.size() > kKeyLimit) return Errno::kRange;
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  const ModelInode& inode = *view_->Find(*at);
  if (Result<void> may = MayTouchXattr(*at, key, kModelRead); !may.ok()) return may.error();
  const auto found = inode.xattrs.find(view_->StoredKey(key));
  if (found == inode.xattrs.end()) return Errno::kNoData;
  return found->second;
}

Result<void> PosixModel::RemoveXattr(const std::string& path, const std::string& key) {
  if (key.empty() || key.size() > kKeyLimit) return Errno::kRange;
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  if (Result<void> may = MayTouchXattr(*at, key, kModelWrite); !may.ok()) return may;
  const std::string stored = view_->StoredKey(key);
  if (!view_->Find(*at)->xattrs.contains(stored)) {
    if (Result<void> used = view_->Use(*at, ModelUse::kRemoveXattr); !used.ok()) return used;
    return Errno::kNoData;
  }
  Result<ModelInode*> changed = view_->Change(*at);
  if (!changed.ok()) return changed.error();
  (*changed)->xattrs.erase(stored);
  return {};
}

Result<std::vector<std::string>> PosixModel::ListXattr(const std::string& path) const {
  Result<std::string> at = Existing(path, FinalLink::kKeep);
  if (!at.ok()) return at.error();
  std::vector<std::string> keys;
  for (const auto& [stored, value] : view_->Find(*at)->xattrs) {
    const std::optional<std::string> key = view_->ShownKey(stored);
    if (!key.has_value()) continue;
    if (key->starts_with("trusted.") && !caller_.is_root()) continue;
    keys.push_back(*key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace lamina::sim
