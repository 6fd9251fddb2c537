// When a union of AUFS copies, and what open files see of it: the rows of aufs.md §9.5 that can be
// seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/aufs_scene.h"

namespace lamina::sim {
namespace {

using testing::HasSubstr;

AufsView::Content TwoNames() {
  return {ModelBranchMode::kReadOnly, TreeAfter("put /a 0644 1; link /a /b")};
}

// ── When ───────────────────────────────────────────────────────────────────────────────────────

TEST(AufsViewCopyUp, AUFS_098_NotWhenAFileIsOpenedAndRead) {
  AufsScene scene({Rw(""), Ro("f=x")});
  EXPECT_EQ(scene.Run("open h /f rdwr; hread h 0 9"), "\"x\"");
  EXPECT_EQ(scene.Run("close h"), "OK");
  EXPECT_EQ(scene.On(0), "");
}

TEST(AufsViewCopyUp, AUFS_099_AtTheFirstWrite) {
  AufsScene scene({Rw(""), Ro("d/ d/f=hello")});
  const std::uint64_t before = scene.Stat("/d/f").identity;
  EXPECT_EQ(scene.Run("open h /d/f wronly; hwrite h 0 J"), "OK 1");
  EXPECT_EQ(scene.On(0), "d/ d/f=Jello");
  EXPECT_EQ(scene.On(1), "d/ d/f=hello");
  EXPECT_EQ(scene.Stat("/d/f").identity, before);
  EXPECT_THAT(scene.Run("stat /d"), HasSubstr("mtime=1000"));
}

TEST(AufsViewCopyUp, AUFS_100_WhenTruncatedByOpen) {
  AufsScene scene({Rw(""), Ro("f=hello")});
  EXPECT_EQ(scene.Run("open h /f wronly,trunc"), "OK");
  EXPECT_EQ(scene.On(0), "f");
}

TEST(AufsViewCopyUp, AUFS_101_WhenTruncated) {
  AufsScene scene({Rw(""), Ro("f=hello g=hi")});
  EXPECT_EQ(scene.Run("truncate /f 2; truncate /g 4"), "OK");
  EXPECT_EQ(scene.Run("read /f"), "\"he\"");
  EXPECT_EQ(scene.Run("read /g"), "\"hi\\x00\\x00\"");
}

TEST(AufsViewCopyUp, AUFS_102_AttributesAreKept) {
  AufsScene scene(
      {Rw(""),
       {ModelBranchMode::kReadOnly,
        TreeAfter("put /f 0644 x; chown /f 7 8; chmod /f 04755; setxattr /f user.a 1")}});
  EXPECT_EQ(scene.Run("chmod /f 0700"), "OK");
  EXPECT_EQ(scene.Run("stat /f"), "f 0700 7:8 size=1 nlink=1 mtime=1000");
  EXPECT_EQ(scene.Run("getxattr /f user.a"), "\"1\"");
  EXPECT_EQ(scene.On(0), "f=x");
}

TEST(AufsViewCopyUp, AUFS_103_WhenAWritableHandleIsSynced) {
  AufsScene scene({Rw(""), Ro("f=x g=y")});
  EXPECT_EQ(scene.Run("open h /f rdwr; hfsync h"), "OK");
  EXPECT_EQ(scene.Run("open i /g rdonly; hfsync i"), "OK");
  EXPECT_EQ(scene.On(0), "f=x");
}

TEST(AufsViewCopyUp, AUFS_105_ADirectoryIsCopiedAlone) {
  AufsScene scene({Rw(""), Ro("d/ d/1 d/2 d/3")});
  EXPECT_EQ(scene.Run("chmod /d 0700"), "OK");
  EXPECT_EQ(scene.On(0), "d/");
  EXPECT_EQ(scene.List("/d"), "[1:f 2:f 3:f]");
}

TEST(AufsViewCopyUp, AUFS_106_ASymlinkIsCopiedAlone) {
  AufsScene scene({Rw(""), Ro("s>t t=x")});
  EXPECT_EQ(scene.Run("chown /s 5 5"), "OK");
  EXPECT_EQ(scene.On(0), "s>t");
  EXPECT_THAT(scene.Run("stat /s"), HasSubstr("5:5"));
}

TEST(AufsViewCopyUp, AUFS_108_AHoleOfOtherSizeThanABlockIsWritten) {
  AufsScene scene(
      {Rw(""),
       {ModelBranchMode::kReadOnly, TreeAfter("create /f 0644; truncate /f 300; create /g 0644; "
                                              "truncate /g 8192")}});
  EXPECT_EQ(scene.Run("truncate /f 300; truncate /g 8192"), "OK");
  EXPECT_THAT(scene.Run("stat /f"), HasSubstr("mtime=now"));
  EXPECT_THAT(scene.Run("stat /g"), HasSubstr("mtime=1000"));
}

TEST(AufsViewCopyUp, AUFS_164_TheWholeChainIsCopied) {
  AufsScene scene({Rw(""), Ro("a/ a/b/ a/b/f=x a/b/g a/c")});
  EXPECT_EQ(scene.Run("chmod /a/b/f 0600"), "OK");
  EXPECT_EQ(scene.On(0), "a/ a/b/ a/b/f=x");
  EXPECT_EQ(scene.List("/a"), "[b:d c:f]");
  EXPECT_EQ(scene.List("/a/b"), "[f:f g:f]");
}

TEST(AufsViewCopyUp, ARemovedAttributeThatIsNotThereCopiesToo) {
  AufsScene scene({Rw(""), Ro("f=x")});
  EXPECT_EQ(scene.Run("removexattr /f user.none"), "ENODATA");
  EXPECT_EQ(scene.On(0), "f=x");
}

TEST(AufsViewCopyUp, AUFS_125_GoesToTheHighestBranchWithTheDirectory) {
  AufsScene scene({Rw("d/"), Rw(""), Ro("d/ d/f=x")});
  EXPECT_EQ(scene.Run("append /d/f y"), "OK 1");
  EXPECT_EQ(scene.On(0), "d/ d/f=xy");
  EXPECT_EQ(scene.On(1), "");
}

TEST(AufsViewCopyUp, AUFS_126_OfTwo) {
  AufsScene scene({Rw("d/"), Rw("d/"), Ro("d/ d/f=x")});
  EXPECT_EQ(scene.Run("append /d/f y"), "OK 1");
  EXPECT_EQ(scene.On(0), "d/ d/f=xy");
  EXPECT_EQ(scene.On(1), "d/");
}

TEST(AufsViewCopyUp, WithoutTheDirectoryGoesToTheNearestBranch) {
  AufsScene scene({Rw(""), Rw(""), Ro("d/ d/f=x")});
  EXPECT_EQ(scene.Run("append /d/f y"), "OK 1");
  EXPECT_EQ(scene.On(0), "");
  EXPECT_EQ(scene.On(1), "d/ d/f=xy");
}

// ── Hard links ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsViewHardLinks, AUFS_110_StayTogether) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2"), "OK 1");
  EXPECT_EQ(scene.On(0), "a=12");
  EXPECT_EQ(scene.On(1), "a=1 b=1");
  EXPECT_EQ(scene.Stat("/b").inode.content, "12");
  EXPECT_EQ(scene.Stat("/a").identity, scene.Stat("/b").identity);
  EXPECT_EQ(scene.Stat("/a").links, 2U);
  EXPECT_EQ(scene.Stat("/b").links, 2U);
}

TEST(AufsViewHardLinks, AUFS_110_ReadingTheOtherNameMakesTheLinkReal) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2; open h /b rdonly"), "OK");
  EXPECT_EQ(scene.On(0), "a=12");
  EXPECT_EQ(scene.Run("hread h 0 9"), "\"12\"");
  EXPECT_EQ(scene.On(0), "a=12 b=12");
}

TEST(AufsViewHardLinks, AUFS_112_OneNameGoes) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2; unlink /a"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.a");
  EXPECT_EQ(scene.Stat("/b").links, 1U);
  EXPECT_EQ(scene.Run("read /b"), "\"12\"");
  EXPECT_EQ(scene.On(0), ".wh.a b=12");
}

TEST(AufsViewHardLinks, AUFS_113_FlushedTheyOutliveTheMount) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2"), "OK 1");
  EXPECT_TRUE(scene.view().FlushPseudoLinks().ok());
  const ModelTree& top = scene.view().branch(0);
  EXPECT_EQ(scene.On(0), "a=12 b=12");
  EXPECT_EQ(top.Links(top.InoOf("/a")), 2U);
  EXPECT_EQ(scene.Run("umount; read /b"), "\"12\"");
  EXPECT_EQ(scene.Stat("/a").identity, scene.Stat("/b").identity);
}

TEST(AufsViewHardLinks, NotFlushedTheyDoNot) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2; umount; read /b"), "\"1\"");
  EXPECT_NE(scene.Stat("/a").identity, scene.Stat("/b").identity);
}

TEST(AufsViewHardLinks, ARenamedNameIsLinkedToTheCopy) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("append /a 2; rename /b /c"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.b a=12 c=12");
  EXPECT_EQ(scene.Stat("/c").links, 2U);
  EXPECT_EQ(scene.Stat("/c").identity, scene.Stat("/a").identity);
}

TEST(AufsViewHardLinks, AHiddenNameIsCountedAgainAfterAMount) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("unlink /a"), "OK");
  EXPECT_EQ(scene.Stat("/b").links, 1U);
  EXPECT_EQ(scene.Run("umount"), "OK");
  EXPECT_EQ(scene.Stat("/b").links, 2U);
}

// ── Open files ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsViewHandles, AUFS_114_FollowTheCopy) {
  AufsScene scene({Rw(""), Ro("f=abc")});
  EXPECT_EQ(scene.Run("open h /f rdonly; open i /f rdwr; hwrite i 0 X; hread h 0 9"), "\"Xbc\"");
  const ModelView& view = scene.view();
  EXPECT_EQ(view.IdentityInSlot(0), view.IdentityInSlot(1));
}

TEST(AufsViewHandles, AUFS_115_WithoutANameWriteToACopyOfTheirOwn) {
  AufsScene scene({Rw(""), Ro("f=abc")});
  EXPECT_EQ(scene.Run("open h /f rdwr; open i /f rdonly; unlink /f; hwrite h 0 X"), "OK 1");
  EXPECT_EQ(scene.Run("hread h 0 9"), "\"Xbc\"");
  EXPECT_EQ(scene.Run("hread i 0 9"), "\"Xbc\"");
  EXPECT_EQ(scene.On(0), ".wh.f");
  EXPECT_EQ(scene.Run("hstat h"), "f 0644 0:0 size=3 nlink=0 mtime=now");
  EXPECT_EQ(scene.Run("close h; close i"), "OK");
  EXPECT_EQ(scene.On(0), ".wh.f");
}

TEST(AufsViewHandles, AUFS_116_AlsoWithoutADirectory) {
  AufsScene scene({Rw(""), Ro("d/ d/f=abc")});
  EXPECT_EQ(scene.Run("open h /d/f rdwr; unlink /d/f; rmdir /d; hwrite h 0 X; hread h 0 9"),
            "\"Xbc\"");
  EXPECT_EQ(scene.On(0), ".wh.d");
}

TEST(AufsViewHandles, OfAReplacedFileKeepIt) {
  AufsScene scene({Rw("g=new"), Ro("f=old")});
  EXPECT_EQ(scene.Run("open h /f rdwr; rename /g /f; hwrite h 0 X; hread h 0 9"), "\"Xld\"");
  EXPECT_EQ(scene.Run("read /f"), "\"new\"");
}

TEST(AufsViewHandles, OfARenamedFileWriteToIt) {
  AufsScene scene({Rw(""), Ro("d/ d/f=abc")});
  EXPECT_EQ(scene.Run("open h /d/f rdwr; rename /d/f /g; hwrite h 0 X"), "OK 1");
  EXPECT_EQ(scene.Seen(), "d/ g=Xbc");
}

TEST(AufsViewHandles, InARenamedDirectoryFollowIt) {
  AufsScene scene({Rw("d/ d/.wh.x"), Ro("d/ d/x")});
  EXPECT_EQ(scene.Run("open h /d rdonly,directory; rename /d /e; hchmod h 0711"), "OK");
  EXPECT_THAT(scene.Run("stat /e"), HasSubstr("0711"));
}

TEST(AufsViewHandles, WithoutANameChangeTheOtherNamesOfTheirFile) {
  AufsScene scene({Rw(""), TwoNames()});
  EXPECT_EQ(scene.Run("open h /a rdwr; unlink /a; hwrite h 0 X; read /b"), "\"X\"");
}

TEST(AufsViewHandles, OfAFifoDoNotFollow) {
  AufsScene scene({Rw(""), {ModelBranchMode::kReadOnly, TreeAfter("fifo /p 0644")}});
  EXPECT_EQ(scene.Run("open h /p rdwr; open i /p wronly"), "OK");
  EXPECT_EQ(scene.Run("chmod /p 0600; open j /p wronly"), "ENXIO");
}

TEST(AufsViewHandles, AreUnsettledForDirectoriesWithoutAName) {
  AufsScene scene({Rw("d/ f"), Ro("")});
  EXPECT_EQ(scene.Run("open h /d rdonly,directory; open i /f rdwr"), "OK");
  EXPECT_TRUE(scene.view().IsSlotSettled(0));
  EXPECT_EQ(scene.Run("rmdir /d; unlink /f"), "OK");
  EXPECT_FALSE(scene.view().IsSlotSettled(0));
  EXPECT_TRUE(scene.view().IsSlotSettled(1));
}

}  // namespace
}  // namespace lamina::sim
