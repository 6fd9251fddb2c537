// What every device checks first: do these sectors exist.
#ifndef LAMINA_BLOCK_SECTOR_RANGE_H_
#define LAMINA_BLOCK_SECTOR_RANGE_H_

#include <cstddef>
#include <cstdint>

#include "lamina/block/block_device.h"

namespace lamina {

// Does `range` lie in a device of `size_sectors`? An empty range may begin at its end.
constexpr bool Contains(std::uint64_t size_sectors, SectorRange range) {
  return range.first.value <= size_sectors && range.count <= size_sectors - range.first.value;
}

// The sectors of a read or write of `bytes` bytes from `first`.
// Errors: kInval  not whole sectors, or past the end.
inline Result<SectorRange> SectorsOfTransfer(std::uint64_t size_sectors, Sector first,
                                             std::size_t bytes) {
  const SectorRange range{first, bytes / kSectorBytes};
  if (bytes % kSectorBytes != 0 || !Contains(size_sectors, range)) return Errno::kInval;
  return range;
}

}  // namespace lamina
#endif  // LAMINA_BLOCK_SECTOR_RANGE_H_
