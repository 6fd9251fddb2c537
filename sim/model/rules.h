// Who may do what: mode bits, the sticky bit, set-id bits. Root (uid 0) has every capability, any
// other caller none; there are no supplementary groups and no ACLs in the model.
// Source: Linux fs/namei.c (generic_permission, check_sticky), fs/attr.c.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_MODEL_RULES_H_
#define LAMINA_SIM_MODEL_RULES_H_

#include <cstdint>

#include "sim/model/inode.h"

namespace lamina::sim {

struct ModelCaller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t umask = 0;

  bool is_root() const { return uid == 0; }
};

inline constexpr unsigned kModelExecute = 1;
inline constexpr unsigned kModelWrite = 2;
inline constexpr unsigned kModelRead = 4;

// Mode bits against `wanted`, a sum of the three above.
bool Allows(const ModelCaller& caller, const ModelInode& inode, unsigned wanted);
// Root or the owner.
bool Owns(const ModelCaller& caller, const ModelInode& inode);
// Does the sticky bit of `dir` forbid taking `victim` out?
bool StickyForbids(const ModelCaller& caller, const ModelInode& dir, const ModelInode& victim);
// Does a sticky directory that all may write to forbid opening `found` in it with O_CREAT? Files
// and fifos are exempt unless the administrator says so (fs.protected_regular, _fifos: 0 here).
bool StickyForbidsReuse(const ModelCaller& caller, const ModelInode& dir, const ModelInode& found);
// The mode without the set-id bits that a change of owner, or a write by a caller who is not root,
// takes away.
std::uint16_t WithoutSetId(const ModelCaller& caller, const ModelInode& inode);
// The mode that chmod really sets: without set-gid when the caller is not in the file's group.
std::uint16_t ModeToSet(const ModelCaller& caller, std::uint32_t gid, std::uint16_t mode);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_RULES_H_
