// ApplyDiff of the aufs driver: a plain unpacking into the layer's directory.
#include <gtest/gtest.h>

#include <algorithm>

#include "lamina/testing/matchers.h"
#include "tests/driver/entries.h"
#include "tests/driver/two_layers.h"

namespace lamina {
namespace {

using sim::Fault;
using sim::Op;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;
using testing::IsOkAndHolds;

TEST(AufsApply, PutsMarksAsFiles) {
  TwoLayers scene;
  Put(*scene.layer, "/f", "of this layer");
  const ChangeSet set = {{FileEntry("/.wh.f"), DirectoryEntry("/d"), FileEntry("/d/.wh..wh..opq")}};
  EXPECT_THAT(scene.Apply(set), IsOkAndHolds(13));
  EXPECT_THAT(NamesOf(*scene.layer, "/"), ElementsAre(".wh.f", "d", "f"));
  EXPECT_THAT(NamesOf(*scene.layer, "/d"), ElementsAre(".wh..wh..opq"));
}

TEST(AufsApply, GivesTheSizeOfTheLayer) {
  TwoLayers scene;
  Put(*scene.layer, "/old", "12345");
  EXPECT_THAT(scene.Apply({{FileEntry("/new", "123"), LinkEntry("/again", "/new")}}),
              IsOkAndHolds(8));
}

// What comes out of a Diff goes in again as it was.
TEST(AufsApply, IsTheReverseOfDiff) {
  TwoLayers scene;
  scene.MakeBaseEntries();
  MakeDirectories(*scene.layer, "/d");
  scene.Mark("/d/.wh.x");
  scene.Mark("/.wh.y");
  Put(*scene.layer, "/d/f", "body", 0640);
  ASSERT_THAT(scene.layer->Chmod("/d/f", 06755), IsOk());
  ASSERT_THAT(scene.layer->Chown("/d/f", 3, 4, LastLink::kKeep), IsOk());
  ASSERT_THAT(scene.layer->Chmod("/d/f", 06755), IsOk());
  ASSERT_THAT(scene.layer->Setxattr("/d", "trusted.k", "v", XattrMode::kSet, LastLink::kKeep),
              IsOk());
  ASSERT_THAT(scene.layer->Symlink("f", "/d/l"), IsOk());
  ASSERT_THAT(scene.layer->Link("/d/f", "/again", LastLink::kKeep), IsOk());
  ASSERT_THAT(scene.layer->Mknod("/dev", FileType::kBlockDevice, 0600, MakeDevice(8, 1)), IsOk());
  ASSERT_THAT(scene.layer->Utimens("/d", At(1), At(2, 3), LastLink::kKeep), IsOk());
  const ChangeSet set = scene.machine.Diff("2", "1");
  scene.machine.Create("3", "1");
  const LayerId parent{"1"};
  ASSERT_THAT(scene.machine.driver().ApplyDiff(scene.machine.op(), {"3"}, &parent, set), IsOk());
  const ChangeSet again = scene.machine.Diff("3", "1");
  EXPECT_EQ(MemberLines(again), MemberLines(set));
  const auto same = [](const LayerEntry& a, const LayerEntry& b) {
    return a.path == b.path && a.type == b.type && a.mode == b.mode && a.uid == b.uid &&
           a.gid == b.gid && a.mtime == b.mtime && a.rdev == b.rdev && a.xattrs == b.xattrs &&
           a.symlink_target == b.symlink_target && a.hard_link == b.hard_link &&
           BodyOf(a) == BodyOf(b);
  };
  EXPECT_TRUE(std::equal(set.entries.begin(), set.entries.end(), again.entries.begin(),
                         again.entries.end(), same));
}

TEST(AufsApply, ReplacesWhatIsThereUnlessBothAreDirectories) {
  TwoLayers scene;
  MakeDirectories(*scene.layer, "/both/kept");
  MakeDirectories(*scene.layer, "/dir/sub");
  Put(*scene.layer, "/file", "x");
  ASSERT_THAT(scene.Apply({{DirectoryEntry("/both"), FileEntry("/dir", "now a file"),
                            DirectoryEntry("/file")}}),
              IsOk());
  EXPECT_THAT(NamesOf(*scene.layer, "/both"), ElementsAre("kept"));
  EXPECT_EQ(TextOf(*scene.layer, "/dir"), "now a file");
  EXPECT_THAT(NamesOf(*scene.layer, "/file"), IsEmpty());
}

TEST(AufsApply, MakesParentsThatNoEntryDescribes) {
  TwoLayers scene;
  ASSERT_THAT(scene.Apply({{FileEntry("/a/b/f", "x")}}), IsOk());
  EXPECT_EQ(TextOf(*scene.layer, "/a/b/f"), "x");
  EXPECT_EQ(scene.layer->GetStat("/a/b", LastLink::kKeep)->mode, 0755);
}

TEST(AufsApply, DirectoriesGetTheirTimesLast) {
  TwoLayers scene;
  LayerEntry directory = DirectoryEntry("/d");
  directory.mtime = InstantFromSeconds(77);
  ASSERT_THAT(scene.Apply({{directory, FileEntry("/d/f", "x")}}), IsOk());
  EXPECT_EQ(scene.layer->GetStat("/d", LastLink::kKeep)->mtime, InstantFromSeconds(77));
}

TEST(AufsApply, PassesOverTheRoot) {
  TwoLayers scene;
  LayerEntry root = DirectoryEntry("/");
  root.mode = 0700;
  ASSERT_THAT(scene.Apply({{root, FileEntry("/f", "x")}}), IsOk());
  EXPECT_EQ(scene.layer->GetStat("/", LastLink::kKeep)->mode, 0755);
}

TEST(AufsApply, AWayThroughASymlinkIsRefused) {
  TwoLayers scene;
  LayerEntry link = FileEntry("/l");
  link.type = FileType::kSymlink;
  link.symlink_target = "/";
  EXPECT_THAT(scene.Apply({{link, FileEntry("/l/f", "x")}}), IsErrno(Errno::kNotDir));
  EXPECT_THAT(NamesOf(*scene.layer, "/"), ElementsAre("l"));
}

TEST(AufsApply, AHardLinkToNothingIsAnError) {
  TwoLayers scene;
  EXPECT_THAT(scene.Apply({{LinkEntry("/l", "/missing")}}), IsErrno(Errno::kNoEnt));
}

// The path is looked at before anything is done.
class BadPath : public ::testing::TestWithParam<std::string> {};

TEST_P(BadPath, IsRefused) {
  TwoLayers scene;
  EXPECT_THAT(scene.Apply({{FileEntry("/f", "x"), FileEntry(GetParam(), "x")}}),
              IsErrno(Errno::kInval));
  EXPECT_THAT(scene.Apply({{FileEntry("/f", "x"), LinkEntry("/l", GetParam() + "/../x")}}),
              IsErrno(Errno::kInval));
  EXPECT_THAT(NamesOf(*scene.layer, "/"), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(Paths, BadPath,
                         ::testing::Values("", "f", "/", "/a/../f", "/..", "/a/./f", "/a//f", "/a/",
                                           std::string("/a\0b", 4)));

TEST(AufsApply, XattrsThatTheHomeCannotHoldAreIgnoredWithAWarning) {
  TwoLayers scene;
  LayerEntry one = FileEntry("/1");
  one.xattrs = {{"odd.namespace", "v"}, {"user.k", "v"}};
  LayerEntry two = FileEntry("/2");
  two.xattrs = {{"odd.namespace", "v"}};
  ASSERT_THAT(scene.Apply({{one, two}}), IsOk());
  EXPECT_THAT(scene.layer->Listxattr("/1", LastLink::kKeep), IsOkAndHolds(ElementsAre("user.k")));
  EXPECT_THAT(scene.machine.said(),
              ElementsAre("warning: ignored xattrs in archive: underlying filesystem doesn't "
                          "support them"));
}

TEST(AufsApply, AFullHomeLeavesAPart) {
  TwoLayers scene;
  scene.machine.faults().Add(Fault::On(Op::kPwrite).Path("/aufs/diff/2/b").Fail(Errno::kNoSpc));
  EXPECT_THAT(scene.Apply({{FileEntry("/a", "1"), FileEntry("/b", "2"), FileEntry("/c", "3")}}),
              IsErrno(Errno::kNoSpc));
  EXPECT_EQ(TextOf(*scene.layer, "/a"), "1");
  EXPECT_EQ(TextOf(*scene.layer, "/c"), "ENOENT");
}

}  // namespace
}  // namespace lamina
