// Bits of an on-disk bitmap: bit i is bit i % 8 of byte i / 8.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_EXT_BITMAP_H_
#define LAMINA_VFS_EXT_BITMAP_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lamina/base/bytes.h"

namespace lamina::ext {

inline bool TestBit(Bytes bitmap, std::uint32_t bit) {
  return (static_cast<unsigned>(bitmap[bit / 8]) >> (bit % 8) & 1U) != 0;
}
inline void SetBit(MutableBytes bitmap, std::uint32_t bit) {
  bitmap[bit / 8] |= static_cast<std::byte>(1U << (bit % 8));
}
inline void ClearBit(MutableBytes bitmap, std::uint32_t bit) {
  bitmap[bit / 8] &= static_cast<std::byte>(~(1U << (bit % 8)));
}
inline std::uint64_t BitWord(Bytes bitmap, std::uint32_t word) {
  std::uint64_t value = 0;
  std::memcpy(&value, bitmap.data() + std::size_t{word} * 8, 8);
  return value;
}

// The first bit in [from, end) that is 0 in the words that `word_at(index)` gives; `end` when there
// is none.
template <typename Word>
std::uint32_t FindZero(std::uint32_t from, std::uint32_t end, Word word_at) {
  while (from < end) {
    const std::uint32_t word = from / 64;
    const std::uint64_t used = word_at(word) | ((std::uint64_t{1} << (from % 64)) - 1);
    if (used != ~std::uint64_t{0}) {
      const std::uint32_t bit = word * 64 + static_cast<std::uint32_t>(std::countr_one(used));
      return bit < end ? bit : end;
    }
    from = (word + 1) * 64;
  }
  return end;
}

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_BITMAP_H_
