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
  EXPECT_EQ(FailureOf(fs->Unlink("/etc/hosts"), IsOk()), "?");
  EXPECT_EQ(FailureOf(fs->ReadFile("/etc/motd"), HasErrno(ENOENT)), "?");
  EXPECT_EQ(FailureOf(fs->ReadFile("/etc/motd"), IsOkAndHolds("ho")), "?");
  EXPECT_EQ(FailureOf(fs->Rmdir("/etc"), HasErrno(EXDEV)), "?");
  EXPECT_EQ(FailureOf(absl::InternalError("x"), StatusIs(absl::StatusCode::kUnknown)), "?");
  EXPECT_EQ(FailureOf(Result<int>(Errno::kIo), IsErrno(Errno::kXDev)), "?");
  EXPECT_EQ(FailureOf(Result<int>(7), IsErrno(Errno::kXDev)), "?");
}

// ── Trees ──────────────────────────────────────────────────────────────────────────────────────

TEST(FailureText, OfHasFile) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, HasFile("/etc/hosts", "127.0.0.1 localhost\n")), "?");
  EXPECT_EQ(FailureOf(*fs, HasFile("/etc/motd", ::testing::HasSubstr("x"))), "?");
  EXPECT_EQ(FailureOf(fs->Layer("upper"), HasFile("/etc/hosts")), "?");
}

TEST(FailureText, OfHasDirHasSymlinkHasMode) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, HasDir("/srv/f")), "?");
  EXPECT_EQ(FailureOf(*fs, HasSymlink("/s", "nowhere")), "?");
  EXPECT_EQ(FailureOf(*fs, HasMode("/srv/f", 0600)), "?");
}

TEST(FailureText, OfHasNoEntry) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, HasNoEntry("/srv/f")), "?");
}

TEST(FailureText, OfShows) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, Shows(R"(
      /etc/
        hosts  "127.0.0.1 localhost\n"
        motd   "ho"
      /srv/f   "x" 0600
  )")),
            "?");
  EXPECT_EQ(FailureOf(*fs, Shows("/a")), "?");
}

TEST(FailureText, OfBranchHolds) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(*fs, BranchHolds("upper", R"(
      /etc/    opaque
        motd   whiteout
  )")),
            "?");
  EXPECT_EQ(FailureOf(*fs, BranchHolds("none", "")), "?");
}

TEST(FailureText, OfMarks) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(fs->Layer("upper"), IsWhiteout("/etc/hosts")), "?");
  EXPECT_EQ(FailureOf(fs->Layer("base"), IsOpaqueDir("/etc")), "?");
  EXPECT_EQ(FailureOf(*fs, IsWhiteout("/etc/hosts")), "?");
}

TEST(FailureText, OfComesFromAndIsCopiedUp) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, ComesFrom("/srv/f", "upper")), "?");
  EXPECT_EQ(FailureOf(*fs, IsCopiedUp("/srv/f")), "?");
  ASSERT_THAT(fs->WriteFile("/new", ""), IsOk());
  EXPECT_EQ(FailureOf(*fs, IsCopiedUp("/new")), "?");
}

TEST(FailureText, OfSameInodeAndSameTreeAs) {
  FsPtr fs = WithoutHosts();
  FsPtr other = Small();
  EXPECT_EQ(FailureOf(*fs, SameInode("/srv/f", "/etc/motd")), "?");
  EXPECT_EQ(FailureOf(*fs, SameTreeAs(*other)), "?");
}

TEST(FailureText, OfHasChanges) {
  FsPtr fs = WithoutHosts();
  EXPECT_EQ(FailureOf(fs->Diff(), HasChanges(Changed("/etc"), Added("/etc/hosts"))), "?");
}

TEST(FailureText, OfANegation) {
  FsPtr fs = Small();
  EXPECT_EQ(FailureOf(*fs, ::testing::Not(HasFile("/srv/f", "x"))), "?");
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
