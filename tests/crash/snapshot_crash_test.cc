// dm-snapshot at every crash state of small histories: what a snapshot shows is what it showed, but
// for writes of its own that no flush covered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/snapshot_device.h"
#include "lamina/sim/crash_states.h"
#include "tests/block/device_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina::sim {
namespace {

constexpr std::uint64_t kSectors = 48;

// What one sector of a device may hold after a crash.
class SectorPast {
 public:
  explicit SectorPast(int fill) : writes_{{0, fill}} {}
  void Write(std::size_t begin, int fill) { writes_.push_back({begin, fill}); }
  // A flush that was done when the history had `end` steps.
  void Flush(std::size_t end) { flushes_.push_back({end, writes_.size() - 1}); }

  bool Allows(int fill, const CrashState& state) const {
    std::size_t oldest = 0;
    for (const auto& [end, latest] : flushes_) {
      if (end <= state.last_step) oldest = latest;
    }
    for (std::size_t i = oldest; i < writes_.size(); ++i) {
      if (i != oldest && writes_[i].begin >= state.first_step) break;
      if (writes_[i].fill == fill) return true;
    }
    return false;
  }

 private:
  struct OneWrite {
    std::size_t begin;
    int fill;
  };
  std::vector<OneWrite> writes_;
  std::vector<std::pair<std::size_t, std::size_t>> flushes_;
};
using Past = std::vector<SectorPast>;

struct Machine {
  SnapshotOrigins origins;
  std::unique_ptr<OriginDevice> origin;
  std::vector<std::unique_ptr<SnapshotDevice>> snapshots;
};

struct Setup {
  std::string store;
  std::uint64_t chunk;
};

class SnapshotCrash {
 public:
  explicit SnapshotCrash(std::vector<Setup> setups) : setups_(std::move(setups)) {
    for (std::uint64_t i = 0; i < kSectors; ++i) {
      EXPECT_TRUE(disks_[0]->Write(op_, Sector{i}, Sectors(1, static_cast<int>(i + 1))).ok());
    }
    for (std::size_t i = 0; i <= setups_.size(); ++i) {
      past_.emplace_back();
      for (std::uint64_t s = 0; s < kSectors; ++s) past_[i].emplace_back(static_cast<int>(s + 1));
    }
    // The snapshots are there before anything is recorded.
    {
      Machine first;
      Start(first, {disks_[0].get(), disks_[1].get(), disks_[2].get()});
    }
    for (std::size_t i = 0; i < disks_.size(); ++i) devices_[i] = &recorder_.Record(*disks_[i]);
    Start(machine_, devices_);
  }

  OpContext op() const { return op_; }

  void WriteOrigin(std::uint64_t first, std::uint64_t count) {
    Note(past_[0], first, count);
    EXPECT_TRUE(machine_.origin->Write(op_, Sector{first}, Sectors(count, fill_)).ok());
  }
  void WriteSnapshot(std::size_t index, std::uint64_t first, std::uint64_t count) {
    Note(past_[index + 1], first, count);
    EXPECT_TRUE(machine_.snapshots[index]->Write(op_, Sector{first}, Sectors(count, fill_)).ok());
  }
  void Flush(std::size_t device) {
    BlockDevice& flushed =
        device == 0 ? static_cast<BlockDevice&>(*machine_.origin) : *machine_.snapshots[device - 1];
    EXPECT_TRUE(flushed.Flush(op_).ok());
    for (SectorPast& sector : past_[device]) sector.Flush(recorder_.steps());
  }

  // Every state comes up, and shows what it may.
  CrashCounts Check(const CrashBounds& bounds) {
    return ForEachCrashState(recorder_.history(), bounds, [&](CrashState& state) {
      std::array<std::unique_ptr<MemDisk>, 3> disks;
      std::array<BlockDevice*, 3> devices{};
      for (std::size_t i = 0; i < disks.size(); ++i) {
        disks[i] = std::make_unique<MemDisk>(1);
        disks[i]->Restore(state.images[i]);
        devices[i] = disks[i].get();
      }
      Machine machine;
      Start(machine, devices);
      if (testing::Test::HasFailure()) return false;
      CheckDevice(*machine.origin, past_[0], state);
      for (std::size_t i = 0; i < setups_.size(); ++i) {
        CheckDevice(*machine.snapshots[i], past_[i + 1], state);
      }
      return !testing::Test::HasFailure();
    });
  }

 private:
  void Note(Past& past, std::uint64_t first, std::uint64_t count) {
    fill_ = fill_ % 200 + 50;
    for (std::uint64_t i = first; i < first + count; ++i) past[i].Write(recorder_.steps(), fill_);
  }

  void Start(Machine& machine, const std::array<BlockDevice*, 3>& devices) {
    const SnapshotOriginTable origin{.length_sectors = kSectors, .origin_device = "disk"};
    machine.origin = std::move(*OriginDevice::Create(machine.origins, origin, *devices[0]));
    for (std::size_t i = 0; i < setups_.size(); ++i) {
      const auto table =
          ParseSnapshotTable("0 " + std::to_string(kSectors) + " snapshot disk cow " +
                             setups_[i].store + " " + std::to_string(setups_[i].chunk));
      auto loaded =
          SnapshotDevice::Load(op_, machine.origins, *table, *devices[0], *devices[i + 1]);
      ASSERT_TRUE(loaded.ok()) << loaded.message();
      ASSERT_TRUE((*loaded)->Resume(op_).ok());
      machine.snapshots.push_back(std::move(*loaded));
    }
  }

  void CheckDevice(BlockDevice& device, const Past& past, const CrashState& state) {
    const std::vector<int> fills = Fills(device, 0, kSectors);
    ASSERT_EQ(fills.size(), kSectors) << state.text;
    for (std::uint64_t i = 0; i < kSectors; ++i) {
      ASSERT_TRUE(past[i].Allows(fills[i], state))
          << "sector " << i << " is " << fills[i] << " after " << state.text;
    }
  }

  Caller caller_;
  OpContext op_ = caller_.Op();
  std::vector<Setup> setups_;
  std::array<std::unique_ptr<MemDisk>, 3> disks_ = {std::make_unique<MemDisk>(kSectors),
                                                    std::make_unique<MemDisk>(400),
                                                    std::make_unique<MemDisk>(400)};
  HistoryRecorder recorder_;
  std::array<BlockDevice*, 3> devices_{};
  Machine machine_;
  std::vector<Past> past_;  // of the origin, then of each snapshot
  int fill_ = 50;
};

// Chunks of one sector: an area holds 32 exceptions, and is filled in the middle of the history.
TEST(SnapshotCrash, AnAreaThatFillsIsWholeInEveryState) {
  SnapshotCrash crash({{"P", 1}});
  for (std::uint64_t i = 0; i < 36; ++i) {
    if (i % 3 == 0) {
      crash.WriteSnapshot(0, i, 1);
    } else {
      crash.WriteOrigin(i, 1);
    }
    if (i % 4 == 3) crash.Flush(0);
  }
  const CrashCounts counts = crash.Check({.samples = 20});
  EXPECT_EQ(counts.complete_epochs, counts.epochs) << counts.ToString();
  EXPECT_GT(counts.images, 70u) << counts.ToString();
}

TEST(SnapshotCrash, RandomHistoriesOfTwoSnapshotsKeepWhatWasShown) {
  CrashCounts total;
  for (std::uint64_t seed = 0; seed < 30 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SplitMix64 random(seed);
    SnapshotCrash crash(
        {{"P", std::uint64_t{1} << random.Below(4)}, {"PO", std::uint64_t{1} << random.Below(4)}});
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t kind = random.Below(7);
      const std::uint64_t first = random.Below(kSectors - 6);
      const std::uint64_t count = 1 + random.Below(6);
      if (kind < 3) {
        crash.WriteOrigin(first, count);
      } else if (kind < 6) {
        crash.WriteSnapshot(random.Below(2), first, count);
      } else {
        crash.Flush(random.Below(3));
      }
    }
    total += crash.Check({.exhaustive_changes = 5, .samples = 8, .max_outcomes = 32});
  }
  RecordProperty("states", total.ToString());
  EXPECT_GT(total.images, 5000u) << total.ToString();
}

// A state in which the header is on the medium has an empty area behind it, whatever lay there.
TEST(SnapshotCrash, ANewStoreHasNoExceptionsOrIsNotThereYet) {
  Caller caller;
  const OpContext op = caller.Op();
  MemDisk origin(kSectors);
  MemDisk cow(64);
  ASSERT_TRUE(cow.Write(op, Sector{1}, Sectors(63, 2)).ok()) << "looks like exceptions";
  HistoryRecorder recorder;
  BlockDevice& recorded = recorder.Record(cow);
  const TableResult<SnapshotTable> table = ParseSnapshotTable("0 48 snapshot a b P 4");
  {
    SnapshotOrigins origins;
    ASSERT_TRUE(SnapshotDevice::Load(op, origins, *table, origin, recorded).ok());
  }
  const CrashCounts counts = ForEachCrashState(recorder.history(), {}, [&](CrashState& state) {
    MemDisk after(1);
    after.Restore(state.images[0]);
    SnapshotOrigins origins;
    const auto loaded = SnapshotDevice::Load(op, origins, *table, origin, after);
    EXPECT_TRUE(loaded.ok()) << state.text;
    if (!loaded.ok()) return false;
    EXPECT_EQ((*loaded)->exception_count(), 0u) << state.text;
    return !testing::Test::HasFailure();
  });
  EXPECT_GT(counts.states, 8u);
}

// The mark that a snapshot is invalid is on the medium before the write that it could not keep.
TEST(SnapshotCrash, AnInvalidSnapshotIsNeverShownAgain) {
  Caller caller;
  const OpContext op = caller.Op();
  MemDisk disk(kSectors);
  MemDisk cow(12);
  ASSERT_TRUE(disk.Write(op, Sector{0}, Sectors(kSectors, 1)).ok());
  const TableResult<SnapshotTable> table = ParseSnapshotTable("0 48 snapshot a b P 4");
  const SnapshotOriginTable origin_table{.length_sectors = kSectors, .origin_device = "a"};
  HistoryRecorder recorder;
  {
    SnapshotOrigins setup;
    ASSERT_TRUE(SnapshotDevice::Load(op, setup, *table, disk, cow).ok());
    BlockDevice& recorded_disk = recorder.Record(disk);
    BlockDevice& recorded_cow = recorder.Record(cow);
    SnapshotOrigins origins;
    auto origin = OriginDevice::Create(origins, origin_table, recorded_disk);
    auto snapshot = SnapshotDevice::Load(op, origins, *table, recorded_disk, recorded_cow);
    ASSERT_TRUE((*snapshot)->Resume(op).ok());
    ASSERT_TRUE((*origin)->Write(op, Sector{0}, Sectors(4, 2)).ok());
    ASSERT_TRUE((*origin)->Write(op, Sector{8}, Sectors(4, 3)).ok());
    EXPECT_EQ((*snapshot)->Status(), "Invalid");
  }
  std::uint64_t invalid = 0;
  ForEachCrashState(recorder.history(), {}, [&](CrashState& state) {
    MemDisk disk_after(1);
    MemDisk cow_after(1);
    disk_after.Restore(state.images[0]);
    cow_after.Restore(state.images[1]);
    SnapshotOrigins origins;
    const auto loaded = SnapshotDevice::Load(op, origins, *table, disk_after, cow_after);
    EXPECT_TRUE(loaded.ok() && (*loaded)->Resume(op).ok()) << state.text;
    if (!loaded.ok()) return false;
    if (!(*loaded)->valid()) {
      ++invalid;
      return true;
    }
    EXPECT_EQ(Fills(**loaded, 0, kSectors), std::vector<int>(kSectors, 1)) << state.text;
    return !testing::Test::HasFailure();
  });
  EXPECT_GT(invalid, 0u);
}

// An area of two sectors: what drops a run of exceptions may be torn.
TEST(SnapshotCrash, AMergeShowsTheSameInEveryState) {
  constexpr std::uint64_t kLength = 96;
  Caller caller;
  const OpContext op = caller.Op();
  MemDisk disk(kLength);
  MemDisk cow(200);
  ASSERT_TRUE(disk.Write(op, Sector{0}, Sectors(kLength, 1)).ok());
  const TableResult<SnapshotTable> plain = ParseSnapshotTable("0 96 snapshot a b P 2");
  const TableResult<SnapshotTable> merging = ParseSnapshotTable("0 96 snapshot-merge a b P 2");
  HistoryRecorder recorder;
  std::vector<int> shown;
  {
    SnapshotOrigins origins;
    auto source = SnapshotDevice::Load(op, origins, *plain, disk, cow);
    ASSERT_TRUE((*source)->Resume(op).ok());
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::uint64_t chunk = i < 36 ? i : 75 - i;  // one run, then none
      ASSERT_TRUE(
          (*source)->Write(op, Sector{chunk * 2}, Sectors(2, static_cast<int>(i + 2))).ok());
    }
    shown = Fills(**source, 0, kLength);
  }
  {
    BlockDevice& recorded_disk = recorder.Record(disk);
    BlockDevice& recorded_cow = recorder.Record(cow);
    SnapshotOrigins origins;
    auto merge = SnapshotDevice::Load(op, origins, *merging, recorded_disk, recorded_cow);
    ASSERT_TRUE((*merge)->Resume(op).ok());
    ASSERT_TRUE((*merge)->RunUntil(op, op.now).ok());
    EXPECT_EQ((*merge)->exception_count(), 0u);
  }
  const CrashCounts counts = ForEachCrashState(recorder.history(), {}, [&](CrashState& state) {
    MemDisk disk_after(1);
    MemDisk cow_after(1);
    disk_after.Restore(state.images[0]);
    cow_after.Restore(state.images[1]);
    SnapshotOrigins origins;
    auto merge = SnapshotDevice::Load(op, origins, *merging, disk_after, cow_after);
    EXPECT_TRUE(merge.ok() && (*merge)->Resume(op).ok()) << state.text;
    if (!merge.ok()) return false;
    EXPECT_EQ(Fills(**merge, 0, kLength), shown) << state.text;
    EXPECT_TRUE((*merge)->RunUntil(op, op.now).ok());
    EXPECT_EQ(Fills(disk_after, 0, kLength), shown) << state.text;
    return !testing::Test::HasFailure();
  });
  EXPECT_GT(counts.images, 100u) << counts.ToString();
}

}  // namespace
}  // namespace lamina::sim
