#include "lamina/sim/crash_device.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"
#include "lamina/block/sector_range.h"

namespace lamina::sim {
namespace {

enum class Fate : std::uint8_t { kKept, kLost, kTorn };

bool Overlap(const DeviceChange& a, const Landing& of_a, const DeviceChange& b,
             const Landing& of_b) {
  const std::uint64_t a_first = a.range.first.value + of_a.skip_sectors;
  const std::uint64_t b_first = b.range.first.value + of_b.skip_sectors;
  return a_first < b_first + of_b.count_sectors && b_first < a_first + of_a.count_sectors;
}

// What lands of a change: nothing, all of it, or one end.
std::optional<Landing> ChooseLanding(const DeviceChange& change, std::size_t index,
                                     const CrashRules& rules, Chooser& chooser) {
  const std::uint64_t count = change.range.count;
  const bool may_tear = rules.may_tear && count > 1;
  const auto fate = static_cast<Fate>(chooser.Choose(may_tear ? 3 : 2));
  if (fate == Fate::kLost) return std::nullopt;
  if (fate == Fate::kKept) return Landing{index, 0, count};
  const std::uint64_t tear = chooser.Choose(2 * (count - 1));
  const std::uint64_t at = tear % (count - 1) + 1;
  const bool first_part = tear < count - 1;
  return first_part ? Landing{index, 0, at} : Landing{index, at, count - at};
}

// Where in `outcome` a landing goes: at its end, or before one that it overlaps.
std::size_t ChoosePosition(std::span<const DeviceChange> changes, const CrashOutcome& outcome,
                           const Landing& landing, Chooser& chooser) {
  std::vector<std::size_t> overlapped;
  for (std::size_t i = outcome.size(); i-- > 0;) {
    if (Overlap(changes[outcome[i].change], outcome[i], changes[landing.change], landing)) {
      overlapped.push_back(i);
    }
  }
  if (overlapped.empty()) return outcome.size();
  const std::uint64_t before = chooser.Choose(overlapped.size() + 1);
  return before == 0 ? outcome.size() : overlapped[before - 1];
}

}  // namespace

DeviceChange DeviceChange::Written(Sector first, Bytes from) {
  auto bytes = std::make_shared<const std::vector<std::byte>>(from.begin(), from.end());
  return {{first, from.size() / kSectorBytes}, std::move(bytes)};
}

CrashOutcome WholeOutcome(std::span<const DeviceChange> changes) {
  CrashOutcome outcome;
  for (std::size_t i = 0; i < changes.size(); ++i)
    outcome.push_back({i, 0, changes[i].range.count});
  return outcome;
}

std::string OutcomeText(std::span<const DeviceChange> changes, const CrashOutcome& outcome) {
  std::string text;
  for (const Landing& landing : outcome) {
    if (!text.empty()) text += ' ';
    absl::StrAppendFormat(&text, "%d", landing.change);
    if (landing.count_sectors == changes[landing.change].range.count) continue;
    absl::StrAppendFormat(&text, "[%d+%d]", landing.skip_sectors, landing.count_sectors);
  }
  return text.empty() ? "-" : text;
}

CrashOutcome ChooseOutcome(std::span<const DeviceChange> changes, const CrashRules& rules,
                           Chooser& chooser) {
  CrashOutcome outcome;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::optional<Landing> landing = ChooseLanding(changes[i], i, rules, chooser);
    if (!landing) continue;
    const std::size_t position =
        rules.may_reorder ? ChoosePosition(changes, outcome, *landing, chooser) : outcome.size();
    outcome.insert(outcome.begin() + static_cast<std::ptrdiff_t>(position), *landing);
  }
  return outcome;
}

MemDisk::Image LandOn(const MemDisk::Image& before, std::span<const DeviceChange> changes,
                      const CrashOutcome& outcome) {
  PagedBytes content = before->Clone();
  for (const Landing& landing : outcome) {
    LAMINA_CHECK(landing.change < changes.size());
    const DeviceChange& change = changes[landing.change];
    LAMINA_CHECK(landing.skip_sectors + landing.count_sectors <= change.range.count);
    const std::uint64_t at = (change.range.first.value + landing.skip_sectors) * kSectorBytes;
    const std::uint64_t length = landing.count_sectors * kSectorBytes;
    if (change.bytes == nullptr) {
      content.PunchHole(at, length);
    } else {
      content.Write(at, Bytes(*change.bytes).subspan(landing.skip_sectors * kSectorBytes, length));
    }
  }
  return std::make_shared<const PagedBytes>(std::move(content));
}

// ── CrashDevice ────────────────────────────────────────────────────────────────────────────────

CrashDevice::CrashDevice(MemDisk& disk, const CrashRules& rules)
    : disk_(&disk), rules_(rules), durable_(disk.Capture()) {}

bool CrashDevice::PowerGoes() {
  ++steps_;
  return last_step_ && steps_ >= *last_step_;
}

Result<void> CrashDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  if (!power_) return Errno::kIo;
  return disk_->Read(op, first, into);
}

Result<void> CrashDevice::Write(const OpContext& op, Sector first, Bytes from) {
  if (!power_) return Errno::kIo;
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, from.size());
  if (!range.ok()) return range.error();
  power_ = !PowerGoes();
  if (Result<void> done = disk_->Write(op, first, from); !done.ok()) return done;
  if (range->count > 0) unflushed_.push_back(DeviceChange::Written(first, from));
  if (!power_) return Errno::kIo;
  return {};
}

Result<void> CrashDevice::Discard(const OpContext& op, SectorRange range) {
  if (!power_) return Errno::kIo;
  if (!Contains(size_sectors(), range)) return Errno::kInval;
  power_ = !PowerGoes();
  if (Result<void> done = disk_->Discard(op, range); !done.ok()) return done;
  if (range.count > 0) unflushed_.push_back(DeviceChange::Discarded(range));
  if (!power_) return Errno::kIo;
  return {};
}

Result<void> CrashDevice::Flush(const OpContext& op) {
  if (!power_) return Errno::kIo;
  power_ = !PowerGoes();
  if (!power_) return Errno::kIo;
  if (Result<void> done = disk_->Flush(op); !done.ok()) return done;
  durable_ = disk_->Capture();
  unflushed_.clear();
  return {};
}

MemDisk::Image CrashDevice::DurableAtThisSize() const {
  const std::uint64_t size_bytes = size_sectors() * kSectorBytes;
  if (durable_->size_bytes() == size_bytes) return durable_;
  PagedBytes content = durable_->Clone();
  content.Resize(size_bytes);
  return std::make_shared<const PagedBytes>(std::move(content));
}

MemDisk::Image CrashDevice::CrashImage(Chooser& chooser) const {
  const CrashOutcome outcome = ChooseOutcome(unflushed_, rules_, chooser);
  MemDisk::Image image = LandOn(DurableAtThisSize(), unflushed_, outcome);
  if (image->size_bytes() == size_sectors() * kSectorBytes) return image;
  // A change made before the disk was cut shorter has reached past its end.
  PagedBytes content = image->Clone();
  content.Resize(size_sectors() * kSectorBytes);
  return std::make_shared<const PagedBytes>(std::move(content));
}

MemDisk::Image CrashDevice::Crash(Chooser& chooser) {
  power_ = false;
  durable_ = CrashImage(chooser);
  unflushed_.clear();
  disk_->Restore(durable_);
  return durable_;
}

void CrashDevice::Restart() {
  power_ = true;
  last_step_.reset();
}

}  // namespace lamina::sim
