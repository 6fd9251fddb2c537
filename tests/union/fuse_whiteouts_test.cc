// The option fuse_whiteouts: marks as fuse-overlayfs reads them (overlayfs.md §18).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OverlayFuseWhiteouts : public testing::Test {
 protected:
  void Mount(bool on = true) {
    OverlayMount mount = stack_.Request();
    mount.options.fuse_whiteouts = on;
    Result<std::unique_ptr<UnionFs>> mounted = stack_.TryMount(mount);
    ASSERT_TRUE(mounted.ok());
    union_ = *std::move(mounted);
    process_ = std::make_unique<Process>(*union_, union_->root(),
                                         ProcessOptions{.clock = &stack_.clock()});
    process_->set_umask(0);
  }
  Errno ErrorOf(std::string_view path) {
    const Result<Stat> stat = process_->GetStat(path, LastLink::kKeep);
    return stat.ok() ? Errno::kExist : stat.error();
  }

  OverlayStack stack_{2};
  std::unique_ptr<Process> low_ = stack_.OnLower(1);
  std::unique_ptr<Process> mid_ = stack_.OnLower(0);
  std::unique_ptr<Process> home_ = stack_.OnHome();
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<Process> process_;
};

TEST_F(OverlayFuseWhiteouts, AMarkerHidesTheNameBelowAndItself) {
  PutFile(*low_, "/gone", "x");
  PutFile(*low_, "/kept", "x");
  PutFile(*mid_, "/.wh.gone", "");
  Mount();
  EXPECT_EQ(ErrorOf("/gone"), Errno::kNoEnt);
  EXPECT_EQ(ErrorOf("/.wh.gone"), Errno::kNoEnt);
  EXPECT_THAT(NamesIn(*process_, "/"), ElementsAre("kept"));
}

TEST_F(OverlayFuseWhiteouts, WithoutTheOptionTheNamesAreOrdinary) {
  PutFile(*low_, "/gone", "x");
  PutFile(*mid_, "/.wh.gone", "");
  Mount(false);
  EXPECT_THAT(NamesIn(*process_, "/"), ElementsAre(".wh.gone", "gone"));
}

TEST_F(OverlayFuseWhiteouts, AnObjectOfTheSameLayerWinsAndIsNotMerged) {
  ASSERT_TRUE(low_->Mkdir("/d", 0755).ok());
  PutFile(*low_, "/d/old", "x");
  ASSERT_TRUE(mid_->Mkdir("/d", 0755).ok());
  PutFile(*mid_, "/d/new", "x");
  PutFile(*mid_, "/.wh.d", "");
  Mount();
  EXPECT_THAT(NamesIn(*process_, "/"), ElementsAre("d"));
  EXPECT_THAT(NamesIn(*process_, "/d"), ElementsAre("new"));
}

TEST_F(OverlayFuseWhiteouts, TheOpaqueFileAndEveryOpaqueXattrStopTheMerge) {
  for (const std::string dir : {"/file", "/trusted", "/user", "/fuse", "/merged"}) {
    ASSERT_TRUE(low_->Mkdir(dir, 0755).ok());
    PutFile(*low_, dir + "/old", "x");
    ASSERT_TRUE(mid_->Mkdir(dir, 0755).ok());
  }
  PutFile(*mid_, "/file/.wh..wh..opq", "");
  const auto mark = [&](std::string_view dir, std::string_view key, std::string_view value) {
    EXPECT_TRUE(mid_->Setxattr(dir, key, value, XattrMode::kSet, LastLink::kKeep).ok());
  };
  mark("/trusted", "trusted.overlay.opaque", "y");
  mark("/user", "user.overlay.opaque", "yes");
  mark("/fuse", "user.fuseoverlayfs.opaque", "y");
  mark("/merged", "user.fuseoverlayfs.opaque", "n");
  Mount();
  for (const std::string_view dir : {"/file", "/trusted", "/user", "/fuse"}) {
    EXPECT_THAT(NamesIn(*process_, dir), IsEmpty()) << dir;
    const Result<std::vector<std::string>> keys = process_->Listxattr(dir, LastLink::kKeep);
    ASSERT_TRUE(keys.ok());
    EXPECT_THAT(*keys, IsEmpty()) << dir;
  }
  EXPECT_THAT(NamesIn(*process_, "/merged"), ElementsAre("old"));
}

TEST_F(OverlayFuseWhiteouts, ADirectoryOfOneLayerHidesItsMarkersToo) {
  ASSERT_TRUE(mid_->Mkdir("/d", 0755).ok());
  PutFile(*mid_, "/d/.wh.x", "");
  Mount();
  EXPECT_THAT(NamesIn(*process_, "/d"), IsEmpty());
  EXPECT_TRUE(process_->Rmdir("/d").ok());
  EXPECT_EQ(ErrorOf("/d"), Errno::kNoEnt);
}

TEST_F(OverlayFuseWhiteouts, WhatAMarkerOfTheUpperHidesCanBeMadeAgain) {
  PutFile(*low_, "/file", "old");
  ASSERT_TRUE(low_->Mkdir("/dir", 0755).ok());
  PutFile(*low_, "/dir/old", "x");
  PutFile(*home_, "/upper/.wh.file", "");
  PutFile(*home_, "/upper/.wh.dir", "");
  Mount();
  EXPECT_THAT(NamesIn(*process_, "/"), IsEmpty());
  PutFile(*process_, "/file", "new");
  ASSERT_TRUE(process_->Mkdir("/dir", 0755).ok());
  EXPECT_EQ(*process_->ReadFile("/file"), "new");
  EXPECT_THAT(NamesIn(*process_, "/dir"), IsEmpty());
  ASSERT_TRUE(process_->Unlink("/file").ok());
  ASSERT_TRUE(process_->Rmdir("/dir").ok());
  EXPECT_THAT(NamesIn(*process_, "/"), IsEmpty());
}

TEST_F(OverlayFuseWhiteouts, RenameOntoAMarkedNameAndOverADirectoryOfMarkers) {
  PutFile(*low_, "/target", "old");
  PutFile(*low_, "/source", "moved");
  PutFile(*home_, "/upper/.wh.target", "");
  ASSERT_TRUE(home_->Mkdir("/upper/full", 0755).ok());
  PutFile(*home_, "/upper/full/.wh.x", "");
  PutFile(*home_, "/upper/full/.wh..wh..opq", "");
  ASSERT_TRUE(home_->Mkdir("/upper/mover", 0755).ok());
  PutFile(*home_, "/upper/mover/inside", "x");
  Mount();
  ASSERT_TRUE(process_->Rename("/source", "/target", RenameMode::kReplace).ok());
  EXPECT_EQ(*process_->ReadFile("/target"), "moved");
  EXPECT_EQ(ErrorOf("/source"), Errno::kNoEnt);
  ASSERT_TRUE(process_->Rename("/mover", "/full", RenameMode::kReplace).ok());
  EXPECT_THAT(NamesIn(*process_, "/full"), ElementsAre("inside"));
  EXPECT_THAT(NamesIn(*home_, "/work/work"), IsEmpty());
}

TEST_F(OverlayFuseWhiteouts, MarkerNamesCannotBeMadeAndNamesAreShorter) {
  Mount();
  EXPECT_EQ(process_->Mkdir("/.wh.x", 0755).error(), Errno::kInval);
  PutFile(*process_, "/plain", "x");
  EXPECT_EQ(process_->Rename("/plain", "/.wh.x", RenameMode::kReplace).error(), Errno::kInval);
  EXPECT_EQ(process_->Link("/plain", "/.wh.x", LastLink::kKeep).error(), Errno::kInval);
  EXPECT_TRUE(process_->Mkdir("/" + std::string(251, 'n'), 0755).ok());
  EXPECT_EQ(process_->Mkdir("/" + std::string(252, 'n'), 0755).error(), Errno::kNameTooLong);
}

TEST_F(OverlayFuseWhiteouts, TakesNoOptionThatFuseOverlayfsLacks) {
  OverlayMount mount = stack_.Request();
  mount.options.fuse_whiteouts = true;
  mount.options.metacopy = Toggle::kOn;
  EXPECT_EQ(stack_.TryMount(mount).error(), Errno::kInval);
  const Result<OverlayMountText> text =
      ParseOverlayMountText("lowerdir=/l,x-lamina.fuse-whiteouts,index=on");
  EXPECT_EQ(text.error(), Errno::kInval);
  EXPECT_TRUE(ParseOverlayMountText("lowerdir=/l,x-lamina.fuse-whiteouts").ok());
}

}  // namespace
}  // namespace lamina
