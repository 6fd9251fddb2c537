#include "lamina/sim/crash_states.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "lamina/block/forwarding_device.h"
#include "sim/engine/epoch_outcomes.h"

namespace lamina::sim {
namespace {

// What a sector adds to the hash of an image: 0 for zeros, so that holes cost nothing. The hash of
// an image is the sum of these, so that a change of a sector changes it in O(1).
std::uint64_t HashSector(std::size_t device, std::uint64_t sector, Bytes bytes) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15ULL;
  std::uint64_t any = 0;
  std::uint64_t hash = (sector + 1) * 0xd1342543de82ef95ULL + device;
  for (std::size_t at = 0; at < kSectorBytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    any |= word;
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 29;
  }
  return any == 0 ? 0 : hash;
}

std::uint64_t HashSectorOf(const PagedBytes& content, std::size_t device, std::uint64_t sector) {
  std::byte bytes[kSectorBytes] = {};
  content.Read(sector * kSectorBytes, bytes);
  return HashSector(device, sector, bytes);
}

// The changes that are not durable, and how each outcome of them hashes.
class Epoch {
 public:
  // `changes` are not durable and lie on `devices`; `durable` is what is.
  Epoch(std::span<const DeviceChange> changes, std::span<const std::size_t> devices,
        const std::vector<MemDisk::Image>& durable)
      : changes_(changes), slots_(changes.size()), hashes_(changes.size()) {
    absl::flat_hash_map<std::pair<std::size_t, std::uint64_t>, std::size_t> known;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      for (std::uint64_t k = 0; k < changes[i].range.count; ++k) {
        const std::uint64_t sector = changes[i].range.first.value + k;
        const auto [slot, fresh] = known.try_emplace({devices[i], sector}, before_.size());
        if (fresh) before_.push_back(HashSectorOf(*durable[devices[i]], devices[i], sector));
        slots_[i].push_back(slot->second);
        hashes_[i].push_back(HashOf(changes[i], devices[i], k));
      }
    }
  }

  // What `outcome` adds to the hash of the durable images.
  std::uint64_t Hash(const CrashOutcome& outcome) {
    now_ = before_;
    for (const Landing& landing : outcome) {
      const std::size_t* slots = slots_[landing.change].data();
      const std::uint64_t* hashes = hashes_[landing.change].data();
      const std::uint64_t end = landing.skip_sectors + landing.count_sectors;
      for (std::uint64_t k = landing.skip_sectors; k < end; ++k) now_[slots[k]] = hashes[k];
    }
    std::uint64_t sum = 0;
    for (std::size_t slot = 0; slot < now_.size(); ++slot) sum += now_[slot] - before_[slot];
    return sum;
  }

 private:
  static std::uint64_t HashOf(const DeviceChange& change, std::size_t device, std::uint64_t index) {
    if (change.bytes == nullptr) return 0;
    const Bytes bytes = Bytes(*change.bytes).subspan(index * kSectorBytes, kSectorBytes);
    return HashSector(device, change.range.first.value + index, bytes);
  }

  std::span<const DeviceChange> changes_;
  std::vector<std::vector<std::size_t>> slots_;     // of every sector of every change
  std::vector<std::vector<std::uint64_t>> hashes_;  // that it gives them
  std::vector<std::uint64_t> before_, now_;         // one a slot
};

// Goes through a history, epoch by epoch.
class Explorer {
 public:
  Explorer(const DeviceHistory& history, const CrashBounds& bounds,
           absl::FunctionRef<bool(CrashState&)> visit)
      : history_(history), bounds_(bounds), visit_(visit), durable_(history.bases) {}

  CrashCounts Run() {
    const std::vector<DeviceStep>& steps = history_.steps;
    for (std::size_t step = 0; step < steps.size(); ++step) {
      if (steps[step].kind == DeviceStep::Kind::kFlush) {
        if (!EndEpoch(step)) return counts_;
        MakeDurable(steps[step].device);
        epoch_begin_ = step + 1;
      } else if (steps[step].change.range.count > 0) {
        changes_.push_back(steps[step].change);
        devices_.push_back(steps[step].device);
        numbers_.push_back(step);
      }
    }
    EndEpoch(steps.size());
    return counts_;
  }

 private:
  struct Found {
    CrashOutcome outcome;
    std::size_t first_step = 0;
  };

  // Steps that had been begun when this came about.
  std::size_t FirstStep(const CrashOutcome& outcome) const {
    std::size_t first = epoch_begin_;
    for (const Landing& landing : outcome) first = std::max(first, numbers_[landing.change] + 1);
    return first;
  }

  // False: `visit` has had enough.
  bool EndEpoch(std::size_t last_step) {
    Epoch epoch(changes_, devices_, durable_);
    absl::flat_hash_map<std::uint64_t, std::size_t> known;  // hash: index in `found`
    std::vector<std::pair<std::uint64_t, Found>> found;
    const bool complete = internal::ForEachOutcome(
        changes_, bounds_, bounds_.seed + counts_.epochs, [&](const CrashOutcome& outcome) {
          ++counts_.outcomes;
          const std::uint64_t hash = hash_ + epoch.Hash(outcome);
          const std::size_t first = FirstStep(outcome);
          const auto [at, fresh] = known.try_emplace(hash, found.size());
          if (fresh) found.push_back({hash, {outcome, first}});
          std::size_t& least = found[at->second].second.first_step;
          least = std::min(least, first);
        });
    ++counts_.epochs;
    if (complete) ++counts_.complete_epochs;
    for (const auto& [hash, one] : found) {
      ++counts_.states;
      const bool fresh = seen_.insert(hash).second;
      if (fresh) ++counts_.images;
      CrashState state = StateOf(one, last_step);
      state.hash = hash;
      state.seen_before = !fresh;
      if (!visit_(state)) return false;
    }
    return true;
  }

  CrashState StateOf(const Found& found, std::size_t last_step) const {
    CrashState state;
    state.first_step = found.first_step;
    state.last_step = last_step;
    state.text = absl::StrFormat("steps %d..%d, landed", found.first_step, last_step);
    if (found.outcome.empty()) state.text += " -";
    std::vector<CrashOutcome> landed(durable_.size());
    for (const Landing& landing : found.outcome) {
      landed[devices_[landing.change]].push_back(landing);
      absl::StrAppendFormat(&state.text, " %d", numbers_[landing.change]);
      if (landing.count_sectors == changes_[landing.change].range.count) continue;
      absl::StrAppendFormat(&state.text, "[%d+%d]", landing.skip_sectors, landing.count_sectors);
    }
    for (std::size_t i = 0; i < durable_.size(); ++i) {
      state.images.push_back(LandOn(durable_[i], changes_, landed[i]));
    }
    return state;
  }

  void MakeDurable(std::size_t device) {
    CrashOutcome all;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (devices_[i] == device) all.push_back({i, 0, changes_[i].range.count});
    }
    hash_ += Epoch(changes_, devices_, durable_).Hash(all);
    durable_[device] = LandOn(durable_[device], changes_, all);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (devices_[i] == device) continue;
      changes_[kept] = changes_[i];
      devices_[kept] = devices_[i];
      numbers_[kept] = numbers_[i];
      ++kept;
    }
    changes_.resize(kept);
    devices_.resize(kept);
    numbers_.resize(kept);
  }

  const DeviceHistory& history_;
  const CrashBounds& bounds_;
  absl::FunctionRef<bool(CrashState&)> visit_;

  std::vector<MemDisk::Image> durable_;  // one a device
  std::uint64_t hash_ = 0;               // of all of them, less that of the bases
  std::vector<DeviceChange> changes_;    // that are not durable
  std::vector<std::size_t> devices_;     // where they were made
  std::vector<std::size_t> numbers_;     // which steps they were
  std::size_t epoch_begin_ = 0;
  absl::flat_hash_set<std::uint64_t> seen_;
  CrashCounts counts_;
};

}  // namespace

// ── HistoryRecorder ────────────────────────────────────────────────────────────────────────────

class HistoryRecorder::Device final : public ForwardingDevice {
 public:
  Device(MemDisk& disk, DeviceHistory& history, std::size_t index)
      : ForwardingDevice(disk), history_(history), index_(index) {}

  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    Result<void> done = target().Write(op, first, from);
    if (done.ok()) Note(DeviceStep::Kind::kChange, DeviceChange::Written(first, from));
    return done;
  }
  Result<void> Discard(const OpContext& op, SectorRange range) override {
    Result<void> done = target().Discard(op, range);
    if (done.ok()) Note(DeviceStep::Kind::kChange, DeviceChange::Discarded(range));
    return done;
  }
  Result<void> Flush(const OpContext& op) override {
    Result<void> done = target().Flush(op);
    if (done.ok()) Note(DeviceStep::Kind::kFlush, {});
    return done;
  }

 private:
  void Note(DeviceStep::Kind kind, DeviceChange change) {
    history_.steps.push_back({kind, index_, std::move(change)});
  }

  DeviceHistory& history_;
  std::size_t index_;
};

HistoryRecorder::HistoryRecorder() = default;
HistoryRecorder::~HistoryRecorder() = default;

BlockDevice& HistoryRecorder::Record(MemDisk& disk) {
  const std::size_t index = devices_.size();
  history_.bases.push_back(disk.Capture());
  return *devices_.emplace_back(std::make_unique<Device>(disk, history_, index));
}

// ── The search ─────────────────────────────────────────────────────────────────────────────────

CrashCounts& CrashCounts::operator+=(const CrashCounts& other) {
  epochs += other.epochs;
  complete_epochs += other.complete_epochs;
  outcomes += other.outcomes;
  states += other.states;
  images += other.images;
  return *this;
}

std::string CrashCounts::ToString() const {
  return absl::StrFormat("%d states (%d images) of %d outcomes; %d of %d epochs complete", states,
                         images, outcomes, complete_epochs, epochs);
}

CrashCounts ForEachCrashState(const DeviceHistory& history, const CrashBounds& bounds,
                              absl::FunctionRef<bool(CrashState&)> visit) {
  return Explorer(history, bounds, visit).Run();
}

std::uint64_t HashImage(const MemDisk::Image& image) {
  std::uint64_t hash = image->size_bytes();
  std::optional<std::uint64_t> at = image->NextData(0);
  while (at) {
    const std::uint64_t end = image->NextHole(*at).value_or(image->size_bytes());
    for (std::uint64_t sector = *at / kSectorBytes; sector * kSectorBytes < end; ++sector) {
      hash += HashSectorOf(*image, 0, sector);
    }
    at = image->NextData(end);
  }
  return hash;
}

}  // namespace lamina::sim
