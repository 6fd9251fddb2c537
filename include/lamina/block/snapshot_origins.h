// SnapshotOrigins: which snapshots stand on which device; OriginDevice: the target snapshot-origin,
// through which that device is written so that they keep what they show.
//
//   SnapshotOrigins origins;                                     one per simulated machine
//   auto origin = OriginDevice::Create(origins, disk);
//   auto snapshot = SnapshotDevice::Load(op, origins, table, disk, cow);
//   (*snapshot)->Resume(op);
//   (*origin)->Write(op, Sector{0}, bytes);      copies the chunk to `cow` first, once
//   disk.Write(...)                              past the target: every snapshot shows it
//
// Source: devicemapper.md section 13. Threads: thread-compatible, together with the devices on it.
#ifndef LAMINA_BLOCK_SNAPSHOT_ORIGINS_H_
#define LAMINA_BLOCK_SNAPSHOT_ORIGINS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/block_device.h"
#include "lamina/block/snapshot_table.h"

namespace lamina {

class SnapshotDevice;

class SnapshotOrigins {
 public:
  SnapshotOrigins() = default;
  SnapshotOrigins(const SnapshotOrigins&) = delete;
  SnapshotOrigins& operator=(const SnapshotOrigins&) = delete;

  // The snapshots of a device, those that merge and those not resumed included; largest chunks
  // first, as they are served.
  const std::vector<SnapshotDevice*>& SnapshotsOf(const BlockDevice& origin) const;

  // The smallest chunk of a snapshot of `origin`, where writes to it are split. 0: there is none.
  std::uint64_t MinChunkSectors(const BlockDevice& origin) const;

 private:
  friend class OriginDevice;
  friend class SnapshotDevice;

  // The snapshots that share a COW device with one, and so may hand their exceptions over.
  struct Sharing {
    std::size_t count = 0;
    SnapshotDevice* source = nullptr;   // resumed
    SnapshotDevice* target = nullptr;   // loaded, not resumed yet
    SnapshotDevice* merging = nullptr;  // any that merges into the same origin
  };
  Sharing SharingOf(const BlockDevice& origin, const BlockDevice& cow) const;

  // Puts it where its chunk size says, also when it is there already.
  void Place(SnapshotDevice& snapshot);
  void Remove(SnapshotDevice& snapshot);

  // Every snapshot that needs what lies at `range` copies it. What goes wrong is theirs.
  void CopyOut(const OpContext& op, const BlockDevice& origin, SectorRange range);
  // Split at MinChunkSectors: copies, then the write of that piece.
  // Errors: of the origin; the pieces before are written.
  Result<void> WriteOrigin(const OpContext& op, BlockDevice& origin, Sector first, Bytes from);

  std::map<const BlockDevice*, std::vector<SnapshotDevice*>> snapshots_;
};

// The target snapshot-origin. Threads: as its SnapshotOrigins. Lifetime: owns neither.
class OriginDevice final : public BlockDevice {
 public:
  // Errors: kInval  no length, or longer than the device.
  static TableResult<std::unique_ptr<OriginDevice>> Create(SnapshotOrigins& origins,
                                                           const SnapshotOriginTable& table,
                                                           BlockDevice& origin);

  std::uint64_t size_sectors() const override { return table_.length_sectors; }
  const SnapshotOriginTable& table() const { return table_; }

  // A write succeeds when the origin takes it, whatever becomes of the snapshots.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override { return origin_->Flush(op); }
  // Errors: kInval; kOpNotSupp  always.
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  std::uint64_t max_discard_sectors() const override { return 0; }

  // "<start> <length> snapshot-origin ": the target has nothing to say.
  std::string StatusLine() const;

 private:
  OriginDevice(SnapshotOrigins& origins, SnapshotOriginTable table, BlockDevice& origin)
      : origins_(&origins), table_(std::move(table)), origin_(&origin) {}

  SnapshotOrigins* origins_;
  SnapshotOriginTable table_;
  BlockDevice* origin_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_SNAPSHOT_ORIGINS_H_
