#include <linux/falloc.h>

#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

FsPtr Small() {
  return Stack()
      .Push(NamedLayer("base")
                .File("/etc/hosts", "local")
                .File("/etc/motd", "hi")
                .Symlink("/link", "etc/hosts"))
      .Push(NamedLayer("app").File("/srv/a/f", "x", 0600))
      .MountOrDie();
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

template <typename T>
std::string Message(const absl::StatusOr<T>& value) {
  return std::string(value.status().message());
}

// ── Values ─────────────────────────────────────────────────────────────────────────────────────

TEST(Calls, ReadAndWriteAnOpenFile) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> fd = fs->Open("/new", O_RDWR | O_CREAT | O_EXCL, 0640);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(fs->Pwrite(*fd, "abcdef", 2), IsOkAndHolds(6u));
  EXPECT_THAT(fs->Pread(*fd, 100, 0), IsOkAndHolds(std::string("\0\0abcdef", 8)));
  EXPECT_THAT(fs->Ftruncate(*fd, 4), IsOk());
  EXPECT_THAT(fs->Fallocate(*fd, FALLOC_FL_KEEP_SIZE, 0, 8192), IsOk());
  EXPECT_THAT(fs->Fallocate(*fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), HasErrno(EOPNOTSUPP));
  EXPECT_THAT(fs->Fsync(*fd), IsOk());
  EXPECT_EQ(fs->Fstat(*fd)->size_bytes, 4u);
  EXPECT_THAT(*fs, HasMode("/new", 0640));
}

TEST(Calls, ChangeNamesAndAttributes) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->Mkdir("/d"), IsOk());
  EXPECT_THAT(fs->Link("/etc/hosts", "/d/h"), IsOk());
  EXPECT_THAT(fs->Symlink("target", "/d/s"), IsOk());
  EXPECT_THAT(fs->Mkfifo("/d/p"), IsOk());
  EXPECT_THAT(fs->Rename("/d/s", "/d/t"), IsOk());
  EXPECT_THAT(fs->Rename("/d/h", "/d/t", RENAME_EXCHANGE), IsOk());
  EXPECT_THAT(fs->Rename("/d/h", "/d/t", RENAME_NOREPLACE), HasErrno(EEXIST));
  EXPECT_THAT(fs->Rename("/d/h", "/d/t", 1U << 30U), HasErrno(EINVAL));
  EXPECT_THAT(fs->Readlink("/d/h"), IsOkAndHolds("target"));
  EXPECT_THAT(fs->Chmod("/d/t", 0600), IsOk());
  EXPECT_THAT(fs->Chown("/d/t", 7, std::nullopt), IsOk());
  EXPECT_THAT(fs->Truncate("/d/t", 2), IsOk());
  EXPECT_THAT(fs->Setxattr("/d/t", "user.k", "v"), IsOk());
  EXPECT_THAT(fs->Listxattr("/d/t"), IsOkAndHolds(ElementsAre("user.k")));
  EXPECT_THAT(fs->Removexattr("/d/t", "user.k"), IsOk());
  EXPECT_THAT(fs->Getxattr("/d/t", "user.k"), HasErrno(ENODATA));
  EXPECT_THAT(fs->Layer("upper"), Shows(R"(
      /etc/  0755
        hosts  "lo"      0600 7:0
      /d/
        h      -> target
        p      fifo
        t      hardlink /etc/hosts
  )"));
}

TEST(Calls, UtimensSetsTheTimesThatAreGiven) {
  FsPtr fs = Small();
  const TimeChange at{.kind = TimeChange::Kind::kAt, .at = InstantFromSeconds(5)};
  EXPECT_THAT(fs->Utimens("/etc/hosts", TimeChange(), at), IsOk());
  EXPECT_EQ(fs->Stat("/etc/hosts")->mtime, InstantFromSeconds(5));
  EXPECT_THAT(*fs, IsCopiedUp("/etc/hosts"));
}

TEST(Calls, ReadDirIsSortedAndMerged) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/etc/a", ""), IsOk());
  std::vector<std::string> names;
  const absl::StatusOr<std::vector<Entry>> entries = fs->ReadDir("/etc");
  ASSERT_THAT(entries, IsOk());
  for (const Entry& entry : *entries) names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("a", "hosts", "motd"));
}

TEST(Calls, StatFollowsAndLstatDoesNot) {
  FsPtr fs = Small();
  EXPECT_EQ(fs->Lstat("/link")->type, FileType::kSymlink);
  EXPECT_EQ(fs->Stat("/link")->size_bytes, 5u);
}

TEST(Calls, AppendFileCopiesUpAndAppends) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->AppendFile("/etc/motd", " there"), IsOk());
  EXPECT_THAT(*fs, HasFile("/etc/motd", "hi there"));
  EXPECT_THAT(fs->AppendFile("/etc/fresh", "1"), IsOk());
  EXPECT_THAT(*fs, HasFile("/etc/fresh", "1"));
}

TEST(Calls, RemoveAllTakesATreeAway) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/etc/a", "1"), IsOk());
  EXPECT_THAT(fs->RemoveAll("/etc"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/etc"));
  EXPECT_THAT(fs->RemoveAll("/etc"), HasErrno(ENOENT));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(Calls, ReflinkSharesTheBytes) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/etc/mine", "local"), IsOk());
  EXPECT_THAT(fs->Reflink("/etc/mine", "/copy"), IsOk());
  EXPECT_THAT(*fs, HasFile("/copy", "local"));
}

TEST(Calls, ReflinkDoesNotCrossLayers) {
  FsPtr fs = Small();
  EXPECT_EQ(
      Message(fs->Reflink("/etc/hosts", "/copy")),
      "reflink(\"/etc/hosts\", \"/copy\"): Invalid cross-device link [EXDEV]: /etc/hosts is a "
      "regular file from layer \"base\"");
}

TEST(Calls, CapacityIsTheRoomOfTheWritableLayer) {
  FsPtr fs = Stack().Push(NamedLayer("base")).MountOrDie({.capacity = 1 << 20});
  EXPECT_LE(fs->Statfs("/")->space.total_bytes, 1u << 20);
  const absl::Status full = fs->WriteFile("/big", std::string(2 << 20, 'x'));
  EXPECT_THAT(full, HasErrno(ENOSPC));
  EXPECT_THAT(Message(full), HasSubstr("layer \"upper\" holds at most 1048576 bytes"));
}

TEST(Calls, AReadOnlyMountRefusesEveryChange) {
  FsPtr fs = Stack().Push(NamedLayer("base").File("/a", "")).MountOrDie({.read_only = true});
  EXPECT_THAT(fs->Unlink("/a"), HasErrno(EROFS));
  EXPECT_THAT(fs->Open("/a", O_RDWR), HasErrno(EROFS));
}

// ── Open files ─────────────────────────────────────────────────────────────────────────────────

TEST(OpenFile, ClosesItself) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> fd = fs->Open("/etc/hosts", O_RDONLY);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(fd->Close(), IsOk());
  EXPECT_THAT(fd->Close(), HasErrno(EBADF));
  EXPECT_THAT(fs->Pread(*fd, 1, 0), HasErrno(EBADF));
}

TEST(OpenFile, OutlivesTheMount) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> fd = fs->Open("/etc/hosts", O_RDONLY);
  ASSERT_THAT(fd, IsOk());
  LayeredFs other = fs->As(RootCredentials());
  fs.reset();
  EXPECT_THAT(other.Pread(*fd, 5, 0), IsOkAndHolds("local"));
}

TEST(OpenFile, MovesAway) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> fd = fs->Open("/etc/hosts", O_RDONLY);
  ASSERT_THAT(fd, IsOk());
  Fd moved = *std::move(fd);
  EXPECT_TRUE(moved.is_open());
  EXPECT_THAT(fs->Pread(moved, 5, 0), IsOkAndHolds("local"));
}

// ── Callers ────────────────────────────────────────────────────────────────────────────────────

TEST(As, AnotherCallerHasTheRightsOfItsIds) {
  FsPtr fs = Small();
  LayeredFs user = fs->As(UserCredentials(1000, 1000));
  EXPECT_THAT(user.ReadFile("/srv/a/f"), HasErrno(EACCES));
  EXPECT_THAT(user.ReadFile("/etc/hosts"), IsOkAndHolds("local"));
  EXPECT_THAT(user.Unlink("/etc/hosts"), HasErrno(EACCES));
  EXPECT_EQ(Message(user.ReadFile("/srv/a/f")),
            "readfile(\"/srv/a/f\"): Permission denied [EACCES]: /srv/a/f is 0600 0:0, the caller "
            "is 1000:1000");
}

// ── Errors ─────────────────────────────────────────────────────────────────────────────────────

TEST(Errors, CarryTheErrnoAndTheCodeOfAbseil) {
  FsPtr fs = Small();
  const absl::Status status = fs->Rmdir("/etc");
  EXPECT_EQ(ErrnoOf(status), ENOTEMPTY);
  EXPECT_EQ(status.code(), absl::ErrnoToStatusCode(ENOTEMPTY));
  EXPECT_EQ(status.GetPayload("lamina.dev/errno"), absl::Cord("39"));
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::InternalError("x")), 0);
}

TEST(Errors, SayWhichPartOfThePathIsToBlame) {
  FsPtr fs = Small();
  EXPECT_EQ(Message(fs->Rename("/srv/a", "/srv/b")),
            "rename(\"/srv/a\", \"/srv/b\"): Invalid cross-device link [EXDEV]: /srv/a is a "
            "directory from layer \"app\"; enable redirect_dir to allow this");
  EXPECT_EQ(
      Message(fs->WriteFile("/no/dir/f", "x")),
      "writefile(\"/no/dir/f\", 1 B): No such file or directory [ENOENT]: /no does not exist");
  EXPECT_EQ(Message(fs->ReadFile("/etc/hosts/x")),
            "readfile(\"/etc/hosts/x\"): Not a directory [ENOTDIR]: /etc/hosts is a regular file "
            "from layer \"base\"");
  EXPECT_EQ(Message(fs->Mkdir("/etc")),
            "mkdir(\"/etc\", 0777): File exists [EEXIST]: /etc is a directory from layer \"base\"");
  EXPECT_EQ(Message(fs->Rmdir("/etc")),
            "rmdir(\"/etc\"): Directory not empty [ENOTEMPTY]: /etc still shows \"hosts\" and 1 "
            "more");
  EXPECT_EQ(Message(fs->Unlink("/etc")),
            "unlink(\"/etc\"): Is a directory [EISDIR]: /etc is a directory from layer \"base\"");
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_EQ(Message(fs->Open("/etc/hosts", O_RDONLY)),
            "open(\"/etc/hosts\", O_RDONLY): No such file or directory [ENOENT]: /etc/hosts is "
            "whited out in layer \"upper\"");
}

TEST(Errors, KeepOddBytesReadable) {
  FsPtr fs = Small();
  EXPECT_THAT(Message(fs->Lstat("/a\n\x01\"")), HasSubstr("lstat(\"/a\\n\\x01\\\"\")"));
}

// ── Counters and the log ───────────────────────────────────────────────────────────────────────

TEST(Counters, LookingDoesNotCount) {
  FsPtr fs = Small();
  const std::uint64_t before = fs->counters().branch_probes;
  EXPECT_THAT(*fs, HasFile("/etc/hosts", "local"));
  EXPECT_THAT(*fs, Not(HasDir("/etc/hosts")));
  EXPECT_EQ(fs->counters().branch_probes, before);
}

TEST(Counters, CountCallsOfEveryCaller) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/a", "12345"), IsOk());
  EXPECT_THAT(fs->As(UserCredentials(1000, 1000)).ReadFile("/a"), IsOk());
  EXPECT_EQ(fs->counters().bytes_asked, 5u);
  EXPECT_EQ(fs->counters().bytes_read, 5u);
  EXPECT_EQ(fs->counters().copy_ups, 0u);
  EXPECT_DOUBLE_EQ(fs->counters().WriteAmplification(), 1.0);
}

TEST(Log, NamesTheCallThatMadeAPath) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Mkdir("/d"), IsOk());
  ASSERT_THAT(fs->Unlink("/nothing"), HasErrno(ENOENT));
  ASSERT_THAT(fs->RemoveAll("/etc"), IsOk());
  ASSERT_NE(fs->MadeBy("/etc/hosts"), nullptr);
  EXPECT_EQ(fs->MadeBy("/etc/hosts")->number, 3u);
  EXPECT_EQ(fs->MadeBy("/etc/hosts")->text, "RemoveAll(\"/etc\")");
  EXPECT_EQ(fs->MadeBy("/nothing"), nullptr);
  EXPECT_EQ(fs->MadeBy("/do"), nullptr);
  EXPECT_EQ(fs->calls().at(1).error, ENOENT);
}

}  // namespace
}  // namespace lamina::testing
