// AUFS lookup: what a name means, from the topmost branch of its directory down (fs/aufs/dentry.c),
// and who may use it (i_op.c).
#include <algorithm>

#include "lamina/fs/permission.h"
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {

Result<void> AufsDialect::CheckName(std::string_view name) const {
  if (IsAufsWhiteout(name) && !options().shwh) return Errno::kPerm;
  return {};
}

Result<AufsDialect::BranchEntry> AufsDialect::LookUpEntry(const OpContext& op,
                                                          const UnionState& state, const Hit& dir,
                                                          std::string_view name) const {
  FileSystem& fs = state.fs(dir.branch);
  BranchEntry entry;
  if (whable(dir.branch) && !IsAufsWhiteout(name)) {
    const AufsWhiteoutName whiteout(name);
    Result<NodeId> found = fs.Lookup(op, {dir.node, whiteout.text()});
    if (found.ok()) {
      Result<Stat> stat = fs.GetAttr(op, *found);
      if (!stat.ok()) return stat.error();
      if (stat->type != FileType::kRegular) return Errno::kIo;
      entry.whiteout = true;
    } else if (found.error() != Errno::kNoEnt && found.error() != Errno::kNameTooLong) {
      return found.error();
    }
  }
  Result<NodeId> found = fs.Lookup(op, {dir.node, name});
  op.probe.Emit([&] {
    return Event{.kind = EventKind::kBranchProbe,
                 .branch = dir.branch,
                 .subject = found.ok() ? found->value : 0,
                 .name = name};
  });
  if (entry.whiteout) {
    op.probe.Emit([&] {
      return Event{.kind = EventKind::kWhiteoutSeen, .branch = dir.branch, .name = name};
    });
  }
  if (!found.ok()) {
    if (found.error() == Errno::kNoEnt) return entry;
    return found.error();
  }
  Result<Stat> stat = fs.GetAttr(op, *found);
  if (!stat.ok()) return stat.error();
  entry.node = *found;
  entry.type = stat->type;
  entry.nlink = stat->nlink;
  return entry;
}

bool AufsDialect::IsOpaque(const OpContext& op, const UnionState& state, const Hit& dir) const {
  if (!whable(dir.branch)) return false;
  FileSystem& fs = state.fs(dir.branch);
  Result<NodeId> mark = fs.Lookup(op, {dir.node, kAufsOpaque});
  if (!mark.ok()) return false;
  Result<Stat> stat = fs.GetAttr(op, *mark);
  if (!stat.ok() || stat->type != FileType::kRegular) return false;
  op.probe.Emit([&] {
    return Event{.kind = EventKind::kOpaqueSeen, .branch = dir.branch, .subject = dir.node.value};
  });
  return true;
}

Result<Resolution> AufsDialect::Resolve(const OpContext& caller, const UnionState& state,
                                        const UnionNode& dir, std::string_view name) const {
  const OpContext op = AsMounter(caller);
  Resolution found;
  Renamed renamed;
  bool first = true;
  for (const Hit& below : dir.hits) {
    const bool elsewhere = std::any_of(renamed.begin(), renamed.end(), [&](const Hit& part) {
      return part.branch == below.branch;
    });
    if (elsewhere) continue;
    Result<BranchEntry> entry = LookUpEntry(op, state, below, name);
    if (!entry.ok()) return entry.error();
    if (entry->whiteout) {
      found.whiteout_branch = below.branch;
      found.whiteout_in_writable = found.hits.empty() && state.writable(below.branch);
      const bool conflict = first && entry->node.value != 0;
      if (conflict && options().udba != AufsUdba::kNone) return Errno::kIo;
      break;
    }
    first = false;
    if (entry->node.value == 0) continue;
    const Hit hit{below.branch, entry->node, entry->type};
    if (!found.hits.empty() && found.hits.front().type != hit.type) continue;
    found.hits.push_back(hit);
    if (hit.type == FileType::kDirectory && options().dirren && found.hits.size() == 1 &&
        whable(hit.branch)) {
      renamed = FindRenamed(op, state, hit);
    }
    if (hit.type != FileType::kDirectory) {
      found.nlink = entry->nlink;
      found.counts_names = !state.writable(hit.branch);
      break;
    }
    if (!IsOpaque(op, state, hit)) continue;
    found.opaque_branch = hit.branch;
    found.opaque = true;
    if (!options().quirks.lowest_opaque_wins) break;
  }
  if (found.opaque && options().quirks.lowest_opaque_wins) {
    // Nothing below the lowest mark counts.
    while (found.hits.back().branch > found.opaque_branch) found.hits.pop_back();
  }
  for (const Hit& part : renamed) {
    if (part.node.value != 0 && part.branch <= found.opaque_branch) found.hits.push_back(part);
  }
  if (!renamed.empty()) {
    std::sort(found.hits.begin(), found.hits.end(),
              [](const Hit& a, const Hit& b) { return a.branch < b.branch; });
  }
  found.may_hold_whiteouts = true;
  if (found.hits.empty()) {
    const bool hidden = found.whiteout_branch != kNoBranch;
    found.kind = hidden ? Resolution::Kind::kHidden : Resolution::Kind::kAbsent;
  } else {
    found.kind = found.hits.size() > 1 ? Resolution::Kind::kMerged : Resolution::Kind::kSingle;
  }
  return found;
}

Result<std::optional<NodeKey>> AufsDialect::IdentityKey(const OpContext&, const UnionState& state,
                                                        const Resolution& found) const {
  const Hit& top = found.hits.front();
  return std::optional<NodeKey>(NodeKey{&state.fs(top.branch), top.node});
}

bool AufsDialect::Joins(const UnionNode& known, bool, const Hits& found) const {
  return known.type == found.front().type;
}

bool AufsDialect::LearnsAnew(const UnionNode& known) const {
  // A pseudo-linked name is one of the copy, whatever its own entry says.
  if (known.indexed) return false;
  if (known.counts_names) return false;  // what is left of its names
  return known.type == FileType::kDirectory || (known.names == 0 && known.handles == 0);
}

bool AufsDialect::StillHolds(const OpContext& caller, const UnionState& state, const UnionNode& dir,
                             std::string_view name, const UnionNode& node) const {
  const OpContext op = AsMounter(caller);
  if (options().udba == AufsUdba::kNone) return true;
  if (options().udba == AufsUdba::kNotify) {
    Result<Resolution> now = Resolve(caller, state, dir, name);
    if (!now.ok() || now->hits.empty()) return false;
    if (node.indexed) return now->hits.front().type == node.type;
    return now->hits == node.hits && now->opaque_branch == node.opaque_branch;
  }
  for (const Hit& hit : node.hits) {
    const Hit* parent = dir.in_branch(hit.branch);
    if (parent == nullptr) continue;  // reached by another name
    if (options().dirren && &hit != &node.hits.front()) continue;
    FileSystem& fs = state.fs(hit.branch);
    Result<NodeId> now = fs.Lookup(op, {parent->node, name});
    if (node.indexed && !now.ok()) continue;  // the name is only further down
    if (!now.ok() || *now != hit.node) return false;
  }
  return true;
}

Result<void> AufsDialect::CheckAccess(const OpContext& op, const UnionState& state,
                                      const UnionNode& node, unsigned wanted) const {
  const OpContext mounter = AsMounter(op);
  const bool directory = node.type == FileType::kDirectory;
  const bool changes = node.type == FileType::kRegular || directory;
  if ((wanted & kMayWrite) != 0 && changes) {
    const auto end = state.branches.begin() + node.top().branch + 1;
    const bool possible = std::any_of(state.branches.begin(), end, [](const Branch& branch) {
      return branch.mode == BranchMode::kReadWrite;
    });
    if (!possible) return Errno::kRoFs;
  }
  if (!directory || options().dirperm1) return {};
  for (std::size_t i = 1; i < node.hits.size(); ++i) {
    FileSystem& fs = state.fs(node.hits[i].branch);
    Result<Stat> stat = fs.GetAttr(mounter, node.hits[i].node);
    if (!stat.ok()) return stat.error();
    Result<void> allowed = lamina::CheckAccess(op, fs, *stat, wanted & ~kMayWrite);
    if (!allowed.ok()) return allowed;
  }
  return {};
}

Result<void> AufsDialect::CheckRealParent(const OpContext& op, const UnionState& state,
                                          const UnionNode& dir, BranchIndex branch) const {
  const Hit* own = dir.in_branch(branch);
  if (own == nullptr || branch == dir.top().branch || options().dirperm1) return {};
  FileSystem& fs = state.fs(branch);
  Result<Stat> stat = fs.GetAttr(AsMounter(op), own->node);
  if (!stat.ok()) return stat.error();
  return lamina::CheckAccess(op, fs, *stat, kMayWrite | kMayExecute);
}

Result<NodeId> AufsDialect::FindWhiteoutFile(const OpContext& op, const UnionState& state,
                                             BranchIndex branch, NodeId dir,
                                             std::string_view name) const {
  if (!whable(branch)) return Errno::kNoEnt;
  const AufsWhiteoutName whiteout(name);
  return state.fs(branch).Lookup(AsMounter(op), {dir, whiteout.text()});
}

void AufsDialect::DescribeMarks(const OpContext& op, const UnionState& state,
                                BranchFinding& finding, NodeId node, const Stat& stat) const {
  if (stat.type != FileType::kDirectory) return;
  finding.opaque = IsOpaque(AsMounter(op), state, {finding.branch, node, stat.type});
}

}  // namespace lamina
