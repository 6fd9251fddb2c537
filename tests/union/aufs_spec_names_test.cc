// Sentences of chapter 3 of the AUFS specification that no row of its tables covers: names made,
// removed and moved, and what stays when a call fails halfway. Each suite is named after its
// section.
#include <functional>
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t kMiB = 1 << 20;

std::string Unlink(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Unlink(path));
}
std::string Rmdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Rmdir(path));
}
std::string Mkdir(AufsStack& stack, std::string_view path) {
  return Outcome(stack.process().Mkdir(path, 0755));
}
std::string Link(AufsStack& stack, std::string_view from, std::string_view to) {
  return Outcome(stack.process().Link(from, to, LastLink::kKeep));
}
std::string Rename(AufsStack& stack, std::string_view from, std::string_view to,
                   RenameMode mode = RenameMode::kReplace) {
  return Outcome(stack.process().Rename(from, to, mode));
}

// ── 3.1 to 3.3 Adding ──────────────────────────────────────────────────────────────────────────

TEST(AufsSection3_1, ADirectoryCopiedDownOverItsWhiteoutIsOpaque) {
  AufsStack stack({{.mode = "rw", .content = "d/:0711:5", .capacity_bytes = kMiB},
                   {.mode = "rw", .content = ".wh.d", .capacity_bytes = 100 * kMiB},
                   {"ro", "d/x"}},
                  "create=mfs");
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/");
  EXPECT_EQ(stack.Content(1), "d/ d/OPQ d/f");
  EXPECT_EQ(stack.BranchStat(1, "/d").mode, 0711);
  EXPECT_EQ(stack.BranchStat(1, "/d").uid, 5U);
  EXPECT_EQ(stack.Merged(), "d/ d/f");
}

TEST(AufsSection3_1, ADirectoryCopiedDownHasTimesOfItsOwn) {
  AufsStack stack({{.mode = "rw", .content = "d/e/", .capacity_bytes = kMiB},
                   {.mode = "rw", .capacity_bytes = 100 * kMiB}},
                  "create=mfs", AufsMounting::kLater);
  stack.SetBranchTimes(0, "/d/e", kLongAgo);
  stack.SetBranchTimes(0, "/d", kLongAgo);
  stack.Mount();
  EXPECT_EQ(Mkdir(stack, "/d/e/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/e/");
  EXPECT_EQ(stack.Content(1), "d/ d/e/ d/e/f/");
  EXPECT_GT(stack.BranchStat(1, "/d").mtime, kLongAgo);
  EXPECT_EQ(stack.StatOf("/d").mtime, kLongAgo);
}

TEST(AufsSection3_2, AWhiteoutOfALowerBranchIsLeftAlone) {
  AufsStack stack({{"rw"}, {"ro+wh", ".wh.f"}, {"ro", "f=old"}});
  EXPECT_EQ(stack.Put("/f", "new"), "OK");
  EXPECT_EQ(stack.Content(0), "f=new");
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Lookup("/f"), "ENOENT");
}

TEST(AufsSection3_2, AnUnnamedFileGetsItsNameOverAWhiteout) {
  AufsStack stack({{"rw", ".wh.f"}, {"ro+wh", "f=old d/"}});
  const OpenHow how{.access = Access::kReadWrite, .unnamed = true};
  const Process::Fd fd = stack.Open("/", how);
  EXPECT_EQ(stack.WriteFd(fd, 0, "new"), "OK");
  EXPECT_EQ(stack.Merged(), "d/");
  EXPECT_EQ(Outcome(stack.process().LinkOpenFile(fd, "/f")), "OK");
  EXPECT_EQ(stack.Content(0), "f=new");
  EXPECT_EQ(stack.Read("/f"), "new");
}

TEST(AufsSection3_2, OpenWithCreateOfALowerFileMakesNothing) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F"}});
  EXPECT_EQ(stack.Create("/f"), "EEXIST");
  const Process::Fd fd = stack.Open("/f", {.access = Access::kReadWrite, .create = true});
  EXPECT_EQ(stack.ReadFd(fd), "F");
  EXPECT_EQ(stack.Content(0), "");
}

// ── 3.4 and 3.5 Removing ───────────────────────────────────────────────────────────────────────

TEST(AufsSection3_4, AnUnlinkThatFailsTakesItsWhiteoutBack) {
  AufsStack stack({{.mode = "rw", .content = "f=A", .faulty = true}, {"ro+wh", "f=B"}});
  stack.plan().Add(Fault::On(sim::Op::kUnlink).Path("/b0/f").Fail(Errno::kIo));
  EXPECT_EQ(Unlink(stack, "/f"), "EIO");
  EXPECT_EQ(stack.Content(0), "f=A");
  EXPECT_EQ(stack.Read("/f"), "A");
}

TEST(AufsSection3_4, AnOpenFileOutlivesItsName) {
  AufsStack stack({{"rw", "f=A"}, {"ro+wh", "f=B g=G"}});
  const Process::Fd f = stack.Open("/f", kReadWrite);
  const Process::Fd g = stack.Open("/g", kReadOnly);
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(Unlink(stack, "/g"), "OK");
  EXPECT_EQ(stack.ReadFd(f), "A");
  EXPECT_EQ(stack.ReadFd(g), "G");
  Result<Stat> stat = stack.process().Fstat(f);
  ASSERT_EQ(Outcome(stat), "OK");
  EXPECT_EQ(stat->nlink, 0U);
  EXPECT_EQ(stack.Create("/f"), "OK");
  EXPECT_EQ(stack.Read("/f"), "");
  EXPECT_EQ(stack.ReadFd(f), "A");
}

TEST(AufsSection3_4, TheWhiteoutGoesToTheNearestParentAboveAReadOnlyFile) {
  AufsStack stack({{"rw", "d/"}, {"rw"}, {"ro", "d/f"}});
  EXPECT_EQ(Unlink(stack, "/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/.wh.f");
  EXPECT_EQ(stack.Content(1), "");
}

TEST(AufsSection3_4, AFileOfALowerWritableBranchIsRemovedThere) {
  AufsStack stack({{"rw"}, {"rw", "f=F g=G"}, {"ro", "g=L"}});
  EXPECT_EQ(Unlink(stack, "/f"), "OK");
  EXPECT_EQ(Unlink(stack, "/g"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), ".wh.g");
  EXPECT_EQ(stack.Merged(), "");
}

TEST(AufsSection3_5, AWhiteoutHidesBelowButNotAbove) {
  AufsStack empty({{"rw", "d/.wh.x"}, {"ro+wh", "d/x d/.wh.y"}, {"ro+wh", "d/x d/y"}});
  EXPECT_EQ(empty.List("/d"), "");
  EXPECT_EQ(Rmdir(empty, "/d"), "OK");
  EXPECT_EQ(empty.Content(0), ".wh.d");

  AufsStack full({{"rw", "d/x"}, {"ro+wh", "d/.wh.x"}});
  EXPECT_EQ(Rmdir(full, "/d"), "ENOTEMPTY");
  EXPECT_EQ(full.Content(0), "d/ d/x");
}

TEST(AufsSection3_5, AnOpaqueMarkCountsAsOneWhiteout) {
  AufsStack three({{"rw", "d/OPQ d/.wh.1 d/.wh.2"}, {"ro+wh", "d/1 d/2"}}, "dirwh=3");
  EXPECT_EQ(Rmdir(three, "/d"), "OK");
  EXPECT_EQ(three.Content(0), ".wh.d");

  AufsStack four({{"rw", "d/OPQ d/.wh.1 d/.wh.2 d/.wh.3"}, {"ro+wh", "d/1 d/2"}}, "dirwh=3");
  EXPECT_EQ(Rmdir(four, "/d"), "OK");
  EXPECT_THAT(four.Content(0), HasSubstr(".wh..wh.d.HHHH/OPQ"));
  EXPECT_EQ(four.Merged(), "");
  four.RunDeferred();
  EXPECT_EQ(four.Content(0), ".wh.d");
}

TEST(AufsSection3_5, ACleanUpThatFailsIsNobodysError) {
  AufsStack stack({{.mode = "rw", .content = "d/.wh.x", .faulty = true}, {"ro+wh", "d/x"}});
  stack.plan().Add(Fault::On(sim::Op::kUnlink).Path("/b0/*/.wh.x").Fail(Errno::kIo));
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_FALSE(stack.plan().fired().empty());
  EXPECT_EQ(stack.Lookup("/d"), "ENOENT");
  EXPECT_EQ(stack.Merged(), "");
  EXPECT_EQ(stack.Content(0), ".wh..wh.d.HHHH/ .wh..wh.d.HHHH/.wh.x .wh.d");
}

TEST(AufsSection3_5, ARemovedDirectoryTakesNoNewNames) {
  AufsStack stack({{"rw", "d/"}, {"ro+wh", "d/"}});
  ASSERT_EQ(Outcome(stack.process().Chdir("/d")), "OK");
  EXPECT_EQ(Rmdir(stack, "/d"), "OK");
  EXPECT_EQ(stack.Create("f"), "ENOENT");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

// ── 3.6 Link ───────────────────────────────────────────────────────────────────────────────────

TEST(AufsSection3_6, LinkOverAHigherWhiteoutGoesToItsBranch) {
  AufsStack stack({{"rw", ".wh.b"}, {"rw", "a=A"}, {"ro", "b=B"}});
  EXPECT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "b=A");
  EXPECT_EQ(stack.Content(1), "a=A");
  EXPECT_THAT(stack.PseudoLinks(0), Not(IsEmpty()));
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
}

TEST(AufsSection3_6, LinkUnderAHigherOpaqueDirectoryGoesToItsBranch) {
  AufsStack stack({{"rw", "e/OPQ"}, {"rw", "a=A e/"}});
  EXPECT_EQ(Link(stack, "/a", "/e/b"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/b=A");
  EXPECT_EQ(stack.Content(1), "a=A e/");
}

TEST(AufsSection3_6, LinkOfALowerWritableFileStaysThere) {
  AufsStack stack({{"rw"}, {"rw", "a=A"}});
  EXPECT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), "a=A b=A");
  EXPECT_EQ(stack.BranchStat(1, "/a").ino, stack.BranchStat(1, "/b").ino);
  EXPECT_EQ(stack.PseudoLinks(0), "");
  EXPECT_EQ(stack.PseudoLinks(1), "");
}

TEST(AufsSection3_6, ASecondLinkOfACopiedFileIsAPlainOne) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  ASSERT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(Link(stack, "/a", "/c"), "OK");
  EXPECT_EQ(stack.Content(0), "b=A c=A");
  EXPECT_EQ(stack.BranchStat(0, "/b").ino, stack.BranchStat(0, "/c").ino);
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/c"));
  EXPECT_EQ(stack.StatOf("/a").nlink, 3U);
}

TEST(AufsSection3_6, AWriteThroughAnyNameIsSeenThroughAll) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  ASSERT_EQ(Link(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Append("/a", "1"), "OK");
  EXPECT_EQ(stack.Append("/b", "2"), "OK");
  EXPECT_EQ(stack.Read("/a"), "A12");
  EXPECT_EQ(stack.Read("/b"), "A12");
  EXPECT_EQ(stack.Content(0), "a=A12 b=A12");
}

// ── 3.7 Rename ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsSection3_7, TwoNamesOfOneFileStay) {
  AufsStack stack({{"rw", "a=A b@a"}, {"ro+wh", "c=C d@c"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(Rename(stack, "/c", "/d"), "OK");
  EXPECT_EQ(stack.Content(0), "a=A b=A");
  EXPECT_EQ(stack.Merged(), "a=A b=A c=C d=C");
}

TEST(AufsSection3_7, AHigherWhiteoutOfTheNewNameCopiesUp) {
  AufsStack stack({{"rw", ".wh.b"}, {"rw", "a=A"}, {"ro", "b=B"}});
  EXPECT_EQ(Rename(stack, "/a", "/b"), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.a b=A");
  EXPECT_EQ(stack.Content(1), "a=A");
  EXPECT_EQ(stack.Merged(), "b=A");
}

TEST(AufsSection3_7, TheParentsOfBothNamesAreCopiedUp) {
  AufsStack stack({{"rw"}, {"ro+wh", "p/a=A q/r/x"}});
  EXPECT_EQ(Rename(stack, "/p/a", "/q/r/b"), "OK");
  EXPECT_EQ(stack.Content(0), "p/ p/.wh.a q/ q/r/ q/r/b=A");
  EXPECT_EQ(stack.Merged(), "p/ q/ q/r/ q/r/b=A q/r/x");
}

TEST(AufsSection3_7, NoReplaceGoesOverAWhiteoutAndNotOverAName) {
  AufsStack stack({{"rw", "a=A .wh.b"}, {"ro+wh", "b=B c=C"}});
  EXPECT_EQ(Rename(stack, "/a", "/c", RenameMode::kNoReplace), "EEXIST");
  EXPECT_EQ(Rename(stack, "/a", "/b", RenameMode::kNoReplace), "OK");
  EXPECT_EQ(stack.Content(0), "b=A");
}

TEST(AufsSection3_7, ADirectoryOverTheWhiteoutOfAFileIsOpaque) {
  AufsStack stack({{"rw", "d/y .wh.e"}, {"ro+wh", "e=E"}});
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/y");
}

TEST(AufsSection3_7, WithDiropqAlwaysARenamedDirectoryIsOpaque) {
  AufsStack stack({{"rw", "d/x"}, {"ro+wh"}}, "diropq=always");
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/x");
}

TEST(AufsSection3_7, ExchangeTakesFilesFromTwoBranchesAndOtherTypes) {
  AufsStack files({{"rw", "a=A"}, {"ro+wh", "b=B"}});
  EXPECT_EQ(Rename(files, "/a", "/b", RenameMode::kExchange), "OK");
  EXPECT_EQ(files.Content(0), "a=B b=A");
  EXPECT_EQ(files.Merged(), "a=B b=A");

  AufsStack types({{"rw", "d/x f=F"}, {"ro+wh"}});
  EXPECT_EQ(Rename(types, "/d", "/f", RenameMode::kExchange), "OK");
  EXPECT_EQ(types.Content(0), "d=F f/ f/x");
}

TEST(AufsSection3_7, ExchangeNeedsDirectoriesThatCanMove) {
  AufsStack stack({{"rw", "d/y f=F"}, {"ro+wh", "e/x"}});
  EXPECT_EQ(Rename(stack, "/d", "/e", RenameMode::kExchange), "EXDEV");
  EXPECT_EQ(Rename(stack, "/f", "/e", RenameMode::kExchange), "EXDEV");
  EXPECT_EQ(stack.Content(0), "d/ d/y f=F");
  EXPECT_EQ(Rename(stack, "/d", "/none", RenameMode::kExchange), "ENOENT");
}

TEST(AufsSection3_7, AReexposedOldNameHasANewNumber) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}});
  const std::uint64_t before = stack.Ino("/a");
  ASSERT_EQ(Rename(stack, "/a", "/b"), "OK");
  ASSERT_EQ(Outcome(stack.OnBranch(0)->Unlink("/.wh.a")), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Ino("/b"), before);
  EXPECT_NE(stack.Ino("/a"), before);
}

TEST(AufsSection3_7, AFailedRenameRestoresTheDirectoryItWasToReplace) {
  AufsStack stack(
      {{.mode = "rw", .content = "d/y e/.wh.x", .faulty = true}, {"ro+wh", "d/.wh.z e/x"}});
  stack.plan().Add(Fault::On(sim::Op::kRename).Path("/b0/d").Fail(Errno::kIo));
  EXPECT_EQ(Rename(stack, "/d", "/e"), "EIO");
  EXPECT_EQ(stack.Content(0), "d/ d/y e/ e/.wh.x");
  EXPECT_EQ(stack.Merged(), "d/ d/y e/");
}

TEST(AufsSection3_7, AReplacedDirectoryOfManyWhiteoutsIsEmptiedLater) {
  AufsStack stack({{"rw", "d/y e/.wh.1 e/.wh.2"}, {"ro+wh", "e/1 e/2"}}, "dirwh=1");
  EXPECT_EQ(Rename(stack, "/d", "/e"), "OK");
  EXPECT_THAT(stack.Content(0), HasSubstr(".wh..wh.e.HHHH/.wh.1"));
  EXPECT_EQ(stack.Merged(), "e/ e/y");
  stack.RunDeferred();
  EXPECT_EQ(stack.Content(0), "e/ e/OPQ e/y");
}

// ── 3.9 The order of steps ─────────────────────────────────────────────────────────────────────

// What is on b0 when the machine stops before the call `stopped` of `path`.
std::string AfterCrash(std::string_view upper, std::string_view lower, sim::Op stopped,
                       std::string_view path, const std::function<std::string(AufsStack&)>& call) {
  AufsStack stack({{.mode = "rw", .content = std::string(upper), .faulty = true},
                   {"ro+wh", std::string(lower)}});
  stack.plan().Add(Fault::On(stopped).Path(path).Crash());
  EXPECT_EQ(call(stack), "EIO");
  EXPECT_TRUE(stack.plan().crashed());
  return stack.Content(0);
}

TEST(AufsSection3_9, ANewEntryIsThereBeforeItsWhiteoutGoes) {
  EXPECT_EQ(AfterCrash(".wh.f", "f", sim::Op::kUnlink, "/b0/.wh.f",
                       [](AufsStack& stack) { return stack.Create("/f"); }),
            ".wh.f f");
}

TEST(AufsSection3_9, ANewDirectoryIsOpaqueBeforeItsWhiteoutGoes) {
  EXPECT_EQ(AfterCrash(".wh.d", "d/x", sim::Op::kUnlink, "/b0/.wh.d",
                       [](AufsStack& stack) { return Mkdir(stack, "/d"); }),
            ".wh.d d/ d/OPQ");
}

TEST(AufsSection3_9, AWhiteoutIsThereBeforeItsFileGoes) {
  EXPECT_EQ(AfterCrash("f=A", "f=B", sim::Op::kUnlink, "/b0/f",
                       [](AufsStack& stack) { return Unlink(stack, "/f"); }),
            ".wh.f f=A");
}

TEST(AufsSection3_9, AWhiteoutIsThereBeforeItsDirectoryGoes) {
  EXPECT_EQ(AfterCrash("d/", "d/", sim::Op::kRename, "/b0/d",
                       [](AufsStack& stack) { return Rmdir(stack, "/d"); }),
            ".wh.d d/");
}

TEST(AufsSection3_9, AWhiteoutIsThereBeforeItsNameMoves) {
  EXPECT_EQ(AfterCrash("a=A", "a=L", sim::Op::kRename, "/b0/b",
                       [](AufsStack& stack) { return Rename(stack, "/a", "/b"); }),
            ".wh.a a=A");
}

struct Change {
  std::string name;
  std::string upper;
  std::string lower;
  std::function<std::string(AufsStack&)> call;
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class AufsSection3AllOrNothing : public testing::TestWithParam<Change> {};

// Makes change number `nth` of the call fail. True when there was one.
bool FailAt(const Change& change, std::uint64_t nth, const std::string& before,
            const std::string& after) {
  SCOPED_TRACE(nth);
  AufsStack stack(
      {{.mode = "rw", .content = change.upper, .faulty = true}, {"ro+wh", change.lower}});
  stack.plan().Add(
      Fault::On(sim::Op::kAnyChange).AtBranch("b0").After(nth).Times(1).Fail(Errno::kIo));
  const std::string outcome = change.call(stack);
  const bool fired = !stack.plan().fired().empty();
  stack.plan().Clear();  // to look at a pseudo-linked name makes it
  EXPECT_THAT(outcome, AnyOf("OK", "EIO"));
  EXPECT_EQ(stack.Merged(), outcome == "OK" ? after : before);
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), outcome == "OK" ? after : before);
  if (outcome != "OK") {
    EXPECT_THAT(stack.Content(0), Not(HasSubstr("HHHH")));
  }
  return fired;
}

void FailAtEach(const Change& change) {
  AufsStack stack({{"rw", change.upper}, {"ro+wh", change.lower}});
  const std::string before = stack.Merged();
  EXPECT_EQ(change.call(stack), "OK");
  const std::string after = stack.Merged();
  EXPECT_NE(before, after);
  constexpr std::uint64_t kMostChanges = 100;
  std::uint64_t nth = 0;
  while (nth < kMostChanges && FailAt(change, nth, before, after)) ++nth;
  EXPECT_GT(nth, 0U);
  EXPECT_LT(nth, kMostChanges);
}

TEST_P(AufsSection3AllOrNothing, ACallIsDoneOrNotWhicheverStepFails) { FailAtEach(GetParam()); }

const Change kChanges[] = {
    {"Create", "", "d/x", [](AufsStack& stack) { return stack.Create("/d/f"); }},
    {"CreateOverAWhiteout", "d/.wh.f", "d/f=F",
     [](AufsStack& stack) { return stack.Create("/d/f"); }},
    {"MkdirOverAWhiteout", ".wh.d", "d/x", [](AufsStack& stack) { return Mkdir(stack, "/d"); }},
    {"UnlinkOfAnUpperFile", "f=A", "", [](AufsStack& stack) { return Unlink(stack, "/f"); }},
    {"UnlinkOfALowerFile", "", "d/f", [](AufsStack& stack) { return Unlink(stack, "/d/f"); }},
    {"UnlinkOfBoth", "f=A", "f=B", [](AufsStack& stack) { return Unlink(stack, "/f"); }},
    {"Rmdir", "d/.wh.x", "d/x", [](AufsStack& stack) { return Rmdir(stack, "/d"); }},
    {"RenameOfALowerFile", "b=B", "a=A",
     [](AufsStack& stack) { return Rename(stack, "/a", "/b"); }},
    {"RenameOverAWhiteout", "a=A .wh.b", "a=L b=B",
     [](AufsStack& stack) { return Rename(stack, "/a", "/b"); }},
    {"RenameOfADirectory", "d/.wh.x d/y e/.wh.z", "d/x e/z",
     [](AufsStack& stack) { return Rename(stack, "/d", "/e"); }},
    {"Exchange", "a=A", "b=B",
     [](AufsStack& stack) { return Rename(stack, "/a", "/b", RenameMode::kExchange); }},
    {"LinkOfALowerFile", ".wh.b", "a=A b=B",
     [](AufsStack& stack) { return Link(stack, "/a", "/b"); }},
    {"WriteToALowerFile", "", "d/f=hello",
     [](AufsStack& stack) { return stack.WriteAt("/d/f", 0, "J"); }},
};

INSTANTIATE_TEST_SUITE_P(Of, AufsSection3AllOrNothing, testing::ValuesIn(kChanges),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace lamina
