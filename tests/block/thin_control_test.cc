// Messages, table loads, activation, sizes: devicemapper.md sections 2 to 4 and 11 to 12, scenarios
// DM-034 to DM-040 and DM-050 to DM-054.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "lamina/block/device_claims.h"
#include "tests/block/thin_rig.h"

namespace lamina {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ── Messages ─────────────────────────────────────────────────────────────────────────────────────

TEST(ThinControl, DM_034_IdsThatAreTakenTooLargeOrUnknown) {
  ThinRig rig;
  rig.Create(0);
  EXPECT_EQ(rig.Message("create_thin 0").error(), Errno::kExist);
  EXPECT_EQ(rig.Message("create_snap 0 0").error(), Errno::kExist);
  EXPECT_EQ(rig.Message("create_thin 16777216").error(), Errno::kInval);
  EXPECT_EQ(rig.Message("create_snap 5 99").error(), Errno::kNoData);
  EXPECT_EQ(rig.Message("create_snap 0 99").error(), Errno::kExist) << "the id is looked at first";
  EXPECT_EQ(rig.pool().metadata().time(), 0u) << "nothing happened";
}

TEST(ThinControl, DM_035_TheLargestId) {
  ThinRig rig;
  EXPECT_TRUE(rig.Message("create_thin 16777215").ok());
  EXPECT_EQ(rig.Details(16'777'215).mapped_blocks, 0u);
}

TEST(ThinControl, DM_036_AnActiveDeviceIsNotDeleted) {
  ThinRig rig;
  EXPECT_EQ(rig.Message("delete 7").error(), Errno::kNoData);
  rig.Create(0);
  rig.Device(0);
  EXPECT_EQ(rig.Message("delete 0").error(), Errno::kBusy);
  rig.Deactivate(0);
  EXPECT_TRUE(rig.Message("delete 0").ok());
  EXPECT_EQ(rig.Message("delete 0").error(), Errno::kNoData);
}

TEST(ThinControl, DM_037_TheTransactionIdIsSwappedWhenItIsTheExpectedOne) {
  ThinRig rig;
  EXPECT_TRUE(rig.Message("set_transaction_id 0 5").ok());
  EXPECT_EQ(rig.Message("set_transaction_id 0 6").error(), Errno::kInval);
  EXPECT_EQ(rig.pool().metadata().transaction_id(), 5u);
  EXPECT_TRUE(rig.Message("set_transaction_id 5 6").ok());
  EXPECT_THAT(rig.PoolStatus(), ::testing::StartsWith("6 "));
}

TEST(ThinControl, DM_038_OneMetadataSnapshotAtATime) {
  ThinRig rig;
  EXPECT_EQ(rig.Message("release_metadata_snap").error(), Errno::kInval);
  EXPECT_TRUE(rig.Message("reserve_metadata_snap").ok());
  EXPECT_EQ(rig.Message("reserve_metadata_snap").error(), Errno::kBusy);
  ASSERT_TRUE(rig.pool().metadata().held_root().has_value());
  EXPECT_THAT(rig.PoolStatus(),
              HasSubstr(absl::StrFormat(" 0/1024 %d rw ", *rig.pool().metadata().held_root())));
  EXPECT_TRUE(rig.Message("release_metadata_snap").ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" 0/1024 - rw "));
}

TEST(ThinControl, MessagesAreKnownInAnyCaseAndNothingElseIs) {
  ThinRig rig;
  EXPECT_TRUE(rig.Message(" CREATE_Thin  3 ").ok());
  for (const char* text :
       {"", "  ", "create", "create_thin", "create_thin x", "create_thin -1", "create_thin 0x1",
        "create_thin 1 2", "create_snap 1", "delete", "set_transaction_id 0",
        "reserve_metadata_snap 1", "create_thin 99999999999999999999"}) {
    EXPECT_EQ(rig.Message(text).error(), Errno::kInval) << text;
  }
}

TEST(ThinControl, ADeleteReleasesEveryBlockOnlyItMapped) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 64, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(1, 0, 16, 8).ok());
  ASSERT_TRUE(rig.Delete(1).ok());
  EXPECT_EQ(rig.Used(), 4u);
  EXPECT_THAT(rig.Counts(0, 5), ElementsAre(1, 1, 1, 1, 0));
}

// ── Table loads ──────────────────────────────────────────────────────────────────────────────────

// What opening a pool of `blocks` blocks of `block_sectors` gives on fresh devices.
std::optional<Errno> OpenFresh(std::uint64_t block_sectors) {
  Credentials credentials;
  const OpContext op{credentials, kSimulationStart, Probe()};
  MemDisk metadata(8192);
  MemDisk data(std::uint64_t{1} << 30);
  const TableResult<ThinPoolTable> table =
      ParseThinPoolTable(absl::StrFormat("0 16777216 thin-pool meta data %d 0", block_sectors));
  if (!table.ok()) return table.error();
  TableResult<std::unique_ptr<ThinPool>> pool = ThinPool::Create(op, *table, metadata, data);
  if (!pool.ok()) return pool.error();
  return std::nullopt;
}

TEST(ThinControl, DM_039_BlockSizes) {
  EXPECT_EQ(OpenFresh(64), Errno::kInval);
  EXPECT_EQ(OpenFresh(185), Errno::kInval);
  EXPECT_EQ(OpenFresh(2'097'153), Errno::kInval);
  EXPECT_EQ(OpenFresh(2'097'152), std::nullopt);
  EXPECT_EQ(OpenFresh(192), std::nullopt);
}

TEST(ThinControl, DM_040_TablesThatAPoolRefuses) {
  const TableResult<ThinPoolTable> unknown =
      ParseThinPoolTable("0 131072 thin-pool meta data 128 0 1 fast");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error(), Errno::kInval);
  const TableResult<ThinPoolTable> same = ParseThinPoolTable("0 131072 thin-pool meta meta 128 0");
  ASSERT_FALSE(same.ok());
  EXPECT_EQ(same.error(), Errno::kInval);

  ThinRig rig;
  rig.Create(0);
  rig.Drop();
  ThinPoolTable other_block_size = rig.Table(1024, "");
  other_block_size.block_sectors = 256;
  const TableResult<std::unique_ptr<ThinPool>> pool =
      ThinPool::Create(rig.Op(), other_block_size, rig.metadata, rig.data);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.error(), Errno::kInval);
  EXPECT_THAT(pool.message(), HasSubstr("256 sectors in the table, 128 in the metadata"));
}

TEST(ThinControl, OneDeviceIsNotBothMetadataAndData) {
  ThinRig rig;
  rig.Drop();
  const TableResult<std::unique_ptr<ThinPool>> pool =
      ThinPool::Create(rig.Op(), rig.Table(8, ""), rig.data, rig.data);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.error(), Errno::kInval);
}

TEST(ThinControl, APoolHoldsItsMetadataDevice) {
  Credentials credentials;
  const OpContext op{credentials, kSimulationStart, Probe()};
  MemDisk metadata(8192), data(131072), other(131072);
  DeviceClaims claims;
  const ThinPoolTable table = *ParseThinPoolTable("0 131072 thin-pool meta data 128 0");
  TableResult<std::unique_ptr<ThinPool>> first =
      ThinPool::Create(op, table, metadata, data, {.claims = &claims});
  ASSERT_TRUE(first.ok());
  const TableResult<std::unique_ptr<ThinPool>> second =
      ThinPool::Create(op, table, metadata, other, {.claims = &claims});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error(), Errno::kBusy);
  (*first).reset();
  EXPECT_TRUE(ThinPool::Create(op, table, metadata, other, {.claims = &claims}).ok());
}

TEST(ThinControl, MetadataThatIsNeitherEmptyNorValidIsRefused) {
  ThinRig rig;
  rig.Drop();
  ASSERT_TRUE(rig.metadata_disk().Write(rig.Op(), Sector{0}, ThinRig::Pages(1, 1)).ok());
  EXPECT_EQ(rig.TryOpen()->error, Errno::kInval);
  ASSERT_TRUE(rig.metadata_disk().Discard(rig.Op(), {Sector{0}, 8192}).ok());
  EXPECT_FALSE(rig.TryOpen().has_value()) << "zeros are formatted";
}

TEST(ThinControl, ASuperblockWithOneFlippedBitIsRefused) {
  ThinRig rig;
  rig.Drop();
  std::vector<std::byte> block(4096);
  ASSERT_TRUE(rig.metadata_disk().Read(rig.Op(), Sector{0}, block).ok());
  block[100] ^= std::byte{1};
  ASSERT_TRUE(rig.metadata_disk().Write(rig.Op(), Sector{0}, block).ok());
  EXPECT_EQ(rig.TryOpen()->error, Errno::kInval);
}

TEST(ThinControl, AReadOnlyPoolDoesNotFormat) {
  Credentials credentials;
  const OpContext op{credentials, kSimulationStart, Probe()};
  MemDisk metadata(8192), data(131072);
  const ThinPoolTable table = *ParseThinPoolTable("0 131072 thin-pool meta data 128 0 1 read_only");
  const TableResult<std::unique_ptr<ThinPool>> pool = ThinPool::Create(op, table, metadata, data);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.error(), Errno::kPerm);
  EXPECT_EQ(metadata.allocated_bytes(), 0u);
}

TEST(ThinControl, IgnoreDiscardOfALivePoolDoesNotChange) {
  ThinRig rig;
  EXPECT_EQ(rig.Reload(1024, "1 ignore_discard")->error, Errno::kInval);
  EXPECT_FALSE(rig.Reload(1024, "1 no_discard_passdown").has_value());
}

TEST(ThinControl, AReloadCountsFromTheResumeOn) {
  ThinRig rig;
  ASSERT_FALSE(rig.Reload(1024, "2 no_discard_passdown error_if_no_space").has_value());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" discard_passdown queue_if_no_space "));
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" no_discard_passdown error_if_no_space "));
}

TEST(ThinControl, PassdownIsDroppedWhenTheDataDeviceDiscardsTooLittle) {
  ThinRig rig;
  rig.data.longest_discard = 127;
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" no_discard_passdown "));
  rig.data.longest_discard = 0;
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" no_discard_passdown "));
  rig.data.longest_discard = 256;
  ASSERT_TRUE(rig.ReloadAndResume(1024, "").ok());
  EXPECT_THAT(rig.PoolStatus(), HasSubstr(" discard_passdown "));
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 80, 7).ok());
  ASSERT_TRUE(rig.Discard(0, 0, 80).ok());
  EXPECT_EQ(rig.data.discards.size(), 3u) << "two blocks at a time";
}

// ── Status ───────────────────────────────────────────────────────────────────────────────────────

TEST(ThinControl, TheStatusLineOfAPool) {
  ThinRig rig({.blocks = 16384});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 80, 7).ok());
  ASSERT_TRUE(rig.Message("set_transaction_id 0 3").ok());
  const std::string line = rig.pool().StatusLine(rig.Op());
  EXPECT_THAT(line, ::testing::MatchesRegex("0 2097152 thin-pool 3 [0-9]+/1024 5/16384 - rw "
                                            "discard_passdown queue_if_no_space - 256 "));
}

TEST(ThinControl, MetadataInUseIsTheReserveAtLeast) {
  ThinRig rig;
  const ThinBlockCounts blocks = rig.pool().metadata().metadata_blocks();
  EXPECT_THAT(rig.PoolStatus(),
              ::testing::StartsWith(absl::StrFormat("0 %d/1024 0/1024 ", blocks.allocated + 102)));
}

// ── Thin devices ─────────────────────────────────────────────────────────────────────────────────

TEST(ThinControl, DM_050_ASuspendedPoolActivatesNothing) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.pool().Suspend(rig.Op()).ok());
  EXPECT_EQ(rig.pool().Activate(rig.Op(), ThinId{0}, 128).error(), Errno::kInval);
  ASSERT_TRUE(rig.pool().Resume(rig.Op()).ok());
  EXPECT_TRUE(rig.pool().Activate(rig.Op(), ThinId{0}, 128).ok());
}

TEST(ThinControl, ActivationThatFails) {
  ThinRig rig;
  EXPECT_EQ(rig.pool().Activate(rig.Op(), ThinId{3}, 128).error(), Errno::kNoData);
  rig.Create(3);
  EXPECT_EQ(rig.pool().Activate(rig.Op(), ThinId{3}, 0).error(), Errno::kInval);
  EXPECT_EQ(rig.pool().Activate(rig.Op(), ThinId{16'777'216}, 128).error(), Errno::kInval);
}

TEST(ThinControl, DM_051_TheTableSaysTheSizeThePoolDoesNot) {
  ThinRig rig;
  rig.Create(0);
  std::vector<std::string> status;
  ASSERT_TRUE(rig.Device(0, 16, nullptr).Write(rig.Op(), Sector{0}, ThinRig::Pages(256, 7)).ok());
  status.push_back(rig.ThinStatus(0));
  rig.Deactivate(0);
  rig.Device(0, 8, nullptr);
  status.push_back(rig.ThinStatus(0));
  EXPECT_THAT(rig.Read(0, 0, 128), Each(7));
  EXPECT_THAT(rig.Read(0, 128, 1), IsEmpty());
  EXPECT_EQ(rig.Write(0, 127, 2, 8).error(), Errno::kIo);
  EXPECT_EQ(rig.Discard(0, 112, 32).error(), Errno::kIo);
  rig.Deactivate(0);
  rig.Device(0, 32, nullptr);
  status.push_back(rig.ThinStatus(0));
  EXPECT_THAT(rig.Read(0, 0, 256), Each(7));
  EXPECT_THAT(rig.Read(0, 256, 256), Each(0));
  EXPECT_THAT(status, Each("2048 2047"));
}

// An origin of 20 pages whose pages hold 100, 101, ...
class ExternalOrigin : public ::testing::Test {
 protected:
  ExternalOrigin() {
    for (std::uint64_t page = 0; page < 20; ++page) {
      EXPECT_TRUE(origin
                      .Write(rig.Op(), Sector{page * kPageSectors},
                             ThinRig::Pages(1, 100 + static_cast<int>(page)))
                      .ok());
    }
    rig.Create(0);
    rig.Device(0, 4, &origin);
  }
  std::vector<int> OriginAndZeros() {
    std::vector<int> pages(64, 0);
    for (int page = 0; page < 20; ++page) pages[static_cast<std::size_t>(page)] = 100 + page;
    return pages;
  }

  MemDisk origin{20 * kPageSectors};
  ThinRig rig;
};

TEST_F(ExternalOrigin, DM_052_UnmappedBlocksShowTheOriginAndZerosBehindIt) {
  std::vector<int> expected = OriginAndZeros();
  EXPECT_EQ(rig.Read(0, 0, 48), std::vector<int>(expected.begin(), expected.begin() + 48));
  ASSERT_TRUE(rig.Write(0, 17, 1, 7).ok());
  expected[17] = 7;
  EXPECT_EQ(rig.Read(0, 0, 64), expected);
  EXPECT_EQ(rig.Mappings(0), "1>0@0");
  ASSERT_TRUE(rig.Discard(0, 0, 64).ok());
  EXPECT_EQ(rig.Mappings(0), "");
  EXPECT_EQ(rig.Read(0, 0, 64), OriginAndZeros());
}

TEST_F(ExternalOrigin, AFullBlockCopiesNothingAndABlockBehindTheOriginIsZeroed) {
  ASSERT_TRUE(rig.Write(0, 0, 16, 7).ok());
  EXPECT_EQ(rig.pool().counters().copies, 0u);
  ASSERT_TRUE(rig.Write(0, 33, 1, 7).ok());
  EXPECT_EQ(rig.pool().counters().copies, 0u);
  EXPECT_EQ(rig.pool().counters().zeroes, 1u);
  EXPECT_THAT(rig.Read(0, 32, 3), ElementsAre(0, 7, 0));
}

TEST_F(ExternalOrigin, ASnapshotIsActivatedWithTheSameOrigin) {
  ASSERT_TRUE(rig.Write(0, 17, 1, 7).ok());
  rig.Snap(1, 0);
  rig.Device(1, 4, &origin);
  EXPECT_EQ(rig.Read(1, 0, 64), rig.Read(0, 0, 64));
}

TEST_F(ExternalOrigin, ATableThatNamesAnOriginNeedsOne) {
  const TableResult<ThinTable> table = ParseThinTable("0 512 thin pool 0 7:7");
  EXPECT_EQ(rig.pool().Activate(rig.Op(), *table).error(), Errno::kInval);
}

TEST(ThinControl, DM_053_TheHighestMappedSector) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 144, 1, 7).ok());
  EXPECT_EQ(rig.ThinStatus(0), "128 1279");
  EXPECT_EQ(rig.Device(0).StatusLine(rig.Op()), "0 524288 thin 128 1279");
}

TEST(ThinControl, DM_054_HowLargeTheMetadataShouldBe) {
  constexpr std::uint64_t kKiB = 1024, kGiB = kKiB * kKiB * kKiB, kTiB = kKiB * kGiB;
  EXPECT_EQ(ThinMetadataGuideBytes(kTiB, 64 * kKiB), 805'306'368u);
  EXPECT_EQ(ThinMetadataGuideBytes(10 * kGiB, 64 * kKiB), 7'864'320u);
  EXPECT_EQ(ThinMetadataGuideBytes(kTiB, kGiB), 2u << 20);
  EXPECT_EQ(ThinMetadataGuideBytes(100 * kGiB, 64 * kKiB), 78'643'200u);
  EXPECT_EQ(ThinMetadataGuideBytes(std::uint64_t{1} << 60, 64 * kKiB),
            std::uint64_t{255} * 16320 * 4096);
}

TEST(ThinControl, TheSameIdMayBeActiveTwice) {
  ThinRig rig;
  rig.Create(0);
  rig.Device(0);
  {
    const auto second = rig.pool().Activate(rig.Op(), ThinId{0}, 1024);
    ASSERT_TRUE(second.ok());
    ASSERT_TRUE((*second)->Write(rig.Op(), Sector{0}, ThinRig::Pages(1, 7)).ok());
    EXPECT_EQ(rig.pool().Close(rig.Op()).error(), Errno::kBusy);
  }
  EXPECT_EQ(rig.Read(0, 0, 1), std::vector<int>{7});
  EXPECT_TRUE(rig.pool().IsActive(ThinId{0}));
}

TEST(ThinControl, RequestsThatAreNoSectors) {
  ThinRig rig;
  rig.Create(0);
  std::vector<std::byte> odd(700);
  EXPECT_EQ(rig.Device(0).Read(rig.Op(), Sector{0}, odd).error(), Errno::kInval);
  EXPECT_EQ(rig.Device(0).Write(rig.Op(), Sector{0}, odd).error(), Errno::kInval);
  EXPECT_EQ(rig.Device(0).Read(rig.Op(), Sector{~std::uint64_t{0}}, {odd.data(), 512}).error(),
            Errno::kIo);
}

// ── Explain ──────────────────────────────────────────────────────────────────────────────────────

TEST(ThinExplain, ABlockThatIsShared) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, 7).ok());
  rig.Snap(1, 0);
  rig.Snap(2, 1);
  const Result<ThinBlockReport> report = rig.pool().Explain(rig.Op(), ThinId{1}, 1);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->mapping, (ThinMapping{1, 0}));
  EXPECT_TRUE(report->looks_shared);
  EXPECT_EQ(report->references, 3u);
  EXPECT_THAT(report->others, ElementsAre(ThinUser{ThinId{0}, 1, 0}, ThinUser{ThinId{2}, 1, 0}));
  EXPECT_EQ(report->next_write, ThinWriteEffect::kBreakSharing);
}

TEST(ThinExplain, ABlockThatOnlyLooksSharedAndOneThatDoesNot) {
  ThinRig rig;
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Delete(1).ok());
  ASSERT_TRUE(rig.Write(0, 0, 1, 8).ok());
  const ThinBlockReport moved = *rig.pool().Explain(rig.Op(), ThinId{0}, 0);
  EXPECT_FALSE(moved.looks_shared);
  EXPECT_EQ(moved.next_write, ThinWriteEffect::kInPlace);
  const ThinBlockReport old = *rig.pool().Explain(rig.Op(), ThinId{0}, 1);
  EXPECT_TRUE(old.looks_shared);
  EXPECT_EQ(old.references, 1u);
  EXPECT_THAT(old.others, IsEmpty());
  EXPECT_EQ(old.next_write, ThinWriteEffect::kBreakSharing);
}

TEST(ThinExplain, ABlockThatIsNotMappedAndADeviceThatIsNot) {
  ThinRig rig;
  rig.Create(0);
  const ThinBlockReport report = *rig.pool().Explain(rig.Op(), ThinId{0}, 5);
  EXPECT_EQ(report.mapping, std::nullopt);
  EXPECT_EQ(report.next_write, ThinWriteEffect::kProvision);
  EXPECT_EQ(rig.pool().Explain(rig.Op(), ThinId{9}, 0).error(), Errno::kNoData);
}

TEST(ThinExplain, TheChunkMapListsTheUsersOfEveryBlock) {
  ThinRig rig({.blocks = 8});
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 32, 7).ok());
  rig.Snap(1, 0);
  ASSERT_TRUE(rig.Write(1, 0, 16, 8).ok());
  const Result<ThinChunkMap> map = rig.pool().ChunkMap(rig.Op());
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->total_blocks, 8u);
  EXPECT_EQ(map->allocated_blocks, 3u);
  const ThinUser first{ThinId{0}, 0, 0}, second{ThinId{0}, 1, 0};
  EXPECT_THAT(map->chunks,
              ElementsAre(ThinChunk{0, {first}}, ThinChunk{1, {second, ThinUser{ThinId{1}, 1, 0}}},
                          ThinChunk{2, {ThinUser{ThinId{1}, 0, 1}}}));
}

}  // namespace
}  // namespace lamina
