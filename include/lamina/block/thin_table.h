// The table lines of the targets thin-pool and thin, read and written.
//
//   0 2097152 thin-pool META DATA BLOCK_SIZE LOW_WATER [#FEATURES FEATURE...]
//   0 20971520 thin POOL ID [EXTERNAL_ORIGIN]
//
// Device names are words; who opens the target knows which devices they mean.
//
// Source: devicemapper.md sections 2, 4 and 11. Threads: plain values.
#ifndef LAMINA_BLOCK_THIN_TABLE_H_
#define LAMINA_BLOCK_THIN_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/base/ids.h"
#include "lamina/block/table_result.h"

namespace lamina {

inline constexpr std::uint64_t kMinThinBlockSectors = 128;        // 64 KiB
inline constexpr std::uint64_t kMaxThinBlockSectors = 2'097'152;  // 1 GiB

// As requested; what is absent has the kernel's default, false.
struct ThinPoolFeatures {
  bool skip_block_zeroing = false;
  bool ignore_discard = false;
  bool no_discard_passdown = false;
  bool read_only = false;
  bool error_if_no_space = false;
  friend bool operator==(const ThinPoolFeatures&, const ThinPoolFeatures&) = default;
};

struct ThinPoolTable {
  std::uint64_t length_sectors = 0;
  std::string metadata_device;
  std::string data_device;
  std::uint64_t block_sectors = kMinThinBlockSectors;
  std::uint64_t low_water_blocks = 0;  // 0: an event at exhaustion only
  ThinPoolFeatures features = {};
  friend bool operator==(const ThinPoolTable&, const ThinPoolTable&) = default;
};

struct ThinTable {
  std::uint64_t start_sector = 0;  // where the target begins in its table
  std::uint64_t length_sectors = 0;
  std::string pool_device;
  ThinId id;
  std::string external_origin;  // empty: none
  friend bool operator==(const ThinTable&, const ThinTable&) = default;
};

// Reads one table line; words are separated by blanks. As in the kernel, words behind the counted
// features are not looked at.
//
// Errors, all kInval, in the order they are checked:
//   not one line; start or length no number; another target; a start other than 0; a length of 0;
//   fewer than 4 arguments; metadata and data by the same name; a feature count that is no number,
//   above 4 or above the words that follow; an unknown feature (any case is known); a block size
//   that is no number, below 128, above 2097152 or no multiple of 128 (192 is legal all the same:
//   DM-039); a low water mark that is no number
TableResult<ThinPoolTable> ParseThinPoolTable(std::string_view text);

// The same rules for a table that was not read from text. Errors: kInval, as above.
std::optional<TableError> CheckThinPoolTable(const ThinPoolTable& table);

// Reads one table line of the target thin.
//
// Errors, all kInval, in the order they are checked:
//   not one line; start or length no number; another target; a length of 0, or one past 2^64; not 2
//   or 3 arguments; an origin that is the pool; an id that is no number or above 16777215
TableResult<ThinTable> ParseThinTable(std::string_view text);

// What `dmsetup table` shows behind "<start> <length> <target> ", names as they are. A pool's text
// ends in a blank, as in the kernel. Features come in the kernel's order:
// skip_block_zeroing, ignore_discard, no_discard_passdown, read_only, error_if_no_space.
std::string TableText(const ThinPoolTable& table);
std::string TableText(const ThinTable& table);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_TABLE_H_
