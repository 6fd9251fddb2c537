// Blocks of devices: virtual block, chunk, shared with whom, what a write does.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/block/thin_pool.h"
#include "lamina/sim/explain.h"
#include "sim/scenario/device_words.h"
#include "sim/scenario/operation.h"

namespace lamina::sim {
namespace {

enum class Access : std::uint8_t { kRead, kWrite, kDiscard };

// What an operation does to a device.
struct Touched {
  std::string device;
  std::uint64_t first_byte = 0;
  std::uint64_t bytes = 0;
  Access access = Access::kRead;
};

// A block of the device and how much of it is touched.
struct Piece {
  std::uint64_t block = 0;
  std::uint64_t bytes = 0;
  bool whole = false;
};

const ScenarioDevice* FindDevice(const std::vector<ScenarioDevice>& devices,
                                 std::string_view name) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const ScenarioDevice& each) { return each.name == name; });
  return found == devices.end() ? nullptr : &*found;
}

std::vector<Touched> TouchedBy(const ScenarioRun& run, const Statement& operation) {
  if (operation.name == "discard") {
    return {{operation.args[0].text, static_cast<std::uint64_t>(operation.args[1].number),
             static_cast<std::uint64_t>(operation.args[2].number), Access::kDiscard}};
  }
  if (operation.name != "dd") return {};
  const ScenarioLimits limits;
  internal::DdWords words;
  (void)internal::ReadDdWords({2, &limits}, operation.args, words);
  std::uint64_t bytes = words.count_bytes.value_or(0);
  if (words.data) bytes = internal::ExpandContent(*words.data).size();
  const std::vector<ScenarioDevice> devices = run.devices();
  const ScenarioDevice* from = FindDevice(devices, words.from);
  if (!words.data && !words.count_bytes && from != nullptr && from->device != nullptr) {
    const std::uint64_t size = from->device->size_sectors() * kSectorBytes;
    bytes = size - std::min(size, words.skip_bytes);
  }
  std::vector<Touched> touched;
  if (!words.from.empty()) touched.push_back({words.from, words.skip_bytes, bytes, Access::kRead});
  if (!words.into.empty()) touched.push_back({words.into, words.seek_bytes, bytes, Access::kWrite});
  return touched;
}

std::vector<Piece> PiecesOf(const Touched& touched, std::uint64_t block_bytes, std::size_t most) {
  std::vector<Piece> pieces;
  const std::uint64_t end = touched.first_byte + touched.bytes;
  for (std::uint64_t at = touched.first_byte; at < end && pieces.size() < most;) {
    const std::uint64_t block = at / block_bytes;
    const std::uint64_t stop = std::min(end, (block + 1) * block_bytes);
    pieces.push_back({block, stop - at, stop - at == block_bytes});
    at = stop;
  }
  return pieces;
}

class Explainer {
 public:
  explicit Explainer(const ScenarioRun& run) : op_(run.Observer()), devices_(run.devices()) {}

  absl::Status Add(const Touched& touched) {
    const ScenarioDevice* device = FindDevice(devices_, touched.device);
    if (device == nullptr || device->device == nullptr) return absl::OkStatus();
    if (PassesTheEnd(touched, *device)) return absl::OkStatus();
    if (device->thin) return AddThin(touched, *device);
    if (device->snapshot != nullptr) {
      AddSnapshot(touched, *device);
    } else {
      AddPlain(touched, *device);
    }
    return absl::OkStatus();
  }

  ExplainedBlocks Take() { return std::move(explained_); }

 private:
  // A request is refused as a whole.
  bool PassesTheEnd(const Touched& touched, const ScenarioDevice& device) {
    const std::uint64_t size = device.device->size_sectors() * kSectorBytes;
    if (touched.first_byte <= size && touched.bytes <= size - touched.first_byte) return false;
    ExplainedBlock& block = explained_.shown.emplace_back();
    block = {device.name, 0, size, "a part of it lies past the end of the device", std::nullopt};
    block.effect = "nothing: the request is refused";
    return true;
  }

  // The pieces to show; the others are counted.
  std::vector<Piece> ShownPieces(const Touched& touched, std::uint64_t block_bytes) {
    std::vector<Piece> pieces = PiecesOf(touched, block_bytes, kMostBlocks);
    if (pieces.empty()) return pieces;
    const std::uint64_t last = (touched.first_byte + touched.bytes - 1) / block_bytes;
    explained_.left_out += last - pieces.back().block;
    return pieces;
  }

  // ── Thin devices ─────────────────────────────────────────────────────────────────────────────
  absl::Status AddThin(const Touched& touched, const ScenarioDevice& device) {
    ThinPool& pool = *FindDevice(devices_, device.pool_name)->pool;
    const std::uint64_t block_bytes = pool.block_sectors() * kSectorBytes;
    for (const Piece& piece : ShownPieces(touched, block_bytes)) {
      const Result<ThinBlockReport> report = pool.Explain(op_, *device.thin, piece.block);
      if (!report.ok()) {
        return absl::DataLossError(absl::StrFormat("%s: the metadata cannot be read: %s",
                                                   device.pool_name, ErrnoName(report.error())));
      }
      ExplainedBlock& block = explained_.shown.emplace_back();
      block = {device.name, piece.block, block_bytes, "no chunk", std::nullopt};
      if (report->mapping) DescribeMapping(device, *report, block);
      block.effect = touched.access == Access::kRead    ? ReadEffect(*report)
                     : touched.access == Access::kWrite ? WriteEffect(*report, piece, pool)
                                                        : DiscardEffect(*report, piece, pool);
    }
    return absl::OkStatus();
  }

  void DescribeMapping(const ScenarioDevice& device, const ThinBlockReport& report,
                       ExplainedBlock& block) const {
    block.chunk = report.mapping->data_block;
    block.place = absl::StrFormat("chunk %d of %s, mapped at time %d", report.mapping->data_block,
                                  device.pool_name, report.mapping->time);
    for (const ThinUser& other : report.others) {
      block.shared_with.push_back(absl::StrFormat(
          "%s block %d", NameOf(device.pool_name, other.device), other.virtual_block));
    }
    block.sharing =
        report.looks_shared
            ? absl::StrFormat("counts as shared: %s was snapshotted at time %d, after %d",
                              device.name, report.snapshotted_time, report.mapping->time)
            : absl::StrFormat("not shared: no snapshot of %s since time %d", device.name,
                              report.mapping->time);
    if (report.looks_shared && report.references == 1) block.sharing += "; yet nobody else has it";
  }

  std::string NameOf(const std::string& pool, ThinId id) const {
    for (const ScenarioDevice& each : devices_) {
      if (each.thin == id && each.pool_name == pool) return each.name;
    }
    return absl::StrFormat("device %d", id.value);
  }

  static std::string ReadEffect(const ThinBlockReport& report) {
    return report.mapping ? "read it there" : "zeros, or the external origin; nothing is allocated";
  }

  static std::string WriteEffect(const ThinBlockReport& report, const Piece& piece,
                                 const ThinPool& pool) {
    const std::string chunk = SizeText(pool.block_sectors() * kSectorBytes);
    const std::string data = SizeText(piece.bytes);
    switch (report.next_write) {
      case ThinWriteEffect::kInPlace:
        return "write " + data + " in place";
      case ThinWriteEffect::kProvision:
        if (piece.whole) return "provision: allocate a chunk, write it whole";
        return pool.table().features.skip_block_zeroing
                   ? "provision: allocate a chunk, write " + data
                   : "provision: allocate a chunk, fill it, write " + data;
      case ThinWriteEffect::kBreakSharing:
        return piece.whole ? "break sharing: allocate a chunk, write it whole, copy nothing"
                           : "break sharing: allocate a chunk, copy " + chunk + ", write " + data;
    }
    return "";
  }

  static std::string DiscardEffect(const ThinBlockReport& report, const Piece& piece,
                                   const ThinPool& pool) {
    if (pool.table().features.ignore_discard) return "the pool ignores discards";
    if (!piece.whole) return "a part of a block: nothing";
    if (!report.mapping) return "nothing to unmap";
    return report.references > 1 ? "unmap it; others keep the chunk"
                                 : "unmap it: the chunk is free";
  }

  // ── Snapshots and other devices ──────────────────────────────────────────────────────────────
  void AddSnapshot(const Touched& touched, const ScenarioDevice& device) {
    const SnapshotDevice& snapshot = *device.snapshot;
    const std::uint64_t chunk_bytes = snapshot.chunk_sectors() * kSectorBytes;
    if (chunk_bytes == 0) return;
    for (const Piece& piece : ShownPieces(touched, chunk_bytes)) {
      ExplainedBlock& block = explained_.shown.emplace_back();
      block = {device.name, piece.block, chunk_bytes, "its origin", snapshot.Lookup(piece.block)};
      if (block.chunk) block.place = absl::StrFormat("chunk %d of the COW device", *block.chunk);
      if (!snapshot.valid()) {
        block.effect = "EIO: the snapshot is invalid";
      } else if (touched.access == Access::kRead) {
        block.effect = "read it there";
      } else if (touched.access == Access::kDiscard) {
        block.effect = !snapshot.table().discard_zeroes_cow ? "the snapshot takes no discards"
                       : block.chunk && piece.whole         ? "zero the chunk"
                                                            : "nothing";
      } else if (block.chunk) {
        block.effect = "write " + SizeText(piece.bytes) + " in place";
      } else {
        block.effect = piece.whole ? "an exception: write it whole to the COW device"
                                   : "an exception: copy " + SizeText(chunk_bytes) +
                                         " from the origin, write " + SizeText(piece.bytes);
      }
    }
  }

  // What has no blocks of its own; snapshots that stand on it may want to keep what is there.
  void AddPlain(const Touched& touched, const ScenarioDevice& device) {
    ExplainedBlock& block = explained_.shown.emplace_back();
    block = {device.name, 0, device.device->size_sectors() * kSectorBytes, "the device",
             std::nullopt};
    block.effect = touched.access == Access::kRead      ? "read it there"
                   : touched.access == Access::kDiscard ? "discard it there"
                                                        : "write it there";
    if (touched.access != Access::kWrite) return;
    const std::uint64_t copies = CopiesFor(touched, device);
    if (copies == 0) return;
    block.effect = absl::StrFormat("%d of its snapshots must copy first, then write it", copies);
  }

  // Chunks that snapshots of `device` have not yet.
  std::uint64_t CopiesFor(const Touched& touched, const ScenarioDevice& device) const {
    std::uint64_t copies = 0;
    for (const ScenarioDevice& each : devices_) {
      if (each.snapshot == nullptr || !each.snapshot->valid()) continue;
      const SnapshotTable table = each.snapshot->table();
      if (table.origin_device != device.name || table.kind == SnapshotKind::kMerge) continue;
      const std::uint64_t chunk_bytes = each.snapshot->chunk_sectors() * kSectorBytes;
      const std::vector<Piece> pieces = PiecesOf(touched, chunk_bytes, std::size_t{1} << 20);
      const bool misses = std::any_of(pieces.begin(), pieces.end(), [&](const Piece& piece) {
        return !each.snapshot->Lookup(piece.block).has_value();
      });
      copies += misses ? 1 : 0;
    }
    return copies;
  }

  OpContext op_;
  std::vector<ScenarioDevice> devices_;
  ExplainedBlocks explained_;
};

}  // namespace

absl::StatusOr<ExplainedBlocks> ExplainBlocks(const ScenarioRun& run, const Statement& operation) {
  Explainer explainer(run);
  for (const Touched& touched : TouchedBy(run, operation)) {
    if (absl::Status added = explainer.Add(touched); !added.ok()) return added;
  }
  return explainer.Take();
}

}  // namespace lamina::sim
