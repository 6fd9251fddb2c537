// How much host memory the blocks of a MemFs take, counted as the C library hands them out.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_FS_MEM_FOOTPRINT_H_
#define LAMINA_VFS_FS_MEM_FOOTPRINT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lamina/store/radix_map.h"

namespace lamina::internal {

// A heap block of `bytes`: 8 bytes of bookkeeping, multiples of 16, at least 32 (glibc, 64 bits).
constexpr std::uint64_t HeapBlock(std::size_t bytes) {
  return std::max<std::uint64_t>(32, (bytes + 8 + 15) / 16 * 16);
}

// The nodes of a map; not what its values point to.
template <typename V>
std::uint64_t RadixFootprint(const RadixMap<V>& map) {
  std::uint64_t leaves = 0;
  std::uint64_t last_leaf = ~std::uint64_t{0};
  map.ForEach([&](std::uint64_t key, const V&) {
    if (key / kRadixFanOut != last_leaf) ++leaves;
    last_leaf = key / kRadixFanOut;
  });
  const std::uint64_t inner = map.CountNodes().nodes - leaves;
  return leaves * HeapBlock(sizeof(RadixLeaf<V>)) + inner * HeapBlock(sizeof(RadixInner));
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_FOOTPRINT_H_
