// LinearDevice: dm-linear. A run of sectors of another device, as a device of its own.
//
// Source: the kernel's device-mapper/linear.rst. Threads: as the target. Lifetime: does not own the
// target.
#ifndef LAMINA_BLOCK_LINEAR_H_
#define LAMINA_BLOCK_LINEAR_H_

#include <memory>

#include "lamina/block/block_device.h"

namespace lamina {

class LinearDevice final : public BlockDevice {
 public:
  // Errors: kInval  `range` is empty or passes the end of `target`.
  static Result<std::unique_ptr<LinearDevice>> Create(BlockDevice& target, SectorRange range);

  std::uint64_t size_sectors() const override { return range_.count; }

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override { return target_->Flush(op); }
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  std::uint64_t max_discard_sectors() const override { return target_->max_discard_sectors(); }
  Result<void> CopySectors(const OpContext& op, SectorRange from, Sector to) override;
  Result<void> WriteZeros(const OpContext& op, SectorRange range) override;

 private:
  Sector Under(Sector mine) const { return Sector{range_.first.value + mine.value}; }

  LinearDevice(BlockDevice& target, SectorRange range) : target_(&target), range_(range) {}

  BlockDevice* target_;
  SectorRange range_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_LINEAR_H_
