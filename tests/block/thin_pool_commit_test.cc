// Transactions, power cuts, failing metadata, read-only pools: devicemapper.md sections 9 and 10,
// scenarios DM-030 to DM-033, DM-047 and DM-048.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "lamina/block/thin_check.h"
#include "tests/block/thin_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kOld = 1;
constexpr int kNew = 2;

// ── Power cuts ───────────────────────────────────────────────────────────────────────────────────

// The start of DM-030, up to the crash.
void SnapshotThenWrite(ThinRig& rig) {
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 64, kOld).ok());
  ASSERT_TRUE(rig.Flush(0).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(0, 0, 1, kNew).ok());
  ASSERT_TRUE(rig.Write(0, 64, 16, kNew).ok());
}

TEST(ThinPoolCommit, DM_030_ACrashGoesBackToTheLastCommit) {
  ThinRig rig;
  SnapshotThenWrite(rig);
  rig.Crash();
  EXPECT_THAT(rig.Read(0, 0, 64), Each(kOld));
  EXPECT_THAT(rig.Read(1, 0, 64), Each(kOld));
  EXPECT_THAT(rig.Read(0, 64, 16), Each(0));
  EXPECT_EQ(rig.Mappings(0), "0>0@0 1>1@0 2>2@0 3>3@0");
  EXPECT_EQ(rig.Used(), 4u);
  EXPECT_THAT(rig.Counts(0, 4), Each(2));
  EXPECT_EQ(rig.pool().metadata().time(), 1u);
}

TEST(ThinPoolCommit, DM_031_WhatWasFlushedSurvives) {
  ThinRig rig;
  SnapshotThenWrite(rig);
  ASSERT_TRUE(rig.Flush(0).ok());
  rig.Crash();
  EXPECT_EQ(rig.Read(0, 0, 1), std::vector<int>{kNew});
  EXPECT_THAT(rig.Read(0, 64, 16), Each(kNew));
  EXPECT_THAT(rig.Read(1, 0, 64), Each(kOld));
  EXPECT_EQ(rig.Used(), 6u);
}

TEST(ThinPoolCommit, DM_032_AFlushOfAnUnchangedDeviceCommitsNothingASecondDoes) {
  ThinRig rig;
  rig.Create(0);
  rig.Create(1);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  ASSERT_TRUE(rig.Flush(1).ok());
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), "") << "lost";

  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  rig.Advance(1);
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), "0>0@0") << "kept";
}

TEST(ThinPoolCommit, AFlushOfAChangedDeviceTakesTheOthersAlong) {
  ThinRig rig;
  rig.Create(0);
  rig.Create(1);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  ASSERT_TRUE(rig.Write(1, 0, 16, kNew).ok());
  ASSERT_TRUE(rig.Flush(1).ok());
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), "0>0@0");
}

TEST(ThinPoolCommit, AWriteThroughCommits) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Device(0).WriteThrough(rig.Op(), Sector{0}, ThinRig::Pages(1, kNew)).ok());
  rig.Crash();
  EXPECT_EQ(rig.Read(0, 0, 1), std::vector<int>{kNew});
}

TEST(ThinPoolCommit, DM_033_AnInPlaceWriteIsNotRolledBack) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kOld).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Write(0, 3, 1, kNew).ok());
  const std::string before = rig.Mappings(0);
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), before);
  EXPECT_THAT(rig.Read(0, 2, 3), ElementsAre(kOld, kNew, kOld));
}

TEST(ThinPoolCommit, ADiscardThatWasNotCommittedIsUndoneButTheContentMayBeGone) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, kOld).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), "0>0@0 1>1@0");
  EXPECT_THAT(rig.Read(0, 0, 16), Each(0)) << "it was passed down";
  EXPECT_THAT(rig.Read(0, 16, 16), Each(kOld));
}

TEST(ThinPoolCommit, BlocksOfTheLostTransactionAreFreeAgain) {
  ThinRig rig({.blocks = 8});
  rig.Create(0);
  rig.Commit();
  ASSERT_TRUE(rig.Write(0, 0, 128, kNew).ok());
  rig.Crash();
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_TRUE(rig.Write(0, 320, 128, kNew).ok());
}

// ── When a commit happens ────────────────────────────────────────────────────────────────────────

TEST(ThinPoolCommit, APoolThatNobodyTouchesDoesNotCommit) {
  ThinRig rig;
  rig.Create(0);
  rig.metadata.writes = 0;
  rig.Read(0, 0, 16);
  rig.PoolStatus();
  rig.Advance(100);
  ASSERT_TRUE(rig.Flush(0).ok());
  EXPECT_EQ(rig.metadata.writes, 0);
  EXPECT_EQ(rig.pool().NextDeadline(), std::nullopt);
}

TEST(ThinPoolCommit, EveryMessageThatSucceedsCommits) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Message("set_transaction_id 0 7").ok());
  rig.Snap(1, 0);
  rig.Crash();
  EXPECT_EQ(rig.pool().metadata().transaction_id(), 7u);
  EXPECT_EQ(rig.Details(1).transaction_id, 7u);
  ASSERT_TRUE(rig.Delete(1).ok());
  rig.Crash();
  EXPECT_EQ(rig.Message("delete 1").error(), Errno::kNoData);
}

TEST(ThinPoolCommit, AStatusQueryCommitsUnlessItIsToldNotTo) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  const std::uint64_t commits = rig.pool().counters().commits;
  rig.pool().Status(rig.Op(), StatusFlush::kNoFlush);
  EXPECT_EQ(rig.pool().counters().commits, commits);
  rig.pool().Status(rig.Op());
  EXPECT_EQ(rig.pool().counters().commits, commits + 1);
}

TEST(ThinPoolCommit, ASuspendCommits) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  EXPECT_EQ(rig.Write(0, 0, 16, kNew).error(), Errno::kAgain);
  rig.Crash();
  EXPECT_EQ(rig.Mappings(0), "0>0@0");
}

TEST(ThinPoolCommit, TheDataIsFlushedBeforeTheSuperblockIsWritten) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  const int flushes = rig.data.flushes;
  rig.metadata.fail_writes = 1000;
  EXPECT_EQ(rig.Flush(0).error(), Errno::kIo);
  EXPECT_EQ(rig.data.flushes, flushes + 1);
}

TEST(ThinPoolCommit, AWriteOfASuspendedPoolWaitsForTheResume) {
  ThinRig rig;
  rig.Create(0);
  rig.Device(0);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  const WriteTicket ticket = rig.Submit(0, 0, 16, kNew);
  EXPECT_TRUE(ticket.waits());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  ASSERT_TRUE(ticket.result().has_value());
  EXPECT_TRUE(ticket.result()->ok());
  EXPECT_THAT(rig.Read(0, 0, 16), Each(kNew));
}

// ── Failing metadata ─────────────────────────────────────────────────────────────────────────────

TEST(ThinPoolCommit, DM_047_AFailedCommitThrowsTheTransactionAway) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kOld).ok());
  rig.Commit();
  ASSERT_TRUE(rig.Write(0, 16, 16, kNew).ok());
  rig.metadata.fail_writes = 1;
  EXPECT_EQ(rig.Flush(0).error(), Errno::kIo);
  EXPECT_EQ(rig.Mappings(0), "0>0@0") << "the last commit";
  EXPECT_THAT(rig.PoolStatus(),
              HasSubstr(" 1/1024 - ro discard_passdown queue_if_no_space needs_check "));
  EXPECT_EQ(rig.Write(0, 16, 16, kNew).error(), Errno::kIo);
  EXPECT_EQ(rig.Message("create_thin 1").error(), Errno::kOpNotSupp);
  EXPECT_THAT(rig.Read(0, 0, 32), ::testing::SizeIs(32));
  EXPECT_EQ(rig.Flush(0).error(), Errno::kIo) << "its writes are gone";
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kReadOnly);
  rig.Reopen();
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kReadOnly) << "the flag is on the device";
  EXPECT_TRUE(rig.Flush(0).ok()) << "a new activation has lost nothing";
}

TEST(ThinPoolCommit, ADataDeviceThatDoesNotFlushFailsTheCommit) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  rig.data.fail_flushes = true;
  EXPECT_EQ(rig.Flush(0).error(), Errno::kIo);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kReadOnly);
  EXPECT_TRUE(rig.pool().needs_check());
}

TEST(ThinPoolCommit, AMetadataDeviceThatIsGoneFailsThePool) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  rig.metadata.fail_writes = 1'000'000;
  EXPECT_EQ(rig.Flush(0).error(), Errno::kIo);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kFail);
  EXPECT_EQ(rig.PoolStatus(), "Fail");
  EXPECT_EQ(rig.ThinStatus(0), "Fail");
  EXPECT_THAT(rig.Read(0, 0, 1), IsEmpty());
  EXPECT_EQ(rig.Write(0, 0, 1, kNew).error(), Errno::kIo);
  EXPECT_EQ(rig.Discard(0, 0, 16).error(), Errno::kIo);
  EXPECT_EQ(rig.Message("create_thin 1").error(), Errno::kOpNotSupp);
  rig.metadata.fail_writes = 0;
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kFail) << "nothing but a new pool helps";
  rig.Crash();
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite) << "the flag could not be written";
}

TEST(ThinPoolCommit, NothingGrowsWhileThePoolIsToBeChecked) {
  ThinRig rig({.blocks = 8, .data_blocks = 16});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  rig.metadata.fail_writes = 1;
  ASSERT_EQ(rig.Flush(0).error(), Errno::kIo);
  ASSERT_TRUE(rig.ReloadAndResume(16, "").ok());
  EXPECT_EQ(rig.pool().metadata().nr_data_blocks(), 8u);
  ASSERT_FALSE(rig.pool().log().empty());
  EXPECT_THAT(rig.pool().log().back(), HasSubstr("stays at 8 blocks"));
}

TEST(ThinPoolCommit, ACopyThatFailsLeavesTheMappingAndTheBlockFree) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, kOld).ok());
  rig.Snap(1, 0);
  rig.data.fail_writes = 1;
  EXPECT_EQ(rig.Write(0, 0, 1, kNew).error(), Errno::kIo);
  EXPECT_EQ(rig.Mappings(0), "0>0@0");
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite);
}

// ── Out of metadata space ────────────────────────────────────────────────────────────────────────

// Devices of one block each until the metadata is short; gives their number.
std::uint64_t FillMetadata(ThinRig& rig) {
  std::uint64_t id = 0;
  while (rig.pool().mode() == ThinPoolMode::kWrite && id < 10'000) {
    if (!rig.pool().CreateThin(rig.Op(), ThinId{id}).ok()) break;
    ++id;
  }
  return id;
}

TEST(ThinPoolCommit, AReserveOfMetadataIsKeptAndGrowthMakesThePoolWritable) {
  ThinRig rig({.metadata_blocks = 100});
  const std::uint64_t devices = FillMetadata(rig);
  EXPECT_GT(devices, 10u);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kOutOfMetadataSpace);
  EXPECT_EQ(rig.pool().metadata_reserve_blocks(), 10u);
  EXPECT_GT(rig.pool().metadata().metadata_blocks().free(), 0u);
  EXPECT_FALSE(rig.pool().needs_check());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 100/100 "));
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" ro "));
  EXPECT_EQ(rig.Message("delete 0").error(), Errno::kOpNotSupp);
  EXPECT_EQ(rig.Write(0, 0, 16, kNew).error(), Errno::kIo);
  EXPECT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Mappings(0), "");

  rig.metadata_disk().Resize(200 * 8);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite);
  EXPECT_TRUE(rig.Write(0, 0, 16, kNew).ok());
  EXPECT_TRUE(rig.Delete(0).ok());
}

TEST(ThinPoolCommit, LowMetadataIsToldOnce) {
  ThinRig rig({.metadata_blocks = 100});
  FillMetadata(rig);
  int told = 0;
  for (const ThinPoolEvent& event : rig.pool().events()) {
    told += event.kind == ThinPoolEventKind::kMetadataLowWater ? 1 : 0;
  }
  EXPECT_EQ(told, 1);
  EXPECT_EQ(rig.pool().metadata_low_water_blocks(), 25u);
}

// ── Read-only ────────────────────────────────────────────────────────────────────────────────────

TEST(ThinPoolCommit, DM_048_AReadOnlyPoolServesWhatItHas) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, kOld).ok());
  rig.Reopen("1 read_only");
  EXPECT_THAT(rig.Read(0, 0, 32), Each(kOld));
  EXPECT_TRUE(rig.Write(0, 3, 1, kNew).ok()) << "in place";
  EXPECT_EQ(rig.Write(0, 32, 16, kNew).error(), Errno::kIo);
  EXPECT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Mappings(0), "0>0@0 1>1@0") << "kept";
  EXPECT_EQ(rig.Message("create_thin 1").error(), Errno::kOpNotSupp);
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" ro discard_passdown "));
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kWrite) << "it can be made writable";
  EXPECT_TRUE(rig.Write(0, 32, 16, kNew).ok());
}

TEST(ThinPoolCommit, AReadOnlyPoolChangesNothingOnItsMetadataDevice) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, kOld).ok());
  rig.Reopen("1 read_only");
  rig.metadata.writes = 0;
  ASSERT_TRUE(rig.Write(0, 3, 1, kNew).ok());
  ASSERT_TRUE(rig.Flush(0).ok());
  rig.PoolStatus();
  rig.Advance(10);
  rig.Reopen();
  EXPECT_EQ(rig.metadata.writes, 0);
}

}  // namespace
}  // namespace lamina
