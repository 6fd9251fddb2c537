// CrashDevice: what was not flushed is kept, lost, torn or reordered, as a Chooser says.
#include "lamina/sim/crash_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "lamina/sim/choosers.h"
#include "tests/block/device_fixture.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::vector<int> FillsOf(const MemDisk::Image& image, std::uint64_t count) {
  MemDisk disk(count);
  disk.Restore(image);
  return Fills(disk, 0, count);
}

// Every content that `count` sectors may have after a crash now.
std::set<std::vector<int>> CrashContents(const CrashDevice& device, std::uint64_t count) {
  std::set<std::vector<int>> contents;
  ExhaustiveChooser chooser;
  do {
    contents.insert(FillsOf(device.CrashImage(chooser), count));
  } while (chooser.Next());
  return contents;
}

class CrashDeviceTest : public ::testing::Test {
 protected:
  void Write(std::uint64_t first, std::uint64_t count, int fill) {
    ASSERT_TRUE(device_.Write(Caller().Op(), Sector{first}, Sectors(count, fill)).ok());
  }
  void Discard(std::uint64_t first, std::uint64_t count) {
    ASSERT_TRUE(device_.Discard(Caller().Op(), {Sector{first}, count}).ok());
  }
  void Flush() { ASSERT_TRUE(device_.Flush(Caller().Op()).ok()); }

  MemDisk disk_{64};
  CrashDevice device_{disk_};
};

TEST_F(CrashDeviceTest, ReadsWhatWasWrittenBeforeAnyFlush) {
  Write(1, 2, 7);
  EXPECT_THAT(Fills(device_, 0, 4), ElementsAre(0, 7, 7, 0));
  EXPECT_EQ(device_.unflushed().size(), 1u);
}

TEST_F(CrashDeviceTest, EachUnflushedWriteIsKeptOrLost) {
  Write(0, 1, 1);
  Write(1, 1, 2);
  EXPECT_THAT(CrashContents(device_, 2),
              UnorderedElementsAre(ElementsAre(0, 0), ElementsAre(1, 0), ElementsAre(0, 2),
                                   ElementsAre(1, 2)));
}

TEST_F(CrashDeviceTest, AFlushedWriteIsAlwaysThere) {
  Write(0, 1, 1);
  Flush();
  Write(1, 1, 2);
  EXPECT_THAT(CrashContents(device_, 2),
              UnorderedElementsAre(ElementsAre(1, 0), ElementsAre(1, 2)));
}

TEST_F(CrashDeviceTest, AWriteIsTornBetweenItsSectorsAtEitherEnd) {
  Write(0, 3, 5);
  EXPECT_THAT(
      CrashContents(device_, 3),
      UnorderedElementsAre(ElementsAre(0, 0, 0), ElementsAre(5, 5, 5), ElementsAre(5, 0, 0),
                           ElementsAre(5, 5, 0), ElementsAre(0, 5, 5), ElementsAre(0, 0, 5)));
}

TEST_F(CrashDeviceTest, OverlappingWritesLandInAnyOrder) {
  const CrashRules no_tears{.may_tear = false};
  CrashDevice device(disk_, no_tears);
  const OpContext op = Caller().Op();
  ASSERT_TRUE(device.Write(op, Sector{0}, Sectors(2, 1)).ok());
  ASSERT_TRUE(device.Write(op, Sector{1}, Sectors(2, 2)).ok());
  EXPECT_THAT(CrashContents(device, 3),
              UnorderedElementsAre(ElementsAre(0, 0, 0), ElementsAre(1, 1, 0), ElementsAre(0, 2, 2),
                                   ElementsAre(1, 2, 2), ElementsAre(1, 1, 2)));
}

TEST_F(CrashDeviceTest, ADiscardIsLostOrTornLikeAWrite) {
  Write(0, 2, 9);
  Flush();
  Discard(0, 2);
  EXPECT_THAT(CrashContents(device_, 2),
              UnorderedElementsAre(ElementsAre(9, 9), ElementsAre(0, 0), ElementsAre(0, 9),
                                   ElementsAre(9, 0)));
}

TEST_F(CrashDeviceTest, CrashLeavesTheChosenStateAndItIsDurable) {
  Write(0, 1, 1);
  Write(1, 1, 2);
  ReplayChooser lose_the_first({1, 0});
  device_.Crash(lose_the_first);
  EXPECT_TRUE(lose_the_first.faithful());
  EXPECT_THAT(Fills(disk_, 0, 2), ElementsAre(0, 2));
  EXPECT_FALSE(device_.power());
  device_.Restart();
  EXPECT_THAT(CrashContents(device_, 2), UnorderedElementsAre(ElementsAre(0, 2)));
}

TEST_F(CrashDeviceTest, WithoutPowerEveryCallGivesEio) {
  device_.CutPower();
  const OpContext op = Caller().Op();
  std::vector<std::byte> one = Sectors(1, 1);
  EXPECT_EQ(device_.Read(op, Sector{0}, one).error(), Errno::kIo);
  EXPECT_EQ(device_.Write(op, Sector{0}, one).error(), Errno::kIo);
  EXPECT_EQ(device_.Discard(op, {Sector{0}, 1}).error(), Errno::kIo);
  EXPECT_EQ(device_.Flush(op).error(), Errno::kIo);
  EXPECT_EQ(device_.Read(op, Sector{99}, one).error(), Errno::kIo)
      << "before the range is looked at";
  device_.Restart();
  EXPECT_THAT(Fills(device_, 0, 1), ElementsAre(0));
}

TEST_F(CrashDeviceTest, TheWriteDuringWhichThePowerGoesMayBeThere) {
  device_.CutPowerAt(2);
  Write(0, 1, 1);
  EXPECT_EQ(device_.Write(Caller().Op(), Sector{1}, Sectors(1, 2)).error(), Errno::kIo);
  EXPECT_FALSE(device_.power());
  EXPECT_EQ(device_.steps(), 2u);
  EXPECT_EQ(device_.unflushed().size(), 2u);
  EXPECT_EQ(device_.Write(Caller().Op(), Sector{2}, Sectors(1, 3)).error(), Errno::kIo);
  EXPECT_EQ(device_.unflushed().size(), 2u);
}

TEST_F(CrashDeviceTest, AFlushDuringWhichThePowerGoesMakesNothingDurable) {
  device_.CutPowerAt(2);
  Write(0, 1, 1);
  EXPECT_EQ(device_.Flush(Caller().Op()).error(), Errno::kIo);
  EXPECT_THAT(CrashContents(device_, 1), UnorderedElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST_F(CrashDeviceTest, TheSameSeedGivesTheSameStateAndItsChoicesReplayIt) {
  for (int i = 0; i < 20; ++i) Write(static_cast<std::uint64_t>(i), 4, i + 1);
  RandomChooser random(91);
  RecordingChooser recorder(random);
  const MemDisk::Image first = device_.CrashImage(recorder);
  RandomChooser again(91);
  EXPECT_TRUE(first->EqualContent(*device_.CrashImage(again)));
  ReplayChooser replay(recorder.choices());
  EXPECT_TRUE(first->EqualContent(*device_.CrashImage(replay)));
  EXPECT_TRUE(replay.faithful());
}

TEST_F(CrashDeviceTest, RefusedCallsChangeNothing) {
  const OpContext op = Caller().Op();
  EXPECT_EQ(device_.Write(op, Sector{63}, Sectors(2, 1)).error(), Errno::kInval);
  EXPECT_EQ(device_.Discard(op, {Sector{63}, 2}).error(), Errno::kInval);
  EXPECT_EQ(device_.steps(), 0u);
  EXPECT_TRUE(device_.unflushed().empty());
}

TEST_F(CrashDeviceTest, ADiskThatGrewStaysLong) {
  Write(0, 1, 1);
  disk_.Resize(128);
  Write(100, 1, 2);
  ReplayChooser keep_all({0, 0});
  device_.Crash(keep_all);
  EXPECT_EQ(disk_.size_sectors(), 128u);
  EXPECT_THAT(Fills(disk_, 100, 1), ElementsAre(2));
}

TEST_F(CrashDeviceTest, ADiskThatWasCutStaysShort) {
  Write(60, 4, 1);
  disk_.Resize(62);
  ReplayChooser keep_all({0});
  device_.Crash(keep_all);
  EXPECT_EQ(disk_.size_sectors(), 62u);
  EXPECT_THAT(Fills(disk_, 59, 3), ElementsAre(0, 1, 1));
}

TEST(CrashOutcome, IsPrintedWithItsParts) {
  const std::vector<DeviceChange> changes = {DeviceChange::Written(Sector{0}, Sectors(2, 1)),
                                             DeviceChange::Discarded({Sector{4}, 8})};
  EXPECT_EQ(OutcomeText(changes, {}), "-");
  EXPECT_EQ(OutcomeText(changes, {{1, 3, 5}, {0, 0, 2}}), "1[3+5] 0");
  EXPECT_EQ(OutcomeText(changes, WholeOutcome(changes)), "0 1");
}

}  // namespace
}  // namespace lamina::sim
