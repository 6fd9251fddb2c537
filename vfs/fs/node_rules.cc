#include "lamina/fs/node_rules.h"

#include <array>

namespace lamina {
namespace {

constexpr std::uint16_t kGroupExecute = 0010;
constexpr std::array<std::string_view, 3> kNamespaces = {"user.", "trusted.", "security."};

bool OwnsGroup(const Credentials& cred, std::uint32_t gid) {
  return cred.InGroup(gid) || cred.Has(Capability::kFSetId);
}

// setattr_should_drop_sgid
std::uint16_t DropSetGid(const Credentials& cred, const RuledNode& node, std::uint16_t mode) {
  const bool keep = (mode & kGroupExecute) == 0 && OwnsGroup(cred, node.gid);
  return keep ? mode : static_cast<std::uint16_t>(mode & ~kModeSetGid);
}

}  // namespace

std::uint16_t ModeAfterWrite(const Credentials& cred, const RuledNode& node) {
  if (node.type != FileType::kRegular || cred.Has(Capability::kFSetId)) return node.mode;
  return DropSetGid(cred, node, static_cast<std::uint16_t>(node.mode & ~kModeSetUid));
}

std::uint16_t ModeAfterChown(const Credentials& cred, const RuledNode& node) {
  if (node.type == FileType::kDirectory) return node.mode;
  return DropSetGid(cred, node, static_cast<std::uint16_t>(node.mode & ~kModeSetUid));
}

std::uint16_t ModeAfterAcl(const Credentials& cred, const RuledNode& node, const PosixAcl& acl) {
  const unsigned special = node.mode & (OwnsGroup(cred, node.gid) ? 07000U : 05000U);
  return static_cast<std::uint16_t>(special | ModeFromAcl(acl));
}

NewOwner OwnerOfNew(const Credentials& cred, const RuledNode& dir, FileType type,
                    std::uint16_t mode) {
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

AclOfNew InheritedByNew(const PosixAcl& dir_default, FileType type, std::uint16_t mode) {
  AclOfNew result;
  result.mode = mode;
  if (type == FileType::kSymlink || dir_default.empty()) return result;
  const InheritedAcl inherited = InheritAcl(dir_default, mode);
  result.mode = inherited.mode;
  if (inherited.access.has_value()) result.access = FormatPosixAcl(*inherited.access);
  if (type == FileType::kDirectory) result.default_for_below = FormatPosixAcl(dir_default);
  return result;
}

Result<void> CheckXattrKey(FileType type, std::string_view key) {
  if (IsAclKey(key)) {
    if (type == FileType::kSymlink) return Errno::kOpNotSupp;
    return {};
  }
  for (const std::string_view prefix : kNamespaces) {
    if (!key.starts_with(prefix)) continue;
    if (key.size() == prefix.size()) return Errno::kInval;
    return {};
  }
  return Errno::kOpNotSupp;
}

Result<void> CheckXattrChange(FileType type, std::string_view key) {
  if (Result<void> known = CheckXattrKey(type, key); !known.ok()) return known;
  const bool may_have_user_keys = type == FileType::kRegular || type == FileType::kDirectory;
  if (key.starts_with("user.") && !may_have_user_keys) return Errno::kPerm;
  return {};
}

}  // namespace lamina
