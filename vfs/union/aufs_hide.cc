// AUFS: unlink and rmdir, and what they leave for later (fs/aufs/i_op_del.c, vdir.c, whout.c). The
// whiteout is made first, the entry goes second; a crash between the two leaves both.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "vfs/union/apply.h"
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"
#include "vfs/union/branch_tree.h"

namespace lamina {
namespace {

// The names that a branch directory holds, and those that it hides.
struct Names {
  absl::flat_hash_set<std::string> shown;
  absl::flat_hash_set<std::string> hidden;
};

Result<Names> ReadNames(const OpContext& op, FileSystem& fs, NodeId dir) {
  Result<std::vector<NamedEntry>> entries = ReadEntries(op, fs, dir);
  if (!entries.ok()) return entries.error();
  Names names;
  for (auto& [name, type] : *entries) {
    if (!IsAufsWhiteout(name)) {
      names.shown.insert(std::move(name));
    } else if (!IsAufsReserved(name)) {
      names.hidden.insert(name.substr(kAufsWhiteout.size()));
    }
  }
  return names;
}

// Everything below a directory, then the directory.
Result<void> RemoveTree(const OpContext& op, FileSystem& fs, Place place) {
  Result<NodeId> dir = fs.Lookup(op, place);
  if (!dir.ok()) return dir.error() == Errno::kNoEnt ? Result<void>() : dir.error();
  if (Result<void> emptied = EmptyDirectory(op, fs, *dir); !emptied.ok()) return emptied;
  return fs.Remove(op, place, FileType::kDirectory);
}

// A base file without other links, in the place of the one that has too many.
Result<NodeId> ReplaceBase(const OpContext& op, const Branch& branch) {
  const std::string aside = std::string(kAufsBase) + ".0000";
  FileSystem& fs = *branch.fs;
  Result<NodeId> made =
      fs.Create(op, {branch.root, aside}, {.type = FileType::kRegular, .mode = 0444});
  if (!made.ok()) return made;
  Result<void> moved =
      fs.Rename(op, {branch.root, aside}, {branch.root, kAufsBase}, RenameMode::kReplace);
  if (!moved.ok()) return moved.error();
  return made;
}

}  // namespace

Result<void> AufsDialect::CheckEmpty(const OpContext& op, const UnionState& state,
                                     const UnionNode& dir) const {
  absl::flat_hash_set<std::string> hidden;
  for (const Hit& hit : dir.hits) {
    Result<Names> names = ReadNames(op, state.fs(hit.branch), hit.node);
    if (!names.ok()) return names.error();
    const bool empty = std::all_of(names->shown.begin(), names->shown.end(),
                                   [&](const std::string& name) { return hidden.contains(name); });
    if (!empty) return Errno::kNotEmpty;
    hidden.insert(names->hidden.begin(), names->hidden.end());
  }
  return {};
}

Result<bool> AufsDialect::HidesAllBelow(const OpContext& op, const UnionState& state,
                                        const UnionNode& dir) const {
  Result<Names> top = ReadNames(op, state.fs(dir.top().branch), dir.top().node);
  if (!top.ok()) return top.error();
  for (std::size_t i = 1; i < dir.hits.size(); ++i) {
    Result<Names> below = ReadNames(op, state.fs(dir.hits[i].branch), dir.hits[i].node);
    if (!below.ok()) return below.error();
    for (const std::string& name : below->shown) {
      if (!top->hidden.contains(name)) return false;
    }
  }
  return true;
}

Result<bool> AufsDialect::Reappears(const OpContext& op, const UnionState& state,
                                    const UnionNode& dir, BranchIndex branch,
                                    std::string_view name) const {
  for (const Hit& below : dir.hits) {
    if (below.branch <= branch) continue;
    Result<BranchEntry> entry = LookUpEntry(op, state, below, name);
    if (!entry.ok()) return entry.error();
    if (entry->whiteout) return false;
    if (entry->node.value != 0) return true;
  }
  return false;
}

Result<void> AufsDialect::PlanEmptying(const OpContext& op, const UnionState& state,
                                       BranchIndex branch, NodeId dir, int slot, Plan& plan) const {
  Result<std::vector<NamedEntry>> entries = ReadEntries(op, state.fs(branch), dir);
  if (!entries.ok()) return entries.error();
  const std::uint32_t limit = options().dirwh;
  if (limit <= 1 || entries->size() > limit) {
    plan.left_for_later = slot;
    plan.left_branch = branch;
    return {};
  }
  for (auto& [name, type] : *entries) {
    Step& step = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
    step.branch = branch;
    step.place = {StepNode::Fixed(dir), std::move(name)};
    step.type = type;
  }
  Step& step = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
  step.branch = branch;
  step.place.dir = StepNode::Slot(slot);
  step.type = FileType::kDirectory;
  return {};
}

Result<void> AufsDialect::PlanHide(const OpContext& caller, const UnionState& state,
                                   const NamedNode& victim, Plan& plan) const {
  const OpContext op = AsMounter(caller);
  UnionNode& dir = *victim.dir;
  UnionNode& node = *victim.node;
  const bool directory = node.type == FileType::kDirectory;
  if (directory) {
    if (Result<void> empty = CheckEmpty(op, state, node); !empty.ok()) return empty;
  }
  // A pseudo-linked name may have its own entry further down than the file is.
  Hit entry = node.top();
  if (node.needs_link()) {
    Result<Resolution> now = Resolve(caller, state, dir, victim.name);
    if (!now.ok()) return now.error();
    if (now->hits.empty()) return Errno::kNoEnt;
    entry = now->hits.front();
  }
  const BranchIndex top = entry.branch;
  BranchIndex branch = top;
  if (!state.writable(top)) {
    const Result<PolicyChoice> chosen = ChooseForCopy(op, state, dir, top);
    if (!chosen.ok()) return chosen.error();
    branch = chosen->branch;
    plan.reason = chosen->reason;
  }
  if (Result<void> may = CheckRealParent(caller, state, dir, branch); !may.ok()) return may;
  if (Result<void> above = PlanDirectories(op, state, dir, branch, plan); !above.ok()) {
    return above;
  }
  Result<bool> reappears =
      branch != top ? Result<bool>(true) : Reappears(op, state, dir, top, victim.name);
  if (!reappears.ok()) return reappears.error();
  const StepNode in = StepNode::WritableOf(dir.id);
  if (*reappears) {
    StepPlace whiteout{in, std::string(AufsWhiteoutName(victim.name).text())};
    AddWhiteout(op, state, branch, std::move(whiteout),
                branch == top ? StepPhase::kPrepare : StepPhase::kCommit, plan);
  }
  if (branch == top) {
    const int slot = plan.NewSlot();
    Step& remove = plan.Add(directory ? StepKind::kRename : StepKind::kRemove, StepPhase::kCommit);
    remove.branch = branch;
    remove.place = {in, std::string(victim.name)};
    remove.type = node.type;
    if (directory) {
      remove.to.dir = StepNode::Slot(slot);
      remove.rename_mode = RenameMode::kNoReplace;
      Result<void> emptied = PlanEmptying(op, state, branch, entry.node, slot, plan);
      if (!emptied.ok()) return emptied;
    }
  }
  AddTopTimes(caller, state, dir, branch, plan);
  return {};
}

void AufsDialect::Applied(const OpContext& op, UnionState& state, const Plan& plan,
                          const Application& application, bool whole) const {
  AufsBooks& books = *books_;
  if (options().xino) NumberCopies(state, plan, application);
  if (!whole) return;
  if (plan.turn.has_value()) books.policy.round_robin = *plan.turn;
  if (plan.left_for_later >= 0) {
    const Place place = application.slot_place(plan.left_for_later);
    books.removals.push_back({&state.fs(plan.left_branch), plan.left_branch, place.dir,
                              std::string(place.name), op.now});
  }
  for (const MovedDirectory& moved : plan.moved) {
    UnionNode& node = state.node(moved.node);
    const Hit* own = node.in_branch(moved.branch);
    if (own == nullptr) continue;
    const Hit only = *own;
    node.hits.assign(1, only);
    node.has_writable = true;
    if (moved.opaque) node.opaque_branch = moved.branch;
    if (node.opaque_branch != moved.branch) node.opaque_branch = kNoBranch;  // it was further down
    state.directories.Drop(node);
    ++node.version;
  }
  if (plan.renews_base != kNoBranch) books.base[plan.renews_base].full_since = op.now;
}

void AufsDialect::NumberCopies(const UnionState& state, const Plan& plan,
                               const Application& application) const {
  AufsBooks& books = *books_;
  for (const Step& step : plan.steps) {
    const UnionNode* node = step.copied_up.value == 0 ? nullptr : state.nodes.Find(step.copied_up);
    if (node == nullptr || node->hits.empty()) continue;
    const Hit& top = node->top();
    books.inodes.Set({&state.fs(top.branch), top.node}, node->private_ino);
    // Without pseudo-links the other names of the lower object keep the number, but not the file.
    if (node->counts_names && node->nlink > 1 && !node->indexed) {
      books.inodes.Share(node->private_ino);
    }
  }
  for (const auto& [node, key] : application.dropped_keys()) {
    const UnionNode* owner = state.nodes.Find(node);
    const bool shares = owner != nullptr && owner->counts_names && owner->nlink > 1;
    if (!shares) books.inodes.Forget(key);
  }
}

std::optional<Instant> AufsDialect::NextDeadline() const {
  std::optional<Instant> next;
  const auto consider = [&](Instant due) { next = next.has_value() ? std::min(*next, due) : due; };
  for (const AufsRemoval& removal : books_->removals) consider(removal.due);
  for (const AufsBaseEntries& base : books_->base) {
    if (base.full_since.has_value()) consider(*base.full_since);
  }
  return next;
}

Result<void> AufsDialect::RunUntil(const OpContext& caller, UnionState& state,
                                   Instant until) const {
  const OpContext op = AsMounter(caller);
  for (std::size_t i = 0; i < books_->base.size(); ++i) {
    AufsBaseEntries& base = books_->base[i];
    if (!base.full_since.has_value() || *base.full_since > until) continue;
    Result<NodeId> fresh = ReplaceBase(op, state.branches[i]);
    if (!fresh.ok()) return fresh.error();
    base.whiteout = *fresh;
    base.full_since.reset();
  }
  std::vector<AufsRemoval>& removals = books_->removals;
  while (!removals.empty() && removals.front().due <= until) {
    const AufsRemoval removal = std::move(removals.front());
    removals.erase(removals.begin());
    // A failure leaves the directory under its temporary name, as in AUFS.
    if (Result<void> removed = RemoveTree(op, *removal.fs, {removal.parent, removal.name});
        !removed.ok()) {
      return removed;
    }
  }
  return {};
}

}  // namespace lamina
