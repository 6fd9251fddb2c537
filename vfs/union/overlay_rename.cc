// Overlay rename (ovl_rename in fs/overlayfs/dir.c).
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

inline constexpr std::size_t kMaxRedirectBytes = 256;  // module parameter redirect_max

bool IsDirectory(const UnionNode& node) { return node.type == FileType::kDirectory; }

// Shown from more than one branch, or only from below: its name cannot move without a redirect.
bool IsMergedOrLower(const UnionNode& node) {
  if (!node.has_writable) return true;
  return IsDirectory(node) ? node.lower_count() > 0 : node.metacopy;
}

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

Result<void> OverlayDialect::PlanRedirect(const UnionState& state, const NamedNode& moved,
                                          bool same_dir, Plan& plan) const {
  UnionNode& node = *moved.node;
  const bool absolute_already = !node.redirect.empty() && node.redirect.front() == '/';
  if (absolute_already) return {};
  if (same_dir && !node.redirect.empty()) return {};
  std::string value = node.name;
  if (!same_dir) {
    Result<std::string> absolute = AbsoluteRedirect(state, node);
    if (!absolute.ok()) {
      plan.refusal = absolute.error();  // by now everything was copied up
      return {};
    }
    value = *std::move(absolute);
  }
  Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
  step.node = StepNode::WritableOf(node.id);
  step.key = config_.marks.redirect;
  step.value = std::move(value);
  step.redirects = node.id;
  return {};
}

// The marks a moved object needs so that nothing below its new name shines through.
Result<void> OverlayDialect::PlanMove(const UnionState& state, const NamedNode& moved,
                                      const NamedNode& target, Plan& plan) const {
  UnionNode& node = *moved.node;
  if (IsDirectory(node) && IsMergedOrLower(node)) {
    return PlanRedirect(state, moved, moved.dir == target.dir, plan);
  }
  if (IsDirectory(node) && !node.opaque && IsMergedDirectory(*target.dir)) {
    // Its own transaction: the mark stays when the rename fails, as in the kernel.
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
  const bool exchange = mode == RenameMode::kExchange;
  const auto can_move = [&](const UnionNode& node) {
    return config_.redirect_create || !IsDirectory(node) || !IsMergedOrLower(node);
  };
  if (!can_move(*from.node)) return Errno::kXDev;
  if (exchange && !can_move(*to.node)) return Errno::kXDev;

  std::vector<ListedEntry> whiteouts;
  if (!exchange && to.node != nullptr && IsDirectory(*to.node)) {
    const bool pure = to.node->lower_count() == 0 && !to.node->may_hold_whiteouts;
    if (!pure) {
      Result<std::vector<ListedEntry>> listed = EmptyDirectoryWhiteouts(op, state, *to.node);
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
    const bool onto_whiteout = to.node == nullptr && to.whiteout_in_writable;
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
    if (Result<void> up = PlanCopyUp(op, state, *node, ~std::uint64_t{0}, plan); !up.ok()) {
      return up;
    }
  }
  if (!whiteouts.empty()) {
    if (Result<int> cleared = PlanClearEmpty(op, state, to, whiteouts, plan); !cleared.ok()) {
      return cleared.error();
    }
  }
  if (from.dir != to.dir) {
    if (WillHaveOrigin(*from.node)) PlanImpure(*to.dir, plan);
    if (exchange && WillHaveOrigin(*to.node)) PlanImpure(*from.dir, plan);
  }
  if (Result<void> moved = PlanMove(state, from, to, plan); !moved.ok()) return moved;
  if (exchange) {
    if (Result<void> moved = PlanMove(state, to, from, plan); !moved.ok()) return moved;
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
  return {};
}

}  // namespace lamina
