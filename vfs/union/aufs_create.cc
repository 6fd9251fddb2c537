// AUFS: new names, and whiteouts (fs/aufs/i_op_add.c, whout.c). An entry is made first, its
// whiteout goes second; a crash between the two leaves both.
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {

void AufsDialect::AddWhiteout(const OpContext& op, const UnionState& state, BranchIndex branch,
                              StepPlace place, StepPhase phase, Plan& plan) const {
  FileSystem& fs = state.fs(branch);
  const NodeId base = books_->base[branch].whiteout;
  bool links = base.value != 0;
  if (links) {
    // A base file with too many links is replaced later; this whiteout is a file of its own.
    Result<Stat> stat = fs.GetAttr(AsMounter(op), base);
    links = stat.ok() && stat->nlink > 0 && stat->nlink < fs.limits().link_max;
  }
  Step& step = plan.Add(links ? StepKind::kLinkNode : StepKind::kCreate, phase);
  step.branch = branch;
  step.type = FileType::kRegular;
  if (links) {
    step.node = StepNode::Fixed(base);
    step.to = std::move(place);
    return;
  }
  step.place = std::move(place);
  step.mode = 0444;
  step.result_slot = plan.NewSlot();
  if (base.value != 0) plan.renews_base = branch;
}

void AufsDialect::AddWhiteoutRemoval(BranchIndex branch, StepNode dir, std::string_view name,
                                     StepPhase phase, Plan& plan) const {
  Step& step = plan.Add(StepKind::kRemove, phase);
  step.branch = branch;
  step.place = {dir, std::string(AufsWhiteoutName(name).text())};
  step.type = FileType::kRegular;
}

bool AufsDialect::HasWhiteout(const OpContext& op, const UnionState& state, const UnionNode& dir,
                              BranchIndex branch, std::string_view name) const {
  const Hit* hit = dir.in_branch(branch);
  if (hit == nullptr) return false;
  return state.fs(branch).Lookup(op, {hit->node, AufsWhiteoutName(name).text()}).ok();
}

Result<void> AufsDialect::PlanCreate(const OpContext& op, const UnionState& state,
                                     const NamedNode& place, const NewNode& node,
                                     Plan& plan) const {
  const OpContext mounter = AsMounter(op);
  if (Result<void> usable = CheckName(place.name); !usable.ok()) return usable;
  UnionNode& dir = *place.dir;
  Result<Resolution> now = Resolve(op, state, dir, place.name);
  if (!now.ok()) return now.error();
  const bool directory = node.type == FileType::kDirectory;
  Result<PolicyChoice> choice = ChooseForNew(mounter, state, dir, now->whiteout_branch, directory);
  if (!choice.ok()) return choice.error();
  const BranchIndex branch = choice->branch;
  if (Result<void> above = PlanDirectories(mounter, state, dir, branch, plan); !above.ok()) {
    return above;
  }
  if (const Hit* hit = dir.in_branch(branch); hit != nullptr) {
    // Something that a whiteout further up hides, or that somebody put there just now.
    if (state.fs(branch).Lookup(mounter, {hit->node, place.name}).ok()) return Errno::kIo;
  }
  const bool whited_out = now->whiteout_branch == branch;
  const StepNode in = StepNode::WritableOf(dir.id);
  const int slot = plan.NewSlot();
  plan.made = slot;
  plan.made_branch = branch;
  plan.reason = choice->reason;
  if (choice->moves_round_robin) plan.turn = choice->round_robin_after;
  Step& make = plan.Add(StepKind::kCreate, StepPhase::kPrepare);
  make.branch = branch;
  make.place = {in, std::string(place.name)};
  make.type = node.type;
  make.mode = node.mode;
  make.rdev = node.rdev;
  make.target = std::string(node.symlink_target);
  make.as_mounter = false;
  make.result_slot = slot;
  if (directory && (whited_out || options().opaque_always)) {
    AddWhiteout(mounter, state, branch, {StepNode::Slot(slot), std::string(kAufsOpaque)},
                StepPhase::kPrepare, plan);
    plan.made_opaque = true;
  }
  if (whited_out) AddWhiteoutRemoval(branch, in, place.name, StepPhase::kPrepare, plan);
  plan.steps.back().phase = StepPhase::kCommit;
  AddTopTimes(op, state, dir, branch, plan);
  return {};
}

}  // namespace lamina
