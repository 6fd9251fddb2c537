// Explanations of an AUFS, word for word, and what its matchers say when they fail.
#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::HasSubstr;

constexpr UnionDialect kAufs = UnionDialect::kAufs;

FsPtr Small() {
  return Stack()
      .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n").File("/bin/sh", "#!"))
      .Push(NamedLayer("app").File("/srv/app.conf", "port=80\n"))
      .MountOrDie({.dialect = kAufs});
}

std::string Text(const absl::StatusOr<Explanation>& explained) {
  return explained.ok() ? '\n' + explained->ToString() : std::string(explained.status().message());
}

template <typename Value>
std::string Failure(const Value& value, const TreeMatcher& matcher) {
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(::testing::ExplainMatchResult(matcher, value, &listener));
  return listener.str();
}

TEST(AufsExplain, AWhiteoutStopsTheSearch) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_EQ(Text(fs->Explain("/etc/hosts")), R"(
lookup /etc/hosts
  b0 rw     upper  whiteout (.wh.hosts)  stop, ENOENT
  b1 ro+wh  app    not searched
  b2 ro+wh  base   regular, 20 B         hidden
)");
  EXPECT_EQ(fs->Explain("/etc/hosts")->layer(), "upper");
  EXPECT_THAT(fs->Lstat("/etc/hosts"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/etc/hosts is whited out in layer \"upper\" (b0 rw)")));
}

TEST(AufsExplain, ADirectoryIsMergedUntilAnOpaqueMark) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/x", "1"))
                 .Push(NamedLayer("app").Opaque("/d").File("/d/y", "2"))
                 .MountOrDie({.dialect = kAufs});
  ASSERT_THAT(fs->WriteFile("/d/z", "3"), IsOk());
  EXPECT_EQ(Text(fs->Explain("/d")), R"(
lookup /d
  b0 rw     upper  directory          found
  b1 ro+wh  app    directory, opaque  merged, stop
  b2 ro+wh  base   directory          hidden
)");
  EXPECT_EQ(Text(fs->ExplainDir("/d")), R"(
list /d
  b2 ro+wh  base   x  regular, 1 B  hidden by an opaque directory
  b1 ro+wh  app    y  regular, 1 B  listed
  b0 rw     upper  z  regular, 1 B  listed
)");
}

// aufs: a lower file is passed over, a directory further down still merges.
TEST(AufsExplain, AFileBetweenDirectoriesIsPassedOver) {
  FsPtr fs =
      Aufs({.lower = {Tree("/n \"file\""), Tree("/n/c \"1\"")}, .upper = Tree("/n/a \"2\"")});
  EXPECT_EQ(Text(fs->Explain("/n")), R"(
lookup /n
  b0 rw     upper   directory     found
  b1 ro+wh  lower1  regular, 4 B  hidden, look below
  b2 ro+wh  lower2  directory     merged
)");
  EXPECT_THAT(*fs, Shows("/n/\n  a \"2\"\n  c \"1\""));
}

TEST(AufsExplain, ABrokenNameIsToldWithBothOfItsEntries) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"low\"")}, .upper = Tree("/f \"up\"\n/.wh.f \"\"")});
  EXPECT_EQ(Text(fs->Explain("/f")), R"(
lookup /f
  b0 rw     upper  whiteout (.wh.f) beside regular, 2 B  stop, EIO
  b1 ro+wh  lower  regular, 3 B                          hidden
)");
  EXPECT_THAT(fs->Explain("/f")->answer(), HasErrno(EIO));
  EXPECT_THAT(std::string(fs->ReadFile("/f").status().message()),
              HasSubstr("[EIO]: layer \"upper\" (b0 rw) has both /f and its whiteout"));
}

TEST(AufsExplain, AWhiteoutThatIsNoFileIsTold) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"low\"")}, .upper = Tree("/.wh.f/")});
  EXPECT_EQ(Text(fs->Explain("/f")), R"(
lookup /f
  b0 rw     upper  whiteout (.wh.f is a directory)  stop, EIO
  b1 ro+wh  lower  regular, 3 B                     hidden
)");
  EXPECT_THAT(std::string(fs->ReadFile("/f").status().message()),
              HasSubstr("the whiteout /.wh.f in layer \"upper\" (b0 rw) is a directory"));
}

TEST(AufsExplain, ThePlainModeRoHasNoWhiteouts) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/f", "1"))
                 .Push(NamedLayer("app").Whiteout("/f").File("/g", "2"))
                 .MountOrDie({.dialect = kAufs, .aufs_modes = {{"app", "ro"}}});
  EXPECT_EQ(Text(fs->Explain("/f")), R"(
lookup /f
  b0 rw     upper  no entry      look below
  b1 ro     app    no entry      look below
  b2 ro+wh  base   regular, 1 B  found, stop
)");
  EXPECT_EQ(Text(fs->ExplainDir("/")), R"(
list /
  b2 ro+wh  base  f  regular, 1 B  listed
  b1 ro     app   g  regular, 1 B  listed
)");
}

TEST(AufsExplainDir, SaysForEachNameWhyItIsListedOrNot) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/a", "1").File("/d/b", "22"))
                 .Push(NamedLayer("app").File("/d/b", "333"))
                 .MountOrDie({.dialect = kAufs});
  ASSERT_THAT(fs->Unlink("/d/a"), IsOk());
  EXPECT_EQ(Text(fs->ExplainDir("/d")), R"(
list /d
  b0 rw     upper  a  whiteout (.wh.a)  hides the name below
  b2 ro+wh  base   a  regular, 1 B      hidden by upper
  b1 ro+wh  app    b  regular, 3 B      listed
  b2 ro+wh  base   b  regular, 2 B      hidden by app
)");
}

TEST(AufsExplainWrite, NamesTheBranchTheStepsAndWhy) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("image").FileOfSize("/srv/app.db", 192 << 10))
                 .MountOrDie({.dialect = kAufs});
  const absl::StatusOr<Explanation> explained = fs->ExplainWrite("/srv/app.db", 65536, 4096);
  EXPECT_EQ(Text(explained), R"(
write 4096 B at 65536 to /srv/app.db
  b0 rw     upper  no directory                           look below
  b1 ro+wh  image  regular, 196608 B                      found, stop
  b0 rw     upper  copy up to here                        the only writable branch
  b0 rw     upper  create .wh..wh.srv.HHHH
  b0 rw     upper  remove xattr system.posix_acl_access
  b0 rw     upper  remove xattr system.posix_acl_default
  b0 rw     upper  set attributes
  b0 rw     upper  set attributes
  b0 rw     upper  rename .wh..wh.srv.HHHH to srv         commit
  b0 rw     upper  set attributes                         clean up
  b0 rw     upper  create .wh..wh.app.db.HHHH
  b0 rw     upper  copy data                              read 196608 B, write 196608 B
  b0 rw     upper  remove xattr system.posix_acl_access
  b0 rw     upper  set attributes
  b0 rw     upper  set attributes
  b0 rw     upper  rename .wh..wh.app.db.HHHH to app.db   commit
  b0 rw     upper  set attributes                         clean up
  b0 rw     upper  write at 65536                         write 4096 B
  total: read 196608 B, write 200704 B
)");
  EXPECT_EQ(explained->bytes_written(), 196u << 10);
  EXPECT_THAT(*fs, ComesFrom("/srv/app.db", "image"));
}

TEST(AufsExplainWrite, NamesThePolicy) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/f", "1"))
                 .Push(NamedLayer("spare").Dir("/d"))
                 .MountOrDie({.dialect = kAufs, .aufs_modes = {{"spare", "rw"}}});
  const auto target = [&] {
    const absl::StatusOr<Explanation> explained = fs->ExplainWrite("/d/f", 0, 1);
    const ExplainStep& step = explained->steps().at(3);
    return step.branch + ' ' + step.layer + ": " + step.outcome + ", " + step.detail;
  };
  EXPECT_EQ(target(), "b1 rw spare: copy up to here, tdp: highest writable branch with the parent");
  ASSERT_THAT(fs->Mkdir("/x"), IsOk());
  ASSERT_THAT(fs->Remount("cpup=bu"), IsOk());
  EXPECT_EQ(target(), "b1 rw spare: copy up to here, bu: nearest writable branch");
  ASSERT_THAT(fs->AppendFile("/d/f", "2"), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/d/f", "spare"));
  EXPECT_EQ(fs->ExplainWrite("/d/f", 0, 1)->steps().back().branch, "b1 rw");
}

TEST(AufsExplainWrite, AgreesWithTheWrite) {
  FsPtr fs =
      Stack().Push(NamedLayer("image").FileOfSize("/f", 10000)).MountOrDie({.dialect = kAufs});
  const std::uint64_t planned = fs->ExplainWrite("/f", 0, 5)->bytes_written();
  absl::StatusOr<Fd> fd = fs->Open("/f", O_WRONLY);
  ASSERT_THAT(fs->Pwrite(*fd, "12345", 0), IsOk());
  EXPECT_EQ(fs->counters().bytes_written(), planned);
}

TEST(AufsExplainJson, HasTheBranch) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_THAT(fs->Explain("/etc/hosts")->ToJson(),
              HasSubstr(R"json({"layer":"upper","outcome":"whiteout (.wh.hosts)",)json"
                        R"json("detail":"stop, ENOENT","branch":"b0 rw",)json"));
}

// ── Matchers ───────────────────────────────────────────────────────────────────────────────────

TEST(AufsMatchers, SayWhatIsStored) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_EQ(Failure(*fs, HasFile("/etc/hosts")),
            R"(which has no entry "/etc/hosts": whited out in "upper"
    lookup /etc/hosts
      b0 rw     upper  whiteout (.wh.hosts)  stop, ENOENT
      b1 ro+wh  app    not searched
      b2 ro+wh  base   regular, 20 B         hidden
    made by: step 1  Unlink("/etc/hosts"))");
  EXPECT_EQ(Failure(fs->Layer("upper"), IsWhiteout("/bin/sh")),
            "which has no entry \"/bin/.wh.sh\"");
  EXPECT_EQ(Failure(fs->Layer("upper"), IsOpaqueDir("/etc")),
            R"(which has a directory at "/etc", not opaque)");
  EXPECT_EQ(Failure(*fs, BranchHolds("upper", "/etc/")), R"(which differs:
    shown     /etc/hosts whiteout
    lookup /etc/hosts
      b0 rw     upper  whiteout (.wh.hosts)  stop, ENOENT
      b1 ro+wh  app    not searched
      b2 ro+wh  base   regular, 20 B         hidden
    made by: step 1  Unlink("/etc/hosts"))");
}

}  // namespace
}  // namespace lamina::testing
