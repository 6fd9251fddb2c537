// Overlay copy-up: a lower object gets its copy in the writable branch (fs/overlayfs/copy_up.c).
//
// Every ancestor without a writable part first, top down; each object is one transaction: prepared
// in the work directory, made visible by one rename or link.
#include <algorithm>

#include "lamina/base/check.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

// Appends a mark unless the plan has just that step already.
void AddMark(StepNode node, StepPhase phase, const std::string& key, std::string_view value,
             Plan& plan) {
  const bool there = std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    return step.kind == StepKind::kSetXattr && step.node == node && step.key == key;
  });
  if (there) return;
  Step& step = plan.Add(StepKind::kSetXattr, phase);
  step.node = node;
  step.key = key;
  step.value = std::string(value);
}

// The copy is made with the mounter's ids; owner first, since a change of owner drops set-id bits
// and capabilities, which the copy keeps.
void AddOwner(int slot, const Stat& stat, Plan& plan) {
  if (stat.uid == 0 && stat.gid == 0) return;
  Step& step = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  step.node = StepNode::Slot(slot);
  step.change.uid = stat.uid;
  step.change.gid = stat.gid;
}

void AddModeAndTimes(int slot, const Stat& stat, Plan& plan) {
  Step& step = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  step.node = StepNode::Slot(slot);
  if (stat.type != FileType::kSymlink) step.change.mode = stat.mode;
  step.change.atime = stat.atime;
  step.change.mtime = stat.mtime;
}

// Appends the copy of every xattr that is not a private mark.
Result<void> AddXattrs(const OpContext& op, const OverlayDialect& dialect, FileSystem& fs,
                       NodeId source, int slot, Plan& plan) {
  Result<std::vector<std::string>> keys = fs.ListXattr(op, source);
  if (!keys.ok()) return keys.error() == Errno::kOpNotSupp ? Result<void>() : keys.error();
  for (std::string& key : *keys) {
    if (!dialect.ShownXattr(key).has_value()) continue;
    Result<std::string> value = fs.GetXattr(op, source, key);
    if (!value.ok()) return value.error();
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
    step.node = StepNode::Slot(slot);
    step.key = std::move(key);
    step.value = *std::move(value);
  }
  return {};
}

}  // namespace

void OverlayDialect::PlanImpure(const UnionNode& dir, Plan& plan) const {
  if (dir.impure) return;
  // A transaction of its own: the mark stays when what follows fails, as in the kernel.
  AddMark(StepNode::WritableOf(dir.id), StepPhase::kCommit, config_.marks.impure, "y", plan);
}

void OverlayDialect::PlanPure(const UnionNode& dir, Plan& plan) const {
  Step& step = plan.Add(StepKind::kDropXattr, StepPhase::kCommit);
  step.node = StepNode::WritableOf(dir.id);
  step.key = config_.marks.impure;
}

void OverlayDialect::PlanRepair(const OpContext& caller, const UnionState& state,
                                const UnionNode& dir, const Resolution& found, Plan& plan) const {
  if (!found.origin_missing) return;
  const Hit& lower = found.hits[1];
  Result<Stat> stat = state.fs(lower.branch).GetAttr(AsMounter(caller), lower.node);
  if (!stat.ok()) return;
  AddMark(StepNode::Fixed(found.hits[0].node), StepPhase::kCommit, config_.marks.origin,
          EncodeOrigin(state.fs(lower.branch), *stat), plan);
  PlanImpure(dir, plan);
}

Result<void> OverlayDialect::PlanCopyUp(const OpContext& caller, const UnionState& state,
                                        UnionNode& node, std::uint64_t limit_bytes,
                                        Plan& plan) const {
  if (node.has_writable) return {};
  const OpContext op = AsMounter(caller);
  std::vector<UnionNode*> chain;  // bottom up
  for (UnionNode* at = &node; !at->has_writable; at = &state.node(at->parent)) {
    chain.push_back(at);
    if (state.nodes.Find(at->parent) == nullptr) return Errno::kStale;
  }
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    UnionNode& parent = state.node((*at)->parent);
    if (Result<void> planned = PlanCopyUpOne(op, state, **at, parent, limit_bytes, plan);
        !planned.ok()) {
      return planned;
    }
  }
  return {};
}

Result<void> OverlayDialect::PlanCopyUpOne(const OpContext& op, const UnionState& state,
                                           UnionNode& node, UnionNode& parent,
                                           std::uint64_t limit_bytes, Plan& plan) const {
  const auto planned = [&](const Step& step) { return step.copied_up == node.id; };
  if (std::any_of(plan.steps.begin(), plan.steps.end(), planned)) return {};
  const Hit& source = node.top();
  FileSystem& fs = state.fs(source.branch);
  Result<Stat> stat = fs.GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const bool parent_is_up = parent.has_writable;
  Result<Stat> parent_stat = state.fs(parent.top().branch).GetAttr(op, parent.top().node);
  if (!parent_stat.ok() && parent_is_up) return Errno::kNoEnt;  // the directory was removed
  if (!parent_stat.ok()) return parent_stat.error();
  PlanImpure(parent, plan);

  const bool regular = stat->type == FileType::kRegular;
  const int slot = plan.NewSlot();
  Step& make =
      plan.Add(regular ? StepKind::kCreateUnnamed : StepKind::kCreateTemp, StepPhase::kPrepare);
  make.type = stat->type;
  make.mode = regular ? 0600 : stat->type == FileType::kDirectory ? 0700 : 0600;
  make.rdev = stat->rdev;
  make.result_slot = slot;
  make.open_flags = {.access = Access::kReadWrite};
  if (stat->type == FileType::kSymlink) {
    Result<std::string> target = fs.ReadLink(op, source.node);
    if (!target.ok()) return target.error();
    make.target = *std::move(target);
    make.mode = 0777;
  }
  const std::uint64_t length = std::min(limit_bytes, stat->size_bytes);
  if (regular && length > 0) {
    Step& copy = plan.Add(StepKind::kCopyData, StepPhase::kPrepare);
    copy.node = StepNode::Slot(slot);
    copy.source_branch = source.branch;
    copy.source = source.node;
    copy.length_bytes = length;
  }
  AddOwner(slot, *stat, plan);
  if (Result<void> copied = AddXattrs(op, *this, fs, source.node, slot, plan); !copied.ok()) {
    return copied;
  }
  if (stat->type == FileType::kDirectory || stat->nlink == 1) {
    AddMark(StepNode::Slot(slot), StepPhase::kPrepare, config_.marks.origin,
            EncodeOrigin(fs, *stat), plan);
    // user.* keys are refused on special files; the kernel does without the origin then.
    plan.steps.back().best_effort =
        config_.prefix.starts_with("user.") && !regular && stat->type != FileType::kDirectory;
  }
  AddModeAndTimes(slot, *stat, plan);
  if (config_.sync && regular) {
    plan.Add(StepKind::kSyncNode, StepPhase::kPrepare).node = StepNode::Slot(slot);
  }
  Step& publish =
      plan.Add(regular ? StepKind::kLinkUnnamed : StepKind::kRename, StepPhase::kCommit);
  publish.node = StepNode::Slot(slot);
  publish.place.dir = StepNode::Slot(slot);
  publish.to = {StepNode::WritableOf(parent.id), node.name};
  publish.type = stat->type;
  publish.copied_up = node.id;
  // So the parent's mtime does not show the copy-up.
  Step& restore = plan.Add(StepKind::kSetAttr, StepPhase::kCleanUp);
  restore.node = StepNode::WritableOf(parent.id);
  restore.change.atime = parent_stat->atime;
  restore.change.mtime = parent_stat->mtime;
  return {};
}

}  // namespace lamina
