// Sentences of chapters 6 and 7 of the AUFS specification that no row of its tables covers:
// numbers, listings, branches changed directly, open files. Each suite is named after its section.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;

constexpr Instant kLongAgoAndOneSecond = InstantFromSeconds(1'000'000'001);

std::string Close(AufsStack& stack, Process::Fd fd) { return Outcome(stack.process().Close(fd)); }

std::vector<std::string> NamesFrom(AufsStack& stack, Process::Fd fd) {
  std::vector<std::string> names;
  Result<std::vector<ProcessEntry>> entries = stack.process().ReadEntries(fd, 100);
  EXPECT_EQ(Outcome(entries), "OK");
  if (!entries.ok()) return names;
  for (const ProcessEntry& entry : *entries) names.push_back(entry.name);
  return names;
}

std::vector<std::string> NamesOneByOne(AufsStack& stack, Process::Fd fd) {
  std::vector<std::string> names;
  Result<std::vector<ProcessEntry>> piece = stack.process().ReadEntries(fd, 1);
  while (piece.ok() && !piece->empty()) {
    names.push_back(piece->front().name);
    piece = stack.process().ReadEntries(fd, 1);
  }
  EXPECT_EQ(Outcome(piece), "OK");
  return names;
}

// ── 6.1 Numbers ────────────────────────────────────────────────────────────────────────────────

TEST(AufsSection6_1, NumbersAreGivenInTurnFromEleven) {
  AufsStack stack({{"rw", "a"}, {"ro+wh", "b d/c"}});
  EXPECT_EQ(stack.Ino("/b"), 11U);
  EXPECT_EQ(stack.Ino("/a"), 12U);
  EXPECT_EQ(stack.Ino("/d"), 13U);
  EXPECT_EQ(stack.Ino("/d/c"), 14U);
  EXPECT_EQ(stack.Ino("/b"), 11U);
}

TEST(AufsSection6_1, AllOfAUnionIsOneDevice) {
  AufsStack stack({{"rw", "a d/x"}, {"ro+wh", "b d/y"}});
  const std::uint64_t device = stack.StatOf("/").dev;
  EXPECT_EQ(stack.StatOf("/a").dev, device);
  EXPECT_EQ(stack.StatOf("/b").dev, device);
  EXPECT_EQ(stack.StatOf("/d/x").dev, device);
  EXPECT_EQ(stack.StatOf("/d/y").dev, device);
  EXPECT_NE(device, stack.BranchStat(0, "/a").dev);
  EXPECT_NE(device, stack.BranchStat(1, "/b").dev);
}

TEST(AufsSection6_1, HardLinksOfABranchShareANumber) {
  AufsStack stack({{"rw", "a d/b@a"}, {"ro+wh", "c e/f@c"}});
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/d/b"));
  EXPECT_EQ(stack.Ino("/c"), stack.Ino("/e/f"));
  EXPECT_NE(stack.Ino("/a"), stack.Ino("/c"));
}

TEST(AufsSection6_1, BranchesOfOneFileSystemShareTheirNumbers) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=A"}, {.mode = "ro+wh", .beside = "b1"}}, "",
                  AufsMounting::kLater);
  Result<void> linked = stack.OnFileSystemOf("b1")->Link("/b1/a", "/b2/b", LastLink::kKeep);
  ASSERT_EQ(Outcome(linked), "OK");
  stack.Mount();
  EXPECT_EQ(stack.Ino("/a"), stack.Ino("/b"));
  EXPECT_EQ(stack.StatOf("/a").nlink, 2U);
}

TEST(AufsSection6_1, ReaddirTellsTheNumbersOfStat) {
  AufsStack stack({{"rw", "a d/x"}, {"ro+wh", "a b d/x d/y e/z"}});
  EXPECT_EQ(stack.Merged(), "a b d/ d/x d/y e/ e/z");
  ASSERT_EQ(stack.Put("/b", "new"), "OK");
  ASSERT_EQ(stack.Put("/e/z", "new"), "OK");
  EXPECT_EQ(stack.Merged(), "a b=new d/ d/x d/y e/ e/z=new");
}

TEST(AufsSection6_1, ALowerFileThatReappearsHasANumberOfItsOwn) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=F"}});
  const std::uint64_t before = stack.Ino("/f");
  ASSERT_EQ(stack.WriteAt("/f", 0, "G"), "OK");
  const Process::Fd copy = stack.Open("/f", kReadOnly);
  ASSERT_EQ(Outcome(stack.OnBranch(0)->Unlink("/f")), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Read("/f"), "F");
  EXPECT_NE(stack.Ino("/f"), before);
  EXPECT_EQ(Close(stack, copy), "OK");
}

// ── 6.2 Attributes ─────────────────────────────────────────────────────────────────────────────

TEST(AufsSection6_2, ADirectoryHasTheAttributesOfItsTopInstance) {
  AufsStack stack({{"rw", "d/:0711:5"}, {"ro+wh", "d/:0777:6 d/x"}}, "", AufsMounting::kLater);
  Result<void> set =
      stack.OnBranch(1)->Setxattr("/d", "user.low", "v", XattrMode::kSet, LastLink::kKeep);
  ASSERT_EQ(Outcome(set), "OK");
  stack.SetBranchTimes(0, "/d", kLongAgo);
  stack.SetBranchTimes(1, "/d", kLongAgoAndOneSecond);
  stack.Mount();
  EXPECT_EQ(stack.StatOf("/d").mode, 0711);
  EXPECT_EQ(stack.StatOf("/d").uid, 5U);
  EXPECT_EQ(stack.StatOf("/d").mtime, kLongAgo);
  EXPECT_EQ(Outcome(stack.process().Getxattr("/d", "user.low", LastLink::kKeep)), "ENODATA");
  Result<std::vector<std::string>> keys = stack.process().Listxattr("/d", LastLink::kKeep);
  ASSERT_EQ(Outcome(keys), "OK");
  EXPECT_THAT(*keys, testing::IsEmpty());
}

TEST(AufsSection6_2, AChangeOnALowerBranchIsToldToTheTopDirectoryLater) {
  AufsStack stack({{"rw", "d/"}, {"rw", "d/f"}}, "", AufsMounting::kLater);
  stack.SetBranchTimes(0, "/d", kLongAgo);
  stack.Mount();
  EXPECT_EQ(Outcome(stack.process().Unlink("/d/f")), "OK");
  EXPECT_EQ(stack.Content(1), "d/");
  stack.RunDeferred();
  EXPECT_GT(stack.BranchStat(0, "/d").mtime, kLongAgo);
  EXPECT_EQ(stack.StatOf("/d").mtime, stack.BranchStat(1, "/d").mtime);
}

// ── 6.3 Listings ───────────────────────────────────────────────────────────────────────────────

TEST(AufsSection6_3, AWhiteoutHidesOnlyBranchesBelowIt) {
  AufsStack stack({{"rw", "b"}, {"ro+wh", "a .wh.b .wh.c c"}, {"ro+wh", "d b c a"}});
  EXPECT_EQ(stack.List("/"), "b a d");
}

TEST(AufsSection6_3, AListingInPiecesShowsEveryNameOnce) {
  AufsStack stack({{"rw", "a b c"}, {"ro+wh", "b c d e"}, {"ro+wh", "a e f"}});
  const Process::Fd fd = stack.Open("/", kDirectory);
  EXPECT_THAT(NamesOneByOne(stack, fd),
              testing::ElementsAre(".", "..", "a", "b", "c", "d", "e", "f"));
}

TEST(AufsSection6_3, RdblkAndRdhashDoNotChangeTheResult) {
  AufsStack stack({{"rw", "a b c"}, {"ro+wh", "b c d e"}}, "rdblk=255,rdhash=1");
  EXPECT_EQ(stack.List("/"), "a b c d e");
  ASSERT_EQ(Outcome(stack.TryMount(stack.MountText() + ",rdblk=0,rdhash=0")), "OK");
  EXPECT_EQ(stack.List("/"), "a b c d e");
}

TEST(AufsSection6_3, ARemovedNameStaysInAListingThatHasBegun) {
  AufsStack stack({{"rw", "a b c"}, {"ro+wh"}});
  const Process::Fd fd = stack.Open("/", kDirectory);
  Result<std::vector<ProcessEntry>> first = stack.process().ReadEntries(fd, 3);
  ASSERT_EQ(Outcome(first), "OK");
  ASSERT_EQ(Outcome(stack.process().Unlink("/c")), "OK");
  EXPECT_THAT(NamesFrom(stack, fd), testing::ElementsAre("b", "c"));
  ASSERT_EQ(Outcome(stack.process().RewindDirectory(fd)), "OK");
  EXPECT_THAT(NamesFrom(stack, fd), testing::ElementsAre(".", "..", "a", "b"));
}

TEST(AufsSection6_3, OneBranchThatCannotBeOpenedFailsTheOpen) {
  AufsStack stack({{"rw", "d/a"}, {.mode = "ro+wh", .content = "d/b", .faulty = true}});
  ASSERT_EQ(stack.List("/d"), "a b");
  stack.DropCaches();
  stack.plan().Add(Fault::On(sim::Op::kOpen).AtBranch("b1").Fail(Errno::kIo));
  EXPECT_EQ(stack.List("/d"), "EIO");
  stack.plan().Clear();
  EXPECT_EQ(stack.List("/d"), "a b");
  EXPECT_EQ(stack.Remount("del:/b1"), "OK");  // nothing was left open
}

// ── 6.4 Branches changed directly ──────────────────────────────────────────────────────────────

TEST(AufsSection6_4, RevalSeesAFileThatWasReplaced) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=old"}}, "udba=reval");
  const std::uint64_t before = stack.Ino("/f");
  const Process::Fd fd = stack.Open("/f", kReadOnly);  // or the number is free for the new one
  ASSERT_EQ(stack.ReadFd(fd), "old");
  const std::unique_ptr<Process> branch = stack.OnBranch(1);
  ASSERT_EQ(Outcome(branch->Symlink("target", "/new")), "OK");
  ASSERT_EQ(Outcome(branch->Rename("/new", "/f", RenameMode::kReplace)), "OK");
  EXPECT_EQ(stack.StatOf("/f").type, FileType::kSymlink);
  EXPECT_NE(stack.Ino("/f"), before);
}

TEST(AufsSection6_4, NotifySeesAFileThatCoversAnother) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=old"}}, "udba=notify");
  ASSERT_EQ(stack.Read("/f"), "old");
  ASSERT_EQ(stack.Lookup("/g"), "ENOENT");
  const std::unique_ptr<Process> branch = stack.OnBranch(0);
  ASSERT_EQ(Outcome(branch->Mkdir("/f", 0755)), "OK");
  ASSERT_EQ(Outcome(branch->Mkdir("/g", 0755)), "OK");
  EXPECT_EQ(stack.StatOf("/f").type, FileType::kDirectory);
  EXPECT_EQ(stack.Lookup("/g"), "OK");
  EXPECT_EQ(stack.List("/"), "f g");
}

// ── 7 Open files ───────────────────────────────────────────────────────────────────────────────

TEST(AufsSection7, TheFilePositionSurvivesACopyUp) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd reader = stack.Open("/f", kReadOnly);
  std::string letters(2, '\0');
  ASSERT_EQ(Outcome(stack.process().Read(reader, std::as_writable_bytes(std::span(letters)))),
            "OK");
  EXPECT_EQ(letters, "he");
  ASSERT_EQ(stack.WriteAt("/f", 2, "LL"), "OK");
  ASSERT_EQ(Outcome(stack.process().Read(reader, std::as_writable_bytes(std::span(letters)))),
            "OK");
  EXPECT_EQ(letters, "LL");
}

TEST(AufsSection7, AppendSurvivesACopyUp) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd fd = stack.Open("/f", {.access = Access::kReadWrite, .append = true});
  EXPECT_EQ(stack.WriteFd(fd, 0, "1"), "OK");
  EXPECT_EQ(stack.WriteFd(fd, 0, "2"), "OK");
  EXPECT_EQ(stack.Content(0), "f=hello12");
}

TEST(AufsSection7, ALockSurvivesACopyUp) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const std::unique_ptr<Process> other = stack.NewProcess();
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  ASSERT_EQ(Outcome(stack.process().Flock(fd, LockKind::kExclusive)), "OK");
  ASSERT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  Result<Process::Fd> late = other->Open("/f", kReadOnly, 0);
  ASSERT_EQ(Outcome(late), "OK");
  EXPECT_EQ(Outcome(other->Flock(*late, LockKind::kShared)), "EAGAIN");
}

TEST(AufsSection7, AReadOnlySharedMappingStaysOnTheOldFile) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd fd = stack.Open("/f", kReadOnly);
  Result<Mapping> mapping = stack.process().Mmap(fd, 5, MapSharing::kShared, false);
  ASSERT_EQ(Outcome(mapping), "OK");
  ASSERT_EQ(stack.WriteAt("/f", 0, "J"), "OK");
  EXPECT_EQ(stack.ReadMapped(*mapping, 5), "hello");
  EXPECT_EQ(stack.ReadFd(fd), "Jello");
}

TEST(AufsSection7, AWritableSharedMappingAndTheFileAgree) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  Result<Mapping> mapping = stack.process().Mmap(fd, 5, MapSharing::kShared, true);
  ASSERT_EQ(Outcome(mapping), "OK");
  EXPECT_EQ(Outcome(stack.process().WriteMapping(*mapping, 0, AsBytes("J"))), "OK");
  EXPECT_EQ(stack.Read("/f"), "Jello");
  EXPECT_EQ(stack.WriteAt("/f", 4, "y"), "OK");
  EXPECT_EQ(stack.ReadMapped(*mapping, 5), "Jelly");
  EXPECT_EQ(stack.Content(0), "f=Jelly");
}

TEST(AufsSection7, ADescriptorFollowsAFileThatARemountCovers) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  stack.AddDirectory({});
  const Process::Fd fd = stack.Open("/f", kReadWrite);
  ASSERT_EQ(stack.Remount("prepend:/n0"), "OK");
  EXPECT_EQ(stack.ReadFd(fd), "hello");
  EXPECT_EQ(stack.WriteFd(fd, 0, "J"), "OK");
  EXPECT_EQ(stack.Content("n0"), "f=Jello");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.ReadFd(fd), "Jello");
}

TEST(AufsSection7, TwoProcessesSeeOneFile) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const std::unique_ptr<Process> other = stack.NewProcess();
  Result<Process::Fd> theirs = other->Open("/f", kReadOnly, 0);
  ASSERT_EQ(Outcome(theirs), "OK");
  ASSERT_EQ(stack.Put("/f", "new"), "OK");
  std::string data(8, '\0');
  Result<std::size_t> count = other->Pread(*theirs, std::as_writable_bytes(std::span(data)), 0);
  ASSERT_EQ(Outcome(count), "OK");
  EXPECT_EQ(data.substr(0, *count), "new");
}

}  // namespace
}  // namespace lamina
