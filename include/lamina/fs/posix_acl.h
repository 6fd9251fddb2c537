// PosixAcl: an access or default ACL of POSIX.1e draft 17, as Linux keeps it in the extended
// attributes system.posix_acl_access and system.posix_acl_default.
//
//   user::rw-  user:7:r--  group::r--  mask::r--  other::---
//   kUserObj   kUser id 7  kGroupObj   kMask      kOther
//
// The rules are those of Linux fs/posix_acl.c; the function there is named with each of ours.
//
// Threads: plain values and pure functions.
#ifndef LAMINA_FS_POSIX_ACL_H_
#define LAMINA_FS_POSIX_ACL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/credentials.h"
#include "lamina/base/result.h"

namespace lamina {

inline constexpr std::string_view kAccessAclKey = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAclKey = "system.posix_acl_default";

// Values of the xattr format.
enum class AclTag : std::uint16_t {
  kUserObj = 0x01,
  kUser = 0x02,
  kGroupObj = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

inline constexpr std::uint32_t kNoAclId = 0xffffffff;

struct AclEntry {
  AclTag tag{};
  std::uint16_t permissions = 0;  // 4 read, 2 write, 1 execute
  std::uint32_t id = kNoAclId;    // of kUser and kGroup
  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

// Valid when every tag stands in its place (user, users, group, groups, mask, other) and a mask is
// there whenever there is a kUser or kGroup. No entries: no ACL.
struct PosixAcl {
  std::vector<AclEntry> entries;
  bool empty() const { return entries.empty(); }
  friend bool operator==(const PosixAcl&, const PosixAcl&) = default;
};

// The ACL in an xattr value (version 2, little endian), valid or not. An empty value, or one that
// is only a header, is the empty ACL: setting it removes what was there. (posix_acl_from_xattr)
// Errors: kInval shorter than a header; kOpNotSupp another version; kInval not a whole number of
// entries, an unknown tag, or a missing id.
Result<PosixAcl> DecodePosixAcl(std::string_view value);

// Of a non-empty ACL; permissions over 7 are not valid either. (posix_acl_valid)
bool IsValidAcl(const PosixAcl& acl);

// Both in one step. Errors: those of DecodePosixAcl; kInval not empty and not valid.
Result<PosixAcl> ParsePosixAcl(std::string_view value);

// The xattr value of a non-empty ACL. (posix_acl_to_xattr)
std::string FormatPosixAcl(const PosixAcl& acl);

// The nine permission bits a file with this access ACL shows: the group bits are those of the mask
// when there is one. (posix_acl_equiv_mode, its mode)
std::uint16_t ModeFromAcl(const PosixAcl& acl);

// Whether the mode bits say it all, so that no ACL needs to be kept. True for the empty ACL.
// (posix_acl_equiv_mode, its result)
bool IsEquivalentToMode(const PosixAcl& acl);

// The access ACL after chmod to `mode`: user, mask (or group) and other take its bits.
// (__posix_acl_chmod_masq)
PosixAcl ApplyModeToAcl(const PosixAcl& acl, std::uint16_t mode);

// What a new node gets below a directory with a default ACL.
struct InheritedAcl {
  std::uint16_t mode = 0;          // of the new node, 12 bits
  std::optional<PosixAcl> access;  // absent: the mode says it all
};

// Inheritance from a non-empty default ACL; `mode` is asked for without umask. A new directory gets
// `parent_default` as its own default ACL too; a symlink inherits nothing (the caller's part).
// (posix_acl_create_masq)
InheritedAcl InheritAcl(const PosixAcl& parent_default, std::uint16_t mode);

// May `cred` do `wanted` (kMayRead | kMayWrite | kMayExecute) with a node of this owner and group
// whose access ACL is `acl`? Capabilities are not looked at. (posix_acl_permission)
// Errors: kAccess; kIo an ACL without an entry for others.
Result<void> CheckAcl(const PosixAcl& acl, const Credentials& cred, std::uint32_t uid,
                      std::uint32_t gid, unsigned wanted);

}  // namespace lamina
#endif  // LAMINA_FS_POSIX_ACL_H_
