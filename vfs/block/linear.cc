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
  return target_->Read(op, Under(first), into);
}

Result<void> LinearDevice::Write(const OpContext& op, Sector first, Bytes from) {
  const Result<SectorRange> mine = SectorsOfTransfer(range_.count, first, from.size());
  if (!mine.ok()) return mine.error();
  return target_->Write(op, Under(first), from);
}

Result<void> LinearDevice::Discard(const OpContext& op, SectorRange range) {
  if (!Contains(range_.count, range)) return Errno::kInval;
  return target_->Discard(op, {Under(range.first), range.count});
}

Result<void> LinearDevice::CopySectors(const OpContext& op, SectorRange from, Sector to) {
  if (!Contains(range_.count, from) || !Contains(range_.count, {to, from.count})) {
    return Errno::kInval;
  }
  return target_->CopySectors(op, {Under(from.first), from.count}, Under(to));
}

Result<void> LinearDevice::WriteZeros(const OpContext& op, SectorRange range) {
  if (!Contains(range_.count, range)) return Errno::kInval;
  return target_->WriteZeros(op, {Under(range.first), range.count});
}

}  // namespace lamina
