// CountThinBlocks: how much each device of a pool maps, alone and together with others.
//
// Source: devicemapper.md §7; the columns of thin_ls. Threads: pure.
#ifndef LAMINA_BLOCK_THIN_COUNTS_H_
#define LAMINA_BLOCK_THIN_COUNTS_H_

#include <cstdint>
#include <vector>

#include "lamina/block/thin_dump.h"

namespace lamina {

struct ThinDeviceCounts {
  std::uint64_t dev_id = 0;
  std::uint64_t mapped_blocks = 0;
  std::uint64_t exclusive_blocks = 0;  // mappings whose data block has a reference count of 1
  std::uint64_t transaction = 0;
  std::uint32_t creation_time = 0;
  std::uint32_t snap_time = 0;

  std::uint64_t shared_blocks() const { return mapped_blocks - exclusive_blocks; }
  friend bool operator==(const ThinDeviceCounts&, const ThinDeviceCounts&) = default;
};

// One entry a device, in the order of `dump`, which is canonical. Cost: the runs times the
// logarithm of their number, whatever their lengths.
std::vector<ThinDeviceCounts> CountThinBlocks(const ThinDump& dump);

// The data blocks that at least one device maps.
std::uint64_t CountUsedThinBlocks(const ThinDump& dump);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_COUNTS_H_
