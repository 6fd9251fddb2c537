// ForEachCrashState: every state a crash could have left, once, with the steps it may belong to.
#include "lamina/sim/crash_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lamina/sim/choosers.h"
#include "tests/block/device_fixture.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<int> FillsOf(const MemDisk::Image& image, std::uint64_t count) {
  MemDisk disk(count);
  disk.Restore(image);
  return Fills(disk, 0, count);
}

class CrashStatesTest : public ::testing::Test {
 protected:
  void Write(std::uint64_t first, std::uint64_t count, int fill, BlockDevice* device = nullptr) {
    BlockDevice& target = device == nullptr ? device_ : *device;
    ASSERT_TRUE(target.Write(Caller().Op(), Sector{first}, Sectors(count, fill)).ok());
  }
  void Flush(BlockDevice* device = nullptr) {
    ASSERT_TRUE((device == nullptr ? device_ : *device).Flush(Caller().Op()).ok());
  }
  // Contents of the first `count` sectors, once for each time they were visited.
  std::multiset<std::vector<int>> Visited(std::uint64_t count, const CrashBounds& bounds = {}) {
    std::multiset<std::vector<int>> contents;
    counts_ = ForEachCrashState(recorder_.history(), bounds, [&](CrashState& state) {
      contents.insert(FillsOf(state.images[0], count));
      return true;
    });
    return contents;
  }

  MemDisk disk_{64};
  HistoryRecorder recorder_;
  BlockDevice& device_ = recorder_.Record(disk_);
  CrashCounts counts_;
};

TEST_F(CrashStatesTest, AnEpochHasAllSubsetsOfItsChangesAndEachStateOnce) {
  Write(0, 1, 1);
  Write(1, 1, 2);
  Write(0, 1, 1);  // the same again: no further states
  EXPECT_THAT(Visited(2), UnorderedElementsAre(ElementsAre(0, 0), ElementsAre(1, 0),
                                               ElementsAre(0, 2), ElementsAre(1, 2)));
  EXPECT_EQ(counts_.epochs, 1u);
  EXPECT_EQ(counts_.complete_epochs, 1u);
  EXPECT_EQ(counts_.states, 4u);
  EXPECT_EQ(counts_.images, 4u);
  EXPECT_GE(counts_.outcomes, 8u);
}

TEST_F(CrashStatesTest, AFlushEndsAnEpochAndItsChangesAreThereFromThenOn) {
  Write(0, 1, 1);
  Flush();
  Write(1, 1, 2);
  EXPECT_THAT(Visited(2), UnorderedElementsAre(ElementsAre(0, 0), ElementsAre(1, 0),
                                               ElementsAre(1, 0), ElementsAre(1, 2)));
  EXPECT_EQ(counts_.epochs, 2u);
  EXPECT_EQ(counts_.states, 4u);
  EXPECT_EQ(counts_.images, 3u) << "the end of one epoch is the beginning of the next";
}

TEST_F(CrashStatesTest, TornAndReorderedChangesAreTried) {
  Write(0, 2, 1);
  Write(1, 2, 2);
  const std::multiset<std::vector<int>> visited = Visited(3);
  const std::set<std::vector<int>> distinct(visited.begin(), visited.end());
  EXPECT_EQ(visited.size(), distinct.size());
  EXPECT_TRUE(distinct.contains({0, 1, 0})) << "only the second sector of the first";
  EXPECT_TRUE(distinct.contains({1, 1, 2})) << "the first after the second";
  EXPECT_FALSE(distinct.contains({2, 2, 2}));
}

TEST_F(CrashStatesTest, AStateTellsTheFirstAndTheLastStepItMayBelongTo) {
  Write(0, 1, 1);  // step 0
  Write(1, 1, 2);  // step 1
  Flush();         // step 2
  Write(1, 1, 3);  // step 3
  std::map<std::vector<int>, std::pair<std::size_t, std::size_t>> steps;
  std::vector<std::string> texts;
  ForEachCrashState(recorder_.history(), {}, [&](CrashState& state) {
    if (!state.seen_before) {
      steps[FillsOf(state.images[0], 2)] = {state.first_step, state.last_step};
      texts.push_back(state.text);
    }
    return true;
  });
  EXPECT_THAT(steps, UnorderedElementsAre(
                         Pair(ElementsAre(0, 0), Pair(0, 2)), Pair(ElementsAre(1, 0), Pair(1, 2)),
                         Pair(ElementsAre(0, 2), Pair(2, 2)), Pair(ElementsAre(1, 2), Pair(2, 2)),
                         Pair(ElementsAre(1, 3), Pair(4, 4))));
  EXPECT_EQ(texts.front(), "steps 0..2, landed -");
  EXPECT_EQ(texts.back(), "steps 4..4, landed 3");
}

TEST_F(CrashStatesTest, AFlushOfOneDeviceLeavesTheOthersOpen) {
  MemDisk other(8);
  BlockDevice& second = recorder_.Record(other);
  Write(0, 1, 1);
  Write(0, 1, 2, &second);
  Flush(&second);
  std::set<std::pair<std::vector<int>, std::vector<int>>> after_flush;
  ForEachCrashState(recorder_.history(), {}, [&](CrashState& state) {
    if (state.last_step == 3) {
      after_flush.emplace(FillsOf(state.images[0], 1), FillsOf(state.images[1], 1));
    }
    return true;
  });
  EXPECT_THAT(after_flush, UnorderedElementsAre(Pair(ElementsAre(0), ElementsAre(2)),
                                                Pair(ElementsAre(1), ElementsAre(2))));
}

TEST_F(CrashStatesTest, ManyChangesAreSampledWithinTheBounds) {
  for (int i = 0; i < 60; ++i) Write(static_cast<std::uint64_t>(i), 1, i + 1);
  const CrashBounds bounds{.samples = 50, .max_outcomes = 300};
  const std::size_t visited = Visited(64, bounds).size();
  EXPECT_EQ(counts_.outcomes, 60u + 1 + 60 + 60 + 50)
      << "prefixes, all less one, single ones, samples";
  EXPECT_EQ(counts_.complete_epochs, 0u);
  EXPECT_EQ(counts_.states, visited);
  EXPECT_GT(visited, 170u);
  const CrashBounds tight{.samples = 5, .max_outcomes = 10};
  Visited(64, tight);
  EXPECT_EQ(counts_.outcomes, 15u);
}

TEST_F(CrashStatesTest, TheSameSeedGivesTheSameStates) {
  for (int i = 0; i < 40; ++i) Write(static_cast<std::uint64_t>(i), 4, i + 1);
  const CrashBounds bounds{.seed = 7};
  EXPECT_EQ(Visited(64, bounds), Visited(64, bounds));
}

TEST_F(CrashStatesTest, DiscardsAreChanges) {
  Write(0, 1, 5);
  Flush();
  ASSERT_TRUE(device_.Discard(Caller().Op(), {Sector{0}, 1}).ok());
  const std::multiset<std::vector<int>> visited = Visited(1);
  EXPECT_EQ(visited.count({0}), 2u);
  EXPECT_EQ(visited.count({5}), 2u);
}

TEST_F(CrashStatesTest, StopsWhenTheVisitorHasEnough) {
  Write(0, 1, 1);
  Write(1, 1, 2);
  int visits = 0;
  const CrashCounts counts =
      ForEachCrashState(recorder_.history(), {}, [&](CrashState&) { return ++visits < 2; });
  EXPECT_EQ(visits, 2);
  EXPECT_EQ(counts.states, 2u);
}

TEST_F(CrashStatesTest, CallsThatFailAreNoSteps) {
  EXPECT_EQ(device_.Write(Caller().Op(), Sector{64}, Sectors(1, 1)).error(), Errno::kInval);
  EXPECT_EQ(recorder_.steps(), 0u);
  Write(0, 1, 1);
  EXPECT_EQ(recorder_.steps(), 1u);
}

TEST_F(CrashStatesTest, HashesAreEqualForEqualImagesOnly) {
  Write(3, 2, 1);
  const MemDisk::Image first = disk_.Capture();
  Write(3, 1, 2);
  EXPECT_NE(HashImage(first), HashImage(disk_.Capture()));
  Write(3, 1, 1);
  EXPECT_EQ(HashImage(first), HashImage(disk_.Capture()));
  Write(40, 1, 0);
  EXPECT_EQ(HashImage(first), HashImage(disk_.Capture())) << "written zeros are as good as a hole";
}

TEST(CrashCounts, AddUpAndPrint) {
  CrashCounts sum{.epochs = 1, .complete_epochs = 1, .outcomes = 8, .states = 4, .images = 4};
  sum += {.epochs = 2, .complete_epochs = 1, .outcomes = 20, .states = 9, .images = 7};
  EXPECT_EQ(sum.ToString(), "13 states (11 images) of 28 outcomes; 2 of 3 epochs complete");
}

}  // namespace
}  // namespace lamina::sim
