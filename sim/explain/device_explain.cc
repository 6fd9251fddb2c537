// Blocks of devices: virtual block, chunk, shared with whom, what a write does.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/block/thin_pool.h"
#include "lamina/sim/explain.h"
#include "sim/explain/pool_refusal.h"
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

constexpr std::string_view kNotReached = "not reached: the operation has ended before";

class Explainer {
 public:
  explicit Explainer(const ScenarioRun& run) : op_(run.Observer()), devices_(run.devices()) {}

  absl::Status Add(const Touched& touched) {
    const ScenarioDevice* device = FindDevice(devices_, touched.device);
    if (device == nullptr || device->device == nullptr) {
      explained_.notes.push_back(WhyNoDevice(touched.device, device));
      explained_.refused = true;
      return absl::OkStatus();
    }
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
  static std::string WhyNoDevice(const std::string& name, const ScenarioDevice* device) {
    if (device == nullptr) return "there is no device " + name;
    if (device->pool != nullptr) return name + " is a pool: its thin devices are read and written";
    return name + " is gone: it could not be loaded again";
  }

  // From here on nothing of the operation is done.
  void End(ExplainedBlock& block, std::string why) {
    block.effect = std::move(why);
    explained_.refused = true;
  }

  // A request is refused as a whole.
  bool PassesTheEnd(const Touched& touched, const ScenarioDevice& device) {
    const std::uint64_t size = device.device->size_sectors() * kSectorBytes;
    if (touched.first_byte <= size && touched.bytes <= size - touched.first_byte) return false;
    ExplainedBlock& block = explained_.shown.emplace_back();
    block = {device.name, 0, size, "a part of it lies past the end of the device", std::nullopt};
    End(block, "nothing: the request is refused");
    return true;
  }

  // Calls `add` for the pieces to show, and counts the others. A write goes on behind those that
  // are shown, unseen, until `ends` says that it ends: that piece is shown too.
  template <typename Add, typename Ends>
  absl::Status ForEachPiece(const Touched& touched, std::uint64_t block_bytes, Add add, Ends ends) {
    const std::uint64_t end = touched.first_byte + touched.bytes;
    std::uint64_t at = touched.first_byte;
    for (std::size_t shown = 0; at < end; ++shown) {
      const std::uint64_t block = at / block_bytes;
      const std::uint64_t stop = std::min(end, (block + 1) * block_bytes);
      const Piece piece{block, stop - at, stop - at == block_bytes};
      if (shown >= kMostBlocks) {
        if (touched.access != Access::kWrite || explained_.refused) {
          explained_.left_out += (end - 1) / block_bytes - block + 1;
          return absl::OkStatus();
        }
        const Result<bool> ended = ends(piece);
        if (!ended.ok()) return Unreadable(touched.device, ended.error());
        if (!*ended) ++explained_.left_out;
        if (!*ended) {
          at = stop;
          continue;
        }
      }
      if (absl::Status added = add(piece); !added.ok()) return added;
      at = stop;
    }
    return absl::OkStatus();
  }

  static absl::Status Unreadable(const std::string& device, Errno error) {
    return absl::DataLossError(
        absl::StrFormat("%s: the metadata cannot be read: %s", device, ErrnoName(error)));
  }

  // ── Thin devices ─────────────────────────────────────────────────────────────────────────────
  absl::Status AddThin(const Touched& touched, const ScenarioDevice& device) {
    ThinPool& pool = *FindDevice(devices_, device.pool_name)->pool;
    const std::uint64_t block_bytes = pool.block_sectors() * kSectorBytes;
    free_chunks_ = pool.mode() == ThinPoolMode::kWrite ? pool.metadata().data_blocks().free() : 0;
    const auto add = [&](const Piece& piece) -> absl::Status {
      const Result<ThinBlockReport> report = pool.Explain(op_, *device.thin, piece.block);
      if (!report.ok()) return Unreadable(device.pool_name, report.error());
      ExplainedBlock& block = explained_.shown.emplace_back();
      block = {device.name, piece.block, block_bytes, "no chunk", std::nullopt};
      if (report->mapping) DescribeMapping(device, *report, block);
      SetThinEffect(touched.access, device, pool, *report, piece, block);
      return absl::OkStatus();
    };
    const auto ends = [&](const Piece& piece) { return TakesLastChunk(device, pool, piece); };
    return ForEachPiece(touched, block_bytes, add, ends);
  }

  void SetThinEffect(Access access, const ScenarioDevice& device, ThinPool& pool,
                     const ThinBlockReport& report, const Piece& piece, ExplainedBlock& block) {
    if (explained_.refused) {
      block.effect = std::string(kNotReached);
      return;
    }
    if (access == Access::kDiscard && pool.table().features.ignore_discard) {
      return End(block, "EOPNOTSUPP: the pool ignores discards");
    }
    if (std::optional<std::string> why = internal::RequestRefusal(pool, device.pool_name)) {
      return End(block, *std::move(why));
    }
    switch (access) {
      case Access::kRead:
        block.effect = ReadEffect(report);
        return;
      case Access::kDiscard:
        block.effect = internal::DiscardIsIdle(pool, device.pool_name)
                           .value_or(DiscardEffect(report, piece, pool));
        return;
      case Access::kWrite:
        if (!TakeChunk(report.next_write, report.references)) {
          return End(block, internal::ChunkRefusal(pool, device.pool_name));
        }
        block.effect = WriteEffect(report, piece, pool);
        return;
    }
  }

  // Takes a chunk when the write needs one; false: there is none. A chunk that nobody else has is
  // given back by breaking its sharing: the commit that looks for room makes it free.
  bool TakeChunk(ThinWriteEffect next_write, std::uint64_t references) {
    if (next_write == ThinWriteEffect::kInPlace) return true;
    if (free_chunks_ == 0) return false;
    const bool gives_back = next_write == ThinWriteEffect::kBreakSharing && references == 1;
    if (!gives_back) --free_chunks_;
    return true;
  }

  // Does the write end at a piece that is not shown? Cheaper than a report; takes the chunk if not.
  Result<bool> TakesLastChunk(const ScenarioDevice& device, ThinPool& pool, const Piece& piece) {
    ThinMetadata& metadata = pool.metadata();
    const Result<ThinDetails> details = metadata.Details(op_, *device.thin);
    if (!details.ok()) return details.error();
    const Result<std::optional<ThinMapping>> found =
        metadata.Lookup(op_, *device.thin, piece.block);
    if (!found.ok()) return found.error();
    std::uint64_t references = 0;
    ThinWriteEffect next_write = ThinWriteEffect::kProvision;
    if (found->has_value()) {
      const bool shared = LooksShared(*details, **found);
      next_write = shared ? ThinWriteEffect::kBreakSharing : ThinWriteEffect::kInPlace;
      const Result<std::uint64_t> counted = metadata.DataReferenceCount(op_, (*found)->data_block);
      if (!counted.ok()) return counted.error();
      references = *counted;
    }
    const std::uint64_t before = free_chunks_;
    const bool ended = !TakeChunk(next_write, references);
    if (ended) free_chunks_ = before;
    return ended;
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
    if (!piece.whole) return "a part of a block: nothing";
    if (!report.mapping) return "nothing to unmap";
    if (report.references > 1 && report.others.empty()) {
      return "unmap it; the held metadata snapshot keeps the chunk";
    }
    if (report.references > 1) return "unmap it; others keep the chunk";
    return pool.passes_discards_down() ? "unmap it: the chunk is free, and is discarded below"
                                       : "unmap it: the chunk is free";
  }

  // ── Snapshots and other devices ──────────────────────────────────────────────────────────────
  void AddSnapshot(const Touched& touched, const ScenarioDevice& device) {
    const SnapshotDevice& snapshot = *device.snapshot;
    const std::uint64_t chunk_bytes = snapshot.chunk_sectors() * kSectorBytes;
    if (chunk_bytes == 0) return;
    free_chunks_ = snapshot.free_chunks();
    const auto add = [&](const Piece& piece) {
      ExplainedBlock& block = explained_.shown.emplace_back();
      block = {device.name, piece.block, chunk_bytes, "its origin", snapshot.Lookup(piece.block)};
      if (block.chunk) block.place = absl::StrFormat("chunk %d of the COW device", *block.chunk);
      if (explained_.refused) {
        block.effect = std::string(kNotReached);
      } else if (std::string why = SnapshotRefusal(touched.access, device, block); !why.empty()) {
        End(block, std::move(why));
      } else {
        block.effect = SnapshotEffect(touched.access, snapshot, piece, block);
      }
      return absl::OkStatus();
    };
    const auto ends = [&](const Piece& piece) -> Result<bool> {
      const bool needs = NeedsException(snapshot, snapshot.Lookup(piece.block));
      if (needs && free_chunks_ > 0) --free_chunks_;
      return needs && free_chunks_ == 0;
    };
    (void)ForEachPiece(touched, chunk_bytes, add, ends);
  }

  static bool Merges(const SnapshotDevice& snapshot) {
    return snapshot.table().kind == SnapshotKind::kMerge;
  }

  static bool NeedsException(const SnapshotDevice& snapshot, std::optional<std::uint64_t> chunk) {
    return !chunk && !Merges(snapshot);
  }

  // Why the request ends at this block; empty: it does not. In the order of SnapshotDevice.
  std::string SnapshotRefusal(Access access, const ScenarioDevice& device,
                              const ExplainedBlock& block) const {
    const SnapshotDevice& snapshot = *device.snapshot;
    if (snapshot.suspended()) return "waits (EAGAIN) until a resume: it is suspended";
    if (Merges(snapshot)) return "";
    if (access == Access::kDiscard && !snapshot.table().discard_zeroes_cow) {
      return "EOPNOTSUPP: the snapshot takes no discards";
    }
    if (!snapshot.valid()) return "EIO: the snapshot is invalid";
    if (access == Access::kRead) return "";
    if (snapshot.overflowed()) return "EIO: the snapshot has overflowed: it can only be read";
    if (access == Access::kDiscard || block.chunk || free_chunks_ > 0) return "";
    return snapshot.table().store == SnapshotStore::kPersistentOverflow
               ? "EIO: the COW device is full; from now on the snapshot can only be read"
               : "EIO: the COW device is full, and the snapshot becomes invalid";
  }

  std::string SnapshotEffect(Access access, const SnapshotDevice& snapshot, const Piece& piece,
                             const ExplainedBlock& block) {
    const std::string data = SizeText(piece.bytes);
    if (access == Access::kRead) return "read it there";
    if (access == Access::kDiscard) {
      if (Merges(snapshot)) return "nothing: a merge does nothing with discards";
      if (!block.chunk) return "nothing";
      return piece.whole ? "zero the chunk" : "discard " + data + " of it on the COW device";
    }
    if (block.chunk) return "write " + data + " in place";
    if (Merges(snapshot)) return "write " + data + " to the origin";
    --free_chunks_;
    if (piece.whole) return "an exception: write it whole to the COW device";
    return "an exception: copy " + SizeText(block.block_bytes) + " from the origin, write " + data;
  }

  // What has no blocks of its own; snapshots that stand on it may want to keep what is there.
  void AddPlain(const Touched& touched, const ScenarioDevice& device) {
    ExplainedBlock& block = explained_.shown.emplace_back();
    block = {device.name, 0, device.device->size_sectors() * kSectorBytes, "the device",
             std::nullopt};
    if (explained_.refused) {
      block.effect = std::string(kNotReached);
      return;
    }
    if (touched.access == Access::kDiscard && HasSnapshots(device)) {
      return End(block, "EOPNOTSUPP: an origin of snapshots takes no discards");
    }
    block.effect = touched.access == Access::kRead      ? "read it there"
                   : touched.access == Access::kDiscard ? "discard it there"
                                                        : "write it there";
    if (touched.access != Access::kWrite) return;
    const OriginCopies copies = CopiesFor(touched, device);
    if (copies.snapshots == 0) return;
    block.effect =
        absl::StrFormat("%d of its snapshots must copy first, then write it", copies.snapshots);
    for (const std::string& name : copies.full) {
      block.effect += absl::StrFormat("; %s has no room for it and becomes invalid", name);
    }
  }

  bool HasSnapshots(const ScenarioDevice& device) const {
    return std::any_of(devices_.begin(), devices_.end(), [&](const ScenarioDevice& each) {
      return each.snapshot != nullptr && each.snapshot->table().origin_device == device.name;
    });
  }

  struct OriginCopies {
    std::uint64_t snapshots = 0;    // that have not all of the chunks
    std::vector<std::string> full;  // of those, whose COW device has not enough room
  };

  OriginCopies CopiesFor(const Touched& touched, const ScenarioDevice& device) const {
    OriginCopies copies;
    for (const ScenarioDevice& each : devices_) {
      if (each.snapshot == nullptr || !each.snapshot->valid()) continue;
      const SnapshotTable table = each.snapshot->table();
      if (table.origin_device != device.name || table.kind == SnapshotKind::kMerge) continue;
      const std::uint64_t chunk_bytes = each.snapshot->chunk_sectors() * kSectorBytes;
      const std::vector<Piece> pieces = PiecesOf(touched, chunk_bytes, std::size_t{1} << 20);
      const auto missing = static_cast<std::uint64_t>(std::count_if(
          pieces.begin(), pieces.end(),
          [&](const Piece& piece) { return !each.snapshot->Lookup(piece.block).has_value(); }));
      copies.snapshots += missing > 0 ? 1 : 0;
      if (missing > each.snapshot->free_chunks()) copies.full.push_back(each.name);
    }
    return copies;
  }

  OpContext op_;
  std::vector<ScenarioDevice> devices_;
  ExplainedBlocks explained_;
  std::uint64_t free_chunks_ = 0;  // of the pool or the COW device, behind what was explained
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
