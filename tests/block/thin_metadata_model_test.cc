// ThinMetadata and a plain model of it do the same: random histories with commits, aborts and
// crashes. The model knows maps and sets, no trees and no counts: it counts anew when asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/thin_dump.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kDataBlocks = 700;
constexpr std::uint64_t kVirtualBlocks = 900;
constexpr std::uint64_t kIds = 9;

struct ModelDevice {
  ThinDetails details;
  std::map<std::uint64_t, ThinMapping> mappings;
};

using ModelDevices = std::map<std::uint64_t, ModelDevice>;

struct ModelState {
  std::uint32_t time = 0;
  std::uint64_t transaction = 0;
  std::uint64_t data_blocks = kDataBlocks;
  ModelDevices devices;
  std::optional<ModelDevices> held;
};

// How many pairs name each data block.
std::map<std::uint64_t, std::uint64_t> CountsOf(const ModelState& state) {
  std::map<std::uint64_t, std::uint64_t> counts;
  const auto add = [&](const ModelDevices& devices) {
    for (const auto& [id, device] : devices) {
      for (const auto& [virtual_block, mapping] : device.mappings) ++counts[mapping.data_block];
    }
  };
  add(state.devices);
  if (state.held.has_value()) add(*state.held);
  return counts;
}

// The pool and its model, step by step.
class Twins {
 public:
  enum class CheckEvery : std::uint8_t { kCommit, kStep };

  Twins(std::uint64_t seed, CheckEvery check_every)
      : draw_(seed), check_every_(check_every), pool_(kDataBlocks) {}

  void Step() {
    using Move = void (Twins::*)();
    static constexpr Move kMoves[] = {&Twins::Create,    &Twins::Snapshot,       &Twins::Snapshot,
                                      &Twins::Delete,    &Twins::Provision,      &Twins::Provision,
                                      &Twins::Provision, &Twins::Provision,      &Twins::Remove,
                                      &Twins::Remove,    &Twins::SetTransaction, &Twins::Grow,
                                      &Twins::Hold,      &Twins::Commit,         &Twins::Commit,
                                      &Twins::Abort,     &Twins::Reopen,         &Twins::GiveBack};
    (this->*kMoves[draw_.Below(std::size(kMoves))])();
    ExpectSameNow();
    if (check_every_ == CheckEvery::kCommit) return;
    Commit();
    ExpectSoundCounts();
  }

  // Everything, mapping by mapping.
  void ExpectSame() {
    ModelDevices found;
    const auto visit_device = [&](ThinId id, const ThinDetails& details) {
      found[id.value].details = details;
      return true;
    };
    ASSERT_TRUE(pool_->ForEachDevice(MetadataOp(), visit_device).ok());
    for (auto& [id, device] : found) {
      const auto visit = [&mappings = device.mappings](std::uint64_t virtual_block,
                                                       const ThinMapping& mapping) {
        mappings[virtual_block] = mapping;
        return true;
      };
      ASSERT_TRUE(pool_->ForEachMapping(MetadataOp(), ThinId{id}, 0, visit).ok());
    }
    ASSERT_EQ(found.size(), now_.devices.size());
    for (const auto& [id, device] : now_.devices) {
      ASSERT_EQ(found[id].details, device.details) << "device " << id;
      ASSERT_EQ(found[id].mappings, device.mappings) << "device " << id;
    }
  }

 private:
  std::uint64_t AnyId() { return draw_.Below(kIds); }

  Errno NewIdError(std::uint64_t id, Errno otherwise) const {
    return now_.devices.contains(id) ? Errno::kExist : otherwise;
  }
  static void ExpectResult(const Result<void>& got, bool is_good, Errno error) {
    ASSERT_EQ(got.ok(), is_good);
    if (!is_good) {
      ASSERT_EQ(got.error(), error);
    }
  }

  void Create() {
    const std::uint64_t id = AnyId();
    const bool is_free = !now_.devices.contains(id);
    ExpectResult(pool_->CreateThin(MetadataOp(), ThinId{id}), is_free, Errno::kExist);
    if (!is_free) return;
    now_.devices[id].details = {0, now_.transaction, now_.time, now_.time};
    changed_ = true;
  }

  void Snapshot() {
    const std::uint64_t id = AnyId();
    const std::uint64_t origin = AnyId();
    const bool is_free = !now_.devices.contains(id);
    const bool is_good = is_free && now_.devices.contains(origin);
    ExpectResult(pool_->CreateSnapshot(MetadataOp(), ThinId{id}, ThinId{origin}), is_good,
                 NewIdError(id, Errno::kNoData));
    if (!is_good) return;
    ++now_.time;
    ModelDevice& source = now_.devices[origin];
    source.details.snapshotted_time = now_.time;
    ModelDevice copy = source;
    copy.details = {source.details.mapped_blocks, now_.transaction, now_.time, now_.time};
    now_.devices[id] = copy;
    changed_ = true;
  }

  void Delete() {
    const std::uint64_t id = AnyId();
    const bool is_there = now_.devices.contains(id);
    ExpectResult(pool_->Delete(MetadataOp(), ThinId{id}), is_there, Errno::kNoData);
    now_.devices.erase(id);
    if (is_there) changed_ = true;
  }

  // The block that an allocation must give (§7).
  std::optional<std::uint64_t> NextFree() const {
    const auto used_now = CountsOf(now_);
    const auto used_then = CountsOf(committed_);
    const auto is_free = [&](std::uint64_t block) {
      return !used_now.contains(block) && !used_then.contains(block);
    };
    for (std::uint64_t block = cursor_; block < now_.data_blocks; ++block) {
      if (is_free(block)) return block;
    }
    for (std::uint64_t block = 0; block < cursor_; ++block) {
      if (is_free(block)) return block;
    }
    return std::nullopt;
  }

  void ProvisionOne(std::uint64_t id, std::uint64_t virtual_block, std::uint64_t data_block) {
    ASSERT_TRUE(pool_->Insert(MetadataOp(), ThinId{id}, virtual_block, data_block).ok());
    ModelDevice& device = now_.devices[id];
    device.mappings[virtual_block] = {data_block, now_.time};
    device.details.mapped_blocks = device.mappings.size();
    changed_ = true;
  }

  void Provision() {
    const std::uint64_t id = AnyId();
    if (!now_.devices.contains(id)) return;
    const std::uint64_t first = draw_.Below(kVirtualBlocks);
    const std::uint64_t count = 1 + (draw_.Below(3) == 0 ? draw_.Below(120) : draw_.Below(4));
    const std::uint64_t stride = 1 + draw_.Below(3);
    const std::optional<std::uint64_t> expected = NextFree();
    for (std::uint64_t i = 0; i < count; ++i) {
      const Result<std::uint64_t> block = pool_->AllocateDataBlock(MetadataOp());
      if (i == 0) {
        ASSERT_EQ(block.ok(), expected.has_value());
        if (block.ok()) {
          ASSERT_EQ(*block, *expected);
        }
      }
      if (!block.ok()) {
        ASSERT_EQ(block.error(), Errno::kNoSpc);
        return;
      }
      cursor_ = *block + 1;
      changed_ = true;
      ProvisionOne(id, first + i * stride, *block);
    }
  }

  // Allocates a block and gives it back.
  void GiveBack() {
    const std::optional<std::uint64_t> expected = NextFree();
    const Result<std::uint64_t> block = pool_->AllocateDataBlock(MetadataOp());
    ASSERT_EQ(block.ok(), expected.has_value());
    if (!block.ok()) return;
    ASSERT_EQ(*block, *expected);
    ASSERT_TRUE(pool_->FreeDataBlock(MetadataOp(), *block).ok());
    cursor_ = *block + 1;
    changed_ = true;
  }

  void Remove() {
    const std::uint64_t id = AnyId();
    const std::uint64_t begin = draw_.Below(kVirtualBlocks);
    const std::uint64_t end = begin + draw_.Below(draw_.Below(2) == 0 ? 8 : 600);
    std::vector<ThinUnmapped> seen;
    const Result<std::uint64_t> removed =
        pool_->Remove(MetadataOp(), ThinId{id}, begin, end,
                      [&](const ThinUnmapped& unmapped) { seen.push_back(unmapped); });
    ASSERT_EQ(removed.ok(), now_.devices.contains(id));
    if (!removed.ok()) return;
    ModelDevice& device = now_.devices[id];
    const auto from = device.mappings.lower_bound(begin);
    const auto to = device.mappings.lower_bound(end);
    ASSERT_EQ(*removed, static_cast<std::uint64_t>(std::distance(from, to)));
    ASSERT_EQ(seen.size(), *removed);
    if (*removed == 0) return;
    std::size_t index = 0;
    auto counts = CountsOf(now_);
    for (auto at = from; at != to; ++at, ++index) {
      ASSERT_EQ(seen[index].virtual_block, at->first);
      ASSERT_EQ(seen[index].data_block, at->second.data_block);
      ASSERT_EQ(seen[index].now_free, --counts[at->second.data_block] == 0);
    }
    device.mappings.erase(from, to);
    device.details.mapped_blocks = device.mappings.size();
    changed_ = true;
  }

  void SetTransaction() {
    const std::uint64_t expected = now_.transaction + (draw_.Below(3) == 0 ? 1 : 0);
    const bool is_good = expected == now_.transaction;
    ExpectResult(pool_->SetTransactionId(MetadataOp(), expected, expected + 4), is_good,
                 Errno::kInval);
    if (!is_good) return;
    now_.transaction += 4;
    changed_ = true;
  }

  void Grow() {
    const std::uint64_t wanted = now_.data_blocks + draw_.Below(12) - 4;
    const bool is_good = wanted >= now_.data_blocks;
    ExpectResult(pool_->ResizeData(MetadataOp(), wanted), is_good, Errno::kInval);
    if (!is_good || wanted == now_.data_blocks) return;
    now_.data_blocks = wanted;
    changed_ = true;
  }

  void Hold() {
    if (now_.held.has_value() && draw_.Below(2) == 0) {
      ASSERT_TRUE(pool_->ReleaseMetadataSnapshot(MetadataOp()).ok());
      now_.held.reset();
      changed_ = true;
      return;
    }
    const bool is_good = !now_.held.has_value();
    ExpectResult(pool_->ReserveMetadataSnapshot(MetadataOp()), is_good, Errno::kBusy);
    committed_ = now_;
    changed_ = is_good;
    if (is_good) now_.held = now_.devices;
  }

  void Commit() {
    ASSERT_EQ(pool_->AnyChange(), changed_);
    ASSERT_TRUE(pool_->Commit(MetadataOp()).ok());
    committed_ = now_;
    changed_ = false;
    ASSERT_EQ(FindingsOf(pool_.disk), "");
  }

  void Abort() {
    ASSERT_TRUE(pool_->Abort(MetadataOp()).ok());
    GoBack();
  }

  void Reopen() {
    pool_.Reopen();
    GoBack();
  }

  void GoBack() {
    now_ = committed_;
    changed_ = false;
    cursor_ = 0;
    ASSERT_EQ(FindingsOf(pool_.disk), "");
    ExpectSame();
  }

  // What can be told without walking trees.
  void ExpectSameNow() {
    ASSERT_EQ(pool_->time(), now_.time);
    ASSERT_EQ(pool_->transaction_id(), now_.transaction);
    ASSERT_EQ(pool_->nr_data_blocks(), now_.data_blocks);
    ASSERT_EQ(pool_->held_root().has_value(), now_.held.has_value());
    ASSERT_EQ(pool_->AnyChange(), changed_);
    ASSERT_EQ(pool_->data_blocks().allocated, CountsOf(now_).size());
  }

  // Counts as they are told, against counts made anew.
  void ExpectSoundCounts() {
    auto counts = CountsOf(now_);
    for (std::uint64_t block = 0; block < now_.data_blocks; block += 1 + draw_.Below(40)) {
      const Result<std::uint64_t> count = pool_->DataReferenceCount(MetadataOp(), block);
      ASSERT_TRUE(count.ok());
      ASSERT_EQ(*count, counts[block]) << "block " << block;
    }
    ExpectSame();
  }

  SplitMix64 draw_;
  CheckEvery check_every_;
  MetadataRig pool_;
  ModelState now_;
  ModelState committed_;
  std::uint64_t cursor_ = 0;
  bool changed_ = false;
};

std::uint64_t StepsWanted(std::uint64_t by_default) {
  const char* const text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? by_default : std::strtoull(text, nullptr, 10) / 10;
}

void RunTwins(Twins::CheckEvery check_every, std::uint64_t steps_wanted,
              std::uint64_t steps_of_one) {
  for (std::uint64_t seed = 1; seed * steps_of_one <= steps_wanted; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twins twins(seed, check_every);
    for (std::uint64_t step = 0; step < steps_of_one; ++step) {
      twins.Step();
      if (testing::Test::HasFatalFailure()) FAIL() << "step " << step;
    }
    twins.ExpectSame();
  }
}

TEST(ThinMetadataModel, LongHistoriesAgree) {
  RunTwins(Twins::CheckEvery::kCommit, StepsWanted(10'000), 250);
}

TEST(ThinMetadataModel, CountsMadeAnewAgreeAfterEveryStep) {
  RunTwins(Twins::CheckEvery::kStep, StepsWanted(2400), 60);
}

}  // namespace
}  // namespace lamina
