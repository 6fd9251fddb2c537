// Permission checks at the door: mode bits, POSIX access ACLs, capabilities. The rules of Linux's
// generic_permission and may_delete, asked of any FileSystem through GetAttr and GetXattr.
//
// Threads: pure functions.
#ifndef LAMINA_FS_PERMISSION_H_
#define LAMINA_FS_PERMISSION_H_

#include "lamina/fs/file_system.h"

namespace lamina {

// Bits to ask for; combine with |.
inline constexpr unsigned kMayExecute = 1;
inline constexpr unsigned kMayWrite = 2;
inline constexpr unsigned kMayRead = 4;

// May op.cred do `wanted` with the node?
// Errors: kRoFs write access to a regular file, directory or symlink of a read-only file system;
// kAccess no.
Result<void> CheckAccess(const OpContext& op, FileSystem& fs, const Stat& stat, unsigned wanted);

// May op.cred remove or rename away `victim`, an entry of directory `dir`? (Write and search
// permission on the directory, sticky bit.)
// Errors: kAccess the directory; kPerm the sticky bit.
Result<void> CheckMayRemove(const OpContext& op, FileSystem& fs, const Stat& dir,
                            const Stat& victim);

// Is op.cred the owner, or may it act as one (CAP_FOWNER)?
inline bool ActsAsOwner(const OpContext& op, const Stat& stat) {
  return op.cred.uid == stat.uid || op.cred.Has(Capability::kFOwner);
}

// May op.cred set the set-gid bit of a node whose group is `gid`?
inline bool MayKeepSetGid(const OpContext& op, std::uint32_t gid) {
  return op.cred.InGroup(gid) || op.cred.Has(Capability::kFSetId);
}

// Searching needs no look at a directory for these callers.
inline bool MaySearchEverything(const Credentials& cred) {
  return cred.Has(Capability::kDacReadSearch) || cred.Has(Capability::kDacOverride);
}

}  // namespace lamina
#endif  // LAMINA_FS_PERMISSION_H_
