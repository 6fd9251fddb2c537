// AUFS: rename (fs/aufs/i_op_ren.c). The whiteout of the old name is made first, then the entry
// moves, then the whiteout of the new name goes; a failure before the end takes everything back but
// what was copied up.
#include <algorithm>

#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {
namespace {

bool IsDirectory(const UnionNode& node) { return node.type == FileType::kDirectory; }

bool HasBelow(const Resolution& found, BranchIndex branch) {
  return std::any_of(found.hits.begin(), found.hits.end(),
                     [&](const Hit& hit) { return hit.branch > branch; });
}

}  // namespace

// The lower objects of a directory stay where they are: they must have nothing to show.
Result<void> AufsDialect::CheckMovable(const OpContext& op, const UnionState& state,
                                       const UnionNode& node, BranchIndex branch) const {
  if (!IsDirectory(node) || options().dirren) return {};
  if (node.top().branch != branch) {
    Result<void> empty = CheckEmpty(op, state, node);
    if (empty.ok()) return {};
    return empty.error() == Errno::kNotEmpty ? Errno::kXDev : empty.error();
  }
  if (node.hits.size() == 1) return {};
  Result<bool> hidden = HidesAllBelow(op, state, node);
  if (!hidden.ok()) return hidden.error();
  return *hidden ? Result<void>() : Errno::kXDev;
}

Result<bool> AufsDialect::PlanMoved(const OpContext& op, const UnionState& state,
                                    const NamedNode& moved, BranchIndex branch, Plan& plan) const {
  UnionNode& node = *moved.node;
  if (node.needs_link()) {
    if (Result<void> linked = PlanLinkUp(op, state, node, plan); !linked.ok()) {
      return linked.error();
    }
    return true;
  }
  if (node.top().branch == branch) return false;
  const Result<void> copied = PlanCopy(op, state, node, {branch, moved.dir, moved.name}, {}, plan);
  if (!copied.ok()) return copied.error();
  return true;
}

Result<void> AufsDialect::AddOpaqueWhereNeeded(const OpContext& op, const UnionState& state,
                                               const UnionNode& moved, const NamedNode& target,
                                               const Resolution& there, BranchIndex branch,
                                               Plan& plan) const {
  if (!IsDirectory(moved) || options().dirren || moved.opaque_branch == branch) return {};
  bool needed = there.whiteout_branch == branch || HasBelow(there, branch) ||
                (target.node != nullptr && target.node->opaque_branch != kNoBranch &&
                 target.node->opaque_branch >= branch) ||
                options().opaque_always;
  if (!needed) {
    // What a file hid so far would be a part of the directory.
    Result<bool> shows = Reappears(op, state, *target.dir, branch, target.name);
    if (!shows.ok()) return shows.error();
    needed = *shows;
  }
  if (!needed) return {};
  AddWhiteout(op, state, branch, {StepNode::WritableOf(moved.id), std::string(kAufsOpaque)},
              StepPhase::kPrepare, plan);
  plan.made_opaque = true;
  return {};
}

Result<void> AufsDialect::PlanRename(const OpContext& caller, const UnionState& state,
                                     const NamedNode& from, const NamedNode& to, RenameMode mode,
                                     Plan& plan) const {
  const OpContext op = AsMounter(caller);
  if (mode == RenameMode::kLeaveWhiteout) return Errno::kInval;
  if (Result<void> usable = CheckName(to.name); !usable.ok()) return usable;
  const bool exchange = mode == RenameMode::kExchange;
  UnionNode& source = *from.node;
  Result<Resolution> here = Resolve(caller, state, *from.dir, from.name);
  if (!here.ok()) return here.error();
  Result<Resolution> there = Resolve(caller, state, *to.dir, to.name);
  if (!there.ok()) return there.error();

  // The branch.
  const BranchIndex source_top = source.top().branch;
  BranchIndex start = source_top;
  BranchIndex target_top = to.dir->top().branch;
  if (to.node != nullptr) {
    target_top = to.node->top().branch;
    start = std::min(start, target_top);
  }
  const Result<PolicyChoice> chosen =
      source.needs_link()
          ? PolicyChoice{.branch = source_top, .reason = "where its pseudo-linked copy is"}
          : ChooseForTarget(op, state, start, *to.dir, target_top, there->whiteout_branch);
  if (!chosen.ok()) return chosen.error();
  const BranchIndex branch = chosen->branch;
  plan.reason =
      start < source_top && branch == start ? "where the replaced entry is" : chosen->reason;

  if (Result<void> movable = CheckMovable(op, state, source, branch); !movable.ok()) {
    return movable;
  }
  const bool over_directory = !exchange && to.node != nullptr && IsDirectory(*to.node);
  if (exchange) {
    Result<void> movable = CheckMovable(op, state, *to.node, branch);
    if (!movable.ok()) return movable;
  } else if (over_directory) {
    if (Result<void> empty = CheckEmpty(op, state, *to.node); !empty.ok()) return empty;
  }

  // What must be on the branch.
  for (const UnionNode* dir : {from.dir, to.dir}) {
    if (Result<void> may = CheckRealParent(caller, state, *dir, branch); !may.ok()) return may;
  }
  for (UnionNode* dir : {to.dir, from.dir}) {
    if (Result<void> above = PlanDirectories(op, state, *dir, branch, plan); !above.ok()) {
      return above;
    }
  }
  Result<bool> copied = PlanMoved(op, state, from, branch, plan);
  if (!copied.ok()) return copied.error();
  if (exchange) {
    Result<bool> other = PlanMoved(op, state, to, branch, plan);
    if (!other.ok()) return other.error();
  }

  // The move.
  const StepPlace old_place{StepNode::WritableOf(from.dir->id), std::string(from.name)};
  const StepPlace new_place{StepNode::WritableOf(to.dir->id), std::string(to.name)};
  bool whiteout_needed = *copied && !exchange;
  if (!exchange && !whiteout_needed) {
    Result<bool> reappears = Reappears(op, state, *from.dir, branch, from.name);
    if (!reappears.ok()) return reappears.error();
    whiteout_needed = *reappears;
  }
  if (whiteout_needed) {
    AddWhiteout(op, state, branch, {old_place.dir, std::string(AufsWhiteoutName(from.name).text())},
                StepPhase::kPrepare, plan);
  }
  const Hit* replaced = over_directory ? to.node->in_branch(branch) : nullptr;
  const int aside = replaced == nullptr ? -1 : plan.NewSlot();
  if (replaced != nullptr) {
    Step& step = plan.Add(StepKind::kRename, StepPhase::kPrepare);
    step.branch = branch;
    step.place = new_place;
    step.to.dir = StepNode::Slot(aside);
    step.type = FileType::kDirectory;
    step.rename_mode = RenameMode::kNoReplace;
    step.reversible = true;
  }
  Step& move = plan.Add(StepKind::kRename, StepPhase::kPrepare);
  move.branch = branch;
  move.place = old_place;
  move.to = new_place;
  move.type = source.type;
  move.rename_mode = exchange ? RenameMode::kExchange : RenameMode::kReplace;
  move.reversible = true;
  Result<void> marked = AddOpaqueWhereNeeded(op, state, source, to, *there, branch, plan);
  if (!marked.ok()) return marked;
  AddOldNames(op, state, source, branch, plan);
  if (exchange) AddOldNames(op, state, *to.node, branch, plan);
  const bool sheds = !options().dirren;  // what is below stays where it is
  if (sheds && IsDirectory(source)) plan.moved.push_back({source.id, branch, plan.made_opaque});
  if (sheds && exchange && IsDirectory(*to.node)) {
    plan.made_opaque = false;
    marked = AddOpaqueWhereNeeded(op, state, *to.node, from, *here, branch, plan);
    if (!marked.ok()) return marked;
    plan.moved.push_back({to.node->id, branch, plan.made_opaque});
  }
  if (there->whiteout_branch == branch && to.node == nullptr) {
    AddWhiteoutRemoval(branch, new_place.dir, to.name, StepPhase::kPrepare, plan);
  }
  plan.steps.back().phase = StepPhase::kCommit;
  if (replaced != nullptr) {
    Result<void> emptied = PlanEmptying(op, state, branch, replaced->node, aside, plan);
    if (!emptied.ok()) return emptied;
  }
  AddTopTimes(caller, state, *from.dir, branch, plan);
  if (to.dir != from.dir) AddTopTimes(caller, state, *to.dir, branch, plan);
  return {};
}

}  // namespace lamina
