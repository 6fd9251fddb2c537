#include "vfs/image/tar_header.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_format.h"

namespace lamina {
namespace {

constexpr std::size_t kChecksumOffset = 148;
constexpr std::size_t kChecksumBytes = 8;

std::string_view Field(const TarBlock& block, std::size_t offset, std::size_t size) {
  return std::string_view(block.data(), block.size()).substr(offset, size);
}

// A string field ends at its first NUL, or at its last byte.
std::string_view Text(const TarBlock& block, std::size_t offset, std::size_t size) {
  const std::string_view field = Field(block, offset, size);
  return field.substr(0, field.find('\0'));
}

// Old tars sum signed characters.
bool ChecksumMatches(const TarBlock& block, std::int64_t stored) {
  std::int64_t sum_unsigned = 0;
  std::int64_t sum_signed = 0;
  for (std::size_t at = 0; at < block.size(); ++at) {
    const bool own = at >= kChecksumOffset && at < kChecksumOffset + kChecksumBytes;
    const char byte = own ? ' ' : block[at];
    sum_unsigned += static_cast<unsigned char>(byte);
    sum_signed += static_cast<signed char>(byte);
  }
  return stored == sum_unsigned || stored == sum_signed;
}

absl::StatusOr<std::int64_t> ParseBase256(std::string_view bytes, std::string_view field) {
  const bool negative = (static_cast<unsigned char>(bytes[0]) & 0x40U) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    unsigned byte = static_cast<unsigned char>(bytes[at]);
    if (at == 0) byte = negative ? (byte | 0x80U) : (byte & 0x3fU);
    const std::uint64_t top = value >> 55U;  // the sign and what the shift pushes out
    if (top != (negative ? 0x1ffU : 0U)) {
      return absl::InvalidArgumentError(absl::StrFormat("the %s is out of range", field));
    }
    value = (value << 8U) | byte;
  }
  return static_cast<std::int64_t>(value);
}

// Reads `field` into an unsigned number of `Number`'s width.
template <typename Number>
absl::Status ParseUnsigned(std::string_view bytes, std::string_view field, Number& into) {
  const absl::StatusOr<std::int64_t> value = ParseTarNumber(bytes, field);
  if (!value.ok()) return value.status();
  if (*value < 0) return absl::InvalidArgumentError(absl::StrFormat("the %s is negative", field));
  const auto number = static_cast<std::uint64_t>(*value);
  if (number > std::numeric_limits<Number>::max()) {
    return absl::InvalidArgumentError(absl::StrFormat("the %s is out of range", field));
  }
  into = static_cast<Number>(number);
  return absl::OkStatus();
}

absl::Status ParseTime(std::string_view bytes, std::string_view field, Instant& into) {
  const absl::StatusOr<std::int64_t> value = ParseTarNumber(bytes, field);
  if (!value.ok()) return value.status();
  into = ClampedInstant(*value, 0);
  return absl::OkStatus();
}

absl::Status ParseOptionalTime(std::string_view bytes, std::string_view field,
                               std::optional<Instant>& into) {
  if (bytes.find_first_not_of(std::string_view("\0 ", 2)) == std::string_view::npos) {
    return absl::OkStatus();
  }
  return ParseTime(bytes, field, into.emplace());
}

// What differs between v7, ustar, star and GNU: the use of the bytes from 257 on.
absl::Status ParseDialect(const TarBlock& block, TarHeader& header) {
  const std::string_view magic = Field(block, 257, 8);
  const bool gnu = magic == std::string_view("ustar  \0", 8);
  const bool posix = magic.substr(0, 6) == std::string_view("ustar\0", 6);
  if (!gnu && !posix) return absl::OkStatus();  // v7

  if (header.type == '3' || header.type == '4') {
    absl::Status major = ParseUnsigned(Field(block, 329, 8), "device major number", header.major);
    if (!major.ok()) return major;
    absl::Status minor = ParseUnsigned(Field(block, 337, 8), "device minor number", header.minor);
    if (!minor.ok()) return minor;
  }
  const bool star = posix && Field(block, 508, 4) == std::string_view("tar\0", 4);
  if (posix) {
    const std::string_view prefix = Text(block, 345, star ? 131 : 155);
    if (!prefix.empty()) header.name = std::string(prefix) + "/" + header.name;
  }
  if (!gnu && !star) return absl::OkStatus();
  const std::size_t times = gnu ? 345 : 476;
  absl::Status atime = ParseOptionalTime(Field(block, times, 12), "atime", header.atime);
  if (!atime.ok()) return atime;
  return ParseOptionalTime(Field(block, times + 12, 12), "ctime", header.ctime);
}

}  // namespace

bool IsZeroBlock(const TarBlock& block) {
  return std::all_of(block.begin(), block.end(), [](char byte) { return byte == '\0'; });
}

absl::StatusOr<std::int64_t> ParseTarNumber(std::string_view bytes, std::string_view field) {
  if (!bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0) {
    return ParseBase256(bytes, field);
  }
  std::size_t at = bytes.find_first_not_of(' ');
  std::uint64_t value = 0;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
    value = value * 8 + static_cast<std::uint64_t>(bytes[at] - '0');  // at most 12 digits: fits
  }
  for (; at < bytes.size(); ++at) {
    if (bytes[at] == '\0') break;  // what follows the end is not ours to judge
    if (bytes[at] != ' ') {
      return absl::InvalidArgumentError(absl::StrFormat("the %s is not an octal number", field));
    }
  }
  return static_cast<std::int64_t>(value);
}

Instant ClampedInstant(std::int64_t seconds, std::int64_t nanoseconds) {
  constexpr std::int64_t kMaxSeconds =
      std::numeric_limits<std::int64_t>::max() / kNanosecondsPerSecond - 1;
  if (seconds > kMaxSeconds) return InstantFromSeconds(kMaxSeconds);
  if (seconds < -kMaxSeconds) return InstantFromSeconds(-kMaxSeconds);
  return InstantFromSeconds(seconds, nanoseconds);
}

absl::StatusOr<TarHeader> ParseTarHeader(const TarBlock& block) {
  const absl::StatusOr<std::int64_t> checksum =
      ParseTarNumber(Field(block, kChecksumOffset, kChecksumBytes), "checksum");
  if (!checksum.ok() || !ChecksumMatches(block, *checksum)) {
    return absl::InvalidArgumentError("not a tar header: the checksum is wrong");
  }
  TarHeader header;
  header.type = block[156];
  header.name = std::string(Text(block, 0, 100));
  header.link = std::string(Text(block, 157, 100));
  std::uint64_t mode = 0;
  absl::Status parsed = ParseUnsigned(Field(block, 100, 8), "mode", mode);
  header.mode = static_cast<std::uint16_t>(mode & 07777U);  // v7 keeps the type above
  if (parsed.ok()) parsed = ParseUnsigned(Field(block, 108, 8), "owner", header.uid);
  if (parsed.ok()) parsed = ParseUnsigned(Field(block, 116, 8), "group", header.gid);
  if (parsed.ok()) parsed = ParseUnsigned(Field(block, 124, 12), "size", header.size_bytes);
  if (parsed.ok()) parsed = ParseTime(Field(block, 136, 12), "mtime", header.mtime);
  if (parsed.ok()) parsed = ParseDialect(block, header);
  if (!parsed.ok()) return parsed;
  return header;
}

}  // namespace lamina
