#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::HasSubstr;

FsPtr Small() {
  return Stack()
      .Push(NamedLayer("base").File("/etc/hosts", "127.0.0.1 localhost\n").File("/bin/sh", "#!"))
      .Push(NamedLayer("app").File("/srv/app.conf", "port=80\n").Symlink("/conf", "srv/app.conf"))
      .MountOrDie();
}

std::string Text(const absl::StatusOr<Explanation>& explained) {
  return explained.ok() ? '\n' + explained->ToString() : std::string(explained.status().message());
}

TEST(Explain, AWhiteoutStopsTheSearch) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_EQ(Text(fs->Explain("/etc/hosts")), R"(
lookup /etc/hosts
  upper  whiteout (char 0:0)  stop, ENOENT
  app    not searched
  base   regular, 20 B        hidden
)");
  EXPECT_THAT(fs->Explain("/etc/hosts")->answer(), HasErrno(ENOENT));
  EXPECT_EQ(fs->Explain("/etc/hosts")->layer(), "upper");
}

TEST(Explain, AFileIsFoundInTheFirstLayerThatHasIt) {
  FsPtr fs = Small();
  EXPECT_EQ(Text(fs->Explain("/bin/sh")), R"(
lookup /bin/sh
  upper  no directory  look below
  app    no directory  look below
  base   regular, 2 B  found, stop
)");
  EXPECT_EQ(fs->Explain("/bin/sh")->layer(), "base");
}

TEST(Explain, ADirectoryIsMerged) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/etc/new", "x"), IsOk());
  EXPECT_EQ(Text(fs->Explain("/etc")), R"(
lookup /etc
  upper  directory  found
  app    no entry   look below
  base   directory  merged
)");
}

TEST(Explain, AnOpaqueDirectoryHidesTheRest) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->RemoveAll("/etc"), IsOk());
  ASSERT_THAT(fs->Mkdir("/etc"), IsOk());
  EXPECT_EQ(Text(fs->Explain("/etc")), R"(
lookup /etc
  upper  directory, opaque  found, stop
  app    not searched
  base   directory          hidden
)");
}

TEST(Explain, StopsAtTheComponentThatFails) {
  FsPtr fs = Small();
  EXPECT_EQ(Text(fs->Explain("/etc/hosts/x/y")), R"(
lookup /etc/hosts/x/y (stopped at /etc/hosts)
  upper  no directory   look below
  app    no directory   look below
  base   regular, 20 B  found, stop
)");
  EXPECT_THAT(fs->Explain("/etc/hosts/x/y")->answer(), HasErrno(ENOTDIR));
  EXPECT_THAT(fs->Explain("/no/x")->answer(), HasErrno(ENOENT));
  EXPECT_THAT(fs->Explain("")->answer(), HasErrno(ENOENT));
}

TEST(Explain, TheRootIsEveryLayer) {
  FsPtr fs = Small();
  EXPECT_EQ(Text(fs->Explain("/")), R"(
lookup /
  upper  directory  found
  app    directory  merged
  base   directory  merged
)");
}

TEST(Explain, KnowsTheRightsOfTheCaller) {
  FsPtr fs = Stack().Push(NamedLayer("base").Dir("/d", 0700).File("/d/f", "")).MountOrDie();
  EXPECT_THAT(fs->As(UserCredentials(1000, 1000)).Explain("/d/f")->answer(), HasErrno(EACCES));
  EXPECT_THAT(fs->Explain("/d/f")->answer(), IsOk());
}

TEST(ExplainDir, SaysForEachNameWhyItIsListedOrNot) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/a", "1").File("/d/b", "22").File("/d/s/x", ""))
                 .Push(NamedLayer("app").File("/d/b", "333"))
                 .MountOrDie();
  ASSERT_THAT(fs->Unlink("/d/a"), IsOk());
  ASSERT_THAT(fs->WriteFile("/d/n", ""), IsOk());
  EXPECT_EQ(Text(fs->ExplainDir("/d")), R"(
list /d
  upper  a  whiteout (char 0:0)  hides the name below
  base   a  regular, 1 B         hidden by upper
  app    b  regular, 3 B         listed
  base   b  regular, 2 B         hidden by app
  upper  n  regular, 0 B         listed
  base   s  directory            listed
)");
}

TEST(ExplainDir, ShowsWhatAnOpaqueDirectoryHides) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->RemoveAll("/etc"), IsOk());
  ASSERT_THAT(fs->Mkdir("/etc"), IsOk());
  EXPECT_EQ(Text(fs->ExplainDir("/etc")), R"(
list /etc
  base  hosts  regular, 20 B  hidden by an opaque directory
)");
  EXPECT_THAT(fs->ExplainDir("/bin/sh")->answer(), HasErrno(ENOTDIR));
}

TEST(ExplainWrite, IsADryRunOfTheCopyUp) {
  FsPtr fs = Stack().Push(NamedLayer("image").FileOfSize("/srv/app.db", 192 << 10)).MountOrDie();
  const absl::StatusOr<Explanation> explained = fs->ExplainWrite("/srv/app.db", 65536, 4096);
  ASSERT_THAT(explained, IsOk());
  EXPECT_EQ(explained->bytes_read(), 192u << 10);
  EXPECT_EQ(explained->bytes_written(), 196u << 10);
  EXPECT_THAT(*fs, ComesFrom("/srv/app.db", "image"));
  EXPECT_THAT(fs->Diff(), HasChanges());
  EXPECT_EQ(Text(explained), R"(
write 4096 B at 65536 to /srv/app.db
  upper  no directory                      look below
  image  regular, 196608 B                 found, stop
  upper  set xattr trusted.overlay.impure  commit
  upper  create in workdir
  upper  set xattr trusted.overlay.origin
  upper  set attributes
  upper  rename workdir to srv             commit
  upper  set attributes                    clean up
  upper  set xattr trusted.overlay.impure  commit
  upper  create unnamed in workdir
  upper  copy data                         read 196608 B, write 196608 B
  upper  set xattr trusted.overlay.origin
  upper  set attributes
  upper  sync
  upper  link into place as app.db         commit
  upper  set attributes                    clean up
  upper  write at 65536                    write 4096 B
  total: read 196608 B, write 200704 B
)");
}

TEST(ExplainWrite, AgreesWithTheWrite) {
  FsPtr fs = Stack().Push(NamedLayer("image").FileOfSize("/srv/app.db", 192 << 10)).MountOrDie();
  const std::uint64_t planned = fs->ExplainWrite("/srv/app.db", 0, 5)->bytes_written();
  absl::StatusOr<Fd> fd = fs->Open("/srv/app.db", O_WRONLY);
  ASSERT_THAT(fd, IsOk());
  ASSERT_THAT(fs->Pwrite(*fd, "12345", 0), IsOk());
  EXPECT_EQ(fs->counters().bytes_written(), planned);
  EXPECT_EQ(fs->ExplainWrite("/srv/app.db", 0, 5)->bytes_written(), 5u);
}

TEST(ExplainWrite, GivesTheErrorOfTheOpen) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->ExplainWrite("/etc", 0, 1)->answer(), HasErrno(EISDIR));
  EXPECT_THAT(fs->ExplainWrite("/no", 0, 1)->answer(), HasErrno(ENOENT));
  EXPECT_THAT(fs->As(UserCredentials(1000, 1000)).ExplainWrite("/etc/hosts", 0, 1)->answer(),
              HasErrno(EACCES));
}

TEST(ExplainJson, IsOneObject) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  const std::string expected =
      R"json({"format":"lamina-explain/1","question":"lookup /etc/hosts","steps":[)json"
      R"json({"layer":"upper","outcome":"whiteout (char 0:0)","detail":"stop, ENOENT",)json"
      R"json("bytes_read":0,"bytes_written":0},)json"
      R"json({"layer":"app","outcome":"not searched","detail":"",)json"
      R"json("bytes_read":0,"bytes_written":0},)json"
      R"json({"layer":"base","outcome":"regular, 20 B","detail":"hidden",)json"
      R"json("bytes_read":0,"bytes_written":0}],)json"
      R"json("answer":{"errno":"ENOENT","layer":"upper"}})json";
  EXPECT_EQ(fs->Explain("/etc/hosts")->ToJson(), expected);
  EXPECT_THAT(
      fs->Explain("/bin/sh")->ToJson(),
      HasSubstr(R"("answer":{"type":"regular","mode":420,"size_bytes":2,"layer":"base"}})"));
}

TEST(ExplainJson, IsValidForEveryByte) {
  const Explanation explained("q\"\\\n\x01",
                              {{.layer = "\xc3\xa9\xff\xe0\x80\x80\xed\xa0\x80",
                                .outcome = "\xf0\x9f\x99\x82\xf5",
                                .detail = "\xc3",
                                .name = {}}},
                              absl::UnknownError("x"), "");
  EXPECT_THAT(explained.ToJson(), HasSubstr(R"("question":"q\"\\\u000a\u0001")"));
  EXPECT_THAT(explained.ToJson(),
              HasSubstr("\"\xc3\xa9\\\\xff\\\\xe0\\\\x80\\\\x80\\\\xed\\\\xa0\\\\x80\""));
  EXPECT_THAT(explained.ToJson(), HasSubstr("\"\xf0\x9f\x99\x82\\\\xf5\""));
}

}  // namespace
}  // namespace lamina::testing
