// Overlay rename (ovl_rename in fs/overlayfs/dir.c).
#include "vfs/union/fuse_whiteouts.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

inline constexpr std::size_t kMaxRedirectBytes = 256;  // module parameter redirect_max

bool IsDirectory(const UnionNode& node) { return node.type == FileType::kDirectory; }

// Shown from more than one branch, or only from below: its name cannot move without a redirect.
bool IsMergedOrLower(const UnionNode& node) { return !node.has_writable || node.lower_count() > 0; }

// After the copy-up that comes first.
bool WillHaveOrigin(const UnionNode& node) { return node.keeps_ino && node.lower_count() > 0; }

bool IsMergedDirectory(const UnionNode& dir) {
  return dir.hits.size() > 1 || !dir.has_writable;  // a lower one is merged once copied up
}

}  // namespace

Result<std::string> OverlayDialect::AbsoluteRedirect(const UnionState& state,
                                                     const UnionNode& node) const {
  std::string path;
  for (const UnionNode* at = &node; at->id != state.root; at = &state.node(at->parent)) {
    const std::string& part = at->redirect.empty() ? at->name : at->redirect;
    if (part.front() == '/') {
      path.insert(0, part);
      break;
    }
    path.insert(0, "/" + part);
    if (state.nodes.Find(at->parent) == nullptr) return Errno::kStale;
  }
  // An absolute redirect over the limit cannot be written; the kernel refuses the move.
  if (path.size() >= kMaxRedirectBytes) return Errno::kXDev;
  return path;
}

bool OverlayDialect::WillBeMetacopy(const UnionNode& node) const {
  if (node.type != FileType::kRegular) return false;
  if (node.has_writable) return node.metacopy;
  return config_.metacopy && config_.verity != VerityMode::kRequire;
}

Result<void> OverlayDialect::PlanRedirect(const OpContext& op, const UnionState& state,
                                          UnionNode& node, bool same_dir, Plan& plan) const {
  const bool absolute_already = !node.redirect.empty() && node.redirect.front() == '/';
  if (absolute_already) return {};
  bool absolute = !same_dir;
  if (!absolute && !IsDirectory(node)) {
    // Two copies linked together may come to stand in different directories.
    const Hit& lower = *node.first_lower();
    Result<Stat> stat = state.fs(lower.branch).GetAttr(AsMounter(op), lower.node);
    if (!stat.ok()) return stat.error();
    absolute = stat->nlink > 1;
  }
  if (!absolute && !node.redirect.empty()) return {};
  std::string value = node.name;
  if (absolute) {
    Result<std::string> path = AbsoluteRedirect(state, node);
    if (!path.ok()) {
      plan.refusal = path.error();  // by now everything was copied up
      return {};
    }
    value = *std::move(path);
  }
  // Its own transaction: the mark stays when what follows fails, as in the kernel.
  Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kCommit);
  step.node = StepNode::WritableOf(node.id);
  step.key = config_.marks.redirect;
  step.value = std::move(value);
  step.redirects = node.id;
  return {};
}

// The marks a moved object needs so that nothing below its new name shines through.
Result<void> OverlayDialect::PlanMove(const OpContext& op, const UnionState& state,
                                      const NamedNode& moved, const NamedNode& target,
                                      Plan& plan) const {
  UnionNode& node = *moved.node;
  if (IsDirectory(node) ? IsMergedOrLower(node) : WillBeMetacopy(node)) {
    return PlanRedirect(op, state, node, moved.dir == target.dir, plan);
  }
  if (IsDirectory(node) && !node.opaque && IsMergedDirectory(*target.dir)) {
    // Stays when the rename fails, too.
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kCommit);
    step.node = StepNode::WritableOf(node.id);
    step.key = config_.marks.opaque;
    step.value.assign(1, 'y');  // "y" trips g++ 12's -Wrestrict
  }
  return {};
}

Result<void> OverlayDialect::PlanRename(const OpContext& op, const UnionState& state,
                                        const NamedNode& from, const NamedNode& to, RenameMode mode,
                                        Plan& plan) const {
  if (mode == RenameMode::kLeaveWhiteout) return Errno::kInval;
  if (config_.fuse_whiteouts && IsDotWhName(to.name)) return Errno::kInval;
  const bool exchange = mode == RenameMode::kExchange;
  const auto can_move = [&](const UnionNode& node) {
    return config_.redirect_create || !IsDirectory(node) || !IsMergedOrLower(node);
  };
  if (!can_move(*from.node)) return Errno::kXDev;
  if (exchange && !can_move(*to.node)) return Errno::kXDev;

  std::vector<WhiteoutName> whiteouts;
  if (!exchange && to.node != nullptr && IsDirectory(*to.node)) {
    const bool pure = to.node->lower_count() == 0 && !to.node->may_hold_whiteouts;
    if (!pure) {
      Result<std::vector<WhiteoutName>> listed = EmptyDirectoryWhiteouts(op, state, *to.node);
      if (!listed.ok()) return listed.error();
      whiteouts = *std::move(listed);
    }
  }
  // What stays at the old name.
  RenameMode branch_mode = exchange ? RenameMode::kExchange : RenameMode::kReplace;
  bool remove_exchanged_whiteout = false;
  if (!exchange) {
    Result<bool> lower_positive = LowerPositive(op, state, from);
    if (!lower_positive.ok()) return lower_positive.error();
    const bool onto_whiteout =
        to.node == nullptr && to.whiteout_in_writable && !IsMarkedOnly(op, state, to);
    if (*lower_positive) {
      branch_mode = onto_whiteout ? RenameMode::kExchange : RenameMode::kLeaveWhiteout;
    } else if (IsDirectory(*from.node) && onto_whiteout) {
      branch_mode = RenameMode::kExchange;
      remove_exchanged_whiteout = true;
    }
  }

  std::vector<UnionNode*> copied = {from.node, to.dir};
  if (exchange) copied.push_back(to.node);
  for (UnionNode* node : copied) {
    if (Result<BranchIndex> up = PlanCopyUp(op, state, *node, {}, plan); !up.ok())
      return up.error();
  }
  std::uint32_t victim_nlink = 0;
  if (!exchange && to.node != nullptr) {
    Result<std::uint32_t> counted = PlanNlinkStart(op, state, *to.node, plan);
    if (!counted.ok()) return counted.error();
    victim_nlink = *counted;
  }
  plan.buries = !whiteouts.empty();
  if (!whiteouts.empty()) {
    if (Result<int> cleared = PlanClearEmpty(op, state, to, whiteouts, plan); !cleared.ok()) {
      return cleared.error();
    }
  }
  if (from.dir != to.dir) {
    if (WillHaveOrigin(*from.node)) PlanImpure(*to.dir, plan);
    if (exchange && WillHaveOrigin(*to.node)) PlanImpure(*from.dir, plan);
  }
  if (Result<void> moved = PlanMove(op, state, from, to, plan); !moved.ok()) return moved;
  if (exchange) {
    if (Result<void> moved = PlanMove(op, state, to, from, plan); !moved.ok()) return moved;
  }
  if (plan.refusal.has_value()) return {};
  Step& rename = plan.Add(StepKind::kRename, StepPhase::kCommit);
  rename.place = {StepNode::WritableOf(from.dir->id), std::string(from.name)};
  rename.to = {StepNode::WritableOf(to.dir->id), std::string(to.name)};
  rename.rename_mode = branch_mode;
  rename.type = from.node->type;
  if (remove_exchanged_whiteout) {
    Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
    remove.place = {StepNode::WritableOf(from.dir->id), std::string(from.name)};
    remove.type = FileType::kCharDevice;
  }
  if (exchange || to.node == nullptr) return {};
  return PlanNlinkEnd(op, state, *to.node, victim_nlink - 1, plan);
}

}  // namespace lamina
