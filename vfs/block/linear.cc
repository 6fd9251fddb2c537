#include "lamina/block/linear.h"

#include "lamina/block/sector_range.h"

namespace lamina {

Result<std::unique_ptr<LinearDevice>> LinearDevice::Create(BlockDevice& target, SectorRange range) {
  if (range.count == 0 || !Contains(target.size_sectors(), range)) return Errno::kInval;
  return std::unique_ptr<LinearDevice>(new LinearDevice(target, range));
}

Result<void> LinearDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  const Result<SectorRange> mine = SectorsOfTransfer(range_.count, first, into.size());
  if (!mine.ok()) return mine.error();
  return target_->Read(op, Sector{range_.first.value + first.value}, into);
}

Result<void> LinearDevice::Write(const OpContext& op, Sector first, Bytes from) {
  const Result<SectorRange> mine = SectorsOfTransfer(range_.count, first, from.size());
  if (!mine.ok()) return mine.error();
  return target_->Write(op, Sector{range_.first.value + first.value}, from);
}

Result<void> LinearDevice::Discard(const OpContext& op, SectorRange range) {
  if (!Contains(range_.count, range)) return Errno::kInval;
  return target_->Discard(op, {Sector{range_.first.value + range.first.value}, range.count});
}

}  // namespace lamina
