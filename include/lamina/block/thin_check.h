// CheckThinMetadata: counts everything anew from the superblock, as thin_check does and more.
//
// Threads: reads only; the device's rule.
#ifndef LAMINA_BLOCK_THIN_CHECK_H_
#define LAMINA_BLOCK_THIN_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lamina/block/block_device.h"

namespace lamina {

enum class ThinFindingKind : std::uint8_t {
  kDamage,  // the metadata is wrong
  kLeak,    // a block is counted more often than it is used: wastes space, loses nothing
  kOdd,     // a kernel would not write this, but it reads well: times and ids out of order
};

struct ThinFinding {
  ThinFindingKind kind{};
  std::string what;  // one line, without a newline
};

// The most findings that are listed; the last one then says that there are more.
inline constexpr std::size_t kMaxThinFindings = 200;

// Empty: the metadata is sound. Compared are: checksums and places of blocks, key order, fill and
// height of nodes, both space maps (bitmaps, overflow counts, index, totals) with the references of
// the trees, mapped_blocks with the mappings, the two device lists, times with the pool's.
//
// Errors: kInval  the device is smaller than one metadata block; kIo  the superblock cannot be
// read.
Result<std::vector<ThinFinding>> CheckThinMetadata(const OpContext& op, BlockDevice& metadata);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_CHECK_H_
