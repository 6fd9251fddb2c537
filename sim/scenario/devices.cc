#include "sim/scenario/devices.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_split.h"

namespace lamina::sim::internal {
namespace {

// A disk writes its cache out by itself when so much is in it.
constexpr std::uint64_t kCacheSectors = (std::uint64_t{64} << 20) / kSectorBytes;

template <typename Table>
TableResult<DeviceTable> AnyTable(TableResult<Table> parsed) {
  if (!parsed.ok()) return parsed.failure();
  return DeviceTable(*std::move(parsed));
}

// The devices that a table names.
std::vector<std::string> NamesIn(const DeviceTable& table) {
  struct Namer {
    std::vector<std::string> operator()(const DiskTable&) const { return {}; }
    std::vector<std::string> operator()(const LinearTable& t) const { return {t.device}; }
    std::vector<std::string> operator()(const ThinPoolTable& t) const {
      return {t.metadata_device, t.data_device};
    }
    std::vector<std::string> operator()(const ThinTable& t) const {
      std::vector<std::string> names = {t.pool_device};
      if (!t.external_origin.empty()) names.push_back(t.external_origin);
      return names;
    }
    std::vector<std::string> operator()(const SnapshotOriginTable& t) const {
      return {t.origin_device};
    }
    std::vector<std::string> operator()(const SnapshotTable& t) const {
      return {t.origin_device, t.cow_device};
    }
  };
  return std::visit(Namer{}, table);
}

}  // namespace

TableResult<DeviceTable> ParseDeviceTable(std::string_view line) {
  const std::vector<std::string> words = absl::StrSplit(
      absl::string_view(line.data(), line.size()), absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  const std::string target = words.size() > 2 ? words[2] : "";
  if (target == "linear") return AnyTable(ParseLinearTable(line));
  if (target == "thin-pool") return AnyTable(ParseThinPoolTable(line));
  if (target == "thin") return AnyTable(ParseThinTable(line));
  if (target == "snapshot-origin") return AnyTable(ParseSnapshotOriginTable(line));
  if (target == "snapshot" || target == "snapshot-merge") return AnyTable(ParseSnapshotTable(line));
  return TableError{Errno::kInval, "unknown target '" + target + "'"};
}

// ── SwitchDevice ───────────────────────────────────────────────────────────────────────────────

std::uint64_t SwitchDevice::size_sectors() const {
  return target_ == nullptr ? 0 : target_->size_sectors();
}
Result<void> SwitchDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  return target_ == nullptr ? Errno::kNxIo : target_->Read(op, first, into);
}
Result<void> SwitchDevice::Write(const OpContext& op, Sector first, Bytes from) {
  return target_ == nullptr ? Errno::kNxIo : target_->Write(op, first, from);
}
Result<void> SwitchDevice::Flush(const OpContext& op) {
  return target_ == nullptr ? Errno::kNxIo : target_->Flush(op);
}
Result<void> SwitchDevice::Discard(const OpContext& op, SectorRange range) {
  return target_ == nullptr ? Errno::kNxIo : target_->Discard(op, range);
}
std::uint64_t SwitchDevice::max_discard_sectors() const {
  return target_ == nullptr ? 0 : target_->max_discard_sectors();
}
Result<void> SwitchDevice::CopySectors(const OpContext& op, SectorRange from, Sector to) {
  return target_ == nullptr ? Errno::kNxIo : target_->CopySectors(op, from, to);
}
Result<void> SwitchDevice::WriteZeros(const OpContext& op, SectorRange range) {
  return target_ == nullptr ? Errno::kNxIo : target_->WriteZeros(op, range);
}

// ── Devices ────────────────────────────────────────────────────────────────────────────────────

Devices::~Devices() { CloseAll(); }

// Pools last: a thin device does not outlive its pool.
void Devices::CloseAll() {
  for (const auto& record : records_) {
    if (record->pool == nullptr) Close(*record);
  }
  for (const auto& record : records_) Close(*record);
}

DeviceRecord* Devices::Find(std::string_view name) {
  for (const auto& record : records_) {
    if (record->name == name) return record.get();
  }
  return nullptr;
}

Result<DeviceRecord*> Devices::AddDisk(const std::string& name, std::uint64_t sectors,
                                       const MemDisk::Image& content) {
  if (Find(name) != nullptr) return Errno::kExist;
  auto record = std::make_unique<DeviceRecord>();
  record->name = name;
  record->table = DiskTable{sectors};
  record->disk = std::make_unique<MemDisk>(sectors, next_source_++);
  if (content != nullptr) {
    record->disk->Restore(content);
    record->disk->Resize(sectors);
  }
  record->base.SwitchTo(record->disk.get());
  if (caches_) {
    record->cache = std::make_unique<CrashDevice>(*record->disk);
    record->base.SwitchTo(record->cache.get());
  }
  record->front.SwitchTo(&record->base);
  records_.push_back(std::move(record));
  return records_.back().get();
}

void Devices::ResizeDisk(DeviceRecord& record, std::uint64_t sectors) {
  record.disk->Resize(sectors);
  record.table = DiskTable{sectors};
}

Result<DeviceRecord*> Devices::Load(const OpContext& op, const std::string& name,
                                    const DeviceTable& table) {
  for (const std::string& named : NamesIn(table)) {
    if (named == name || Find(named) == nullptr) return Errno::kNoDev;
  }
  if (LevelsBelow(name, table) + LevelsAbove(name) > kMostLevels) return Errno::kLoop;
  if (DeviceRecord* known = Find(name); known != nullptr) {
    if (known->table.index() != table.index()) return Errno::kExist;
    if (Result<void> loaded = Reload(op, *known, table); !loaded.ok()) return loaded.error();
    return known;
  }
  auto record = std::make_unique<DeviceRecord>();
  record->name = name;
  record->table = table;
  if (Result<void> opened = Open(op, *record); !opened.ok()) {
    Close(*record);
    return opened.error();
  }
  records_.push_back(std::move(record));
  return records_.back().get();
}

// A level at a time, each device once a level: a snapshot names two devices, and so paths double.
std::size_t Devices::LevelsBelow(const std::string& name, const DeviceTable& table) const {
  const std::vector<std::string> first = NamesIn(table);
  std::set<std::string> level(first.begin(), first.end());
  std::size_t levels = 1;
  for (; !level.empty() && levels <= kMostLevels; ++levels) {
    if (level.contains(name)) return kMostLevels + 1;
    std::set<std::string> next;
    for (const auto& record : records_) {
      if (!level.contains(record->name)) continue;
      for (std::string& below : NamesIn(record->table)) next.insert(std::move(below));
    }
    level = std::move(next);
  }
  return levels;
}

std::size_t Devices::LevelsAbove(const std::string& name) const {
  std::set<std::string> level = {name};
  for (std::size_t levels = 0; levels <= kMostLevels; ++levels) {
    std::set<std::string> next;
    for (const auto& record : records_) {
      const std::vector<std::string> names = NamesIn(record->table);
      const bool stands = std::any_of(names.begin(), names.end(), [&](const std::string& below) {
        return level.contains(below);
      });
      if (stands) next.insert(record->name);
    }
    if (next.empty()) return levels;
    level = std::move(next);
  }
  return kMostLevels + 1;
}

Result<void> Devices::Open(const OpContext& op, DeviceRecord& record) {
  Result<void> opened =
      std::visit([&](const auto& table) { return OpenTarget(op, record, table); }, record.table);
  if (!opened.ok()) return opened;
  BlockDevice* live = record.cache.get();
  if (live == nullptr) live = record.disk.get();
  if (live == nullptr) live = record.linear.get();
  if (live == nullptr) live = record.thin.get();
  if (live == nullptr) live = record.origin.get();
  if (live == nullptr) live = record.snapshot.get();
  record.base.SwitchTo(live);
  record.front.SwitchTo(&record.base);
  return {};
}

void Devices::Close(DeviceRecord& record) {
  record.written_through.reset();
  record.snapshot.reset();
  record.origin.reset();
  record.thin.reset();
  record.pool.reset();
  record.linear.reset();
  if (record.disk == nullptr) record.base.SwitchTo(nullptr);
  record.front.SwitchTo(&record.base);
}

bool Devices::InUse(std::string_view name) const {
  if (std::find(mounted.begin(), mounted.end(), name) != mounted.end()) return true;
  return std::any_of(records_.begin(), records_.end(), [&](const auto& record) {
    const std::vector<std::string> names = NamesIn(record->table);
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

Result<void> Devices::Remove(const OpContext& op, std::string_view name) {
  DeviceRecord* record = Find(name);
  if (record == nullptr) return Errno::kNxIo;
  if (InUse(name)) return Errno::kBusy;
  if (record->pool != nullptr) {
    if (Result<void> closed = record->pool->Close(op); !closed.ok()) return closed;
  }
  const std::vector<std::string> below = NamesIn(record->table);
  Close(*record);
  std::erase_if(records_, [&](const auto& each) { return each.get() == record; });
  for (const std::string& each : below) {
    DeviceRecord* origin = Find(each);
    if (origin != nullptr && !HasSnapshots(*origin)) WriteDirectly(*origin);
  }
  return {};
}

bool Devices::HasSnapshots(const DeviceRecord& record) const {
  return !origins_.SnapshotsOf(record.base).empty();
}

Result<void> Devices::WriteThroughOrigin(DeviceRecord& record) {
  if (record.written_through != nullptr) return {};
  const SnapshotOriginTable table{.length_sectors = record.base.size_sectors(),
                                  .origin_device = record.name};
  auto origin = OriginDevice::Create(origins_, table, record.base);
  if (!origin.ok()) return origin.error();
  record.written_through = *std::move(origin);
  record.front.SwitchTo(record.written_through.get());
  return {};
}

void Devices::WriteDirectly(DeviceRecord& record) {
  record.written_through.reset();
  record.front.SwitchTo(&record.base);
}

Result<void> Devices::RunUntil(const OpContext& op, Instant until) {
  for (const auto& record : records_) {
    if (record->pool == nullptr) continue;
    if (Result<void> done = record->pool->RunUntil(op, until); !done.ok()) return done;
  }
  for (const auto& record : records_) {
    // A merge that fails says so in its status.
    if (record->snapshot != nullptr) (void)record->snapshot->RunUntil(op, until);
  }
  return {};
}

void Devices::DrainCaches(const OpContext& op) {
  for (const auto& record : records_) {
    if (record->cache == nullptr) continue;
    std::uint64_t sectors = 0;
    for (const DeviceChange& change : record->cache->unflushed()) sectors += change.range.count;
    // A disk in memory does not fail.
    if (sectors > kCacheSectors) (void)record->cache->Flush(op);
  }
}

void Devices::Crash(const OpContext& op, CrashRule rule, Chooser& chooser) {
  CloseAll();
  for (const auto& record : records_) {
    if (record->cache == nullptr) continue;
    if (rule == CrashRule::kLose) record->disk->Restore(record->cache->durable());
    if (rule == CrashRule::kRandom) record->cache->Crash(chooser);
    record->disk->Resize(std::get<DiskTable>(record->table).sectors);
    record->cache = std::make_unique<CrashDevice>(*record->disk);
    record->base.SwitchTo(record->cache.get());
  }
  // What cannot be loaded is gone: its calls give kNxIo. A table may name a later device.
  for (bool progress = true; progress;) {
    progress = false;
    for (const auto& record : records_) {
      if (record->base.present() || record->pool != nullptr) continue;
      if (Open(op, *record).ok()) {
        progress = true;
      } else {
        Close(*record);
      }
    }
  }
  for (const auto& record : records_) {
    // Nobody was told of a snapshot-origin of its own: `snap` had taken these.
    if (record->base.present() && HasSnapshots(*record)) (void)WriteThroughOrigin(*record);
  }
}

}  // namespace lamina::sim::internal
