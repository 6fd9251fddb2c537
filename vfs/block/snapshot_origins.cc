#include "lamina/block/snapshot_origins.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/block/sector_range.h"
#include "lamina/block/snapshot_device.h"
#include "vfs/block/chunk_pieces.h"
#include "vfs/block/target_line.h"

namespace lamina {

const std::vector<SnapshotDevice*>& SnapshotOrigins::SnapshotsOf(const BlockDevice& origin) const {
  static const std::vector<SnapshotDevice*> kNone;
  const auto found = snapshots_.find(&origin);
  return found == snapshots_.end() ? kNone : found->second;
}

std::uint64_t SnapshotOrigins::MinChunkSectors(const BlockDevice& origin) const {
  std::uint64_t smallest = 0;
  for (const SnapshotDevice* snapshot : SnapshotsOf(origin)) {
    const std::uint64_t chunk = snapshot->chunk_sectors();
    if (chunk != 0 && (smallest == 0 || chunk < smallest)) smallest = chunk;
  }
  return smallest;
}

SnapshotOrigins::Sharing SnapshotOrigins::SharingOf(const BlockDevice& origin,
                                                    const BlockDevice& cow) const {
  Sharing sharing;
  for (SnapshotDevice* snapshot : SnapshotsOf(origin)) {
    if (snapshot->merges()) sharing.merging = snapshot;
    if (snapshot->cow_ != &cow) continue;
    (snapshot->active_ ? sharing.source : sharing.target) = snapshot;
    ++sharing.count;
  }
  return sharing;
}

void SnapshotOrigins::Place(SnapshotDevice& snapshot) {
  std::vector<SnapshotDevice*>& list = snapshots_[snapshot.origin_];
  std::erase(list, &snapshot);
  const auto smaller = std::find_if(list.begin(), list.end(), [&](const SnapshotDevice* other) {
    return other->chunk_sectors() < snapshot.chunk_sectors();
  });
  list.insert(smaller, &snapshot);
}

void SnapshotOrigins::Remove(SnapshotDevice& snapshot) {
  const auto found = snapshots_.find(snapshot.origin_);
  if (found == snapshots_.end()) return;
  std::erase(found->second, &snapshot);
  if (found->second.empty()) snapshots_.erase(found);
}

void SnapshotOrigins::CopyOut(const OpContext& op, const BlockDevice& origin, SectorRange range) {
  const std::uint64_t chunk = MinChunkSectors(origin);
  if (chunk == 0) return;
  // Gives no error: what a snapshot cannot keep makes it invalid.
  (void)internal::ForEachPiece(range, chunk, [&](SectorRange piece) -> Result<void> {
    for (SnapshotDevice* snapshot : SnapshotsOf(origin)) {
      snapshot->BeforeOriginWrite(op, piece.first);
    }
    return {};
  });
}

Result<void> SnapshotOrigins::WriteOrigin(const OpContext& op, BlockDevice& origin, Sector first,
                                          Bytes from) {
  const SectorRange range{first, from.size() / kSectorBytes};
  return internal::ForEachPiece(range, MinChunkSectors(origin), [&](SectorRange piece) {
    CopyOut(op, origin, piece);
    return origin.Write(op, piece.first, internal::PartOf(from, first, piece));
  });
}

// ── OriginDevice ───────────────────────────────────────────────────────────────────────────────

TableResult<std::unique_ptr<OriginDevice>> OriginDevice::Create(SnapshotOrigins& origins,
                                                                const SnapshotOriginTable& table,
                                                                BlockDevice& origin) {
  if (table.length_sectors == 0) return internal::RefusedTable("an origin of length 0");
  if (table.length_sectors > origin.size_sectors()) {
    return internal::RefusedTable("the table is longer than the origin device");
  }
  return std::unique_ptr<OriginDevice>(new OriginDevice(origins, table, origin));
}

Result<void> OriginDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, into.size());
  if (!range.ok()) return range.error();
  return origin_->Read(op, first, into);
}

Result<void> OriginDevice::Write(const OpContext& op, Sector first, Bytes from) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, from.size());
  if (!range.ok()) return range.error();
  return origins_->WriteOrigin(op, *origin_, first, from);
}

Result<void> OriginDevice::Discard(const OpContext&, SectorRange range) {
  return Contains(size_sectors(), range) ? Errno::kOpNotSupp : Errno::kInval;
}

std::string OriginDevice::StatusLine() const {
  return absl::StrFormat("%d %d snapshot-origin ", table_.start_sector, table_.length_sectors);
}

}  // namespace lamina
