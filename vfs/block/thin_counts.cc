#include "lamina/block/thin_counts.h"

#include <algorithm>
#include <tuple>

namespace lamina {
namespace {

// A device begins or ends to map the data blocks from `at` on.
struct Boundary {
  std::uint64_t at = 0;
  std::uint32_t device_index = 0;
  bool begins = false;
};

std::vector<Boundary> SortedBoundaries(const ThinDump& dump) {
  std::vector<Boundary> boundaries;
  for (std::uint32_t index = 0; index < dump.devices.size(); ++index) {
    for (const ThinRun& run : dump.devices[index].runs) {
      boundaries.push_back({run.data_begin, index, true});
      boundaries.push_back({run.data_begin + run.length, index, false});
    }
  }
  std::sort(boundaries.begin(), boundaries.end(),
            [](const Boundary& a, const Boundary& b) { return a.at < b.at; });
  return boundaries;
}

// Calls `visit(length, references, device_index)` for the stretches of data blocks that have one
// and the same set of references; `device_index` is the only device when there is one reference.
template <typename Visit>
void ForEachStretch(const ThinDump& dump, const Visit& visit) {
  std::uint64_t from = 0;
  std::uint64_t references = 0;
  std::uint64_t sum_of_indexes = 0;  // wraps; with one reference it is the device's index
  for (const Boundary& boundary : SortedBoundaries(dump)) {
    if (references > 0 && boundary.at > from) {
      visit(boundary.at - from, references, static_cast<std::size_t>(sum_of_indexes));
    }
    from = boundary.at;
    references += boundary.begins ? 1 : std::uint64_t(-1);
    sum_of_indexes +=
        boundary.begins ? boundary.device_index : std::uint64_t{0} - boundary.device_index;
  }
}

}  // namespace

std::vector<ThinDeviceCounts> CountThinBlocks(const ThinDump& dump) {
  std::vector<ThinDeviceCounts> counts;
  counts.reserve(dump.devices.size());
  for (const ThinDumpDevice& device : dump.devices) {
    counts.push_back({device.dev_id, device.mapped_blocks, 0, device.transaction,
                      device.creation_time, device.snap_time});
  }
  ForEachStretch(dump,
                 [&](std::uint64_t length, std::uint64_t references, std::size_t device_index) {
                   if (references == 1) counts[device_index].exclusive_blocks += length;
                 });
  return counts;
}

std::uint64_t CountUsedThinBlocks(const ThinDump& dump) {
  std::uint64_t used = 0;
  ForEachStretch(dump, [&](std::uint64_t length, std::uint64_t, std::size_t) { used += length; });
  return used;
}

}  // namespace lamina
