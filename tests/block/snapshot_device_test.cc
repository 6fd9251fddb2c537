// dm-snapshot: the rows DM-060 to DM-066 and the rules of devicemapper.md section 13.
#include "lamina/block/snapshot_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "tests/block/snapshot_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(SnapshotDevice, DM_060_AnOriginWriteIsOneCopyForEachSnapshot) {
  SnapshotRig rig;
  rig.Number(2);
  std::array cows = {MemDisk(1024), MemDisk(1024), MemDisk(1024)};
  std::vector<std::unique_ptr<SnapshotDevice>> snapshots;
  for (MemDisk& cow : cows) snapshots.push_back(rig.Snapshot(cow, "P 8"));
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 8, 50).ok());
  for (const auto& snapshot : snapshots) {
    EXPECT_EQ(snapshot->counters().copies, 1u);
    EXPECT_EQ(snapshot->Status(), "24/1024 16");
    EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 0), 1);
  }
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 8, 51).ok());
  for (const auto& snapshot : snapshots) EXPECT_EQ(snapshot->counters().copies, 1u);
  EXPECT_EQ(SnapshotRig::FillOf(*rig.origin, 0), 51);
}

TEST(SnapshotDevice, DM_061_AFullStoreIsInvalidAfterAnOriginWriteThatSucceeds) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk small(4 * 8);
  MemDisk large(1024);
  const auto full = rig.Snapshot(small, "PO 8");
  const auto other = rig.Snapshot(large, "P 8");
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 24, 50).ok());
  EXPECT_EQ(full->Status(), "Invalid");
  EXPECT_EQ(Fills(*rig.origin, 0, 24), std::vector<int>(24, 50));
  EXPECT_EQ(rig.ReadError(*full, 0, 1), Errno::kIo);
  EXPECT_EQ(rig.ReadError(*full, 512, 1), Errno::kIo);
  EXPECT_EQ(rig.WriteError(*full, 0, 1), Errno::kIo);
  EXPECT_EQ(other->Status(), "40/1024 16");
  EXPECT_EQ(SnapshotRig::FillOf(*other, 16), 3);
}

TEST(SnapshotDevice, DM_062_AFullStoreWithOverflowCanStillBeRead) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk small(4 * 8);
  const auto full = rig.Snapshot(small, "PO 8");
  ASSERT_TRUE(rig.Write(*full, 0, 8, 60).ok());
  ASSERT_TRUE(rig.Write(*full, 8, 1, 61).ok());
  EXPECT_EQ(rig.WriteError(*full, 16, 1), Errno::kIo);
  EXPECT_EQ(full->Status(), "Overflow");
  EXPECT_EQ(rig.WriteError(*full, 0, 1), Errno::kIo) << "an exception that is there";
  EXPECT_EQ(SnapshotRig::FillOf(*full, 0), 60);
  EXPECT_EQ(SnapshotRig::FillOf(*full, 8), 61);
  EXPECT_EQ(SnapshotRig::FillOf(*full, 16), 3);
  ASSERT_TRUE(rig.Write(*rig.origin, 16, 1, 62).ok());
  EXPECT_EQ(full->Status(), "Invalid") << "Invalid wins";
}

TEST(SnapshotDevice, DM_062_AFullStoreWithoutOverflowIsInvalid) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk small(4 * 8);
  const auto full = rig.Snapshot(small, "P 8");
  ASSERT_TRUE(rig.Write(*full, 0, 16, 60).ok());
  EXPECT_EQ(rig.WriteError(*full, 16, 1), Errno::kIo);
  EXPECT_EQ(full->Status(), "Invalid");
  EXPECT_EQ(rig.ReadError(*full, 0, 1), Errno::kIo);
  EXPECT_EQ(rig.ReadError(*full, 24, 1), Errno::kIo);
}

TEST(SnapshotDevice, DM_063_AWriteOfAWholeChunkCopiesNothing) {
  SnapshotRig rig;
  rig.Number(2);
  MemDisk cow(1024);
  const auto snapshot = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 8, 70).ok());
  EXPECT_EQ(snapshot->counters().copies, 0u);
  EXPECT_EQ(snapshot->counters().exceptions, 1u);
  EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 0), 70);
  EXPECT_EQ(SnapshotRig::FillOf(*rig.origin, 0), 1);
  ASSERT_TRUE(rig.Write(*snapshot, 10, 2, 71).ok());
  EXPECT_EQ(snapshot->counters().copies, 1u);
  EXPECT_THAT(Fills(*snapshot, 8, 8), ElementsAre(2, 2, 71, 71, 2, 2, 2, 2));
  EXPECT_THAT(Fills(*rig.origin, 8, 8), Each(2));
}

TEST(SnapshotDevice, DM_064_ExceptionNumber257LiesBehindTheSecondArea) {
  SnapshotRig rig(300 * 8);
  MemDisk cow(512 * 8);
  const auto snapshot = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 256 * 8, 1).ok());
  EXPECT_EQ(snapshot->Lookup(255), 257u);
  EXPECT_EQ(snapshot->Status(), "2072/4096 24") << "258 is an area: the next free is 259";
  ASSERT_TRUE(rig.Write(*snapshot, 256 * 8, 8, 2).ok());
  EXPECT_EQ(snapshot->Lookup(256), 259u);
  EXPECT_EQ(snapshot->Status(), "2080/4096 24");
}

TEST(SnapshotDevice, DM_065_AMergeGivesTheOriginWhatTheSnapshotShowed) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk cow(1024);
  MemDisk second_cow(1024);
  auto snapshot = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 8, 80).ok());
  ASSERT_TRUE(rig.Write(*snapshot, 17, 1, 82).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 8, 8, 81).ok());
  const auto second = rig.Snapshot(second_cow, "P 8");
  const auto merge = rig.Merge(*snapshot, cow, "P 8");
  EXPECT_EQ(rig.ReadError(*snapshot, 0, 1), Errno::kIo) << "handed over";
  EXPECT_EQ(snapshot->Status(), "Invalid");
  EXPECT_EQ(merge->Status(), "40/1024 16");
  ASSERT_TRUE(merge->RunUntil(rig.op, rig.op.now).ok());
  EXPECT_EQ(merge->Status(), "16/1024 16");
  EXPECT_EQ(merge->exception_count(), 0u);
  EXPECT_THAT(Fills(rig.disk, 0, 8), Each(80));
  EXPECT_THAT(Fills(rig.disk, 8, 8), Each(2)) << "as the snapshot saw it";
  EXPECT_THAT(Fills(rig.disk, 16, 3), ElementsAre(3, 82, 3));
  EXPECT_EQ(second->counters().copies, 3u);
  EXPECT_THAT(Fills(*second, 0, 8), Each(1));
  EXPECT_THAT(Fills(*second, 8, 8), Each(81));
  EXPECT_THAT(Fills(*second, 16, 8), Each(3));
  EXPECT_FALSE(merge->NextDeadline().has_value());
}

TEST(SnapshotDevice, DM_066_ATransientSnapshotForgetsItsExceptions) {
  SnapshotRig rig;
  rig.Number(2);
  MemDisk cow(64);
  auto snapshot = rig.Snapshot(cow, "N 8");
  EXPECT_EQ(snapshot->Status(), "0/64 0");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 8, 90).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 8, 8, 91).ok());
  EXPECT_EQ(snapshot->Status(), "16/64 0");
  EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 8), 2);
  snapshot.reset();
  snapshot = rig.Snapshot(cow, "N 8");
  EXPECT_EQ(snapshot->Status(), "0/64 0");
  EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 0), 1);
  EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 8), 91);
}

TEST(SnapshotDevice, AFreshPersistentStoreHasItsHeaderAndOneArea) {
  SnapshotRig rig;
  MemDisk cow(2097152);
  const auto snapshot = rig.Snapshot(cow, "P 8");
  EXPECT_EQ(snapshot->StatusLine(), "0 1024 snapshot 16/2097152 16");
  EXPECT_EQ(rig.origin->StatusLine(), "0 1024 snapshot-origin ");
}

TEST(SnapshotDevice, ChunkSizeZeroIsSixteenKib) {
  SnapshotRig rig;
  MemDisk cow(1024);
  EXPECT_EQ(rig.Snapshot(cow, "PO 0")->table().chunk_sectors, 32u);
}

// A chunk of 1 GiB, and metadata of two of them, cost no memory.
TEST(SnapshotDevice, TheLargestChunkIsServed) {
  SnapshotRig rig;
  MemDisk cow(3 * kMaxSnapshotChunkSectors);
  const auto snapshot = rig.Snapshot(cow, "P 2097152");
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 1, 5).ok());
  EXPECT_EQ(SnapshotRig::FillOf(*snapshot, 0), 0);
  EXPECT_EQ(snapshot->Status(), "6291456/6291456 4194304");
  EXPECT_LE(cow.allocated_bytes(), 8u << 20);
}

TEST(SnapshotDevice, EachSnapshotHasItsOwnChunkSize) {
  SnapshotRig rig;
  rig.Number(8);
  MemDisk fine_cow(1024);
  MemDisk coarse_cow(1024);
  const auto coarse = rig.Snapshot(coarse_cow, "P 32");
  const auto fine = rig.Snapshot(fine_cow, "N 1");
  EXPECT_EQ(rig.origins.MinChunkSectors(rig.disk), 1u);
  EXPECT_THAT(rig.origins.SnapshotsOf(rig.disk), ElementsAre(coarse.get(), fine.get()));
  ASSERT_TRUE(rig.Write(*rig.origin, 30, 4, 50).ok());
  EXPECT_EQ(coarse->counters().copies, 2u);
  EXPECT_EQ(fine->counters().copies, 4u);
  EXPECT_THAT(Fills(*coarse, 30, 4), ElementsAre(4, 4, 5, 5));
  EXPECT_THAT(Fills(*fine, 30, 4), ElementsAre(4, 4, 5, 5));
}

TEST(SnapshotDevice, AWriteBeyondItsEndMakesNoException) {
  SnapshotRig rig;
  MemDisk cow(1024);
  SnapshotTable table = SnapshotRig::Table(20, "P 8");
  auto loaded = SnapshotDevice::Load(rig.op, rig.origins, table, rig.disk, cow);
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE((*loaded)->Resume(rig.op).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 20, 4, 1).ok());
  EXPECT_EQ((*loaded)->exception_count(), 0u);
  ASSERT_TRUE(rig.Write(*rig.origin, 19, 1, 1).ok());
  EXPECT_EQ((*loaded)->exception_count(), 1u);
  EXPECT_EQ(rig.ReadError(**loaded, 19, 2), Errno::kInval);
}

TEST(SnapshotDevice, OnlyAResumedSnapshotSeesTheOriginsWrites) {
  SnapshotRig rig;
  rig.Number(2);
  MemDisk cow(1024);
  auto loaded = rig.Load(cow, "P 8");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(rig.ReadError(**loaded, 0, 1), Errno::kAgain);
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 8, 50).ok());
  ASSERT_TRUE((*loaded)->Resume(rig.op).ok());
  EXPECT_EQ(SnapshotRig::FillOf(**loaded, 0), 50);
  (*loaded)->Suspend();
  ASSERT_TRUE(rig.Write(*rig.origin, 8, 8, 51).ok());
  ASSERT_TRUE((*loaded)->Resume(rig.op).ok());
  EXPECT_EQ(SnapshotRig::FillOf(**loaded, 8), 2);
}

TEST(SnapshotDevice, ASnapshotOfASnapshotStacks) {
  SnapshotRig rig;
  rig.Number(2);
  MemDisk cow(1024);
  MemDisk second_cow(1024);
  const auto first = rig.Snapshot(cow, "P 8");
  const auto written =
      OriginDevice::Create(rig.origins, {.length_sectors = 1024, .origin_device = "first"}, *first);
  auto second = SnapshotDevice::Load(rig.op, rig.origins, SnapshotRig::Table(1024, "P 8"), *first,
                                     second_cow);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE((*second)->Resume(rig.op).ok());
  ASSERT_TRUE(rig.Write(**written, 0, 1, 50).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 8, 1, 51).ok());
  EXPECT_EQ(SnapshotRig::FillOf(**written, 0), 50);
  EXPECT_EQ(SnapshotRig::FillOf(**second, 0), 1);
  EXPECT_EQ(SnapshotRig::FillOf(**second, 8), 2);
  EXPECT_EQ((*second)->exception_count(), 1u);
  EXPECT_EQ(first->exception_count(), 2u);
}

TEST(SnapshotDevice, DiscardsNeedTheFeature) {
  SnapshotRig rig;
  MemDisk cow(1024);
  const auto plain = rig.Snapshot(cow, "P 8");
  EXPECT_EQ(plain->Discard(rig.op, {Sector{0}, 8}).error(), Errno::kOpNotSupp);
  EXPECT_EQ(plain->Discard(rig.op, {Sector{1020}, 8}).error(), Errno::kInval);
  EXPECT_EQ(plain->max_discard_sectors(), 0u);
  EXPECT_EQ(rig.origin->Discard(rig.op, {Sector{0}, 8}).error(), Errno::kOpNotSupp);
}

TEST(SnapshotDevice, ADiscardZeroesWhatIsAnException) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk cow(1024);
  const auto snapshot = rig.Snapshot(cow, "P 8 1 discard_zeroes_cow");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 8, 60).ok());
  ASSERT_TRUE(snapshot->Discard(rig.op, {Sector{0}, 24}).ok());
  EXPECT_THAT(Fills(*snapshot, 0, 8), Each(0));
  EXPECT_THAT(Fills(*snapshot, 8, 8), Each(2)) << "no exception: no effect";
  EXPECT_EQ(snapshot->exception_count(), 1u);
  EXPECT_THAT(Fills(*rig.origin, 0, 8), Each(1));
}

TEST(SnapshotDevice, APassedDownDiscardReachesTheOriginPastTheSnapshots) {
  SnapshotRig rig;
  rig.Number(4);
  MemDisk cow(1024);
  const auto snapshot = rig.Snapshot(cow, "P 8 2 discard_zeroes_cow discard_passdown_origin");
  ASSERT_TRUE(snapshot->Discard(rig.op, {Sector{8}, 8}).ok());
  EXPECT_THAT(Fills(*rig.origin, 8, 8), Each(0));
  EXPECT_EQ(snapshot->exception_count(), 0u);
  EXPECT_THAT(Fills(*snapshot, 8, 8), Each(0));
}

TEST(SnapshotDevice, FlushGoesToTheCowDevice) {
  SnapshotRig rig;
  MemDisk small(32);
  const auto snapshot = rig.Snapshot(small, "P 8");
  EXPECT_TRUE(snapshot->Flush(rig.op).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 24, 1).ok());
  EXPECT_EQ(snapshot->Status(), "Invalid");
  EXPECT_TRUE(snapshot->Flush(rig.op).ok()) << "asked before the state is";
}

TEST(SnapshotDevice, LoadIsRefusedWhereTheDevicesDoNotFit) {
  SnapshotRig rig;
  MemDisk cow(1024);
  const auto load = [&](const SnapshotTable& table, BlockDevice& onto) {
    return SnapshotDevice::Load(rig.op, rig.origins, table, rig.disk, onto).error();
  };
  EXPECT_EQ(load(SnapshotRig::Table(1025, "P 8"), cow), Errno::kInval);
  EXPECT_EQ(load(SnapshotRig::Table(1024, "P 8"), rig.disk), Errno::kInval);
  MemDisk tiny(15);
  EXPECT_EQ(load(SnapshotRig::Table(1024, "P 8"), tiny), Errno::kIo) << "no room for an area";
  EXPECT_EQ(load(SnapshotRig::Table(1024, "P 16"), tiny), Errno::kIo);
  EXPECT_TRUE(rig.origins.SnapshotsOf(rig.disk).empty());
}

}  // namespace
}  // namespace lamina
