// CountThinBlocks and DiffThinDevices: what thin_ls and thin_delta count.
#include "lamina/block/thin_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "lamina/block/thin_canonical.h"
#include "lamina/block/thin_delta.h"
#include "tests/block/thin_dump_model.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// devicemapper.md §16.1: device 2 is a snapshot of 1; block 0 of device 1 was moved to 4.
ThinDump OriginAndSnapshot() {
  ThinDump dump;
  dump.time = 1;
  dump.nr_data_blocks = 16;
  dump.devices = {{1, 4, 0, 0, 1, {{0, 4, 1, 1}, {1, 1, 3, 0}}},
                  {2, 5, 1, 1, 1, {{0, 0, 4, 0}, {9, 5, 1, 1}}}};
  return dump;
}

TEST(ThinCounts, SharedIsWhatTwoDevicesMap) {
  EXPECT_THAT(CountThinBlocks(OriginAndSnapshot()),
              ElementsAre(ThinDeviceCounts{1, 4, 1, 0, 0, 1}, ThinDeviceCounts{2, 5, 2, 1, 1, 1}));
  EXPECT_EQ(CountUsedThinBlocks(OriginAndSnapshot()), 6u);
}

TEST(ThinCounts, TwoVirtualBlocksOfADeviceOnOneDataBlockAreShared) {
  ThinDump dump;
  dump.devices = {{0, 3, 0, 0, 0, {{0, 5, 2, 0}, {7, 6, 1, 0}}}};
  EXPECT_THAT(CountThinBlocks(dump), ElementsAre(ThinDeviceCounts{0, 3, 1, 0, 0, 0}));
}

TEST(ThinCounts, EqualCountsBlockByBlockForRandomDumps) {
  SplitMix64 random(2);
  for (int round = 0; round < 3000; ++round) {
    const ThinDump dump = CanonicalThinDump(RandomThinDump(random));
    std::map<std::uint64_t, int> references;
    for (const ThinDumpDevice& device : dump.devices) {
      for (const auto& [block, mapping] : BlocksOf(device)) ++references[mapping.first];
    }
    const std::vector<ThinDeviceCounts> counts = CountThinBlocks(dump);
    ASSERT_EQ(counts.size(), dump.devices.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::uint64_t exclusive = 0;
      for (const auto& [block, mapping] : BlocksOf(dump.devices[i])) {
        if (references[mapping.first] == 1) ++exclusive;
      }
      ASSERT_EQ(counts[i].exclusive_blocks, exclusive) << "round " << round;
      ASSERT_EQ(counts[i].shared_blocks(), counts[i].mapped_blocks - exclusive);
    }
    ASSERT_EQ(CountUsedThinBlocks(dump), references.size());
  }
}

TEST(ThinDelta, ComparesDataBlocksNotTimes) {
  const ThinDump dump = OriginAndSnapshot();
  EXPECT_THAT(DiffThinDevices(dump.devices[0], dump.devices[1]),
              ElementsAre(ThinDeltaRange{ThinDeltaKind::kDifferent, 0, 1, 4, 0},
                          ThinDeltaRange{ThinDeltaKind::kSame, 1, 3, 1, 1},
                          ThinDeltaRange{ThinDeltaKind::kRightOnly, 9, 1, 0, 5}));
  ThinDumpDevice later = dump.devices[0];
  for (ThinRun& run : later.runs) ++run.time;
  EXPECT_THAT(RunsOfThinDelta(DiffThinDevices(dump.devices[0], later)),
              ElementsAre(ThinDeltaRun{ThinDeltaKind::kSame, 0, 4}));
}

TEST(ThinDelta, OfTwoEmptyDevicesIsEmpty) {
  EXPECT_THAT(DiffThinDevices(ThinDumpDevice(), ThinDumpDevice()), IsEmpty());
}

// One kind a virtual block, in the order of the blocks.
std::map<std::uint64_t, ThinDeltaKind> KindsOf(const ThinDumpDevice& left,
                                               const ThinDumpDevice& right) {
  const ThinBlocks of_left = BlocksOf(left);
  const ThinBlocks of_right = BlocksOf(right);
  std::map<std::uint64_t, ThinDeltaKind> kinds;
  for (const auto& [block, mapping] : of_left) kinds[block] = ThinDeltaKind::kLeftOnly;
  for (const auto& [block, mapping] : of_right) {
    const auto other = of_left.find(block);
    kinds[block] = other == of_left.end()                 ? ThinDeltaKind::kRightOnly
                   : other->second.first == mapping.first ? ThinDeltaKind::kSame
                                                          : ThinDeltaKind::kDifferent;
  }
  return kinds;
}

TEST(ThinDelta, EqualsADeltaBlockByBlockForRandomDumps) {
  SplitMix64 random(3);
  for (int round = 0; round < 3000; ++round) {
    const ThinDump dump = CanonicalThinDump(RandomThinDump(random));
    const ThinDumpDevice& left = dump.devices.front();
    const ThinDumpDevice& right = dump.devices.back();
    std::map<std::uint64_t, ThinDeltaKind> kinds;
    ThinDeltaRun last;
    for (const ThinDeltaRun& run : RunsOfThinDelta(DiffThinDevices(left, right))) {
      ASSERT_GT(run.length, 0u);
      ASSERT_FALSE(last.length > 0 && last.kind == run.kind &&
                   last.begin + last.length == run.begin);
      for (std::uint64_t i = 0; i < run.length; ++i) kinds[run.begin + i] = run.kind;
      last = run;
    }
    ASSERT_EQ(kinds, KindsOf(left, right)) << "round " << round;
  }
}

TEST(ThinDelta, RangesNameTheDataBlocksOfBothSides) {
  SplitMix64 random(4);
  for (int round = 0; round < 1000; ++round) {
    const ThinDump dump = CanonicalThinDump(RandomThinDump(random));
    ThinBlocks left = BlocksOf(dump.devices.front());
    ThinBlocks right = BlocksOf(dump.devices.back());
    for (const ThinDeltaRange& range : DiffThinDevices(dump.devices.front(), dump.devices.back())) {
      for (std::uint64_t i = 0; i < range.length; ++i) {
        if (range.kind != ThinDeltaKind::kRightOnly) {
          ASSERT_EQ(left.at(range.begin + i).first, range.left_data_begin + i);
        }
        if (range.kind != ThinDeltaKind::kLeftOnly) {
          ASSERT_EQ(right.at(range.begin + i).first, range.right_data_begin + i);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lamina
