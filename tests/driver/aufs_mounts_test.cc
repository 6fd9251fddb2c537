// Get, Put and Cleanup of the aufs driver: counts, what is mounted, what stays.
#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "lamina/union/aufs.h"
#include "lamina/union/overlay.h"
#include "lamina/union/union_fs.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using sim::Fault;
using sim::Op;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;
using ::testing::StartsWith;

const std::string kMnt = "/var/lib/docker/aufs/mnt/";

// Layers 1, 2 above it, 3 above that.
class Chain {
 public:
  explicit Chain(const DriverHost& host = {}) : machine(host) {
    machine.Create("1");
    machine.Create("2", "1");
    machine.Create("3", "2");
  }
  bool IsMounted(const std::string& id) { return machine.mounts().IsMounted(kMnt + id); }

  Machine machine;
};

// ── Get and Put ──────────────────────────────────────────────────────────────────────────────────

// Nobody can put a layer that he did not get, or put it twice: a Mount puts when it goes.
TEST(AufsMounts, AMountPutsWhenItGoes) {
  Chain chain;
  {
    const Mount mount = chain.machine.Get("3");
    EXPECT_TRUE(chain.IsMounted("3"));
  }
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, AMovedMountPutsOnce) {
  Chain chain;
  const Mount other = chain.machine.Get("3");
  {
    Mount mount = chain.machine.Get("3");
    const Mount moved = std::move(mount);
    EXPECT_EQ(&moved.fs(), &other.fs());
    EXPECT_EQ(moved.layer().value, "3");
  }
  EXPECT_TRUE(chain.IsMounted("3"));
}

TEST(AufsMounts, LayersAreCountedEachForItself) {
  Chain chain;
  const Mount two = chain.machine.Get("2");
  { const Mount three = chain.machine.Get("3"); }
  EXPECT_TRUE(chain.IsMounted("2"));
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, TheMountPointIsEmptyWhenNothingIsMounted) {
  Chain chain;
  {
    const Mount mount = chain.machine.Get("3");
    Put(*chain.machine.In(mount), "/f", "x");
  }
  EXPECT_THAT(chain.machine.Names("/aufs/mnt/3"), IsEmpty());
  EXPECT_EQ(chain.machine.Text("/aufs/diff/3/f"), "x");
}

TEST(AufsMounts, WhatAContainerWroteIsThereAtTheNextGet) {
  Chain chain;
  Put(chain.machine.on_home(), "/aufs/diff/1/f", "base");
  {
    const Mount mount = chain.machine.Get("3");
    Remove(*chain.machine.In(mount), "/f");
    Put(*chain.machine.In(mount), "/g", "new");
  }
  const Mount again = chain.machine.Get("3");
  EXPECT_THAT(NamesOf(*chain.machine.In(again), "/"), ElementsAre("g"));
  EXPECT_EQ(chain.machine.Text("/aufs/diff/1/f"), "base");
}

TEST(AufsMounts, ABaseLayerIsItsDirectory) {
  Chain chain;
  const Mount mount = chain.machine.Get("1");
  EXPECT_EQ(mount.path(), "/var/lib/docker/aufs/diff/1");
  Put(*chain.machine.In(mount), "/f", "x");
  EXPECT_EQ(chain.machine.Text("/aufs/diff/1/f"), "x");
  EXPECT_THAT(chain.machine.mounts().TargetsBelow("/"), IsEmpty());
}

TEST(AufsMounts, ALayerThatIsNotThereIsNotGot) {
  Chain chain;
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"4"}), IsErrno(Errno::kNoEnt));
}

TEST(AufsMounts, WithoutItsMountPointALayerIsNotGot) {
  Chain chain;
  ASSERT_THAT(chain.machine.on_home().Rmdir("/aufs/mnt/3"), IsOk());
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"3"}), IsErrno(Errno::kNoEnt));
}

TEST(AufsMounts, AFileThatIsOpenKeepsItMounted) {
  Chain chain;
  Mount mount = chain.machine.Get("3");
  const std::unique_ptr<Process> process = chain.machine.In(mount);
  Put(*process, "/f", "x");
  const Result<Process::Fd> fd = process->Open("/f", {.access = Access::kRead}, 0);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(mount.Put(chain.machine.op()), IsErrno(Errno::kBusy));
  EXPECT_EQ(chain.machine.said().back(),
            "error: failed to unmount " + kMnt + "3: Device or resource busy");
  EXPECT_TRUE(chain.IsMounted("3"));

  // The next user finds it mounted, and the last Put without open files ends it.
  Mount again = chain.machine.Get("3");
  EXPECT_EQ(&again.fs(), &mount.fs());
  ASSERT_THAT(process->Close(*fd), IsOk());
  EXPECT_THAT(again.Put(chain.machine.op()), IsOk());
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, AWorkingDirectoryKeepsItMounted) {
  Chain chain;
  Mount mount = chain.machine.Get("3");
  const std::unique_ptr<Process> process = chain.machine.In(mount);
  MakeDirectories(*process, "/d");
  ASSERT_THAT(process->Chdir("/d"), IsOk());
  EXPECT_THAT(mount.Put(chain.machine.op()), IsErrno(Errno::kBusy));
}

TEST(AufsMounts, RemoveStopsWhereUnmountingFails) {
  Chain chain;
  const Mount mount = chain.machine.Get("3");
  const std::unique_ptr<Process> process = chain.machine.In(mount);
  Put(*process, "/f", "x");
  const Result<Process::Fd> fd = process->Open("/f", {.access = Access::kRead}, 0);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(chain.machine.driver().Remove(chain.machine.op(), {"3"}), IsErrno(Errno::kBusy));
  EXPECT_TRUE(chain.machine.driver().Exists(chain.machine.op(), {"3"}));
  EXPECT_THAT(chain.machine.Names("/aufs/diff"), Contains("3"));
  ASSERT_THAT(process->Close(*fd), IsOk());
  EXPECT_THAT(chain.machine.driver().Remove(chain.machine.op(), {"3"}), IsOk());
}

// As a path that is got while the layer is gone: the count goes on, the directory is what is there.
TEST(AufsMounts, AMountOutlivesItsLayer) {
  Chain chain;
  const Mount mount = chain.machine.Get("3");
  EXPECT_THAT(chain.machine.driver().Remove(chain.machine.op(), {"3"}), IsOk());
  chain.machine.Create("3", "2");
  const Mount again = chain.machine.Get("3");
  EXPECT_FALSE(chain.IsMounted("3"));
  EXPECT_EQ(&again.fs(), &chain.machine.home());
  EXPECT_EQ(again.path(), mount.path());
}

// ── The mount ────────────────────────────────────────────────────────────────────────────────────

TEST(AufsMounts, TheTextHasDirperm1WhereThereIsIt) {
  Chain chain;
  const Mount mount = chain.machine.Get("2");
  EXPECT_THAT(chain.machine.mounts().CallsOf(mount.path()).front().data,
              EndsWith(",dio,xino=/dev/shm/aufs.xino,dirperm1"));
}

TEST(AufsMounts, ALabelIsSeenByTheKernelAndNotByAufs) {
  Chain chain;
  chain.machine.options.mount_label = "system_u:object_r:svirt_t:s0";
  ASSERT_THAT(chain.machine.Restart(), IsOk());
  const Mount mount = chain.machine.Get("2");
  EXPECT_THAT(chain.machine.mounts().CallsOf(mount.path()).front().data,
              EndsWith(",dirperm1,context=\"system_u:object_r:svirt_t:s0\""));
}

TEST(AufsMounts, PathsAreBelowTheDockerRoot) {
  Chain chain;
  chain.machine.options.docker_root = "/srv/docker/";
  ASSERT_THAT(chain.machine.Restart(), IsOk());
  const Mount mount = chain.machine.Get("2");
  EXPECT_EQ(mount.path(), "/srv/docker/aufs/mnt/2");
  EXPECT_THAT(chain.machine.mounts().CallsOf(mount.path()).front().data,
              StartsWith("br:/srv/docker/aufs/diff/2=rw:/srv/docker/aufs/diff/1=ro+wh,"));
}

// Paths of AUFS hold neither ':' nor ','.
TEST(AufsMounts, ADockerRootThatAufsCannotNameMountsNothing) {
  Chain chain;
  chain.machine.options.docker_root = "/var/lib:1/docker";
  ASSERT_THAT(chain.machine.Restart(), IsOk());
  EXPECT_FALSE(chain.machine.driver().Get(chain.machine.op(), {"2"}).ok());
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"1"}), IsOk());
}

TEST(AufsMounts, BranchesAreReadOnlyBelowTheTop) {
  Chain chain;
  const Mount mount = chain.machine.Get("3");
  const UnionFs& fs = *chain.machine.mounts().FindUnion(mount.path());
  ASSERT_EQ(fs.branches().size(), 3);
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs, 0)), "rw");
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs, 1)), "ro+wh");
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs, 2)), "ro+wh");
}

// The whiteouts of an image layer count, although it is read-only.
TEST(AufsMounts, AWhiteoutInTheMiddleHidesWhatIsBelow) {
  Chain chain;
  Put(chain.machine.on_home(), "/aufs/diff/1/f", "x");
  Put(chain.machine.on_home(), "/aufs/diff/2/.wh.f", "");
  const Mount mount = chain.machine.Get("3");
  EXPECT_THAT(NamesOf(*chain.machine.In(mount), "/"), IsEmpty());
}

// An overlay of two empty file systems.
class SmallOverlay {
 public:
  explicit SmallOverlay(Machine& machine) {
    OverlayMount mount;
    mount.lowers.push_back({&lower_, lower_.root(), {}});
    mount.upper = MakeDirectory(machine, "upper");
    mount.work = MakeDirectory(machine, "work");
    Result<std::unique_ptr<UnionFs>> made = MountOverlay(machine.op(), mount);
    EXPECT_THAT(made, IsOk());
    fs = *std::move(made);
  }
  std::unique_ptr<UnionFs> fs;

 private:
  DirectoryRef MakeDirectory(Machine& machine, std::string_view name) {
    const NewNode node{.type = FileType::kDirectory, .mode = 0755};
    return {&upper_, *upper_.Create(machine.op(), {upper_.root(), name}, node), {upper_.root()}};
  }
  MemFs lower_;
  MemFs upper_;
};

// The driver does not look at an overlay below it; AUFS does.
TEST(AufsMounts, AHomeOnAUnionMountsNothing) {
  Machine machine;
  SmallOverlay home(machine);
  DriverOptions options = machine.options;
  options.host.backing_fs = "overlayfs";
  const auto driver = OpenDriver("aufs", machine.op(), *home.fs, options);
  ASSERT_THAT(driver, IsOk());
  const LayerId base{"1"};
  ASSERT_THAT((*driver)->CreateLayer(machine.op(), base, nullptr), IsOk());
  ASSERT_THAT((*driver)->CreateLayer(machine.op(), {"2"}, &base), IsOk());
  EXPECT_THAT((*driver)->Get(machine.op(), base), IsOk());
  EXPECT_THAT((*driver)->Get(machine.op(), {"2"}), IsErrno(Errno::kInval));
}

// ── Faults ───────────────────────────────────────────────────────────────────────────────────────

TEST(AufsMounts, AFailedMountLeavesNothingMountedAndNothingCounted) {
  Chain chain;
  ASSERT_THAT(
      chain.machine.on_home().Rename("/aufs/diff/1", "/aufs/diff/away", RenameMode::kReplace),
      IsOk());
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"3"}), IsErrno(Errno::kInval));
  EXPECT_THAT(chain.machine.said(),
              ElementsAre("error: error creating aufs mount to " + kMnt + "3: Invalid argument"));
  EXPECT_FALSE(chain.IsMounted("3"));

  ASSERT_THAT(
      chain.machine.on_home().Rename("/aufs/diff/away", "/aufs/diff/1", RenameMode::kReplace),
      IsOk());
  const Mount mount = chain.machine.Get("3");
  EXPECT_TRUE(chain.IsMounted("3"));
}

TEST(AufsMounts, AFailedRemountUnmountsWhatWasMounted) {
  Chain chain;
  chain.machine.options.host.page_bytes = 54 + 9 + 80;  // the mount and one branch
  ASSERT_THAT(chain.machine.Restart(), IsOk());
  {
    const Mount mount = chain.machine.Get("3");
    EXPECT_THAT(chain.machine.mounts().CallsOf(mount.path()).size(), 2);
  }
  ASSERT_THAT(
      chain.machine.on_home().Rename("/aufs/diff/1", "/aufs/diff/away", RenameMode::kReplace),
      IsOk());
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"3"}), IsErrno(Errno::kInval));
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, ALayersFileThatCannotBeReadIsAnError) {
  Chain chain;
  chain.machine.faults().Add(Fault::On(Op::kPread).Path("/aufs/layers/3").Fail(Errno::kIo));
  EXPECT_THAT(chain.machine.driver().Get(chain.machine.op(), {"3"}), IsErrno(Errno::kIo));
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, AFailedFlushIsOnlyWarnedOf) {
  Chain chain;
  Put(chain.machine.on_home(), "/aufs/diff/1/a", "old");
  ASSERT_THAT(chain.machine.on_home().Link("/aufs/diff/1/a", "/aufs/diff/1/b", LastLink::kKeep),
              IsOk());
  Mount mount = chain.machine.Get("2");
  Put(*chain.machine.In(mount), "/a", "new");
  chain.machine.faults().Add(Fault::On(Op::kLink).Path("/aufs/diff/2/b").Fail(Errno::kIo));
  EXPECT_THAT(mount.Put(chain.machine.op()), IsOk());
  EXPECT_FALSE(chain.IsMounted("2"));
  EXPECT_THAT(chain.machine.said(), ElementsAre("warning: Couldn't run auplink before unmount " +
                                                kMnt + "2: Input/output error"));
}

// A directory with many whiteouts is emptied later, at the latest when the mount ends.
TEST(AufsMounts, UnmountingWaitsForRemovals) {
  Chain chain;
  MakeDirectories(chain.machine.on_home(), "/aufs/diff/1/d");
  for (const char* name : {"1", "2", "3", "4", "5"}) {
    Put(chain.machine.on_home(), std::string("/aufs/diff/1/d/") + name, "x");
  }
  {
    const Mount mount = chain.machine.Get("2");
    Remove(*chain.machine.In(mount), "/d");
    EXPECT_THAT(chain.machine.Names("/aufs/diff/2"), Contains(StartsWith(".wh..wh.d.")));
  }
  EXPECT_THAT(chain.machine.Names("/aufs/diff/2"),
              ElementsAre(".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk", ".wh.d"));
}

// A flush that gives EINVAL is tried again, but not for ever: auplink knows no overlay.
TEST(AufsMounts, AMountThatIsNotAufsIsUnmountedAllTheSame) {
  Chain chain;
  SmallOverlay other(chain.machine);
  ASSERT_THAT(chain.machine.mounts().Add({"none", kMnt + "3", "overlay", ""}, std::move(other.fs)),
              IsOk());
  EXPECT_THAT(chain.machine.driver().Remove(chain.machine.op(), {"3"}), IsOk());
  EXPECT_FALSE(chain.IsMounted("3"));
  EXPECT_THAT(chain.machine.said(), ElementsAre("warning: Couldn't run auplink before unmount " +
                                                kMnt + "3: Invalid argument"));
}

// ── Another daemon on the same machine ───────────────────────────────────────────────────────────

class Crashed : public Chain {
 public:
  // The daemon goes while layer 3 is mounted; the kernel keeps the mount.
  Crashed() {
    Mount mount = machine.Get("3");
    const Result<Process::Fd> fd = OpenRoot(mount);
    EXPECT_THAT(mount.Put(machine.op()), IsErrno(Errno::kBusy));
    EXPECT_THAT(process_->Close(*fd), IsOk());
    EXPECT_TRUE(IsMounted("3"));
    EXPECT_THAT(machine.Restart(), IsOk());
  }

 private:
  Result<Process::Fd> OpenRoot(const Mount& mount) {
    process_ = machine.In(mount);
    return process_->Open("/", {.access = Access::kRead, .directory = true}, 0);
  }
  std::unique_ptr<Process> process_;
};

TEST(AufsMounts, AMountOfTheLastDaemonHasOneUserMore) {
  Crashed chain;
  { const Mount mount = chain.machine.Get("3"); }
  EXPECT_TRUE(chain.IsMounted("3"));
  EXPECT_EQ(chain.machine.mounts().CallsOf(kMnt + "3").size(), 1);
}

TEST(AufsMounts, RemoveUnmountsWhatTheLastDaemonMounted) {
  Crashed chain;
  EXPECT_THAT(chain.machine.driver().Remove(chain.machine.op(), {"3"}), IsOk());
  EXPECT_FALSE(chain.IsMounted("3"));
}

TEST(AufsMounts, CleanupUnmountsEverything) {
  Crashed chain;
  const Mount two = chain.machine.Get("2");
  EXPECT_THAT(chain.machine.driver().Cleanup(chain.machine.op()), IsOk());
  EXPECT_THAT(chain.machine.mounts().TargetsBelow("/"), IsEmpty());
}

TEST(AufsMounts, CleanupDetachesWhatIsBusy) {
  Chain chain;
  const Mount mount = chain.machine.Get("3");
  const std::unique_ptr<Process> process = chain.machine.In(mount);
  Put(*process, "/f", "x");
  const Result<Process::Fd> fd = process->Open("/f", {.access = Access::kRead}, 0);
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(chain.machine.driver().Cleanup(chain.machine.op()), IsOk());
  EXPECT_THAT(chain.machine.mounts().TargetsBelow("/"), IsEmpty());
  EXPECT_THAT(chain.machine.said(),
              Contains("warning: failed to unmount " + kMnt + "3: Device or resource busy"));
  EXPECT_EQ(TextOf(*process, "/f"), "x");
  EXPECT_THAT(process->Close(*fd), IsOk());
}

TEST(AufsMounts, CleanupLeavesOtherDriversAlone) {
  Chain chain;
  const MountCall other{"/dev/sda", "/var/lib/docker/aufs2/mnt/1", "xfs", ""};
  ASSERT_THAT(chain.machine.mounts().Add(other, std::make_unique<MemFs>()), IsOk());
  EXPECT_THAT(chain.machine.driver().Cleanup(chain.machine.op()), IsOk());
  EXPECT_TRUE(chain.machine.mounts().IsMounted(other.target));
}

}  // namespace
}  // namespace lamina
