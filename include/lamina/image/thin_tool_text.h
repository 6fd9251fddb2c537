// What thin_ls and thin_delta 0.9.0 print by default, to the byte.
//
// Source: devicemapper.md §16.2 and outputs of the tools. Threads: pure.
#ifndef LAMINA_IMAGE_THIN_TOOL_TEXT_H_
#define LAMINA_IMAGE_THIN_TOOL_TEXT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/block/thin_counts.h"
#include "lamina/block/thin_delta.h"

namespace lamina {

// A size as thin_ls shows it: the largest unit that leaves at most 8192 of it, rounded to the
// nearest below 1024 and downwards from there on. "0", "7680", "960KiB", "8MiB".
std::string ThinToolSize(std::uint64_t blocks, std::uint64_t block_sectors);

// `thin_ls FILE`: DEV MAPPED CREATE_TIME SNAP_TIME, columns aligned to the right, a space at the
// end of each line.
std::string ThinLsTable(const std::vector<ThinDeviceCounts>& counts, std::uint64_t block_sectors);

enum class ThinDeltaDetail : std::uint8_t {
  kRuns,    // `thin_delta`
  kRanges,  // `thin_delta --verbose`: data blocks too
};

// `thin_delta --thin1 LEFT --thin2 RIGHT FILE`, in consecutive pieces. `dump` gives the pool's
// attributes.
void WriteThinDeltaXml(const ThinDump& dump, std::uint64_t left, std::uint64_t right,
                       const std::vector<ThinDeltaRange>& ranges, ThinDeltaDetail detail,
                       const std::function<void(std::string_view)>& sink);

}  // namespace lamina
#endif  // LAMINA_IMAGE_THIN_TOOL_TEXT_H_
