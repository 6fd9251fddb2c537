// Tables, life and requests. The merge is in snapshot_merge.cc.
#include "lamina/block/snapshot_device.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/sector_range.h"
#include "vfs/block/chunk_pieces.h"
#include "vfs/block/exception_store.h"
#include "vfs/block/exception_table.h"
#include "vfs/block/target_line.h"

namespace lamina {

using internal::ForEachPiece;
using internal::PartOf;
using internal::RefusedTable;

SnapshotDevice::SnapshotDevice(SnapshotOrigins& origins, SnapshotTable table, BlockDevice& origin,
                               BlockDevice& cow, std::uint32_t source)
    : origins_(&origins),
      table_(std::move(table)),
      origin_(&origin),
      cow_(&cow),
      source_(source),
      exceptions_(std::make_unique<internal::ExceptionTable>()) {}

SnapshotDevice::~SnapshotDevice() {
  const SnapshotOrigins::Sharing sharing = origins_->SharingOf(*origin_, *cow_);
  if (sharing.source == this && sharing.target != nullptr) sharing.target->valid_ = false;
  origins_->Remove(*this);
}

// ── Load and resume ────────────────────────────────────────────────────────────────────────────

TableResult<std::unique_ptr<SnapshotDevice>> SnapshotDevice::Load(
    const OpContext& op, SnapshotOrigins& origins, const SnapshotTable& table, BlockDevice& origin,
    BlockDevice& cow, std::uint32_t source) {
  if (std::optional<TableError> bad = CheckSnapshotTable(table)) return *bad;
  if (&origin == &cow) return RefusedTable("origin and COW device are the same device");
  if (table.length_sectors > origin.size_sectors()) {
    return RefusedTable("the table is longer than the origin device");
  }
  std::unique_ptr<SnapshotDevice> device(new SnapshotDevice(origins, table, origin, cow, source));
  bool takes_over = false;
  if (std::optional<TableError> bad = device->CheckCowIsFree(takes_over)) return *bad;
  if (!takes_over) {
    if (std::optional<TableError> bad = device->OpenStore(op)) return *bad;
  }
  origins.Place(*device);
  return device;
}

// dm-snap: __validate_exception_handover.
std::optional<TableError> SnapshotDevice::CheckCowIsFree(bool& takes_over) const {
  const SnapshotOrigins::Sharing sharing = origins_->SharingOf(*origin_, *cow_);
  if (sharing.count == 2 || sharing.target != nullptr) {
    return RefusedTable("the COW device has its two targets already: one hands over to the other");
  }
  takes_over = sharing.source != nullptr;
  if (!merges()) return std::nullopt;
  if (sharing.merging != nullptr) return RefusedTable("a snapshot of this origin merges already");
  if (takes_over && sharing.source->store_ != nullptr && !sharing.source->store_->persistent()) {
    return RefusedTable("a transient store cannot be merged");
  }
  return std::nullopt;
}

std::optional<TableError> SnapshotDevice::OpenStore(const OpContext& op) {
  if (table_.store == SnapshotStore::kTransient) {
    store_ = std::make_unique<internal::TransientStore>(*cow_, table_.chunk_sectors);
    return std::nullopt;
  }
  const auto add = [this](const internal::Exception& one) { return exceptions_->Add(one); };
  Result<internal::PersistentStore::Opened> opened =
      internal::PersistentStore::Open(op, *cow_, table_.chunk_sectors, add);
  if (!opened.ok()) {
    return TableError{opened.error(), "the snapshot metadata on the COW device cannot be read"};
  }
  store_ = std::move(opened->store);
  valid_ = opened->valid;
  return std::nullopt;
}

// dm-snap: snapshot_preresume and snapshot_resume.
Result<void> SnapshotDevice::Resume(const OpContext& op) {
  if (!suspended_) return {};
  const SnapshotOrigins::Sharing sharing = origins_->SharingOf(*origin_, *cow_);
  if (sharing.source != nullptr && sharing.target != nullptr) {
    if (sharing.source == this || !sharing.source->suspended_) return Errno::kInval;
    TakeOver(*sharing.source);
  }
  suspended_ = false;
  active_ = true;
  resumed_at_ = op.now;
  origins_->Place(*this);
  return {};
}

// dm-snap: __handover_exceptions.
void SnapshotDevice::TakeOver(SnapshotDevice& source) {
  std::swap(store_, source.store_);
  std::swap(exceptions_, source.exceptions_);
  valid_ = source.valid_;
  overflowed_ = source.overflowed_;
  source.valid_ = false;
  source.suspended_ = false;  // nothing to wait for: its requests fail
}

// ── Requests ───────────────────────────────────────────────────────────────────────────────────

std::uint64_t SnapshotDevice::chunk_sectors() const {
  return store_ == nullptr ? 0 : store_->chunk_sectors();
}

Sector SnapshotDevice::CowSector(std::uint64_t cow_chunk, std::uint64_t offset_sectors) const {
  return Sector{cow_chunk * chunk_sectors() + offset_sectors};
}

Result<void> SnapshotDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, into.size());
  if (!range.ok()) return range.error();
  if (suspended_) return Errno::kAgain;
  return ForEachPiece(*range, chunk_sectors(), [&](SectorRange piece) {
    return ReadPiece(op, piece.first, PartOf(into, first, piece));
  });
}

Result<void> SnapshotDevice::ReadPiece(const OpContext& op, Sector first, MutableBytes into) {
  if (!valid_) return merges() ? origin_->Read(op, first, into) : Errno::kIo;
  const std::uint64_t chunk = first.value / chunk_sectors();
  if (const std::optional<std::uint64_t> found = exceptions_->Find(chunk)) {
    return cow_->Read(op, CowSector(*found, first.value % chunk_sectors()), into);
  }
  return origin_->Read(op, first, into);
}

Result<void> SnapshotDevice::Write(const OpContext& op, Sector first, Bytes from) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors(), first, from.size());
  if (!range.ok()) return range.error();
  if (suspended_) return Errno::kAgain;
  return ForEachPiece(*range, chunk_sectors(), [&](SectorRange piece) {
    return WritePiece(op, piece.first, PartOf(from, first, piece));
  });
}

// dm-snap: snapshot_map and snapshot_merge_map.
Result<void> SnapshotDevice::WritePiece(const OpContext& op, Sector first, Bytes from) {
  if (!merges() && (!valid_ || overflowed_)) return Errno::kIo;
  if (!valid_) return origins_->WriteOrigin(op, *origin_, first, from);
  const std::uint64_t chunk = first.value / chunk_sectors();
  const std::uint64_t offset = first.value % chunk_sectors();
  std::optional<std::uint64_t> found = exceptions_->Find(chunk);
  if (!found && merges()) return origins_->WriteOrigin(op, *origin_, first, from);
  if (found) return cow_->Write(op, CowSector(*found, offset), from);

  const bool whole = from.size() == chunk_sectors() * kSectorBytes;
  if (Result<void> added = AddException(op, chunk, whole ? from : Bytes()); !added.ok()) {
    if (added.error() != Errno::kNoSpc) return Errno::kIo;
    if (table_.store == SnapshotStore::kPersistentOverflow) {
      overflowed_ = true;
    } else {
      Invalidate(op);
    }
    return Errno::kIo;
  }
  found = exceptions_->Find(chunk);
  return whole ? Result<void>() : cow_->Write(op, CowSector(*found, offset), from);
}

Result<void> SnapshotDevice::Flush(const OpContext& op) {
  if (suspended_) return Errno::kAgain;
  if (merges()) {
    if (Result<void> flushed = origin_->Flush(op); !flushed.ok()) return flushed;
  }
  return cow_->Flush(op);
}

std::uint64_t SnapshotDevice::max_discard_sectors() const {
  return table_.discard_zeroes_cow || merges() ? chunk_sectors() : 0;
}

Result<void> SnapshotDevice::Discard(const OpContext& op, SectorRange range) {
  if (!Contains(size_sectors(), range)) return Errno::kInval;
  if (suspended_) return Errno::kAgain;
  if (merges()) return {};
  if (!table_.discard_zeroes_cow) return Errno::kOpNotSupp;
  return ForEachPiece(range, chunk_sectors(),
                      [&](SectorRange piece) { return DiscardPiece(op, piece); });
}

Result<void> SnapshotDevice::DiscardPiece(const OpContext& op, SectorRange range) {
  if (!valid_ || overflowed_) return Errno::kIo;
  const std::uint64_t chunk = range.first.value / chunk_sectors();
  if (const std::optional<std::uint64_t> found = exceptions_->Find(chunk)) {
    const SectorRange on_cow{CowSector(*found, range.first.value % chunk_sectors()), range.count};
    Result<void> done =
        range.count == chunk_sectors() ? cow_->WriteZeros(op, on_cow) : cow_->Discard(op, on_cow);
    if (!done.ok()) return done;
  }
  // dm-snap: past the exceptions of the other snapshots, on purpose.
  return table_.discard_passdown_origin ? origin_->Discard(op, range) : Result<void>();
}

// ── Exceptions ─────────────────────────────────────────────────────────────────────────────────

// dm-snap: __origin_write.
void SnapshotDevice::BeforeOriginWrite(const OpContext& op, Sector sector) {
  if (merges() || !active_ || !valid_ || sector.value >= size_sectors()) return;
  const std::uint64_t chunk = sector.value / chunk_sectors();
  if (exceptions_->Find(chunk).has_value()) return;
  const Result<void> added = AddException(op, chunk, {});
  if (!added.ok() && added.error() == Errno::kNoSpc) Invalidate(op);
}

Result<void> SnapshotDevice::AddException(const OpContext& op, std::uint64_t chunk, Bytes whole) {
  const Result<std::uint64_t> cow_chunk = store_->Allocate();
  if (!cow_chunk.ok()) return Errno::kNoSpc;
  Result<void> done = whole.empty() ? CopyChunk(op, chunk, *cow_chunk)
                                    : cow_->Write(op, CowSector(*cow_chunk, 0), whole);
  if (done.ok()) done = store_->Commit(op, {chunk, *cow_chunk});
  if (!done.ok()) {
    Invalidate(op);
    return Errno::kIo;
  }
  exceptions_->Add({chunk, *cow_chunk});
  ++counters_.exceptions;
  op.probe.Emit([&] {
    return Event{.kind = EventKind::kExceptionCopied,
                 .source = source_,
                 .subject = chunk,
                 .amount = whole.empty() ? chunk_sectors() * kSectorBytes : 0};
  });
  return {};
}

Result<void> SnapshotDevice::CopyChunk(const OpContext& op, std::uint64_t chunk,
                                       std::uint64_t cow_chunk) {
  const std::uint64_t first = chunk * chunk_sectors();
  const std::uint64_t behind = origin_->size_sectors() - std::min(origin_->size_sectors(), first);
  const SectorRange range{Sector{first}, std::min(chunk_sectors(), behind)};
  Result<void> copied = internal::CopyBetween(op, *origin_, range, *cow_, CowSector(cow_chunk, 0));
  if (copied.ok()) ++counters_.copies;
  return copied;
}

// The header may be out of reach; the snapshot is invalid all the same until it is loaded again.
void SnapshotDevice::Invalidate(const OpContext& op) {
  if (!valid_) return;
  valid_ = false;
  (void)store_->MarkInvalid(op);
}

// ── What it is like ────────────────────────────────────────────────────────────────────────────

std::string SnapshotDevice::Status() const {
  if (!valid_) return "Invalid";
  if (merge_failed_) return "Merge failed";
  if (overflowed_) return "Overflow";
  internal::StoreUsage usage{.total_sectors = cow_->size_sectors()};
  if (store_ != nullptr) usage = store_->usage();
  return absl::StrFormat("%d/%d %d", usage.allocated_sectors, usage.total_sectors,
                         usage.metadata_sectors);
}

std::string SnapshotDevice::StatusLine() const {
  return absl::StrFormat("%d %d %s %s", table_.start_sector, table_.length_sectors,
                         SnapshotTargetName(table_.kind), Status());
}

SnapshotTable SnapshotDevice::table() const {
  SnapshotTable table = table_;
  if (store_ != nullptr) table.chunk_sectors = store_->chunk_sectors();
  return table;
}

std::uint64_t SnapshotDevice::exception_count() const { return exceptions_->size(); }

std::uint64_t SnapshotDevice::free_chunks() const {
  return store_ == nullptr ? 0 : store_->free_chunks();
}

std::optional<std::uint64_t> SnapshotDevice::Lookup(std::uint64_t chunk) const {
  return exceptions_->Find(chunk);
}

}  // namespace lamina
