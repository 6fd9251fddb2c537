// ThinMetadata costs what was written, not what could be; a snapshot costs the same at any size and
// a lookup the same at any depth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "lamina/block/thin_dump.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/block/write_log.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kChunkBytes = 65536;

void Ignore(const ThinUnmapped&) {}

// Counts the sectors that are read and written.
class Meter final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind == EventKind::kSectorRead) read_bytes += event.amount;
    if (event.kind == EventKind::kSectorWrite) written_bytes += event.amount;
  }
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
};

// Goal: a pool of 100 GiB with 10,000 thin devices of 10 GiB, each with 4 blocks of its own.
TEST(ThinMetadataSize, ManyDevicesInALargePool) {
  constexpr std::uint64_t kDevices = 10'000;
  MetadataRig pool(100 * kGiB / kChunkBytes, 32'768);
  const std::uint64_t empty = pool.disk.allocated_bytes();
  EXPECT_LT(empty, 1u << 20);
  pool.CreateThin(0);
  pool.Provision(0, 0, 2000);
  for (std::uint64_t id = 1; id < kDevices; ++id) {
    pool.CreateSnapshot(id, id - 1);
    pool.Provision(id, id * 16 % (10 * kGiB / kChunkBytes), 4);
    if (id % 500 == 0) pool.Commit();
  }
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(pool->data_blocks().allocated, 2000u + 4 * (kDevices - 1));
  EXPECT_LT(pool.disk.allocated_bytes() - empty, kDevices * 3 * kThinMetadataBlockBytes);
  pool.Reopen();
  EXPECT_EQ(pool.MappingOf(kDevices - 1, 1), pool.MappingOf(0, 1));
  EXPECT_EQ(pool.MappingOf(kDevices - 1, 160'000 % (10 * kGiB / kChunkBytes)), "-");
}

TEST(ThinMetadataSize, ASnapshotCostsTheSameAtAnySize) {
  const auto written_by_snapshot = [](std::uint64_t blocks) {
    MetadataRig pool(100'000, 4096);
    pool.CreateThin(0);
    pool.Provision(0, 0, blocks);
    pool.CreateSnapshot(1, 0);
    pool.Commit();
    pool.CreateSnapshot(2, 0);
    Meter meter;
    const Caller caller(&meter);
    EXPECT_TRUE(pool->Commit(caller.Op()).ok());
    return meter.written_bytes;
  };
  const std::uint64_t small = written_by_snapshot(10);
  EXPECT_EQ(written_by_snapshot(30'000), small);
  EXPECT_LE(small, 8 * kThinMetadataBlockBytes);
}

TEST(ThinMetadataSize, ALookupCostsTheSameAtAnyDepth) {
  MetadataRig pool(100'000, 4096);
  pool.CreateThin(0);
  pool.Provision(0, 0, 30'000);
  for (std::uint64_t id = 1; id <= 200; ++id) {
    pool.CreateSnapshot(id, id - 1);
    pool.Provision(id, id, 1);
  }
  pool.Commit();
  const auto read_by_lookup = [&](std::uint64_t device) {
    pool.Reopen();
    Meter meter;
    const Caller caller(&meter);
    EXPECT_TRUE(pool->Lookup(caller.Op(), ThinId{device}, 20'000).ok());
    return meter.read_bytes;
  };
  const std::uint64_t shallow = read_by_lookup(0);
  EXPECT_EQ(read_by_lookup(200), shallow);
  EXPECT_LE(shallow, 5 * kThinMetadataBlockBytes);
}

// Goal: trees of three levels lose their middle, their ends and at last everything.
TEST(ThinMetadataSize, TallTreesShrinkAgain) {
  MetadataRig pool(100'000, 4096);
  const std::uint64_t empty = pool->metadata_blocks().allocated;
  pool.CreateThin(0);
  SplitMix64 draw(5);
  for (int i = 0; i < 60'000; ++i) pool.Provision(0, draw.Next() >> 20, 1);
  pool.CreateSnapshot(1, 0);
  pool.Commit();
  ASSERT_EQ(FindingsOf(pool.disk), "");
  constexpr std::uint64_t kAll = std::uint64_t{1} << 44;
  constexpr std::uint64_t kPart = kAll / 64;
  for (int round = 0; round < 12; ++round) {
    const std::uint64_t begin = draw.Below(64) * kPart;
    ASSERT_TRUE(pool->Remove(MetadataOp(), ThinId{0}, begin, begin + 5 * kPart, Ignore).ok());
    pool.Commit();
    ASSERT_EQ(FindingsOf(pool.disk), "") << "round " << round;
  }
  ASSERT_TRUE(pool->Remove(MetadataOp(), ThinId{0}, 0, kAll, Ignore).ok());
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{1}).ok());
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
  EXPECT_EQ(pool->metadata_blocks().allocated, empty + 1) << "the empty tree of device 0";
}

// Goal: 2000 devices over one large tree are one run each, and are read at the price of the tree.
TEST(ThinMetadataSize, ADumpReadsASharedTreeOnce) {
  MetadataRig pool(100'000, 4096);
  pool.CreateThin(0);
  pool.Provision(0, 0, 40'000);
  for (std::uint64_t id = 1; id < 2000; ++id) pool.CreateSnapshot(id, 0);
  pool.Commit();
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), *pool);
  ASSERT_TRUE(dump.ok());
  EXPECT_EQ(dump->devices.back().runs, (std::vector<ThinRun>{{0, 0, 40'000, 0}}));
}

}  // namespace
}  // namespace lamina
