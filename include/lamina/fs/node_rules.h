// What every file system that holds its own nodes does to mode bits, owners and ACLs. Pure
// functions; permission itself is checked elsewhere (permission.h).
//
// Source: Linux fs/attr.c, fs/inode.c, fs/posix_acl.c; the function there is named with each of
// ours.
//
// Threads: pure functions.
#ifndef LAMINA_FS_NODE_RULES_H_
#define LAMINA_FS_NODE_RULES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/base/credentials.h"
#include "lamina/fs/file_system.h"
#include "lamina/fs/posix_acl.h"

namespace lamina {

inline constexpr std::string_view kCapabilityKey = "security.capability";
inline constexpr std::size_t kMaxXattrKeyBytes = 255;
inline constexpr std::size_t kMaxTargetBytes = 4095;

// What the rules look at.
struct RuledNode {
  FileType type{};
  std::uint16_t mode = 0;
  std::uint32_t gid = 0;
};

// The mode left when `cred` writes to the node, or changes its size. (setattr_should_drop_suidgid)
std::uint16_t ModeAfterWrite(const Credentials& cred, const RuledNode& node);
// The mode left when `cred` changes the owner. (chown_common)
std::uint16_t ModeAfterChown(const Credentials& cred, const RuledNode& node);
// The mode left when `cred` sets this non-empty access ACL. (posix_acl_update_mode)
std::uint16_t ModeAfterAcl(const Credentials& cred, const RuledNode& node, const PosixAcl& acl);

// Owner, group and mode of a node that `cred` makes below `dir`, without ACLs. (inode_init_owner,
// mode_strip_sgid)
struct NewOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t mode = 0;
};
NewOwner OwnerOfNew(const Credentials& cred, const RuledNode& dir, FileType type,
                    std::uint16_t mode);

// What a new node gets from the default ACL of its directory: its mode and up to two xattr values.
struct AclOfNew {
  std::uint16_t mode = 0;
  std::string access;             // empty: none
  std::string default_for_below;  // empty: none
};
AclOfNew InheritedByNew(const PosixAcl& dir_default, FileType type, std::uint16_t mode);

// May a node of this type have the key at all?
// Errors: kOpNotSupp a namespace that is not kept, or an ACL of a symlink; kInval a namespace
// without a name.
Result<void> CheckXattrKey(FileType type, std::string_view key);
// The same for a change. Errors: those, and kPerm a user key of neither a file nor a directory.
Result<void> CheckXattrChange(FileType type, std::string_view key);

inline bool IsAclKey(std::string_view key) { return key == kAccessAclKey || key == kDefaultAclKey; }

}  // namespace lamina
#endif  // LAMINA_FS_NODE_RULES_H_
