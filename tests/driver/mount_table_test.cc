// The mount table: what is where, and what keeps it there.
#include "lamina/driver/mount_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/testing/matchers.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;

MountCall CallAt(std::string_view target) { return {"none", std::string(target), "tmpfs", "x"}; }

class Mounted {
 public:
  Mounted() {
    EXPECT_THAT(table.Add(CallAt("/m"), std::make_unique<MemFs>()), IsOk());
    fs = table.Find("/m");
    process = std::make_unique<Process>(*fs, fs->root(), ProcessOptions{.clock = &clock});
    const Result<Process::Fd> fd = Open({.access = Access::kWrite, .create = true});
    EXPECT_THAT(process->Close(*fd), IsOk());
  }
  Result<Process::Fd> Open(const OpenHow& how) { return process->Open("/f", how, 0644); }

  Clock clock;
  MountTable table;
  std::shared_ptr<FileSystem> fs;
  std::unique_ptr<Process> process;
};

TEST(MountTable, KnowsWhatIsWhere) {
  MountTable table;
  EXPECT_FALSE(table.IsMounted("/m"));
  EXPECT_EQ(table.Find("/m"), nullptr);
  EXPECT_THAT(table.CallsOf("/m"), IsEmpty());
  ASSERT_THAT(table.Add(CallAt("/m"), std::make_unique<MemFs>()), IsOk());
  EXPECT_TRUE(table.IsMounted("/m"));
  EXPECT_NE(table.Find("/m"), nullptr);
  EXPECT_EQ(table.FindUnion("/m"), nullptr);
  EXPECT_THAT(table.CallsOf("/m"), ElementsAre(CallAt("/m")));
  MountCall again = CallAt("/m");
  again.remount = true;
  table.AddRemount(again);
  EXPECT_THAT(table.CallsOf("/m"), ElementsAre(CallAt("/m"), again));
  EXPECT_THAT(table.Unmount("/m"), IsOk());
  EXPECT_FALSE(table.IsMounted("/m"));
}

TEST(MountTable, HoldsOneMountATarget) {
  Mounted mounted;
  EXPECT_THAT(mounted.table.Add(CallAt("/m"), std::make_unique<MemFs>()), IsErrno(Errno::kBusy));
  EXPECT_EQ(mounted.table.Find("/m"), mounted.fs);
}

TEST(MountTable, UnmountsOnlyWhatIsMounted) {
  MountTable table;
  EXPECT_THAT(table.Unmount("/m"), IsErrno(Errno::kInval));
  table.Detach("/m");
  EXPECT_FALSE(table.IsMounted("/m"));
}

TEST(MountTable, ListsTargetsBelowADirectory) {
  MountTable table;
  for (const char* target : {"/a", "/a/c", "/a/b", "/ab/c"}) {
    ASSERT_THAT(table.Add(CallAt(target), std::make_unique<MemFs>()), IsOk());
  }
  EXPECT_THAT(table.TargetsBelow("/a"), ElementsAre("/a/b", "/a/c"));
  EXPECT_THAT(table.TargetsBelow("/"), ElementsAre("/a", "/a/b", "/a/c", "/ab/c"));
}

TEST(MountTable, AnOpenFileKeepsItMounted) {
  Mounted mounted;
  const Result<Process::Fd> fd = mounted.Open({.access = Access::kRead});
  EXPECT_THAT(mounted.table.Unmount("/m"), IsErrno(Errno::kBusy));
  ASSERT_THAT(mounted.process->Close(*fd), IsOk());
  EXPECT_THAT(mounted.table.Unmount("/m"), IsOk());
}

TEST(MountTable, SoDoesAFileWithoutAName) {
  Mounted mounted;
  const Result<Process::Fd> fd =
      mounted.process->Open("/", {.access = Access::kReadWrite, .unnamed = true}, 0600);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(mounted.table.Unmount("/m"), IsErrno(Errno::kBusy));
  ASSERT_THAT(mounted.process->Close(*fd), IsOk());
  EXPECT_THAT(mounted.table.Unmount("/m"), IsOk());
}

TEST(MountTable, SoDoesAMapping) {
  Mounted mounted;
  const Result<Process::Fd> fd = mounted.Open({.access = Access::kRead});
  const Result<Mapping> mapping = mounted.process->Mmap(*fd, 4096, MapSharing::kPrivate, false);
  ASSERT_THAT(mapping, IsOk());
  ASSERT_THAT(mounted.process->Close(*fd), IsOk());
  EXPECT_THAT(mounted.table.Unmount("/m"), IsErrno(Errno::kBusy));
  ASSERT_THAT(mounted.process->Munmap(*mapping), IsOk());
  EXPECT_THAT(mounted.table.Unmount("/m"), IsOk());
}

TEST(MountTable, AFailedOpenIsNoUse) {
  Mounted mounted;
  EXPECT_THAT(mounted.process->Open("/missing", {.access = Access::kRead}, 0),
              IsErrno(Errno::kNoEnt));
  EXPECT_THAT(mounted.fs->Open(OpContext{mounted.process->credentials(), {}, {}}, NodeId{999}, {}),
              IsErrno(Errno::kStale));
  EXPECT_THAT(mounted.table.Unmount("/m"), IsOk());
}

TEST(MountTable, WhoeverHoldsADetachedTreeStillHasIt) {
  Mounted mounted;
  const Result<Process::Fd> fd = mounted.Open({.access = Access::kWrite});
  mounted.table.Detach("/m");
  EXPECT_FALSE(mounted.table.IsMounted("/m"));
  EXPECT_THAT(mounted.process->Write(*fd, AsBytes("text")), IsOk());
  EXPECT_THAT(mounted.process->Close(*fd), IsOk());
  EXPECT_THAT(mounted.process->ReadFile("/f"), testing::IsOkAndHolds(std::string("text")));
}

}  // namespace
}  // namespace lamina
