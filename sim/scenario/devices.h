// Devices: the block devices of a scenario: disks, thin pools and thin devices, snapshots; by name,
// as `dmsetup` has them.
//
//   record   front ──► the target through which users write      dd, mkfs, mount dev:…
//                        │  (snapshot-origin, while the device has snapshots)
//            base ────► the device itself                         pools, snapshots, linear
//
// Front and base keep their place when what is behind them is loaded again, or a crash takes it.
//
// Threads: belong to one run.
#ifndef LAMINA_SIM_SCENARIO_DEVICES_H_
#define LAMINA_SIM_SCENARIO_DEVICES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lamina/block/device_claims.h"
#include "lamina/block/linear.h"
#include "lamina/block/linear_table.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/block/snapshot_origins.h"
#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "lamina/sim/chooser.h"
#include "lamina/sim/crash_device.h"

namespace lamina::sim::internal {

// A device that is another one, or none: then every call gives kNxIo.
class SwitchDevice final : public BlockDevice {
 public:
  void SwitchTo(BlockDevice* target) { target_ = target; }
  bool present() const { return target_ != nullptr; }

  std::uint64_t size_sectors() const override;
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  Result<void> Flush(const OpContext& op) override;
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  std::uint64_t max_discard_sectors() const override;
  Result<void> CopySectors(const OpContext& op, SectorRange from, Sector to) override;
  Result<void> WriteZeros(const OpContext& op, SectorRange range) override;

 private:
  BlockDevice* target_ = nullptr;
};

struct DiskTable {
  std::uint64_t sectors = 0;
};
using DeviceTable = std::variant<DiskTable, LinearTable, ThinPoolTable, ThinTable,
                                 SnapshotOriginTable, SnapshotTable>;

// A table line of any target: linear, thin-pool, thin, snapshot-origin, snapshot, snapshot-merge.
TableResult<DeviceTable> ParseDeviceTable(std::string_view line);

struct DeviceRecord {
  std::string name;
  DeviceTable table;
  SwitchDevice base;
  SwitchDevice front;

  // What is behind `base`; one of them.
  std::unique_ptr<MemDisk> disk;
  std::unique_ptr<CrashDevice> cache;  // in front of the disk, when something may be lost
  std::unique_ptr<LinearDevice> linear;
  std::unique_ptr<ThinPool> pool;
  std::unique_ptr<ThinDevice> thin;
  std::unique_ptr<OriginDevice> origin;
  std::unique_ptr<SnapshotDevice> snapshot;

  // While the device has snapshots that `snap` took: in front of `base`.
  std::unique_ptr<OriginDevice> written_through;

  const ThinTable* thin_table() const { return std::get_if<ThinTable>(&table); }
};

// The space map of a pool is in memory, a byte for four chunks: a scenario from a stranger must not
// ask for all of it.
inline constexpr std::uint64_t kMostPoolChunks = std::uint64_t{1} << 26;

enum class CrashRule : std::uint8_t { kKeep, kLose, kRandom };

class Devices {
 public:
  // `caches`: disks lose what was not flushed when a crash says so.
  explicit Devices(bool caches) : caches_(caches) {}
  // Devices on top of each other: a call goes through all of them.
  static constexpr std::size_t kMostLevels = 64;
  ~Devices();
  Devices(const Devices&) = delete;
  Devices& operator=(const Devices&) = delete;

  DeviceRecord* Find(std::string_view name);
  const std::vector<std::unique_ptr<DeviceRecord>>& records() const { return records_; }

  // A disk of zeros, or of `sectors` that begin with `content`.
  // Errors: kExist  the name is taken.
  Result<DeviceRecord*> AddDisk(const std::string& name, std::uint64_t sectors,
                                const MemDisk::Image& content = nullptr);
  // Another length for a disk.
  void ResizeDisk(DeviceRecord& record, std::uint64_t sectors);
  // Makes the device, or loads another table into one of the same target: a pool is reloaded and
  // resumed, a snapshot hands over, a thin device is activated again.
  //
  // Errors, in the order they are checked: kNoDev  the table names a device that is not there;
  // kLoop  the device would stand on itself, or on more than kMostLevels others; kExist  the name
  // is one of another target; those of the target.
  Result<DeviceRecord*> Load(const OpContext& op, const std::string& name,
                             const DeviceTable& table);
  // Does another device stand on it, or is it mounted?
  bool InUse(std::string_view name) const;
  // Errors: kNxIo  no such device; kBusy  it is in use.
  Result<void> Remove(const OpContext& op, std::string_view name);

  // From now on writes to `front` are seen by the snapshots of `base`.
  Result<void> WriteThroughOrigin(DeviceRecord& record);
  // Does any snapshot stand on it?
  bool HasSnapshots(const DeviceRecord& record) const;
  // The other way, when the last one is gone.
  void WriteDirectly(DeviceRecord& record);

  Result<void> RunUntil(const OpContext& op, Instant until);
  // Power cut and a new start: every target is loaded again from what the disks hold. A target that
  // cannot be is gone, though its name stays.
  void Crash(const OpContext& op, CrashRule rule, Chooser& chooser);
  // A disk's cache has an end: what is behind it becomes durable.
  void DrainCaches(const OpContext& op);

  // Devices on which a file system is mounted.
  std::vector<std::string> mounted;

 private:
  Result<void> Open(const OpContext& op, DeviceRecord& record);
  Result<void> OpenTarget(const OpContext& op, DeviceRecord& record, const LinearTable& table);
  Result<void> OpenTarget(const OpContext& op, DeviceRecord& record, const ThinPoolTable& table);
  Result<void> OpenTarget(const OpContext& op, DeviceRecord& record, const ThinTable& table);
  Result<void> OpenTarget(const OpContext& op, DeviceRecord& record,
                          const SnapshotOriginTable& table);
  Result<void> OpenTarget(const OpContext& op, DeviceRecord& record, const SnapshotTable& table);
  static Result<void> OpenTarget(const OpContext&, DeviceRecord&, const DiskTable&) { return {}; }
  // Devices on top of each other up to and with `name`, when it has `table`; kMostLevels + 1 when
  // there are more, as on a circle.
  std::size_t LevelsBelow(const std::string& name, const DeviceTable& table) const;
  std::size_t LevelsAbove(const std::string& name) const;
  static void Close(DeviceRecord& record);
  void CloseAll();
  Result<void> Reload(const OpContext& op, DeviceRecord& record, const DeviceTable& table);

  bool caches_;
  DeviceClaims claims_;
  SnapshotOrigins origins_;
  std::vector<std::unique_ptr<DeviceRecord>> records_;  // in the order of making
  std::uint32_t next_source_ = 1;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_DEVICES_H_
