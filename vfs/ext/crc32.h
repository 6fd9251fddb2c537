// The two checksums of journals: crc32c (bits reflected) and the kernel's crc32_be (not reflected).
// Neither inverts its result: the caller seeds with ~0 and compares what comes out.
#ifndef LAMINA_VFS_EXT_CRC32_H_
#define LAMINA_VFS_EXT_CRC32_H_

#include <array>
#include <cstdint>

#include "lamina/base/bytes.h"

namespace lamina::internal {

inline std::uint32_t Crc32c(std::uint32_t seed, Bytes bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
      table[i] = crc;
    }
    return table;
  }();
  for (const std::byte byte : bytes) {
    seed = seed >> 8 ^ kTable[(seed ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return seed;
}

inline std::uint32_t Crc32Be(std::uint32_t seed, Bytes bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i << 24;
      for (int bit = 0; bit < 8; ++bit) crc = crc << 1 ^ ((crc >> 31) != 0 ? 0x04c11db7u : 0);
      table[i] = crc;
    }
    return table;
  }();
  for (const std::byte byte : bytes) {
    seed = seed << 8 ^ kTable[(seed >> 24 ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  }
  return seed;
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_EXT_CRC32_H_
