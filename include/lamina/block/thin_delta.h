// DiffThinDevices: which virtual blocks two devices have in common.
//
// Source: devicemapper.md §16.2; thin_delta compares data blocks, not times. Threads: pure.
#ifndef LAMINA_BLOCK_THIN_DELTA_H_
#define LAMINA_BLOCK_THIN_DELTA_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "lamina/block/thin_dump.h"

namespace lamina {

enum class ThinDeltaKind : std::uint8_t { kSame, kDifferent, kLeftOnly, kRightOnly };

// "same", "different", "left_only", "right_only".
std::string_view ThinDeltaWord(ThinDeltaKind kind);

// `length` virtual blocks from `begin` on.
struct ThinDeltaRange {
  ThinDeltaKind kind{};
  std::uint64_t begin = 0;
  std::uint64_t length = 0;
  std::uint64_t left_data_begin = 0;   // 0 for kRightOnly
  std::uint64_t right_data_begin = 0;  // 0 for kLeftOnly

  friend bool operator==(const ThinDeltaRange&, const ThinDeltaRange&) = default;
};

// Ascending; each range is as long as its kind and its data blocks go on. The runs of both devices
// are canonical.
std::vector<ThinDeltaRange> DiffThinDevices(const ThinDumpDevice& left,
                                            const ThinDumpDevice& right);

struct ThinDeltaRun {
  ThinDeltaKind kind{};
  std::uint64_t begin = 0;
  std::uint64_t length = 0;

  friend bool operator==(const ThinDeltaRun&, const ThinDeltaRun&) = default;
};

// The same as maximal runs of a kind, wherever the data blocks lie.
std::vector<ThinDeltaRun> RunsOfThinDelta(const std::vector<ThinDeltaRange>& ranges);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_DELTA_H_
