#include "vfs/image/pax_records.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace lamina {
namespace {

constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";
constexpr std::string_view kSparse = "GNU.sparse.";

// Records without a meaning for a layer: names of users (layers go by number), remarks, what the
// tar knew of its own disk.
constexpr std::string_view kMeaningless[] = {
    "uname",      "gname",      "comment",      "charset",         "hdrcharset",
    "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink", "SCHILY.realsize", "LIBARCHIVE.creationtime",
};

absl::Status BadRecord(std::string_view reason) {
  return absl::InvalidArgumentError(absl::StrFormat("bad pax record: %s", reason));
}

absl::Status SetName(std::string_view key, std::string_view value,
                     std::optional<std::string>& into) {
  into.reset();
  if (value.empty()) return absl::OkStatus();
  if (value.find('\0') != std::string_view::npos) {
    return BadRecord(absl::StrFormat("%s has a NUL", key));
  }
  into = std::string(value);
  return absl::OkStatus();
}

template <typename Number>
absl::Status SetNumber(std::string_view key, std::string_view value, std::optional<Number>& into) {
  into.reset();
  if (value.empty()) return absl::OkStatus();
  const absl::StatusOr<std::uint64_t> number = ParsePaxNumber(value, key);
  if (!number.ok()) return number.status();
  if (*number > std::numeric_limits<Number>::max()) {
    return BadRecord(absl::StrFormat("%s is out of range", key));
  }
  into = static_cast<Number>(*number);
  return absl::OkStatus();
}

absl::Status SetTime(std::string_view key, std::string_view value, std::optional<Instant>& into) {
  into.reset();
  if (value.empty()) return absl::OkStatus();
  const absl::StatusOr<Instant> time = ParsePaxTime(value, key);
  if (!time.ok()) return time.status();
  into = *time;
  return absl::OkStatus();
}

absl::Status SetXattr(std::string key, std::string value, const PaxLimits& limits,
                      PaxRecords& records) {
  if (key.empty()) return BadRecord("an xattr without a name");
  if (key.find('\0') != std::string::npos) return BadRecord("the name of an xattr has a NUL");
  const auto old = records.xattrs.find(key);
  if (old != records.xattrs.end()) {
    records.xattr_bytes -= old->first.size() + old->second.size();
    records.xattrs.erase(old);
  }
  records.xattr_bytes += key.size() + value.size();
  if (records.xattr_bytes > limits.max_xattr_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("xattrs of more than %d bytes (max_xattr_bytes)", limits.max_xattr_bytes));
  }
  records.xattrs.emplace(std::move(key), std::move(value));
  return absl::OkStatus();
}

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// %XX becomes one byte; anything else stays.
std::string UrlDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool whole = text[at] == '%' && text.size() - at > 2;
    const int high = whole ? HexDigit(text[at + 1]) : -1;
    const int low = whole ? HexDigit(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      decoded.push_back(text[at]);
      continue;
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return decoded;
}

absl::Status SetLibarchiveXattr(std::string_view key, std::string_view value,
                                const PaxLimits& limits, PaxRecords& records) {
  std::string decoded;
  if (!absl::Base64Unescape(absl::string_view(value.data(), value.size()), &decoded)) {
    return BadRecord("the value of an xattr is not base 64");
  }
  return SetXattr(UrlDecode(key), std::move(decoded), limits, records);
}

// Format 0.0: an offset, then its length.
absl::Status AddSparsePair(std::string_view key, std::string_view value, const PaxLimits& limits,
                           PaxRecords& records) {
  const absl::StatusOr<std::uint64_t> number = ParsePaxNumber(value, "sparse map");
  if (!number.ok()) return number.status();
  if (key == "offset") {
    if (records.sparse_offset.has_value()) return BadRecord("two sparse offsets in a row");
    records.sparse_offset = *number;
    return absl::OkStatus();
  }
  if (!records.sparse_offset.has_value()) return BadRecord("a sparse length without an offset");
  if (!records.sparse_map.has_value()) records.sparse_map.emplace();
  if (records.sparse_map->size() >= limits.max_sparse_extents) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "a sparse map of more than %d extents (max_sparse_extents)", limits.max_sparse_extents));
  }
  records.sparse_map->push_back({*records.sparse_offset, *number});
  records.sparse_offset.reset();
  return absl::OkStatus();
}

// `key` without its "GNU.sparse.".
absl::Status SetSparse(std::string_view key, std::string_view value, const PaxLimits& limits,
                       PaxRecords& records) {
  if (key == "name") return SetName("GNU.sparse.name", value, records.sparse_name);
  if (key == "size" || key == "realsize") return SetNumber(key, value, records.sparse_size_bytes);
  if (key == "offset" || key == "numbytes") return AddSparsePair(key, value, limits, records);
  if (key == "map") {
    absl::StatusOr<SparseMap> map = ParseSparseText(value, limits.max_sparse_extents);
    if (!map.ok()) return map.status();
    records.sparse_map = *std::move(map);
    return absl::OkStatus();
  }
  if (key == "major" || key == "minor") {
    const absl::StatusOr<std::uint64_t> version = ParsePaxNumber(value, "sparse version");
    if (!version.ok()) return version.status();
    if (*version > 1) return BadRecord("a sparse format that is not known");  // 0.0, 0.1, 1.0
    if (key == "major") records.sparse_major = *version;
  }
  return absl::OkStatus();  // numblocks says nothing new
}

absl::Status SetRecord(std::string_view key, std::string_view value, const PaxLimits& limits,
                       PaxRecords& records) {
  if (key == "path") return SetName(key, value, records.path);
  if (key == "linkpath") return SetName(key, value, records.link);
  if (key == "size") return SetNumber(key, value, records.size_bytes);
  if (key == "uid") return SetNumber(key, value, records.uid);
  if (key == "gid") return SetNumber(key, value, records.gid);
  if (key == "mtime") return SetTime(key, value, records.mtime);
  if (key == "atime") return SetTime(key, value, records.atime);
  if (key == "ctime") return SetTime(key, value, records.ctime);
  if (key == "SCHILY.devmajor") return SetNumber(key, value, records.major);
  if (key == "SCHILY.devminor") return SetNumber(key, value, records.minor);
  if (key.starts_with(kSparse)) {
    return SetSparse(key.substr(kSparse.size()), value, limits, records);
  }
  if (key.starts_with(kSchilyXattr)) {
    return SetXattr(std::string(key.substr(kSchilyXattr.size())), std::string(value), limits,
                    records);
  }
  if (key.starts_with(kLibarchiveXattr)) {
    return SetLibarchiveXattr(key.substr(kLibarchiveXattr.size()), value, limits, records);
  }
  const bool meaningless =
      std::find(std::begin(kMeaningless), std::end(kMeaningless), key) != std::end(kMeaningless);
  if (!meaningless) ++records.ignored;
  return absl::OkStatus();
}

}  // namespace

absl::Status ParsePaxRecords(std::string_view text, const PaxLimits& limits, PaxRecords& records) {
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0) return BadRecord("no length");
    const absl::StatusOr<std::uint64_t> length = ParsePaxNumber(text.substr(0, space), "length");
    if (!length.ok()) return BadRecord("its length is not a number");
    if (*length > text.size()) return BadRecord("its length passes the end of the header");
    if (*length < space + 3) return BadRecord("its length is too short");
    const std::string_view record = text.substr(space + 1, *length - space - 1);
    if (record.back() != '\n') return BadRecord("its length does not end at a line end");
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) return BadRecord("no key");
    const std::string_view value = record.substr(equals + 1, record.size() - equals - 2);
    absl::Status set = SetRecord(record.substr(0, equals), value, limits, records);
    if (!set.ok()) return set;
    text.remove_prefix(*length);
  }
  if (records.sparse_offset.has_value()) return BadRecord("a sparse offset without a length");
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> ParsePaxNumber(std::string_view text, std::string_view field) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
    return absl::InvalidArgumentError(absl::StrFormat("the %s is not a number in range", field));
  }
  return value;
}

absl::StatusOr<Instant> ParsePaxTime(std::string_view text, std::string_view field) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  absl::StatusOr<std::uint64_t> seconds = ParsePaxNumber(text.substr(0, point), field);
  if (!seconds.ok()) return seconds.status();

  std::int64_t nanoseconds = 0;
  std::int64_t unit = kNanosecondsPerSecond / 10;
  for (const char digit : text.substr(std::min(point + 1, text.size()))) {
    if (digit < '0' || digit > '9') {
      return absl::InvalidArgumentError(absl::StrFormat("the %s is not a time", field));
    }
    nanoseconds += (digit - '0') * unit;  // digits beyond the ninth count nothing
    unit /= 10;
  }
  constexpr std::uint64_t kFar = std::uint64_t{1} << 40U;  // clamped anyway
  const auto whole = static_cast<std::int64_t>(std::min(*seconds, kFar));
  return negative ? ClampedInstant(-whole, -nanoseconds) : ClampedInstant(whole, nanoseconds);
}

}  // namespace lamina
