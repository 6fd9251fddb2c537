// Rules of a MemFs about mode bits, ACLs and xattr keys. Pure functions over nodes.
//
// Source: Linux fs/attr.c, fs/inode.c, fs/posix_acl.c.
//
// Threads: as the Node.
#ifndef LAMINA_VFS_FS_MEM_SECURITY_H_
#define LAMINA_VFS_FS_MEM_SECURITY_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "lamina/base/credentials.h"
#include "lamina/fs/posix_acl.h"
#include "vfs/fs/mem_node.h"

namespace lamina::internal {

inline constexpr std::string_view kCapabilityKey = "security.capability";

// Pages a link target takes: short ones live in the inode (tmpfs: up to 128 bytes).
std::uint64_t TargetPages(std::uint64_t target_bytes);

// The table of this node alone; made when there is none.
XattrTable& WritableXattrs(Node& node);
// The ACL kept under `key`; empty when there is none.
PosixAcl FindAcl(const Node& node, std::string_view key);

// The mode left when `cred` writes to the node, or changes its size. (setattr_should_drop_suidgid)
std::uint16_t ModeAfterWrite(const Credentials& cred, const Node& node);
// The mode left when `cred` changes the owner. (chown_common)
std::uint16_t ModeAfterChown(const Credentials& cred, const Node& node);

// Owner, group and mode of a node that `cred` makes below `dir`, without ACLs. (inode_init_owner,
// mode_strip_sgid)
struct NewOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t mode = 0;
};
NewOwner OwnerOfNew(const Credentials& cred, const Node& dir, FileType type, std::uint16_t mode);

// What a new node gets from the default ACL of `dir`: its mode and up to two xattr values.
struct AclOfNew {
  std::uint16_t mode = 0;
  std::string access;             // empty: none
  std::string default_for_below;  // empty: none
};
AclOfNew InheritedByNew(const Node& dir, FileType type, std::uint16_t mode);

// Errors: kOpNotSupp a namespace that is not kept here, or an ACL of a symlink; kInval a namespace
// without a name.
Result<void> CheckXattrKey(const Node& node, std::string_view key);
inline bool IsAclKey(std::string_view key) { return key == kAccessAclKey || key == kDefaultAclKey; }

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_SECURITY_H_
