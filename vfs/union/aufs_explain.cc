// AUFS: what explain asks of a name in the branches (UnionFs::FindInBranches).
#include <optional>

#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {
namespace {

// The search from the top down, as far as it has come.
struct Search {
  std::optional<FileType> type;  // of what was found first
  bool ended = false;
};

// A lookup ignores what is of another type than what it found further up, and goes on.
void Follow(const BranchFinding& finding, bool marks_end, Search& search) {
  using Outcome = BranchFinding::Outcome;
  if (finding.outcome == Outcome::kWhiteout) search.ended = true;
  if (finding.outcome != Outcome::kFound || !finding.stat) return;
  if (!search.type) search.type = finding.stat->type;
  const bool directory = finding.stat->type == FileType::kDirectory;
  if (!directory || (finding.opaque && marks_end)) search.ended = true;
}

}  // namespace

void AufsDialect::DescribeName(const OpContext& caller, const UnionState& state,
                               const UnionNode& dir, std::string_view name,
                               NameFindings& findings) const {
  const OpContext op = AsMounter(caller);
  const AufsWhiteoutName whiteout(name);
  const bool marks_end = !options().quirks.lowest_opaque_wins;
  Search search;
  std::optional<Hit> top;  // a directory
  for (BranchFinding& finding : findings.branches) {
    if (finding.outcome == BranchFinding::Outcome::kFound && finding.stat) {
      if (top && options().dirren) {
        finding.old_path = OldPath(op, state, *top, finding.branch).value_or("");
      }
      const bool first = !top && finding.stat->type == FileType::kDirectory;
      if (first) top = Hit{finding.branch, finding.stat->node, FileType::kDirectory};
    }
    const Hit* part = dir.in_branch(finding.branch);
    if (part == nullptr) {
      finding.below_tail = finding.outcome == BranchFinding::Outcome::kNoDirectory &&
                           finding.branch > dir.hits.back().branch;
      Follow(finding, marks_end, search);
      continue;
    }
    FileSystem& fs = state.fs(finding.branch);
    const bool counts = whable(finding.branch);
    const Result<NodeId> entry = fs.Lookup(op, {part->node, name});
    const bool marked = fs.Lookup(op, {part->node, whiteout.text()}).ok();
    finding.lone_whiteout = marked && counts && !entry.ok();
    finding.whiteout_ignored = marked && !counts;
    finding.opaque_ignored = !counts && entry.ok() && fs.Lookup(op, {*entry, kAufsOpaque}).ok();
    if (entry.ok() && finding.outcome == BranchFinding::Outcome::kHidden && !search.ended &&
        search.type && finding.stat) {
      finding.other_type = finding.stat->type != *search.type;
    }
    Follow(finding, marks_end, search);
  }
}

}  // namespace lamina
