// ThinMetadata: devices, mappings, times and counts as §3, §5 and §7 say.
#include "lamina/block/thin_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/block/thin_metadata_fixture.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

void Ignore(const ThinUnmapped&) {}

std::vector<std::pair<std::uint64_t, std::uint64_t>> MappingsOf(MetadataRig& pool,
                                                                std::uint64_t device,
                                                                std::uint64_t from = 0) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  const auto visit = [&](std::uint64_t virtual_block, const ThinMapping& mapping) {
    found.emplace_back(virtual_block, mapping.data_block);
    return true;
  };
  EXPECT_TRUE(pool->ForEachMapping(MetadataOp(), ThinId{device}, from, visit).ok());
  return found;
}

Errno FormatError(std::uint64_t metadata_sectors, std::uint64_t block_sectors,
                  std::uint64_t data_blocks) {
  MemDisk disk(metadata_sectors);
  return ThinMetadata::Format(MetadataOp(), disk, block_sectors, data_blocks).error();
}

TEST(ThinMetadata, DM_039_FormatTakesTheBlockSizesOfTheKernel) {
  EXPECT_EQ(FormatError(4096, 64, 16), Errno::kInval);
  EXPECT_EQ(FormatError(4096, 185, 16), Errno::kInval);
  EXPECT_EQ(FormatError(4096, 2097153, 16), Errno::kInval);
  MemDisk disk(4096);
  EXPECT_TRUE(ThinMetadata::Format(MetadataOp(), disk, 2097152, 16).ok());
  EXPECT_TRUE(ThinMetadata::Format(MetadataOp(), disk, 192, 16).ok());
}

TEST(ThinMetadata, FormatNeedsRoom) {
  EXPECT_EQ(FormatError(7, 128, 16), Errno::kNoSpc);
  EXPECT_EQ(FormatError(8, 128, 16), Errno::kNoSpc);
  EXPECT_EQ(FormatError(4096, 128, std::uint64_t{1} << 40), Errno::kNoSpc);
  EXPECT_EQ(FormatError(4096, 128, (std::uint64_t{1} << 40) + 1), Errno::kInval);
}

TEST(ThinMetadata, TellsUnformattedDevices) {
  MemDisk disk(4096);
  EXPECT_TRUE(*ThinMetadata::IsUnformatted(MetadataOp(), disk));
  ASSERT_TRUE(disk.Write(MetadataOp(), Sector{7}, Sectors(1, 1)).ok());
  EXPECT_FALSE(*ThinMetadata::IsUnformatted(MetadataOp(), disk));
  EXPECT_EQ(ThinMetadata::Open(MetadataOp(), disk).error(), Errno::kInval);
  MemDisk tiny(7);
  EXPECT_EQ(ThinMetadata::IsUnformatted(MetadataOp(), tiny).error(), Errno::kInval);
  EXPECT_EQ(ThinMetadata::Open(MetadataOp(), tiny).error(), Errno::kInval);
}

TEST(ThinMetadata, DM_001_AFirstMappingHasTheTimeOfThePool) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 1);
  EXPECT_EQ(pool.MappingOf(0, 0), "0,0");
  EXPECT_EQ(pool.MappingOf(0, 1), "-");
  EXPECT_EQ(pool->data_blocks().allocated, 1u);
  EXPECT_EQ(*pool->Details(MetadataOp(), ThinId{0}), (ThinDetails{1, 0, 0, 0}));
}

TEST(ThinMetadata, DM_007_ASnapshotSharesEveryBlockAndAdvancesTheTime) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 4);
  pool.CreateSnapshot(1, 0);
  EXPECT_THAT(pool.Counts(5), ElementsAre(2, 2, 2, 2, 0));
  EXPECT_EQ(pool->time(), 1u);
  EXPECT_EQ(*pool->Details(MetadataOp(), ThinId{0}), (ThinDetails{4, 0, 0, 1}));
  EXPECT_EQ(*pool->Details(MetadataOp(), ThinId{1}), (ThinDetails{4, 0, 1, 1}));
  EXPECT_EQ(pool->data_blocks().allocated, 4u);
}

TEST(ThinMetadata, DM_008_AMovedBlockTakesTheNewTime) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 4);
  pool.CreateSnapshot(1, 0);
  pool.Provision(0, 0, 1);
  EXPECT_EQ(pool.MappingOf(0, 0), "4,1");
  EXPECT_EQ(pool.MappingOf(1, 0), "0,0");
  EXPECT_THAT(pool.Counts(5), ElementsAre(1, 2, 2, 2, 1));
}

TEST(ThinMetadata, DM_009_TheLastUserOfABlockFreesIt) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 4);
  pool.CreateSnapshot(1, 0);
  pool.Provision(0, 0, 1);
  pool.Provision(1, 0, 1);
  pool.Commit();
  EXPECT_EQ(pool.MappingOf(1, 0), "5,1");
  EXPECT_THAT(pool.Counts(6), ElementsAre(0, 2, 2, 2, 1, 1));
  EXPECT_EQ(pool->data_blocks().allocated, 5u);
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

TEST(ThinMetadata, DM_014_TheRuleOfSharingLooksAtTheDeviceOnly) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 2);
  pool.CreateSnapshot(1, 0);
  pool.Provision(0, 0, 1);
  pool.CreateSnapshot(2, 0);
  pool.Provision(1, 1, 1);
  EXPECT_THAT(pool.Counts(4), ElementsAre(1, 2, 2, 1));
  EXPECT_EQ(pool.MappingOf(1, 1), "3,2");
  EXPECT_TRUE(LooksShared(*pool->Details(MetadataOp(), ThinId{1}), ThinMapping{0, 0}));
  EXPECT_FALSE(LooksShared(*pool->Details(MetadataOp(), ThinId{1}), ThinMapping{3, 2}));
  EXPECT_EQ(pool->time(), 2u);
}

TEST(ThinMetadata, DM_015_CountsOfManySnapshots) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 10);
  for (std::uint64_t id = 1; id <= 5; ++id) pool.CreateSnapshot(id, 0);
  pool.Provision(0, 0, 1);
  EXPECT_THAT(pool.Counts(11), ElementsAre(5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 1));
  EXPECT_EQ(pool->data_blocks().allocated, 11u);
}

TEST(ThinMetadata, DM_017_ADeepChainOfSnapshots) {
  MetadataRig pool;
  pool.CreateThin(1);
  pool.Provision(1, 0, 10);
  for (std::uint64_t id = 2; id <= 6; ++id) {
    pool.CreateSnapshot(id, id - 1);
    pool.Provision(id, id - 2, 1);
  }
  EXPECT_EQ(pool->data_blocks().allocated, 15u);
  EXPECT_EQ(pool->Details(MetadataOp(), ThinId{6})->mapped_blocks, 10u);
  EXPECT_THAT(pool.Counts(15), ElementsAre(1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 5, 4, 3, 2, 1));
}

TEST(ThinMetadata, DM_021_UnmappingTellsTheTrueCount) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 1);
  pool.CreateSnapshot(1, 0);
  std::vector<std::pair<std::uint64_t, bool>> seen;
  const auto note = [&](const ThinUnmapped& unmapped) {
    seen.emplace_back(unmapped.data_block, unmapped.now_free);
  };
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 0, 1, note), 1u);
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{1}, 0, 1, note), 1u);  // DM-022
  EXPECT_THAT(seen, ElementsAre(Pair(0, false), Pair(0, true)));
  EXPECT_EQ(pool->Details(MetadataOp(), ThinId{0})->mapped_blocks, 0u);
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
}

TEST(ThinMetadata, DM_023_ADeletedSnapshotNoLongerCounts) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 1);
  pool.CreateSnapshot(1, 0);
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{1}).ok());
  bool now_free = false;
  const auto note = [&](const ThinUnmapped& unmapped) { now_free = unmapped.now_free; };
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 0, 1, note), 1u);
  EXPECT_TRUE(now_free);
}

TEST(ThinMetadata, DM_024_DeletingADeviceFreesItsBlocks) {
  MetadataRig pool(2000);
  pool.CreateThin(0);
  pool.Provision(0, 0, 1000);
  const std::uint64_t before = pool->metadata_blocks().allocated;
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{0}).ok());
  pool.Commit();
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
  EXPECT_LT(pool->metadata_blocks().allocated, before);
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

TEST(ThinMetadata, DM_027_SpaceFreedInATransactionIsNotReusedInIt) {
  MetadataRig pool(4);
  pool.CreateThin(0);
  pool.Provision(0, 0, 3);
  pool.Commit();
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 0, 1, Ignore), 1u);
  EXPECT_EQ(pool->data_blocks().allocatable, 1u);
  EXPECT_EQ(pool->data_blocks().free(), 2u);
  EXPECT_EQ(*pool->AllocateDataBlock(MetadataOp()), 3u);
  EXPECT_EQ(pool->AllocateDataBlock(MetadataOp()).error(), Errno::kNoSpc);
}

TEST(ThinMetadata, DM_028_SpaceFreedIsReusedAfterTheCommit) {
  MetadataRig pool(4);
  pool.CreateThin(0);
  pool.Provision(0, 0, 3);
  pool.Commit();
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 0, 1, Ignore), 1u);
  pool.Provision(0, 10, 1);
  ASSERT_EQ(pool->AllocateDataBlock(MetadataOp()).error(), Errno::kNoSpc);
  pool.Commit();
  EXPECT_EQ(*pool->AllocateDataBlock(MetadataOp()), 0u);
}

TEST(ThinMetadata, DM_029_TheCursorOutlivesCommitsButNotTheOpening) {
  MetadataRig pool(8);
  pool.CreateThin(0);
  pool.Provision(0, 0, 4);
  pool.Commit();
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 0, 1, Ignore), 1u);
  pool.Commit();
  pool.Provision(0, 20, 1);
  EXPECT_EQ(pool.MappingOf(0, 20), "4,0");
  pool.Commit();
  pool.Reopen();
  EXPECT_EQ(*pool->AllocateDataBlock(MetadataOp()), 0u);
}

TEST(ThinMetadata, DM_034_IdsAndOriginsAreChecked) {
  MetadataRig pool;
  pool.CreateThin(0);
  const OpContext op = MetadataOp();
  EXPECT_EQ(pool->CreateThin(op, ThinId{0}).error(), Errno::kExist);
  EXPECT_EQ(pool->CreateSnapshot(op, ThinId{0}, ThinId{0}).error(), Errno::kExist);
  EXPECT_EQ(pool->CreateThin(op, ThinId{16777216}).error(), Errno::kInval);
  EXPECT_EQ(pool->CreateSnapshot(op, ThinId{16777216}, ThinId{0}).error(), Errno::kInval);
  EXPECT_EQ(pool->CreateSnapshot(op, ThinId{5}, ThinId{99}).error(), Errno::kNoData);
  EXPECT_EQ(pool->time(), 0u);
}

TEST(ThinMetadata, DM_035_TheHighestIdIsLegal) {
  MetadataRig pool;
  EXPECT_TRUE(pool->CreateThin(MetadataOp(), ThinId{16777215}).ok());
}

TEST(ThinMetadata, DM_036_WhatIsNotThereGivesNoData) {
  MetadataRig pool;
  const OpContext op = MetadataOp();
  EXPECT_EQ(pool->Delete(op, ThinId{7}).error(), Errno::kNoData);
  EXPECT_EQ(pool->Details(op, ThinId{7}).error(), Errno::kNoData);
  EXPECT_EQ(pool->Lookup(op, ThinId{7}, 0).error(), Errno::kNoData);
  EXPECT_EQ(pool->Remove(op, ThinId{7}, 0, 1, Ignore).error(), Errno::kNoData);
  EXPECT_EQ(pool->HighestMapped(op, ThinId{7}).error(), Errno::kNoData);
  EXPECT_EQ(pool->Insert(op, ThinId{7}, 0, 0).error(), Errno::kNoData);
  EXPECT_FALSE(*pool->Exists(op, ThinId{7}));
  EXPECT_FALSE(pool->AnyChange());
}

TEST(ThinMetadata, DM_037_TheTransactionIdIsComparedBeforeItIsSet) {
  MetadataRig pool;
  const OpContext op = MetadataOp();
  EXPECT_TRUE(pool->SetTransactionId(op, 0, 5).ok());
  EXPECT_EQ(pool->SetTransactionId(op, 0, 6).error(), Errno::kInval);
  EXPECT_EQ(pool->transaction_id(), 5u);
  EXPECT_TRUE(pool->SetTransactionId(op, 5, 6).ok());
  pool.CreateThin(1);
  EXPECT_EQ(pool->Details(op, ThinId{1})->transaction_id, 6u);
}

TEST(ThinMetadata, DM_038_OneMetadataSnapshotAtATime) {
  MetadataRig pool;
  const OpContext op = MetadataOp();
  EXPECT_EQ(pool->ReleaseMetadataSnapshot(op).error(), Errno::kInval);
  EXPECT_TRUE(pool->ReserveMetadataSnapshot(op).ok());
  EXPECT_EQ(pool->ReserveMetadataSnapshot(op).error(), Errno::kBusy);
  EXPECT_TRUE(pool->held_root().has_value());
  EXPECT_TRUE(pool->ReleaseMetadataSnapshot(op).ok());
  EXPECT_EQ(pool->held_root(), std::nullopt);
}

TEST(ThinMetadata, AHeldRootKeepsWhatWasUnmappedSince) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 2);
  ASSERT_TRUE(pool->ReserveMetadataSnapshot(MetadataOp()).ok());
  std::vector<bool> freed;
  const auto note = [&](const ThinUnmapped& unmapped) { freed.push_back(unmapped.now_free); };
  ASSERT_TRUE(pool->Remove(MetadataOp(), ThinId{0}, 0, 1, note).ok());
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{0}).ok());
  pool.Commit();
  EXPECT_THAT(freed, ElementsAre(false));
  EXPECT_THAT(pool.Counts(2), ElementsAre(1, 1));
  EXPECT_EQ(FindingsOf(pool.disk), "");
  ASSERT_TRUE(pool->ReleaseMetadataSnapshot(MetadataOp()).ok());
  EXPECT_THAT(pool.Counts(2), ElementsAre(0, 0));
}

TEST(ThinMetadata, DM_046_DataGrowsAndNeverShrinks) {
  MetadataRig pool(8);
  pool.CreateThin(0);
  pool.Provision(0, 0, 8);
  EXPECT_EQ(pool->ResizeData(MetadataOp(), 7).error(), Errno::kInval);
  EXPECT_TRUE(pool->ResizeData(MetadataOp(), 16).ok());
  EXPECT_EQ(*pool->AllocateDataBlock(MetadataOp()), 8u);
  pool.Commit();
  pool.Reopen();
  EXPECT_EQ(pool->nr_data_blocks(), 16u);
}

TEST(ThinMetadata, DataGrowsPastTheEndOfABitmap) {
  MetadataRig pool(16'000);
  pool.CreateThin(0);
  pool.Provision(0, 0, 1);
  pool.Commit();
  ASSERT_TRUE(pool->ResizeData(MetadataOp(), 100'000).ok());
  pool.Provision(0, 1, 16'500);
  pool.Commit();
  pool.Reopen();
  EXPECT_EQ(pool.MappingOf(0, 16'500), "16500,0");
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

TEST(ThinMetadata, DataDoesNotGrowPastTheRoomForItsBitmaps) {
  MetadataRig pool(8);
  EXPECT_EQ(pool->ResizeData(MetadataOp(), std::uint64_t{1} << 40).error(), Errno::kNoSpc);
  EXPECT_EQ(pool->ResizeData(MetadataOp(), (std::uint64_t{1} << 40) + 1).error(), Errno::kInval);
  EXPECT_FALSE(pool->AnyChange());
}

TEST(ThinMetadata, MetadataTakesTheSizeOfItsDevice) {
  MetadataRig pool(1'000'000, 16 + 62);
  pool.CreateThin(0);
  pool.disk.Resize(40'000 * 8);
  ASSERT_TRUE(pool->ResizeMetadata(MetadataOp()).ok());
  EXPECT_EQ(pool->metadata_blocks().total, 40'000u);
  pool.Provision(0, 0, 20'000);
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  pool.disk.Resize(39'999 * 8);
  EXPECT_EQ(pool->ResizeMetadata(MetadataOp()).error(), Errno::kInval);
}

TEST(ThinMetadata, MappingsComeInOrderFromWhereItIsAsked) {
  MetadataRig pool(2000);
  pool.CreateThin(0);
  pool.Provision(0, 700, 3);
  pool.Provision(0, 5, 1);
  pool.Provision(0, ~std::uint64_t{0}, 1);
  EXPECT_THAT(MappingsOf(pool, 0, 701),
              ElementsAre(Pair(701, 1), Pair(702, 2), Pair(~std::uint64_t{0}, 4)));
  EXPECT_EQ(*pool->HighestMapped(MetadataOp(), ThinId{0}), ~std::uint64_t{0});
}

TEST(ThinMetadata, RemoveTakesTheWholeRangeAndNothingElse) {
  MetadataRig pool(4000);
  pool.CreateThin(0);
  pool.Provision(0, 0, 3000);
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 1, 2999, Ignore), 2998u);
  EXPECT_THAT(MappingsOf(pool, 0), ElementsAre(Pair(0, 0), Pair(2999, 2999)));
  EXPECT_EQ(*pool->Remove(MetadataOp(), ThinId{0}, 1, 2999, Ignore), 0u);
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

TEST(ThinMetadata, AnAllocatedBlockCanBeGivenBackUntilItIsMapped) {
  MetadataRig pool(4);
  pool.CreateThin(0);
  const std::uint64_t block = *pool->AllocateDataBlock(MetadataOp());
  EXPECT_TRUE(pool->FreeDataBlock(MetadataOp(), block).ok());
  EXPECT_EQ(pool->FreeDataBlock(MetadataOp(), block).error(), Errno::kInval);
  EXPECT_EQ(pool->FreeDataBlock(MetadataOp(), 4).error(), Errno::kInval);
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
}

TEST(ThinMetadata, OnlyAllocatedBlocksAreMapped) {
  MetadataRig pool(4);
  pool.CreateThin(0);
  EXPECT_EQ(pool->Insert(MetadataOp(), ThinId{0}, 0, 2).error(), Errno::kInval);
  EXPECT_EQ(pool->Insert(MetadataOp(), ThinId{0}, 0, 4).error(), Errno::kInval);
  pool.Provision(0, 0, 1);
  EXPECT_TRUE(pool->Insert(MetadataOp(), ThinId{0}, 0, 0).ok()) << "the same block again";
  EXPECT_THAT(pool.Counts(1), ElementsAre(1));
}

TEST(ThinMetadata, DevicesComeInOrderWithWhatIsNotCommitted) {
  MetadataRig pool;
  pool.CreateThin(9);
  pool.CreateThin(2);
  pool.Commit();
  pool.Provision(9, 0, 3);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  const auto visit = [&](ThinId id, const ThinDetails& details) {
    found.emplace_back(id.value, details.mapped_blocks);
    return true;
  };
  ASSERT_TRUE(pool->ForEachDevice(MetadataOp(), visit).ok());
  EXPECT_THAT(found, ElementsAre(Pair(2, 0), Pair(9, 3)));
}

}  // namespace
}  // namespace lamina
