// Random histories of an origin and its snapshots against a plain model. LAMINA_MODEL_OPS=N makes
// them longer.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "lamina/block/snapshot_device.h"
#include "tests/block/snapshot_model.h"
#include "tests/block/snapshot_rig.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kSectors = 150;  // no whole number of large chunks
constexpr std::size_t kMaxSnapshots = 4;

// One snapshot, the real one and the model's.
struct Pair {
  std::unique_ptr<MemDisk> cow;
  std::string arguments;
  SnapshotModel model;
  std::unique_ptr<SnapshotDevice> handed_over;  // the source of a merge, before its device
  std::unique_ptr<SnapshotDevice> device;
};

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed), rig_(kSectors), model_(kSectors) {}

  void Step() {
    const std::uint64_t kind = random_.Below(20);
    if (kind < 7) {
      WriteOrigin();
    } else if (pairs_.empty() || kind == 7) {
      Take();
    } else {
      ChangeSnapshot(kind, *pairs_[random_.Below(pairs_.size())]);
    }
    Relist();
    CheckSome();
  }

  void CheckAll() {
    EXPECT_EQ(Fills(rig_.disk, 0, kSectors), model_.content);
    for (const auto& pair : pairs_) {
      EXPECT_EQ(pair->device->Status(), pair->model.Status());
      const std::vector<int> fills = Fills(*pair->device, 0, pair->model.length);
      if (!pair->model.valid && !pair->model.merging) {
        EXPECT_TRUE(fills.empty());
        continue;
      }
      std::vector<int> expected;
      for (std::uint64_t i = 0; i < pair->model.length; ++i) {
        expected.push_back(model_.Read(pair->model, i));
      }
      EXPECT_EQ(fills, expected) << pair->arguments;
    }
  }

 private:
  struct Range {
    std::uint64_t first, count;
  };
  Range Somewhere(std::uint64_t length) {
    const std::uint64_t first = random_.Below(length);
    const std::uint64_t most = random_.Below(8) == 0 ? 60 : 9;
    return {first, 1 + random_.Below(std::min(most, length - first))};
  }
  int Fill() { return static_cast<int>(1 + random_.Below(250)); }

  void WriteOrigin() {
    const auto [first, count] = Somewhere(kSectors);
    const int fill = Fill();
    EXPECT_TRUE(rig_.Write(*rig_.origin, first, count, fill).ok());
    for (std::uint64_t i = 0; i < count; ++i) model_.Write(first + i, fill);
  }

  void Take() {
    if (pairs_.size() == kMaxSnapshots) pairs_.erase(pairs_.begin());
    constexpr const char* kStores[] = {"P", "PO", "N"};
    const std::string store = kStores[random_.Below(3)];
    auto pair = std::make_unique<Pair>();
    pair->model = {.persistent = store != "N",
                   .overflow = store == "PO",
                   .chunk = std::uint64_t{1} << random_.Below(5),
                   .length = random_.Below(3) == 0 ? kSectors - 1 - random_.Below(20) : kSectors};
    pair->model.cow_sectors = pair->model.chunk * 2 + random_.Below(200);
    pair->cow = std::make_unique<MemDisk>(pair->model.cow_sectors);
    pair->arguments = store + " " + std::to_string(pair->model.chunk);
    if (random_.Below(2) == 0) pair->arguments += " 1 discard_zeroes_cow";
    Load(*pair, SnapshotKind::kSnapshot);
    pairs_.push_back(std::move(pair));
  }

  void Load(Pair& pair, SnapshotKind kind) {
    const SnapshotTable table =
        SnapshotRig::Table(pair.model.length, pair.arguments, SnapshotTargetName(kind));
    auto loaded = SnapshotDevice::Load(rig_.op, rig_.origins, table, rig_.disk, *pair.cow);
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    if (pair.device != nullptr) pair.device->Suspend();
    ASSERT_TRUE((*loaded)->Resume(rig_.op).ok());
    pair.handed_over = std::move(pair.device);
    pair.device = std::move(*loaded);
  }

  void ChangeSnapshot(std::uint64_t kind, Pair& pair) {
    if (kind < 14) {
      WriteSnapshot(pair);
    } else if (kind == 14) {
      Reload(pair);
    } else if (kind < 17) {
      DiscardSnapshot(pair);
    } else {
      Merge(pair);
    }
  }

  void WriteSnapshot(Pair& pair) {
    const auto [first, count] = Somewhere(pair.model.length);
    const int fill = Fill();
    const bool written = rig_.Write(*pair.device, first, count, fill).ok();
    EXPECT_EQ(written, model_.Write(pair.model, first, count, fill));
  }

  void Reload(Pair& pair) {
    pair.device.reset();
    pair.handed_over.reset();
    pair.model.overflowed = false;
    if (!pair.model.persistent) {
      pair.model.valid = true;
      pair.model.own.clear();
      pair.model.order.clear();
    }
    Load(pair, pair.model.merging ? SnapshotKind::kMerge : SnapshotKind::kSnapshot);
  }

  void DiscardSnapshot(Pair& pair) {
    const auto [first, count] = Somewhere(pair.model.length);
    const Result<void> done = pair.device->Discard(rig_.op, {Sector{first}, count});
    SnapshotModel& model = pair.model;
    if (model.merging) {
      EXPECT_TRUE(done.ok());
    } else if (!pair.device->table().discard_zeroes_cow) {
      EXPECT_EQ(done.error(), Errno::kOpNotSupp);
    } else if (!model.valid || model.overflowed) {
      EXPECT_EQ(done.error(), Errno::kIo);
    } else {
      for (std::uint64_t sector = first; sector < first + count; ++sector) {
        const auto found = model.own.find(sector / model.chunk);
        if (found != model.own.end()) found->second[sector % model.chunk] = 0;
      }
    }
  }

  void Merge(Pair& pair) {
    if (pair.model.merging) {
      if (!pair.model.valid) {
        EXPECT_EQ(pair.device->MergeNext(rig_.op).error(), Errno::kIo);
        return;
      }
      EXPECT_EQ(*pair.device->MergeNext(rig_.op), model_.MergeNext(pair.model));
      return;
    }
    bool somebody_merges = false;
    for (const auto& other : pairs_) somebody_merges = somebody_merges || other->model.merging;
    if (somebody_merges || !pair.model.persistent || pair.model.overflowed) return;
    pair.handed_over.reset();
    Load(pair, SnapshotKind::kMerge);
    pair.model.merging = true;
  }

  void Relist() {
    model_.snapshots.clear();
    for (const auto& pair : pairs_) model_.snapshots.push_back(&pair->model);
  }

  // What a step could have broken, cheaply.
  void CheckSome() {
    for (const auto& pair : pairs_) {
      ASSERT_EQ(pair->device->Status(), pair->model.Status()) << pair->arguments;
    }
  }

  SplitMix64 random_;
  SnapshotRig rig_;
  OriginModel model_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

std::uint64_t TotalOperations() {
  const char* text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? 20'000 : std::strtoull(text, nullptr, 10);
}

TEST(SnapshotModel, AgreesOnEveryRandomHistory) {
  constexpr std::uint64_t kOperations = 400;
  const std::uint64_t histories = TotalOperations() / kOperations + 1;
  for (std::uint64_t seed = 0; seed < histories && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomHistory history(seed);
    for (std::uint64_t i = 0; i < kOperations && !HasFailure(); ++i) {
      SCOPED_TRACE("operation " + std::to_string(i));
      history.Step();
      if (i % 5 == 0) history.CheckAll();
    }
    history.CheckAll();
  }
}

}  // namespace
}  // namespace lamina
