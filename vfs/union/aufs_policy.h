// The branch selection policies of AUFS: which branch takes a new name, and which one a copy-up
// (aufs(5), "Policies to Select One among Multiple Writable Branches").
//
//   create=  tdp             the highest branch that has the parent directory
//            rr              the writable branches in turn
//            mfs             the writable branch with the most free space
//            mfsrr tdmfs     mfs with a limit, below which another policy takes over
//            pmfs pmfsrr     mfs among the branches that have the parent directory
//   cpup=    tdp bup bu      the highest, the nearest, any nearest branch above the source
//
// A policy looks at plain values only. What it needs to remember is in PolicyBooks, which a mount
// keeps; choosing changes nothing there but the figures of free space, a cache.
//
// Threads: pure functions; PolicyBooks belongs to one union.
#ifndef LAMINA_VFS_UNION_AUFS_POLICY_H_
#define LAMINA_VFS_UNION_AUFS_POLICY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lamina/base/result.h"
#include "lamina/base/time.h"
#include "lamina/union/aufs.h"
#include "lamina/union/branch.h"

namespace lamina {

// What AufsCreatePolicy::cache_seconds may be at most; who reads the option refuses more.
inline constexpr std::uint32_t kPolicyCacheSecondsMax = 3600;

struct PolicyBranch {
  bool writable = false;    // rw, and its file system is not read-only
  bool has_parent = false;  // the parent directory of the name has an instance here
};

// What a policy may look at. Indices are below branches.size(); parent_top <= top.
struct PolicyView {
  std::span<const PolicyBranch> branches = {};  // topmost first
  BranchIndex parent_top = 0;                   // the highest branch that has the parent
  BranchIndex parent_tail = 0;                  // the lowest that contributes to it
  BranchIndex top = 0;  // copy-up: where the object is; a new name: parent_top
  std::optional<BranchIndex> whiteout = std::nullopt;       // the branch whose whiteout hides it
  std::optional<BranchIndex> parent_opaque = std::nullopt;  // the branch where the parent is opaque
  // The same of the opaque directories strictly above the parent, nearest first.
  std::span<const BranchIndex> opaque_above_parent = {};
  // Asked of writable branches only. A branch that gives an error counts as full.
  absl::FunctionRef<Result<std::uint64_t>(BranchIndex)> free_bytes;
  Instant now = {};
};

// What the policies of one mount remember.
struct PolicyBooks {
  // The branch whose turn it is, modulo the number of branches; counts down. A remount that sets
  // create=rr starts at -(lowest writable index).
  std::int64_t round_robin = 30;
  // Of every branch, 0 for one that is not writable, as it was at `asked_at`. Empty: not known.
  std::vector<std::uint64_t> free_bytes;
  Instant asked_at;

  // Branches came, went, moved or changed their permission.
  void ForgetSpace() { free_bytes.clear(); }
};

struct PolicyChoice {
  BranchIndex branch = 0;
  std::string_view reason = {};  // for explanations; static text
  bool moves_round_robin = false;
  std::int64_t round_robin_after = 0;  // when it moves
};

// The branch for a new name. A directory takes no turn of rr.
//
// Errors: kRoFs no branch, or one that is not writable; what AUFS does then is up to its copy-up
// policy (§3.1).
Result<PolicyChoice> ChooseForCreate(const AufsCreatePolicy& policy, const AufsQuirks& quirks,
                                     bool directory, const PolicyView& view, PolicyBooks& books);

// The branch for a copy of the object in view.top, which is that branch itself when the policy
// finds it writable. Errors: kRoFs no branch.
Result<PolicyChoice> ChooseForCopyUp(AufsCopyUp policy, const PolicyView& view);

// After what was chosen has been made. Nothing moves when the choice was not rr's.
void AdvanceRoundRobin(const PolicyChoice& made, PolicyBooks& books);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_POLICY_H_
