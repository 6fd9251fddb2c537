// Device statements: disks, pools, thin devices, snapshots; dd and what else is done to them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/scenario/device_words.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/pool_source.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

using Kind = ArgumentKind;

constexpr ScenarioLimits kNoLimits;
constexpr ArgumentRules kRules{2, &kNoLimits};
constexpr std::uint64_t kDefaultPoolSectors = (std::uint64_t{64} << 20) / kSectorBytes;

Outcome Refused(const TableError& error) { return error.error; }

// ── Checks of all arguments together ─────────────────────────────────────────────────────────────

Problem CheckPool(const ArgumentRules& rules, const Arguments& args) {
  PoolWords words;
  return ReadPoolWords(rules, args, words);
}

Problem CheckSnap(const ArgumentRules& rules, const Arguments& args) {
  SnapWords words;
  return ReadSnapWords(rules, args, words);
}

Problem CheckDd(const ArgumentRules& rules, const Arguments& args) {
  DdWords words;
  return ReadDdWords(rules, args, words);
}

Problem CheckMkfs(const ArgumentRules& rules, const Arguments& args) {
  ExtMkfsOptions options;
  return ReadMkfsWords(rules, args, options);
}

Problem CheckDisk(const ArgumentRules&, const Arguments& args) {
  if (SectorsOfSize(args[1].text)) return std::nullopt;
  return {{1, "a size is whole sectors of 512 bytes, at most 1024TiB"}};
}

Problem CheckThin(const ArgumentRules&, const Arguments& args) {
  if (!SectorsOfSize(args[3].text)) {
    return {{3, "a size is whole sectors of 512 bytes, at most 1024TiB"}};
  }
  if (args.size() > 4 && !args[4].text.starts_with("external=")) {
    return {{4, "expected external=DEVICE"}};
  }
  return std::nullopt;
}

Problem CheckRange(const ArgumentRules&, const Arguments& args) {
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    if (args[i].number < 0 || args[i].number % 512 != 0) {
      return {{i, "offset and length are whole sectors of 512 bytes"}};
    }
  }
  return std::nullopt;
}

Problem CheckCrash(const ArgumentRules&, const Arguments& args) {
  const std::string rule = args.empty() ? "keep" : args[0].text;
  if (rule == "keep" || rule == "lose" || rule == "random") return std::nullopt;
  return {{0, "expected keep, lose or random"}};
}

// ── Bodies ───────────────────────────────────────────────────────────────────────────────────────

// The pool called by the first argument.
Result<ThinPool*> PoolOf(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  if (record->pool == nullptr) return Errno::kInval;
  return record->pool.get();
}

Outcome RunDisk(const Call& call) {
  const std::uint64_t sectors = *SectorsOfSize(call.text(1));
  if (sectors > PagedBytes::kMaxSizeBytes / kSectorBytes) return Errno::kFBig;
  const Result<DeviceRecord*> made = call.world.devices.AddDisk(call.text(0), sectors);
  if (!made.ok()) return made.error();
  return std::string("OK");
}

// The pool of a source, and its disks: the metadata it describes, and zeros as data.
Outcome ImportPool(const Call& call, const PoolWords& words) {
  Devices& devices = call.world.devices;
  ThinPoolTable table = words.table;
  for (const std::string& name : {call.text(0), table.metadata_device, table.data_device}) {
    if (devices.Find(name) != nullptr) return Errno::kExist;
  }
  const absl::StatusOr<ImportedPool> pool = ReadPoolSource(call.world.Observer(), *words.source);
  if (!pool.ok()) return pool.status();
  table.block_sectors = pool->chunk_sectors;
  table.length_sectors = words.data_sectors.value_or(pool->data_sectors);
  if (table.length_sectors < pool->data_sectors) {
    return absl::InvalidArgumentError(
        absl::StrFormat("data= is less than the %d sectors of the source", pool->data_sectors));
  }
  if (const std::optional<TableError> bad = CheckThinPoolTable(table)) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s", *words.source, bad->message));
  }
  (void)*devices.AddDisk(table.metadata_device, MemDisk::SectorsOf(pool->metadata->size_bytes()),
                         pool->metadata);
  (void)*devices.AddDisk(table.data_device, table.length_sectors);
  const OpContext op = call.world.DeviceCall();
  const Result<DeviceRecord*> loaded = devices.Load(op, call.text(0), table);
  if (loaded.ok()) return std::string("OK");
  (void)devices.Remove(op, table.metadata_device);
  (void)devices.Remove(op, table.data_device);
  return loaded.error();
}

Outcome RunPool(const Call& call) {
  Devices& devices = call.world.devices;
  PoolWords words;
  (void)ReadPoolWords(kRules, call.statement.args, words);
  const std::string& name = call.text(0);
  words.table.metadata_device = name + ".meta";
  words.table.data_device = name + ".data";
  if (words.source) return ImportPool(call, words);
  const std::uint64_t data_sectors = words.data_sectors.value_or(kDefaultPoolSectors);
  words.table.length_sectors = data_sectors;
  if (const std::optional<TableError> bad = CheckThinPoolTable(words.table)) return Refused(*bad);
  const std::uint64_t guide =
      ThinMetadataGuideBytes(data_sectors * kSectorBytes, words.table.block_sectors * kSectorBytes);
  const std::uint64_t least = MemDisk::SectorsOf(guide + (4096 - guide % 4096) % 4096);
  const std::pair<const std::string&, std::uint64_t> disks[] = {
      {words.table.metadata_device, words.metadata_sectors.value_or(least)},
      {words.table.data_device, data_sectors}};
  for (const auto& [disk_name, sectors] : disks) {
    DeviceRecord* known = devices.Find(disk_name);
    if (known == nullptr) {
      if (const auto made = devices.AddDisk(disk_name, sectors); !made.ok()) return made.error();
    } else if (known->disk != nullptr && sectors > known->disk->size_sectors()) {
      devices.ResizeDisk(*known, sectors);
    }
  }
  const Result<DeviceRecord*> loaded = devices.Load(call.world.DeviceCall(), name, words.table);
  if (!loaded.ok()) return loaded.error();
  return std::string("OK");
}

Outcome RunThin(const Call& call) {
  Devices& devices = call.world.devices;
  DeviceRecord* pool = devices.Find(call.text(1));
  if (pool == nullptr || pool->pool == nullptr)
    return pool == nullptr ? Errno::kNxIo : Errno::kInval;
  if (call.number(2) < 0) return Errno::kInval;
  const OpContext op = call.world.DeviceCall();
  const ThinId id{static_cast<std::uint64_t>(call.number(2))};
  const Result<ThinDetails> known = pool->pool->metadata().Details(op, id);
  if (!known.ok()) {
    if (Result<void> made = pool->pool->CreateThin(op, id); !made.ok()) return made;
  }
  ThinTable table{.length_sectors = *SectorsOfSize(call.text(3)),
                  .pool_device = pool->name,
                  .id = id,
                  .external_origin = {}};
  if (call.has(4)) table.external_origin = call.text(4).substr(std::string("external=").size());
  const Result<DeviceRecord*> loaded = devices.Load(op, call.text(0), table);
  if (loaded.ok()) return std::string("OK");
  // What only this statement has made is not left behind.
  if (!known.ok()) (void)pool->pool->Delete(op, id);
  return loaded.error();
}

// An id above all that the pool has.
Result<ThinId> FreshId(const OpContext& op, ThinPool& pool) {
  ThinId next{0};
  Result<void> walked = pool.metadata().ForEachDevice(op, [&](ThinId id, const ThinDetails&) {
    next = ThinId{id.value + 1};
    return true;
  });
  if (!walked.ok()) return walked.error();
  return next;
}

Outcome SnapThin(const Call& call, DeviceRecord& origin, const SnapWords& words) {
  Devices& devices = call.world.devices;
  if (devices.Find(call.text(0)) != nullptr) return Errno::kExist;
  ThinTable table = *origin.thin_table();
  ThinPool& pool = *devices.Find(table.pool_device)->pool;
  const OpContext op = call.world.DeviceCall();
  Result<ThinId> id = words.id ? ThinId{*words.id} : FreshId(op, pool);
  if (!id.ok()) return id.error();
  if (Result<void> made = pool.CreateSnapshot(op, *id, table.id); !made.ok()) return made;
  table.id = *id;
  const Result<DeviceRecord*> loaded = devices.Load(op, call.text(0), table);
  if (loaded.ok()) return std::string("OK");
  (void)pool.Delete(op, *id);
  return loaded.error();
}

Outcome SnapDevice(const Call& call, DeviceRecord& origin, const SnapWords& words) {
  Devices& devices = call.world.devices;
  const std::string& name = call.text(0);
  if (devices.Find(name) != nullptr) return Errno::kExist;
  const SnapshotTable table{.length_sectors = origin.base.size_sectors(),
                            .origin_device = origin.name,
                            .cow_device = name + ".cow",
                            .store = words.store,
                            .chunk_sectors = words.chunk_sectors};
  if (const std::optional<TableError> bad = CheckSnapshotTable(table)) return Refused(*bad);
  const OpContext op = call.world.DeviceCall();
  const Result<DeviceRecord*> cow = devices.AddDisk(table.cow_device, *words.cow_sectors);
  if (!cow.ok()) return cow.error();
  const Result<DeviceRecord*> loaded = devices.Load(op, name, table);
  if (!loaded.ok()) {
    (void)devices.Remove(op, table.cow_device);
    return loaded.error();
  }
  return devices.WriteThroughOrigin(origin);
}

Outcome RunSnap(const Call& call) {
  DeviceRecord* origin = call.world.devices.Find(call.text(1));
  if (origin == nullptr || !origin->base.present()) return Errno::kNxIo;
  SnapWords words;
  (void)ReadSnapWords(kRules, call.statement.args, words);
  if (words.cow_sectors) return SnapDevice(call, *origin, words);
  if (origin->thin == nullptr) return Errno::kInval;
  return SnapThin(call, *origin, words);
}

// The snapshot goes back into its origin, and is gone.
Outcome RunMerge(const Call& call) {
  Devices& devices = call.world.devices;
  DeviceRecord* record = devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  if (record->snapshot == nullptr) return Errno::kInval;
  // Before anything moves: what is merged cannot be taken back.
  if (devices.InUse(record->name)) return Errno::kBusy;
  SnapshotTable table = std::get<SnapshotTable>(record->table);
  table.kind = SnapshotKind::kMerge;
  if (const std::optional<TableError> bad = CheckSnapshotTable(table)) return Refused(*bad);
  const OpContext op = call.world.DeviceCall();
  if (std::get<SnapshotTable>(record->table).kind != SnapshotKind::kMerge) {
    const Result<DeviceRecord*> loaded = devices.Load(op, call.text(0), table);
    if (!loaded.ok()) return loaded.error();
  }
  if (Result<void> merged = record->snapshot->RunUntil(op, op.now); !merged.ok()) return merged;
  if (!record->snapshot->valid()) return Errno::kIo;
  std::string status = record->snapshot->Status();
  if (Result<void> gone = devices.Remove(op, call.text(0)); !gone.ok()) return gone;
  return status;
}

std::string TableLine(const DeviceRecord& record) {
  struct Shower {
    std::string operator()(const DiskTable& t) const {
      return absl::StrFormat("0 %d disk", t.sectors);
    }
    std::string operator()(const LinearTable& t) const {
      return absl::StrFormat("%d %d linear %s", t.start_sector, t.length_sectors, TableText(t));
    }
    std::string operator()(const ThinPoolTable& t) const {
      return absl::StrFormat("0 %d thin-pool %s", t.length_sectors, TableText(t));
    }
    std::string operator()(const ThinTable& t) const {
      return absl::StrFormat("%d %d thin %s", t.start_sector, t.length_sectors, TableText(t));
    }
    std::string operator()(const SnapshotOriginTable& t) const {
      return absl::StrFormat("%d %d snapshot-origin %s", t.start_sector, t.length_sectors,
                             TableText(t));
    }
    std::string operator()(const SnapshotTable& t) const {
      return absl::StrFormat("%d %d %s %s", t.start_sector, t.length_sectors,
                             SnapshotTargetName(t.kind), TableText(t));
    }
  };
  std::string line = std::visit(Shower{}, record.table);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

Outcome RunTable(const Call& call) {
  Devices& devices = call.world.devices;
  if (!call.has(1)) {
    const DeviceRecord* record = devices.Find(call.text(0));
    if (record == nullptr) return Errno::kNxIo;
    return TableLine(*record);
  }
  const std::string line =
      absl::StrJoin(call.statement.args.begin() + 1, call.statement.args.end(), " ",
                    [](std::string* out, const ScenarioArgument& arg) { out->append(arg.text); });
  const TableResult<DeviceTable> table = ParseDeviceTable(line);
  if (!table.ok()) return Refused(table.failure());
  const Result<DeviceRecord*> loaded = devices.Load(call.world.DeviceCall(), call.text(0), *table);
  if (!loaded.ok()) return loaded.error();
  return std::string("OK");
}

Outcome RunStatus(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  const OpContext op = call.world.DeviceCall();
  std::string line = TableLine(*record);
  if (record->pool != nullptr) line = record->pool->StatusLine(op);
  if (record->thin != nullptr) line = record->thin->StatusLine(op);
  if (record->origin != nullptr) line = record->origin->StatusLine();
  if (record->snapshot != nullptr) line = record->snapshot->StatusLine();
  if (record->pool == nullptr && !record->base.present()) return Errno::kNxIo;
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

Outcome RunMessage(const Call& call) {
  const Result<ThinPool*> pool = PoolOf(call);
  if (!pool.ok()) return pool.error();
  const std::string text =
      absl::StrJoin(call.statement.args.begin() + 1, call.statement.args.end(), " ",
                    [](std::string* out, const ScenarioArgument& arg) { out->append(arg.text); });
  return (*pool)->Message(call.world.DeviceCall(), text);
}

Outcome RunCommit(const Call& call) {
  const Result<ThinPool*> pool = PoolOf(call);
  if (!pool.ok()) return pool.error();
  return (*pool)->Commit(call.world.DeviceCall());
}

Outcome RunSuspend(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  if (record->pool != nullptr) return record->pool->Suspend(call.world.DeviceCall());
  if (record->snapshot == nullptr) return Errno::kInval;
  record->snapshot->Suspend();
  return std::string("OK");
}

Outcome RunResume(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  if (record->pool != nullptr) return record->pool->Resume(call.world.DeviceCall());
  if (record->snapshot == nullptr) return Errno::kInval;
  return record->snapshot->Resume(call.world.DeviceCall());
}

Outcome RunRemove(const Call& call) {
  return call.world.devices.Remove(call.world.DeviceCall(), call.text(0));
}

Outcome RunFlush(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  return record->front.Flush(call.world.DeviceCall());
}

Outcome RunDiscard(const Call& call) {
  DeviceRecord* record = call.world.devices.Find(call.text(0));
  if (record == nullptr) return Errno::kNxIo;
  const SectorRange range{Sector{static_cast<std::uint64_t>(call.number(1)) / kSectorBytes},
                          static_cast<std::uint64_t>(call.number(2)) / kSectorBytes};
  return record->front.Discard(call.world.DeviceCall(), range);
}

// ── dd ───────────────────────────────────────────────────────────────────────────────────────────

Result<std::string> ReadDevice(World& world, DeviceRecord& from, std::uint64_t at,
                               std::uint64_t bytes) {
  std::string data(bytes, '\0');
  const MutableBytes into(reinterpret_cast<std::byte*>(data.data()), data.size());
  Result<void> read = from.front.Read(world.DeviceCall(), Sector{at / kSectorBytes}, into);
  if (!read.ok()) return read.error();
  world.counter.counters.bytes_read += bytes;
  return data;
}

Outcome WriteDevice(World& world, DeviceRecord& into, std::uint64_t at, const std::string& data,
                    bool sync) {
  const Bytes from(reinterpret_cast<const std::byte*>(data.data()), data.size());
  Result<void> done = into.front.Write(world.DeviceCall(), Sector{at / kSectorBytes}, from);
  if (done.ok() && sync) done = into.front.Flush(world.DeviceCall());
  if (!done.ok()) return done;
  world.counter.counters.bytes_asked += data.size();
  world.counter.counters.bytes_written += data.size();
  return absl::StrFormat("OK %d", data.size());
}

Outcome RunDd(const Call& call) {
  World& world = call.world;
  DdWords words;
  const ArgumentRules rules{2, &world.scenario.limits};
  (void)ReadDdWords(rules, call.statement.args, words);
  DeviceRecord* from = words.from.empty() ? nullptr : world.devices.Find(words.from);
  DeviceRecord* into = words.into.empty() ? nullptr : world.devices.Find(words.into);
  if (!words.from.empty() && from == nullptr) return Errno::kNxIo;
  if (!words.into.empty() && into == nullptr) return Errno::kNxIo;
  std::string data = words.data ? ExpandContent(*words.data) : "";
  if (from != nullptr) {
    const std::uint64_t end = from->front.size_sectors() * kSectorBytes;
    const std::uint64_t rest = end - std::min(end, words.skip_bytes);
    const std::uint64_t bytes = words.count_bytes.value_or(rest);
    if (bytes > world.scenario.limits.content_bytes) return Errno::kFBig;
    Result<std::string> read = ReadDevice(world, *from, words.skip_bytes, bytes);
    if (!read.ok()) return read.error();
    if (into == nullptr) return DeviceContentText(*read);
    data = *std::move(read);
  }
  return WriteDevice(world, *into, words.seek_bytes, data, words.sync);
}

Outcome RunMkfs(const Call& call) {
  Devices& devices = call.world.devices;
  DeviceRecord* record = devices.Find(call.text(0));
  if (record == nullptr || !record->base.present()) return Errno::kNxIo;
  const auto used = std::find(devices.mounted.begin(), devices.mounted.end(), record->name);
  if (used != devices.mounted.end()) return Errno::kBusy;
  // All inode tables are read: what is zero already is not written.
  constexpr std::uint64_t kMostSectors = (std::uint64_t{1} << 40) / kSectorBytes;
  if (record->front.size_sectors() > kMostSectors) return Errno::kFBig;
  ExtMkfsOptions options;
  (void)ReadMkfsWords(kRules, call.statement.args, options);
  ExtOutcome<bool> made = MakeExt(call.world.DeviceCall(), record->front, options);
  if (!made.ok()) return made.error().code;
  return std::string("OK");
}

Outcome RunCrash(const Call& call) {
  const std::string rule = call.has(0) ? call.text(0) : "keep";
  return call.world.Crash(rule == "lose"     ? CrashRule::kLose
                          : rule == "random" ? CrashRule::kRandom
                                             : CrashRule::kKeep);
}

constexpr OperationClass kPrinted = OperationClass::kPrinted;
constexpr OperationClass kDevice = OperationClass::kDevice;

constexpr Operation kOperations[] = {
    {"disk", kPrinted, Takes(2, Kind::kName, Kind::kText), RunDisk, false, 2, CheckDisk},
    {"pool", kPrinted, TakesMany(1, Kind::kName, Kind::kText), RunPool, false, 2, CheckPool},
    {"thin", kPrinted, Takes(4, Kind::kName, Kind::kName, Kind::kNumber, Kind::kText, Kind::kText),
     RunThin, false, 2, CheckThin},
    {"snap", kDevice, TakesMany(2, Kind::kName, Kind::kName, Kind::kText), RunSnap, false, 2,
     CheckSnap},
    {"merge", kDevice, Takes(1, Kind::kName), RunMerge, false, 2},
    {"table", kPrinted, TakesMany(1, Kind::kName, Kind::kText), RunTable, false, 2},
    {"status", kPrinted, Takes(1, Kind::kName), RunStatus, false, 2},
    {"message", kDevice, TakesMany(2, Kind::kName, Kind::kText), RunMessage, false, 2},
    {"commit", kPrinted, Takes(1, Kind::kName), RunCommit, false, 2},
    {"suspend", kPrinted, Takes(1, Kind::kName), RunSuspend, false, 2},
    {"resume", kPrinted, Takes(1, Kind::kName), RunResume, false, 2},
    {"remove", kPrinted, Takes(1, Kind::kName), RunRemove, false, 2},
    {"dd", kDevice, TakesMany(1, Kind::kText), RunDd, false, 2, CheckDd},
    {"discard", kDevice, Takes(3, Kind::kName, Kind::kNumber, Kind::kNumber), RunDiscard, false, 2,
     CheckRange},
    {"flush", kDevice, Takes(1, Kind::kName), RunFlush, false, 2},
    {"mkfs", kPrinted, TakesMany(1, Kind::kName, Kind::kText), RunMkfs, false, 2, CheckMkfs},
    {"crash", kPrinted, Takes(0, Kind::kText), RunCrash, false, 2, CheckCrash},
};

}  // namespace

std::span<const Operation> DeviceOperations() { return kOperations; }

}  // namespace lamina::sim::internal
