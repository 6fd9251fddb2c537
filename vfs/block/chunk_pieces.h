// Requests in pieces that lie in one chunk each, as device-mapper splits them.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_BLOCK_CHUNK_PIECES_H_
#define LAMINA_VFS_BLOCK_CHUNK_PIECES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "lamina/block/block_device.h"

namespace lamina::internal {

// Calls visit(SectorRange piece) in order until one fails. chunk_sectors 0: one piece.
template <typename Visit>
Result<void> ForEachPiece(SectorRange range, std::uint64_t chunk_sectors, Visit visit) {
  for (std::uint64_t done = 0; done < range.count;) {
    const std::uint64_t first = range.first.value + done;
    const std::uint64_t left = range.count - done;
    const std::uint64_t count =
        chunk_sectors == 0 ? left : std::min(left, chunk_sectors - first % chunk_sectors);
    if (Result<void> visited = visit(SectorRange{Sector{first}, count}); !visited.ok()) {
      return visited;
    }
    done += count;
  }
  return {};
}

// The bytes of `piece` in a buffer that begins with `first`.
template <typename Span>
Span PartOf(Span bytes, Sector first, SectorRange piece) {
  const std::uint64_t at = (piece.first.value - first.value) * kSectorBytes;
  return bytes.subspan(static_cast<std::size_t>(at),
                       static_cast<std::size_t>(piece.count * kSectorBytes));
}

// From one device to another.
inline Result<void> CopyBetween(const OpContext& op, BlockDevice& from, SectorRange range,
                                BlockDevice& into, Sector to) {
  return InPieces(range.count, [&](std::uint64_t at, MutableBytes bytes) -> Result<void> {
    Result<void> read = from.Read(op, Sector{range.first.value + at}, bytes);
    return read.ok() ? into.Write(op, Sector{to.value + at}, bytes) : read;
  });
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_CHUNK_PIECES_H_
