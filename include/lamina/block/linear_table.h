// The table line of the target linear, read and written.
//
//   0 2097152 linear <device> <first sector>
//
// Device names are words; who opens the target knows which devices they mean.
//
// Source: the kernel's device-mapper/linear.rst. Threads: plain values.
#ifndef LAMINA_BLOCK_LINEAR_TABLE_H_
#define LAMINA_BLOCK_LINEAR_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/block/table_result.h"

namespace lamina {

struct LinearTable {
  std::uint64_t start_sector = 0;  // where the target begins in its table
  std::uint64_t length_sectors = 0;
  std::string device;
  std::uint64_t first_sector = 0;  // of the device
  friend bool operator==(const LinearTable&, const LinearTable&) = default;
};

// Reads one table line; words are separated by blanks.
//
// Errors, all kInval, in the order they are checked:
//   not one line; start or length no number; another target; a length of 0; not 2 arguments; a
//   first sector that is no number
TableResult<LinearTable> ParseLinearTable(std::string_view text);

// What `dmsetup table` shows behind "<start> <length> linear ".
std::string TableText(const LinearTable& table);

}  // namespace lamina
#endif  // LAMINA_BLOCK_LINEAR_TABLE_H_
