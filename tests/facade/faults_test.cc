#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::HasSubstr;

FsPtr Small(const MountOptions& options = {}) {
  return Stack()
      .Push(NamedLayer("base").File("/d/a", "1").File("/d/b", "2"))
      .Push(NamedLayer("app").FileOfSize("/big", 1 << 20))
      .MountOrDie(options);
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// ── Faults ─────────────────────────────────────────────────────────────────────────────────────

TEST(Faults, AtTheMountFailTheCallItself) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kUnlink).Path("/d/a").Fail(EPERM));
  EXPECT_THAT(fs->Unlink("/d/a"), HasErrno(EPERM));
  EXPECT_THAT(fs->Unlink("/d/b"), IsOk());
  EXPECT_THAT(*fs, HasFile("/d/a", "1"));
}

TEST(Faults, AtABranchFailAStepAndTheCallIsTakenBack) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kRename).AtBranch("upper").Times(1).Fail(EDQUOT));
  EXPECT_THAT(fs->Unlink("/d/a"), HasErrno(EDQUOT));
  EXPECT_THAT(*fs, HasFile("/d/a", "1"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  EXPECT_THAT(fs->Unlink("/d/a"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/d/a"));
}

TEST(Faults, AtALowerLayerFailItsReading) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kPread).AtBranch("base").Fail(EIO));
  EXPECT_THAT(fs->ReadFile("/d/a"), HasErrno(EIO));
  EXPECT_THAT(fs->Chmod("/d/a", 0600), HasErrno(EIO));  // its copy-up reads the body
  EXPECT_THAT(fs->ReadFile("/big"), IsOk());
  EXPECT_THAT(*fs, HasFile("/d/a", "1"));  // looking meets no fault
}

TEST(Faults, HitEveryCallerOfTheMount) {
  FsPtr fs = Small();
  LayeredFs user = fs->As(UserCredentials(1000, 1000));
  fs->Inject(Fault::On(Op::kOpen).Path("/d/a").Fail(EMFILE));
  EXPECT_THAT(user.ReadFile("/d/a"), HasErrno(EMFILE));
}

TEST(Faults, HitOpenFilesByTheirPath) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> fd = fs->Open("/d/a", O_RDWR);
  ASSERT_THAT(fd, IsOk());
  fs->Inject(Fault::On(Op::kPwrite).Path("/d/*").After(1).Fail(EIO));
  EXPECT_THAT(fs->Pwrite(*fd, "x", 0), IsOkAndHolds(1u));
  EXPECT_THAT(fs->Pwrite(*fd, "y", 0), HasErrno(EIO));
  EXPECT_THAT(*fs, HasFile("/d/a", "x"));
}

TEST(Faults, AShortWriteIsContinuedByWhoWritesAll) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kPwrite).Path("/new").ShortWrite(2));
  EXPECT_THAT(fs->WriteFile("/new", "abcde"), IsOk());
  EXPECT_THAT(*fs, HasFile("/new", "abcde"));
  EXPECT_THAT(fs->VerifyAllFaultsFired(), IsOk());
}

TEST(Faults, ADelayIsSeenInTheTimesOfLaterCalls) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/one", ""), IsOk());
  fs->Inject(Fault::On(Op::kFsync).Delay(Duration{3 * kNanosecondsPerSecond}));
  ASSERT_THAT(fs->Fsync(*fs->Open("/one", O_RDONLY)), IsOk());
  ASSERT_THAT(fs->WriteFile("/two", ""), IsOk());
  const std::int64_t apart =
      fs->Lstat("/two")->mtime.virtual_ns - fs->Lstat("/one")->mtime.virtual_ns;
  EXPECT_GE(apart, 3 * kNanosecondsPerSecond);
}

TEST(Faults, TheMessageSaysThatAFaultWasInjected) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kSetxattr).AtBranch("upper").Times(1).Fail(ENOSPC));
  EXPECT_EQ(Message(fs->Chmod("/d/a", 0600)),
            "chmod(\"/d/a\", 0600): No space left on device [ENOSPC]: an injected fault hit "
            "setxattr trusted.overlay.impure of / at upper");
}

TEST(Faults, ALaterErrorIsNotBlamedOnAnOldFault) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kUtimens).AtBranch("upper").Times(1).Fail(ENOENT));
  ASSERT_THAT(fs->Chmod("/d", 0700), HasErrno(ENOENT));  // copying the times of /d
  EXPECT_THAT(fs->Unlink("/none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none does not exist")));
}

TEST(Faults, ThatNeverFiredAreNamed) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->VerifyAllFaultsFired(), IsOk());
  fs->Inject(Fault::On(Op::kUnlink).Path("/d/a").Fail(EIO));
  fs->Inject(Fault::On(Op::kMkdir).After(5).Fail(EIO));
  ASSERT_THAT(fs->Unlink("/d/a"), HasErrno(EIO));
  EXPECT_THAT(fs->VerifyAllFaultsFired(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "1 of 2 faults never hit a call:\n  mkdir, after 5: fails with EIO"));
}

TEST(FaultsDeath, ThatCannotBeMeantEndTheProgram) {
  FsPtr fs = Small();
  EXPECT_DEATH(fs->Inject(Fault::On(Op::kMkdir).AtBranch("none").Fail(EIO)),
               "mkdir at none: fails with EIO: the mount has no layer \"none\"");
  EXPECT_DEATH(fs->Inject(Fault::On(Op::kMkdir).ShortWrite(3)), "a mkdir cannot be cut short");
}

// ── Crash ──────────────────────────────────────────────────────────────────────────────────────

TEST(Crash, InTheMiddleOfACallLeavesItUndone) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kMknod).AtBranch("upper").Crash());  // the whiteout; /d is copied up
  EXPECT_THAT(fs->Unlink("/d/a"), HasErrno(EIO));
  EXPECT_TRUE(fs->crashed());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, HasFile("/d/a", "1"));
  EXPECT_THAT(next->Layer("upper"), HasDir("/d"));
  EXPECT_THAT(next->CheckInvariants(), IsOk());
  EXPECT_THAT(next->Unlink("/d/a"), IsOk());
}

TEST(Crash, KeepsWhatWasDoneBefore) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/new", "kept"), IsOk());
  EXPECT_FALSE(fs->crashed());
  const CrashImage image = fs->Crash();
  EXPECT_THAT(fs->WriteFile("/new", "lost"), HasErrno(EIO));
  EXPECT_THAT(Message(fs->Mkdir("/x")), HasSubstr("the machine has crashed"));
  FsPtr next = *Reopen(image);
  EXPECT_THAT(*next, HasFile("/new", "kept"));
  EXPECT_FALSE(next->crashed());
}

TEST(Crash, AFileWithoutANameIsGoneAfterIt) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> unnamed = fs->Open("/d", O_TMPFILE | O_RDWR, 0600);
  ASSERT_THAT(fs->Pwrite(*unnamed, "xyz", 0), IsOk());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, SameTreeAs(*Small()));
}

TEST(Crash, AnImageCanBeOpenedManyTimes) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Mkdir("/x"), IsOk());
  const CrashImage image = fs->Crash();
  FsPtr one = *Reopen(image);
  FsPtr two = *Reopen(image);
  ASSERT_THAT(one->WriteFile("/x/one", "1"), IsOk());
  ASSERT_THAT(two->WriteFile("/x/two", "2"), IsOk());
  EXPECT_THAT(*one, HasNoEntry("/x/two"));
  EXPECT_THAT(*two, HasNoEntry("/x/one"));
  EXPECT_THAT(*fs, HasDir("/x"));
  one.reset();
  two.reset();
  fs.reset();
  FsPtr three = *Reopen(image);  // now in the storage it was taken from
  EXPECT_THAT(*three, HasDir("/x"));
  EXPECT_THAT(*three, HasNoEntry("/x/one"));
  EXPECT_THAT(three->CheckInvariants(), IsOk());
}

TEST(Crash, TheClockGoesOnAndTheLogBeginsAnew) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/one", ""), IsOk());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_TRUE(next->calls().empty());
  EXPECT_EQ(next->counters().bytes_asked, 0u);
  ASSERT_THAT(next->WriteFile("/two", ""), IsOk());
  EXPECT_GT(next->Lstat("/two")->mtime, next->Lstat("/one")->mtime);
}

TEST(Crash, KeepsTheOptionsOfTheMount) {
  FsPtr fs = Small({.capacity = 2 << 20});
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(next->WriteFile("/x", std::string(3 << 20, 'x')), HasErrno(ENOSPC));
}

// OVL-112: the mark of a volatile mount is still there.
TEST(Crash, OfAVolatileMountIsNotMountedAgain) {
  FsPtr fs = Small({.overlay = {.volatile_upper = true}});
  EXPECT_THAT(Reopen(fs->Crash()), HasErrno(EINVAL));
}

// The loop of a crash test: a crash before every change, until one run has fewer.
TEST(Crash, BeforeEveryChangeOfARenameShowsOneNameOrTheOther) {
  int states = 0;
  const CrashImage start = Small()->Crash();
  for (std::uint64_t k = 0;; ++k) {
    FsPtr fs = *Reopen(start);
    fs->Inject(Fault::On(Op::kAnyChange).AtBranch("upper").After(k).Crash());
    const absl::Status renamed = fs->Rename("/d/a", "/moved");
    FsPtr next = *Reopen(fs->Crash());
    EXPECT_NE(next->Lstat("/d/a").ok(), next->Lstat("/moved").ok());
    EXPECT_THAT(next->CheckInvariants(), IsOk());
    ++states;
    if (fs->VerifyAllFaultsFired().ok()) continue;
    EXPECT_THAT(renamed, IsOk());
    break;
  }
  EXPECT_GT(states, 10);
}

}  // namespace
}  // namespace lamina::testing
