// ThinDump: the whole metadata of a thin pool as a plain value: what thin_dump prints and
// thin_restore reads.
//
// Source: devicemapper.md §16. Threads: plain values.
#ifndef LAMINA_BLOCK_THIN_DUMP_H_
#define LAMINA_BLOCK_THIN_DUMP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lamina/block/thin_metadata.h"

namespace lamina {

// `length` virtual blocks from `origin_begin` on lie on data blocks from `data_begin` on.
struct ThinRun {
  std::uint64_t origin_begin = 0;
  std::uint64_t data_begin = 0;
  std::uint64_t length = 0;
  std::uint32_t time = 0;

  friend bool operator==(const ThinRun&, const ThinRun&) = default;
};

struct ThinDumpDevice {
  std::uint64_t dev_id = 0;
  std::uint64_t mapped_blocks = 0;
  std::uint64_t transaction = 0;
  std::uint32_t creation_time = 0;
  std::uint32_t snap_time = 0;
  std::vector<ThinRun> runs;

  friend bool operator==(const ThinDumpDevice&, const ThinDumpDevice&) = default;
};

struct ThinDump {
  std::string uuid;
  std::uint32_t time = 0;
  std::uint64_t transaction = 0;
  std::uint32_t flags = 0;  // bit 0: needs_check
  std::uint32_t version = 2;
  std::uint64_t data_block_size = 128;  // sectors
  std::uint64_t nr_data_blocks = 0;
  std::optional<std::uint64_t> metadata_snap;  // the held root's metadata block
  std::vector<ThinDumpDevice> devices;

  friend bool operator==(const ThinDump&, const ThinDump&) = default;
};

// More runs than this are not gathered into one value: a small image can name very many.
inline constexpr std::uint64_t kMaxThinDumpRuns = std::uint64_t{1} << 24;

// The last commit of `metadata`: devices ascending, runs ascending and as long as possible.
// Errors: kIo, kBadMsg as ThinMetadata; kFBig  more than kMaxThinDumpRuns runs.
Result<ThinDump> ReadThinDump(const OpContext& op, ThinMetadata& metadata);

// Writes metadata that says what `dump` says, over whatever `metadata` holds. As thin_restore: the
// runs of a device may stand in any order, the later of two runs that map one virtual block wins,
// mapped_blocks is counted anew, and metadata_snap is not restored. A restore that fails with
// kNoSpc or kIo leaves the device without metadata.
//
// Errors, in the order they are checked:
//   kInval  version is not 1 or 2, data_block_size is 0 or above 2^32-1, a uuid of more than 16
//   bytes,
//           more than 2^40 data blocks, a run past the data blocks or past 2^64, a time of a run
//           above 24 bits
//   kExist  two devices of one id
//   kNoSpc  the metadata device is too small
//   kIo     the device fails
Result<void> RestoreThinMetadata(const OpContext& op, const ThinDump& dump, BlockDevice& metadata);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_DUMP_H_
