#include "lamina/store/radix_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/split_mix.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using Key = std::uint64_t;
using Map = RadixMap<std::uint64_t>;
using Model = std::map<Key, std::uint64_t>;

constexpr Key kLastKey = ~Key{0};

Map MapOf(std::initializer_list<Key> keys) {
  Map map;
  for (const Key key : keys) map.Set(key, key * 10);
  return map;
}

// Keys 0..count-1, each with itself as the value.
Map Dense(std::uint64_t count) {
  Map map;
  for (Key key = 0; key < count; ++key) map.Set(key, key);
  return map;
}

std::vector<std::pair<Key, std::uint64_t>> EntriesOf(const Map& map) {
  std::vector<std::pair<Key, std::uint64_t>> entries;
  map.ForEach([&](Key key, std::uint64_t value) { entries.emplace_back(key, value); });
  return entries;
}

Key NextKey(const Map& map, Key key) {
  const auto entry = map.NextAtOrAfter(key);
  return entry.has_value() ? entry->key : kLastKey;
}

TEST(RadixMap, IsOnePointer) { EXPECT_EQ(sizeof(Map), sizeof(void*)); }

TEST(RadixMap, IsEmptyAtFirst) {
  const Map map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(map.Find(0), nullptr);
  EXPECT_FALSE(map.NextAtOrAfter(0).has_value());
  EXPECT_EQ(map.NextAbsent(5), 5U);
}

TEST(RadixMap, ListsEntriesInKeyOrder) {
  const Map map = MapOf({300, 2, 0, 17});
  EXPECT_THAT(EntriesOf(map), ElementsAre(Pair(0, 0), Pair(2, 20), Pair(17, 170), Pair(300, 3000)));
}

TEST(RadixMap, HoldsTheSmallestAndTheLargestKey) {
  Map map;
  map.Set(kLastKey, 1);
  map.Set(0, 2);
  EXPECT_EQ(*map.Find(kLastKey), 1U);
  EXPECT_EQ(*map.Find(0), 2U);
  EXPECT_EQ(map.NextAtOrAfter(1)->key, kLastKey);
  EXPECT_EQ(map.CountRange(0, kLastKey), 2U);
  EXPECT_EQ(map.NextAbsent(kLastKey), std::nullopt);
}

TEST(RadixMap, SetReplacesAValue) {
  Map map = MapOf({4});
  map.Set(4, 7);
  EXPECT_EQ(*map.Find(4), 7U);
  EXPECT_EQ(map.size(), 1U);
}

TEST(RadixMap, CopyRangeMakesKeysWhatOthersAreAbsentWhereTheyAre) {
  Map map = MapOf({10, 12, 101, 102, 104});
  map.CopyRange(100, 10, 4);
  EXPECT_THAT(EntriesOf(map), ElementsAre(Pair(10, 100), Pair(12, 120), Pair(100, 100),
                                          Pair(102, 120), Pair(104, 1040)));
}

TEST(RadixMap, CopyRangeOfAbsentKeysErases) {
  Map map = MapOf({1, 500, 501, 502});
  map.CopyRange(500, 100, 2);
  EXPECT_THAT(EntriesOf(map), ElementsAre(Pair(1, 10), Pair(502, 5020)));
}

TEST(RadixMap, CopyRangeOfNothingChangesNothing) {
  Map map = MapOf({1});
  map.CopyRange(5, 1, 0);
  EXPECT_EQ(map.size(), 1U);
}

TEST(RadixMap, CopyRangeLeavesACloneAsItWas) {
  Map map = Dense(40);
  const Map clone = map.Clone();
  map.CopyRange(16, 0, 16);
  EXPECT_EQ(*map.Find(20), *clone.Find(4));
  EXPECT_NE(*clone.Find(20), *clone.Find(4));
}

TEST(RadixMap, CopyRangeCountsWhatIsBelow) {
  Map map = Dense(100);
  map.CopyRange(1000, 7, 80);
  EXPECT_EQ(map.size(), 180U);
  EXPECT_EQ(map.CountRange(1000, 1079), 80U);
}

TEST(RadixMap, EraseSaysWhetherTheKeyWasThere) {
  Map map = MapOf({4});
  EXPECT_FALSE(map.Erase(5));
  EXPECT_TRUE(map.Erase(4));
  EXPECT_TRUE(map.empty());
}

TEST(RadixMap, ErasingTheFarKeyLowersTheTree) {
  Map map = MapOf({1, std::uint64_t{1} << 40});
  map.Erase(std::uint64_t{1} << 40);
  EXPECT_EQ(map.CountNodes().nodes, 1U);
}

TEST(RadixMap, EraseRangeTakesBothEnds) {
  Map map = MapOf({9, 10, 15, 16, 300, 301});
  EXPECT_EQ(map.EraseRange(10, 300), 4U);
  EXPECT_THAT(EntriesOf(map), ElementsAre(Pair(9, 90), Pair(301, 3010)));
}

TEST(RadixMap, CountRangeTakesBothEnds) {
  const Map map = Dense(1000);
  EXPECT_EQ(map.CountRange(10, 700), 691U);
  EXPECT_EQ(map.CountRange(990, 5000), 10U);
  EXPECT_EQ(map.CountRange(7, 6), 0U);
}

TEST(RadixMap, VisitFromGivesEveryLaterEntryInOrderUntilTold) {
  Map map;
  const std::vector<Key> keys = {0, 1, 31, 32, 33, 1023, 1024, 40000, 40001, kLastKey};
  for (const std::uint64_t key : keys) map.Set(key, key / 2);
  for (const std::uint64_t from :
       std::vector<std::uint64_t>{0, 1, 2, 32, 34, 1025, 50000, kLastKey}) {
    std::vector<std::uint64_t> want;
    for (const std::uint64_t key : keys) {
      if (key >= from) want.push_back(key);
    }
    std::vector<std::uint64_t> got;
    map.VisitFrom(from, [&](Key key, std::uint64_t value) {
      EXPECT_EQ(value, key / 2);
      got.push_back(key);
      return true;
    });
    EXPECT_EQ(got, want) << from;
  }
  int calls = 0;
  map.VisitFrom(1, [&](Key, std::uint64_t) { return ++calls < 3; });
  EXPECT_EQ(calls, 3);
}

TEST(RadixMap, NextAtOrAfterStepsOverGaps) {
  const Map map = MapOf({3, 0x1234, 0x100000});
  EXPECT_EQ(NextKey(map, 3), 3U);
  EXPECT_EQ(NextKey(map, 4), 0x1234U);
  EXPECT_EQ(NextKey(map, 0x1235), 0x100000U);
  EXPECT_EQ(NextKey(map, 0x100001), kLastKey);
}

TEST(RadixMap, NextAbsentStepsOverFullSubtrees) {
  Map map = Dense(5000);
  EXPECT_EQ(map.NextAbsent(0), 5000U);
  map.Erase(4100);
  EXPECT_EQ(map.NextAbsent(3), 4100U);
  EXPECT_EQ(map.NextAbsent(4101), 5000U);
}

TEST(RadixMap, CloneKeepsItsValuesWhenTheOriginalChanges) {
  Map map = Dense(100);
  const Map clone = map.Clone();
  map.Set(50, 7);
  map.Erase(51);
  EXPECT_EQ(*clone.Find(50), 50U);
  EXPECT_EQ(*clone.Find(51), 51U);
  EXPECT_EQ(clone.size(), 100U);
}

TEST(RadixMap, CloneSharesEveryNode) {
  const Map map = Dense(32768);
  const Map clone = map.Clone();
  EXPECT_EQ(clone.CountNodes().exclusive, 0U);
  EXPECT_EQ(clone.CountNodes().nodes, 1024U + 32U + 1U);
}

TEST(RadixMap, FirstWriteAfterCloneCopiesOnePath) {
  Map map = Dense(65536);
  const Map clone = map.Clone();
  map.Set(12345, 0);
  EXPECT_EQ(map.CountNodes().exclusive, 4U);
}

TEST(RadixMap, EraseOfAnAbsentKeyCopiesNothing) {
  Map map = Dense(256);
  const Map clone = map.Clone();
  map.Erase(300);
  EXPECT_EQ(map.CountNodes().exclusive, 0U);
}

TEST(RadixMap, FindForWriteOfAnAbsentKeyCopiesNothing) {
  Map map = MapOf({1, 200});
  const Map clone = map.Clone();
  EXPECT_EQ(map.FindForWrite(2), nullptr);
  EXPECT_EQ(map.CountNodes().exclusive, 0U);
}

TEST(RadixMap, NodesAreExclusiveAgainWhenTheCloneIsGone) {
  const Map map = Dense(300);
  { const Map clone = map.Clone(); }
  EXPECT_EQ(map.CountNodes().exclusive, map.CountNodes().nodes);
}

TEST(RadixMap, DifferenceOfACloneVisitsOnlyTheChangedLeaf) {
  const Map before = Dense(65536);
  Map after = before.Clone();
  after.Set(777, 0);
  std::uint64_t visited = 0;
  Map::ForEachDifference(
      before, after, [&](Key, const std::uint64_t*, const std::uint64_t*) { return ++visited; });
  EXPECT_EQ(visited, 32U);
}

TEST(RadixMap, DifferenceShowsAbsentKeysAsNull) {
  const Map before = MapOf({1});
  const Map after = MapOf({0x100000});
  std::string seen;
  Map::ForEachDifference(
      before, after, [&](Key key, const std::uint64_t* old, const std::uint64_t* now) {
        seen +=
            std::to_string(key) + (old != nullptr ? "-" : "") + (now != nullptr ? "+" : "") + " ";
        return true;
      });
  EXPECT_EQ(seen, "1- 1048576+ ");
}

TEST(RadixMap, DifferenceStopsWhenAskedTo) {
  const Map before;
  const Map after = Dense(100);
  std::uint64_t visited = 0;
  EXPECT_FALSE(Map::ForEachDifference(
      before, after, [&](Key, const auto*, const auto*) { return ++visited < 3; }));
  EXPECT_EQ(visited, 3U);
}

TEST(RadixMap, ValuesWithCloneAndNoCopyMayBeHeld) {
  RadixMap<Map> maps;
  maps.FindOrInsert(1).Set(2, 3);
  const RadixMap<Map> clone = maps.Clone();
  maps.FindOrInsert(1).Set(2, 4);
  EXPECT_EQ(*clone.Find(1)->Find(2), 3U);
}

TEST(RadixMap, DropsItsValues) {
  auto value = std::make_shared<int>(1);
  RadixMap<std::shared_ptr<int>> map;
  map.Set(5, value);
  map.Set(std::uint64_t{1} << 50, value);
  const auto clone = map.Clone();
  map.EraseRange(0, 10);
  map.Clear();
  EXPECT_EQ(value.use_count(), 3);  // here, and twice in the clone
}

// Random maps and their clones against std::map.
class RadixMapDifferential : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kMaps = 4;

  void Run(int steps) {
    for (int step = 0; step < steps && !HasFailure(); ++step) {
      SCOPED_TRACE("replay: seed=" + std::to_string(GetParam()) + " step=" + std::to_string(step));
      Step();
    }
  }

 private:
  // Dense, spread over a few levels, anywhere, and at the upper end.
  Key AnyKey() {
    switch (random_.Below(4)) {
      case 0:
        return random_.Below(64);
      case 1:
        return random_.Below(5000);
      case 2:
        return random_.Next() >> random_.Below(64);
      default:
        return kLastKey - random_.Below(40);
    }
  }

  void Step() {
    const std::size_t at = random_.Below(kMaps);
    Map& map = maps_[at];
    Model& model = models_[at];
    const Key key = AnyKey();
    switch (random_.Below(8)) {
      case 0: {
        const std::size_t from = random_.Below(kMaps);
        maps_[at] = maps_[from].Clone();
        models_[at] = models_[from];
        break;
      }
      case 1:
        EXPECT_EQ(map.Erase(key), model.erase(key) == 1);
        break;
      case 2:
        EraseRange(map, model, key);
        break;
      case 3:
        FillRange(map, model, key);
        break;
      case 5:
        CopyRange(map, model, key);
        break;
      case 4:
        Check(map, model);
        break;
      default:
        model[key] = random_.Next();
        map.Set(key, model[key]);
        break;
    }
    CheckAround(map, model, AnyKey());
  }

  void EraseRange(Map& map, Model& model, Key first) {
    const Key length = random_.Next() >> random_.Below(64);
    const Key last = length > kLastKey - first ? kLastKey : first + length;
    const auto from = model.lower_bound(first);
    const auto to = model.upper_bound(last);
    const auto expected = static_cast<std::uint64_t>(std::distance(from, to));
    EXPECT_EQ(map.CountRange(first, last), expected);
    EXPECT_EQ(map.EraseRange(first, last), expected);
    model.erase(from, to);
  }

  void FillRange(Map& map, Model& model, Key first) {
    for (Key key = first; key < first + 40 && key >= first; ++key) {
      model[key] = key;
      map.FindOrInsert(key) = key;
    }
  }

  // A range of the neighbourhood to one that does not overlap it.
  void CopyRange(Map& map, Model& model, Key key) {
    const Key count = random_.Below(100);
    const Key from = key / 2;
    const Key to = from + count + random_.Below(100);
    map.CopyRange(to, from, count);
    for (Key i = 0; i < count; ++i) {
      const auto source = model.find(from + i);
      if (source == model.end()) {
        model.erase(to + i);
      } else {
        model[to + i] = source->second;
      }
    }
  }

  void CheckAround(const Map& map, const Model& model, Key key) {
    EXPECT_EQ(map.size(), model.size());
    const auto same = model.find(key);
    const std::uint64_t* found = map.Find(key);
    ASSERT_EQ(found != nullptr, same != model.end());
    if (found != nullptr) {
      EXPECT_EQ(*found, same->second);
    }

    const auto next = model.lower_bound(key);
    const auto entry = map.NextAtOrAfter(key);
    ASSERT_EQ(entry.has_value(), next != model.end());
    if (entry.has_value()) {
      EXPECT_EQ(entry->key, next->first);
    }

    std::optional<Key> absent = key;
    for (auto it = next; absent.has_value() && it != model.end() && it->first == *absent; ++it) {
      absent = *absent == kLastKey ? std::nullopt : std::optional<Key>(*absent + 1);
    }
    EXPECT_EQ(map.NextAbsent(key), absent);
  }

  void Check(const Map& map, const Model& model) {
    const std::vector<std::pair<Key, std::uint64_t>> expected(model.begin(), model.end());
    EXPECT_EQ(EntriesOf(map), expected);
    const std::size_t other = random_.Below(kMaps);
    Model changed;
    Map::ForEachDifference(maps_[other], map,
                           [&](Key key, const std::uint64_t* before, const std::uint64_t* after) {
                             if (before != nullptr && after != nullptr && *before == *after) {
                               return true;
                             }
                             changed[key] = after == nullptr ? 0 : *after;
                             return true;
                           });
    Model expected_change;
    for (const auto& [key, value] : model) {
      const auto it = models_[other].find(key);
      if (it == models_[other].end() || it->second != value) expected_change[key] = value;
    }
    for (const auto& [key, value] : models_[other]) {
      if (!model.contains(key)) expected_change[key] = 0;
    }
    EXPECT_EQ(changed, expected_change);
  }

  SplitMix64 random_{GetParam()};
  Map maps_[kMaps];
  Model models_[kMaps];
};

TEST_P(RadixMapDifferential, AgreesWithStdMap) { Run(4000); }

INSTANTIATE_TEST_SUITE_P(Seeds, RadixMapDifferential, ::testing::Range<std::uint64_t>(1, 7));

}  // namespace
}  // namespace lamina
