// ReadThinDump and RestoreThinMetadata: metadata as a value, and back.
#include "lamina/block/thin_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/block/thin_metadata_fixture.h"
#include "tests/store/split_mix.h"
#include "vfs/block/thin_dumper.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;

ThinDump DumpWith(std::vector<ThinDumpDevice> devices) {
  ThinDump dump;
  dump.time = 3;
  dump.nr_data_blocks = 10'000;
  dump.devices = std::move(devices);
  return dump;
}

ThinDumpDevice DeviceWith(std::uint64_t id, std::vector<ThinRun> runs) {
  ThinDumpDevice device;
  device.dev_id = id;
  for (const ThinRun& run : runs) device.mapped_blocks += run.length;
  device.runs = std::move(runs);
  return device;
}

// What comes back when `dump` is restored.
ThinDump ThereAndBack(const ThinDump& dump) {
  MemDisk disk(2048 * 8);
  EXPECT_TRUE(RestoreThinMetadata(MetadataOp(), dump, disk).ok());
  EXPECT_EQ(DamageOf(disk), "");
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), disk);
  EXPECT_TRUE(opened.ok());
  const Result<ThinDump> back = ReadThinDump(MetadataOp(), **opened);
  EXPECT_TRUE(back.ok());
  return *back;
}

Errno RestoreError(const ThinDump& dump, std::uint64_t metadata_blocks = 64) {
  MemDisk disk(metadata_blocks * 8);
  return RestoreThinMetadata(MetadataOp(), dump, disk).error();
}

TEST(ThinDump, IsTheLastCommitNotTheTransaction) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 5, 3);
  pool.Commit();
  pool.Provision(0, 5, 1);
  pool.CreateSnapshot(1, 0);
  ASSERT_TRUE(pool->SetTransactionId(MetadataOp(), 0, 9).ok());
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), *pool);
  ASSERT_TRUE(dump.ok());
  EXPECT_EQ(dump->transaction, 0u);
  EXPECT_THAT(dump->devices, ElementsAre(DeviceWith(0, {{5, 0, 3, 0}})));
}

TEST(ThinDump, RunsAreAsLongAsTheyCanBe) {
  MetadataRig pool(3000);
  pool.CreateThin(0);
  pool.Provision(0, 0, 1000);
  pool.CreateSnapshot(1, 0);
  pool.Provision(0, 400, 2);
  pool.Provision(0, 2000, 500);
  pool.Commit();
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), *pool);
  ASSERT_TRUE(dump.ok());
  EXPECT_THAT(dump->devices[0].runs,
              ElementsAre(ThinRun{0, 0, 400, 0}, ThinRun{400, 1000, 2, 1},
                          ThinRun{402, 402, 598, 0}, ThinRun{2000, 1002, 500, 1}));
  EXPECT_THAT(dump->devices[1].runs, ElementsAre(ThinRun{0, 0, 1000, 0}));
}

TEST(ThinDump, NamesTheHeldRoot) {
  MetadataRig pool;
  ASSERT_TRUE(pool->ReserveMetadataSnapshot(MetadataOp()).ok());
  pool.Commit();
  EXPECT_EQ(ReadThinDump(MetadataOp(), *pool)->metadata_snap, pool->held_root());
}

TEST(ThinRestore, EveryFieldComesBack) {
  ThinDump dump = DumpWith({DeviceWith(0, {}), DeviceWith(4294967295, {{0, 9000, 1000, 3}}),
                            DeviceWith(4294967296, {{~std::uint64_t{0}, 0, 1, 16777215}})});
  dump.uuid = "0123456789abcdef";
  dump.transaction = ~std::uint64_t{0};
  dump.flags = 1;
  dump.version = 1;
  dump.data_block_size = 96;
  dump.devices[1].transaction = 8;
  dump.devices[1].creation_time = 1;
  dump.devices[1].snap_time = 2;
  EXPECT_EQ(ThereAndBack(dump), dump);
}

TEST(ThinRestore, OfTwoMappingsOfABlockTheLaterWins) {
  const ThinDump dump = DumpWith({DeviceWith(
      1, {{100, 0, 100, 0}, {150, 500, 10, 1}, {90, 700, 20, 2}, {120, 800, 0, 2}, {0, 5, 1, 0}})});
  const ThinDump back = ThereAndBack(dump);
  EXPECT_THAT(back.devices[0].runs,
              ElementsAre(ThinRun{0, 5, 1, 0}, ThinRun{90, 700, 20, 2}, ThinRun{110, 10, 40, 0},
                          ThinRun{150, 500, 10, 1}, ThinRun{160, 60, 40, 0}));
  EXPECT_EQ(back.devices[0].mapped_blocks, 111u);
}

// Goal: random overlapping runs, against a map of blocks.
TEST(ThinRestore, OverlappingRunsEqualTheirBlocksOneByOne) {
  SplitMix64 draw(4);
  for (int round = 0; round < 30; ++round) {
    std::vector<ThinRun> runs;
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint32_t>> expected;
    for (std::uint64_t count = draw.Below(30); count > 0; --count) {
      const ThinRun run{draw.Below(300), draw.Below(9000), draw.Below(90),
                        static_cast<std::uint32_t>(draw.Below(2))};
      runs.push_back(run);
      for (std::uint64_t i = 0; i < run.length; ++i) {
        expected[run.origin_begin + i] = {run.data_begin + i, run.time};
      }
    }
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint32_t>> found;
    const ThinDump back = ThereAndBack(DumpWith({DeviceWith(7, runs)}));
    for (const ThinRun& run : back.devices[0].runs) {
      for (std::uint64_t i = 0; i < run.length; ++i) {
        found[run.origin_begin + i] = {run.data_begin + i, run.time};
      }
    }
    ASSERT_EQ(found, expected) << "round " << round;
  }
}

TEST(ThinRestore, TwoMappingsOfOneDataBlockCountTwice) {
  MemDisk disk(64 * 8);
  const ThinDump dump = DumpWith({DeviceWith(0, {{0, 7, 1, 0}, {5, 7, 1, 0}, {9, 7, 1, 0}})});
  ASSERT_TRUE(RestoreThinMetadata(MetadataOp(), dump, disk).ok());
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), disk);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*(*opened)->DataReferenceCount(MetadataOp(), 7), 3u);
  EXPECT_EQ(*(*opened)->DataLeafCount(MetadataOp(), 7), 3u);
}

// Goal: counts up to 5 over two bitmaps, written in the middle of the transaction again and again,
// are the counts of a restore that keeps all of them in memory; so is all the rest.
TEST(ThinRestore, CountsThatAreWrittenEarlyAreTheSame) {
  SplitMix64 draw(9);
  std::vector<ThinDumpDevice> devices;
  for (std::uint64_t id = 0; id < 5; ++id) {
    std::vector<ThinRun> runs;
    for (std::uint64_t at = 0; at < 3000; at += 150) {
      runs.push_back({at, draw.Below(39'000), 100, 0});
      runs.push_back({at + 100, 16'300 + id, 40, 1});
    }
    devices.push_back(DeviceWith(id, runs));
  }
  ThinDump dump = DumpWith(devices);
  dump.nr_data_blocks = 40'000;
  MemDisk early(512 * 8);
  MemDisk late(512 * 8);
  ASSERT_TRUE(ThinDumper::Restore(MetadataOp(), dump, early, 50).ok());
  ASSERT_TRUE(ThinDumper::Restore(MetadataOp(), dump, late, 1'000'000).ok());
  EXPECT_EQ(FindingsOf(early), "");
  EXPECT_EQ(FindingsOf(late), "");
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), early);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*ReadThinDump(MetadataOp(), **opened), ThereAndBack(dump));
}

TEST(ThinRestore, RefusesWhatCannotBe) {
  ThinDump version = DumpWith({});
  version.version = 3;
  EXPECT_EQ(RestoreError(version), Errno::kInval);
  ThinDump no_size = DumpWith({});
  no_size.data_block_size = 0;
  EXPECT_EQ(RestoreError(no_size), Errno::kInval);
  ThinDump uuid = DumpWith({});
  uuid.uuid = "0123456789abcdefg";
  EXPECT_EQ(RestoreError(uuid), Errno::kInval);
  ThinDump huge = DumpWith({});
  huge.nr_data_blocks = (std::uint64_t{1} << 40) + 1;
  EXPECT_EQ(RestoreError(huge), Errno::kInval);
  EXPECT_EQ(RestoreError(DumpWith({DeviceWith(0, {{0, 9999, 2, 0}})})), Errno::kInval);
  EXPECT_EQ(RestoreError(DumpWith({DeviceWith(0, {{~std::uint64_t{0}, 0, 2, 0}})})), Errno::kInval);
  EXPECT_EQ(RestoreError(DumpWith({DeviceWith(0, {{0, 0, 1, 1u << 24}})})), Errno::kInval);
  EXPECT_EQ(RestoreError(DumpWith({DeviceWith(5, {}), DeviceWith(5, {})})), Errno::kExist);
}

// Goal: a run of 2^39 blocks is refused at once.
TEST(ThinRestore, RefusesWhatHasNoRoom) {
  ThinDump dump = DumpWith({DeviceWith(0, {{0, 0, std::uint64_t{1} << 39, 0}})});
  dump.nr_data_blocks = std::uint64_t{1} << 39;
  EXPECT_EQ(RestoreError(dump), Errno::kNoSpc);
  EXPECT_EQ(RestoreError(DumpWith({DeviceWith(0, {{0, 0, 9999, 0}})}), 20), Errno::kNoSpc);
}

TEST(ThinRestore, ARestoredPoolCanBeChanged) {
  MetadataRig pool(16, 2048);
  std::vector<ThinRun> runs;
  for (std::uint64_t i = 0; i < 4000; ++i) runs.push_back({i * 2, i * 2, 1, 1});
  const ThinDump dump = DumpWith({DeviceWith(3, runs)});
  ASSERT_TRUE(RestoreThinMetadata(MetadataOp(), dump, pool.disk).ok());
  pool.Reopen();
  pool.CreateSnapshot(4, 3);
  pool.Provision(4, 1, 700);
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{3}).ok());
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(pool->Details(MetadataOp(), ThinId{4})->mapped_blocks, 4350u);
}

}  // namespace
}  // namespace lamina
