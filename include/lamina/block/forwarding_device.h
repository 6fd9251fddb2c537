// ForwardingDevice: every call passes to the target; a decorator overrides what it needs.
//
// Threads: as the target. Lifetime: does not own the target.
#ifndef LAMINA_BLOCK_FORWARDING_DEVICE_H_
#define LAMINA_BLOCK_FORWARDING_DEVICE_H_

#include <cstdint>

#include "lamina/block/block_device.h"

namespace lamina {

class ForwardingDevice : public BlockDevice {
 public:
  explicit ForwardingDevice(BlockDevice& target) : target_(&target) {}

  std::uint64_t size_sectors() const override { return target_->size_sectors(); }
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override {
    return target_->Read(op, first, into);
  }
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    return target_->Write(op, first, from);
  }
  Result<void> Flush(const OpContext& op) override { return target_->Flush(op); }
  Result<void> Discard(const OpContext& op, SectorRange range) override {
    return target_->Discard(op, range);
  }
  std::uint64_t max_discard_sectors() const override { return target_->max_discard_sectors(); }
  // CopySectors and WriteZeros become Reads and Writes of this device, so that a decorator that
  // fails, counts or delays those sees them too.

 protected:
  BlockDevice& target() const { return *target_; }

 private:
  BlockDevice* target_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_FORWARDING_DEVICE_H_
