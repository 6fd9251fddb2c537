// Big-endian numbers in bytes, as JBD2 writes them.
#ifndef LAMINA_VFS_EXT_BIG_ENDIAN_H_
#define LAMINA_VFS_EXT_BIG_ENDIAN_H_

#include <cstddef>
#include <cstdint>

#include "lamina/base/bytes.h"
#include "lamina/base/check.h"

namespace lamina::internal {

inline std::uint64_t GetBig(Bytes from, std::size_t at, std::size_t bytes) {
  LAMINA_CHECK(at + bytes <= from.size());
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value = value << 8 | std::to_integer<std::uint64_t>(from[at + i]);
  }
  return value;
}

inline void PutBig(MutableBytes into, std::size_t at, std::size_t bytes, std::uint64_t value) {
  LAMINA_CHECK(at + bytes <= into.size());
  for (std::size_t i = bytes; i-- > 0; value >>= 8) into[at + i] = static_cast<std::byte>(value);
}

inline std::uint16_t GetBig16(Bytes from, std::size_t at) {
  return static_cast<std::uint16_t>(GetBig(from, at, 2));
}
inline std::uint32_t GetBig32(Bytes from, std::size_t at) {
  return static_cast<std::uint32_t>(GetBig(from, at, 4));
}
inline void PutBig16(MutableBytes into, std::size_t at, std::uint16_t value) {
  PutBig(into, at, 2, value);
}
inline void PutBig32(MutableBytes into, std::size_t at, std::uint32_t value) {
  PutBig(into, at, 4, value);
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_EXT_BIG_ENDIAN_H_
