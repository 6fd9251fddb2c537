// The aufs driver's books: what it makes, what it clears away, and what a crash leaves.
#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using sim::Fault;
using sim::Op;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;

std::uint16_t ModeOf(Process& process, std::string_view path) {
  const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
  EXPECT_TRUE(stat.ok()) << path;
  return stat->mode;
}

bool IsThere(Machine& machine, std::string_view path) {
  return machine.on_home().GetStat(path, LastLink::kKeep).ok();
}

// ── Opening ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsBooks, HomeAndItsFoldersAre0710) {
  Machine machine;
  EXPECT_THAT(machine.Names("/"), ElementsAre("aufs"));
  EXPECT_THAT(machine.Names("/aufs"), ElementsAre("diff", "layers", "mnt"));
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs"), 0710);
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/diff"), 0710);
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/layers"), 0710);
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/mnt"), 0710);
}

// The daemon is root, whoever makes the call.
TEST(AufsBooks, EverythingBelongsToRoot) {
  Machine machine;
  const Credentials user = UserCredentials(1000, 1000);
  const OpContext op{user, machine.now(), {}};
  ASSERT_THAT(machine.driver().CreateLayer(op, {"1"}, nullptr), IsOk());
  EXPECT_EQ(machine.on_home().GetStat("/aufs/diff/1", LastLink::kKeep)->uid, 0);
  EXPECT_EQ(machine.on_home().GetStat("/aufs/layers/1", LastLink::kKeep)->gid, 0);
}

TEST(AufsBooks, AnotherDaemonFindsTheLayersOfTheLast) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  ASSERT_THAT(machine.Restart(), IsOk());
  EXPECT_TRUE(machine.driver().Exists(machine.op(), {"2"}));
  machine.Create("3", "2");
  EXPECT_EQ(machine.Text("/aufs/layers/3"), "2\n1\n");
}

TEST(AufsBooks, WithoutKernelSupportItIsNotSupported) {
  Machine machine({.has_kernel_support = false});
  EXPECT_THAT(machine.Restart(), IsErrno(Errno::kOpNotSupp));
  EXPECT_EQ(machine.said().back(), "error: AUFS was not found in /proc/filesystems");
  EXPECT_THAT(machine.Names("/"), IsEmpty());
}

TEST(AufsBooks, InAUserNamespaceItIsNotSupported) {
  Machine machine({.in_user_namespace = true});
  EXPECT_THAT(machine.Restart(), IsErrno(Errno::kOpNotSupp));
  EXPECT_EQ(machine.said().back(), "error: AUFS cannot be used in non-init user namespace");
}

TEST(AufsBooks, OptionsOfTheDriverAreIgnored) {
  Machine machine;
  machine.options.storage = {{"aufs.nothing", "1"}, {"dm.basesize", "10G"}};
  EXPECT_THAT(machine.Restart(), IsOk());
  EXPECT_THAT(machine.said(), IsEmpty());
}

TEST(AufsBooks, AFileInPlaceOfAFolderIsAnError) {
  Machine machine;
  ASSERT_THAT(machine.on_home().Rmdir("/aufs/mnt"), IsOk());
  Put(machine.on_home(), "/aufs/mnt", "");
  EXPECT_THAT(machine.Restart(), IsErrno(Errno::kNotDir));
}

TEST(AufsBooks, OnlyDirectoriesAreSwept) {
  Machine machine;
  Put(machine.on_home(), "/aufs/diff/f-removing", "a file");
  MakeDirectories(machine.on_home(), "/aufs/layers/d-removing");
  ASSERT_THAT(machine.Restart(), IsOk());
  EXPECT_THAT(machine.Names("/aufs/diff"), ElementsAre("f-removing"));
  EXPECT_THAT(machine.Names("/aufs/layers"), ElementsAre("d-removing"));
}

TEST(AufsBooks, WhatCannotBeSweptIsWarnedOf) {
  Machine machine;
  MakeDirectories(machine.on_home(), "/aufs/diff/9-removing");
  MakeDirectories(machine.on_home(), "/aufs/diff/8-removing");
  machine.faults().Add(Fault::On(Op::kRmdir).Path("/aufs/diff/8-removing").Fail(Errno::kIo));
  ASSERT_THAT(machine.Restart(), IsOk());
  EXPECT_THAT(machine.Names("/aufs/diff"), ElementsAre("8-removing"));
  EXPECT_THAT(machine.said(), ElementsAre("warning: Error removing stale layer dir 8-removing: "
                                          "Input/output error"));
}

// ── Creating ─────────────────────────────────────────────────────────────────────────────────────

TEST(AufsBooks, DirectoriesOfALayerAre0755AndItsFile0644) {
  Machine machine;
  machine.Create("1");
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/diff/1"), 0755);
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/mnt/1"), 0755);
  EXPECT_EQ(ModeOf(machine.on_home(), "/aufs/layers/1"), 0644);
}

TEST(AufsBooks, AContainersLayerIsMadeAsAnImages) {
  Machine machine;
  machine.Create("1");
  const LayerId parent{"1"};
  ASSERT_THAT(machine.driver().CreateReadWrite(machine.op(), {"c"}, &parent), IsOk());
  EXPECT_EQ(machine.Text("/aufs/layers/c"), "1\n");
  EXPECT_THAT(machine.Names("/aufs/diff/c"), IsEmpty());
  EXPECT_THAT(machine.Names("/aufs/mnt/c"), IsEmpty());
}

TEST(AufsBooks, CreatingAnIdAgainRewritesItsAncestors) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  machine.Create("3", "2");
  Put(machine.on_home(), "/aufs/diff/3/kept", "");
  machine.Create("3", "1");
  EXPECT_EQ(machine.Text("/aufs/layers/3"), "1\n");
  EXPECT_THAT(machine.Names("/aufs/diff/3"), ElementsAre("kept"));
  machine.Create("3");
  EXPECT_EQ(machine.Text("/aufs/layers/3"), "");
}

TEST(AufsBooks, ALayerExistsWhenItsFileDoes) {
  Machine machine;
  MakeDirectories(machine.on_home(), "/aufs/diff/1");
  MakeDirectories(machine.on_home(), "/aufs/mnt/1");
  EXPECT_FALSE(machine.driver().Exists(machine.op(), {"1"}));
  Put(machine.on_home(), "/aufs/layers/1", "");
  EXPECT_TRUE(machine.driver().Exists(machine.op(), {"1"}));
}

class BadId : public ::testing::TestWithParam<std::string> {};

TEST_P(BadId, IsRefused) {
  Machine machine;
  machine.Create("1");
  StorageDriver& driver = machine.driver();
  const LayerId good{"2"};
  const LayerId bad{GetParam()};
  EXPECT_THAT(driver.CreateLayer(machine.op(), bad, nullptr), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.CreateLayer(machine.op(), good, &bad), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.Get(machine.op(), bad), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.Remove(machine.op(), bad), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.Diff(machine.op(), bad, nullptr), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.Changes(machine.op(), bad, nullptr), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.DiffSize(machine.op(), bad, nullptr), IsErrno(Errno::kInval));
  EXPECT_THAT(driver.ApplyDiff(machine.op(), bad, nullptr, {}), IsErrno(Errno::kInval));
  EXPECT_FALSE(driver.Exists(machine.op(), bad));
  EXPECT_THAT(machine.Names("/aufs/layers"), ElementsAre("1"));
}
INSTANTIATE_TEST_SUITE_P(Ids, BadId,
                         ::testing::Values("", ".", "..", "a/b", "/", std::string("a\0b", 3)));

// Lines of a layers file are somebody's text.
TEST(AufsBooks, AnAncestorThatIsNoIdIsNotMounted) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/layers/2", "../../etc\n");
  EXPECT_FALSE(machine.driver().Get(machine.op(), {"2"}).ok());
  EXPECT_THAT(machine.Changes("2", "../../etc"), IsEmpty());
}

TEST(AufsBooks, EmptyLinesAndAMissingNewlineDoNotMatter) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/layers/2", "\n\n1");
  machine.Create("3", "2");
  EXPECT_EQ(machine.Text("/aufs/layers/3"), "2\n1\n");
}

// ── Removing ─────────────────────────────────────────────────────────────────────────────────────

TEST(AufsBooks, RemovingWhatIsNotThereIsNoError) {
  Machine machine;
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsOk());
}

TEST(AufsBooks, RemoveTakesWhatPiecesThereAre) {
  Machine machine;
  machine.Create("1");
  ASSERT_THAT(machine.on_home().Rmdir("/aufs/diff/1"), IsOk());
  Put(machine.on_home(), "/aufs/mnt/1/left", "over");
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsOk());
  EXPECT_THAT(machine.Names("/aufs/mnt"), IsEmpty());
  EXPECT_THAT(machine.Names("/aufs/layers"), IsEmpty());
}

TEST(AufsBooks, RemoveFinishesWhatARemoveHasBegun) {
  Machine machine;
  machine.Create("1");
  ASSERT_THAT(
      machine.on_home().Rename("/aufs/diff/1", "/aufs/diff/1-removing", RenameMode::kReplace),
      IsOk());
  Put(machine.on_home(), "/aufs/diff/1-removing/f", "x");
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsOk());
  EXPECT_THAT(machine.Names("/aufs/diff"), IsEmpty());
}

TEST(AufsBooks, ATakenNameIsLeftToThePerson) {
  Machine machine;
  machine.Create("1");
  Put(machine.on_home(), "/aufs/diff/1/f", "x");
  MakeDirectories(machine.on_home(), "/aufs/diff/1-removing");
  Put(machine.on_home(), "/aufs/diff/1-removing/old", "y");
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsErrno(Errno::kNotEmpty));
  EXPECT_EQ(machine.said().back(),
            "error: target rename dir \"/var/lib/docker/aufs/diff/1-removing\" exists but should "
            "not, this needs to be manually cleaned up");
  EXPECT_THAT(machine.Names("/aufs/diff/1"), ElementsAre("f"));
  EXPECT_THAT(machine.Names("/aufs/diff/1-removing"), ElementsAre("old"));
  EXPECT_THAT(machine.Names("/aufs/mnt"), ElementsAre("1"));
  EXPECT_FALSE(machine.driver().Exists(machine.op(), {"1"}));
}

// Nobody asks for children.
TEST(AufsBooks, RemovingAParentBreaksItsChildren) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsOk());
  EXPECT_TRUE(machine.driver().Exists(machine.op(), {"2"}));
  EXPECT_THAT(machine.driver().Get(machine.op(), {"2"}), IsErrno(Errno::kInval));
  EXPECT_THAT(machine.said().back(), HasSubstr("error creating aufs mount to"));
}

// ── Faults ───────────────────────────────────────────────────────────────────────────────────────

// mkdir mnt/3, mkdir diff/3, create layers/3 with its truncation, and a write for each ancestor.
TEST(AufsBooks, ACrashWhileCreatingLeavesAPrefix) {
  const std::vector<std::string> texts = {"ENOENT", "ENOENT", "ENOENT", "", "2\n"};
  for (std::uint64_t passed = 0; passed < texts.size(); ++passed) {
    Machine machine;
    machine.Create("1");
    machine.Create("2", "1");
    machine.faults().Add(Fault::On(Op::kAnyChange).After(passed).Crash());
    const LayerId parent{"2"};
    EXPECT_FALSE(machine.driver().CreateLayer(machine.op(), {"3"}, &parent).ok()) << passed;
    Machine next({}, machine.disk());
    EXPECT_EQ(IsThere(next, "/aufs/mnt/3"), passed >= 1) << passed;
    EXPECT_EQ(IsThere(next, "/aufs/diff/3"), passed >= 2) << passed;
    EXPECT_EQ(next.driver().Exists(next.op(), {"3"}), passed >= 3) << passed;
    EXPECT_EQ(next.Text("/aufs/layers/3"), texts[passed]) << passed;
    next.Create("3", "2");
    EXPECT_EQ(next.Text("/aufs/layers/3"), "2\n1\n");
  }
}

TEST(AufsBooks, ACreateTakesFiveChanges) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  const std::uint64_t before = machine.changes();
  machine.Create("3", "2");
  EXPECT_EQ(machine.changes() - before, 5);
}

// Wherever Remove stops, the next daemon and the next Remove clear up; the layer is gone for
// everybody as soon as its file is.
TEST(AufsBooks, ACrashWhileRemovingIsClearedUp) {
  const auto fill = [](Machine& machine) {
    machine.Create("1");
    Put(machine.on_home(), "/aufs/diff/1/f", "x");
    MakeDirectories(machine.on_home(), "/aufs/diff/1/d/e");
  };
  Machine whole;
  fill(whole);
  const std::uint64_t before = whole.changes();
  ASSERT_THAT(whole.driver().Remove(whole.op(), {"1"}), IsOk());
  const std::uint64_t changes = whole.changes() - before;
  ASSERT_EQ(changes, 8);

  for (std::uint64_t passed = 0; passed < changes; ++passed) {
    Machine machine;
    fill(machine);
    machine.faults().Add(Fault::On(Op::kAnyChange).After(passed).Crash());
    EXPECT_THAT(machine.driver().Remove(machine.op(), {"1"}), IsErrno(Errno::kIo)) << passed;
    Machine next({}, machine.disk());
    EXPECT_EQ(next.driver().Exists(next.op(), {"1"}), passed == 0) << passed;
    EXPECT_EQ(IsThere(next, "/aufs/diff/1-removing"), false) << passed;
    EXPECT_THAT(next.driver().Remove(next.op(), {"1"}), IsOk());
    EXPECT_THAT(next.Names("/aufs/diff"), IsEmpty());
    EXPECT_THAT(next.Names("/aufs/mnt"), IsEmpty());
  }
}

TEST(AufsBooks, AFullHomeIsAnErrorOfCreate) {
  Machine machine;
  machine.faults().Add(Fault::On(Op::kMkdir).Path("/aufs/diff/1").Fail(Errno::kNoSpc));
  EXPECT_THAT(machine.driver().CreateLayer(machine.op(), {"1"}, nullptr), IsErrno(Errno::kNoSpc));
  EXPECT_THAT(machine.Names("/aufs/mnt"), ElementsAre("1"));
  EXPECT_FALSE(machine.driver().Exists(machine.op(), {"1"}));
}

TEST(AufsBooks, AShortWriteIsContinued) {
  Machine machine;
  machine.Create("parent");
  machine.faults().Add(Fault::On(Op::kPwrite).Path("/aufs/layers/2").ShortWrite(3));
  machine.Create("2", "parent");
  EXPECT_EQ(machine.Text("/aufs/layers/2"), "parent\n");
}

// ── Status ───────────────────────────────────────────────────────────────────────────────────────

TEST(AufsStatus, DirsAreTheFilesOfLayers) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  MakeDirectories(machine.on_home(), "/aufs/layers/no layer");
  EXPECT_EQ(machine.driver().Status(machine.op())[2].second, "2");
}

TEST(AufsStatus, AnUnknownBackingFileSystemHasNoName) {
  Machine machine({.backing_fs = "", .has_dirperm1 = false});
  EXPECT_EQ(machine.driver().Status(machine.op())[1].second, "<unknown>");
  EXPECT_EQ(machine.driver().Status(machine.op())[3].second, "false");
}

TEST(AufsStatus, RootDirIsBelowTheDockerRoot) {
  Machine machine;
  machine.options.docker_root = "/srv/docker/";
  ASSERT_THAT(machine.Restart(), IsOk());
  EXPECT_EQ(machine.driver().Status(machine.op())[0].second, "/srv/docker/aufs");
}

TEST(AufsStatus, ALayerHasNoMetadata) {
  Machine machine;
  machine.Create("1");
  EXPECT_THAT(machine.driver().Metadata(machine.op(), {"1"}), IsEmpty());
}

TEST(AufsStatus, TheDriverIsDeprecated) {
  Machine machine;
  EXPECT_EQ(machine.driver().name(), "aufs");
  EXPECT_TRUE(IsDeprecatedDriver("aufs"));
  EXPECT_THAT(machine.driver().warnings(),
              ElementsAre("WARNING: the aufs storage-driver is deprecated, and will be removed in "
                          "a future release."));
}

}  // namespace
}  // namespace lamina
