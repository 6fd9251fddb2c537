#include "lamina/sim/choosers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

namespace lamina::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

// ── Exhaustive ─────────────────────────────────────────────────────────────────────────────────

// A run of two choices, the second of them only after some first ones.
Choices TwoOrOne(Chooser& chooser) {
  const std::uint64_t first = chooser.Choose(3);
  if (first == 1) return {first};
  return {first, chooser.Choose(2)};
}

TEST(ExhaustiveChooser, VisitsEverySequenceOnceInCountingOrder) {
  ExhaustiveChooser chooser;
  std::vector<Choices> seen;
  do {
    seen.push_back(TwoOrOne(chooser));
    EXPECT_EQ(chooser.choices(), seen.back());
  } while (chooser.Next());
  EXPECT_THAT(seen,
              ElementsAre(Choices{0, 0}, Choices{0, 1}, Choices{1}, Choices{2, 0}, Choices{2, 1}));
  EXPECT_EQ(chooser.runs(), 5u);
}

TEST(ExhaustiveChooser, HasOneRunWithoutChoices) {
  ExhaustiveChooser chooser;
  EXPECT_FALSE(chooser.Next());
  EXPECT_EQ(chooser.runs(), 1u);
}

TEST(ExhaustiveChooser, PassesAChoiceOfOneWithoutAFork) {
  ExhaustiveChooser chooser;
  EXPECT_EQ(chooser.Choose(1), 0u);
  EXPECT_EQ(chooser.Choose(1), 0u);
  EXPECT_FALSE(chooser.Next());
}

TEST(ExhaustiveChooser, CountsTheProductOfIndependentChoices) {
  ExhaustiveChooser chooser;
  std::set<Choices> seen;
  do {
    for (const std::uint64_t bound : {2, 3, 1, 5}) (void)chooser.Choose(bound);
    seen.insert(chooser.choices());
  } while (chooser.Next());
  EXPECT_EQ(seen.size(), 30u);
  EXPECT_EQ(chooser.runs(), 30u);
}

TEST(ExhaustiveChooserDeath, StopsWhenTheSameChoicesLeadElsewhere) {
  ExhaustiveChooser chooser;
  (void)chooser.Choose(2);
  ASSERT_TRUE(chooser.Next());
  EXPECT_DEATH((void)chooser.Choose(3), "bound == bound");
  EXPECT_DEATH((void)chooser.Next(), "used_ == forks_.size");
}

// ── Recorded and replayed ──────────────────────────────────────────────────────────────────────

TEST(ReplayChooser, GivesWhatWasRecorded) {
  RandomChooser random(5);
  RecordingChooser recorder(random);
  Choices drawn;
  for (const std::uint64_t bound : {7, 2, 1, 100}) drawn.push_back(recorder.Choose(bound));
  EXPECT_EQ(recorder.choices(), drawn);

  ReplayChooser replay(recorder.choices());
  EXPECT_FALSE(replay.faithful());  // nothing given yet
  Choices again;
  for (const std::uint64_t bound : {7, 2, 1, 100}) again.push_back(replay.Choose(bound));
  EXPECT_EQ(again, drawn);
  EXPECT_TRUE(replay.faithful());
}

TEST(ReplayChooser, GoesOnWithoutFaithWhenTheProgramHasChanged) {
  ReplayChooser larger({5});
  EXPECT_EQ(larger.Choose(3), 2u);
  EXPECT_FALSE(larger.faithful());
  ReplayChooser longer({1});
  EXPECT_EQ(longer.Choose(2), 1u);
  EXPECT_EQ(longer.Choose(2), 0u);
  EXPECT_FALSE(longer.faithful());
}

TEST(ChoicesText, IsReadBack) {
  EXPECT_EQ(ChoicesText({3, 0, 7}), "3,0,7");
  EXPECT_THAT(ParseChoices("3,0,7"), Optional(ElementsAre(3, 0, 7)));
  EXPECT_THAT(ParseChoices("18446744073709551615"), Optional(ElementsAre(~std::uint64_t{0})));
  EXPECT_THAT(ParseChoices(""), Optional(IsEmpty()));
}

TEST(ChoicesText, RefusesWhatItDidNotWrite) {
  for (const std::string_view text :
       {",", "1,", ",1", "1,,2", " 1", "-1", "+1", "0x1", "a", "18446744073709551616"}) {
    EXPECT_EQ(ParseChoices(text), std::nullopt) << text;
  }
}

// ── Bytes ──────────────────────────────────────────────────────────────────────────────────────

TEST(BytesChooser, TakesAsManyBytesAsTheBoundNeeds) {
  constexpr std::array<std::byte, 6> kBytes = {std::byte{7}, std::byte{1},    std::byte{2},
                                               std::byte{3}, std::byte{0xff}, std::byte{9}};
  BytesChooser chooser(kBytes);
  EXPECT_EQ(chooser.Choose(1), 0u);             // no byte
  EXPECT_EQ(chooser.Choose(256), 7u);           // one
  EXPECT_EQ(chooser.Choose(65536), 0x0201u);    // two, the lower first
  EXPECT_EQ(chooser.Choose(2), 1u);             // one, modulo
  EXPECT_EQ(chooser.Choose(1 << 24), 0x09ffu);  // three wanted, two there
  EXPECT_TRUE(chooser.exhausted());
  EXPECT_EQ(chooser.Choose(1000), 0u);
}

TEST(BytesChooser, ReachesTheLargestBound) {
  constexpr std::array<std::byte, 8> kBytes = {std::byte{0xfe}, std::byte{0xff}, std::byte{0xff},
                                               std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                                               std::byte{0xff}, std::byte{0xff}};
  BytesChooser chooser(kBytes);
  EXPECT_EQ(chooser.Choose(~std::uint64_t{0}), ~std::uint64_t{1});
}

}  // namespace
}  // namespace lamina::sim
