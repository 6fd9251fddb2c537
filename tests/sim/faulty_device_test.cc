// FaultyDevice: the faults of a plan, on sectors.
#include "lamina/sim/faulty_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "lamina/block/mem_disk.h"
#include "lamina/sim/choosers.h"
#include "lamina/sim/crash_device.h"
#include "tests/block/device_fixture.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

class FaultyDeviceTest : public ::testing::Test {
 protected:
  Result<void> Write(std::uint64_t first, std::uint64_t count, int fill) {
    return device_.Write(Caller().Op(), Sector{first}, Sectors(count, fill));
  }
  Result<void> Flush() { return device_.Flush(Caller().Op()); }
  Result<void> Discard(std::uint64_t first, std::uint64_t count) {
    return device_.Discard(Caller().Op(), {Sector{first}, count});
  }
  Result<void> Read(std::uint64_t first, std::uint64_t count) {
    std::vector<std::byte> bytes(count * kSectorBytes);
    return device_.Read(Caller().Op(), Sector{first}, bytes);
  }

  MemDisk disk_{64};
  FaultPlan plan_;
  FaultyDevice device_{disk_, plan_, "data"};
};

TEST_F(FaultyDeviceTest, WithoutFaultsPassesEverythingOn) {
  EXPECT_TRUE(Write(3, 2, 7).ok());
  EXPECT_THAT(Fills(device_, 2, 4), ElementsAre(0, 7, 7, 0));
  EXPECT_TRUE(Discard(3, 1).ok());
  EXPECT_TRUE(Flush().ok());
  EXPECT_THAT(Fills(disk_, 2, 4), ElementsAre(0, 0, 7, 0));
  EXPECT_EQ(device_.changes(), 2u);
  EXPECT_EQ(device_.Write(Caller().Op(), Sector{63}, Sectors(2, 1)).error(), Errno::kInval);
}

TEST_F(FaultyDeviceTest, TheNthWriteFails) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("data").After(1).Times(1).Fail(Errno::kNoSpc));
  EXPECT_TRUE(Write(0, 1, 1).ok());
  EXPECT_EQ(Write(1, 1, 2).error(), Errno::kNoSpc);
  EXPECT_TRUE(Write(2, 1, 3).ok());
  EXPECT_THAT(Fills(disk_, 0, 3), ElementsAre(1, 0, 3));
  EXPECT_EQ(plan_.fired().front().ToString(), "pwrite of sectors 1+1 at device data");
  EXPECT_THAT(plan_.Unfired(), IsEmpty());
}

TEST_F(FaultyDeviceTest, EveryKindOfCallCanFail) {
  plan_.Add(Fault::On(Op::kPread).Fail(Errno::kIo));
  plan_.Add(Fault::On(Op::kFsync).Fail(Errno::kIo));
  plan_.Add(Fault::On(Op::kDiscard).Fail(Errno::kOpNotSupp));
  EXPECT_EQ(Read(0, 1).error(), Errno::kIo);
  EXPECT_EQ(Flush().error(), Errno::kIo);
  EXPECT_EQ(Discard(0, 1).error(), Errno::kOpNotSupp);
  EXPECT_TRUE(Write(0, 1, 1).ok());
}

TEST_F(FaultyDeviceTest, AnyChangeIsAWriteOrADiscardAndNoFlush) {
  plan_.Add(Fault::On(Op::kAnyChange).AtDevice("data").After(1).Fail(Errno::kIo));
  EXPECT_TRUE(Write(0, 1, 1).ok());
  EXPECT_TRUE(Flush().ok());
  EXPECT_EQ(Discard(0, 1).error(), Errno::kIo);
}

TEST_F(FaultyDeviceTest, SectorsAreThoseTheCallTouches) {
  plan_.Add(Fault::On(Op::kAny).Sectors(8, 4).Fail(Errno::kIo));
  EXPECT_TRUE(Write(7, 1, 1).ok());
  EXPECT_EQ(Write(7, 2, 1).error(), Errno::kIo);
  EXPECT_EQ(Read(11, 1).error(), Errno::kIo);
  EXPECT_EQ(Discard(0, 64).error(), Errno::kIo);
  EXPECT_TRUE(Read(12, 1).ok());
  EXPECT_TRUE(Flush().ok()) << "touches no sector";
}

TEST_F(FaultyDeviceTest, AnotherDeviceIsLeftAlone) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("metadata").Fail(Errno::kIo));
  EXPECT_TRUE(Write(0, 1, 1).ok());
  EXPECT_THAT(plan_.Unfired(), ElementsAre("pwrite at device metadata: fails with EIO"));
}

TEST_F(FaultyDeviceTest, AShortWriteLandsItsFirstSectorsAndGivesEio) {
  plan_.Add(Fault::On(Op::kPwrite).Times(1).ShortWrite(1100));
  EXPECT_EQ(Write(0, 4, 6).error(), Errno::kIo);
  EXPECT_THAT(Fills(disk_, 0, 4), ElementsAre(6, 6, 0, 0)) << "the third sector was not whole";
  EXPECT_TRUE(Write(0, 4, 6).ok());
}

TEST_F(FaultyDeviceTest, AWriteThatFitsIntoAShortOneIsWhole) {
  plan_.Add(Fault::On(Op::kPwrite).ShortWrite(1024));
  EXPECT_TRUE(Write(0, 2, 6).ok());
}

TEST_F(FaultyDeviceTest, DroppedCallsSayThatTheyWereDone) {
  plan_.Add(Fault::On(Op::kPwrite).Drop());
  plan_.Add(Fault::On(Op::kDiscard).Drop());
  ASSERT_TRUE(disk_.Write(Caller().Op(), Sector{1}, Sectors(1, 5)).ok());
  EXPECT_TRUE(Write(0, 1, 1).ok());
  EXPECT_TRUE(Discard(1, 1).ok());
  EXPECT_THAT(Fills(disk_, 0, 2), ElementsAre(0, 5));
}

TEST_F(FaultyDeviceTest, ALostFlushMakesNothingDurable) {
  CrashDevice cache(disk_);
  FaultyDevice device(cache, plan_, "data");
  plan_.Add(Fault::On(Op::kFsync).Times(1).Drop());
  ASSERT_TRUE(device.Write(Caller().Op(), Sector{0}, Sectors(1, 1)).ok());
  EXPECT_TRUE(device.Flush(Caller().Op()).ok());
  EXPECT_EQ(cache.unflushed().size(), 1u);
  EXPECT_TRUE(device.Flush(Caller().Op()).ok());
  EXPECT_TRUE(cache.unflushed().empty());
}

TEST_F(FaultyDeviceTest, AFlippedBitOfAReadIsNotOnTheMedium) {
  ASSERT_TRUE(Write(0, 2, 0).ok());
  plan_.Add(Fault::On(Op::kPread).Times(1).FlipBit(8 * 512 + 9));
  std::vector<std::byte> bytes(1024);
  ASSERT_TRUE(device_.Read(Caller().Op(), Sector{0}, bytes).ok());
  EXPECT_EQ(bytes[512 + 1], std::byte{2});
  bytes[512 + 1] = std::byte{0};
  EXPECT_EQ(bytes, Sectors(2, 0)) << "no other bit";
  EXPECT_THAT(Fills(device_, 0, 2), ElementsAre(0, 0));
}

TEST_F(FaultyDeviceTest, AFlippedBitOfAWriteIsOnTheMedium) {
  plan_.Add(Fault::On(Op::kPwrite).Times(1).FlipBit(7));
  std::vector<std::byte> mine = Sectors(1, 0);
  ASSERT_TRUE(device_.Write(Caller().Op(), Sector{4}, mine).ok());
  EXPECT_EQ(mine, Sectors(1, 0)) << "the caller's bytes are its own";
  std::vector<std::byte> bytes(512);
  ASSERT_TRUE(disk_.Read(Caller().Op(), Sector{4}, bytes).ok());
  EXPECT_EQ(bytes[0], std::byte{128});
}

TEST_F(FaultyDeviceTest, ABitPastTheEndIsCountedFromTheBeginningAgain) {
  plan_.Add(Fault::On(Op::kPwrite).FlipBit(512 * 8 + 1));
  ASSERT_TRUE(Write(0, 1, 0).ok());
  std::vector<std::byte> bytes(512);
  ASSERT_TRUE(disk_.Read(Caller().Op(), Sector{0}, bytes).ok());
  EXPECT_EQ(bytes[0], std::byte{2});
}

TEST_F(FaultyDeviceTest, ACrashEndsEveryChangeAndMakesNothingDurable) {
  CrashDevice cache(disk_);
  FaultyDevice device(cache, plan_, "data");
  plan_.OnCrash([&] { cache.CutPower(); });
  plan_.Add(Fault::On(Op::kAnyChange).AtDevice("data").After(1).Crash());
  const OpContext op = Caller().Op();
  ASSERT_TRUE(device.Write(op, Sector{0}, Sectors(1, 1)).ok());
  EXPECT_EQ(device.Write(op, Sector{1}, Sectors(1, 2)).error(), Errno::kIo);
  EXPECT_TRUE(plan_.crashed());
  EXPECT_EQ(device.Flush(op).error(), Errno::kIo);
  EXPECT_EQ(device.Discard(op, {Sector{0}, 1}).error(), Errno::kIo);
  EXPECT_EQ(device.changes(), 2u);
  EXPECT_EQ(cache.unflushed().size(), 1u);
  ReplayChooser lose_it({1});
  cache.Crash(lose_it);
  EXPECT_THAT(Fills(disk_, 0, 2), ElementsAre(0, 0));
}

TEST(DeviceFault, SaysWhatCannotBeMeant) {
  EXPECT_THAT(Fault::On(Op::kFsync).FlipBit(1).Mistake(),
              Optional(std::string("a fsync carries no bits to flip")));
  EXPECT_THAT(Fault::On(Op::kPwrite).Sectors(3, 0).Fail(Errno::kIo).Mistake(),
              Optional(std::string("a fault of 0 sectors hits nothing")));
  EXPECT_EQ(Fault::On(Op::kDiscard).Drop().Mistake(), std::nullopt);
  EXPECT_EQ(Fault::On(Op::kPread).FlipBit(1).Mistake(), std::nullopt);
}

TEST(DeviceFault, IsPrinted) {
  EXPECT_EQ(Fault::On(Op::kPread).AtDevice("cow").Sectors(8, 16).After(2).FlipBit(5).ToString(),
            "pread of sectors 8+16 at device cow, after 2: has bit 5 flipped");
}

TEST(DeviceFault, SectorsAtTheEndOfNumbersDoNotWrap) {
  const Fault fault = Fault::On(Op::kPread).Sectors(~std::uint64_t{0}, 5).Fail(Errno::kIo);
  EXPECT_TRUE(fault.MatchesSectors(SectorSpan{~std::uint64_t{0}, 1}));
  EXPECT_FALSE(fault.MatchesSectors(SectorSpan{0, 8}));
  EXPECT_FALSE(fault.MatchesSectors(std::nullopt));
}

}  // namespace
}  // namespace lamina::sim
