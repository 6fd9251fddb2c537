// How each target is made from its table, and loaded with another one.
#include <algorithm>
#include <utility>

#include "sim/scenario/devices.h"

namespace lamina::sim::internal {
namespace {

bool IsTooLarge(const ThinPoolTable& table) {
  return table.block_sectors > 0 && table.length_sectors / table.block_sectors > kMostPoolChunks;
}

}  // namespace

Result<void> Devices::OpenTarget(const OpContext&, DeviceRecord& record, const LinearTable& table) {
  Result<std::unique_ptr<LinearDevice>> linear = LinearDevice::Create(
      Find(table.device)->base, {Sector{table.first_sector}, table.length_sectors});
  if (!linear.ok()) return linear.error();
  record.linear = *std::move(linear);
  return {};
}

Result<void> Devices::OpenTarget(const OpContext& op, DeviceRecord& record,
                                 const ThinPoolTable& table) {
  if (IsTooLarge(table)) return Errno::kFBig;
  ThinPoolSettings settings;
  settings.source = next_source_++;
  settings.name = record.name;
  settings.claims = &claims_;
  auto pool = ThinPool::Create(op, table, Find(table.metadata_device)->base,
                               Find(table.data_device)->base, settings);
  if (!pool.ok()) return pool.error();
  record.pool = *std::move(pool);
  return {};
}

Result<void> Devices::OpenTarget(const OpContext& op, DeviceRecord& record,
                                 const ThinTable& table) {
  DeviceRecord* pool = Find(table.pool_device);
  if (pool->pool == nullptr) return Errno::kInval;
  BlockDevice* external =
      table.external_origin.empty() ? nullptr : &Find(table.external_origin)->base;
  Result<std::unique_ptr<ThinDevice>> thin = pool->pool->Activate(op, table, external);
  if (!thin.ok()) return thin.error();
  record.thin = *std::move(thin);
  return {};
}

Result<void> Devices::OpenTarget(const OpContext&, DeviceRecord& record,
                                 const SnapshotOriginTable& table) {
  auto origin = OriginDevice::Create(origins_, table, Find(table.origin_device)->base);
  if (!origin.ok()) return origin.error();
  record.origin = *std::move(origin);
  return {};
}

Result<void> Devices::OpenTarget(const OpContext& op, DeviceRecord& record,
                                 const SnapshotTable& table) {
  auto snapshot = SnapshotDevice::Load(op, origins_, table, Find(table.origin_device)->base,
                                       Find(table.cow_device)->base, next_source_++);
  if (!snapshot.ok()) return snapshot.error();
  if (Result<void> resumed = (*snapshot)->Resume(op); !resumed.ok()) return resumed;
  record.snapshot = *std::move(snapshot);
  return {};
}

Result<void> Devices::Reload(const OpContext& op, DeviceRecord& record, const DeviceTable& table) {
  if (record.pool != nullptr) {
    const ThinPoolTable& next = std::get<ThinPoolTable>(table);
    if (IsTooLarge(next)) return Errno::kFBig;
    const std::optional<TableError> refused = record.pool->Reload(
        op, next, Find(next.metadata_device)->base, Find(next.data_device)->base);
    if (refused) return refused->error;
    if (Result<void> resumed = record.pool->Resume(op); !resumed.ok()) return resumed;
    record.table = table;
    return {};
  }
  if (record.snapshot != nullptr) {
    const SnapshotTable& next = std::get<SnapshotTable>(table);
    auto target = SnapshotDevice::Load(op, origins_, next, Find(next.origin_device)->base,
                                       Find(next.cow_device)->base, next_source_++);
    if (!target.ok()) return target.error();
    record.snapshot->Suspend();
    if (Result<void> resumed = (*target)->Resume(op); !resumed.ok()) return resumed;
    record.snapshot = *std::move(target);
    record.base.SwitchTo(record.snapshot.get());
    record.table = table;
    return {};
  }
  if (HasSnapshots(record)) return Errno::kBusy;
  const DeviceTable before = std::exchange(record.table, table);
  Close(record);
  Result<void> opened = Open(op, record);
  if (!opened.ok()) {
    record.table = before;
    if (!Open(op, record).ok()) Close(record);
  }
  return opened;
}

}  // namespace lamina::sim::internal
