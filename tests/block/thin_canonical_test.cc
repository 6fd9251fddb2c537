// CanonicalThinDump: what thin_restore and thin_dump make of a dump.
#include "lamina/block/thin_canonical.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/block/thin_dump_model.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ThinDumpDevice Device(std::uint64_t id, std::vector<ThinRun> runs) {
  ThinDumpDevice device;
  device.dev_id = id;
  device.runs = std::move(runs);
  return device;
}

// The runs of one device.
std::vector<ThinRun> RunsOf(std::vector<ThinRun> runs) {
  ThinDump dump;
  dump.devices = {Device(0, std::move(runs))};
  return CanonicalThinDump(dump).devices[0].runs;
}

TEST(ThinCanonical, RunsAreAsLongAsPossible) {
  EXPECT_THAT(RunsOf({{0, 5, 2, 1}, {2, 7, 1, 1}, {3, 8, 4, 1}}), ElementsAre(ThinRun{0, 5, 7, 1}));
}

TEST(ThinCanonical, AnotherTimeDataBlockOrGapEndsARun) {
  EXPECT_THAT(RunsOf({{0, 5, 2, 1}, {2, 7, 1, 2}, {3, 9, 1, 2}, {5, 11, 1, 2}}),
              ElementsAre(ThinRun{0, 5, 2, 1}, ThinRun{2, 7, 1, 2}, ThinRun{3, 9, 1, 2},
                          ThinRun{5, 11, 1, 2}));
}

TEST(ThinCanonical, TheLaterOfTwoMappingsOfABlockWins) {
  EXPECT_THAT(RunsOf({{0, 0, 10, 0}, {3, 20, 2, 0}}),
              ElementsAre(ThinRun{0, 0, 3, 0}, ThinRun{3, 20, 2, 0}, ThinRun{5, 5, 5, 0}));
}

TEST(ThinCanonical, AnEmptyRunMapsNothing) {
  EXPECT_THAT(RunsOf({{4, 4, 0, 0}}), IsEmpty());
  EXPECT_THAT(RunsOf({{4, 4, 3, 0}, {5, 0, 0, 0}, {2, 9, 1, 0}}),
              ElementsAre(ThinRun{2, 9, 1, 0}, ThinRun{4, 4, 3, 0}));
}

TEST(ThinCanonical, LengthsCostNothing) {
  constexpr std::uint64_t kFar = std::numeric_limits<std::uint64_t>::max() - 10;
  EXPECT_THAT(RunsOf({{0, 0, kFar, 0}, {kFar / 2, 1, 1, 0}}),
              ElementsAre(ThinRun{0, 0, kFar / 2, 0}, ThinRun{kFar / 2, 1, 1, 0},
                          ThinRun{kFar / 2 + 1, kFar / 2 + 1, kFar - kFar / 2 - 1, 0}));
}

TEST(ThinCanonical, DevicesAreSortedAndCountedAnewAndTheRestIsKept) {
  ThinDump dump;
  dump.uuid = "0123456789abcdefgh";
  dump.time = 3;
  dump.transaction = 4;
  dump.flags = 1;
  dump.version = 1;
  dump.data_block_size = 256;
  dump.nr_data_blocks = 100;
  dump.metadata_snap = 7;
  dump.devices = {Device(5, {{0, 0, 3, 0}}), Device(2, {})};
  dump.devices[0].mapped_blocks = 99;
  dump.devices[0].snap_time = 2;
  ThinDump wanted = dump;
  wanted.uuid = "0123456789abcdef";
  wanted.metadata_snap = std::nullopt;
  wanted.devices = {dump.devices[1], dump.devices[0]};
  wanted.devices[1].mapped_blocks = 3;
  EXPECT_EQ(CanonicalThinDump(dump), wanted);
}

// Does any run go on with the one before, or lie over it?
bool RunsAreMaximal(const ThinDumpDevice& device) {
  for (std::size_t i = 1; i < device.runs.size(); ++i) {
    const ThinRun& last = device.runs[i - 1];
    const ThinRun& next = device.runs[i];
    const std::uint64_t end = last.origin_begin + last.length;
    if (end > next.origin_begin) return false;
    if (end == next.origin_begin && last.data_begin + last.length == next.data_begin &&
        last.time == next.time) {
      return false;
    }
  }
  return true;
}

TEST(ThinCanonical, EqualsAMapBlockByBlockForRandomDumps) {
  SplitMix64 random(1);
  for (int round = 0; round < 3000; ++round) {
    ThinDump dump = RandomThinDump(random);
    const ThinDump canonical = CanonicalThinDump(dump);
    std::reverse(dump.devices.begin(), dump.devices.end());
    ASSERT_EQ(canonical.devices.size(), dump.devices.size());
    for (std::size_t i = 0; i < dump.devices.size(); ++i) {
      const ThinBlocks wanted = BlocksOf(dump.devices[i]);
      ASSERT_EQ(canonical.devices[i].dev_id, dump.devices[i].dev_id);
      ASSERT_EQ(BlocksOf(canonical.devices[i]), wanted) << "round " << round;
      ASSERT_EQ(canonical.devices[i].mapped_blocks, wanted.size());
      ASSERT_TRUE(RunsAreMaximal(canonical.devices[i])) << "round " << round;
    }
    ASSERT_EQ(CanonicalThinDump(canonical), canonical);
  }
}

}  // namespace
}  // namespace lamina
