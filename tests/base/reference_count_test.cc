#include "lamina/base/reference_count.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lamina {
namespace {

TEST(ReferenceCount, TheLastDropSaysSo) {
  ReferenceCount count(1);
  count.Add();
  EXPECT_FALSE(count.Drop());
  EXPECT_TRUE(count.Drop());
  EXPECT_EQ(count.value(), 0U);
}

TEST(ReferenceCount, KnowsWhetherItIsOne) {
  ReferenceCount count(1);
  EXPECT_TRUE(count.is_one());
  count.Add();
  EXPECT_FALSE(count.is_one());
}

// Goal: counts made while the process had one thread go on being right when it has more.
TEST(ReferenceCount, LosesNothingBetweenThreads) {
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kTimes = 20000;
  ReferenceCount count(1);
  count.Add();
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&count] {
      for (std::uint32_t at = 0; at < kTimes; ++at) {
        count.Add();
        count.Add();
        EXPECT_FALSE(count.Drop());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count.value(), 2U + kThreads * kTimes);
}

}  // namespace
}  // namespace lamina
