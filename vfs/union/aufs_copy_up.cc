// AUFS copy-up: which branch takes a change, and how an object comes there (fs/aufs/cpup.c,
// wbr_policy.c, plink.c). A copy is finished under the name .wh..wh.NAME.HHHH and renamed.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"
#include "lamina/fs/posix_acl.h"
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {
namespace {

bool IsDirectory(const UnionNode& node) { return node.type == FileType::kDirectory; }

std::uint8_t NamespaceOf(std::string_view key) {
  if (key.starts_with("security.")) return kAufsIcexSecurity;
  if (key.starts_with("system.")) return kAufsIcexSystem;
  if (key.starts_with("trusted.")) return kAufsIcexTrusted;
  if (key.starts_with("user.")) return kAufsIcexUser;
  return kAufsIcexOther;
}

// The directories above the parent that are opaque, nearest first.
absl::InlinedVector<BranchIndex, 8> OpaqueAbove(const UnionState& state, const UnionNode& dir) {
  absl::InlinedVector<BranchIndex, 8> opaque;
  const UnionNode* at = &dir;
  while (at->id != state.root) {
    at = state.nodes.Find(at->parent);
    if (at == nullptr) break;
    if (at->opaque_branch != kNoBranch) opaque.push_back(at->opaque_branch);
  }
  return opaque;
}

std::optional<BranchIndex> Known(BranchIndex branch) {
  return branch == kNoBranch ? std::nullopt : std::optional<BranchIndex>(branch);
}

// Calls choose(PolicyView) with the view of a name in `dir`.
template <typename Choose>
auto WithView(const OpContext& op, const UnionState& state, const UnionNode& dir, BranchIndex top,
              BranchIndex whiteout, Choose choose) {
  absl::InlinedVector<PolicyBranch, 16> branches(state.branches.size());
  for (std::size_t i = 0; i < branches.size(); ++i) {
    branches[i].writable = state.writable(static_cast<BranchIndex>(i));
  }
  for (const Hit& hit : dir.hits) branches[hit.branch].has_parent = true;
  const absl::InlinedVector<BranchIndex, 8> opaque = OpaqueAbove(state, dir);
  const auto free_bytes = [&](BranchIndex branch) -> Result<std::uint64_t> {
    Result<FsSpace> space = state.fs(branch).GetSpace(op);
    if (!space.ok()) return space.error();
    return space->free_bytes;
  };
  return choose(PolicyView{.branches = branches,
                           .parent_top = dir.hits.front().branch,
                           .parent_tail = dir.hits.back().branch,
                           .top = top,
                           .whiteout = Known(whiteout),
                           .parent_opaque = Known(dir.opaque_branch),
                           .opaque_above_parent = opaque,
                           .free_bytes = free_bytes,
                           .now = op.now});
}

}  // namespace

BranchIndex AufsDialect::LowestVisible(const UnionState& state, const UnionNode& dir) const {
  BranchIndex lowest = dir.opaque_branch;
  for (const BranchIndex opaque : OpaqueAbove(state, dir)) lowest = std::min(lowest, opaque);
  return lowest;
}

Result<PolicyChoice> AufsDialect::ChooseForNew(const OpContext& op, const UnionState& state,
                                               const UnionNode& dir, BranchIndex whiteout,
                                               bool directory) const {
  const BranchIndex top = dir.hits.front().branch;
  return WithView(op, state, dir, top, whiteout, [&](const PolicyView& view) {
    Result<PolicyChoice> choice =
        ChooseForCreate(options().create, options().quirks, directory, view, books_->policy);
    if (choice.ok()) return choice;
    return ChooseForCopyUp(options().copy_up, view);
  });
}

Result<PolicyChoice> AufsDialect::ChooseForCopy(const OpContext& op, const UnionState& state,
                                                const UnionNode& dir, BranchIndex top) const {
  // Every policy goes up, and there is one place to go.
  if (state.sole_writable != kNoBranch) {
    if (state.sole_writable > top) return Errno::kRoFs;
    return PolicyChoice{.branch = state.sole_writable, .reason = "the only writable branch"};
  }
  return WithView(op, state, dir, top, kNoBranch,
                  [&](const PolicyView& view) { return ChooseForCopyUp(options().copy_up, view); });
}

void AufsDialect::AddTimes(const OpContext& op, const UnionState& state, const UnionNode& dir,
                           BranchIndex branch, Plan& plan) const {
  const Hit* own = dir.in_branch(branch);
  if (own == nullptr && branch > dir.top().branch) return;  // copied down just now, without times
  const Hit& source = own == nullptr ? dir.top() : *own;
  Result<Stat> stat = state.fs(source.branch).GetAttr(AsMounter(op), source.node);
  if (!stat.ok()) return;
  Step& times = plan.Add(StepKind::kSetAttr, StepPhase::kCleanUp);
  times.branch = branch;
  times.node = StepNode::WritableOf(dir.id);
  times.change.atime = stat->atime;
  times.change.mtime = stat->mtime;
}

void AufsDialect::AddTopTimes(const OpContext& op, const UnionState& state, const UnionNode& dir,
                              BranchIndex branch, Plan& plan) const {
  const BranchIndex top = dir.top().branch;
  if (branch <= top || !state.writable(top)) return;
  Step& times = plan.Add(StepKind::kSetAttr, StepPhase::kCleanUp);
  times.branch = top;
  times.node = StepNode::WritableOf(dir.id);
  times.change.mtime = op.now;
}

Result<void> AufsDialect::AddXattrs(const OpContext& op, const UnionState& state, const Hit& source,
                                    BranchIndex branch, StepNode target, Plan& plan) const {
  FileSystem& fs = state.fs(source.branch);
  Result<std::vector<std::string>> keys = fs.ListXattr(op, source.node);
  if (!keys.ok()) {
    const bool none = keys.error() == Errno::kOpNotSupp || keys.error() == Errno::kNoData;
    return none ? Result<void>() : keys.error();
  }
  const std::uint8_t ignored = books_->modes[branch].icex;
  for (std::string& key : *keys) {
    Result<std::string> value = fs.GetXattr(op, source.node, key);
    if (!value.ok()) return value.error();
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
    step.branch = branch;
    step.node = target;
    step.best_effort = (ignored & NamespaceOf(key)) != 0;
    step.minds_quota = true;
    step.key = std::move(key);
    step.value = *std::move(value);
  }
  return {};
}

Result<int> AufsDialect::AddCopy(const OpContext& op, const UnionState& state,
                                 const UnionNode& node, const Stat& stat, BranchIndex branch,
                                 const StepPlace& beside, BodyNeed need, Plan& plan) const {
  const Hit& source = node.top();
  FileSystem& fs = state.fs(source.branch);
  const int slot = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreateTemp, StepPhase::kPrepare);
  make.branch = branch;
  make.beside = true;
  make.place = beside;
  make.type = stat.type;
  make.mode = stat.type == FileType::kRegular ? 0600 : stat.mode;
  make.rdev = stat.rdev;
  make.result_slot = slot;
  if (stat.type == FileType::kSymlink) {
    Result<std::string> target = fs.ReadLink(op, source.node);
    if (!target.ok()) return target.error();
    make.target = *std::move(target);
  }
  const std::uint64_t length = std::min(need.limit_bytes, stat.size_bytes);
  if (stat.type == FileType::kRegular && length > 0) {
    Step& copy = plan.Add(StepKind::kCopyData, StepPhase::kPrepare);
    copy.branch = branch;
    copy.node = StepNode::Slot(slot);
    copy.source_branch = source.branch;
    copy.source = source.node;
    copy.length_bytes = length;
    copy.drops_zeros = true;
  }
  // What a default ACL of the new parent put there goes; the source's own comes with its xattrs.
  for (const std::string_view key : {kAccessAclKey, kDefaultAclKey}) {
    if (stat.type == FileType::kSymlink) break;
    if (!fs.limits().xattrs || !state.fs(branch).limits().xattrs) break;
    if (key == kDefaultAclKey && stat.type != FileType::kDirectory) break;
    Step& drop = plan.Add(StepKind::kDropXattr, StepPhase::kPrepare);
    drop.branch = branch;
    drop.node = StepNode::Slot(slot);
    drop.key = std::string(key);
    drop.best_effort = true;
  }
  Step& owner = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  owner.branch = branch;
  owner.node = StepNode::Slot(slot);
  owner.change.uid = stat.uid;
  owner.change.gid = stat.gid;
  Result<void> xattrs = AddXattrs(op, state, source, branch, StepNode::Slot(slot), plan);
  if (!xattrs.ok()) return xattrs.error();
  Step& rest = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  rest.branch = branch;
  rest.node = StepNode::Slot(slot);
  if (stat.type != FileType::kSymlink) rest.change.mode = stat.mode;
  rest.change.atime = stat.atime;
  rest.change.mtime = stat.mtime;
  return slot;
}

// A directory that comes from a branch above has its mode and owner, and is opaque where its name
// was whited out.
Result<void> AufsDialect::PlanCopyDown(const OpContext& op, const UnionState& state, UnionNode& dir,
                                       UnionNode& parent, BranchIndex branch, Plan& plan) const {
  const Hit& source = dir.top();
  Result<Stat> stat = state.fs(source.branch).GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const StepNode in = StepNode::WritableOf(parent.id);
  const int slot = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreate, StepPhase::kPrepare);
  make.branch = branch;
  make.place = {in, dir.name};
  make.type = FileType::kDirectory;
  make.mode = 0755;
  make.result_slot = slot;
  Step& attributes = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  attributes.branch = branch;
  attributes.node = StepNode::Slot(slot);
  attributes.change = {.mode = stat->mode, .uid = stat->uid, .gid = stat->gid};
  const bool whited_out = HasWhiteout(op, state, parent, branch, dir.name);
  if (whited_out) {
    AddWhiteout(op, state, branch, {StepNode::Slot(slot), std::string(kAufsOpaque)},
                StepPhase::kPrepare, plan);
    AddWhiteoutRemoval(branch, in, dir.name, StepPhase::kPrepare, plan);
  }
  plan.steps.back().phase = StepPhase::kCommit;
  plan.steps.back().made_slot = slot;
  plan.steps.back().copied_up = dir.id;
  return {};
}

Result<void> AufsDialect::PlanDirectories(const OpContext& op, const UnionState& state,
                                          UnionNode& dir, BranchIndex branch, Plan& plan) const {
  if (dir.in_branch(branch) != nullptr) return {};
  const bool planned = std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    return step.copied_up == dir.id && step.branch == branch;
  });
  if (planned) return {};
  if (dir.dead) return Errno::kNoEnt;
  UnionNode* parent = state.nodes.Find(dir.parent);
  if (parent == nullptr) return Errno::kStale;
  if (Result<void> above = PlanDirectories(op, state, *parent, branch, plan); !above.ok()) {
    return above;
  }
  if (branch > dir.top().branch) return PlanCopyDown(op, state, dir, *parent, branch, plan);
  return PlanCopy(op, state, dir, {branch, parent, dir.name}, {}, plan);
}

Result<void> AufsDialect::PlanCopy(const OpContext& op, const UnionState& state, UnionNode& node,
                                   const CopyTarget& target, BodyNeed need, Plan& plan) const {
  const Hit& source = node.top();
  Result<Stat> stat = state.fs(source.branch).GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const StepNode in = StepNode::WritableOf(target.dir->id);
  Result<int> slot =
      AddCopy(op, state, node, *stat, target.branch, {in, std::string(target.name)}, need, plan);
  if (!slot.ok()) return slot.error();
  const bool links = !IsDirectory(node) && stat->nlink > 1;
  Step& publish = plan.Add(StepKind::kRename, StepPhase::kCommit);
  publish.branch = target.branch;
  publish.node = StepNode::Slot(*slot);
  publish.place.dir = StepNode::Slot(*slot);
  publish.to = {in, std::string(target.name)};
  publish.type = node.type;
  publish.copied_up = node.id;
  publish.sheds_lower = !IsDirectory(node);
  publish.rekeys = true;
  publish.indexed = links && options().plink;
  if (publish.indexed && !node.counts_own_names()) publish.nlink = stat->nlink;
  if (publish.indexed) AddPseudoLink(node, target.branch, *slot, StepPhase::kCleanUp, plan);
  AddTimes(op, state, *target.dir, target.branch, plan);
  return {};
}

void AufsDialect::AddPseudoLink(const UnionNode& node, BranchIndex branch, int slot,
                                StepPhase phase, Plan& plan) const {
  const NodeId plinks = books_->base[branch].plinks;
  if (plinks.value == 0) return;
  Step& link = plan.Add(StepKind::kLinkNode, phase);
  link.branch = branch;
  link.node = StepNode::Slot(slot);
  link.to = {StepNode::Fixed(plinks), absl::StrFormat("%d.", node.private_ino)};
  link.number_slot = slot;
  link.type = node.type;
}

// A file without a name: the copy has one for a moment only.
Result<void> AufsDialect::PlanCopyOfUnnamed(const OpContext& op, const UnionState& state,
                                            UnionNode& node, BranchIndex branch, BodyNeed need,
                                            Plan& plan) const {
  const Hit& source = node.top();
  Result<Stat> stat = state.fs(source.branch).GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const UnionNode* parent = state.nodes.Find(node.parent);
  const bool parent_gone = parent == nullptr || parent->dead;
  const StepNode in = parent_gone ? StepNode::Fixed(books_->base[branch].orphans)
                                  : StepNode::WritableOf(parent->id);
  Result<int> slot = AddCopy(op, state, node, *stat, branch, {in, node.name}, need, plan);
  if (!slot.ok()) return slot.error();
  // Its other names show the copy.
  const bool links = stat->nlink > 1 && options().plink;
  if (links) AddPseudoLink(node, branch, *slot, StepPhase::kPrepare, plan);
  Step& unlink = plan.Add(StepKind::kRemove, StepPhase::kCommit);
  unlink.branch = branch;
  unlink.node = StepNode::Slot(*slot);
  unlink.place.dir = StepNode::Slot(*slot);
  unlink.type = node.type;
  unlink.copied_up = node.id;
  unlink.sheds_lower = true;
  unlink.rekeys = true;
  unlink.elsewhere = true;
  unlink.indexed = links;
  if (links && !node.counts_own_names()) unlink.nlink = stat->nlink;
  if (!parent_gone) AddTimes(op, state, *parent, branch, plan);
  return {};
}

// The hard link of a pseudo-linked name in use.
Result<void> AufsDialect::PlanLinkUp(const OpContext& op, const UnionState& state, UnionNode& node,
                                     Plan& plan) const {
  const BranchIndex branch = node.top().branch;
  UnionNode* parent = state.nodes.Find(node.parent);
  if (parent == nullptr) return Errno::kStale;
  if (Result<void> made = PlanDirectories(op, state, *parent, branch, plan); !made.ok()) {
    return made;
  }
  Step& link = plan.Add(StepKind::kLinkNode, StepPhase::kCommit);
  link.branch = branch;
  link.node = StepNode::WritableOf(node.id);
  link.to = {StepNode::WritableOf(parent->id), node.name};
  link.type = node.type;
  link.linked = node.id;
  AddTimes(op, state, *parent, branch, plan);
  return {};
}

Result<BranchIndex> AufsDialect::PlanCopyUp(const OpContext& caller, const UnionState& state,
                                            UnionNode& node, BodyNeed need, Plan& plan) const {
  const OpContext op = AsMounter(caller);
  if (node.has_writable) {
    if (node.needs_link() && !node.dead) {
      if (Result<void> linked = PlanLinkUp(op, state, node, plan); !linked.ok()) {
        return linked.error();
      }
    }
    return node.top().branch;
  }
  const bool root = node.id == state.root;
  UnionNode* parent = root ? &node : state.nodes.Find(node.parent);
  const bool orphan = parent == nullptr || parent->dead;
  const Result<PolicyChoice> choice =
      ChooseForCopy(op, state, orphan ? state.node(state.root) : *parent, node.top().branch);
  if (!choice.ok()) return choice.error();
  plan.reason = choice->reason;
  const Result<BranchIndex> branch = choice->branch;
  if (orphan || ((node.dead || node.name_is_gone) && !IsDirectory(node))) {
    if (!orphan) {
      Result<void> above = PlanDirectories(op, state, *parent, *branch, plan);
      if (!above.ok()) return above.error();
    }
    Result<void> copied = PlanCopyOfUnnamed(op, state, node, *branch, need, plan);
    if (!copied.ok()) return copied.error();
    return branch;
  }
  if (node.dead) return Errno::kNoEnt;
  if (Result<void> above = PlanDirectories(op, state, *parent, *branch, plan); !above.ok()) {
    return above.error();
  }
  const Result<void> copied = PlanCopy(op, state, node, {*branch, parent, node.name}, need, plan);
  if (!copied.ok()) return copied.error();
  return branch;
}

// The times of a device, fifo or socket in a branch that cannot be written.
bool AufsDialect::Ignores(const UnionNode& node, const AttrChange& change) const {
  const bool special = node.type == FileType::kFifo || node.type == FileType::kSocket ||
                       node.type == FileType::kCharDevice || node.type == FileType::kBlockDevice;
  const bool only_times = !change.mode && !change.uid && !change.gid && !change.size_bytes;
  return special && only_times && !node.has_writable;
}

// coo_reg, coo_all, moo: an open copies up to the nearest writable branch above.
Result<void> AufsDialect::PlanOpen(const OpContext& caller, const UnionState& state,
                                   UnionNode& node, Plan& plan) const {
  const OpContext op = AsMounter(caller);
  const BranchIndex top = node.top().branch;
  const AufsOnOpen on_open = books_->modes[top].on_open;
  const bool copies = node.type == FileType::kRegular
                          ? on_open != AufsOnOpen::kNothing
                          : IsDirectory(node) && on_open == AufsOnOpen::kCopyAll;
  if (!copies || top == 0 || node.id == state.root || node.dead || state.read_only) return {};
  BranchIndex branch = top;
  while (branch > 0 && !state.writable(static_cast<BranchIndex>(branch - 1))) --branch;
  if (branch == 0) return {};
  --branch;
  plan.reason = "coo_reg, coo_all, moo: nearest writable branch above";
  UnionNode* parent = state.nodes.Find(node.parent);
  if (parent == nullptr) return Errno::kStale;
  const Hit source = node.top();
  if (Result<void> above = PlanDirectories(op, state, *parent, branch, plan); !above.ok()) {
    return above;
  }
  Result<void> copied = PlanCopy(op, state, node, {branch, parent, node.name}, {}, plan);
  if (!copied.ok() || on_open != AufsOnOpen::kMove || !state.writable(source.branch)) return copied;
  const Hit* below = parent->in_branch(source.branch);
  if (below == nullptr) return {};
  Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
  remove.branch = source.branch;
  remove.place = {StepNode::Fixed(below->node), node.name};
  remove.type = node.type;
  return {};
}

Result<BranchIndex> AufsDialect::PlanUnnamed(const OpContext& caller, const UnionState& state,
                                             UnionNode& dir, Plan& plan) const {
  const OpContext op = AsMounter(caller);
  Result<PolicyChoice> choice = ChooseForNew(op, state, dir, kNoBranch, false);
  if (!choice.ok()) return choice.error();
  plan.reason = choice->reason;
  if (Result<void> made = PlanDirectories(op, state, dir, choice->branch, plan); !made.ok()) {
    return made.error();
  }
  return choice->branch;
}

}  // namespace lamina
