// Branches of a live union come, go and change their mode: aufs.md §1.5 to §1.7, §9.1, §9.6b.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/aufs_scene.h"

namespace lamina::sim {
namespace {

constexpr ModelBranchMode kRw = ModelBranchMode::kReadWrite;
constexpr ModelBranchMode kRo = ModelBranchMode::kReadOnly;
constexpr ModelBranchMode kRoWh = ModelBranchMode::kReadOnlyWhiteout;

TEST(AufsViewAddBranch, AUFS_008_TheIndexHasARange) {
  AufsScene scene({Rw(""), Ro("")});
  EXPECT_EQ(Shown(scene.view().AddBranch(3, kRo, TreeOf("f"))), "EDOM");
  EXPECT_EQ(Shown(scene.view().AddBranch(2, kRo, TreeOf("f"))), "OK");
  EXPECT_EQ(scene.Seen(), "f");
}

TEST(AufsViewAddBranch, AUFS_009_ThereAreAtMost127) {
  AufsScene scene(std::vector<AufsView::Content>(127, Ro("")));
  EXPECT_EQ(Shown(scene.view().AddBranch(200, kRo, TreeOf(""))), "ENOSPC");
}

TEST(AufsViewAddBranch, AUFS_013_AWritableOneGetsItsBaseEntries) {
  AufsScene scene({Rw(""), Ro("")});
  const ModelTree& top = scene.view().branch(0);
  EXPECT_EQ(top.Find("/.wh..wh.aufs")->mode, 0444);
  EXPECT_EQ(top.Links(top.InoOf("/.wh..wh.aufs")), 1U);
  EXPECT_EQ(top.Find("/.wh..wh.plnk")->mode, 0700);
  EXPECT_EQ(top.Find("/.wh..wh.orph")->mode, 0700);
  EXPECT_EQ(scene.List("/"), "[]");
}

TEST(AufsViewAddBranch, ABaseEntryOfAnotherTypeIsRefused) {
  AufsScene scene({Rw("")});
  const ModelTree wrong = TreeOf(".wh..wh.aufs/");
  EXPECT_EQ(Shown(scene.view().AddBranch(0, kRw, wrong)), "EINVAL");
  EXPECT_EQ(Shown(scene.view().AddBranch(0, kRo, wrong)), "OK");
  EXPECT_EQ(Shown(scene.view().SetMode(0, kRw)), "EINVAL");
}

TEST(AufsViewAddBranch, AUFS_160_ItsWhiteoutsHide) {
  AufsScene scene({Rw(""), Ro("f")});
  EXPECT_EQ(Shown(scene.view().AddBranch(1, kRoWh, TreeOf(".wh.f"))), "OK");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewAddBranch, WhatItCoversIsAsIfRemoved) {
  AufsScene scene({Rw(""), Ro("f=old")});
  EXPECT_EQ(scene.Run("open h /f rdonly"), "OK");
  const AufsView before = scene.view();
  EXPECT_EQ(Shown(scene.view().AddBranch(0, kRo, TreeOf("f=new"))), "OK");
  EXPECT_EQ(scene.Run("read /f"), "\"new\"");
  EXPECT_EQ(scene.Run("hread h 0 9"), "\"old\"");
  EXPECT_FALSE(before.KeepsNamesInUse(scene.view()));
}

TEST(AufsViewDeleteBranch, AUFS_016_NotTheLastOne) {
  AufsScene scene({Rw("")});
  EXPECT_EQ(Shown(scene.view().DeleteBranch(0)), "EBUSY");
}

TEST(AufsViewDeleteBranch, AUFS_017_NotUnderAnOpenFile) {
  AufsScene scene({Rw(""), Ro("f")});
  EXPECT_EQ(scene.Run("open h /f rdonly"), "OK");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "EBUSY");
  EXPECT_EQ(scene.Run("close h"), "OK");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "OK");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewDeleteBranch, NorUnderOneWithoutAName) {
  AufsScene scene({Rw(""), Ro("f")});
  EXPECT_EQ(scene.Run("open h /f rdonly; unlink /f"), "OK");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "EBUSY");
}

TEST(AufsViewDeleteBranch, AUFS_018_NotUnderAWorkingDirectoryOfItsOwn) {
  AufsScene scene({Rw("d/"), Ro("d/ e/")});
  scene.view().SetWorkingDirectory("/e");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "EBUSY");
  scene.view().SetWorkingDirectory("/d");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "OK");
}

TEST(AufsViewDeleteBranch, AUFS_019_NotUnderAnOpenDirectory) {
  AufsScene scene({Rw("d/"), Ro("d/")});
  EXPECT_EQ(scene.Run("open h /d rdonly,directory"), "OK");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "EBUSY");
}

TEST(AufsViewDeleteBranch, AUFS_019_UnlessItIsTheRoot) {
  AufsScene scene({Rw("d/"), Ro("d/")});
  EXPECT_EQ(scene.Run("open h / rdonly,directory"), "OK");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(0)), "OK");
  EXPECT_EQ(scene.Run("hstat h").substr(0, 1), "d");
  EXPECT_EQ(scene.Run("close h"), "OK");
}

TEST(AufsViewDeleteBranch, AUFS_020_OneThatIsNotThereIsNoError) {
  AufsScene scene({Rw("f"), Ro("")});
  EXPECT_EQ(Shown(scene.view().DeleteBranch(7)), "OK");
  EXPECT_EQ(scene.view().branch_count(), 2U);
}

TEST(AufsViewDeleteBranch, AUFS_159_WhatItHidIsSeen) {
  AufsScene scene({Rw(""), RoWh(".wh.f"), Ro("f=x")});
  EXPECT_EQ(scene.Seen(), "");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(1)), "OK");
  EXPECT_EQ(scene.Seen(), "f=x");
}

TEST(AufsViewDeleteBranch, ItsPseudoLinksGo) {
  AufsScene scene({Rw(""), {kRo, TreeAfter("put /a 0644 1; link /a /b")}});
  EXPECT_EQ(scene.Run("append /a 2"), "OK 1");
  EXPECT_EQ(scene.Stat("/b").inode.content, "12");
  EXPECT_EQ(Shown(scene.view().DeleteBranch(0)), "OK");
  EXPECT_EQ(scene.Seen(), "a=1 b=1");
  EXPECT_EQ(scene.Stat("/b").links, 2U);
}

TEST(AufsViewDeleteBranch, AUFS_024_ItsBaseEntriesAreNotSeenLater) {
  AufsScene scene({Rw("f"), Ro("")});
  const ModelTree content = scene.view().branch(0);
  EXPECT_EQ(Shown(scene.view().DeleteBranch(0)), "OK");
  EXPECT_NE(content.Find("/.wh..wh.aufs"), nullptr);
  EXPECT_EQ(Shown(scene.view().AddBranch(0, kRo, content)), "OK");
  EXPECT_EQ(scene.List("/"), "[f:f]");
}

TEST(AufsViewSetMode, AUFS_021_BaseEntriesComeAndGo) {
  AufsScene scene({Rw("f"), Ro("f")});
  EXPECT_EQ(Shown(scene.view().SetMode(0, kRo)), "OK");
  EXPECT_EQ(scene.view().branch(0).Paths(), (std::vector<std::string>{"/", "/f"}));
  EXPECT_EQ(Shown(scene.view().SetMode(0, kRw)), "OK");
  EXPECT_NE(scene.view().branch(0).Find("/.wh..wh.plnk"), nullptr);
}

TEST(AufsViewSetMode, ItsWhiteoutsNoLongerHideOnAPlainBranch) {
  AufsScene scene({Rw(""), Rw(".wh.f"), Ro("f=x")});
  EXPECT_EQ(scene.Seen(), "");
  EXPECT_EQ(Shown(scene.view().SetMode(1, kRo)), "OK");
  EXPECT_EQ(scene.Seen(), "f=x");
  EXPECT_EQ(Shown(scene.view().SetMode(1, kRoWh)), "OK");
  EXPECT_EQ(scene.Seen(), "");
}

TEST(AufsViewSetMode, AUFS_023_AnOpenFileIsWrittenElsewhere) {
  AufsScene scene({Rw("f=abc"), Rw("")});
  EXPECT_EQ(scene.Run("open h /f rdwr"), "OK");
  EXPECT_EQ(Shown(scene.view().AddBranch(0, kRw, TreeOf(""))), "OK");
  EXPECT_EQ(Shown(scene.view().SetMode(1, kRo)), "OK");
  EXPECT_EQ(scene.Run("hwrite h 0 X"), "OK 1");
  EXPECT_EQ(scene.On(0), "f=Xbc");
  EXPECT_EQ(scene.On(1), "f=abc");
}

TEST(AufsViewSetMode, OrNotAtAll) {
  AufsScene scene({Rw("f=abc"), Ro("")});
  EXPECT_EQ(scene.Run("open h /f rdwr"), "OK");
  EXPECT_EQ(Shown(scene.view().SetMode(0, kRo)), "OK");
  EXPECT_EQ(scene.Run("hwrite h 0 X"), "EROFS");
  EXPECT_EQ(scene.Run("hfsync h"), "EROFS");
  EXPECT_EQ(scene.Run("hread h 0 9"), "\"abc\"");
}

}  // namespace
}  // namespace lamina::sim
