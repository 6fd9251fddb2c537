#include "lamina/block/mem_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/block/sector_range.h"

namespace lamina {
namespace {

constexpr std::uint64_t ByteOf(Sector sector) { return sector.value * kSectorBytes; }

Event SectorEvent(EventKind kind, std::uint32_t source, SectorRange range) {
  return {.kind = kind,
          .source = source,
          .subject = range.first.value,
          .amount = range.count * kSectorBytes};
}

}  // namespace

MemDisk::MemDisk(std::uint64_t size_sectors, std::uint32_t source) : source_(source) {
  Resize(size_sectors);
}

Result<void> MemDisk::Read(const OpContext& op, Sector first, MutableBytes into) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, into.size());
  if (!range.ok()) return range.error();
  content_.Read(ByteOf(first), into);
  op.probe.Emit([&] { return SectorEvent(EventKind::kSectorRead, source_, *range); });
  return {};
}

Result<void> MemDisk::Write(const OpContext& op, Sector first, Bytes from) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, from.size());
  if (!range.ok()) return range.error();
  content_.Write(ByteOf(first), from);
  op.probe.Emit([&] { return SectorEvent(EventKind::kSectorWrite, source_, *range); });
  return {};
}

Result<void> MemDisk::Flush(const OpContext& op) {
  op.probe.Emit([&] { return SectorEvent(EventKind::kFlush, source_, {}); });
  return {};
}

Result<void> MemDisk::Discard(const OpContext& op, SectorRange range) {
  if (!Contains(size_sectors(), range)) return Errno::kInval;
  content_.PunchHole(ByteOf(range.first), range.count * kSectorBytes);
  op.probe.Emit([&] { return SectorEvent(EventKind::kDiscard, source_, range); });
  return {};
}

Result<void> MemDisk::CopySectors(const OpContext& op, SectorRange from, Sector to) {
  const SectorRange target{to, from.count};
  if (!Contains(size_sectors(), from) || !Contains(size_sectors(), target)) return Errno::kInval;
  const std::uint64_t mask = kPageBytes - 1;
  const std::uint64_t odd = ByteOf(from.first) | ByteOf(to) | from.count * kSectorBytes;
  if ((odd & mask) != 0) return BlockDevice::CopySectors(op, from, to);
  content_.SharePagesWithin(ByteOf(to), ByteOf(from.first), from.count * kSectorBytes);
  op.probe.Emit([&] { return SectorEvent(EventKind::kSectorRead, source_, from); });
  op.probe.Emit([&] { return SectorEvent(EventKind::kSectorWrite, source_, target); });
  return {};
}

Result<void> MemDisk::WriteZeros(const OpContext& op, SectorRange range) {
  if (!Contains(size_sectors(), range)) return Errno::kInval;
  content_.PunchHole(ByteOf(range.first), range.count * kSectorBytes);
  op.probe.Emit([&] { return SectorEvent(EventKind::kSectorWrite, source_, range); });
  return {};
}

void MemDisk::Resize(std::uint64_t size_sectors) {
  LAMINA_CHECK(size_sectors <= PagedBytes::kMaxSizeBytes / kSectorBytes);
  content_.Resize(size_sectors * kSectorBytes);
}

MemDisk::Image MemDisk::Capture() const {
  return std::make_shared<const PagedBytes>(content_.Clone());
}

void MemDisk::Restore(const Image& image) { content_ = image->Clone(); }

}  // namespace lamina
