#include "sim/check/aufs_search.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "sim/explain/aufs_files.h"

namespace lamina::sim::internal {

bool AufsSearch::HasOpaqueMark(const Part& dir) const {
  const Result<std::optional<Part>> mark = reader_.Child(dir, kOpaqueMark);
  if (!mark.ok() || !mark->has_value()) return false;
  const Result<Stat> stat = reader_.GetStat(**mark);
  return stat.ok() && stat->type == FileType::kRegular;
}

Result<std::optional<Part>> AufsSearch::Whiteout(const Part& dir, std::string_view name) const {
  return reader_.Child(dir, std::string(kWhiteoutPrefix) + std::string(name));
}

Result<AufsSearch::Renamed> AufsSearch::FindRenamed(const Part& dir) const {
  Renamed renamed;
  if (!reader_.stack().aufs->dirren || !Counts(dir.branch)) return renamed;
  for (std::size_t i = dir.branch + std::size_t{1}; i < reader_.stack().branches.size(); ++i) {
    const auto below = static_cast<BranchIndex>(i);
    Part at{below, reader_.branch(below).root};
    const Result<Stat> root = reader_.GetStat(at);
    if (!root.ok()) return root.error();
    const Result<std::optional<Part>> mark =
        reader_.Child(dir, absl::StrFormat("%s%d.%d", kRenameMark, root->dev, root->ino));
    if (!mark.ok()) return mark.error();
    if (!mark->has_value()) continue;
    const Result<std::string> path = reader_.fs(dir.branch).ReadLink(reader_.op(), (*mark)->node);
    if (!path.ok() || !path->starts_with('/')) continue;
    std::optional<Part> part = at;
    for (const absl::string_view name : absl::StrSplit(*path, '/', absl::SkipEmpty())) {
      const Result<Stat> stat = reader_.GetStat(*part);
      if (!stat.ok()) return stat.error();
      if (stat->type != FileType::kDirectory) part.reset();
      if (!part) break;
      const Result<std::optional<Part>> child = reader_.Child(*part, {name.data(), name.size()});
      if (!child.ok()) return child.error();
      part = *child;
      if (!part) break;
    }
    renamed[below] = part;
  }
  return renamed;
}

Result<Parts> AufsSearch::FindDirectory(const Parts& parents, std::string_view name,
                                        Marks marks) const {
  Parts hits;
  Renamed renamed;
  BranchIndex opaque = kNoBranch;
  for (const Part& parent : parents) {
    if (renamed.contains(parent.branch)) continue;
    if (Counts(parent.branch)) {
      const Result<std::optional<Part>> whiteout = Whiteout(parent, name);
      if (!whiteout.ok()) return whiteout.error();
      if (whiteout->has_value()) break;
    }
    const Result<std::optional<Part>> child = reader_.Child(parent, name);
    if (!child.ok()) return child.error();
    if (!child->has_value()) continue;
    const Result<Stat> stat = reader_.GetStat(**child);
    if (!stat.ok()) return stat.error();
    if (stat->type != FileType::kDirectory) {
      // A file ends the search, unless a directory above makes it no part of the name.
      if (hits.empty()) return hits;
      continue;
    }
    hits.push_back(**child);
    if (hits.size() == 1) {
      Result<Renamed> found = FindRenamed(hits.front());
      if (!found.ok()) return found.error();
      renamed = *std::move(found);
    }
    if (marks != Marks::kFollow || !Counts(parent.branch) || !HasOpaqueMark(**child)) continue;
    opaque = parent.branch;
    break;
  }
  for (const auto& [branch, part] : renamed) {
    if (part.has_value() && branch <= opaque) hits.push_back(*part);
  }
  std::sort(hits.begin(), hits.end());
  return hits;
}

Result<std::optional<AufsSearch::Below>> AufsSearch::FindBelow(const Parts& parents,
                                                               std::string_view name) const {
  for (std::size_t i = 1; i < parents.size(); ++i) {
    if (Counts(parents[i].branch)) {
      const Result<std::optional<Part>> whiteout = Whiteout(parents[i], name);
      if (!whiteout.ok()) return whiteout.error();
      if (whiteout->has_value()) return std::optional<Below>(Below{**whiteout, true});
    }
    const Result<std::optional<Part>> child = reader_.Child(parents[i], name);
    if (!child.ok()) return child.error();
    if (child->has_value()) return std::optional<Below>(Below{**child, false});
  }
  return std::optional<Below>();
}

Result<std::map<Part, std::size_t>> AufsSearch::ShownParts() const {
  std::map<Part, std::size_t> shown;
  std::vector<Parts> pending = {reader_.RootsFrom(0)};
  while (!pending.empty()) {
    const Parts dir = std::move(pending.back());
    pending.pop_back();
    std::set<std::string> names;
    for (std::size_t i = 0; i < dir.size(); ++i) {
      shown[dir[i]] = i;
      const auto entries = reader_.List(dir[i]);
      if (!entries.ok()) return entries.error();
      for (const StackReader::Named& entry : *entries) {
        const bool own = IsAufsOwn(entry.name);
        if (entry.type == FileType::kDirectory && !own) names.insert(entry.name);
      }
    }
    for (const std::string& name : names) {
      Result<Parts> child = FindDirectory(dir, name, Marks::kFollow);
      if (!child.ok()) return child.error();
      if (!child->empty()) pending.push_back(*std::move(child));
    }
  }
  return shown;
}

}  // namespace lamina::sim::internal
