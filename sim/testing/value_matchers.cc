// Matchers of results and of changes, and how values print.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

std::string ErrnoWord(int number) { return std::string(ErrnoName(static_cast<Errno>(number))); }

std::string ChangeText(const LayerChange& change) {
  return absl::StrFormat("%s %s", sim::ChangeLetter(change.kind), Escaped(change.path));
}

bool ByPath(const LayerChange& a, const LayerChange& b) { return a.path < b.path; }

}  // namespace

bool internal::StatusMatcher::MatchStatus(const absl::Status& status,
                                          ::testing::MatchResultListener* listener) const {
  if (check_(status)) return true;
  const int number = ErrnoOf(status);
  if (status.ok()) {
    *listener << "which is OK";
  } else if (number != 0) {
    *listener << "which has errno " << ErrnoWord(number);
  } else {
    *listener << "which has no errno";
  }
  return false;
}

internal::StatusMatcher IsOk() {
  return {"is OK", [](const absl::Status& status) { return status.ok(); }};
}

internal::StatusMatcher StatusIs(absl::StatusCode code) {
  return {"has the code " + absl::StatusCodeToString(code),
          [code](const absl::Status& status) { return status.code() == code; }};
}

internal::StatusMatcher StatusIs(absl::StatusCode code,
                                 ::testing::Matcher<const std::string&> message) {
  std::ostringstream expected;
  expected << "has the code " << absl::StatusCodeToString(code) << " and a message that ";
  message.DescribeTo(&expected);
  return {expected.str(), [code, message](const absl::Status& status) {
            return status.code() == code && message.Matches(std::string(status.message()));
          }};
}

internal::StatusMatcher HasErrno(int number) {
  return {"has errno " + ErrnoWord(number),
          [number](const absl::Status& status) { return ErrnoOf(status) == number; }};
}

internal::StatusMatcher IsErrno(Errno error) { return HasErrno(static_cast<int>(error)); }

// ── Changes ────────────────────────────────────────────────────────────────────────────────────

LayerChange Added(std::string_view path) { return {std::string(path), ChangeKind::kAdd}; }
LayerChange Changed(std::string_view path) { return {std::string(path), ChangeKind::kModify}; }
LayerChange Deleted(std::string_view path) { return {std::string(path), ChangeKind::kDelete}; }

ChangesMatcher::ChangesMatcher(std::vector<LayerChange> expected) : expected_(std::move(expected)) {
  std::sort(expected_.begin(), expected_.end(), ByPath);
}

bool ChangesMatcher::MatchAndExplain(const std::vector<LayerChange>& changes,
                                     ::testing::MatchResultListener* listener) const {
  std::vector<LayerChange> found = changes;
  std::sort(found.begin(), found.end(), ByPath);
  if (found == expected_) return true;
  std::string text;
  for (const LayerChange& change : expected_) {
    if (std::find(found.begin(), found.end(), change) != found.end()) continue;
    absl::StrAppendFormat(&text, "\n    missing     %s", ChangeText(change));
  }
  for (const LayerChange& change : found) {
    if (std::find(expected_.begin(), expected_.end(), change) != expected_.end()) continue;
    absl::StrAppendFormat(&text, "\n    unexpected  %s", ChangeText(change));
  }
  *listener << "which differs:" << text;
  return false;
}

bool ChangesMatcher::MatchAndExplain(const absl::StatusOr<std::vector<LayerChange>>& changes,
                                     ::testing::MatchResultListener* listener) const {
  if (changes.ok()) return MatchAndExplain(*changes, listener);
  *listener << "which is an error";
  return false;
}

void ChangesMatcher::DescribeTo(std::ostream* os) const {
  *os << "has the changes {";
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    *os << (i > 0 ? ", " : "") << ChangeText(expected_[i]);
  }
  *os << "}";
}

void ChangesMatcher::DescribeNegationTo(std::ostream* os) const {
  *os << "not: ";
  DescribeTo(os);
}

}  // namespace lamina::testing

namespace lamina {

void PrintTo(const LayeredFs& fs, std::ostream* os) {
  *os << "stack ";
  const std::vector<std::string> names = fs.LayerNames();
  for (std::size_t i = 0; i < names.size(); ++i) *os << (i > 0 ? ":" : "") << names[i];
}

void PrintTo(const TreeView& view, std::ostream* os) { *os << "tree " << Quoted(view.name()); }

void PrintTo(const Fd& fd, std::ostream* os) {
  *os << (fd.is_open() ? "open file " : "closed file ") << Quoted(fd.path());
}

void PrintTo(const Stat& stat, std::ostream* os) {
  *os << absl::StrFormat("{type %d, mode %04o, owner %d:%d, %d links, %d B}",
                         static_cast<int>(stat.type), stat.mode, stat.uid, stat.gid, stat.nlink,
                         stat.size_bytes);
}

void PrintTo(const Entry& entry, std::ostream* os) { *os << Quoted(entry.name); }

void PrintTo(const Explanation& explanation, std::ostream* os) { *os << explanation.ToString(); }

void PrintTo(const LayerChange& change, std::ostream* os) {
  *os << ChangeLetter(change.kind) << ' ' << Escaped(change.path);
}

}  // namespace lamina
