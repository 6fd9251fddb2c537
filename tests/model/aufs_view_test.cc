// What a union of AUFS shows, and what making and removing names leaves on the branches: the rows
// of aufs.md §9.2 and §9.3 that can be seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/aufs_scene.h"

namespace lamina::sim {
namespace {

const std::string kLongest(242, 'n');
const std::string kTooLong(243, 'n');

// ── Look-up and readdir ────────────────────────────────────────────────────────────────────────

TEST(AufsViewLookUp, AUFS_025_TheTopmostFileIsSeenAndListedOnce) {
  AufsScene scene({Rw("f=A"), Ro("f=B")});
  EXPECT_EQ(scene.Run("read /f"), "\"A\"");
  EXPECT_EQ(scene.List("/"), "[f:f]");
}

TEST(AufsViewLookUp, AUFS_026_AFileAboveADirectoryIsAFile) {
  AufsScene scene({Rw("n=A"), Ro("n/ n/x")});
  EXPECT_EQ(scene.Run("stat /n/x"), "ENOTDIR");
  EXPECT_EQ(scene.List("/"), "[n:f]");
}

TEST(AufsViewLookUp, AUFS_027_AFileBetweenTwoDirectoriesIsPassedOver) {
  AufsScene scene({Rw("n/ n/a"), Ro("n=B"), Ro("n/ n/c")});
  EXPECT_EQ(scene.List("/n"), "[a:f c:f]");
}

TEST(AufsViewLookUp, AUFS_028_AWhiteoutOfAHonouringBranchHides) {
  AufsScene scene({Rw(""), RoWh(".wh.f"), Ro("f")});
  EXPECT_EQ(scene.Run("stat /f"), "ENOENT");
  EXPECT_EQ(scene.List("/"), "[]");
}

TEST(AufsViewLookUp, AUFS_028_AWhiteoutOfAPlainBranchDoesNotHide) {
  AufsScene scene({Rw(""), Ro(".wh.f"), Ro("f=B")});
  EXPECT_EQ(scene.Run("read /f"), "\"B\"");
  EXPECT_EQ(scene.List("/"), "[f:f]");
  EXPECT_EQ(scene.Run("stat /.wh.f"), "EPERM");
}

TEST(AufsViewLookUp, AUFS_029_AnOpaqueMarkEndsTheMerge) {
  AufsScene scene({Rw("d/ d/OPQ d/a"), Ro("d/ d/b")});
  EXPECT_EQ(scene.List("/d"), "[a:f]");
  EXPECT_EQ(scene.Run("stat /d/b"), "ENOENT");
}

TEST(AufsViewLookUp, AUFS_029_AnOpaqueMarkOfAPlainBranchHasNoEffect) {
  AufsScene scene({Rw(""), Ro("d/ d/OPQ d/a"), Ro("d/ d/b")});
  EXPECT_EQ(scene.List("/d"), "[a:f b:f]");
}

TEST(AufsViewLookUp, AUFS_030a_TheTopmostOpaqueMarkHolds) {
  AufsScene scene({Rw("d/ d/OPQ d/a"), RoWh("d/ d/OPQ d/b"), Ro("d/ d/c")});
  EXPECT_EQ(scene.List("/d"), "[a:f]");
}

TEST(AufsViewLookUp, AUFS_031_AFileBesideItsWhiteoutOnTheFirstBranchIsAnError) {
  AufsScene scene({Rw("f .wh.f g")});
  EXPECT_EQ(scene.Run("stat /f"), "EIO");
  EXPECT_EQ(scene.Run("create /f 0644"), "EIO");
  EXPECT_EQ(scene.Run("stat /g").substr(0, 1), "f");
}

TEST(AufsViewLookUp, AUFS_032_AFileBesideItsWhiteoutOnALowerBranchIsAbsent) {
  AufsScene scene({Rw(""), RoWh("f .wh.f"), Ro("f")});
  EXPECT_EQ(scene.Run("stat /f"), "ENOENT");
}

TEST(AufsViewLookUp, AUFS_033_AWhiteoutThatIsNoFileIsAnError) {
  AufsScene scene({Rw(".wh.f/"), Ro("f g")});
  EXPECT_EQ(scene.Run("stat /f"), "EIO");
  EXPECT_EQ(scene.Run("rename /g /f"), "EIO");
  EXPECT_EQ(scene.Run("stat /g").substr(0, 1), "f");
}

class AufsViewReservedName : public testing::TestWithParam<std::string> {};

TEST_P(AufsViewReservedName, AUFS_034_IsNotPermitted) {
  AufsScene scene({Rw("g d/"), Ro(".wh.x=A")});
  EXPECT_EQ(scene.Run(GetParam()), "EPERM");
  EXPECT_EQ(scene.Seen(), "d/ g");
  EXPECT_EQ(scene.On(0), "d/ g");
}

INSTANTIATE_TEST_SUITE_P(Calls, AufsViewReservedName,
                         testing::Values("stat /.wh.x", "open h /.wh.x rdonly,creat 0644",
                                         "mkdir /.wh.x 0755", "rename /g /.wh.x", "link /g /.wh.x",
                                         "unlink /.wh.x", "rename /.wh.x /y", "stat /.wh.",
                                         "stat /.wh.x/y", "symlink t /.wh..wh.aufs",
                                         "rmdir /d/.wh..wh..opq", "readdir /.wh..wh.plnk"));

TEST(AufsViewLookUp, AUFS_035_NamesHave242Bytes) {
  AufsScene scene({Rw("")});
  EXPECT_EQ(scene.Run("create /" + kLongest + " 0644"), "OK");
  EXPECT_EQ(scene.Run("create /" + kTooLong + " 0644"), "ENAMETOOLONG");
  EXPECT_EQ(scene.Run("stat /" + kTooLong + "/x"), "ENAMETOOLONG");
}

TEST(AufsViewLookUp, AUFS_036_ALongerNameOfABranchIsListedOnly) {
  AufsScene scene({Rw(""), Ro(kTooLong)});
  EXPECT_EQ(scene.List("/"), "[" + kTooLong + ":f]");
  EXPECT_EQ(scene.Run("stat /" + kTooLong), "ENAMETOOLONG");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewLookUp, AUFS_037_AnOpaqueMarkHidesWholeTrees) {
  AufsScene scene({Rw("a/ a/OPQ"), Ro("a/ a/b/ a/b/c")});
  EXPECT_EQ(scene.Run("stat /a/b"), "ENOENT");
  EXPECT_EQ(scene.Run("stat /a/b/c"), "ENOENT");
}

TEST(AufsViewLookUp, AUFS_038_AWhiteoutHidesWholeTrees) {
  AufsScene scene({Rw(".wh.a"), Ro("a/ a/b")});
  EXPECT_EQ(scene.Run("stat /a/b"), "ENOENT");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewLookUp, AUFS_042_EveryPartOfADirectoryMustAllowToReadIt) {
  AufsScene scene({{ModelBranchMode::kReadWrite, TreeAfter("mkdir /d 0755")},
                   {ModelBranchMode::kReadOnly, TreeAfter("mkdir /d 0700; put /d/f 0644 x")}});
  EXPECT_EQ(scene.Run("as 1000 1000; readdir /d"), "EACCES");
  EXPECT_EQ(scene.Run("stat /d/f"), "EACCES");
  EXPECT_EQ(scene.Run("as 0 0; readdir /d"), "[f:f]");
}

TEST(AufsViewLookUp, ToWriteADirectoryAsksItsTopmostPart) {
  AufsScene scene({{ModelBranchMode::kReadWrite, TreeAfter("mkdir /d 0755; chown /d 1000 1000")},
                   {ModelBranchMode::kReadOnly, TreeAfter("mkdir /d 0755")}});
  EXPECT_EQ(scene.Run("as 1000 1000; create /d/f 0644"), "OK");
}

TEST(AufsViewLookUp, AUFS_137_LinksOfADirectoryAreAddedUp) {
  AufsScene scene({Rw("d/ d/1/"), Ro("d/ d/1/ d/2/ d/3/")});
  EXPECT_EQ(scene.Stat("/d").links, 6U);
}

TEST(AufsViewLookUp, TheBaseEntriesAreCountedInTheRoot) {
  AufsScene scene({Rw("d/"), Ro("")});
  EXPECT_EQ(scene.Stat("/").links, 5U);
}

// ── Making names ───────────────────────────────────────────────────────────────────────────────

TEST(AufsViewCreate, AUFS_044_TheParentsAreCopied) {
  AufsScene scene(
      {Rw(""),
       {ModelBranchMode::kReadOnly, TreeAfter("mkdir /d 0755; mkdir /d/e 0711; chown /d/e 5 6")}});
  EXPECT_EQ(scene.Run("create /d/e/f 0644"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/e/ d/e/f");
  EXPECT_EQ(scene.On(1), "d/ d/e/");
  EXPECT_EQ(scene.Run("stat /d").substr(0, 10), "d 0755 0:0");
  EXPECT_THAT(scene.Run("stat /d"), testing::HasSubstr("mtime=1000"));
  EXPECT_THAT(scene.Run("stat /d/e"), testing::HasSubstr("0711 5:6"));
  EXPECT_THAT(scene.Run("stat /d/e"), testing::HasSubstr("mtime=now"));
}

TEST(AufsViewCreate, AUFS_045_TheWhiteoutGoesAndTheFileIsANewOne) {
  AufsScene scene({Rw(".wh.f"), Ro("f=old")});
  EXPECT_EQ(scene.Run("create /f 0644"), "OK");
  EXPECT_EQ(scene.On(0), "f");
  EXPECT_EQ(scene.Run("read /f"), "\"\"");
}

TEST(AufsViewCreate, AUFS_046_ADirectoryOverAWhiteoutIsOpaque) {
  AufsScene scene({Rw(".wh.d"), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("mkdir /d 0755"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/OPQ");
  EXPECT_EQ(scene.List("/d"), "[]");
}

TEST(AufsViewCreate, AUFS_047_AFreshDirectoryIsNot) {
  AufsScene scene({Rw(""), Ro("")});
  EXPECT_EQ(scene.Run("mkdir /d 0755"), "OK");
  EXPECT_EQ(scene.On(0), "d/");
}

TEST(AufsViewCreate, AUFS_048_NorOneMadeAgain) {
  AufsScene scene({Rw("d/")});
  EXPECT_EQ(scene.Run("rmdir /d; mkdir /d 0755"), "OK");
  EXPECT_EQ(scene.On(0), "d/");
}

TEST(AufsViewCreate, AUFS_049_AWhiteoutOfALowerBranchGoesOnHiding) {
  AufsScene scene({Rw(""), RoWh(".wh.d"), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("mkdir /d 0755"), "OK");
  EXPECT_EQ(scene.On(0), "d/");
  EXPECT_EQ(scene.List("/d"), "[]");
}

TEST(AufsViewCreate, AUFS_069_ASymlinkAndADeviceTakeAWhiteoutAway) {
  AufsScene scene({Rw(".wh.n .wh.w"), Ro("n w")});
  EXPECT_EQ(scene.Run("symlink t /n; mknod /w 0600 c 0 0"), "OK");
  EXPECT_EQ(scene.On(0), "n>t w");
}

TEST(AufsViewCreate, AUFS_123_TheTopmostPartOfTheParentIsWritten) {
  AufsScene scene({Rw(""), Rw("d/")});
  EXPECT_EQ(scene.Run("create /d/f 0644"), "OK");
  EXPECT_EQ(scene.On(0), "");
  EXPECT_EQ(scene.On(1), "d/ d/f");
}

TEST(AufsViewCreate, AUFS_124_OrTheNearestBranchAboveIt) {
  AufsScene scene({Rw(""), Ro("d/")});
  EXPECT_EQ(scene.Run("create /d/f 0644"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/f");
}

TEST(AufsViewCreate, AUFS_002_NeverOneBelow) {
  AufsScene scene({Ro(""), Rw("")});
  EXPECT_EQ(scene.Run("create /x 0644"), "EROFS");
}

// ── Removing names ─────────────────────────────────────────────────────────────────────────────

TEST(AufsViewRemove, AUFS_050_NothingBelowNeedsNoWhiteout) {
  AufsScene scene({Rw("f"), Ro("")});
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), "");
}

TEST(AufsViewRemove, AUFS_051_AFileBelowDoes) {
  AufsScene scene({Rw("f"), Ro("f")});
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.f");
  EXPECT_EQ(scene.On(1), "f");
  EXPECT_EQ(scene.Run("stat /f"), "ENOENT");
}

TEST(AufsViewRemove, AUFS_052_TheParentIsCopied) {
  AufsScene scene({Rw(""), Ro("d/ d/f")});
  EXPECT_EQ(scene.Run("unlink /d/f"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/.wh.f");
  EXPECT_EQ(scene.List("/d"), "[]");
}

TEST(AufsViewRemove, AUFS_053_AWhiteoutBelowHidesAlready) {
  AufsScene scene({Rw("f"), RoWh(".wh.f"), Ro("f")});
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), "");
}

TEST(AufsViewRemove, AUFS_054_UnlessItsBranchIsPlain) {
  AufsScene scene({Rw("f"), Ro(".wh.f"), Ro("f")});
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.f");
}

TEST(AufsViewRemove, AUFS_055_TheTypeBelowDoesNotMatter) {
  AufsScene scene({Rw("f"), Ro("f/")});
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.f");
}

TEST(AufsViewRemove, AUFS_056_WhiteoutsAreLinksOfTheBaseFile) {
  AufsScene scene({Rw("f"), Ro("f d/ d/f")});
  EXPECT_EQ(scene.Run("unlink /f; unlink /d/f"), "OK");
  const ModelTree& top = scene.view().branch(0);
  const ModelIno base = top.InoOf("/.wh..wh.aufs");
  EXPECT_EQ(top.InoOf("/.wh.f"), base);
  EXPECT_EQ(top.InoOf("/d/.wh.f"), base);
  EXPECT_EQ(top.Links(base), 3U);
}

TEST(AufsViewRemove, AUFS_057_TheWrongCall) {
  AufsScene scene({Rw("d/ f")});
  EXPECT_EQ(scene.Run("unlink /d"), "EISDIR");
  EXPECT_EQ(scene.Run("rmdir /f"), "ENOTDIR");
}

TEST(AufsViewRemove, AUFS_058_NamesBelowKeepADirectory) {
  AufsScene scene({Rw(""), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("rmdir /d"), "ENOTEMPTY");
  EXPECT_EQ(scene.On(0), "");
}

struct RemoveCase {
  std::string name;
  std::string top;
  std::string below;
};

void PrintTo(const RemoveCase& c, std::ostream* os) { *os << c.name; }

class AufsViewRmdir : public testing::TestWithParam<RemoveCase> {};

TEST_P(AufsViewRmdir, LeavesOneWhiteout) {
  AufsScene scene({Rw(GetParam().top), Ro(GetParam().below)});
  EXPECT_EQ(scene.Run("rmdir /d"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.d");
  EXPECT_EQ(scene.On(1), GetParam().below);
  EXPECT_EQ(scene.Seen(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Directories, AufsViewRmdir,
    testing::Values(RemoveCase{"AUFS_059", "d/ d/.wh.x", "d/ d/x"},
                    RemoveCase{"AUFS_060", "", "d/"}, RemoveCase{"AUFS_061", "d/ d/OPQ", "d/ d/x"},
                    RemoveCase{"AUFS_062", "d/ d/.wh.1 d/.wh.2 d/.wh.3", "d/ d/1 d/2 d/3"}),
    [](const auto& suite) { return suite.param.name; });

TEST(AufsViewRemove, WhiteoutsOfAPlainBranchCountForRmdirOnly) {
  AufsScene scene({Rw(""), Ro("d/ d/.wh.x"), Ro("d/ d/x")});
  EXPECT_EQ(scene.List("/d"), "[x:f]");
  EXPECT_EQ(scene.Run("rmdir /d"), "OK");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewRemove, AUFS_065_TheWhiteoutComesBack) {
  AufsScene scene({Rw(""), Ro("d/")});
  EXPECT_EQ(scene.Run("rmdir /d; create /d 0644; unlink /d"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.d");
}

TEST(AufsViewRemove, AUFS_066_ADirectoryRemovedAndMadeAgain) {
  AufsScene scene({Rw(""), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("unlink /d/x; rmdir /d; mkdir /d 0755; create /d/y 0644"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/OPQ d/y");
  EXPECT_EQ(scene.List("/d"), "[y:f]");
}

class AufsViewReadOnly : public testing::TestWithParam<std::string> {};

TEST_P(AufsViewReadOnly, AUFS_067_IsARefusal) {
  AufsScene scene({Ro(""), RoWh("f d/")});
  EXPECT_EQ(scene.Run(GetParam()), "EROFS");
}

INSTANTIATE_TEST_SUITE_P(Calls, AufsViewReadOnly,
                         testing::Values("create /x 0644", "unlink /f", "mkdir /x 0755",
                                         "open h /f wronly", "access /f w", "chmod /f 0600",
                                         "rename /f /g", "rmdir /d", "setxattr /f trusted.a 1",
                                         "removexattr /f trusted.a", "utimens /f 5 5",
                                         "truncate /f 1"));

TEST(AufsViewRemove, ANewFileOverAWhiteoutMakesRoomAgain) {  // AUFS-162
  AufsScene scene({Rw("f=new"), Ro("f=old")});
  EXPECT_EQ(scene.Run("unlink /f; put /f 0644 n2"), "OK 2");
  EXPECT_EQ(scene.On(0), "f=n2");
  EXPECT_EQ(scene.Run("unlink /f"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.f");
}

TEST(AufsViewRemove, AUFS_166_InAnOpaqueDirectoryNothingIsBelow) {
  AufsScene scene({Rw("d/ d/OPQ"), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("create /d/x 0644"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/OPQ d/x");
  EXPECT_EQ(scene.Run("unlink /d/x"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/OPQ");
}

TEST(AufsViewRemove, AUFS_158_AnUnrelatedWhiteoutInBetween) {
  AufsScene scene({Rw(""), RoWh("tmp/ tmp/c/ tmp/c/j"), RoWh("tmp/ tmp/c/"), RoWh("tmp/ tmp/.wh.b"),
                   RoWh("tmp/ tmp/c/"), RoWh("tmp/")});
  EXPECT_EQ(scene.Run("unlink /tmp/c/j; rmdir /tmp/c"), "OK");
  EXPECT_EQ(scene.On(0), "tmp/ tmp/.wh.c");
  EXPECT_EQ(scene.List("/tmp"), "[]");
}

TEST(AufsViewRemove, AUFS_161_AWhiteoutOfALowerBranchCounts) {
  AufsScene scene({Rw(""), RoWh("d/ d/.wh.x d/y"), Ro("d/ d/x d/z")});
  EXPECT_EQ(scene.List("/d"), "[y:f z:f]");
  EXPECT_EQ(scene.Run("unlink /d/y; unlink /d/z; rmdir /d"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.d");
  EXPECT_EQ(scene.Run("mkdir /d 0755"), "OK");
  EXPECT_EQ(scene.On(0), "d/ d/OPQ");
}

TEST(AufsViewRemove, TheRealDirectoryIsAskedToo) {
  const char* open = "mkdir /d 0777; put /d/g 0666 x";
  const char* closed = "mkdir /d 0755; put /d/f 0666 x";
  AufsScene scene({{ModelBranchMode::kReadWrite, TreeAfter(open)},
                   {ModelBranchMode::kReadWrite, TreeAfter(closed)}});
  EXPECT_EQ(scene.Run("as 1000 1000; unlink /d/f"), "EACCES");
  EXPECT_EQ(scene.Run("unlink /d/g"), "OK");
}

TEST(AufsViewRemove, AParentThatCannotBeWrittenKeepsItsTime) {
  AufsScene scene({Rw(""), Ro("d/"), Rw("d/ d/f")});
  EXPECT_EQ(scene.Run("unlink /d/f"), "OK");
  EXPECT_EQ(scene.On(0), "");
  EXPECT_EQ(scene.On(2), "d/");
  EXPECT_THAT(scene.Run("stat /d"), testing::HasSubstr("mtime=1000"));
}

}  // namespace
}  // namespace lamina::sim
