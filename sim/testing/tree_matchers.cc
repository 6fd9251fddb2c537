// Matchers of trees that ask about one or two paths.
#include <algorithm>
#include <sstream>

#include "absl/strings/str_format.h"
#include "lamina/testing/matchers.h"
#include "sim/testing/tree_facts.h"

namespace lamina::testing {
namespace {

using internal::ObjectText;
using Subject = TreeMatcher::Subject;
using Verdict = TreeMatcher::Verdict;

std::string At(const std::string& path) { return ' ' + Quoted(path); }

// The object at `path`, or the verdict that there is none.
std::optional<Stat> Find(const Subject& subject, const std::string& path, Verdict& verdict) {
  verdict.path = path;
  const absl::StatusOr<Stat> stat = subject.view.Lstat(path);
  if (stat.ok()) {
    verdict.what = absl::StrFormat("which has %s at%s", ObjectText(*stat), At(path));
    return *stat;
  }
  const int number = ErrnoOf(stat.status());
  verdict.what = "which has no entry" + At(path);
  if (number != ENOENT) verdict.what += " (" + std::string(ErrnoName(Errno(number))) + ")";
  if (number == ENOENT && subject.fs != nullptr) {
    // Only a whiteout decides that there is no entry.
    const absl::StatusOr<Explanation> why = subject.fs->Explain(path);
    const bool hidden = why.ok() && !why->layer().empty();
    if (hidden) verdict.what += ": whited out in " + Quoted(why->layer());
  }
  return std::nullopt;
}

TreeMatcher TypedMatcher(std::string_view path, FileType type, const std::string& word) {
  return {"has" + word + At(std::string(path)), "has no" + word + At(std::string(path)),
          [at = std::string(path), type](const Subject& subject) {
            Verdict verdict;
            const std::optional<Stat> stat = Find(subject, at, verdict);
            verdict.holds = stat && stat->type == type;
            return verdict;
          }};
}

Verdict CheckContent(const Subject& subject, const std::string& path,
                     const ::testing::Matcher<const std::string&>& content) {
  Verdict verdict;
  const std::optional<Stat> stat = Find(subject, path, verdict);
  if (!stat || stat->type != FileType::kRegular) return verdict;
  const absl::StatusOr<std::string> bytes = subject.view.ReadFile(path);
  if (!bytes.ok()) {
    verdict.what =
        absl::StrFormat("which cannot read%s: %s", At(path), std::string(bytes.status().message()));
    return verdict;
  }
  verdict.what =
      absl::StrFormat("which has file%s with content %s", At(path), internal::Shortened(*bytes));
  verdict.holds = content.Matches(*bytes);
  return verdict;
}

TreeMatcher FileMatcher(const std::string& path, const std::string& wanted,
                        const ::testing::Matcher<const std::string&>& content) {
  return {"has file" + At(path) + wanted, "has no file" + At(path) + wanted,
          [path, content](const Subject& subject) { return CheckContent(subject, path, content); }};
}

// The layer whose object is shown; only a LayeredFs knows.
std::optional<std::string> SourceOf(const Subject& subject, const Stat& stat, Verdict& verdict) {
  if (subject.fs == nullptr) {
    verdict.what = "which is no mount: layers are asked of a LayeredFs";
    return std::nullopt;
  }
  const Result<BranchIndex> branch = subject.fs->union_fs().SourceBranch(stat.node);
  if (!branch.ok()) return std::nullopt;
  return subject.fs->union_fs().branches()[*branch].name;
}

Verdict CheckCopiedUp(const Subject& subject, const std::string& path) {
  Verdict verdict;
  const std::optional<Stat> stat = Find(subject, path, verdict);
  if (!stat) return verdict;
  const std::optional<std::string> source = SourceOf(subject, *stat, verdict);
  if (!source) return verdict;
  verdict.what = absl::StrFormat("whose%s comes from layer %s", At(path), Quoted(*source));
  const UnionFs& fs = subject.fs->union_fs();
  const bool writable =
      std::any_of(fs.branches().begin(), fs.branches().end(), [&](const Branch& branch) {
        return branch.name == *source && branch.mode == BranchMode::kReadWrite;
      });
  if (!writable) return verdict;
  const absl::StatusOr<Explanation> explained = subject.fs->Explain(path);
  if (!explained.ok()) return verdict;
  for (const ExplainStep& step : explained->steps()) {
    const bool below = step.layer != *source &&
                       (step.detail.starts_with("hidden") || step.detail.starts_with("merged"));
    verdict.holds = verdict.holds || (below && !step.outcome.starts_with("whiteout"));
  }
  if (!verdict.holds) verdict.what += ", and no layer below has it";
  return verdict;
}

Verdict CheckSameInode(const Subject& subject, const std::string& a, const std::string& b) {
  Verdict verdict;
  const std::optional<Stat> first = Find(subject, a, verdict);
  if (!first) return verdict;
  const std::optional<Stat> second = Find(subject, b, verdict);
  if (!second) return verdict;
  verdict.holds = first->ino == second->ino && first->dev == second->dev;
  const std::string_view how = verdict.holds ? "one file" : "different files";
  verdict.what = absl::StrFormat("where%s and%s are %s", At(a), At(b), how);
  return verdict;
}

std::string Indented(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += "\n    " + line;
  return out;
}

}  // namespace

bool TreeMatcher::Explain(const Subject& subject, ::testing::MatchResultListener* listener) const {
  const Verdict verdict = check_(subject);
  if (!listener->IsInterested()) return verdict.holds;
  *listener << verdict.what;
  if (verdict.path.empty()) return verdict.holds;
  if (subject.fs != nullptr) {
    const absl::StatusOr<Explanation> explained = subject.fs->Explain(verdict.path);
    if (explained.ok()) *listener << Indented(explained->ToString());
  }
  if (const Call* call = subject.view.MadeBy(verdict.path); call != nullptr) {
    *listener << absl::StrFormat("\n    made by: step %d  %s", call->number, call->text);
  }
  return verdict.holds;
}

bool TreeMatcher::MatchAndExplain(const LayeredFs& fs,
                                  ::testing::MatchResultListener* listener) const {
  return Explain({fs.Merged(), &fs}, listener);
}

bool TreeMatcher::MatchAndExplain(const TreeView& view,
                                  ::testing::MatchResultListener* listener) const {
  return Explain({view, nullptr}, listener);
}

TreeMatcher HasFile(std::string_view path) {
  return TypedMatcher(path, FileType::kRegular, " file");
}

TreeMatcher HasFile(std::string_view path, ::testing::Matcher<const std::string&> content) {
  std::ostringstream wanted;
  wanted << " with content that ";
  content.DescribeTo(&wanted);
  return FileMatcher(std::string(path), wanted.str(), content);
}

TreeMatcher HasFileWith(std::string_view path, std::string_view content) {
  return FileMatcher(std::string(path), " with content " + internal::Shortened(content),
                     ::testing::Eq(std::string(content)));
}

TreeMatcher HasDir(std::string_view path) {
  return TypedMatcher(path, FileType::kDirectory, " directory");
}

TreeMatcher HasSymlink(std::string_view path, std::string_view target) {
  const std::string wanted = " symlink" + At(std::string(path)) + " to " + Quoted(target);
  return {"has" + wanted, "has no" + wanted,
          [at = std::string(path), to = std::string(target)](const Subject& subject) {
            Verdict verdict;
            const std::optional<Stat> stat = Find(subject, at, verdict);
            if (!stat || stat->type != FileType::kSymlink) return verdict;
            const absl::StatusOr<std::string> found = subject.view.Readlink(at);
            if (!found.ok()) return verdict;
            verdict.what += " to " + Quoted(*found);
            verdict.holds = *found == to;
            return verdict;
          }};
}

TreeMatcher HasMode(std::string_view path, std::uint16_t mode) {
  const std::string wanted = absl::StrFormat("has mode %04o at%s", mode, At(std::string(path)));
  return {wanted, "not: " + wanted, [at = std::string(path), mode](const Subject& subject) {
            Verdict verdict;
            const std::optional<Stat> stat = Find(subject, at, verdict);
            if (!stat) return verdict;
            verdict.what = absl::StrFormat("which has mode %04o at%s", stat->mode, At(at));
            verdict.holds = stat->mode == mode;
            return verdict;
          }};
}

TreeMatcher HasNoEntry(std::string_view path) {
  return {"has no entry" + At(std::string(path)), "has an entry" + At(std::string(path)),
          [at = std::string(path)](const Subject& subject) {
            Verdict verdict;
            verdict.holds =
                !Find(subject, at, verdict) && ErrnoOf(subject.view.Lstat(at).status()) == ENOENT;
            return verdict;
          }};
}

TreeMatcher IsWhiteout(std::string_view path) {
  return {"has a whiteout" + At(std::string(path)), "has no whiteout" + At(std::string(path)),
          [at = std::string(path)](const Subject& subject) {
            Verdict verdict;
            const std::string place = internal::WhiteoutPlace(subject.view, at);
            const std::optional<Stat> stat =
                Find(subject, subject.fs == nullptr ? place : at, verdict);
            verdict.path = at;
            verdict.holds = stat && internal::IsWhiteoutAt(subject.view, at);
            if (subject.fs != nullptr) verdict.what += " (marks are in fs->Layer(\"upper\"))";
            return verdict;
          }};
}

TreeMatcher IsOpaqueDir(std::string_view path) {
  return {"has an opaque directory" + At(std::string(path)),
          "has no opaque directory" + At(std::string(path)),
          [at = std::string(path)](const Subject& subject) {
            Verdict verdict;
            const std::optional<Stat> stat = Find(subject, at, verdict);
            verdict.holds = stat && internal::IsOpaqueAt(subject.view, at);
            if (stat && !verdict.holds) verdict.what += ", not opaque";
            if (subject.fs != nullptr) verdict.what += " (marks are in fs->Layer(\"upper\"))";
            return verdict;
          }};
}

TreeMatcher ComesFrom(std::string_view path, std::string_view layer) {
  const std::string wanted =
      absl::StrFormat("shows%s from layer %s", At(std::string(path)), Quoted(layer));
  return {wanted, "not: " + wanted,
          [at = std::string(path), layer = std::string(layer)](const Subject& subject) {
            Verdict verdict;
            const std::optional<Stat> stat = Find(subject, at, verdict);
            if (!stat) return verdict;
            const std::optional<std::string> source = SourceOf(subject, *stat, verdict);
            if (!source) return verdict;
            verdict.what = absl::StrFormat("whose%s comes from layer %s", At(at), Quoted(*source));
            verdict.holds = *source == layer;
            return verdict;
          }};
}

TreeMatcher IsCopiedUp(std::string_view path) {
  return {"has a copied-up" + At(std::string(path)), "has no copied-up" + At(std::string(path)),
          [at = std::string(path)](const Subject& subject) { return CheckCopiedUp(subject, at); }};
}

TreeMatcher SameInode(std::string_view a, std::string_view b) {
  const std::string names = At(std::string(a)) + " and" + At(std::string(b));
  return {"has one file for" + names, "has different files for" + names,
          [first = std::string(a), second = std::string(b)](const Subject& subject) {
            return CheckSameInode(subject, first, second);
          }};
}

}  // namespace lamina::testing
