#include "lamina/block/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace lamina {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected
constexpr std::size_t kStride = 8;                 // bytes taken at once

// Table k gives the effect of a byte that is followed by k zero bytes.
using Tables = std::array<std::array<std::uint32_t, 256>, kStride>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = rest;
  }
  for (std::size_t k = 1; k < kStride; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

std::uint32_t internal::Crc32cOverTables(std::uint32_t crc, Bytes bytes) {
  while (bytes.size() >= kStride) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < kStride; ++i) {
      const auto byte = std::to_integer<std::uint32_t>(bytes[i]);
      const std::uint32_t mixed = i < 4 ? (crc >> (8 * i)) & 0xff : 0;
      next ^= kTables[kStride - 1 - i][byte ^ mixed];
    }
    crc = next;
    bytes = bytes.subspan(kStride);
  }
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return crc;
}

namespace {

#if defined(__x86_64__)

// The processor's own instruction: a block of 4 KiB in half a microsecond.
__attribute__((target("sse4.2"))) std::uint32_t OverInstruction(std::uint32_t crc, Bytes bytes) {
  std::uint64_t wide = crc;
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size() / kStride * kStride;
  for (; at != end; at += kStride) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, kStride);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  bytes = bytes.last(bytes.size() % kStride);
  return internal::Crc32cOverTables(static_cast<std::uint32_t>(wide), bytes);
}

#endif

}  // namespace

std::uint32_t Crc32cOf(std::uint32_t start, Bytes bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return OverInstruction(start, bytes);
#endif
  return internal::Crc32cOverTables(start, bytes);
}

}  // namespace lamina
