// ThinDevice: the target thin. A disk of any length whose blocks come from a pool when they are
// written. ThinPool::Activate makes it; its end deactivates it.
//
// A write that needs a block while the pool is full and queues (section 9), and every request while
// the pool is suspended, would sleep in the kernel. Calls are atomic here, so there are two ways:
//
// * Write, Read and the others give kAgain. Nothing is kept; the caller may ask again.
// * Submit keeps the bytes and gives a ticket. The pool does the write when it has space again
//   (grown, a commit after a discard or delete) or is resumed, and fails it with kNoSpc when the
//   no-space timeout runs out. Waiting writes are done in the order in which they came.
//
// Threads: as its pool, with it. Lifetime: the pool, and an external origin, outlive it.
#ifndef LAMINA_BLOCK_THIN_DEVICE_H_
#define LAMINA_BLOCK_THIN_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lamina/block/block_device.h"
#include "lamina/block/thin_table.h"

namespace lamina {

class ThinPool;

namespace internal {
struct ThinWriteState {
  std::uint64_t waiting_pieces = 0;
  std::optional<Errno> error;  // of the first piece that failed
};
}  // namespace internal

// The outcome of a write that may wait. Copies speak of the same write.
class WriteTicket {
 public:
  bool waits() const { return state_->waiting_pieces > 0; }
  // Nothing while a part of the write waits. kIo when the device went away before.
  std::optional<Result<void>> result() const {
    if (waits()) return std::nullopt;
    return state_->error.has_value() ? Result<void>(*state_->error) : Result<void>();
  }

 private:
  friend class ThinDevice;
  explicit WriteTicket(std::shared_ptr<const internal::ThinWriteState> state)
      : state_(std::move(state)) {}

  std::shared_ptr<const internal::ThinWriteState> state_;
};

class ThinDevice final : public BlockDevice {
 public:
  // One discard covers at most this many blocks; a longer one is split.
  static constexpr std::uint64_t kMaxDiscardBlocks = 1024;

  ~ThinDevice() override;
  ThinDevice(const ThinDevice&) = delete;
  ThinDevice& operator=(const ThinDevice&) = delete;

  std::uint64_t size_sectors() const override { return table_.length_sectors; }
  ThinId id() const { return table_.id; }
  const ThinTable& table() const { return table_; }

  // All four, in the order they are checked:
  //   kInval  the length is not a multiple of 512 bytes
  //   kIo     the range passes the end of the device; the pool is in fail mode; the metadata fails
  //   kAgain  the pool is suspended
  // What the data device or the external origin answers is passed on.
  //
  // An unmapped block reads as zeros, or as the external origin; nothing is allocated.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  // Block by block; the blocks before the one that fails are written. Further errors:
  //   kNoSpc  a block is needed, the pool is full and errors at once (or after its timeout)
  //   kAgain  a block is needed, the pool is full and queues
  //   kIo     a block is needed and the pool is read-only; copying or zeroing it fails
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  // As Write, but pieces that would wait do, and the others are done whatever happens to one.
  WriteTicket Submit(const OpContext& op, Sector first, Bytes from);
  // A write with the flag FUA: Write, then Flush.
  Result<void> WriteThrough(const OpContext& op, Sector first, Bytes from);

  // Commits when this device has changes in the running transaction; else flushes the data device.
  // Errors: kIo also when changes of this device were thrown away since it was activated, or the
  // commit fails.
  Result<void> Flush(const OpContext& op) override;

  // Unmaps the whole blocks in `range`; parts of blocks are left alone, not zeroed.
  // A read-only pool, or one out of metadata space, does nothing and says so to nobody.
  // Errors, in the order they are checked:
  //   kIo         past the end of the device
  //   kOpNotSupp  the pool ignores discards
  //   kIo         fail mode, or the metadata fails
  //   kAgain      the pool is suspended
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  std::uint64_t max_discard_sectors() const override;

  // "<mapped sectors> <highest mapped sector>", "Fail", or "Error" when the metadata fails.
  std::string Status(const OpContext& op);
  // "<start> <length> thin <status>".
  std::string StatusLine(const OpContext& op);

 private:
  friend class ThinPool;

  ThinDevice(ThinPool& pool, ThinTable table, BlockDevice* external_origin)
      : pool_(&pool), table_(std::move(table)), external_origin_(external_origin) {}

  Result<void> CheckTransfer(Sector first, std::size_t bytes) const;
  Result<void> CheckService() const;
  Result<void> ReadUnmapped(const OpContext& op, Sector first, MutableBytes into);
  // Does the rule of sharing hold for a mapping made at `time`?
  Result<bool> LooksShared(const OpContext& op, std::uint32_t time);

  ThinPool* pool_;
  ThinTable table_;
  BlockDevice* external_origin_;
  std::uint32_t snapshotted_time_ = 0;
  std::uint64_t details_epoch_ = 0;  // of the pool, when snapshotted_time_ was read
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_DEVICE_H_
