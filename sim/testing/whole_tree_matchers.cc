// Matchers that compare a whole tree: with a drawing, or with another tree.
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/testing/matchers.h"
#include "sim/facade/aufs_words.h"
#include "sim/testing/drawing.h"
#include "sim/testing/tree_facts.h"

namespace lamina::testing {
namespace {

using internal::DrawnEntry;
using internal::EntryDetail;
using Subject = TreeMatcher::Subject;
using Verdict = TreeMatcher::Verdict;
using EntriesByPath = std::map<std::string, DrawnEntry>;

constexpr std::size_t kLineShown = 240;

std::string ShortLine(const DrawnEntry& entry) {
  std::string line = internal::LineOf(entry);
  if (line.size() <= kLineShown) return line;
  return absl::StrFormat("%s… (%d bytes)", line.substr(0, kLineShown), line.size());
}

// Missing and unexpected lines, in the order of paths; the first path that differs.
Verdict Compare(const EntriesByPath& wanted, const EntriesByPath& found,
                std::string_view wanted_word) {
  std::string text;
  Verdict verdict;
  const auto note = [&](const std::string& path, std::string_view word, const DrawnEntry& entry) {
    absl::StrAppendFormat(&text, "\n    %-8s  %s", word, ShortLine(entry));
    if (verdict.path.empty()) verdict.path = path;
  };
  EntriesByPath all = wanted;
  all.insert(found.begin(), found.end());
  for (const auto& [path, entry] : all) {
    const auto want = wanted.find(path);
    const auto have = found.find(path);
    const bool in_both = want != wanted.end() && have != found.end();
    if (in_both && internal::LineOf(want->second) == internal::LineOf(have->second)) continue;
    if (want != wanted.end()) note(path, wanted_word, want->second);
    if (have != found.end()) note(path, "shown", have->second);
  }
  verdict.holds = text.empty();
  verdict.what = verdict.holds ? "which has just that" : "which differs:" + text;
  return verdict;
}

// Directories that the drawing only names on the way.
void AddParents(EntriesByPath& entries) {
  const EntriesByPath drawn = entries;
  for (const auto& [path, entry] : drawn) {
    for (std::size_t slash = path.rfind('/'); slash != 0; slash = path.rfind('/', slash - 1)) {
      DrawnEntry parent;
      parent.path = path.substr(0, slash);
      parent.type = FileType::kDirectory;
      entries.emplace(parent.path, parent);
    }
  }
}

DrawnEntry WhiteoutEntry(const std::string& path) {
  DrawnEntry entry;
  entry.path = path;
  entry.type = FileType::kCharDevice;
  entry.whiteout = true;
  return entry;
}

// A drawing of an AUFS layer may write a whiteout as the file that it is. What a mount makes in a
// branch by itself is not compared.
void NormalizeAufs(EntriesByPath& entries) {
  namespace words = lamina::internal;
  const EntriesByPath drawn = std::exchange(entries, {});
  for (const auto& [path, entry] : drawn) {
    const std::optional<std::string> hidden = words::HiddenPathOf(path);
    if (words::IsBaseEntry(path)) continue;
    if (hidden && entry.type == FileType::kRegular && !drawn.contains(*hidden)) {
      entries.emplace(*hidden, WhiteoutEntry(*hidden));
    } else {
      entries.emplace(path, entry);
    }
  }
}

absl::StatusOr<EntriesByPath> EntriesOf(const TreeView& view, const EntriesByPath& patterns,
                                        EntryDetail detail) {
  const absl::StatusOr<std::vector<std::string>> paths = view.AllPaths();
  if (!paths.ok()) return paths.status();
  EntriesByPath entries;
  for (const std::string& path : *paths) {
    const std::optional<internal::DrawnName> drawn = internal::DrawnNameOf(view, path);
    if (!drawn) continue;
    if (drawn->whiteout) {
      entries.emplace(drawn->path, WhiteoutEntry(drawn->path));
      continue;
    }
    const auto pattern = patterns.find(path);
    absl::StatusOr<DrawnEntry> entry = internal::EntryAt(
        view, path, pattern == patterns.end() ? DrawnEntry() : pattern->second, detail);
    if (!entry.ok()) return entry.status();
    entries.emplace(path, *std::move(entry));
  }
  return entries;
}

Verdict CompareWithDrawing(const TreeView& view, const std::string& drawing) {
  Verdict verdict;
  const absl::StatusOr<std::vector<DrawnEntry>> drawn = internal::ParseDrawing(drawing);
  if (!drawn.ok()) {
    verdict.what = "which was not looked at: " + std::string(drawn.status().message());
    return verdict;
  }
  EntriesByPath wanted;
  for (const DrawnEntry& entry : *drawn) wanted.emplace(entry.path, entry);
  AddParents(wanted);
  if (view.dialect() == UnionDialect::kAufs) NormalizeAufs(wanted);
  const absl::StatusOr<EntriesByPath> found = EntriesOf(view, wanted, EntryDetail::kAsDrawn);
  if (!found.ok()) {
    verdict.what = "which cannot be read: " + std::string(found.status().message());
    return verdict;
  }
  return Compare(wanted, *found, "drawn");
}

// Gives every further name of a file the first one, in the order of paths.
void NameHardLinks(const TreeView& view, EntriesByPath& entries) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
  for (auto& [path, entry] : entries) {
    const absl::StatusOr<Stat> stat = view.Lstat(path);
    if (!stat.ok() || stat->type == FileType::kDirectory) continue;
    const auto [it, fresh] = first_names.emplace(std::pair(stat->dev, stat->ino), path);
    if (!fresh) entry.hardlink = it->second;
  }
}

Verdict CompareTrees(const TreeView& view, const TreeView& other) {
  Verdict verdict;
  absl::StatusOr<EntriesByPath> wanted = EntriesOf(other, {}, EntryDetail::kAll);
  absl::StatusOr<EntriesByPath> found = EntriesOf(view, {}, EntryDetail::kAll);
  if (!wanted.ok() || !found.ok()) {
    const absl::Status& status = wanted.ok() ? found.status() : wanted.status();
    verdict.what = "which cannot be compared: " + std::string(status.message());
    return verdict;
  }
  for (EntriesByPath* entries : {&*wanted, &*found}) {
    for (auto& [path, entry] : *entries) entry.opaque = false;  // a mark, not a fact of the tree
  }
  NameHardLinks(other, *wanted);
  NameHardLinks(view, *found);
  return Compare(*wanted, *found, "other");
}

}  // namespace

TreeMatcher Shows(std::string_view drawing) {
  return {"shows the drawing", "shows something else than the drawing",
          [text = std::string(drawing)](const Subject& subject) {
            return CompareWithDrawing(subject.view, text);
          }};
}

TreeMatcher BranchHolds(std::string_view layer, std::string_view drawing) {
  const std::string wanted = "holds the drawing in layer " + Quoted(layer);
  return {wanted, "not: " + wanted,
          [name = std::string(layer), text = std::string(drawing)](const Subject& subject) {
            Verdict verdict;
            if (subject.fs == nullptr) {
              verdict.what = "which is no mount: layers are asked of a LayeredFs";
              return verdict;
            }
            for (const std::string& known : subject.fs->LayerNames()) {
              if (known == name) return CompareWithDrawing(subject.fs->Layer(name), text);
            }
            verdict.what = "which has no layer " + Quoted(name);
            return verdict;
          }};
}

TreeMatcher SameTreeAs(const TreeView& other) {
  const std::string wanted = "shows the same tree as " + Quoted(other.name());
  return {wanted, "shows another tree than " + Quoted(other.name()),
          [other](const Subject& subject) { return CompareTrees(subject.view, other); }};
}

TreeMatcher SameTreeAs(const LayeredFs& other) { return SameTreeAs(other.Merged()); }

}  // namespace lamina::testing
