// What the matchers say when they fail, word for word.
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

// The message of EXPECT_THAT(value, matcher), or "" when it holds. Without " (of type T)", which
// every compiler spells in its own way.
template <typename T, typename M>
std::string FailureOf(const T& value, const M& matcher) {
  const ::testing::AssertionResult result =
      ::testing::internal::MakePredicateFormatterFromMatcher(matcher)("it", value);
  if (result) return "";
  std::string text = '\n' + std::string(result.message()) + '\n';
  const std::size_t type = text.find(" (of type ");
  if (type != text.npos) text.erase(type, text.find(')', type) + 1 - type);
  return text;
}

FsPtr Small() {
  return Stack()
      .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n").File("/etc/motd", "hi"))
      .Push(NamedLayer("app").File("/srv/f", "x").Symlink("/s", "srv/f"))
      .MountOrDie();
}

FsPtr WithoutHosts() {
  FsPtr fs = Small();
  EXPECT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  return fs;
}

// ── Results ────────────────────────────────────────────────────────────────────────────────────

TEST(FailureText, OfResults) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(fs->Unlink("/etc/hosts"), IsOk()), R"(
Value of: it
Expected: is OK
  Actual: NOT_FOUND: unlink("/etc/hosts"): No such file or directory [ENOENT]: /etc/hosts is whited out in layer "upper" [lamina.dev/errno='2'], which has errno ENOENT
)");
  EXPECT_EQ(FailureOf(fs->ReadFile("/etc/motd"), HasErrno(ENOENT)), R"(
Value of: it
Expected: has errno ENOENT
  Actual: OK: "hi", which is OK
)");
  EXPECT_EQ(FailureOf(fs->ReadFile("/etc/motd"), IsOkAndHolds("ho")), R"(
Value of: it
Expected: is OK and holds a value that is equal to "ho"
  Actual: OK: "hi"
)");
  EXPECT_EQ(FailureOf(fs->Rmdir("/etc"), HasErrno(EXDEV)), R"(
Value of: it
Expected: has errno EXDEV
  Actual: FAILED_PRECONDITION: rmdir("/etc"): Directory not empty [ENOTEMPTY]: /etc still shows "motd" [lamina.dev/errno='39'], which has errno ENOTEMPTY
)");
  EXPECT_EQ(FailureOf(absl::InternalError("x"), StatusIs(absl::StatusCode::kUnknown)), R"(
Value of: it
Expected: has the code UNKNOWN
  Actual: INTERNAL: x, which has no errno
)");
  EXPECT_EQ(FailureOf(Result<int>(Errno::kIo), IsErrno(Errno::kXDev)), R"(
Value of: it
Expected: has errno EXDEV
  Actual: EIO, which has errno EIO
)");
  EXPECT_EQ(FailureOf(Result<int>(7), IsErrno(Errno::kXDev)), R"(
Value of: it
Expected: has errno EXDEV
  Actual: OK: 7, which is OK
)");
}

// ── Trees ──────────────────────────────────────────────────────────────────────────────────────

TEST(FailureText, OfHasFile) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, HasFile("/etc/hosts", "127.0.0.1 localhost\n")), R"(
Value of: it
Expected: has file "/etc/hosts" with content "127.0.0.1 localhost\n"
  Actual: stack upper:app:base, which has no entry "/etc/hosts": whited out in "upper"
    lookup /etc/hosts
      upper  whiteout (char 0:0)  stop, ENOENT
      app    not searched
      base   regular, 20 B        hidden
    made by: step 1  Unlink("/etc/hosts")
)");
  EXPECT_EQ(FailureOf(*fs, HasFile("/etc/motd", ::testing::HasSubstr("x"))), R"(
Value of: it
Expected: has file "/etc/motd" with content that has substring "x"
  Actual: stack upper:app:base, which has file "/etc/motd" with content "hi"
    lookup /etc/motd
      upper  no entry      look below
      app    no directory  look below
      base   regular, 2 B  found, stop
)");
  EXPECT_EQ(FailureOf(fs->Layer("upper"), HasFile("/etc/hosts")), R"(
Value of: it
Expected: has file "/etc/hosts"
  Actual: tree "upper", which has a whiteout at "/etc/hosts"
    made by: step 1  Unlink("/etc/hosts")
)");
}

TEST(FailureText, OfHasDirHasSymlinkHasMode) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, HasDir("/srv/f")), R"(
Value of: it
Expected: has directory "/srv/f"
  Actual: stack upper:app:base, which has a file of 1 B at "/srv/f"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
  EXPECT_EQ(FailureOf(*fs, HasSymlink("/s", "nowhere")), R"(
Value of: it
Expected: has symlink "/s" to "nowhere"
  Actual: stack upper:app:base, which has a symlink at "/s" to "srv/f"
    lookup /s
      upper  no entry      look below
      app    symlink       found, stop
      base   not searched
)");
  EXPECT_EQ(FailureOf(*fs, HasMode("/srv/f", 0600)), R"(
Value of: it
Expected: has mode 0600 at "/srv/f"
  Actual: stack upper:app:base, which has mode 0644 at "/srv/f"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
}

TEST(FailureText, OfHasNoEntry) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, HasNoEntry("/srv/f")), R"(
Value of: it
Expected: has no entry "/srv/f"
  Actual: stack upper:app:base, which has a file of 1 B at "/srv/f"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
}

TEST(FailureText, OfShows) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, Shows(R"(
      /etc/
        hosts  "127.0.0.1 localhost\n"
        motd   "ho"
      /srv/f   "x" 0600
  )")),
            R"(
Value of: it
Expected: shows the drawing
  Actual: stack upper:app:base, which differs:
    drawn     /etc/hosts "127.0.0.1 localhost\n"
    drawn     /etc/motd "ho"
    shown     /etc/motd "hi"
    shown     /s -> "srv/f"
    drawn     /srv/f "x" 0600
    shown     /srv/f "x" 0644
    lookup /etc/hosts
      upper  whiteout (char 0:0)  stop, ENOENT
      app    not searched
      base   regular, 20 B        hidden
    made by: step 1  Unlink("/etc/hosts")
)");
  EXPECT_EQ(FailureOf(*fs, Shows("/a")), R"(
Value of: it
Expected: shows the drawing
  Actual: stack upper:app:base, which was not looked at: drawing, line 1: a file needs its content in quotes (a directory ends in /)
)");
}

TEST(FailureText, OfBranchHolds) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, BranchHolds("upper", R"(
      /etc/    opaque
        motd   whiteout
  )")),
            R"(
Value of: it
Expected: holds the drawing in layer "upper"
  Actual: stack upper:app:base, which differs:
    drawn     /etc/ opaque
    shown     /etc/
    shown     /etc/hosts whiteout
    drawn     /etc/motd whiteout
    lookup /etc
      upper  directory  found
      app    no entry   look below
      base   directory  merged
)");
  EXPECT_EQ(FailureOf(*fs, BranchHolds("none", "")), R"(
Value of: it
Expected: holds the drawing in layer "none"
  Actual: stack upper:app:base, which has no layer "none"
)");
}

TEST(FailureText, OfMarks) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(fs->Layer("upper"), IsWhiteout("/etc/hosts")), R"(
Value of: it
Expected: has a whiteout "/etc/hosts"
  Actual: tree "upper", which has no entry "/etc/hosts"
)");
  EXPECT_EQ(FailureOf(fs->Layer("base"), IsOpaqueDir("/etc")), R"(
Value of: it
Expected: has an opaque directory "/etc"
  Actual: tree "base", which has a directory at "/etc", not opaque
)");
  EXPECT_EQ(FailureOf(*fs, IsWhiteout("/etc/hosts")), R"(
Value of: it
Expected: has a whiteout "/etc/hosts"
  Actual: stack upper:app:base, which has a file of 20 B at "/etc/hosts" (marks are in fs->Layer("upper"))
    lookup /etc/hosts
      upper  no directory   look below
      app    no directory   look below
      base   regular, 20 B  found, stop
)");
}

TEST(FailureText, OfComesFromAndIsCopiedUp) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, ComesFrom("/srv/f", "upper")), R"(
Value of: it
Expected: shows "/srv/f" from layer "upper"
  Actual: stack upper:app:base, whose "/srv/f" comes from layer "app"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
  EXPECT_EQ(FailureOf(*fs, IsCopiedUp("/srv/f")), R"(
Value of: it
Expected: has a copied-up "/srv/f"
  Actual: stack upper:app:base, whose "/srv/f" comes from layer "app"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
  ASSERT_THAT(fs->WriteFile("/new", ""), IsOk());
  EXPECT_EQ(FailureOf(*fs, IsCopiedUp("/new")), R"(
Value of: it
Expected: has a copied-up "/new"
  Actual: stack upper:app:base, whose "/new" comes from layer "upper", and no layer below has it
    lookup /new
      upper  regular, 0 B  found, stop
      app    not searched
      base   not searched
    made by: step 1  WriteFile("/new", 0 B)
)");
}

TEST(FailureText, OfSameInodeAndSameTreeAs) {
  FsPtr fs = WithoutHosts();
  FsPtr other = Small();
  EXPECT_EQ(FailureOf(*fs, SameInode("/srv/f", "/etc/motd")), R"(
Value of: it
Expected: has one file for "/srv/f" and "/etc/motd"
  Actual: stack upper:app:base, where "/srv/f" and "/etc/motd" are different files
    lookup /etc/motd
      upper  no entry      look below
      app    no directory  look below
      base   regular, 2 B  found, stop
)");
  EXPECT_EQ(FailureOf(*fs, SameTreeAs(*other)), R"(
Value of: it
Expected: shows the same tree as "merged"
  Actual: stack upper:app:base, which differs:
    other     /etc/hosts "127.0.0.1 localhost\n" 0644 0:0
    lookup /etc/hosts
      upper  whiteout (char 0:0)  stop, ENOENT
      app    not searched
      base   regular, 20 B        hidden
    made by: step 1  Unlink("/etc/hosts")
)");
}

TEST(FailureText, OfHasChanges) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(fs->Diff(), HasChanges(Changed("/etc"), Added("/etc/hosts"))), R"(
Value of: it
Expected: has the changes {C /etc, A /etc/hosts}
  Actual: OK: { C /etc, D /etc/hosts }, which differs:
    missing     A /etc/hosts
    unexpected  D /etc/hosts
)");
}

TEST(FailureText, OfANegation) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, ::testing::Not(HasFile("/srv/f", "x"))), R"(
Value of: it
Expected: has no file "/srv/f" with content "x"
  Actual: stack upper:app:base, which has file "/srv/f" with content "x"
    lookup /srv/f
      upper  no directory  look below
      app    regular, 1 B  found, stop
      base   not searched
)");
}

// ── What holds ─────────────────────────────────────────────────────────────────────────────────

TEST(Matchers, HoldForWhatIsThere) {
  FsPtr fs = WithoutHosts();
  ASSERT_THAT(fs->AppendFile("/srv/f", "y"), IsOk());
  ASSERT_THAT(fs->Link("/srv/f", "/srv/g"), IsOk());
  EXPECT_THAT(*fs, HasDir("/etc"));
  EXPECT_THAT(*fs, IsCopiedUp("/srv/f"));
  EXPECT_THAT(*fs, IsCopiedUp("/etc"));
  EXPECT_THAT(*fs, SameInode("/srv/f", "/srv/g"));
  EXPECT_THAT(*fs, BranchHolds("upper", R"(
      /etc/
        hosts   whiteout
      /srv/
        f       "xy"
        g       hardlink /srv/f
  )"));
  EXPECT_THAT(*fs, SameTreeAs(*fs));
  EXPECT_THAT(fs->Merged(), SameTreeAs(fs->As(UserCredentials(1000, 1000))));
}

// A plain file system that holds the same is the same tree, whatever shows it.
TEST(Matchers, SameTreeAsComparesAnyFileSystem) {
  FsPtr fs = WithoutHosts();
  MemFs plain;
  ASSERT_THAT(Tree(R"(
      /etc/
        motd  "hi"
      /srv/
        f     "x"
      /s      -> srv/f
  )")
                  .WriteTo(plain, plain.root()),
              IsOk());
  EXPECT_THAT(*fs, SameTreeAs(TreeView(plain, plain.root(), "plain")));
}

TEST(Matchers, ResultsOfTheDataPlane) {
  EXPECT_THAT(Result<int>(7), IsOkAndHolds(7));
  EXPECT_THAT(Result<void>(), IsOk());
  EXPECT_THAT(Result<void>(Errno::kXDev), IsErrno(Errno::kXDev));
}

}  // namespace
}  // namespace lamina::testing
