// The branch selection policies of AUFS and the rows AUFS-123 to AUFS-134
// as far as choosing a branch goes.
#include "vfs/union/aufs_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <vector>

#include "tests/union/aufs_policy_scene.h"

namespace lamina {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

// ── The rows AUFS-123 to AUFS-134
// ───────────────────────────────────────────────────────────────────

TEST(AufsPolicyRow, AUFS_123) { EXPECT_EQ(Scene("rw rw/d").Create(kTdp), "b1"); }

TEST(AufsPolicyRow, AUFS_124) { EXPECT_EQ(Scene("rw ro/d").Create(kTdp), "b0"); }

TEST(AufsPolicyRow, AUFS_125) {
  EXPECT_THAT(SourceAt(2, "rw/d rw ro/d").CopyUps(), ElementsAre("b0", "b0", "b1"));
}

TEST(AufsPolicyRow, AUFS_126) {
  EXPECT_THAT(SourceAt(2, "rw/d rw/d ro/d").CopyUps(), ElementsAre("b0", "b1", "b1"));
}

TEST(AufsPolicyRow, AUFS_127) {
  EXPECT_THAT(Scene("rw/d rw/d").Make(10, kRr),
              ElementsAre("b0", "b1", "b0", "b1", "b0", "b1", "b0", "b1", "b0", "b1"));
}

TEST(AufsPolicyRow, AUFS_128) {
  EXPECT_THAT(Scene("rw/d rw/d").Make(10, kRr, true), AllOf(SizeIs(10), Each("b0")));
}

TEST(AufsPolicyRow, AUFS_129) {
  EXPECT_EQ(SceneOf("rw/d rw/d", {10, 20}).Create(kMfs), "b1");
  EXPECT_EQ(SceneOf("rw/d rw/d", {10, 10}).Create(kMfs), "b1");
}

TEST(AufsPolicyRow, AUFS_130) {
  Scene scene = SceneOf("rw/d rw/d", {20, 10});
  EXPECT_EQ(scene.Create(MostFree(60)), "b0");
  scene.free_gib = {10, 20};
  scene.seconds += 59;
  EXPECT_EQ(scene.Create(MostFree(60)), "b0");
  scene.seconds += 1;
  EXPECT_EQ(scene.Create(MostFree(60)), "b1");
}

TEST(AufsPolicyRow, AUFS_131) {
  EXPECT_EQ(SceneOf("rw/d rw/d", {5, 20}).Create(Tdmfs(10)), "b1");
  EXPECT_EQ(SceneOf("rw/d rw/d", {15, 20}).Create(Tdmfs(10)), "b0");
  EXPECT_EQ(SceneOf("rw/d rw/d", {7, 5}).Create(Tdmfs(10)), "b0");
}

TEST(AufsPolicyRow, AUFS_132) {
  EXPECT_EQ(SceneOf("rw/d rw/d rw", {5, 9, 100}).Create(kPmfs), "b1");
  EXPECT_EQ(SceneOf("rw/d rw/d rw", {9, 9, 100}).Create(kPmfs), "b0");
}

// Goal: the option is refused where it is read; a figure that gets here all the same is a mistake.
TEST(AufsPolicyRow, AUFS_133) {
  Scene scene = SceneOf("rw/d rw/d", {10, 20});
  EXPECT_EQ(scene.Create(MostFree(kPolicyCacheSecondsMax)), "b1");
  EXPECT_DEATH(scene.Create(MostFree(kPolicyCacheSecondsMax + 1)), "cache_seconds <=");
}

TEST(AufsPolicyRow, AUFS_134) {
  Scene scene("rw/d rw/d");
  scene.whiteout = 0;
  EXPECT_THAT(scene.Make(3, kRr), ElementsAre("b0", "b0", "b0"));
  EXPECT_EQ(scene.books.round_robin, 30);
}

// ── create=tdp ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsPolicyTdp, NeverGoesBelowTheHighestBranchWithTheParent) {
  EXPECT_EQ(Scene("ro/d rw/d").Create(kTdp), "EROFS");
  EXPECT_EQ(Scene("ro rw ro/d rw/d").Create(kTdp), "b1");
}

TEST(AufsPolicyTdp, TakesTheNearestBranchAboveAParentThatIsReadOnly) {
  EXPECT_EQ(Scene("rw rw ro ro/d").Create(kTdp), "b1");
}

TEST(AufsPolicyTdp, IsNotOverriddenByMarks) {
  Scene scene("rw/d rw/d ro/d");
  scene.whiteout = 1;
  scene.opaque = 2;
  EXPECT_EQ(scene.Create(kTdp), "b0");
}

TEST(AufsPolicyTdp, StaysInTheBranchOfAnOpaqueAncestor) {
  Scene scene = SourceAt(3, "ro/d rw rw ro/d");
  scene.opaque_above = {2, 1};
  EXPECT_EQ(scene.CopyUp(AufsCopyUp::kTopDownParent), "b1");
  scene.opaque_above = {0};
  EXPECT_EQ(scene.CopyUp(AufsCopyUp::kTopDownParent), "EROFS");
}

TEST(AufsPolicyTdp, AsksForNoSpace) {
  Scene scene = SceneOf("rw/d rw/d", {1, 2});
  EXPECT_EQ(scene.Create(kTdp), "b0");
  EXPECT_EQ(scene.Create(kRr), "b0");
  EXPECT_EQ(scene.asked, 0);
}

// ── Overrides ──────────────────────────────────────────────────────────────────────────────────

class AufsPolicyOverride : public testing::TestWithParam<AufsCreatePolicy> {
 protected:
  // The last branch is what every policy but tdp would take.
  Scene scene_ = SceneOf("rw rw/d rw ro/d rw/d", {1, 1, 1, 1, 9});
};

TEST_P(AufsPolicyOverride, AWhiteoutDecides) {
  scene_.whiteout = 2;
  EXPECT_EQ(scene_.Create(GetParam()), "b2");
}

TEST_P(AufsPolicyOverride, AnOpaqueParentDecides) {
  scene_.opaque = 1;
  EXPECT_EQ(scene_.Create(GetParam()), "b1");
}

TEST_P(AufsPolicyOverride, TheHigherMarkDecides) {
  scene_.whiteout = 2;
  scene_.opaque = 4;
  EXPECT_EQ(scene_.Create(GetParam()), "b2");
  scene_.opaque = 1;
  EXPECT_EQ(scene_.Create(GetParam()), "b1");
}

TEST_P(AufsPolicyOverride, AnOpaqueAncestorRaisesTheMark) {
  scene_.whiteout = 4;
  scene_.opaque_above = {3, 2};
  EXPECT_EQ(scene_.Create(GetParam()), "b2");
}

TEST_P(AufsPolicyOverride, AReadOnlyMarkChoosesTheNearestWritableBranchAbove) {
  scene_.whiteout = 3;
  EXPECT_EQ(scene_.Create(GetParam()), "b2");
  scene_.whiteout.reset();
  scene_.opaque = 3;
  EXPECT_EQ(scene_.Create(GetParam()), "b2");
}

TEST_P(AufsPolicyOverride, AReadOnlyMarkWithNothingWritableAboveRefuses) {
  scene_.branches[0].writable = false;
  scene_.branches[1].writable = false;
  scene_.whiteout = 1;
  EXPECT_EQ(scene_.Create(GetParam()), "EROFS");
}

INSTANTIATE_TEST_SUITE_P(Create, AufsPolicyOverride,
                         testing::Values(kRr, kMfs, Mfsrr(5), Tdmfs(5), kPmfs, Pmfsrr(5)),
                         [](const testing::TestParamInfo<AufsCreatePolicy>& tested) {
                           return "kind" + std::to_string(static_cast<int>(tested.param.kind));
                         });

TEST(AufsPolicyQuirk, AReadOnlyMarkLeavesItToThePolicy) {
  Scene scene = SceneOf("rw/d ro/d rw/d", {1, 1, 9});
  scene.whiteout = 1;
  EXPECT_EQ(scene.Create(kMfs), "b0");
  EXPECT_EQ(scene.Create(kMfs, kMarkMustBeWritable), "b2");
  EXPECT_EQ(scene.Create(kPmfs, kMarkMustBeWritable), "b2");
}

TEST(AufsPolicyQuirk, AWritableMarkStillDecides) {
  Scene scene = SceneOf("rw/d rw/d rw/d", {1, 1, 9});
  scene.whiteout = 1;
  EXPECT_EQ(scene.Create(kMfs, kMarkMustBeWritable), "b1");
}

// ── create=rr ──────────────────────────────────────────────────────────────────────────────────

TEST(AufsPolicyRr, GoesDownFromThirtyAndSkipsReadOnlyBranches) {
  EXPECT_THAT(Scene("rw/d rw rw").Make(4, kRr), ElementsAre("b0", "b2", "b1", "b0"));
  EXPECT_THAT(Scene("ro/d rw rw ro rw").Make(4, kRr), ElementsAre("b4", "b2", "b1", "b4"));
}

TEST(AufsPolicyRr, ARemountStartsAtMinusTheLowestWritableIndex) {
  Scene scene("ro/d rw rw rw");
  scene.books.round_robin = -1;
  EXPECT_THAT(scene.Make(4, kRr), ElementsAre("b3", "b2", "b1", "b3"));
}

TEST(AufsPolicyRr, ChoosingTakesNoTurn) {
  Scene scene("rw/d rw rw");
  EXPECT_EQ(scene.Create(kRr), "b0");
  EXPECT_EQ(scene.Create(kRr), "b0");
  EXPECT_EQ(scene.books.round_robin, 30);
}

TEST(AufsPolicyRr, ADirectoryGoesWhereTheNextFileGoesAndTakesNoTurn) {
  Scene scene("rw/d ro rw rw");
  EXPECT_THAT(scene.Make(1, kRr), ElementsAre("b2"));
  EXPECT_THAT(scene.Make(2, kRr, true), ElementsAre("b0", "b0"));
  EXPECT_THAT(scene.Make(2, kRr), ElementsAre("b0", "b3"));
}

TEST(AufsPolicyRr, StaysInTheBranchOfAnOpaqueAncestor) {
  Scene scene("rw/d rw/d rw");
  scene.opaque_above = {1};
  EXPECT_THAT(scene.Make(4, kRr), ElementsAre("b0", "b1", "b1", "b0"));
  scene.branches[1].writable = false;
  EXPECT_THAT(scene.Make(1, kRr), ElementsAre("EROFS"));
}

TEST(AufsPolicyRr, WithoutAWritableBranchRefuses) {
  EXPECT_EQ(Scene("ro/d ro").Create(kRr), "EROFS");
}

// How many files each writable branch of eight holds at most more than another, after any number
// of files up to 200, whichever branches are writable.
std::size_t WorstSpread(int writable) {
  std::size_t worst = 0;
  for (unsigned mask = 0; mask < 256; ++mask) {
    if (std::popcount(mask) != writable) continue;
    Scene scene("ro/d ro ro ro ro ro ro ro");
    std::map<std::string, std::size_t> files;
    for (std::size_t branch = 0; branch < 8; ++branch) {
      scene.branches[branch].writable = (mask >> branch & 1U) != 0;
      if (scene.branches[branch].writable) files['b' + std::to_string(branch)] = 0;
    }
    for (int file = 0; file < 200; ++file) {
      ++files[scene.Make(1, kRr).front()];
      const auto [least, most] = std::minmax_element(
          files.begin(), files.end(),
          [](const auto& left, const auto& right) { return left.second < right.second; });
      worst = std::max(worst, most->second - least->second);
    }
    EXPECT_THAT(files, SizeIs(static_cast<std::size_t>(writable)));
  }
  return worst;
}

class AufsPolicyRrSplit : public testing::TestWithParam<int> {};

TEST_P(AufsPolicyRrSplit, FilesSplitEvenly) { EXPECT_LE(WorstSpread(GetParam()), 1U); }

INSTANTIATE_TEST_SUITE_P(Writable, AufsPolicyRrSplit, testing::Range(1, 6));

// ── create=mfs and mfsrr ───────────────────────────────────────────────────────────────────────

TEST(AufsPolicyMfs, LooksAtWritableBranchesWithOrWithoutTheParent) {
  EXPECT_EQ(SceneOf("rw/d rw ro/d", {1, 2, 9}).Create(kMfs), "b1");
  EXPECT_EQ(SceneOf("ro/d ro", {1, 2}).Create(kMfs), "EROFS");
}

TEST(AufsPolicyMfs, StaysInTheBranchOfAnOpaqueAncestor) {
  Scene scene = SceneOf("rw/d rw/d rw", {1, 2, 9});
  scene.opaque_above = {1};
  EXPECT_EQ(scene.Create(kMfs), "b1");
}

TEST(AufsPolicyMfs, ABranchThatDoesNotTellCountsAsFull) {
  EXPECT_EQ(SceneOf("rw/d rw", {1, -1}).Create(kMfs), "b0");
  EXPECT_EQ(SceneOf("rw/d rw", {-1, -1}).Create(kMfs), "b1");
}

TEST(AufsPolicyMfs, AsksEachBranchOncePerPeriod) {
  Scene scene = SceneOf("rw/d ro rw", {1, 2, 3});
  EXPECT_THAT(scene.Make(5, kMfs), Each("b2"));
  EXPECT_EQ(scene.asked, 2);
}

TEST(AufsPolicyMfs, ZeroSecondsKeepNothing) {
  Scene scene = SceneOf("rw/d rw", {2, 1});
  EXPECT_EQ(scene.Create(MostFree(0)), "b0");
  scene.free_gib = {1, 2};
  EXPECT_EQ(scene.Create(MostFree(0)), "b1");
}

TEST(AufsPolicyMfs, ForgetsSpaceWhenBranchesChange) {
  Scene scene = SceneOf("rw/d rw", {2, 1});
  EXPECT_EQ(scene.Create(kMfs), "b0");
  scene.free_gib = {1, 2};
  scene.books.ForgetSpace();
  EXPECT_EQ(scene.Create(kMfs), "b1");
  scene.free_gib = {1, 2, 3};
  scene.branches.push_back({.writable = true});
  EXPECT_EQ(scene.Create(kMfs), "b2");
}

TEST(AufsPolicyMfsrr, TakesTurnsWhenNoBranchHasEnough) {
  Scene scene = SceneOf("rw/d rw rw", {3, 9, 5});
  EXPECT_THAT(scene.Make(2, Mfsrr(9)), ElementsAre("b1", "b1"));
  EXPECT_EQ(scene.books.round_robin, 30);
  EXPECT_THAT(scene.Make(4, Mfsrr(10)), ElementsAre("b0", "b2", "b1", "b0"));
  EXPECT_THAT(scene.Make(2, Mfsrr(10), true), ElementsAre("b2", "b2"));
  EXPECT_EQ(SceneOf("ro/d", {1}).Create(Mfsrr(10)), "EROFS");
}

// ── create=tdmfs ───────────────────────────────────────────────────────────────────────────────

TEST(AufsPolicyTdmfs, TakesTheHighestBranchWithMoreThanLow) {
  EXPECT_EQ(SceneOf("ro rw rw/d", {99, 11, 11}).Create(Tdmfs(10)), "b1");
  EXPECT_EQ(SceneOf("rw/d rw/d", {10, 11}).Create(Tdmfs(10)), "b1");
}

TEST(AufsPolicyTdmfs, LooksNoLowerThanTheParentsTailAWhiteoutOrAnOpaqueAncestor) {
  Scene scene = SceneOf("rw/d ro/d rw/d rw rw", {4, 0, 6, 20, 30});
  EXPECT_EQ(scene.Create(Tdmfs(5)), "b2");
  EXPECT_EQ(scene.Create(Tdmfs(10)), "b4");
  scene.whiteout = 1;
  EXPECT_EQ(scene.Create(Tdmfs(5), kMarkMustBeWritable), "b4");
  scene.whiteout.reset();
  scene.opaque_above = {0};
  EXPECT_EQ(scene.Create(Tdmfs(5)), "b0");
  EXPECT_EQ(scene.Create(Tdmfs(3)), "b0");
}

// ── create=pmfs and pmfsrr ─────────────────────────────────────────────────────────────────────

TEST(AufsPolicyPmfs, WithTheParentInOneBranchIsTdp) {
  EXPECT_EQ(SceneOf("rw/d rw rw", {1, 2, 3}).Create(kPmfs), "b0");
  EXPECT_EQ(SceneOf("rw rw ro/d rw", {9, 1, 1, 9}).Create(kPmfs), "b1");
  EXPECT_EQ(SceneOf("ro/d rw", {1, 2}).Create(kPmfs), "EROFS");
}

TEST(AufsPolicyPmfs, LeavesTdpsBranchOnlyForMoreSpace) {
  EXPECT_EQ(SceneOf("rw ro/d rw/d rw/d", {5, 0, 5, 4}).Create(kPmfs), "b0");
  EXPECT_EQ(SceneOf("rw ro/d rw/d rw/d", {5, 0, 6, 6}).Create(kPmfs), "b2");
}

TEST(AufsPolicyPmfs, LooksNoLowerThanTheParentsTail) {
  Scene scene = SceneOf("rw/d rw/d rw/d", {1, 2, 3});
  scene.parent_tail = 1;
  EXPECT_EQ(scene.Create(kPmfs), "b1");
}

TEST(AufsPolicyPmfs, RefusesWhereTdpRefuses) {
  EXPECT_EQ(SceneOf("ro/d rw/d", {1, 2}).Create(kPmfs), "EROFS");
  EXPECT_EQ(SceneOf("ro/d rw/d", {1, 2}).Create(Pmfsrr(1)), "EROFS");
}

TEST(AufsPolicyPmfs, StaysInTheBranchOfAnOpaqueAncestor) {
  Scene scene = SceneOf("rw/d rw/d rw/d", {1, 2, 3});
  scene.opaque_above = {1};
  EXPECT_EQ(scene.Create(kPmfs), "b1");
}

TEST(AufsPolicyPmfsrr, TakesTheRoomiestBranchWhenTheParentsHaveTooLittle) {
  Scene scene = SceneOf("rw/d rw/d rw rw", {2, 5, 9, 8});
  EXPECT_EQ(scene.Create(Pmfsrr(5)), "b1");
  EXPECT_EQ(scene.Create(Pmfsrr(6)), "b2");
  EXPECT_EQ(scene.Create(Pmfsrr(100)), "b2");
}

TEST(AufsPolicyPmfsrr, TheQuirkGoesOnAsMfsrr) {
  constexpr AufsQuirks kAsMfsrr = {.pmfsrr_as_mfsrr = true};
  Scene scene = SceneOf("rw/d rw/d ro rw rw", {2, 5, 0, 9, 8});
  EXPECT_EQ(scene.Create(Pmfsrr(5), kAsMfsrr), "b1");
  EXPECT_EQ(scene.Create(Pmfsrr(9), kAsMfsrr), "b3");
  EXPECT_EQ(scene.Create(Pmfsrr(10), kAsMfsrr), "b0");
  EXPECT_THAT(scene.Choose(Pmfsrr(10), false, kAsMfsrr)->moves_round_robin, true);
}

// ── cpup= ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsPolicyCopyUp, AnObjectInAWritableBranchStays) {
  EXPECT_THAT(SourceAt(1, "rw/d rw/d").CopyUps(), ElementsAre("b1", "b1", "b1"));
}

TEST(AufsPolicyCopyUp, TdpTakesTheHighestBranchWithTheParentAndBupTheNearest) {
  EXPECT_THAT(SourceAt(5, "rw ro/d rw/d rw/d rw ro/d").CopyUps(), ElementsAre("b2", "b3", "b4"));
}

TEST(AufsPolicyCopyUp, WithoutAWritableParentTdpTakesTheNearestAndBupOneAboveTheParent) {
  EXPECT_THAT(SourceAt(4, "rw rw ro/d rw ro/d").CopyUps(), ElementsAre("b3", "b1", "b3"));
}

TEST(AufsPolicyCopyUp, WithNothingWritableAtOrAboveRefuses) {
  EXPECT_THAT(SourceAt(1, "ro/d ro/d rw/d").CopyUps(), Each("EROFS"));
  EXPECT_THAT(SourceAt(2, "ro/d rw ro/d").CopyUps(), ElementsAre("b1", "EROFS", "b1"));
}

// ── Explanations ───────────────────────────────────────────────────────────────────────────────

TEST(AufsPolicyReason, NamesTheRule) {
  Scene scene = SceneOf("rw/d rw/d ro/d rw", {1, 2, 3, 4});
  EXPECT_EQ(scene.Choose(kTdp)->reason, "tdp: highest branch with the parent");
  EXPECT_EQ(scene.Choose(kMfs)->reason, "mfs: most free space");
  scene.opaque_above = {1};
  EXPECT_EQ(scene.Choose(kMfs)->reason, "a directory above the parent is opaque there");
  scene.whiteout = 1;
  EXPECT_EQ(scene.Choose(kMfs)->reason, "a whiteout of the name is there");
  scene.opaque = 0;
  EXPECT_EQ(scene.Choose(kMfs)->reason, "the parent is opaque there");
}

}  // namespace
}  // namespace lamina
