// Sentences of chapters 4 and 5 of the AUFS specification that no row of its tables covers: copy-up
// and policies. Each suite is named after its section.
#include <functional>
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

using sim::Fault;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kSectorsPerPage = 8;

// ── 4.1 and 4.2 What is copied up, and where to ────────────────────────────────────────────────

TEST(AufsSection4_1, ReadingCopiesNothing) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/f=F s>d"}});
  const std::string before = stack.Snapshot(0);
  Process& process = stack.process();
  EXPECT_EQ(stack.Merged(), "d/ d/f=F s>d");
  EXPECT_EQ(Outcome(process.Listxattr("/d/f", LastLink::kFollow)), "OK");
  EXPECT_EQ(Outcome(process.Getxattr("/d/f", "user.x", LastLink::kFollow)), "ENODATA");
  EXPECT_EQ(Outcome(process.Close(stack.Open("/d/f", kWriteOnly))), "OK");
  EXPECT_EQ(stack.Snapshot(0), before);
}

struct Change {
  std::string name;
  std::function<std::string(AufsStack&)> call;
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class AufsSection4CopyUp : public testing::TestWithParam<Change> {};

// Every change of /d/f, which has user.old, is made to a copy.
TEST_P(AufsSection4CopyUp, AChangeIsMadeToACopy) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/f=F d/g"}}, "", AufsMounting::kLater);
  Result<void> set =
      stack.OnBranch(1)->Setxattr("/d/f", "user.old", "v", XattrMode::kSet, LastLink::kKeep);
  ASSERT_EQ(Outcome(set), "OK");
  stack.Mount();
  const std::uint64_t ino = stack.Ino("/d/f");
  EXPECT_EQ(GetParam().call(stack), "OK");
  EXPECT_EQ(stack.BranchesWith("/d/f"), "01");
  EXPECT_EQ(stack.BranchesWith("/d/g"), "1");
  EXPECT_EQ(stack.Ino("/d/f"), ino);
  EXPECT_EQ(stack.List("/d"), "f g");
}

std::string OnDescriptor(AufsStack& stack,
                         const std::function<std::string(Process&, Process::Fd)>& call) {
  return call(stack.process(), stack.Open("/d/f", kReadWrite));
}

const Change kChanges[] = {
    {"Chmod", [](AufsStack& stack) { return Outcome(stack.process().Chmod("/d/f", 0600)); }},
    {"Chown",
     [](AufsStack& stack) {
       return Outcome(stack.process().Chown("/d/f", 1, 2, LastLink::kKeep));
     }},
    {"Utimens", [](AufsStack& stack) { return stack.Touch("/d/f"); }},
    {"Truncate", [](AufsStack& stack) { return Outcome(stack.process().Truncate("/d/f", 0)); }},
    {"Setxattr",
     [](AufsStack& stack) {
       return Outcome(
           stack.process().Setxattr("/d/f", "user.new", "v", XattrMode::kSet, LastLink::kKeep));
     }},
    {"Removexattr",
     [](AufsStack& stack) {
       return Outcome(stack.process().Removexattr("/d/f", "user.old", LastLink::kKeep));
     }},
    {"Fchmod",
     [](AufsStack& stack) {
       return OnDescriptor(
           stack, [](Process& process, auto fd) { return Outcome(process.Fchmod(fd, 0600)); });
     }},
    {"Ftruncate",
     [](AufsStack& stack) {
       return OnDescriptor(
           stack, [](Process& process, auto fd) { return Outcome(process.Ftruncate(fd, 9)); });
     }},
    {"Fallocate",
     [](AufsStack& stack) {
       return OnDescriptor(stack, [](Process& process, auto fd) {
         return Outcome(process.Fallocate(fd, 0, 9, AllocateMode::kExtend));
       });
     }},
    {"Fsync",
     [](AufsStack& stack) {
       return OnDescriptor(stack, [](Process& process, auto fd) {
         return Outcome(process.Fsync(fd, SyncMode::kData));
       });
     }},
};

INSTANTIATE_TEST_SUITE_P(Of, AufsSection4CopyUp, testing::ValuesIn(kChanges),
                         testing::PrintToStringParamName());

TEST(AufsSection4_1, TimesOfAFifoOnRoAreIgnored) {
  AufsStack stack({{"rw"}, {"ro+wh", "p!p c!c"}});
  EXPECT_EQ(stack.Touch("/p"), "OK");
  EXPECT_EQ(stack.Touch("/c"), "OK");
  EXPECT_EQ(stack.Content(0), "");
}

TEST(AufsSection4_2, ParentsAreCopiedWithEverythingButAMark) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/:2751:7 d/e/:1777 d/e/f=F d/e/g"}}, "",
                  AufsMounting::kLater);
  Result<void> set =
      stack.OnBranch(1)->Setxattr("/d", "user.k", "v", XattrMode::kSet, LastLink::kKeep);
  ASSERT_EQ(Outcome(set), "OK");
  stack.SetBranchTimes(1, "/d/e", kLongAgo);
  stack.SetBranchTimes(1, "/d", kLongAgo);
  stack.Mount();
  const Stat root = stack.StatOf("/");
  EXPECT_EQ(Outcome(stack.process().Chmod("/d/e/f", 0600)), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/e/ d/e/f=F");
  EXPECT_EQ(stack.BranchStat(0, "/d").mode, 02751);
  EXPECT_EQ(stack.BranchStat(0, "/d").uid, 7U);
  EXPECT_EQ(stack.BranchStat(0, "/d").mtime, kLongAgo);
  EXPECT_EQ(stack.BranchStat(0, "/d").atime, kLongAgo);
  EXPECT_EQ(stack.BranchStat(0, "/d/e").mode, 01777);
  EXPECT_EQ(stack.BranchStat(0, "/d/e").mtime, kLongAgo);
  EXPECT_EQ(stack.BranchStat(0, "/d/e/f").gid, 0U);  // not of the set-gid directory
  EXPECT_EQ(stack.StatOf("/").mtime, root.mtime);
  Result<std::string> value = stack.process().Getxattr("/d", "user.k", LastLink::kKeep);
  ASSERT_EQ(Outcome(value), "OK");
  EXPECT_EQ(*value, "v");
}

// ── 4.4 and 4.5 What a copy keeps ──────────────────────────────────────────────────────────────

TEST(AufsSection4_4, ACopyKeepsOwnerModeTimesAndXattrs) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=data:6755:7"}}, "", AufsMounting::kLater);
  Result<void> set =
      stack.OnBranch(1)->Setxattr("/f", "user.a", "1", XattrMode::kSet, LastLink::kKeep);
  ASSERT_EQ(Outcome(set), "OK");
  stack.SetBranchTimes(1, "/f", kLongAgo);
  stack.Mount();
  set = stack.process().Setxattr("/f", "user.b", "2", XattrMode::kSet, LastLink::kKeep);
  EXPECT_EQ(Outcome(set), "OK");
  const Stat copy = stack.BranchStat(0, "/f");
  EXPECT_EQ(copy.mode, 06755);
  EXPECT_EQ(copy.uid, 7U);
  EXPECT_EQ(copy.gid, 7U);
  EXPECT_EQ(copy.atime, kLongAgo);
  EXPECT_EQ(copy.mtime, kLongAgo);
  EXPECT_GT(copy.ctime, kLongAgo);
  Result<std::vector<std::string>> keys = stack.process().Listxattr("/f", LastLink::kKeep);
  ASSERT_EQ(Outcome(keys), "OK");
  EXPECT_THAT(*keys, testing::ElementsAre("user.a", "user.b"));
}

TEST(AufsSection4_4, DevicesAndFifosAreCopiedByAChangeOfMode) {
  AufsStack stack({{"rw"}, {"ro+wh", "c!c p!p"}});
  EXPECT_EQ(Outcome(stack.process().Chmod("/c", 0600)), "OK");
  EXPECT_EQ(Outcome(stack.process().Chmod("/p", 0600)), "OK");
  EXPECT_EQ(stack.Content(0), "c!c p!p");
  EXPECT_EQ(stack.BranchStat(0, "/c").rdev, MakeDevice(1, 3));
  EXPECT_EQ(stack.BranchStat(0, "/c").mode, 0600);
}

TEST(AufsSection4_4, IcexCoversItsOwnNamespaceOnly) {
  AufsStack stack({{.mode = "rw+icexsec+icextr", .xattrs = false}, {"ro+wh", "f=F g=G"}}, "",
                  AufsMounting::kLater);
  const auto set = [&](std::string_view path, std::string_view key) {
    return Outcome(stack.OnBranch(1)->Setxattr(path, key, "v", XattrMode::kSet, LastLink::kKeep));
  };
  ASSERT_EQ(set("/f", "user.x"), "OK");
  ASSERT_EQ(set("/g", "trusted.x"), "OK");
  stack.Mount();
  EXPECT_EQ(Outcome(stack.process().Chmod("/f", 0600)), "EOPNOTSUPP");
  EXPECT_EQ(Outcome(stack.process().Chmod("/g", 0600)), "OK");
  EXPECT_EQ(stack.Content(0), "g=G");
}

TEST(AufsSection4_4, ALackOfSpaceForAnXattrIsIgnoredAndAQuotaIsNot) {
  AufsStack stack({{.mode = "rw+icex", .faulty = true}, {"ro+wh", "f=F g=G"}}, "",
                  AufsMounting::kLater);
  const auto set = [&](std::string_view path) {
    return Outcome(
        stack.OnBranch(1)->Setxattr(path, "user.x", "v", XattrMode::kSet, LastLink::kKeep));
  };
  ASSERT_EQ(set("/f"), "OK");
  ASSERT_EQ(set("/g"), "OK");
  stack.Mount();
  stack.plan().Add(Fault::On(sim::Op::kSetxattr).Times(1).Fail(Errno::kNoSpc));
  EXPECT_EQ(Outcome(stack.process().Chmod("/f", 0600)), "OK");
  stack.plan().Clear();
  stack.plan().Add(Fault::On(sim::Op::kSetxattr).Times(1).Fail(Errno::kDQuot));
  EXPECT_EQ(Outcome(stack.process().Chmod("/g", 0600)), "EDQUOT");
  EXPECT_EQ(stack.Content(0), "f=F");
}

TEST(AufsSection4_5, OnlyBlocksOfZerosBecomeHoles) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=~*20480"}}, "", AufsMounting::kLater);
  const std::unique_ptr<Process> branch = stack.OnBranch(1);
  Result<Process::Fd> fd = branch->Open("/f", kWriteOnly, 0);
  ASSERT_EQ(Outcome(fd), "OK");
  ASSERT_EQ(Outcome(branch->Pwrite(*fd, AsBytes("x"), kPageBytes)), "OK");
  ASSERT_EQ(Outcome(branch->Pwrite(*fd, AsBytes("y"), 3 * kPageBytes)), "OK");
  const std::string data = stack.BranchRead(1, "/f");
  stack.Mount();
  EXPECT_EQ(stack.Touch("/f"), "OK");
  EXPECT_EQ(stack.BranchStat(0, "/f").size_bytes, 5 * kPageBytes);
  EXPECT_EQ(stack.BranchStat(0, "/f").allocated_sectors, 2 * kSectorsPerPage);
  EXPECT_EQ(stack.BranchRead(0, "/f"), data);
}

TEST(AufsSection4_5, ATruncatedCopyTakesNoMoreSpaceThanItNeeds) {
  AufsStack stack({{.mode = "rw", .capacity_bytes = 2 * kPageBytes}, {"ro+wh", "f=x*1048576"}});
  EXPECT_EQ(Outcome(stack.process().Truncate("/f", 10)), "OK");
  EXPECT_EQ(stack.Content(0), "f=xxxxxxxxxx");
}

// ── 4.6 Hard links ─────────────────────────────────────────────────────────────────────────────

TEST(AufsSection4_6, AChangeOfAttributesMakesTheHardLink) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 d/b@a"}});
  ASSERT_EQ(stack.Append("/a", "2"), "OK");
  EXPECT_EQ(stack.List("/d"), "b");
  EXPECT_EQ(stack.Content(0), "a=12");
  EXPECT_EQ(Outcome(stack.process().Chmod("/d/b", 0600)), "OK");
  EXPECT_EQ(stack.Content(0), "a=12 d/ d/b=12");
  EXPECT_EQ(stack.BranchStat(0, "/d/b").ino, stack.BranchStat(0, "/a").ino);
  EXPECT_EQ(stack.StatOf("/a").mode, 0600);
}

TEST(AufsSection4_6, PseudoLinksAreLostWithTheMount) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1 b@a"}});
  ASSERT_EQ(stack.Append("/a", "2"), "OK");
  stack.Mount();
  EXPECT_EQ(stack.Read("/a"), "12");
  EXPECT_EQ(stack.Read("/b"), "1");
  EXPECT_NE(stack.Ino("/a"), stack.Ino("/b"));
}

TEST(AufsSection4_6, AFileOfOneNameLeavesNoPseudoLink) {
  AufsStack stack({{"rw"}, {"ro+wh", "a=1"}});
  EXPECT_EQ(stack.Append("/a", "2"), "OK");
  EXPECT_EQ(stack.PseudoLinks(0), "");
  EXPECT_EQ(stack.BranchStat(0, "/a").nlink, 1U);
}

// ── 4.7 and 4.8 Copies at open, and of files without a name ────────────────────────────────────

TEST(AufsSection4_7, CooAllCopiesDirectoriesAndCooRegDoesNot) {
  AufsStack files({{"rw"}, {"ro+coo_reg", "d/f=F"}});
  EXPECT_EQ(files.List("/d"), "f");
  EXPECT_EQ(files.Content(0), "");

  AufsStack all({{"rw"}, {"ro+coo_all", "d/f=F s>d"}});
  EXPECT_EQ(all.List("/"), "d s");
  EXPECT_EQ(all.Content(0), "");
  EXPECT_EQ(all.List("/d"), "f");
  EXPECT_EQ(all.Content(0), "d/");
  EXPECT_EQ(all.Read("/d/f"), "F");
  EXPECT_EQ(all.Content(0), "d/ d/f=F");
}

TEST(AufsSection4_7, TheNearestWritableBranchTakesTheCopy) {
  AufsStack stack({{"rw"}, {"rw+coo_reg"}, {"ro"}, {"ro+coo_reg", "f=F"}}, "cpup=tdp");
  EXPECT_EQ(stack.Read("/f"), "F");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Content(1), "f=F");
}

TEST(AufsSection4_8, AllDescriptorsOfANamelessFileMoveToItsCopy) {
  AufsStack stack({{"rw"}, {"ro+wh", "f=hello"}});
  const Process::Fd reader = stack.Open("/f", kReadOnly);
  const Process::Fd writer = stack.Open("/f", kReadWrite);
  ASSERT_EQ(Outcome(stack.process().Unlink("/f")), "OK");
  EXPECT_EQ(stack.WriteFd(writer, 0, "J"), "OK");
  EXPECT_EQ(stack.ReadFd(reader), "Jello");
  EXPECT_EQ(stack.Create("/f"), "OK");
  EXPECT_EQ(stack.ReadFd(reader), "Jello");
  EXPECT_EQ(stack.Content(0), "f");
}

// ── 5 Policies ─────────────────────────────────────────────────────────────────────────────────

constexpr std::string_view kTenMiB = "10485760";

TEST(AufsSection5_1, AWhiteoutOnRoChoosesTheWritableBranchAbove) {
  AufsStack stack({{.mode = "rw", .capacity_bytes = kMiB},
                   {"ro+wh", ".wh.f"},
                   {.mode = "rw", .capacity_bytes = 100 * kMiB}},
                  "create=mfs");
  EXPECT_EQ(stack.Create("/f"), "OK");
  EXPECT_EQ(stack.BranchesWith("/f"), "0");
  EXPECT_EQ(stack.Lookup("/f"), "OK");
  EXPECT_EQ(stack.Create("/g"), "OK");
  EXPECT_EQ(stack.BranchesWith("/g"), "2");
}

TEST(AufsSection5_1, AnOpaqueDirectoryChoosesItsBranch) {
  AufsStack stack({{.mode = "rw", .content = "d/OPQ a/OPQ a/b/", .capacity_bytes = kMiB},
                   {.mode = "rw", .content = "d/", .capacity_bytes = 100 * kMiB}},
                  "create=mfs");
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Create("/a/b/f"), "OK");
  EXPECT_EQ(stack.Content(0), "a/ a/OPQ a/b/ a/b/f d/ d/OPQ d/f");
  EXPECT_EQ(stack.Content(1), "d/");
}

TEST(AufsSection5_2, ADirectoryDoesNotTakeATurn) {
  AufsStack stack({{"rw"}, {"rw"}}, "create=rr");
  EXPECT_EQ(stack.Create("/f1"), "OK");
  EXPECT_EQ(Outcome(stack.process().Mkdir("/d", 0755)), "OK");
  EXPECT_EQ(stack.Create("/f2"), "OK");
  EXPECT_NE(stack.BranchesWith("/f1"), stack.BranchesWith("/f2"));
}

TEST(AufsSection5_2, RoundRobinPassesOverBranchesThatAreNotWritable) {
  AufsStack stack({{"rw"}, {"ro"}, {"rw"}}, "create=rr");
  EXPECT_EQ(stack.Create("/f1"), "OK");
  EXPECT_EQ(stack.Create("/f2"), "OK");
  EXPECT_EQ(stack.Create("/f3"), "OK");
  EXPECT_EQ(stack.Content(1), "");
}

TEST(AufsSection5_2, MfsrrTakesTurnsWhenSpaceIsShort) {
  AufsStack enough(
      {{.mode = "rw", .capacity_bytes = 20 * kMiB}, {.mode = "rw", .capacity_bytes = 11 * kMiB}},
      "create=mfsrr:" + std::string(kTenMiB));
  EXPECT_EQ(enough.Create("/f1"), "OK");
  EXPECT_EQ(enough.Create("/f2"), "OK");
  EXPECT_EQ(enough.Content(0), "f1 f2");

  AufsStack little(
      {{.mode = "rw", .capacity_bytes = 9 * kMiB}, {.mode = "rw", .capacity_bytes = 5 * kMiB}},
      "create=mfsrr:" + std::string(kTenMiB));
  EXPECT_EQ(little.Create("/f1"), "OK");
  EXPECT_EQ(little.Create("/f2"), "OK");
  EXPECT_NE(little.BranchesWith("/f1"), little.BranchesWith("/f2"));
}

TEST(AufsSection5_2, TdmfsWantsMoreThanItsLimitAndNoParent) {
  AufsStack exactly({{.mode = "rw", .capacity_bytes = 10 * kMiB},
                     {.mode = "rw", .content = "d/", .capacity_bytes = 11 * kMiB}},
                    "create=tdmfs:" + std::string(kTenMiB));
  EXPECT_EQ(exactly.Create("/d/f"), "OK");
  EXPECT_EQ(exactly.Content(0), "");
  EXPECT_EQ(exactly.Content(1), "d/ d/f");

  AufsStack more({{.mode = "rw", .capacity_bytes = 11 * kMiB},
                  {.mode = "rw", .content = "d/", .capacity_bytes = 20 * kMiB}},
                 "create=tdmfs:" + std::string(kTenMiB));
  EXPECT_EQ(more.Create("/d/f"), "OK");
  EXPECT_EQ(more.Content(0), "d/ d/f");
  EXPECT_EQ(more.Content(1), "d/");
}

TEST(AufsSection5_2, PmfsOfAParentOnOneBranchIsThatBranch) {
  AufsStack stack({{.mode = "rw", .content = "d/", .capacity_bytes = kMiB},
                   {.mode = "rw", .capacity_bytes = 100 * kMiB}},
                  "create=pmfs");
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.Content(0), "d/ d/f");
}

TEST(AufsSection5_2, PmfsrrShortOfSpaceTakesTheMostFreeWithOrWithoutTheParent) {
  AufsStack stack({{.mode = "rw", .content = "d/", .capacity_bytes = 5 * kMiB},
                   {.mode = "rw", .content = "d/", .capacity_bytes = 9 * kMiB},
                   {.mode = "rw", .capacity_bytes = 100 * kMiB}},
                  "create=pmfsrr:" + std::string(kTenMiB));
  EXPECT_EQ(stack.Create("/d/f"), "OK");
  EXPECT_EQ(stack.BranchesWith("/d/f"), "2");
  EXPECT_EQ(stack.Read("/d/f"), "");
}

TEST(AufsSection5_3, PoliciesHaveLongNames) {
  AufsStack stack({{"rw"}, {"rw"}, {"ro", "d/f"}},
                  "create_policy=round-robin,copyup_policy=bottom-up");
  EXPECT_EQ(AufsOptionsOf(stack.fs()).create.kind, AufsCreate::kRoundRobin);
  EXPECT_EQ(AufsOptionsOf(stack.fs()).copy_up, AufsCopyUp::kBottomUp);
  ASSERT_EQ(Outcome(stack.TryMount("br:/b0=rw:/b1=rw,create=most-free-space,copyup=bup")), "OK");
  EXPECT_EQ(AufsOptionsOf(stack.fs()).create.kind, AufsCreate::kMostFreeSpace);
  EXPECT_EQ(AufsOptionsOf(stack.fs()).copy_up, AufsCopyUp::kBottomUpParent);
}

}  // namespace
}  // namespace lamina
