// Matchers for GoogleTest: results of calls, and trees.
//
//   EXPECT_THAT(fs->Unlink("/etc/hosts"), IsOk());
//   EXPECT_THAT(fs->ReadFile("/etc/hosts"), HasErrno(ENOENT));
//   EXPECT_THAT(*fs, HasNoEntry("/etc/hosts"));
//   EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/etc/hosts"));
//
// A tree is a LayeredFs (what it shows) or a TreeView. Looking at it leaves no trace. A failure
// says what differs, which layers were asked, and which call made it so:
//
//   Expected: has file "/etc/hosts" with content "127.0.0.1 localhost\n"
//     Actual: stack upper:app:base, which has no entry "/etc/hosts"
//       lookup /etc/hosts
//         upper  whiteout (char 0:0)  stop, ENOENT
//         app    not searched
//         base   regular, 20 B        hidden
//       made by: step 1  Unlink("/etc/hosts")
//
// Threads: matchers are plain values.
#ifndef LAMINA_TESTING_MATCHERS_H_
#define LAMINA_TESTING_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/lamina.h"
#include "lamina/testing/tree.h"

namespace lamina::testing {
namespace internal {

inline absl::Status StatusFrom(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusFrom(const absl::StatusOr<T>& value) {
  return value.status();
}
template <typename T>
absl::Status StatusFrom(const Result<T>& result) {
  return result.ok() ? absl::OkStatus() : StatusOf(result.error(), "result");
}

// A matcher of everything that holds an absl::Status, or an Errno.
class StatusMatcher {
 public:
  using is_gtest_matcher = void;
  using Check = std::function<bool(const absl::Status&)>;
  StatusMatcher(std::string expected, Check check)
      : expected_(std::move(expected)), check_(std::move(check)) {}

  template <typename T>
  bool MatchAndExplain(const T& value, ::testing::MatchResultListener* listener) const {
    return MatchStatus(StatusFrom(value), listener);
  }
  void DescribeTo(std::ostream* os) const { *os << expected_; }
  void DescribeNegationTo(std::ostream* os) const { *os << "not: " << expected_; }

 private:
  bool MatchStatus(const absl::Status& status, ::testing::MatchResultListener* listener) const;

  std::string expected_;
  Check check_;
};

template <typename Holder>
class HoldsMatcher final : public ::testing::MatcherInterface<Holder> {
 public:
  using Value = typename std::remove_cvref_t<Holder>::value_type;

  template <typename Inner>
  explicit HoldsMatcher(const Inner& inner)
      : inner_(::testing::SafeMatcherCast<const Value&>(inner)) {}

  bool MatchAndExplain(Holder holder, ::testing::MatchResultListener* listener) const override {
    if (!holder.ok()) {
      *listener << "which is an error";
      return false;
    }
    return inner_.MatchAndExplain(*holder, listener);
  }
  void DescribeTo(std::ostream* os) const override {
    *os << "is OK and holds a value that ";
    inner_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is an error, or holds a value that ";
    inner_.DescribeNegationTo(os);
  }

 private:
  ::testing::Matcher<const Value&> inner_;
};

template <typename Inner>
class HoldsMatcherMaker {
 public:
  explicit HoldsMatcherMaker(Inner inner) : inner_(std::move(inner)) {}
  template <typename Holder>
  operator ::testing::Matcher<Holder>() const {  // NOLINT: implicit, as GoogleMock wants it
    return ::testing::Matcher<Holder>(new HoldsMatcher<const Holder&>(inner_));
  }

 private:
  Inner inner_;
};

}  // namespace internal

// ── Results ────────────────────────────────────────────────────────────────────────────────────

// Of absl::Status, absl::StatusOr<T> and Result<T>.
internal::StatusMatcher IsOk();

// Of absl::StatusOr<T> and Result<T>: OK, and the value matches.
template <typename Inner>
auto IsOkAndHolds(Inner inner) {
  return internal::HoldsMatcherMaker<Inner>(std::move(inner));
}

// The canonical code; the message matches, when a matcher is given.
internal::StatusMatcher StatusIs(absl::StatusCode code);
internal::StatusMatcher StatusIs(absl::StatusCode code,
                                 ::testing::Matcher<const std::string&> message);

// The errno the facade keeps: HasErrno(ENOENT).
internal::StatusMatcher HasErrno(int number);

// The error of a Result<T>: IsErrno(Errno::kXDev).
internal::StatusMatcher IsErrno(Errno error);

// ── Trees ──────────────────────────────────────────────────────────────────────────────────────

// A matcher of a LayeredFs or a TreeView.
class TreeMatcher {
 public:
  using is_gtest_matcher = void;

  struct Subject {
    const TreeView& view;
    const LayeredFs* fs = nullptr;  // absent for a TreeView
  };
  struct Verdict {
    bool holds = false;
    std::string what;  // a clause that begins with "which"
    std::string path;  // whose provenance belongs to it; may be empty
  };
  using Check = std::function<Verdict(const Subject&)>;

  // `expected` reads on after "Expected: ", `unexpected` after it for Not().
  TreeMatcher(std::string expected, std::string unexpected, Check check)
      : expected_(std::move(expected)),
        unexpected_(std::move(unexpected)),
        check_(std::move(check)) {}

  bool MatchAndExplain(const LayeredFs& fs, ::testing::MatchResultListener* listener) const;
  bool MatchAndExplain(const TreeView& view, ::testing::MatchResultListener* listener) const;
  void DescribeTo(std::ostream* os) const { *os << expected_; }
  void DescribeNegationTo(std::ostream* os) const { *os << unexpected_; }

 private:
  bool Explain(const Subject& subject, ::testing::MatchResultListener* listener) const;

  std::string expected_;
  std::string unexpected_;
  Check check_;
};

// A regular file (not a symlink to one), with any content, with this content, with content that
// matches.
TreeMatcher HasFile(std::string_view path);
TreeMatcher HasFile(std::string_view path, ::testing::Matcher<const std::string&> content);
TreeMatcher HasFileWith(std::string_view path, std::string_view content);
template <std::convertible_to<std::string_view> Text>
TreeMatcher HasFile(std::string_view path, const Text& content) {
  return HasFileWith(path, content);
}

TreeMatcher HasDir(std::string_view path);
TreeMatcher HasSymlink(std::string_view path, std::string_view target);
TreeMatcher HasMode(std::string_view path, std::uint16_t mode);  // 12 bits, a symlink's own
TreeMatcher HasNoEntry(std::string_view path);

// Exactly the drawing (testing/tree.h): names, types, contents, targets; modes, owners and xattrs
// where they are drawn.
TreeMatcher Shows(std::string_view drawing);
// The same of one layer as it is stored, with its whiteouts and opaque marks. Of a LayeredFs. In a
// layer of an AUFS a whiteout is drawn by the name it hides, but beside an entry of that name,
// where it is the file .wh.NAME; the base entries of a branch are not drawn, what is in them is.
TreeMatcher BranchHolds(std::string_view layer, std::string_view drawing);

// Marks of a layer, in the form of its mount; take fs->Layer("upper").
TreeMatcher IsWhiteout(std::string_view path);
TreeMatcher IsOpaqueDir(std::string_view path);

// The layer whose object is shown. Of a LayeredFs.
TreeMatcher ComesFrom(std::string_view path, std::string_view layer);
// In a writable layer, and a layer below has that name, too. Of a LayeredFs.
TreeMatcher IsCopiedUp(std::string_view path);
// Two names of one file.
TreeMatcher SameInode(std::string_view a, std::string_view b);

// The same names, types, modes, owners, contents, targets, xattrs and hard links; not times, not
// numbers of inodes and devices, not the marks of an overlay.
TreeMatcher SameTreeAs(const TreeView& other);
TreeMatcher SameTreeAs(const LayeredFs& other);

// ── Changes ────────────────────────────────────────────────────────────────────────────────────

LayerChange Added(std::string_view path);
LayerChange Changed(std::string_view path);
LayerChange Deleted(std::string_view path);

// Of LayeredFs::Diff(), or the vector in it.
class ChangesMatcher {
 public:
  using is_gtest_matcher = void;
  explicit ChangesMatcher(std::vector<LayerChange> expected);

  bool MatchAndExplain(const std::vector<LayerChange>& changes,
                       ::testing::MatchResultListener* listener) const;
  bool MatchAndExplain(const absl::StatusOr<std::vector<LayerChange>>& changes,
                       ::testing::MatchResultListener* listener) const;
  void DescribeTo(std::ostream* os) const;
  void DescribeNegationTo(std::ostream* os) const;

 private:
  std::vector<LayerChange> expected_;
};

// Exactly these changes, in any order: HasChanges(Changed("/etc"), Deleted("/etc/hosts")).
template <std::same_as<LayerChange>... Changes>
ChangesMatcher HasChanges(Changes... changes) {
  return ChangesMatcher(std::vector<LayerChange>{std::move(changes)...});
}

}  // namespace lamina::testing

// ── How values print in failures ───────────────────────────────────────────────────────────────

namespace lamina {

void PrintTo(const LayeredFs& fs, std::ostream* os);
void PrintTo(const TreeView& view, std::ostream* os);
void PrintTo(const Fd& fd, std::ostream* os);
void PrintTo(const Stat& stat, std::ostream* os);
void PrintTo(const Entry& entry, std::ostream* os);
void PrintTo(const Explanation& explanation, std::ostream* os);

template <typename T>
void PrintTo(const Result<T>& result, std::ostream* os) {
  if (!result.ok()) {
    *os << ErrnoName(result.error());
  } else if constexpr (std::is_void_v<T>) {
    *os << "OK";
  } else {
    *os << "OK: " << ::testing::PrintToString(*result);
  }
}

void PrintTo(const LayerChange& change, std::ostream* os);
}  // namespace lamina

namespace absl {

// Without it GoogleTest prints the bytes of the object.
template <typename T>
void PrintTo(const StatusOr<T>& value, std::ostream* os) {
  if (value.ok()) {
    *os << "OK: " << ::testing::PrintToString(*value);
  } else {
    *os << value.status();
  }
}

}  // namespace absl
#endif  // LAMINA_TESTING_MATCHERS_H_
