#include "lamina/block/thin_canonical.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

namespace lamina {
namespace {

constexpr std::size_t kUuidBytes = 16;

std::uint64_t EndOf(const ThinRun& run) { return run.origin_begin + run.length; }

// The part of `run` from virtual block `from` on.
ThinRun TailOf(const ThinRun& run, std::uint64_t from) {
  const std::uint64_t skipped = from - run.origin_begin;
  return {from, run.data_begin + skipped, run.length - skipped, run.time};
}

// Runs that do not overlap, by their first virtual block.
class RunMap {
 public:
  // `run` takes the place of whatever was mapped there.
  void Assign(const ThinRun& run) {
    const std::uint64_t end = EndOf(run);
    auto at = runs_.lower_bound(run.origin_begin);
    if (at != runs_.begin()) {
      ThinRun& before = std::prev(at)->second;
      if (EndOf(before) > end) runs_.emplace_hint(at, end, TailOf(before, end));
      if (EndOf(before) > run.origin_begin) before.length = run.origin_begin - before.origin_begin;
    }
    at = runs_.lower_bound(run.origin_begin);
    while (at != runs_.end() && at->first < end) {
      const ThinRun covered = at->second;
      at = runs_.erase(at);
      if (EndOf(covered) > end) at = runs_.emplace_hint(at, end, TailOf(covered, end));
    }
    runs_.emplace_hint(at, run.origin_begin, run);
  }

  std::vector<ThinRun> Take() const {
    std::vector<ThinRun> runs;
    runs.reserve(runs_.size());
    for (const auto& [begin, run] : runs_) runs.push_back(run);
    return runs;
  }

 private:
  std::map<std::uint64_t, ThinRun> runs_;
};

bool AscendsWithoutOverlap(const std::vector<ThinRun>& runs) {
  return std::adjacent_find(runs.begin(), runs.end(), [](const ThinRun& a, const ThinRun& b) {
           return b.origin_begin < EndOf(a);
         }) == runs.end();
}

std::vector<ThinRun> Merged(const std::vector<ThinRun>& runs) {
  std::vector<ThinRun> merged;
  for (const ThinRun& run : runs) {
    if (run.length == 0) continue;
    if (!merged.empty()) {
      ThinRun& last = merged.back();
      if (EndOf(last) == run.origin_begin && last.data_begin + last.length == run.data_begin &&
          last.time == run.time) {
        last.length += run.length;
        continue;
      }
    }
    merged.push_back(run);
  }
  return merged;
}

ThinDumpDevice CanonicalDevice(const ThinDumpDevice& device) {
  ThinDumpDevice canonical{device.dev_id,    0, device.transaction, device.creation_time,
                           device.snap_time, {}};
  if (AscendsWithoutOverlap(device.runs)) {
    canonical.runs = Merged(device.runs);
  } else {
    RunMap map;
    for (const ThinRun& run : device.runs) {
      if (run.length > 0) map.Assign(run);
    }
    canonical.runs = Merged(map.Take());
  }
  canonical.mapped_blocks =
      std::accumulate(canonical.runs.begin(), canonical.runs.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const ThinRun& run) { return sum + run.length; });
  return canonical;
}

}  // namespace

ThinDump CanonicalThinDump(const ThinDump& dump) {
  ThinDump canonical{dump.uuid.substr(0, kUuidBytes),
                     dump.time,
                     dump.transaction,
                     dump.flags,
                     dump.version,
                     dump.data_block_size,
                     dump.nr_data_blocks,
                     std::nullopt,
                     {}};
  canonical.devices.reserve(dump.devices.size());
  for (const ThinDumpDevice& device : dump.devices) {
    canonical.devices.push_back(CanonicalDevice(device));
  }
  std::sort(canonical.devices.begin(), canonical.devices.end(),
            [](const ThinDumpDevice& a, const ThinDumpDevice& b) { return a.dev_id < b.dev_id; });
  return canonical;
}

}  // namespace lamina
