// RamOverlay: a device whose writes stay in memory. A read-only mount replays its journal on one.
//
// Threads: as the target. Lifetime: does not own the target.
#ifndef LAMINA_VFS_EXT_RAM_OVERLAY_H_
#define LAMINA_VFS_EXT_RAM_OVERLAY_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "lamina/block/forwarding_device.h"

namespace lamina::ext {

class RamOverlay final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;

  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override {
    if (Result<void> read = target().Read(op, first, into); !read.ok()) return read;
    for (std::size_t at = 0; !sectors_.empty() && at < into.size(); at += kSectorBytes) {
      const auto found = sectors_.find(first.value + at / kSectorBytes);
      if (found == sectors_.end()) continue;
      std::copy(found->second.begin(), found->second.end(),
                into.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return {};
  }
  Result<void> Write(const OpContext&, Sector first, Bytes from) override {
    const std::uint64_t count = from.size() / kSectorBytes;
    if (from.size() % kSectorBytes != 0 || first.value > size_sectors() ||
        count > size_sectors() - first.value) {
      return Errno::kInval;
    }
    for (std::uint64_t index = 0; index < count; ++index) {
      const Bytes sector = from.subspan(index * kSectorBytes, kSectorBytes);
      std::copy(sector.begin(), sector.end(), sectors_[first.value + index].begin());
    }
    return {};
  }
  Result<void> Flush(const OpContext&) override { return {}; }
  Result<void> Discard(const OpContext&, SectorRange) override { return {}; }

 private:
  absl::flat_hash_map<std::uint64_t, std::array<std::byte, kSectorBytes>> sectors_;
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_RAM_OVERLAY_H_
