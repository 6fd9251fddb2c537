// Diff, Changes and DiffSize of the aufs driver against the direct parent, on layers as
// AUFS leaves them.
#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "tests/driver/two_layers.h"

namespace lamina {
namespace {

using sim::Fault;
using sim::Op;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;
using ::testing::Pair;

// ── Diff ─────────────────────────────────────────────────────────────────────────────────────────

TEST(AufsDiff, LeavesOutPrivateNamesAtTheRootOnly) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  Put(*scene.layer, "/.wh..wh.plnk/12.34", "x");
  MakeDirectories(*scene.layer, "/d");
  scene.Mark("/.wh..wh..opq");
  scene.Mark("/d/.wh..wh..opq");
  scene.Mark("/d/.wh.gone");
  MakeDirectories(*scene.layer, "/d/.wh..wh.tmp.0001");
  EXPECT_THAT(scene.Members(), ElementsAre(".wh..wh..opq", "d/", "d/.wh..wh..opq -> .wh..wh..opq",
                                           "d/.wh..wh.tmp.0001/", "d/.wh.gone -> .wh..wh..opq"));
}

TEST(AufsDiff, IsInTheOrderOfAWalk) {
  TwoLayers scene;
  Put(*scene.layer, "/a-b", "");
  MakeDirectories(*scene.layer, "/a/z");
  Put(*scene.layer, "/a/b", "");
  Put(*scene.layer, "/B", "");
  std::vector<std::string> paths;
  for (const LayerEntry& entry : scene.machine.Diff("2", "1").entries) paths.push_back(entry.path);
  EXPECT_THAT(paths, ElementsAre("/B", "/a", "/a/b", "/a/z", "/a-b"));
}

TEST(AufsDiff, RepeatedInodesAreHardLinks) {
  TwoLayers scene;
  Put(*scene.layer, "/b", "body");
  ASSERT_THAT(scene.layer->Link("/b", "/a", LastLink::kKeep), IsOk());
  ASSERT_THAT(scene.layer->Link("/b", "/c", LastLink::kKeep), IsOk());
  const ChangeSet set = scene.machine.Diff("2", "1");
  EXPECT_THAT(MemberLines(set), ElementsAre("a", "b -> a", "c -> a"));
  EXPECT_EQ(BodyOf(EntryAt(set, "/a")), "body");
  EXPECT_EQ(EntryAt(set, "/b").content, nullptr);
}

// A name whose other name is in the store of pseudo-links only is a file of its own.
TEST(AufsDiff, ALinkToAPseudoLinkIsLost) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  Put(*scene.layer, "/f", "x");
  ASSERT_THAT(scene.layer->Link("/f", "/.wh..wh.plnk/12.34", LastLink::kKeep), IsOk());
  const ChangeSet set = scene.machine.Diff("2", "1");
  EXPECT_THAT(MemberLines(set), ElementsAre("f"));
  EXPECT_EQ(BodyOf(EntryAt(set, "/f")), "x");
}

TEST(AufsDiff, EntriesHaveEverything) {
  TwoLayers scene;
  Process& layer = *scene.layer;
  Put(layer, "/f", "body", 0600);
  ASSERT_THAT(layer.Chown("/f", 7, 8, LastLink::kKeep), IsOk());
  ASSERT_THAT(layer.Chmod("/f", 04750), IsOk());
  ASSERT_THAT(layer.Setxattr("/f", "user.k", "v", XattrMode::kSet, LastLink::kKeep), IsOk());
  ASSERT_THAT(layer.Utimens("/f", At(5), At(6, 7), LastLink::kKeep), IsOk());
  ASSERT_THAT(layer.Symlink("some/where", "/l"), IsOk());
  ASSERT_THAT(layer.Mknod("/null", FileType::kCharDevice, 0666, MakeDevice(1, 3)), IsOk());
  ASSERT_THAT(layer.Mknod("/p", FileType::kFifo, 0640, 0), IsOk());
  const ChangeSet set = scene.machine.Diff("2", "1");
  const LayerEntry& file = EntryAt(set, "/f");
  EXPECT_EQ(file.mode, 04750);
  EXPECT_EQ(file.uid, 7);
  EXPECT_EQ(file.gid, 8);
  EXPECT_EQ(file.mtime, InstantFromSeconds(6, 7));
  EXPECT_THAT(file.xattrs, ElementsAre(Pair("user.k", "v")));
  EXPECT_EQ(file.size_bytes(), 4);
  EXPECT_EQ(EntryAt(set, "/l").symlink_target, "some/where");
  EXPECT_EQ(EntryAt(set, "/null").rdev, MakeDevice(1, 3));
  EXPECT_EQ(EntryAt(set, "/p").type, FileType::kFifo);
}

TEST(AufsDiff, ASocketIsLeftOut) {
  TwoLayers scene;
  ASSERT_THAT(scene.layer->Mknod("/s", FileType::kSocket, 0600, 0), IsOk());
  EXPECT_THAT(scene.Members(), IsEmpty());
  EXPECT_THAT(scene.machine.said(),
              ElementsAre("warning: Can't add file /s to tar: archive/tar: sockets not supported"));
}

TEST(AufsDiff, OfABaseLayerIsAllOfIt) {
  TwoLayers scene;
  Put(*scene.below, "/f", "x");
  EXPECT_THAT(MemberLines(scene.machine.Diff("1")), ElementsAre("f"));
  EXPECT_THAT(MemberLines(scene.machine.Diff("1", "2")), ElementsAre("f"));
}

TEST(AufsDiff, OfALayerThatIsNotThereIsAnError) {
  Machine machine;
  StorageDriver& driver = machine.driver();
  EXPECT_THAT(driver.Diff(machine.op(), {"1"}, nullptr), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(driver.Changes(machine.op(), {"1"}, nullptr), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(driver.DiffSize(machine.op(), {"1"}, nullptr), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(driver.ApplyDiff(machine.op(), {"1"}, nullptr, {}), IsErrno(Errno::kNoEnt));
}

// A body is what it was at the time of the Diff.
TEST(AufsDiff, ABodyDoesNotChangeAnyMore) {
  TwoLayers scene;
  Put(*scene.layer, "/f", "then");
  const ChangeSet set = scene.machine.Diff("2", "1");
  Put(*scene.layer, "/f", "now");
  EXPECT_EQ(BodyOf(EntryAt(set, "/f")), "then");
}

TEST(AufsDiff, AFileThatCannotBeReadIsAnError) {
  TwoLayers scene;
  Put(*scene.layer, "/f", "x");
  scene.machine.faults().Add(Fault::On(Op::kPread).Path("/aufs/diff/2/f").Fail(Errno::kIo));
  const LayerId parent{"1"};
  EXPECT_THAT(scene.machine.driver().Diff(scene.machine.op(), {"2"}, &parent), IsErrno(Errno::kIo));
}

// ── Changes ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsChanges, OfABaseLayerAreAdditions) {
  TwoLayers scene;
  MakeDirectories(*scene.below, "/d");
  Put(*scene.below, "/d/f", "x");
  EXPECT_THAT(Lines(scene.machine.Changes("1")), ElementsAre("A /d", "A /d/f"));
}

TEST(AufsChanges, WhatAnyAncestorHasIsModified) {
  TwoLayers scene;
  scene.machine.Create("3", "2");
  Put(*scene.below, "/old", "x");
  Put(*scene.layer, "/newer", "x");
  const std::unique_ptr<Process> top = scene.In("3");
  Put(*top, "/old", "y");
  Put(*top, "/newer", "y");
  Put(*top, "/new", "y");
  EXPECT_THAT(Lines(scene.machine.Changes("3", "2")), ElementsAre("A /new", "C /newer", "C /old"));
}

// A whiteout between the two layers is not looked at.
TEST(AufsChanges, WhatWasDeletedInBetweenIsModified) {
  TwoLayers scene;
  scene.machine.Create("3", "2");
  Put(*scene.below, "/f", "x");
  Put(*scene.layer, "/.wh.f", "");
  Put(*scene.In("3"), "/f", "y");
  EXPECT_THAT(Lines(scene.machine.Changes("3", "2")), ElementsAre("C /f"));
}

TEST(AufsChanges, AWhiteoutIsADeletion) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  scene.Mark("/.wh.f");
  EXPECT_THAT(scene.Changes(), ElementsAre("D /f"));
}

TEST(AufsChanges, AnOpaqueMarkIsADeletionOfAnOddName) {
  TwoLayers scene;
  MakeDirectories(*scene.layer, "/d");
  Put(*scene.layer, "/d/.wh..wh..opq", "");
  Put(*scene.layer, "/.wh..wh..opq", "");
  EXPECT_THAT(scene.Changes(), ElementsAre("A /d", "D /d/.wh..opq"));
}

// Only the private name itself is passed over.
TEST(AufsChanges, WhatIsInAPrivateDirectoryIsListed) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  EXPECT_THAT(scene.Changes(), IsEmpty());
  Put(*scene.layer, "/.wh..wh.plnk/12.34", "x");
  EXPECT_THAT(scene.Changes(), ElementsAre("C /.wh..wh.plnk", "A /.wh..wh.plnk/12.34"));
}

// Directories that are the same in both layers: of one mode and time.
class SameDirectories : public TwoLayers {
 public:
  SameDirectories() {
    MakeDirectories(*below, "/d");
    MakeDirectories(*layer, "/d");
    SetTime(*below, At(1000));
    SetTime(*layer, At(1000));
  }
  void SetTime(Process& process, TimeChange mtime) {
    EXPECT_THAT(process.Utimens("/d", {}, mtime, LastLink::kKeep), IsOk());
  }
};

TEST(AufsChanges, ADirectoryThatIsTheSameIsNotListed) {
  SameDirectories scene;
  EXPECT_THAT(scene.Changes(), IsEmpty());
}

TEST(AufsChanges, ADirectoryWithAnotherModeIsListed) {
  SameDirectories scene;
  ASSERT_THAT(scene.layer->Chmod("/d", 0700), IsOk());
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d"));
}

TEST(AufsChanges, ADirectoryWithAnotherTimeIsListed) {
  SameDirectories scene;
  scene.SetTime(*scene.layer, At(1001));
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d"));
  scene.SetTime(*scene.below, At(1001, 1));
  scene.SetTime(*scene.layer, At(1001, 2));
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d"));
}

// As a tar would have left it.
TEST(AufsChanges, AWholeSecondIsTheSameAsAnyTimeInIt) {
  SameDirectories scene;
  scene.SetTime(*scene.layer, At(1000, 999'999'999));
  EXPECT_THAT(scene.Changes(), IsEmpty());
  scene.SetTime(*scene.below, At(-1000));
  scene.SetTime(*scene.layer, At(-1000, 5));
  EXPECT_THAT(scene.Changes(), IsEmpty());
}

TEST(AufsChanges, AnOwnerAloneDoesNotMatter) {
  SameDirectories scene;
  ASSERT_THAT(scene.layer->Chown("/d", 5, 5, LastLink::kKeep), IsOk());
  EXPECT_THAT(scene.Changes(), IsEmpty());
}

TEST(AufsChanges, AnAdditionListsItsDirectoryFirst) {
  SameDirectories scene;
  Put(*scene.layer, "/d/new", "x");
  Put(*scene.layer, "/d/other", "x");
  scene.SetTime(*scene.layer, At(1000));
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d", "A /d/new", "A /d/other"));
}

TEST(AufsChanges, ADeletionListsItsDirectoryFirst) {
  SameDirectories scene;
  Put(*scene.layer, "/d/.wh.gone", "");
  scene.SetTime(*scene.layer, At(1000));
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d", "D /d/gone"));
}

TEST(AufsChanges, AModifiedFileDoesNotListItsDirectory) {
  SameDirectories scene;
  Put(*scene.below, "/d/f", "x");
  Put(*scene.layer, "/d/f", "y");
  scene.SetTime(*scene.below, At(1000));
  scene.SetTime(*scene.layer, At(1000));
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d/f"));
}

// A file above a directory, or the other way round, hides it.
TEST(AufsChanges, AnotherTypeIsAModification) {
  TwoLayers scene;
  MakeDirectories(*scene.below, "/d");
  Put(*scene.below, "/f", "x");
  Put(*scene.layer, "/d", "now a file");
  MakeDirectories(*scene.layer, "/f/sub");
  EXPECT_THAT(scene.Changes(), ElementsAre("C /d", "C /f", "A /f/sub"));
}

TEST(AufsChanges, AnAncestorThatWasRemovedHoldsNothing) {
  TwoLayers scene;
  Put(*scene.below, "/f", "x");
  Put(*scene.layer, "/f", "y");
  ASSERT_THAT(scene.machine.driver().Remove(scene.machine.op(), {"1"}), IsOk());
  EXPECT_THAT(scene.Changes(), ElementsAre("A /f"));
}

// ── DiffSize ─────────────────────────────────────────────────────────────────────────────────────

TEST(AufsDiffSize, CountsFilesOnceAndNoDirectories) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  MakeDirectories(*scene.layer, "/d");
  Put(*scene.layer, "/d/f", std::string(100, 'x'));
  ASSERT_THAT(scene.layer->Link("/d/f", "/again", LastLink::kKeep), IsOk());
  ASSERT_THAT(scene.layer->Link("/d/f", "/.wh..wh.plnk/1.2", LastLink::kKeep), IsOk());
  ASSERT_THAT(scene.layer->Symlink("12345", "/l"), IsOk());
  EXPECT_EQ(scene.machine.DiffSize("2", "1"), 105);
}

}  // namespace
}  // namespace lamina
