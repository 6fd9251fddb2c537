// CrashDevice: a disk with a volatile write cache, and a plug that can be pulled. What was written
// or discarded since the last Flush may or may not be there after a crash.
//
//   MemDisk disk(size);
//   CrashDevice device(disk);
//   device.CutPowerAt(7);            the 7th write, discard or flush from now on is the last
//   Run(device);                     it and every later call give kIo
//   device.Crash(chooser);           `disk` holds what the chooser left of it
//   device.Restart();                and can be used again
//
// Each change is kept, lost or torn: its first or its last sectors land, the others do not. Kept
// changes that overlap may land in another order than they were made in. An ExhaustiveChooser goes
// through all of that, a RandomChooser samples, a ReplayChooser does it once more. To visit all
// crash states of a whole run, see crash_states.h.
//
// A sector of 512 bytes is never torn. Source: reference/testing.md §5.
//
// Threads: belong to one simulation. Lifetime: does not own the disk.
#ifndef LAMINA_SIM_CRASH_DEVICE_H_
#define LAMINA_SIM_CRASH_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lamina/block/block_device.h"
#include "lamina/block/mem_disk.h"
#include "lamina/sim/chooser.h"

namespace lamina::sim {

// One write or discard.
struct DeviceChange {
  SectorRange range;
  // What was written; null: a discard, which leaves zeros.
  std::shared_ptr<const std::vector<std::byte>> bytes;

  static DeviceChange Written(Sector first, Bytes from);
  static DeviceChange Discarded(SectorRange range) { return {range, nullptr}; }
};

// Sectors of one change that reached the medium.
struct Landing {
  std::size_t change = 0;           // index in the list of changes
  std::uint64_t skip_sectors = 0;   // of the change, at its beginning
  std::uint64_t count_sectors = 0;  // at least 1
  friend bool operator==(const Landing&, const Landing&) = default;
};

// What became of the changes: those not named are lost, the others landed in this order.
using CrashOutcome = std::vector<Landing>;

// Everything landed, in order.
CrashOutcome WholeOutcome(std::span<const DeviceChange> changes);
// "0 2 1[3+5]": change 1 landed last, and only 5 sectors of it, after 3 that did not. "-" for none.
std::string OutcomeText(std::span<const DeviceChange> changes, const CrashOutcome& outcome);

struct CrashRules {
  bool may_tear = true;
  bool may_reorder = true;
};

// Asks for every change: kept (0), lost (1) or torn (2), where it is torn, and which of those that
// landed so far and overlap it come before it (0: all).
CrashOutcome ChooseOutcome(std::span<const DeviceChange> changes, const CrashRules& rules,
                           Chooser& chooser);

// `before` with the outcome on it.
MemDisk::Image LandOn(const MemDisk::Image& before, std::span<const DeviceChange> changes,
                      const CrashOutcome& outcome);

class CrashDevice final : public BlockDevice {
 public:
  // What lies on the disk now is durable.
  explicit CrashDevice(MemDisk& disk, const CrashRules& rules = {});

  std::uint64_t size_sectors() const override { return disk_->size_sectors(); }

  // As those of the disk, and first of all: kIo  the power is off.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  Result<void> Discard(const OpContext& op, SectorRange range) override;

  // The writes, discards and flushes that came so far; those that found the power off do not count.
  std::uint64_t steps() const { return steps_; }
  // The power goes during step number `step` from now on, counted from 1: a change may be there in
  // whole, in part or not at all, a flush has made nothing durable.
  void CutPowerAt(std::uint64_t step) { last_step_ = steps_ + step; }
  void CutPower() { power_ = false; }
  bool power() const { return power_; }

  // Changes since the last flush, in order.
  std::span<const DeviceChange> unflushed() const { return unflushed_; }
  // What survives every crash. O(1).
  MemDisk::Image durable() const { return durable_; }

  // What the medium would hold after a crash now; changes nothing.
  MemDisk::Image CrashImage(Chooser& chooser) const;
  // Cuts the power and leaves on the disk what survives: from then on that is durable.
  // The disk keeps a size it was given since the last flush.
  MemDisk::Image Crash(Chooser& chooser);
  // The power is back. Without a Crash before it nothing is lost: only the machine had stopped.
  void Restart();

 private:
  // Counts a step. Is it the one during which the power goes?
  bool PowerGoes();
  MemDisk::Image DurableAtThisSize() const;

  MemDisk* disk_;
  CrashRules rules_;
  MemDisk::Image durable_;
  std::vector<DeviceChange> unflushed_;
  std::uint64_t steps_ = 0;
  std::optional<std::uint64_t> last_step_;
  bool power_ = true;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CRASH_DEVICE_H_
