// AUFS: link (fs/aufs/i_op_add.c, plink.c). A file that must be copied up for it is copied under
// the new name; a pseudo-link remembers that the old name is the same file.
#include <algorithm>

#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {

Result<PolicyChoice> AufsDialect::ChooseForTarget(const OpContext& op, const UnionState& state,
                                                  BranchIndex source, const UnionNode& target_dir,
                                                  BranchIndex target_top,
                                                  BranchIndex target_whiteout) const {
  const BranchIndex end = std::min(LowestVisible(state, target_dir), target_whiteout);
  const bool blocked = end < source;
  if (state.writable(source) && !blocked) {
    return PolicyChoice{.branch = source, .reason = "where it is, which is writable"};
  }
  const BranchIndex highest = std::min(source, target_top);
  if (state.writable(highest)) {
    return PolicyChoice{.branch = highest,
                        .reason = blocked ? "a mark there would hide the new name further down"
                                          : "the new name's directory is there"};
  }
  // The policy is asked about the target, whose directory may be further down than the source.
  const BranchIndex top = std::max(target_top, target_dir.top().branch);
  const Result<PolicyChoice> copy = ChooseForCopy(op, state, target_dir, top);
  if (!copy.ok()) return copy.error();
  // A copy never goes down.
  BranchIndex branch = std::min(copy->branch, source);
  while (branch > 0 && !state.writable(branch)) --branch;
  if (!state.writable(branch)) return Errno::kRoFs;
  return PolicyChoice{
      .branch = branch,
      .reason = branch == copy->branch ? copy->reason : "nearest writable branch above the source"};
}

Result<void> AufsDialect::PlanLink(const OpContext& caller, const UnionState& state,
                                   UnionNode& node, HandleId unnamed, const NamedNode& place,
                                   Plan& plan) const {
  const OpContext op = AsMounter(caller);
  if (Result<void> usable = CheckName(place.name); !usable.ok()) return usable;
  UnionNode& dir = *place.dir;
  Result<Resolution> now = Resolve(caller, state, dir, place.name);
  if (!now.ok()) return now.error();
  const BranchIndex source = node.top().branch;
  const Result<PolicyChoice> chosen =
      ChooseForTarget(op, state, source, dir, dir.top().branch, now->whiteout_branch);
  if (!chosen.ok()) return chosen.error();
  const BranchIndex branch = chosen->branch;
  plan.reason = chosen->reason;
  if (Result<void> above = PlanDirectories(op, state, dir, branch, plan); !above.ok()) {
    return above;
  }
  const StepNode in = StepNode::WritableOf(dir.id);
  const bool whited_out = HasWhiteout(op, state, dir, branch, place.name);
  const bool copies = branch != source;
  if (copies && options().plink) {
    // The copy takes the new name; the old one stays where it is.
    Result<void> copied = PlanCopyAs(op, state, node, {branch, &dir, place.name}, plan);
    if (!copied.ok()) return copied;
  } else {
    if (copies) {
      UnionNode* parent = state.nodes.Find(node.parent);
      if (parent == nullptr || node.dead) return Errno::kNoEnt;
      Result<void> above = PlanDirectories(op, state, *parent, branch, plan);
      if (!above.ok()) return above;
      Result<void> copied = PlanCopy(op, state, node, {branch, parent, node.name}, {}, plan);
      if (!copied.ok()) return copied;
    }
    Step& link = plan.Add(unnamed.value != 0 ? StepKind::kLinkUnnamed : StepKind::kLinkNode,
                          StepPhase::kPrepare);
    link.branch = branch;
    link.node = StepNode::WritableOf(node.id);
    link.handle = unnamed;
    link.to = {in, std::string(place.name)};
    link.type = node.type;
    link.as_mounter = unnamed.value == 0;
    if (!whited_out) link.phase = StepPhase::kCommit;
  }
  if (whited_out) AddWhiteoutRemoval(branch, in, place.name, StepPhase::kCommit, plan);
  AddTopTimes(caller, state, dir, branch, plan);
  return {};
}

Result<void> AufsDialect::PlanCopyAs(const OpContext& op, const UnionState& state, UnionNode& node,
                                     const CopyTarget& target, Plan& plan) const {
  const Hit& source = node.top();
  Result<Stat> stat = state.fs(source.branch).GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const StepNode in = StepNode::WritableOf(target.dir->id);
  Result<int> slot =
      AddCopy(op, state, node, *stat, target.branch, {in, std::string(target.name)}, {}, plan);
  if (!slot.ok()) return slot.error();
  Step& publish = plan.Add(StepKind::kRename, StepPhase::kCommit);
  publish.branch = target.branch;
  publish.node = StepNode::Slot(*slot);
  publish.place.dir = StepNode::Slot(*slot);
  publish.to = {in, std::string(target.name)};
  publish.type = node.type;
  publish.copied_up = node.id;
  publish.sheds_lower = true;
  publish.rekeys = true;
  publish.indexed = true;
  if (!node.counts_own_names()) publish.nlink = stat->nlink;
  publish.elsewhere = true;
  AddPseudoLink(node, target.branch, *slot, StepPhase::kCleanUp, plan);
  return {};
}

}  // namespace lamina
