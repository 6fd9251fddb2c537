// AUFS `dirren`: directories of lower branches that were renamed (fs/aufs/dirren.c). A renamed
// directory holds, for each branch below whose part keeps its old name, a symlink
// .wh..wh..dr.DEV.INO (of the branch's root) with the old path in that branch. AUFS writes files
// with the old name instead, and finds the directories by inode numbers; here a mark says all.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {
namespace {

std::string MarkName(const OpContext& op, const Branch& branch) {
  Result<Stat> root = branch.fs->GetAttr(op, branch.root);
  if (!root.ok()) return {};
  return absl::StrFormat(".wh..wh..dr.%d.%d", root->dev, root->ino);
}

// The directory at an absolute path of the branch; no symlink is followed.
std::optional<NodeId> FindDirectory(const OpContext& op, const Branch& branch,
                                    std::string_view path) {
  NodeId at = branch.root;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    Result<NodeId> next = branch.fs->Lookup(op, {at, path.substr(0, end)});
    if (!next.ok()) return std::nullopt;
    at = *next;
    path.remove_prefix(end);
  }
  Result<Stat> stat = branch.fs->GetAttr(op, at);
  if (!stat.ok() || stat->type != FileType::kDirectory) return std::nullopt;
  return at;
}

}  // namespace

std::optional<std::string> AufsDialect::OldPath(const OpContext& op, const UnionState& state,
                                                const Hit& dir, BranchIndex below) const {
  FileSystem& fs = state.fs(dir.branch);
  const std::string name = MarkName(op, state.branches[below]);
  Result<NodeId> mark = fs.Lookup(op, {dir.node, name});
  if (!mark.ok()) return std::nullopt;
  Result<std::string> path = fs.ReadLink(op, *mark);
  if (!path.ok() || !path->starts_with('/')) return std::nullopt;
  return *std::move(path);
}

AufsDialect::Renamed AufsDialect::FindRenamed(const OpContext& op, const UnionState& state,
                                              const Hit& dir) const {
  Renamed renamed;
  for (std::size_t i = dir.branch + std::size_t{1}; i < state.branches.size(); ++i) {
    const auto below = static_cast<BranchIndex>(i);
    const std::optional<std::string> path = OldPath(op, state, dir, below);
    if (!path.has_value()) continue;
    const std::optional<NodeId> node = FindDirectory(op, state.branches[i], *path);
    renamed.push_back({below, node.value_or(NodeId{}), FileType::kDirectory});
  }
  return renamed;
}

std::string AufsDialect::PathBelow(const OpContext& op, const UnionState& state,
                                   const UnionNode& dir, BranchIndex below) const {
  if (dir.id == state.root) return {};
  if (whable(dir.top().branch)) {
    std::optional<std::string> old = OldPath(op, state, dir.top(), below);
    if (old.has_value()) return *std::move(old);
  }
  return PathBelow(op, state, state.node(dir.parent), below) + '/' + dir.name;
}

void AufsDialect::AddOldNames(const OpContext& op, const UnionState& state, const UnionNode& moved,
                              BranchIndex branch, Plan& plan) const {
  if (moved.type != FileType::kDirectory || !options().dirren) return;
  for (const Hit& hit : moved.hits) {
    if (hit.branch <= branch) continue;
    if (whable(moved.top().branch) && OldPath(op, state, moved.top(), hit.branch).has_value()) {
      continue;  // it has been renamed before
    }
    Step& mark = plan.Add(StepKind::kCreate, StepPhase::kPrepare);
    mark.branch = branch;
    mark.place = {StepNode::WritableOf(moved.id), MarkName(op, state.branches[hit.branch])};
    mark.type = FileType::kSymlink;
    mark.mode = 0777;
    mark.target = PathBelow(op, state, moved, hit.branch);
    mark.result_slot = plan.NewSlot();
  }
}

}  // namespace lamina
