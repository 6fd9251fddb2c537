// BlockDevice: numbered sectors of 512 bytes (seam 2). Everything below a file system that stands
// on blocks: a memory disk, a thin device, a device that crashes.
//
// Threads: thread-compatible; one writer at a time.
#ifndef LAMINA_BLOCK_BLOCK_DEVICE_H_
#define LAMINA_BLOCK_BLOCK_DEVICE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "lamina/base/bytes.h"
#include "lamina/base/ids.h"
#include "lamina/base/result.h"
#include "lamina/trace/op_context.h"

namespace lamina {

inline constexpr std::uint64_t kSectorBytes = 512;

struct SectorRange {
  Sector first;
  std::uint64_t count = 0;
};

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  // The device's length in sectors; never changes except by a documented resize.
  virtual std::uint64_t size_sectors() const = 0;

  // Reads whole sectors from `first`.
  //
  // Errors, in the order they are checked:
  //   kInval  the length is not a multiple of 512 bytes, or the range passes the end
  //   kIo     the medium fails
  virtual Result<void> Read(const OpContext& op, Sector first, MutableBytes into) = 0;

  // Writes whole sectors from `first`. Durable only after Flush. Errors as Read, and:
  //   kNoSpc  no space behind a device that allocates on write
  //   kRoFs   the device is read-only
  virtual Result<void> Write(const OpContext& op, Sector first, Bytes from) = 0;

  // A durability barrier: every write before it survives a crash.
  virtual Result<void> Flush(const OpContext& op) = 0;

  // Tells that the content of `range` is not needed; reads of it may give zeros or old data.
  // Errors: kInval as Read; kOpNotSupp the device does not know discard.
  virtual Result<void> Discard(const OpContext& op, SectorRange range) = 0;

  // The longest discard the device takes in one piece, in sectors. 0: it does not know discard.
  virtual std::uint64_t max_discard_sectors() const {
    return std::numeric_limits<std::uint64_t>::max();
  }

  // The same as a Read of `from` and a Write at `to`, which must not overlap: what a thin pool and
  // dm-snapshot do when they copy a block. A device in memory may share the bytes instead; its
  // events are those of the Read and the Write. Errors: as Read, then as Write.
  virtual Result<void> CopySectors(const OpContext& op, SectorRange from, Sector to);
  // The same as a Write of zeros, whatever the length. Errors: as Write.
  virtual Result<void> WriteZeros(const OpContext& op, SectorRange range);
};

namespace internal {

// The longest transfer that a copy without help makes.
inline constexpr std::uint64_t kCopySectors = (std::uint64_t{1} << 20) / kSectorBytes;

// Calls transfer(offset, bytes) for pieces of `count` sectors, with a buffer of zeros at first.
template <typename Transfer>
Result<void> InPieces(std::uint64_t count, Transfer transfer) {
  std::vector<std::byte> buffer(std::min(count, kCopySectors) * kSectorBytes);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t piece = std::min(count - done, kCopySectors);
    const MutableBytes bytes(buffer.data(), static_cast<std::size_t>(piece * kSectorBytes));
    if (Result<void> moved = transfer(done, bytes); !moved.ok()) return moved;
    done += piece;
  }
  return {};
}

}  // namespace internal

inline Result<void> BlockDevice::CopySectors(const OpContext& op, SectorRange from, Sector to) {
  return internal::InPieces(from.count, [&](std::uint64_t at, MutableBytes bytes) -> Result<void> {
    if (Result<void> read = Read(op, Sector{from.first.value + at}, bytes); !read.ok()) return read;
    return Write(op, Sector{to.value + at}, bytes);
  });
}

inline Result<void> BlockDevice::WriteZeros(const OpContext& op, SectorRange range) {
  return internal::InPieces(range.count, [&](std::uint64_t at, MutableBytes bytes) {
    return Write(op, Sector{range.first.value + at}, bytes);
  });
}

}  // namespace lamina
#endif  // LAMINA_BLOCK_BLOCK_DEVICE_H_
