// The persistent store of dm-snapshot: its bytes, what is refused, and hand-over of exceptions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "lamina/block/snapshot_device.h"
#include "tests/block/snapshot_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Fields of a little-endian machine's disk, without the code under test.
template <typename T>
T Field(MemDisk& disk, std::uint64_t byte) {
  std::vector<std::byte> sector(kSectorBytes);
  EXPECT_TRUE(disk.Read(Caller().Op(), Sector{byte / kSectorBytes}, sector).ok());
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>(value << 8 | std::to_integer<T>(sector[byte % kSectorBytes + i]));
  }
  return value;
}

template <typename T>
void SetField(MemDisk& disk, std::uint64_t byte, T value) {
  std::vector<std::byte> sector(kSectorBytes);
  ASSERT_TRUE(disk.Read(Caller().Op(), Sector{byte / kSectorBytes}, sector).ok());
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    sector[byte % kSectorBytes + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
  }
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{byte / kSectorBytes}, sector).ok());
}

TEST(PersistentStore, LiesOnTheDeviceAsTheKernelHasIt) {
  SnapshotRig rig;
  MemDisk cow(1024);
  ASSERT_TRUE(rig.Write(cow, 1, 40, 0xee).ok());  // not the first sector: it counts as new
  const auto snapshot = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*rig.origin, 5 * 8, 8, 1).ok());
  ASSERT_TRUE(rig.Write(*rig.origin, 9 * 8, 8, 1).ok());
  EXPECT_EQ(Field<std::uint32_t>(cow, 0), 0x70416e53u);
  EXPECT_EQ(Field<std::uint32_t>(cow, 4), 1u);
  EXPECT_EQ(Field<std::uint32_t>(cow, 8), 1u);
  EXPECT_EQ(Field<std::uint32_t>(cow, 12), 8u);
  EXPECT_EQ(Field<std::uint64_t>(cow, 4096), 5u);
  EXPECT_EQ(Field<std::uint64_t>(cow, 4096 + 8), 2u);
  EXPECT_EQ(Field<std::uint64_t>(cow, 4096 + 16), 9u);
  EXPECT_EQ(Field<std::uint64_t>(cow, 4096 + 24), 3u);
  EXPECT_EQ(Field<std::uint64_t>(cow, 4096 + 40), 0u);
}

TEST(PersistentStore, IsReadAgain) {
  SnapshotRig rig(64);
  MemDisk cow(200);
  auto snapshot = rig.Snapshot(cow, "P 1");  // 32 entries an area
  for (std::uint64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(rig.Write(*snapshot, i, 1, static_cast<int>(i + 1)).ok());
  }
  const std::string status = snapshot->Status();
  EXPECT_EQ(status, "43/200 3");
  snapshot.reset();
  snapshot = rig.Snapshot(cow, "P 1");
  EXPECT_EQ(snapshot->Status(), status);
  EXPECT_EQ(snapshot->exception_count(), 40u);
  EXPECT_THAT(Fills(*snapshot, 31, 3), ElementsAre(32, 33, 34));
  EXPECT_EQ(snapshot->Lookup(31), 33u);
  EXPECT_EQ(snapshot->Lookup(32), 35u);
}

// dm-snap-persistent wipes the next area when one is full; a device that ends there has no room.
TEST(PersistentStore, CannotFillAnAreaWithoutRoomForTheNext) {
  SnapshotRig rig(64);
  MemDisk cow(34);
  const auto snapshot = rig.Snapshot(cow, "P 1");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 31, 1).ok());
  EXPECT_EQ(rig.WriteError(*snapshot, 31, 1), Errno::kIo);
  EXPECT_EQ(snapshot->Status(), "Invalid");
}

TEST(PersistentStore, TheChunkSizeOfTheHeaderCounts) {
  SnapshotRig rig;
  MemDisk cow(1024);
  rig.Snapshot(cow, "P 16").reset();
  EXPECT_EQ(rig.Snapshot(cow, "PO 8")->table().chunk_sectors, 16u);
  EXPECT_EQ(TableText(rig.Snapshot(cow, "P 0")->table()), "disk cow P 16");
}

TEST(PersistentStore, AnInvalidSnapshotStaysInvalid) {
  SnapshotRig rig;
  MemDisk cow(24);
  auto snapshot = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*rig.origin, 0, 16, 1).ok());
  EXPECT_EQ(snapshot->Status(), "Invalid");
  EXPECT_EQ(Field<std::uint32_t>(cow, 4), 0u);
  snapshot.reset();
  snapshot = rig.Snapshot(cow, "P 8");
  EXPECT_EQ(snapshot->Status(), "Invalid");
  EXPECT_EQ(rig.ReadError(*snapshot, 0, 1), Errno::kIo);
}

TEST(PersistentStore, AnOverflowIsForgottenButTheStoreIsStillFull) {
  SnapshotRig rig;
  MemDisk cow(24);
  auto snapshot = rig.Snapshot(cow, "PO 8");
  ASSERT_TRUE(rig.Write(*snapshot, 0, 8, 1).ok());
  EXPECT_EQ(rig.WriteError(*snapshot, 8, 1), Errno::kIo);
  snapshot.reset();
  snapshot = rig.Snapshot(cow, "PO 8");
  EXPECT_EQ(snapshot->Status(), "24/24 16");
  EXPECT_TRUE(rig.Write(*snapshot, 0, 8, 2).ok());
  EXPECT_EQ(rig.WriteError(*snapshot, 8, 1), Errno::kIo);
}

class HostileStore : public ::testing::Test {
 protected:
  HostileStore() { rig_.Snapshot(cow_, "P 8").reset(); }
  Errno LoadError() {
    const auto loaded = rig_.Load(cow_, "P 8");
    EXPECT_FALSE(loaded.ok());
    return loaded.ok() ? Errno{} : loaded.error();
  }
  SnapshotRig rig_;
  MemDisk cow_{64};
};

TEST_F(HostileStore, OtherContentIsNoStore) {
  SetField<std::uint32_t>(cow_, 0, 0x12345678);
  EXPECT_EQ(LoadError(), Errno::kNxIo);
}

TEST_F(HostileStore, AnotherVersionIsRefused) {
  SetField<std::uint32_t>(cow_, 8, 2);
  EXPECT_EQ(LoadError(), Errno::kInval);
}

TEST_F(HostileStore, AnImpossibleChunkSizeIsRefused) {
  for (const std::uint32_t chunk : {0u, 3u, 4194304u, 0x80000000u}) {
    SetField<std::uint32_t>(cow_, 12, chunk);
    EXPECT_EQ(LoadError(), Errno::kInval) << chunk;
  }
  SetField<std::uint32_t>(cow_, 12, 64);
  EXPECT_EQ(LoadError(), Errno::kIo) << "the area lies past the end";
}

TEST_F(HostileStore, AnExceptionOutsideTheDataIsRefused) {
  for (const std::uint64_t chunk : {std::uint64_t{1}, std::uint64_t{8}, ~std::uint64_t{0}}) {
    SetField<std::uint64_t>(cow_, 4096 + 8, chunk);
    EXPECT_EQ(LoadError(), Errno::kInval) << chunk;
  }
  SetField<std::uint64_t>(cow_, 4096 + 8, 2);
  SetField<std::uint64_t>(cow_, 4096, ~std::uint64_t{0});
  EXPECT_EQ(LoadError(), Errno::kInval) << "of an origin chunk that no device has";
}

TEST_F(HostileStore, AChunkThatIsAnExceptionTwiceIsRefused) {
  SetField<std::uint64_t>(cow_, 4096 + 8, 2);
  SetField<std::uint64_t>(cow_, 4096 + 24, 3);
  EXPECT_EQ(LoadError(), Errno::kInval);
}

// ── Hand-over ──────────────────────────────────────────────────────────────────────────────────

TEST(SnapshotHandOver, ATableWithOtherArgumentsTakesTheExceptionsOver) {
  SnapshotRig rig;
  rig.Number(3);
  MemDisk cow(32);
  const auto source = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*source, 0, 8, 60).ok());
  auto loaded = rig.Load(cow, "PO 16");
  ASSERT_TRUE(loaded.ok());
  SnapshotDevice& target = **loaded;
  EXPECT_EQ(target.chunk_sectors(), 0u);
  EXPECT_EQ(target.Resume(rig.op).error(), Errno::kInval) << "the source is not suspended";
  source->Suspend();
  EXPECT_EQ(source->Resume(rig.op).error(), Errno::kInval) << "a source does not come back";
  ASSERT_TRUE(target.Resume(rig.op).ok());
  EXPECT_EQ(target.chunk_sectors(), 8u);
  EXPECT_EQ(SnapshotRig::FillOf(target, 0), 60);
  EXPECT_EQ(source->Status(), "Invalid");
  ASSERT_TRUE(rig.Write(*rig.origin, 8, 8, 61).ok());
  EXPECT_EQ(rig.WriteError(target, 16, 1), Errno::kIo);
  EXPECT_EQ(target.Status(), "Overflow") << "by its own table";
}

TEST(SnapshotHandOver, HasTwoSidesOnly) {
  SnapshotRig rig;
  MemDisk cow(64);
  auto source = rig.Snapshot(cow, "P 8");
  auto target = rig.Load(cow, "P 8");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(rig.Load(cow, "P 8").error(), Errno::kInval);
  source->Suspend();
  ASSERT_TRUE((*target)->Resume(rig.op).ok());
  EXPECT_EQ(rig.Load(cow, "P 8").error(), Errno::kInval) << "the source is still there";
  source.reset();
  EXPECT_TRUE(rig.Load(cow, "P 8").ok());
}

TEST(SnapshotHandOver, EndsInvalidWhenTheSourceGoesFirst) {
  SnapshotRig rig;
  MemDisk cow(64);
  auto source = rig.Snapshot(cow, "P 8");
  auto target = rig.Load(cow, "P 8");
  ASSERT_TRUE(target.ok());
  source.reset();
  ASSERT_TRUE((*target)->Resume(rig.op).ok());
  EXPECT_EQ((*target)->Status(), "Invalid");
  EXPECT_EQ(rig.ReadError(**target, 0, 1), Errno::kIo);
}

TEST(SnapshotMerge, OneSnapshotOfAnOriginAtATime) {
  SnapshotRig rig;
  MemDisk first_cow(64);
  MemDisk second_cow(64);
  const auto first = rig.Snapshot(first_cow, "P 8");
  const auto second = rig.Snapshot(second_cow, "P 8");
  const auto merge = rig.Merge(*first, first_cow, "P 8");
  EXPECT_EQ(rig.Load(second_cow, "P 8", "snapshot-merge").error(), Errno::kInval);
}

TEST(SnapshotMerge, ATransientSnapshotIsNotMerged) {
  SnapshotRig rig;
  MemDisk cow(64);
  const auto source = rig.Snapshot(cow, "N 8");
  EXPECT_EQ(rig.Load(cow, "P 8", "snapshot-merge").error(), Errno::kInval);
  EXPECT_EQ(source->MergeNext(rig.op).error(), Errno::kInval) << "and a snapshot does not merge";
}

TEST(SnapshotMerge, GoesBackwardsInRunsOfConsecutiveChunks) {
  SnapshotRig rig;
  rig.Number(9);
  MemDisk cow(1024);
  const auto source = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*source, 0, 24, 50).ok());      // chunks 0 1 2
  ASSERT_TRUE(rig.Write(*source, 7 * 8, 16, 51).ok());  // chunks 7 8
  const auto merge = rig.Merge(*source, cow, "P 8");
  ASSERT_EQ(*merge->MergeNext(rig.op), true);
  EXPECT_EQ(merge->Status(), "40/1024 16");
  EXPECT_THAT(Fills(rig.disk, 7 * 8, 16), Each(51));
  EXPECT_THAT(Fills(rig.disk, 0, 8), Each(1));
  EXPECT_THAT(Fills(*merge, 0, 24), Each(50));
  ASSERT_EQ(*merge->MergeNext(rig.op), true);
  EXPECT_EQ(merge->Status(), "16/1024 16");
  EXPECT_EQ(*merge->MergeNext(rig.op), false);
  EXPECT_EQ(merge->counters().merged, 5u);
}

TEST(SnapshotMerge, CrossesAreas) {
  SnapshotRig rig(64);
  MemDisk cow(200);
  const auto source = rig.Snapshot(cow, "P 1");
  for (std::uint64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(rig.Write(*source, i, 1, static_cast<int>(i + 1)).ok());
  }
  const auto merge = rig.Merge(*source, cow, "P 1");
  ASSERT_EQ(*merge->MergeNext(rig.op), true);
  EXPECT_EQ(merge->Status(), "35/200 3");
  ASSERT_EQ(*merge->MergeNext(rig.op), true);
  EXPECT_EQ(merge->Status(), "2/200 2");
  EXPECT_EQ(*merge->MergeNext(rig.op), false);
  EXPECT_THAT(Fills(rig.disk, 30, 4), ElementsAre(31, 32, 33, 34));
}

TEST(SnapshotMerge, WritesGoWhereTheChunkLies) {
  SnapshotRig rig;
  rig.Number(3);
  MemDisk cow(1024);
  MemDisk other_cow(1024);
  const auto source = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*source, 0, 8, 50).ok());
  const auto other = rig.Snapshot(other_cow, "P 8");
  const auto merge = rig.Merge(*source, cow, "P 8");
  ASSERT_TRUE(rig.Write(*merge, 0, 1, 60).ok());
  ASSERT_TRUE(rig.Write(*merge, 8, 1, 61).ok());
  EXPECT_EQ(merge->exception_count(), 1u);
  EXPECT_EQ(SnapshotRig::FillOf(rig.disk, 0), 1);
  EXPECT_EQ(SnapshotRig::FillOf(rig.disk, 8), 61);
  EXPECT_EQ(SnapshotRig::FillOf(*other, 8), 2) << "other snapshots keep their view";
  EXPECT_TRUE(merge->Discard(rig.op, {Sector{0}, 8}).ok());
  EXPECT_EQ(SnapshotRig::FillOf(*merge, 0), 60) << "a merge does nothing for a discard";
  ASSERT_TRUE(rig.Write(*rig.origin, 16, 1, 62).ok());
  EXPECT_EQ(merge->exception_count(), 1u) << "a merge keeps nothing of the origin's";
  EXPECT_TRUE(merge->Flush(rig.op).ok());
}

TEST(SnapshotMerge, GoesOnAfterItWasLoadedAgain) {
  SnapshotRig rig;
  rig.Number(9);
  MemDisk cow(1024);
  auto source = rig.Snapshot(cow, "P 8");
  ASSERT_TRUE(rig.Write(*source, 0, 8, 50).ok());
  ASSERT_TRUE(rig.Write(*source, 64, 8, 51).ok());
  auto merge = rig.Merge(*source, cow, "P 8");
  ASSERT_EQ(*merge->MergeNext(rig.op), true);
  source.reset();
  merge.reset();
  merge = rig.Snapshot(cow, "P 8", "snapshot-merge");
  EXPECT_EQ(merge->Status(), "24/1024 16");
  ASSERT_TRUE(merge->NextDeadline().has_value());
  ASSERT_TRUE(merge->RunUntil(rig.op, *merge->NextDeadline()).ok());
  EXPECT_THAT(Fills(rig.disk, 0, 8), Each(50));
  EXPECT_THAT(Fills(rig.disk, 64, 8), Each(51));
}

TEST(SnapshotMerge, WaitsWhileSuspended) {
  SnapshotRig rig;
  MemDisk cow(64);
  const auto source = rig.Snapshot(cow, "P 8");
  const auto merge = rig.Merge(*source, cow, "P 8");
  merge->Suspend();
  EXPECT_FALSE(merge->NextDeadline().has_value());
  EXPECT_EQ(merge->MergeNext(rig.op).error(), Errno::kAgain);
}

}  // namespace
}  // namespace lamina
