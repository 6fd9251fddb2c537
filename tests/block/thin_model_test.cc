// Random histories: a thin pool is its plain model (devicemapper.md sections 3 to 10), with
// snapshots, discards, commits, power cuts, growth and writes that wait for space.
//
//   LAMINA_THIN_OPS=200000      how many calls (default 24,000)
//   LAMINA_THIN_SEED=7          the first seed (default 1); a failure prints the one that replays
//   it
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/block/thin_pair.h"

namespace lamina {
namespace {

constexpr std::uint64_t kCallsByDefault = 24'000;
constexpr std::uint64_t kCallsPerHistory = 500;
constexpr std::uint64_t kCallsBetweenFullComparisons = 100;

std::uint64_t NumberFrom(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string Replay(std::uint64_t seed, std::uint64_t call, const std::string& last) {
  return "call " + std::to_string(call) + ", " + last +
         "; replay: LAMINA_THIN_OPS=1 LAMINA_THIN_SEED=" + std::to_string(seed);
}

TEST(ThinModel, RandomHistoriesAreThoseOfThePlainModel) {
  const std::uint64_t calls = NumberFrom("LAMINA_THIN_OPS", kCallsByDefault);
  const std::uint64_t first = NumberFrom("LAMINA_THIN_SEED", 1);
  const std::uint64_t histories = (calls + kCallsPerHistory - 1) / kCallsPerHistory;
  std::map<std::string, std::uint64_t> tally;
  for (std::uint64_t seed = first; seed < first + histories; ++seed) {
    ThinPair pair(seed);
    for (std::uint64_t call = 1; call <= kCallsPerHistory; ++call) {
      pair.Step();
      if (call % kCallsBetweenFullComparisons == 0) pair.CompareAll();
      ASSERT_FALSE(HasFailure()) << Replay(seed, call, pair.last());
    }
    for (const auto& [name, count] : pair.tally()) tally[name] += count;
  }
  if (histories < 40) return;
  for (const char* name :
       {"create_snap", "delete", "delete failed", "discard", "write failed", "submit that waits",
        "crash", "reopen", "resume", "grow", "reserve", "reserve failed", "release", "explain"}) {
    EXPECT_GE(tally[name], histories / 4) << name;
  }
}

TEST(ThinModel, CountsMadeAnewAreTheSpaceMapsAfterEveryCall) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ThinPair pair(seed);
    for (std::uint64_t call = 1; call <= 120; ++call) {
      pair.Step();
      pair.CompareAll();
      pair.CompareCounts();
      if (seed % 2 == 0) pair.Commit();
      pair.CheckLastCommit();
      ASSERT_FALSE(HasFailure()) << Replay(seed, call, pair.last());
    }
  }
}

// Does `compare` find something?
template <typename Compare>
bool FindsAFault(Compare compare) {
  testing::TestPartResultArray found;
  const testing::ScopedFakeTestPartResultReporter reporter(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
  compare();
  return found.size() > 0;
}

// A pair with something in it.
void Fill(ThinPair& pair) {
  for (int call = 0; call < 200; ++call) pair.Step();
  pair.Commit();
}

TEST(ThinModel, APageChangedBehindThePoolsBackIsFound) {
  ThinPair pair(1);
  Fill(pair);
  ASSERT_FALSE(FindsAFault([&] { pair.CompareAll(); }));
  const ThinChunkMap map = *pair.rig().pool().ChunkMap(pair.rig().Op());
  ASSERT_FALSE(map.chunks.empty());
  const Sector first{map.chunks[0].data_block * pair.rig().shape().block_sectors};
  ASSERT_TRUE(pair.rig().data_disk().Write(pair.rig().Op(), first, ThinRig::Pages(1, 0x5a)).ok());
  EXPECT_TRUE(FindsAFault([&] { pair.CompareAll(); }));
}

TEST(ThinModel, ABlockAllocatedBehindThePoolsBackIsFound) {
  ThinPair pair(1);
  Fill(pair);
  pair.CompareAll();
  ASSERT_FALSE(FindsAFault([&] { pair.CompareCounts(); }));
  ASSERT_TRUE(pair.rig().pool().metadata().AllocateDataBlock(pair.rig().Op()).ok());
  EXPECT_TRUE(FindsAFault([&] { pair.CompareCounts(); }));
  ASSERT_TRUE(pair.rig().pool().Commit(pair.rig().Op()).ok());
  EXPECT_TRUE(FindsAFault([&] { pair.CheckLastCommit(); })) << "a leak";
}

}  // namespace
}  // namespace lamina
