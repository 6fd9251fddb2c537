// Every state that a crash could have left on the disks of a run.
//
//   HistoryRecorder recorder;
//   BlockDevice& device = recorder.Record(disk);
//   Use(device);                                       // note recorder.steps() after every sync
//   const CrashCounts counts = ForEachCrashState(recorder.history(), {}, [&](CrashState& state) {
//     disk.Restore(state.images[0]);
//     return Recovers(disk, state);                    // false: enough
//   });
//   puts(counts.ToString().c_str());
//
//   steps   w w w F w w F w w w w ·        w a write or discard, F a flush
//   epochs  └─0─┘   └1┘   └──2──┘          all of the earlier ones + some of the changes of one
//
// An epoch ends with a flush of any device, or with the run; its changes, and those of earlier
// epochs on devices that were not flushed since, may be kept, lost, torn or reordered. The outcomes
// of an epoch are tried as reference/testing.md §5 says: all subsets when there are few changes,
// else all prefixes, all prefixes less one change, single changes and pairs; changes torn; and
// seeded samples of everything at once. States that look the same are visited once an epoch.
//
// Threads: belong to one simulation.
#ifndef LAMINA_SIM_CRASH_STATES_H_
#define LAMINA_SIM_CRASH_STATES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lamina/block/block_device.h"
#include "lamina/block/mem_disk.h"
#include "lamina/sim/crash_device.h"

namespace lamina::sim {

struct DeviceStep {
  enum class Kind : std::uint8_t { kChange, kFlush };
  Kind kind = Kind::kChange;
  std::size_t device = 0;
  DeviceChange change = {};  // kChange
};

struct DeviceHistory {
  std::vector<MemDisk::Image> bases;  // one a device: what was durable when recording began
  std::vector<DeviceStep> steps;      // of all devices, in order
};

// Devices that note what is done to them. Calls that fail are not noted.
class HistoryRecorder {
 public:
  HistoryRecorder();
  ~HistoryRecorder();
  HistoryRecorder(const HistoryRecorder&) = delete;
  HistoryRecorder& operator=(const HistoryRecorder&) = delete;

  // A device on `disk`, which it does not own. The recorder owns the device; its index is the
  // number of devices before it.
  BlockDevice& Record(MemDisk& disk);

  std::size_t steps() const { return history_.steps.size(); }
  const DeviceHistory& history() const { return history_; }

 private:
  class Device;
  DeviceHistory history_;
  std::vector<std::unique_ptr<Device>> devices_;
};

struct CrashBounds {
  // So many changes: all subsets. At most 16.
  std::size_t exhaustive_changes = 8;
  // So many changes: all subsets, tears and orders, as far as max_outcomes goes.
  std::size_t exhaustive_tears = 3;
  // Random outcomes of an epoch that is not gone through exhaustively.
  std::uint64_t samples = 100;
  // Outcomes of one epoch, sampled ones not counted.
  std::uint64_t max_outcomes = 2000;
  std::uint64_t seed = 1;
  CrashRules rules = {};
};

struct CrashState {
  std::vector<MemDisk::Image> images;  // one a device
  // The crash may have come at any time from when `first_step` steps were begun to when `last_step`
  // were done. So it shows no call that began when steps() was first_step or more, and must show
  // what a flush covered before steps() was last_step.
  std::size_t first_step = 0;
  std::size_t last_step = 0;
  std::uint64_t hash = 0;    // of all images; equal for equal images of one history
  bool seen_before = false;  // the same images were visited in an earlier epoch
  std::string text;          // "steps 4..7, landed 4 6[0+3]": numbers of steps
};

struct CrashCounts {
  std::uint64_t epochs = 0;
  std::uint64_t complete_epochs = 0;  // all subsets of whole changes were tried
  std::uint64_t outcomes = 0;         // tried
  std::uint64_t states = 0;           // visited: distinct within their epoch
  std::uint64_t images = 0;           // distinct in the whole history

  CrashCounts& operator+=(const CrashCounts& other);
  // "412 states (390 images) of 1300 outcomes; 15 of 17 epochs complete"
  std::string ToString() const;
};

// Visits the states in the order of the epochs until `visit` gives false. What it is given is its
// own.
CrashCounts ForEachCrashState(const DeviceHistory& history, const CrashBounds& bounds,
                              absl::FunctionRef<bool(CrashState&)> visit);

// Equal for equal content and size.
std::uint64_t HashImage(const MemDisk::Image& image);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CRASH_STATES_H_
