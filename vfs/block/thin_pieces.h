// Requests of a thin device, cut at the borders of data blocks; and those that wait.
//
// Threads: as the pool.
#ifndef LAMINA_VFS_BLOCK_THIN_PIECES_H_
#define LAMINA_VFS_BLOCK_THIN_PIECES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lamina/block/thin_device.h"

namespace lamina::internal {

// The part of a request that lies in one virtual block.
struct ThinPiece {
  std::uint64_t virtual_block = 0;
  std::uint64_t offset_sectors = 0;  // in the block
};

// A piece of a ThinDevice::Submit that waits for space or for the resume.
struct WaitingWrite {
  ThinDevice* device;
  ThinPiece piece;
  std::vector<std::byte> bytes;
  std::shared_ptr<ThinWriteState> state;

  void End(Result<void> result) {
    --state->waiting_pieces;
    if (!result.ok() && !state->error.has_value()) state->error = result.error();
  }
};

// Calls visit(piece, byte offset in the request, bytes) for every piece until it gives an error.
template <typename Visit>
Result<void> ForEachPiece(std::uint64_t block_sectors, Sector first, std::size_t bytes,
                          Visit visit) {
  ThinPiece piece{first.value / block_sectors, first.value % block_sectors};
  for (std::size_t done = 0; done < bytes;) {
    const std::uint64_t room = (block_sectors - piece.offset_sectors) * kSectorBytes;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - done, room));
    if (Result<void> visited = visit(piece, done, count); !visited.ok()) return visited;
    done += count;
    piece = {piece.virtual_block + 1, 0};
  }
  return {};
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_THIN_PIECES_H_
