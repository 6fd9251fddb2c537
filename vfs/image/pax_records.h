// Pax records: "length key=value\n", again and again, in an extended header before the entry they
// describe (type 'x') or before all that follow (type 'g').
//
// Source: POSIX.1-2017 pax, "pax Extended Header"; the SCHILY, LIBARCHIVE and GNU.sparse keys as
// star, libarchive and GNU tar write them.
//
// Threads: plain values.
#ifndef LAMINA_IMAGE_PAX_RECORDS_H_
#define LAMINA_IMAGE_PAX_RECORDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/base/time.h"
#include "vfs/image/sparse_map.h"

namespace lamina {

struct PaxLimits {
  std::uint64_t max_xattr_bytes = 0;
  std::uint64_t max_sparse_extents = 0;
};

// What the records say about an entry; absent = the header's field holds.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link;
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<Instant> mtime;
  std::optional<Instant> atime;
  std::optional<Instant> ctime;
  std::optional<std::uint32_t> major;
  std::optional<std::uint32_t> minor;
  std::map<std::string, std::string, std::less<>> xattrs;
  std::uint64_t xattr_bytes = 0;

  std::optional<std::uint64_t> sparse_size_bytes;  // GNU.sparse.size, GNU.sparse.realsize
  std::optional<std::string> sparse_name;
  std::uint64_t sparse_major = 0;  // 1: the map stands before the body
  std::optional<SparseMap> sparse_map;
  std::optional<std::uint64_t> sparse_offset;  // a pair of format 0.0 that is half read
  std::uint64_t ignored = 0;                   // records with a meaning that is not read
};

// Adds the records in `text` to `records`; a key that is there already gets the new value, an empty
// value takes it away (not of an xattr, which can be empty).
// Errors: InvalidArgument a length that does not fit its record, no '=', a NUL in a name, a bad
// number; ResourceExhausted.
absl::Status ParsePaxRecords(std::string_view text, const PaxLimits& limits, PaxRecords& records);

// Decimal digits only. `field` is for the message. Errors: InvalidArgument.
absl::StatusOr<std::uint64_t> ParsePaxNumber(std::string_view text, std::string_view field);

// Seconds, perhaps negative, perhaps with a fraction. Errors: InvalidArgument.
absl::StatusOr<Instant> ParsePaxTime(std::string_view text, std::string_view field);

}  // namespace lamina
#endif  // LAMINA_IMAGE_PAX_RECORDS_H_
