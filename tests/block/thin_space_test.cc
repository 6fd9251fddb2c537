// Which block is taken, what a full pool does, growth, the low water mark: devicemapper.md sections
// 7, 9 and 11, scenarios DM-027 to DM-029, DM-041 to DM-046 and DM-049.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "tests/block/thin_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

// Has the write ended so? Nothing while it waits.
std::optional<Errno> ErrorOf(const WriteTicket& ticket) {
  const std::optional<Result<void>> result = ticket.result();
  if (!result.has_value() || result->ok()) return std::nullopt;
  return result->error();
}
bool Succeeded(const WriteTicket& ticket) {
  const std::optional<Result<void>> result = ticket.result();
  return result.has_value() && result->ok();
}

std::size_t CountEvents(ThinRig& rig, ThinPoolEventKind kind) {
  const std::deque<ThinPoolEvent>& events = rig.pool().events();
  return static_cast<std::size_t>(std::count_if(
      events.begin(), events.end(), [kind](const ThinPoolEvent& e) { return e.kind == kind; }));
}

// ── Allocation ───────────────────────────────────────────────────────────────────────────────────

// A pool of 4: three blocks written and committed, the first one discarded since, one more written.
void DiscardThenWrite(ThinRig& rig) {
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 48, 7).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  ASSERT_TRUE(rig.Write(0, 160, 16, 8).ok());
}

TEST(ThinSpace, DM_027_ABlockFreedInATransactionIsNotTakenInIt) {
  ThinRig rig({.blocks = 4});
  DiscardThenWrite(rig);
  EXPECT_EQ(rig.Mappings(0), "1>1@0 2>2@0 10>3@0");
}

TEST(ThinSpace, DM_028_WhenNothingElseIsFreeTheTransactionIsCommitted) {
  ThinRig rig({.blocks = 4});
  DiscardThenWrite(rig);
  const std::uint64_t commits = rig.pool().counters().commits;
  ASSERT_TRUE(rig.Write(0, 176, 16, 9).ok());
  EXPECT_EQ(rig.pool().counters().commits, commits + 1);
  EXPECT_EQ(rig.Mappings(0), "1>1@0 2>2@0 10>3@0 11>0@0");
  EXPECT_EQ(rig.Used(), 4u);
}

TEST(ThinSpace, DM_029_TheCursorMovesOnAndBeginsAtZeroInAnOpenedPool) {
  ThinRig rig({.blocks = 8});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 64, 7).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Write(0, 320, 16, 8).ok());
  EXPECT_EQ(rig.Mappings(0), "1>1@0 2>2@0 3>3@0 20>4@0");
  rig.Reopen();
  ASSERT_TRUE(rig.Write(0, 336, 16, 9).ok());
  EXPECT_EQ(rig.Mappings(0), "1>1@0 2>2@0 3>3@0 20>4@0 21>0@0");
}

TEST(ThinSpace, TheCursorGoesRoundTheEnd) {
  ThinRig rig({.blocks = 4});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 64, 7).ok());
  ASSERT_TRUE(rig.Discard(0, 16, 16).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Write(0, 160, 16, 8).ok());
  EXPECT_EQ(rig.Mappings(0), "0>0@0 2>2@0 3>3@0 10>1@0");
}

// ── Out of data space ────────────────────────────────────────────────────────────────────────────

// A pool of 8 blocks, all of them taken by device 0 but for `left`.
void Fill(ThinRig& rig, std::uint64_t left = 0) {
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, (8 - left) * 16, 7).ok());
}

TEST(ThinSpace, DM_041_AFullPoolAnswersNoSpaceAndServesWhatItHas) {
  ThinRig rig({.blocks = 8, .features = "1 error_if_no_space", .device_blocks = 16});
  rig.Create(0);
  EXPECT_EQ(rig.Write(0, 0, 256, 7).error(), Errno::kNoSpc) << "all 16 blocks";
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 8/8 - out_of_data_space discard_passdown "
                                          "error_if_no_space - "));
  EXPECT_THAT(rig.Read(0, 0, 128), Each(7));
  EXPECT_THAT(rig.Read(0, 128, 128), Each(0));
  EXPECT_TRUE(rig.Write(0, 3, 100, 8).ok()) << "in place";
  EXPECT_THAT(rig.Read(0, 3, 100), Each(8));
}

TEST(ThinSpace, DM_042_AQueuedWriteFailsAfterSixtySeconds) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  EXPECT_TRUE(ninth.waits());
  EXPECT_THAT(rig.PoolStatus(),
              HasSubstr(" out_of_data_space discard_passdown queue_if_no_space "));
  rig.Advance(59);
  EXPECT_TRUE(ninth.waits());
  rig.Advance(2);
  EXPECT_EQ(ErrorOf(ninth), Errno::kNoSpc);
  EXPECT_THAT(rig.PoolStatus(),
              HasSubstr(" out_of_data_space discard_passdown error_if_no_space - "));
  EXPECT_EQ(rig.Write(0, 128, 16, 9).error(), Errno::kNoSpc) << "at once from now on";
}

TEST(ThinSpace, TheTimeoutIsAtSixtySecondsExactly) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Advance(60);
  EXPECT_EQ(ErrorOf(ninth), Errno::kNoSpc);
}

TEST(ThinSpace, DM_043_GrowthWithinTheTimeoutLetsTheWriteEnd) {
  ThinRig rig({.blocks = 8, .data_blocks = 16});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Advance(30);
  ASSERT_TRUE(rig.ReloadAndResume(16, "").ok());
  EXPECT_TRUE(Succeeded(ninth));
  EXPECT_THAT(rig.Read(0, 128, 16), Each(9));
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite);
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 9/16 - rw discard_passdown queue_if_no_space - "));
  rig.Advance(100);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite) << "the timer is gone";
}

TEST(ThinSpace, DM_044_FreedSpaceMakesThePoolWritableAtTheNextCommit) {
  ThinRig rig({.blocks = 8, .features = "1 error_if_no_space"});
  Fill(rig, 2);
  rig.Create(1);
  EXPECT_EQ(rig.Write(1, 0, 48, 9).error(), Errno::kNoSpc);
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 8/8 - out_of_data_space "));
  ASSERT_TRUE(rig.Delete(1).ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 6/8 - rw discard_passdown error_if_no_space "));
  ASSERT_TRUE(rig.Write(0, 160, 32, 9).ok());

  EXPECT_EQ(rig.Write(0, 200, 1, 9).error(), Errno::kNoSpc);
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kOutOfDataSpace) << "not committed yet";
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 7/8 - rw "));
  EXPECT_TRUE(rig.Write(0, 200, 1, 9).ok());
}

TEST(ThinSpace, ThePolicyOfTheTableComesBackWithTheSpace) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Advance(61);
  ASSERT_EQ(ErrorOf(ninth), Errno::kNoSpc);
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 7/8 - rw discard_passdown queue_if_no_space "));
}

TEST(ThinSpace, ACommitAfterADiscardLetsWaitingWritesGo) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket two = rig.Submit(0, 128, 32, 9);
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  rig.Advance(1);
  EXPECT_TRUE(two.waits()) << "one block for two";
  EXPECT_EQ(rig.pool().waiting_pieces(), 1u);
  EXPECT_THAT(rig.Read(0, 128, 16), Each(9));
  ASSERT_TRUE(rig.Discard(0, 16, 16).ok());
  rig.Advance(1);
  EXPECT_TRUE(Succeeded(two));
}

TEST(ThinSpace, AWriteThatDoesNotWaitSaysAgain) {
  ThinRig rig({.blocks = 8});
  Fill(rig, 1);
  EXPECT_EQ(rig.Write(0, 112, 32, 9).error(), Errno::kAgain);
  EXPECT_THAT(rig.Read(0, 112, 16), Each(9)) << "the block that there was room for";
  EXPECT_EQ(rig.pool().waiting_pieces(), 0u);
}

TEST(ThinSpace, ADeviceThatGoesAwayFailsItsWaitingWrites) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Deactivate(0);
  EXPECT_EQ(ErrorOf(ninth), Errno::kIo);
  EXPECT_EQ(rig.pool().waiting_pieces(), 0u);
}

TEST(ThinSpace, ASuspendStopsTheTimerAndAResumeStartsItAnew) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Advance(50);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  rig.Advance(100);
  EXPECT_TRUE(ninth.waits());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  rig.Advance(59);
  EXPECT_TRUE(ninth.waits());
  rig.Advance(1);
  EXPECT_EQ(ErrorOf(ninth), Errno::kNoSpc);
}

TEST(ThinSpace, DM_045_WithoutATimeoutAWriteWaitsForEver) {
  ThinRig rig({.blocks = 8});
  rig.pool().set_no_space_timeout(Duration{0});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  rig.Advance(1'000'000'000);
  EXPECT_TRUE(ninth.waits());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kOutOfDataSpace);
}

// ── Growth ───────────────────────────────────────────────────────────────────────────────────────

TEST(ThinSpace, DM_046_APoolGrowsByWholeBlocksAndDoesNotShrink) {
  ThinRig rig({.blocks = 8, .data_blocks = 20});
  ASSERT_TRUE(rig.ReloadAndResume(16, "").ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 0/16 "));
  EXPECT_EQ(rig.ReloadAndResume(7, "").error(), Errno::kInval);
  EXPECT_TRUE(rig.pool().suspended());
  ThinPoolTable table = rig.Table(16, "");
  table.length_sectors += 127;
  ASSERT_FALSE(rig.pool().Reload(rig.Op(), table, rig.metadata, rig.data).has_value());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 0/16 "));
}

TEST(ThinSpace, ALongerDataDeviceIsNotUsedWithoutALongerTable) {
  ThinRig rig({.blocks = 8, .data_blocks = 20});
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 0/8 "));
  EXPECT_EQ(rig.Reload(21, "")->error, Errno::kInval) << "longer than the device";
}

TEST(ThinSpace, GrowthIsCommitted) {
  ThinRig rig({.blocks = 8, .data_blocks = 16});
  ASSERT_TRUE(rig.ReloadAndResume(16, "").ok());
  rig.Crash();
  EXPECT_EQ(rig.pool().metadata().nr_data_blocks(), 16u);
}

TEST(ThinSpace, TheMetadataGrowsWithItsDevice) {
  ThinRig rig({.metadata_blocks = 64});
  rig.metadata_disk().Resize(128 * 8);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_EQ(rig.pool().metadata().metadata_blocks().total, 128u);
  rig.metadata_disk().Resize(100 * 8);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  EXPECT_EQ(rig.pool().Resume(rig.Op()).error(), Errno::kInval) << "shorter than before";
}

// ── The low water mark ───────────────────────────────────────────────────────────────────────────

TEST(ThinSpace, DM_049_OneLowWaterEventUntilTheNextResume) {
  ThinRig rig({.blocks = 8, .low_water = 4});
  rig.Create(0);
  std::vector<std::size_t> told;
  for (std::uint64_t block = 0; block < 6; ++block) {
    ASSERT_TRUE(rig.Write(0, block * 16, 16, 7).ok());
    told.push_back(CountEvents(rig, ThinPoolEventKind::kLowWater));
  }
  EXPECT_EQ(told, (std::vector<std::size_t>{0, 0, 0, 0, 1, 1}));
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kLowWater), 1u) << "no more at the resume itself";
  ASSERT_TRUE(rig.Write(0, 96, 16, 7).ok());
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kLowWater), 2u);
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kResumed), 2u);
}

TEST(ThinSpace, ALowWaterMarkOfZeroTellsAtExhaustion) {
  ThinRig rig({.blocks = 8, .features = "1 error_if_no_space"});
  Fill(rig);
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kLowWater), 0u);
  EXPECT_EQ(rig.Write(0, 128, 1, 7).error(), Errno::kNoSpc);
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kLowWater), 1u);
}

TEST(ThinSpace, EveryChangeOfModeIsAnEvent) {
  ThinRig rig({.blocks = 8});
  Fill(rig);
  const WriteTicket ninth = rig.Submit(0, 128, 16, 9);
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kModeChanged), 1u) << "out of data space";
  rig.Advance(60);
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kModeChanged), 2u) << "the timeout";
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  rig.Commit();
  EXPECT_EQ(CountEvents(rig, ThinPoolEventKind::kModeChanged), 3u) << "writable";
  EXPECT_EQ(rig.pool().events().back(),
            (ThinPoolEvent{ThinPoolEventKind::kModeChanged, rig.now(), ThinPoolMode::kWrite}));
}

}  // namespace
}  // namespace lamina
