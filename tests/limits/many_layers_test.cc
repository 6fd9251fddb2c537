// 500 lowers, the most a mount takes.
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kLayers = 500;

// Lower i, 0 the topmost, has /only<i> and /shared, and its part of the directory /merged.
class FiveHundredLowers : public testing::Test {
 protected:
  FiveHundredLowers() : stack_(kLayers) {
    for (int i = 0; i < kLayers; ++i) {
      const std::unique_ptr<Process> lower = stack_.OnLower(i);
      PutFile(*lower, "/only" + std::to_string(i), "layer " + std::to_string(i));
      PutFile(*lower, "/shared", "layer " + std::to_string(i));
      EXPECT_TRUE(lower->Mkdir("/merged", 0755).ok());
      PutFile(*lower, "/merged/part" + std::to_string(i), std::to_string(i));
    }
    const std::unique_ptr<Process> bottom = stack_.OnLower(kLayers - 1);
    EXPECT_TRUE(bottom->Mkdir("/deep", 0750).ok());
    PutFile(*bottom, "/deep/f", "bottom");
    stack_.Mount();
  }
  Process& process() { return stack_.process(); }

  OverlayStack stack_;
};

TEST_F(FiveHundredLowers, EachLayerIsFoundAndTheTopmostWins) {
  int wrong = 0;
  for (int i = 0; i < kLayers; ++i) {
    const Result<std::string> content = process().ReadFile("/only" + std::to_string(i));
    wrong += content.ok() && *content == "layer " + std::to_string(i) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(*process().ReadFile("/shared"), "layer 0");
  EXPECT_FALSE(process().GetStat("/only500", LastLink::kKeep).ok());
}

TEST_F(FiveHundredLowers, AListingHoldsEachNameOnce) {
  EXPECT_THAT(NamesIn(process(), "/"), SizeIs(kLayers + 3));  // shared, merged, deep
  EXPECT_THAT(NamesIn(process(), "/merged"), SizeIs(kLayers));
}

TEST_F(FiveHundredLowers, TheBottomIsCopiedUp) {
  const Result<Process::Fd> fd =
      process().Open("/deep/f", {.access = Access::kWrite, .append = true}, 0);
  ASSERT_TRUE(fd.ok());
  ASSERT_TRUE(process().Write(*fd, AsBytes(" and more")).ok());
  ASSERT_TRUE(process().Close(*fd).ok());
  const std::unique_ptr<Process> home = stack_.OnHome();
  EXPECT_EQ(*home->ReadFile("/upper/deep/f"), "bottom and more");
  EXPECT_EQ(home->GetStat("/upper/deep", LastLink::kKeep)->mode, 0750);
  EXPECT_THAT(NamesIn(*home, "/upper"), ElementsAre("deep"));
  EXPECT_EQ(*stack_.OnLower(kLayers - 1)->ReadFile("/deep/f"), "bottom");
}

TEST_F(FiveHundredLowers, NamesAreMovedAndWhitedOut) {
  ASSERT_TRUE(process().Rename("/only499", "/merged/moved", RenameMode::kReplace).ok());
  ASSERT_TRUE(process().Unlink("/shared").ok());  // hides 500 files
  EXPECT_FALSE(process().GetStat("/only499", LastLink::kKeep).ok());
  EXPECT_FALSE(process().GetStat("/shared", LastLink::kKeep).ok());
  EXPECT_EQ(*process().ReadFile("/merged/moved"), "layer 499");
  PutFile(process(), "/shared", "new");
  stack_.Mount();
  EXPECT_EQ(*process().ReadFile("/shared"), "new");
  EXPECT_THAT(NamesIn(process(), "/"), SizeIs(kLayers + 2));
  EXPECT_THAT(NamesIn(process(), "/merged"), SizeIs(kLayers + 1));
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/upper"), ElementsAre("merged", "only499", "shared"));
}

TEST_F(FiveHundredLowers, ADirectoryOfEveryLayerIsEmptiedAndRemoved) {
  ASSERT_FALSE(process().Rmdir("/merged").ok());
  int failed = 0;
  for (const std::string& name : NamesIn(process(), "/merged")) {
    failed += process().Unlink("/merged/" + name).ok() ? 0 : 1;
  }
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(NamesIn(process(), "/merged"), IsEmpty());
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/upper/merged"), SizeIs(kLayers));
  ASSERT_TRUE(process().Rmdir("/merged").ok());
  stack_.Mount();
  EXPECT_FALSE(process().GetStat("/merged", LastLink::kKeep).ok());
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/upper"), ElementsAre("merged"));  // the whiteout
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/work/work"), IsEmpty());
}

TEST(OneLowerMore, IsRefused) {
  OverlayStack stack(kLayers + 1);
  const Result<std::unique_ptr<UnionFs>> refused = stack.TryMount(stack.Request());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::kInval);
}

}  // namespace
}  // namespace lamina
