#include "lamina/sim/chooser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace lamina::sim {
namespace {

std::vector<std::uint64_t> Draw(std::uint64_t seed, std::uint64_t bound, std::size_t count) {
  RandomChooser chooser(seed);
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(chooser.Choose(bound));
  return out;
}

// The first outputs of SplitMix64 with seed 0, as its authors publish them.
TEST(RandomChooser, DrawsTheNumbersOfSplitMix64) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};  // every result but the largest keeps its value
  EXPECT_THAT(Draw(0, kAll, 3), testing::ElementsAre(0xe220a8397b1dcdafULL % kAll,
                                                     0x6e789e6aa1b965f4ULL, 0x06c45d188009454fULL));
}

TEST(RandomChooser, GivesTheSameNumbersForTheSameSeed) {
  EXPECT_EQ(Draw(7, 100, 50), Draw(7, 100, 50));
}

TEST(RandomChooser, GivesOtherNumbersForAnotherSeed) {
  EXPECT_NE(Draw(7, 100, 50), Draw(8, 100, 50));
}

TEST(RandomChooser, StaysBelowTheBound) {
  EXPECT_THAT(Draw(1, 3, 1000), testing::Each(testing::Lt(3u)));
}

TEST(RandomChooser, DrawsEveryValueAboutAsOften) {
  std::array<int, 3> seen{};
  for (const std::uint64_t value : Draw(2, 3, 30000)) ++seen[value];
  EXPECT_THAT(seen, testing::Each(testing::AllOf(testing::Gt(9500), testing::Lt(10500))));
}

TEST(RandomChooser, HasOneChoiceBelowOne) { EXPECT_THAT(Draw(3, 1, 5), testing::Each(0u)); }

}  // namespace
}  // namespace lamina::sim
