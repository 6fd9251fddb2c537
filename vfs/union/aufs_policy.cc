#include "vfs/union/aufs_policy.h"

#include <algorithm>
#include <cstddef>

#include "lamina/base/check.h"

namespace lamina {
namespace {

using FreeBytes = std::span<const std::uint64_t>;  // one figure a branch

void CheckView(const PolicyView& view) {
  const std::size_t count = view.branches.size();
  LAMINA_CHECK(view.top < count);
  LAMINA_CHECK(view.parent_top <= view.top);
  LAMINA_CHECK(view.parent_tail < count);
  LAMINA_CHECK(view.whiteout.value_or(0) < count);
  LAMINA_CHECK(view.parent_opaque.value_or(0) < count);
}

bool IsWritable(const PolicyView& view, std::size_t branch) {
  return view.branches[branch].writable;
}

bool IsWritableWithParent(const PolicyView& view, std::size_t branch) {
  return view.branches[branch].writable && view.branches[branch].has_parent;
}

// aufs: bu(end - 1).
std::optional<BranchIndex> NearestWritableAbove(const PolicyView& view, std::size_t end) {
  for (std::size_t branch = end; branch > 0; --branch) {
    if (IsWritable(view, branch - 1)) return static_cast<BranchIndex>(branch - 1);
  }
  return std::nullopt;
}

// aufs: nonopq(branch). Below an opaque directory on the way to the parent nothing can be seen.
BranchIndex RaiseToOpaque(const PolicyView& view, BranchIndex branch) {
  for (const BranchIndex opaque : view.opaque_above_parent) branch = std::min(branch, opaque);
  return branch;
}

Result<PolicyChoice> Settle(const PolicyView& view, PolicyChoice choice) {
  const BranchIndex raised = RaiseToOpaque(view, choice.branch);
  if (!IsWritable(view, raised)) return Errno::kRoFs;
  if (raised != choice.branch) choice.reason = "a directory above the parent is opaque there";
  choice.branch = raised;
  return choice;
}

Result<PolicyChoice> TopDownParent(const PolicyView& view) {
  if (IsWritable(view, view.top)) {
    return PolicyChoice{.branch = view.top,
                        .reason = view.top == view.parent_top
                                      ? "tdp: highest branch with the parent"
                                      : "tdp: the branch it is in is writable"};
  }
  for (BranchIndex branch = view.parent_top; branch < view.top; ++branch) {
    if (!IsWritableWithParent(view, branch)) continue;
    return PolicyChoice{.branch = branch, .reason = "tdp: highest writable branch with the parent"};
  }
  const std::optional<BranchIndex> above = NearestWritableAbove(view, view.top);
  if (!above.has_value()) return Errno::kRoFs;
  return Settle(view, {.branch = *above, .reason = "tdp: nearest writable branch above"});
}

// What a whiteout of the name or an opaque mark of its parent decides, whichever is higher: a name
// made below it could not be seen. Nothing: the policy decides.
std::optional<Result<PolicyChoice>> ChooseByMark(const PolicyView& view, const AufsQuirks& quirks) {
  if (!view.whiteout.has_value() && !view.parent_opaque.has_value()) return std::nullopt;
  constexpr BranchIndex kNone = ~BranchIndex{0};
  const BranchIndex whiteout = view.whiteout.value_or(kNone);
  const BranchIndex opaque = view.parent_opaque.value_or(kNone);
  const BranchIndex highest = std::min(whiteout, opaque);
  const BranchIndex marked = RaiseToOpaque(view, highest);
  if (IsWritable(view, marked)) {
    return Settle(view, {.branch = highest,
                         .reason = whiteout <= opaque ? "a whiteout of the name is there"
                                                      : "the parent is opaque there"});
  }
  // aufs: the manual names the branch above; the source asks the policy.
  if (quirks.override_only_writable) return std::nullopt;
  const std::optional<BranchIndex> above = NearestWritableAbove(view, marked);
  if (!above.has_value()) return Errno::kRoFs;
  return PolicyChoice{.branch = *above,
                      .reason = whiteout <= opaque
                                    ? "nearest writable branch above a read-only whiteout"
                                    : "nearest writable branch above a read-only opaque parent"};
}

// Not modelled: AUFS never uses the value 0 of its counter, which once costs branch 0 a turn. The
// manual promises an even split.
Result<PolicyChoice> RoundRobin(const PolicyView& view, bool directory, const PolicyBooks& books) {
  const auto count = static_cast<std::int64_t>(view.branches.size());
  for (std::int64_t skipped = 0; skipped < count; ++skipped) {
    const std::int64_t turn = books.round_robin - skipped;
    const auto branch = static_cast<BranchIndex>((turn % count + count) % count);
    if (!IsWritable(view, branch)) continue;
    return Settle(view, {.branch = branch,
                         .reason = directory ? "rr: the branch of the next file"
                                             : "rr: the branch whose turn it is",
                         .moves_round_robin = !directory,
                         .round_robin_after = turn - 1});
  }
  return Errno::kRoFs;
}

// Asks every writable branch when what is known of them is too old.
FreeBytes KnownFreeBytes(const AufsCreatePolicy& policy, const PolicyView& view,
                         PolicyBooks& books) {
  const std::int64_t age_ns = view.now.virtual_ns - books.asked_at.virtual_ns;
  const bool fresh = age_ns < policy.cache_seconds * kNanosecondsPerSecond;
  if (fresh && books.free_bytes.size() == view.branches.size()) return books.free_bytes;
  books.free_bytes.assign(view.branches.size(), 0);
  books.asked_at = view.now;
  for (std::size_t branch = 0; branch < view.branches.size(); ++branch) {
    if (!IsWritable(view, branch)) continue;
    const Result<std::uint64_t> free = view.free_bytes(static_cast<BranchIndex>(branch));
    if (free.ok()) books.free_bytes[branch] = *free;
  }
  return books.free_bytes;
}

// The lowest of those with the most.
std::optional<BranchIndex> Roomiest(const PolicyView& view, FreeBytes free) {
  std::optional<BranchIndex> roomiest;
  for (std::size_t branch = 0; branch < view.branches.size(); ++branch) {
    if (!IsWritable(view, branch)) continue;
    if (roomiest.has_value() && free[branch] < free[*roomiest]) continue;
    roomiest = static_cast<BranchIndex>(branch);
  }
  return roomiest;
}

Result<PolicyChoice> MostFreeSpace(const PolicyView& view, FreeBytes free) {
  const std::optional<BranchIndex> roomiest = Roomiest(view, free);
  if (!roomiest.has_value()) return Errno::kRoFs;
  return Settle(view, {.branch = *roomiest, .reason = "mfs: most free space"});
}

Result<PolicyChoice> MostFreeSpaceOrRoundRobin(const AufsCreatePolicy& policy, bool directory,
                                               const PolicyView& view, FreeBytes free,
                                               const PolicyBooks& books) {
  const std::optional<BranchIndex> roomiest = Roomiest(view, free);
  if (!roomiest.has_value()) return Errno::kRoFs;
  if (free[*roomiest] < policy.low_bytes) return RoundRobin(view, directory, books);
  return MostFreeSpace(view, free);
}

Result<PolicyChoice> TopDownMostFreeSpace(const AufsCreatePolicy& policy, const PolicyView& view,
                                          FreeBytes free) {
  const BranchIndex last =
      RaiseToOpaque(view, std::min(view.parent_tail, view.whiteout.value_or(view.parent_tail)));
  for (std::size_t branch = 0; branch <= last; ++branch) {
    if (!IsWritable(view, branch) || free[branch] <= policy.low_bytes) continue;
    return PolicyChoice{.branch = static_cast<BranchIndex>(branch),
                        .reason = "tdmfs: highest branch with enough free space"};
  }
  return MostFreeSpace(view, free);
}

// With the parent in one branch only no other branch is looked at, and tdp's remains.
Result<PolicyChoice> ParentMostFreeSpace(const PolicyView& view, FreeBytes free) {
  const Result<PolicyChoice> tdp = TopDownParent(view);
  if (!tdp.ok()) return tdp;
  PolicyChoice chosen = {.branch = tdp->branch,
                         .reason = "pmfs: tdp's branch, none with the parent has more space"};
  for (BranchIndex branch = view.parent_top; branch <= view.parent_tail; ++branch) {
    if (!IsWritableWithParent(view, branch) || free[branch] <= free[chosen.branch]) continue;
    chosen = {.branch = branch, .reason = "pmfs: most free space of those with the parent"};
  }
  return Settle(view, chosen);
}

Result<PolicyChoice> ParentMostFreeSpaceOrOther(const AufsCreatePolicy& policy,
                                                const AufsQuirks& quirks, bool directory,
                                                const PolicyView& view, FreeBytes free,
                                                const PolicyBooks& books) {
  const Result<PolicyChoice> chosen = ParentMostFreeSpace(view, free);
  if (!chosen.ok() || free[chosen->branch] >= policy.low_bytes) return chosen;
  // aufs: the manual goes on as mfs, the source as mfsrr.
  if (!quirks.pmfsrr_as_mfsrr) return MostFreeSpace(view, free);
  return MostFreeSpaceOrRoundRobin(policy, directory, view, free, books);
}

Result<PolicyChoice> BottomUpParent(const PolicyView& view) {
  for (std::size_t end = std::size_t{view.top} + 1; end > view.parent_top; --end) {
    if (!IsWritableWithParent(view, end - 1)) continue;
    return PolicyChoice{.branch = static_cast<BranchIndex>(end - 1),
                        .reason = "bup: nearest writable branch with the parent"};
  }
  const std::optional<BranchIndex> above = NearestWritableAbove(view, view.parent_top);
  if (!above.has_value()) return Errno::kRoFs;
  return PolicyChoice{.branch = *above, .reason = "bup: nearest writable branch above the parent"};
}

Result<PolicyChoice> BottomUp(const PolicyView& view) {
  const std::optional<BranchIndex> nearest = NearestWritableAbove(view, std::size_t{view.top} + 1);
  if (!nearest.has_value()) return Errno::kRoFs;
  return PolicyChoice{.branch = *nearest, .reason = "bu: nearest writable branch"};
}

}  // namespace

Result<PolicyChoice> ChooseForCreate(const AufsCreatePolicy& policy, const AufsQuirks& quirks,
                                     bool directory, const PolicyView& view, PolicyBooks& books) {
  CheckView(view);
  LAMINA_CHECK(policy.cache_seconds <= kPolicyCacheSecondsMax);
  // tdp never goes below a mark: the parent's highest branch is not below one.
  if (policy.kind == AufsCreate::kTopDownParent) return TopDownParent(view);
  if (const std::optional<Result<PolicyChoice>> forced = ChooseByMark(view, quirks)) {
    return *forced;
  }
  const auto free = [&] { return KnownFreeBytes(policy, view, books); };
  switch (policy.kind) {
    case AufsCreate::kTopDownParent:
      break;
    case AufsCreate::kRoundRobin:
      return RoundRobin(view, directory, books);
    case AufsCreate::kMostFreeSpace:
      return MostFreeSpace(view, free());
    case AufsCreate::kMostFreeSpaceRoundRobin:
      return MostFreeSpaceOrRoundRobin(policy, directory, view, free(), books);
    case AufsCreate::kTopDownMostFreeSpace:
      return TopDownMostFreeSpace(policy, view, free());
    case AufsCreate::kParentMostFreeSpace:
      return ParentMostFreeSpace(view, free());
    case AufsCreate::kParentMostFreeSpaceRoundRobin:
      return ParentMostFreeSpaceOrOther(policy, quirks, directory, view, free(), books);
  }
  return Errno::kInval;
}

Result<PolicyChoice> ChooseForCopyUp(AufsCopyUp policy, const PolicyView& view) {
  CheckView(view);
  switch (policy) {
    case AufsCopyUp::kTopDownParent:
      return TopDownParent(view);
    case AufsCopyUp::kBottomUpParent:
      return BottomUpParent(view);
    case AufsCopyUp::kBottomUp:
      return BottomUp(view);
  }
  return Errno::kInval;
}

void AdvanceRoundRobin(const PolicyChoice& made, PolicyBooks& books) {
  if (made.moves_round_robin) books.round_robin = made.round_robin_after;
}

}  // namespace lamina
