#include "sim/check/shown_directories.h"

#include <set>

#include "sim/check/layer_search.h"

namespace lamina::sim::internal {
namespace {

// The names that any part has, of directories or of everything else.
Result<std::set<std::string>> NamesIn(const StackReader& reader, const Parts& parts,
                                      bool (*wanted)(FileType)) {
  std::set<std::string> names;
  for (const Part& part : parts) {
    const auto entries = reader.List(part);
    if (!entries.ok()) return entries.error();
    for (const StackReader::Named& entry : *entries) {
      if (wanted(entry.type)) names.insert(entry.name);
    }
  }
  return names;
}

bool IsDirectory(FileType type) { return type == FileType::kDirectory; }
bool IsNoDirectory(FileType type) { return type != FileType::kDirectory; }

}  // namespace

Result<ShownDirectories> ShownDirectories::Read(const StackReader& reader, BranchIndex first) {
  ShownDirectories shown;
  // Redirects may show the same parts under many names: what is below them is read once.
  std::set<Parts> expanded;
  std::vector<ShownDirectory> pending = {{"", reader.RootsFrom(first)}};
  while (!pending.empty()) {
    ShownDirectory here = std::move(pending.back());
    pending.pop_back();
    const bool seen = !expanded.insert(here.parts).second;
    shown.Add(reader, here);
    if (seen) continue;
    const auto names = NamesIn(reader, here.parts, IsDirectory);
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) {
      Result<FoundName> found = FindName(reader, here.parts, name);
      if (!found.ok()) return found.error();
      if (found->hits.empty() || found->type != FileType::kDirectory) continue;
      pending.push_back({here.path + '/' + name, std::move(found->hits)});
    }
  }
  return shown;
}

void ShownDirectories::Add(const StackReader& reader, ShownDirectory directory) {
  // ovl: the root is always merged; a directory that was copied up counts as merged, too.
  const bool passed = !directory.path.empty() && directory.parts.size() == 1 &&
                      !reader.Mark(directory.parts.front(), "origin").has_value();
  for (const Part& part : directory.parts) {
    Listing& listing = listings_[part];
    if (listing != Listing::kPassed) listing = passed ? Listing::kPassed : Listing::kMerged;
  }
  all_.push_back(std::move(directory));
}

Listing ShownDirectories::ListingOf(const Part& part) const {
  const auto found = listings_.find(part);
  return found == listings_.end() ? Listing::kHidden : found->second;
}

Result<std::map<Inode, std::uint64_t>> CountNames(const StackReader& reader,
                                                  const ShownDirectories& shown) {
  std::map<Inode, std::uint64_t> counts;
  for (const ShownDirectory& directory : shown.all()) {
    const auto names = NamesIn(reader, directory.parts, IsNoDirectory);
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) {
      const Result<FoundName> found = FindName(reader, directory.parts, name);
      if (!found.ok()) return found.error();
      if (found->hits.empty() || found->type == FileType::kDirectory) continue;
      const Result<Stat> stat = reader.GetStat(found->hits.front());
      if (!stat.ok()) return stat.error();
      if (stat->nlink < 2) continue;
      ++counts[{&reader.fs(found->hits.front().branch), found->hits.front().node}];
    }
  }
  return counts;
}

}  // namespace lamina::sim::internal
