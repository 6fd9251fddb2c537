// BlockDevice: numbered sectors of 512 bytes (seam 2). Everything below a file system that stands
// on blocks: a memory disk, a thin device, a device that crashes.
//
// Threads: thread-compatible; one writer at a time.
#ifndef LAMINA_BLOCK_BLOCK_DEVICE_H_
#define LAMINA_BLOCK_BLOCK_DEVICE_H_

#include <cstdint>

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
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_BLOCK_DEVICE_H_
