// ScratchDevice: what is written stays in memory, the device below stays as it is.
#ifndef LAMINA_VFS_EXT_CHECK_SCRATCH_H_
#define LAMINA_VFS_EXT_CHECK_SCRATCH_H_

#include <algorithm>
#include <array>
#include <map>

#include "lamina/block/forwarding_device.h"
#include "lamina/block/sector_range.h"

namespace lamina::internal {

class ScratchDevice final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override {
    if (const Result<void> read = target().Read(op, first, into); !read.ok()) return read;
    const std::uint64_t end = first.value + into.size() / kSectorBytes;
    for (auto it = written_.lower_bound(first.value); it != written_.end(); ++it) {
      if (it->first >= end) break;
      std::copy(
          it->second.begin(), it->second.end(),
          into.begin() + static_cast<std::ptrdiff_t>((it->first - first.value) * kSectorBytes));
    }
    return {};
  }

  Result<void> Write(const OpContext&, Sector first, Bytes from) override {
    const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, from.size());
    if (!range.ok()) return range.error();
    for (std::uint64_t i = 0; i < range->count; ++i) {
      const Bytes sector = from.subspan(i * kSectorBytes, kSectorBytes);
      std::copy(sector.begin(), sector.end(), written_[first.value + i].begin());
    }
    return {};
  }
  Result<void> Flush(const OpContext&) override { return {}; }
  Result<void> Discard(const OpContext&, SectorRange) override { return {}; }

 private:
  std::map<std::uint64_t, std::array<std::byte, kSectorBytes>> written_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_EXT_CHECK_SCRATCH_H_
