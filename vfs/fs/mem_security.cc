#include "vfs/fs/mem_security.h"

#include <array>

#include "lamina/base/check.h"

namespace lamina::internal {
namespace {

constexpr std::uint64_t kShortTargetBytes = 128;
constexpr std::uint16_t kGroupExecute = 0010;
constexpr std::array<std::string_view, 3> kNamespaces = {"user.", "trusted.", "security."};

bool OwnsGroup(const Credentials& cred, std::uint32_t gid) {
  return cred.InGroup(gid) || cred.Has(Capability::kFSetId);
}

// setattr_should_drop_sgid
std::uint16_t DropSetGid(const Credentials& cred, const Node& node, std::uint16_t mode) {
  const bool keep = (mode & kGroupExecute) == 0 && OwnsGroup(cred, node.gid);
  return keep ? mode : static_cast<std::uint16_t>(mode & ~kModeSetGid);
}

}  // namespace

std::uint64_t TargetPages(std::uint64_t target_bytes) {
  return target_bytes > kShortTargetBytes ? 1 : 0;
}

XattrTable& WritableXattrs(Node& node) {
  if (!node.xattrs) {
    node.xattrs = Ref<XattrTable>::Adopt(new XattrTable());
  } else if (!node.xattrs->exclusive()) {
    node.xattrs = Ref<XattrTable>::Adopt(new XattrTable(*node.xattrs));
  }
  return *node.xattrs;
}

PosixAcl FindAcl(const Node& node, std::string_view key) {
  const std::string* value = node.xattrs ? node.xattrs->Find(key) : nullptr;
  if (value == nullptr) return {};
  Result<PosixAcl> acl = ParsePosixAcl(*value);
  LAMINA_CHECK(acl.ok());  // checked when it was set
  return *std::move(acl);
}

std::uint16_t ModeAfterWrite(const Credentials& cred, const Node& node) {
  if (!node.is_regular() || cred.Has(Capability::kFSetId)) return node.mode;
  return DropSetGid(cred, node, static_cast<std::uint16_t>(node.mode & ~kModeSetUid));
}

std::uint16_t ModeAfterChown(const Credentials& cred, const Node& node) {
  if (node.is_directory()) return node.mode;
  return DropSetGid(cred, node, static_cast<std::uint16_t>(node.mode & ~kModeSetUid));
}

NewOwner OwnerOfNew(const Credentials& cred, const Node& dir, FileType type, std::uint16_t mode) {
  NewOwner owner{cred.uid, cred.gid, static_cast<std::uint16_t>(mode & kModeAll)};
  if (type == FileType::kSymlink) owner.mode = kModePermissions;
  if ((dir.mode & kModeSetGid) == 0) return owner;
  owner.gid = dir.gid;
  if (type == FileType::kDirectory) {
    owner.mode |= kModeSetGid;
  } else if ((owner.mode & kGroupExecute) != 0 && !OwnsGroup(cred, dir.gid)) {
    owner.mode &= static_cast<std::uint16_t>(~kModeSetGid);
  }
  return owner;
}

AclOfNew InheritedByNew(const Node& dir, FileType type, std::uint16_t mode) {
  AclOfNew result;
  result.mode = mode;
  if (type == FileType::kSymlink || !dir.xattrs) return result;
  const PosixAcl parent = FindAcl(dir, kDefaultAclKey);
  if (parent.empty()) return result;
  const InheritedAcl inherited = InheritAcl(parent, mode);
  result.mode = inherited.mode;
  if (inherited.access.has_value()) result.access = FormatPosixAcl(*inherited.access);
  if (type == FileType::kDirectory) result.default_for_below = FormatPosixAcl(parent);
  return result;
}

Result<void> CheckXattrKey(const Node& node, std::string_view key) {
  if (IsAclKey(key)) {
    if (node.type == FileType::kSymlink) return Errno::kOpNotSupp;
    return {};
  }
  for (const std::string_view prefix : kNamespaces) {
    if (!key.starts_with(prefix)) continue;
    if (key.size() == prefix.size()) return Errno::kInval;
    return {};
  }
  return Errno::kOpNotSupp;
}

}  // namespace lamina::internal
