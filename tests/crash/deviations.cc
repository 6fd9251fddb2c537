#include "tests/crash/deviations.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"

namespace lamina::testing {
namespace {

bool IsDirectory(const PlainEntry* entry) {
  return entry != nullptr && !entry->error && entry->type == FileType::kDirectory;
}

const PlainEntry* Find(const PlainTree& tree, const std::string& path) {
  const auto found = tree.find(path);
  return found == tree.end() ? nullptr : &found->second;
}

// The directory is one of those above a path that the operation names.
bool IsAbove(const std::string& dir, const Operation& operation) {
  return std::any_of(operation.paths.begin(), operation.paths.end(), [&](const std::string& path) {
    return dir == "/" || path.starts_with(dir + '/');
  });
}

bool IsNamed(const std::string& path, const Operation& operation) {
  return std::find(operation.paths.begin(), operation.paths.end(), path) != operation.paths.end();
}

// ── Deviations ─────────────────────────────────────────────────────────────────────────────────

bool IsDirectoryLinkCount(const DeviationContext&, const TreeDifference& difference) {
  if (difference.field != TreeField::kLinks || !IsDirectory(difference.seen)) return false;
  return (difference.expected->nlink == 1) != (difference.seen->nlink == 1);
}

bool IsParentTime(const DeviationContext& context, const TreeDifference& difference) {
  return difference.field == TreeField::kMtime && IsDirectory(difference.seen) &&
         difference.seen->mtime == kRecently && IsAbove(difference.path, context.operation);
}

bool IsBrokenHardLink(const DeviationContext& context, const TreeDifference& difference) {
  if (difference.field != TreeField::kLinks && difference.field != TreeField::kIdentity) {
    return false;
  }
  const PlainEntry* before = Find(context.before, difference.path);
  return before != nullptr && !IsDirectory(before) && before->nlink > 1;
}

bool IsTruncatedCopy(const DeviationContext& context, const TreeDifference& difference) {
  if (!context.operation.truncates || difference.field != TreeField::kMtime) return false;
  const PlainEntry* before = Find(context.before, difference.path);
  const PlainEntry* after = Find(context.after, difference.path);
  return before != nullptr && after != nullptr && difference.seen->mtime == before->mtime &&
         difference.seen->content == after->content;
}

bool IsTruncatedMetadataCopy(const DeviationContext& context, const TreeDifference& difference) {
  const PlainEntry* before = Find(context.before, difference.path);
  if (!context.operation.truncates || before == nullptr) return false;
  if (difference.field == TreeField::kMtime) {
    return difference.seen->mtime == kRecently && difference.seen->content == before->content;
  }
  return difference.field == TreeField::kContent &&
         difference.seen->content == std::string(before->content.size(), '\0');
}

bool IsStrayWhiteout(const DeviationContext& context, const TreeDifference& difference) {
  return difference.field == TreeField::kPresence && difference.expected == nullptr &&
         difference.seen->error == Errno::kNoEnt && IsNamed(difference.path, context.operation) &&
         context.operation.name.starts_with("rename ");
}

bool IsLinkInWork(const DeviationContext& context, const TreeDifference& difference) {
  return context.litter && context.operation.name.starts_with("link ") &&
         difference.field == TreeField::kLinks && !IsDirectory(difference.seen) &&
         difference.seen->nlink == difference.expected->nlink + 1;
}

constexpr Deviation kDeviations[] = {
    {"link count of a directory", "1 when it is merged, counted when one layer has it",
     "Documentation/filesystems/overlayfs.rst, OVL-124: a copied-up directory is a merged one",
     IsDirectoryLinkCount},
    {"time of a parent", "the directory's mtime is the time of the copy-up",
     "fs/overlayfs/copy_up.c, ovl_copy_up_one: set back after the copy is published", IsParentTime},
    {"broken hard link", "a copied-up name has an inode of its own and one link",
     "overlayfs.rst, index=off; OVL-060", IsBrokenHardLink},
    {"truncated copy", "the copy has its new size, and the mtime of the lower file",
     "fs/overlayfs/copy_up.c, O_TRUNC: no more is copied than stays; the time is set afterwards",
     IsTruncatedCopy},
    {"truncated metadata copy",
     "a copy that held attributes only has zeros of the old size, or the time its body came",
     "fs/overlayfs/copy_up.c, ovl_copy_up_meta_inode_data: written in place, the mark goes before "
     "the size does",
     IsTruncatedMetadataCopy},
    {"link in work", "until a restart the file counts a link that could not be removed there",
     "fs/overlayfs/dir.c, ovl_cleanup: a failure is logged", IsLinkInWork},
    {"stray whiteout", "a whiteout that hides nothing stays at the old name of a directory",
     "fs/overlayfs/dir.c, ovl_rename, cleanup_whiteout: exchanged, then removed", IsStrayWhiteout},
};

// ── Steps ──────────────────────────────────────────────────────────────────────────────────────

bool IsInWork(const sim::FiredFault& step) {
  return !step.paths.empty() && !step.paths.front().starts_with('/');
}

bool IsParentTimeStep(const sim::FiredFault& step) {
  return step.ops.ToString() == "utimens" && !IsInWork(step);
}

bool IsWorkRemoval(const sim::FiredFault& step) {
  return (step.ops.Has(sim::Op::kUnlink) || step.ops.Has(sim::Op::kRmdir)) && IsInWork(step);
}

bool IsOpaqueOfNew(const sim::FiredFault& step) {
  return step.ops.Has(sim::Op::kSetxattr) && step.detail.ends_with("overlay.opaque") &&
         !IsInWork(step);
}

bool IsWhiteoutRemoval(const sim::FiredFault& step) {
  return step.ops.Has(sim::Op::kUnlink) && !IsInWork(step);
}

bool IsUserOrigin(const sim::FiredFault& step) {
  return step.detail == "user.overlay.origin" && IsInWork(step);
}

bool IsReflink(const sim::FiredFault& step) { return step.ops.Has(sim::Op::kReflink); }

constexpr ToleratedStep kTolerated[] = {
    {"time of a parent", "setting the parent's times back after a copy-up",
     "copy_up.c, ovl_copy_up_one: \"Restore timestamps on parent (best effort)\"",
     IsParentTimeStep},
    {"litter", "removing what was exchanged into the work directory",
     "dir.c, ovl_cleanup: a failure is logged; the next mount removes it", IsWorkRemoval},
    {"opaque mark of a new directory", "marking a directory made in a merged one",
     "dir.c, ovl_create_upper: \"just an optimization, allow to fail\"", IsOpaqueOfNew},
    {"origin in a user key", "with userxattr, the origin of a symlink or special file",
     "copy_up.c, ovl_set_origin_fh: \"Ignore -EPERM from setting user.* on symlink/special\"",
     IsUserOrigin},
    {"reflink", "sharing the bytes of a copied range: they are copied instead",
     "fs/read_write.c, vfs_copy_file_range: splices when remapping fails", IsReflink},
    {"stray whiteout", "removing the whiteout at the old name of a directory",
     "dir.c, ovl_rename, cleanup_whiteout: ovl_cleanup", IsWhiteoutRemoval},
};

}  // namespace

std::span<const Deviation> Deviations() { return kDeviations; }
std::span<const ToleratedStep> ToleratedSteps() { return kTolerated; }

std::vector<std::string> JudgeTree(const DeviationContext& context,
                                   const std::vector<PlainTree>& allowed, const PlainTree& seen,
                                   RowCounts& counts) {
  std::vector<std::string> least;
  for (const PlainTree& candidate : allowed) {
    std::vector<std::string> uncovered;
    std::vector<std::string_view> rows;
    for (const TreeDifference& difference : Compare(candidate, seen)) {
      const auto row =
          std::find_if(std::begin(kDeviations), std::end(kDeviations),
                       [&](const Deviation& each) { return each.covers(context, difference); });
      if (row == std::end(kDeviations)) {
        uncovered.push_back(difference.ToString());
      } else {
        rows.push_back(row->name);
      }
    }
    if (uncovered.empty()) {
      for (const std::string_view row : rows) ++counts[row];
      return {};
    }
    if (least.empty() || uncovered.size() < least.size()) least = std::move(uncovered);
  }
  return least;
}

const ToleratedStep* FindTolerated(const sim::FiredFault& step) {
  const auto* row = std::find_if(std::begin(kTolerated), std::end(kTolerated),
                                 [&](const ToleratedStep& each) { return each.covers(step); });
  return row == std::end(kTolerated) ? nullptr : row;
}

std::vector<std::string> UnexplainedFindings(const Operation& operation,
                                             const absl::Status& invariants, RowCounts& counts) {
  std::vector<std::string> unexplained;
  if (invariants.ok()) return unexplained;
  const std::string message(invariants.message());
  for (const std::string& finding : std::vector<std::string>(absl::StrSplit(message, '\n'))) {
    const bool stray =
        std::any_of(operation.paths.begin(), operation.paths.end(), [&](const std::string& path) {
          const std::string whiteout = "whiteout " + Quoted(path);
          return finding == whiteout + " hides nothing" ||
                 finding == whiteout + " stands in an opaque directory";
        });
    if (stray && operation.name.starts_with("rename ")) {
      ++counts["stray whiteout"];
    } else {
      unexplained.push_back(finding);
    }
  }
  return unexplained;
}

}  // namespace lamina::testing
