// Reads, writes, snapshots and discards of thin devices: devicemapper.md sections 5, 6 and 8,
// scenarios DM-001 to DM-026. A pool of 1024 blocks of 64 KiB, 16 pages a block.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/block/thin_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ThinPoolPaths, DM_001_APartialWriteZeroesANewBlock) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 1, 7).ok());
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_EQ(rig.Mappings(0), "0>0@0");
  EXPECT_EQ(rig.pool().counters().zeroes, 1u);
  EXPECT_EQ(rig.ThinStatus(0), "128 127");
  EXPECT_THAT(rig.Read(0, 0, 2), ElementsAre(7, 0));
}

TEST(ThinPoolPaths, DM_002_AReadAllocatesNothing) {
  ThinRig rig;
  rig.Create(0);
  EXPECT_THAT(rig.Read(0, 3, 40), Each(0));
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_EQ(rig.ThinStatus(0), "0 -");
}

TEST(ThinPoolPaths, DM_003_AWriteIsSplitAtBlocks) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 15, 2, 7).ok());
  EXPECT_EQ(rig.Used(), 2u);
  EXPECT_EQ(rig.Mappings(0), "0>0@0 1>1@0");
  EXPECT_EQ(rig.pool().counters().zeroes, 2u);
}

TEST(ThinPoolPaths, DM_004_AFullBlockIsNotZeroedFirst) {
  ThinRig rig;
  rig.Create(0);
  rig.data.writes = 0;
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_EQ(rig.pool().counters().zeroes, 0u);
  EXPECT_EQ(rig.pool().counters().copies, 0u);
  EXPECT_EQ(rig.data.writes, 1);
}

TEST(ThinPoolPaths, DM_005_TwoHalvesAreNoFullOverwrite) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 8, 7).ok());
  ASSERT_TRUE(rig.Write(0, 8, 8, 7).ok());
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_EQ(rig.pool().counters().zeroes, 1u);
}

TEST(ThinPoolPaths, DM_006_SkipBlockZeroingShowsStaleDataRoundAPartialWrite) {
  ThinRig rig({.features = "1 skip_block_zeroing"});
  ASSERT_TRUE(rig.data_disk().Write(rig.Op(), Sector{0}, ThinRig::Pages(32, 9)).ok());
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 1, 7).ok());
  EXPECT_EQ(rig.Read(0, 0, 1), std::vector<int>{7});
  EXPECT_THAT(rig.Read(0, 1, 15), Each(9));
  EXPECT_THAT(rig.Read(0, 16, 16), Each(0)) << "an unmapped block";
  EXPECT_EQ(rig.pool().counters().zeroes, 0u);
}

TEST(ThinPoolPaths, SkipBlockZeroingShowsTheBytesOfADeletedDevice) {
  ThinRig rig({.blocks = 1, .features = "1 skip_block_zeroing"});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 9).ok());
  ASSERT_TRUE(rig.Delete(0).ok());
  rig.Create(1);
  ASSERT_TRUE(rig.Write(1, 32, 1, 7).ok());
  EXPECT_THAT(rig.Read(1, 32, 3), ElementsAre(7, 9, 9));
}

// The start of DM-007 and what follows it.
class AfterSnapshot : public ::testing::Test {
 protected:
  AfterSnapshot() {
    rig.Create(0);
    EXPECT_TRUE(rig.Write(0, 0, 64, 7).ok());
    rig.Snap(1, 0);
  }
  ThinRig rig;
};

TEST_F(AfterSnapshot, DM_007_BothShareEverythingAndNothingIsCopied) {
  EXPECT_EQ(rig.Used(), 4u);
  EXPECT_THAT(rig.Counts(0, 4), Each(2));
  EXPECT_EQ(rig.pool().metadata().time(), 1u);
  EXPECT_EQ(rig.Details(0).snapshotted_time, 1u);
  EXPECT_EQ(rig.Details(0).creation_time, 0u);
  EXPECT_EQ(
      rig.Details(1),
      (ThinDetails{
          .mapped_blocks = 4, .transaction_id = 0, .creation_time = 1, .snapshotted_time = 1}));
  EXPECT_EQ(rig.pool().counters().copies, 0u);
}

TEST_F(AfterSnapshot, DM_008_APartialWriteCopiesTheBlock) {
  ASSERT_TRUE(rig.Write(0, 0, 1, 8).ok());
  EXPECT_EQ(rig.Used(), 5u);
  EXPECT_EQ(rig.Mappings(0), "0>4@1 1>1@0 2>2@0 3>3@0");
  EXPECT_EQ(rig.Mappings(1), "0>0@0 1>1@0 2>2@0 3>3@0");
  EXPECT_THAT(rig.Counts(0, 5), ElementsAre(1, 2, 2, 2, 1));
  EXPECT_EQ(rig.pool().counters().copies, 1u);
  EXPECT_EQ(rig.pool().counters().broken, 1u);
  EXPECT_THAT(rig.Read(0, 0, 3), ElementsAre(8, 7, 7));
  EXPECT_THAT(rig.Read(1, 0, 3), Each(7));
  EXPECT_EQ(rig.Details(0).mapped_blocks, 4u);
}

TEST_F(AfterSnapshot, DM_009_TheSnapshotCopiesOnceMoreThanItWouldHaveTo) {
  ASSERT_TRUE(rig.Write(0, 0, 1, 8).ok());
  ASSERT_TRUE(rig.Write(1, 0, 1, 9).ok());
  rig.Commit();
  EXPECT_EQ(rig.pool().counters().copies, 2u);
  EXPECT_EQ(rig.Used(), 5u);
  EXPECT_EQ(rig.Mappings(1), "0>5@1 1>1@0 2>2@0 3>3@0");
  EXPECT_THAT(rig.Counts(0, 1), ElementsAre(0));
}

TEST_F(AfterSnapshot, DM_010_WhatWasMovedIsOverwrittenInPlace) {
  ASSERT_TRUE(rig.Write(0, 0, 1, 8).ok());
  const std::string before = rig.Mappings(0);
  ASSERT_TRUE(rig.Write(0, 1, 1, 9).ok());
  ASSERT_TRUE(rig.Write(0, 0, 16, 10).ok());
  EXPECT_EQ(rig.Used(), 5u);
  EXPECT_EQ(rig.pool().counters().copies, 1u);
  EXPECT_EQ(rig.Mappings(0), before);
}

TEST_F(AfterSnapshot, DM_011_AFullBlockIsNotCopied) {
  ASSERT_TRUE(rig.Write(0, 0, 16, 8).ok());
  EXPECT_EQ(rig.Used(), 5u);
  EXPECT_EQ(rig.pool().counters().copies, 0u);
  EXPECT_EQ(rig.Mappings(0), "0>4@1 1>1@0 2>2@0 3>3@0");
  EXPECT_THAT(rig.Read(1, 0, 16), Each(7));
}

TEST_F(AfterSnapshot, DM_012_ADeletedSnapshotLeavesMappingsThatLookShared) {
  ASSERT_TRUE(rig.Delete(1).ok());
  ASSERT_TRUE(rig.Write(0, 0, 1, 8).ok());
  EXPECT_EQ(rig.pool().counters().copies, 1u);
  EXPECT_EQ(rig.Mappings(0), "0>4@1 1>1@0 2>2@0 3>3@0");
  EXPECT_EQ(rig.Used(), 4u);
  EXPECT_THAT(rig.Counts(0, 1), ElementsAre(0));
}

TEST(ThinPoolPaths, DM_013_AWriteThatOnlyLooksSharedNeedsAFreeBlock) {
  ThinRig rig({.blocks = 4, .features = "1 error_if_no_space"});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 64, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Delete(1).ok());
  EXPECT_EQ(rig.Write(0, 0, 1, 8).error(), Errno::kNoSpc);
  EXPECT_EQ(rig.pool().mode(), ThinPoolMode::kOutOfDataSpace);
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 4/4 "));
  EXPECT_THAT(rig.Counts(0, 4), Each(1));
  EXPECT_EQ(rig.Write(0, 0, 16, 8).error(), Errno::kNoSpc) << "a full block needs one too";
}

TEST(ThinPoolPaths, DM_014_TheExampleOfSection5) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, 1).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(0, 0, 1, 2).ok());
  rig.Snap(2, 0);
  ASSERT_TRUE(rig.Write(1, 16, 1, 3).ok());
  EXPECT_THAT(rig.Counts(0, 4), ElementsAre(1, 2, 2, 1));
  EXPECT_EQ(rig.Mappings(0), "0>2@1 1>1@0");
  EXPECT_EQ(rig.Mappings(1), "0>0@0 1>3@2");
  EXPECT_EQ(rig.Mappings(2), "0>2@1 1>1@0");
  EXPECT_EQ(rig.pool().metadata().time(), 2u);
  EXPECT_EQ(rig.Details(0).snapshotted_time, 2u);
  EXPECT_EQ(rig.Details(1).snapshotted_time, 1u);
}

// Ten blocks of device 0, five snapshots of it, and one page of block 0 written through device 0.
class FiveSnapshots : public ::testing::Test {
 protected:
  FiveSnapshots() {
    rig.Create(0);
    EXPECT_TRUE(rig.Write(0, 0, 160, 7).ok());
    for (std::uint64_t id = 1; id <= 5; ++id) rig.Snap(id, 0);
    EXPECT_TRUE(rig.Write(0, 0, 1, 8).ok());
  }
  ThinRig rig;
};

TEST_F(FiveSnapshots, DM_015_OneWriteToTheOriginCopiesOnce) {
  EXPECT_EQ(rig.Used(), 11u);
  EXPECT_EQ(rig.pool().counters().copies, 1u);
  EXPECT_THAT(rig.Counts(0, 1), ElementsAre(5));
  EXPECT_THAT(rig.Counts(1, 9), Each(6));
}

TEST_F(FiveSnapshots, DM_016_SixDevicesOnOneBlockCostSixCopies) {
  for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(rig.Write(id, 0, 1, 9).ok());
  rig.Commit();
  EXPECT_EQ(rig.Used(), 15u);
  EXPECT_EQ(rig.pool().counters().copies, 6u);
  EXPECT_THAT(rig.Counts(0, 1), ElementsAre(0));
  EXPECT_THAT(rig.Counts(1, 9), Each(6));
}

// How many data blocks only `id` maps.
std::uint64_t Exclusive(ThinRig& rig, std::uint64_t id) {
  const Result<ThinChunkMap> map = rig.pool().ChunkMap(rig.Op());
  std::uint64_t exclusive = 0;
  for (const ThinChunk& chunk : map->chunks) {
    exclusive += chunk.users.size() == 1 && chunk.users[0].device.value == id ? 1 : 0;
  }
  return exclusive;
}

// Metadata blocks that a cold read of `page` through `id` looks at.
int MetadataReads(ThinRig& rig, std::uint64_t id, std::uint64_t page) {
  rig.Reopen();
  rig.Device(id);
  const int before = rig.metadata.reads;
  EXPECT_EQ(rig.Read(id, page, 1).size(), 1u);
  return rig.metadata.reads - before;
}

TEST(ThinPoolPaths, DM_017_AChainOfSnapshotsIsReadAtTheSamePrice) {
  ThinRig rig;
  rig.Create(1);
  ASSERT_TRUE(rig.Write(1, 0, 160, 7).ok());
  for (std::uint64_t id = 2; id <= 6; ++id) {
    rig.Snap(id, id - 1);
    ASSERT_TRUE(rig.Write(id, (id - 2) * 16, 1, static_cast<int>(id)).ok());
  }
  EXPECT_EQ(rig.Used(), 15u);
  EXPECT_EQ(rig.pool().counters().copies, 5u);
  std::vector<std::uint64_t> mapped;
  std::vector<std::uint64_t> exclusive;
  std::vector<int> price;
  for (std::uint64_t id = 1; id <= 6; ++id) {
    mapped.push_back(rig.Details(id).mapped_blocks);
    exclusive.push_back(Exclusive(rig, id));
    price.push_back(MetadataReads(rig, id, 9 * 16));
  }
  EXPECT_THAT(mapped, Each(10));
  EXPECT_THAT(exclusive, ElementsAre(1, 0, 0, 0, 0, 1));
  EXPECT_THAT(price, Each(price[0]));
}

TEST(ThinPoolPaths, DM_018_AmplificationOfSmallWrites) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 1600, 7).ok());
  rig.Snap(1, 0);
  for (std::uint64_t block = 0; block < 100; ++block) {
    ASSERT_TRUE(rig.Write(1, block * 16 + block % 16, 1, 8).ok());
  }
  EXPECT_EQ(rig.Used(), 200u);
  EXPECT_EQ(rig.pool().counters().copies, 100u);
  EXPECT_EQ(rig.pool().counters().copies * 16 * kPageSize, 6'553'600u);
}

TEST(ThinPoolPaths, DM_019_PartsOfBlocksAreNotDiscarded) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 128, 7).ok());
  ASSERT_TRUE(rig.Discard(0, 0, 15).ok());
  ASSERT_TRUE(rig.Discard(0, 7, 20).ok());
  EXPECT_EQ(rig.Used(), 8u);
  EXPECT_THAT(rig.Read(0, 0, 128), Each(7));
  EXPECT_TRUE(rig.data.discards.empty());
}

TEST(ThinPoolPaths, DM_020_AWholeBlockInTheMiddleIs) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 128, 7).ok());
  ASSERT_TRUE(rig.Discard(0, 7, 26).ok());
  EXPECT_EQ(rig.Used(), 7u);
  EXPECT_THAT(rig.Read(0, 0, 16), Each(7));
  EXPECT_THAT(rig.Read(0, 16, 16), Each(0));
  EXPECT_THAT(rig.Read(0, 32, 96), Each(7));
  ASSERT_EQ(rig.data.discards.size(), 1u);
  EXPECT_EQ(rig.data.discards[0].first, Sector{128});
  EXPECT_EQ(rig.data.discards[0].count, 128u);
  EXPECT_TRUE(rig.Discard(0, 7, 26).ok()) << "a second time";
  EXPECT_EQ(rig.data.discards.size(), 1u);
}

TEST(ThinPoolPaths, DM_021_ABlockThatIsStillMappedIsNotPassedDown) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Details(0).mapped_blocks, 0u);
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_TRUE(rig.data.discards.empty());
  EXPECT_THAT(rig.Read(1, 0, 16), Each(7));
  EXPECT_THAT(rig.Read(0, 0, 16), Each(0));
}

TEST(ThinPoolPaths, DM_022_TheLastUserPassesDown) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  ASSERT_TRUE(rig.Discard(1, 0, 16).ok());
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_EQ(rig.pool().counters().discards_passed_down, 1u);
  EXPECT_EQ(rig.pool().counters().blocks_passed_down, 1u);
}

TEST(ThinPoolPaths, DM_023_TheTrueCountDecidesNotTheLook) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Delete(1).ok());
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_EQ(rig.data.discards.size(), 1u);
}

TEST(ThinPoolPaths, DM_024_ADeleteDiscardsNothing) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  ASSERT_TRUE(rig.Delete(0).ok());
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_TRUE(rig.data.discards.empty());
}

TEST(ThinPoolPaths, DM_025_NoDiscardPassdownOnlyUnmaps) {
  ThinRig rig({.features = "1 no_discard_passdown"});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  ASSERT_TRUE(rig.Discard(0, 0, 4096 * 16).ok());
  EXPECT_EQ(rig.Used(), 0u);
  EXPECT_TRUE(rig.data.discards.empty());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" no_discard_passdown "));
}

TEST(ThinPoolPaths, DM_026_IgnoreDiscardKnowsNone) {
  ThinRig rig({.features = "1 ignore_discard"});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  EXPECT_EQ(rig.Discard(0, 0, 16).error(), Errno::kOpNotSupp);
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_EQ(rig.Device(0).max_discard_sectors(), 0u);
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" ignore_discard "));
}

// What a listener hears, of the kinds that a pool tells itself.
class Listener final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind == EventKind::kChunkProvisioned) {
      heard.push_back(absl::StrFormat("provisioned %d on %d", event.subject, event.detail));
    } else if (event.kind == EventKind::kSharingBroken) {
      heard.push_back(absl::StrFormat("broken %d, %d bytes", event.subject, event.amount));
    } else if (event.kind == EventKind::kTransactionCommitted) {
      heard.push_back(absl::StrFormat("committed %d", event.detail));
    }
  }
  std::vector<std::string> heard;
};

TEST(ThinPoolPaths, EventsTellWhatWasProvisionedBrokenAndCommitted) {
  Listener listener;
  ThinRig rig({.sink = &listener});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 16, 1, 7).ok());
  ASSERT_TRUE(rig.Message("set_transaction_id 0 3").ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(0, 16, 1, 8).ok());
  ASSERT_TRUE(rig.Write(1, 16, 16, 8).ok());
  EXPECT_THAT(listener.heard,
              ElementsAre("committed 0", "provisioned 1 on 0", "committed 3", "committed 3",
                          "broken 1, 65536 bytes", "broken 1, 0 bytes"));
}

TEST(ThinPoolPaths, RunsOfBlocksArePassedDownInOnePiece) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 160, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(0, 64, 16, 8).ok());  // block 4 moves to data block 10
  ASSERT_TRUE(rig.Delete(1).ok());
  ASSERT_TRUE(rig.Discard(0, 0, 4096 * 16).ok());
  ASSERT_EQ(rig.data.discards.size(), 3u);
  EXPECT_EQ(rig.data.discards[0].count, 4 * 128u);
  EXPECT_EQ(rig.data.discards[1].first, Sector{10 * 128});
  EXPECT_EQ(rig.data.discards[2].count, 5 * 128u);
  EXPECT_EQ(rig.pool().counters().blocks_passed_down, 10u);
}

TEST(ThinPoolPaths, WhatThePassedDownDiscardAnswersIsNotLookedAt) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  rig.data.fail_discards = true;
  EXPECT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Used(), 0u);
}

TEST(ThinPoolPaths, AHeldMetadataSnapshotKeepsDiscardedBlocks) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  ASSERT_TRUE(rig.Message("reserve_metadata_snap").ok());
  ASSERT_TRUE(rig.Discard(0, 0, 16).ok());
  EXPECT_EQ(rig.Used(), 1u);
  EXPECT_TRUE(rig.data.discards.empty());
  ASSERT_TRUE(rig.Message("release_metadata_snap").ok());
  EXPECT_EQ(rig.Used(), 0u);
}

}  // namespace
}  // namespace lamina
