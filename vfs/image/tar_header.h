// One 512-byte header block of a tar: its fields as numbers and strings, nothing decided yet.
//
//   0    name 100 · mode 8 · uid 8 · gid 8 · size 12 · mtime 12 · checksum 8 · type 1 · link 100
//   257  magic 8 · user 32 · group 32 · device major 8 · minor 8
//   345  prefix 155                                        ustar
//   345  prefix 131 · atime 12 · ctime 12 · ... "tar"      star
//   345  atime 12 · ctime 12 · ... sparse · real size      GNU
//
// Sources: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
//
// Threads: pure functions.
#ifndef LAMINA_IMAGE_TAR_HEADER_H_
#define LAMINA_IMAGE_TAR_HEADER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/base/time.h"

namespace lamina {

inline constexpr std::size_t kTarBlockBytes = 512;
using TarBlock = std::array<char, kTarBlockBytes>;

struct TarHeader {
  char type = '0';
  std::string name;  // prefix joined
  std::string link;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size_bytes = 0;
  Instant mtime;
  std::optional<Instant> atime;
  std::optional<Instant> ctime;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};

// The end mark of a tar is two blocks of zeros.
bool IsZeroBlock(const TarBlock& block);

// Errors: InvalidArgument a wrong checksum, or a field that is no number or out of range.
absl::StatusOr<TarHeader> ParseTarHeader(const TarBlock& block);

// A number of a header field: octal digits between spaces and NULs, or base 256 (first bit set).
// Empty is 0. `field` is for the message.
absl::StatusOr<std::int64_t> ParseTarNumber(std::string_view bytes, std::string_view field);

// An instant from a time in seconds; clamped to what an Instant holds, as Linux clamps to what a
// file system holds.
Instant ClampedInstant(std::int64_t seconds, std::int64_t nanoseconds);

}  // namespace lamina
#endif  // LAMINA_IMAGE_TAR_HEADER_H_
