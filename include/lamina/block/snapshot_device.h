// SnapshotDevice: the targets snapshot and snapshot-merge of dm-snapshot. A device as it was at one
// moment; what changed since, on either side, lies in chunks of a COW device.
//
//   origin      [ a ][ b ][ c'][ d ]      c was overwritten: the old c was copied first
//   COW         head area [ c ][ d'] ..   d was overwritten in the snapshot
//   snapshot    [ a ][ b ][ c ][ d']
//
// Nothing is shared between two snapshots: one write to the origin is a copy for each (a thin pool,
// thin_pool.h, has one for all). A snapshot may be the origin of others; each level is asked in
// turn.
//
// Life: Load checks the table and reads the exceptions, Resume makes them count. A second target on
// the same COW device (the same snapshot with another table, or its merge) is loaded beside the
// first, the first suspended, the second resumed: it takes the exceptions over, and the first is
// invalid. A merge then moves them back to the origin, a run of chunks a call (MergeNext), or all
// of them (RunUntil).
//
// Full COW device: a write to the origin goes on, and the snapshot is invalid; a write to the
// snapshot fails, and the snapshot is invalid too, or, with PO, can still be read. So is one whose
// chunk cannot be copied or recorded.
//
// Calls are atomic: no write waits for a copy, and no chunk is between two places.
// [model] A new header and the mark of an invalid snapshot are flushed; the kernel leaves the time
// to the COW device. There are no messages.
//
// Source: devicemapper.md section 13; the kernel's device-mapper/snapshot.rst.
// Threads: thread-compatible, together with all devices of one SnapshotOrigins.
// Lifetime: owns neither device; outlived by the SnapshotOrigins.
#ifndef LAMINA_BLOCK_SNAPSHOT_DEVICE_H_
#define LAMINA_BLOCK_SNAPSHOT_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lamina/block/block_device.h"
#include "lamina/block/snapshot_origins.h"
#include "lamina/block/snapshot_table.h"
#include "lamina/trace/deferred.h"

namespace lamina {

namespace internal {
class ExceptionStore;
class ExceptionTable;
}  // namespace internal

// Since the device was loaded.
struct SnapshotCounters {
  std::uint64_t copies = 0;      // chunks copied from the origin
  std::uint64_t exceptions = 0;  // chunks that became exceptions, copied or written whole
  std::uint64_t merged = 0;      // chunks that went back to the origin
};

class SnapshotDevice final : public BlockDevice, public Deferred {
 public:
  // The device is suspended. A COW device that begins with zeros gets a new store. `source` names
  // the device in events.
  //
  // Errors, in the order they are checked:
  //   kInval  the table (CheckSnapshotTable); one device for both; longer than the origin
  //   kInval  the COW device is in use: handed over already, or a second one is loaded; another
  //           snapshot of the origin merges and this would too; a transient store to merge
  //   kIo     the COW device is too short for its metadata, or fails
  //   kNxIo   the COW device holds something else
  //   kInval  its header or its exceptions cannot be
  static TableResult<std::unique_ptr<SnapshotDevice>> Load(const OpContext& op,
                                                           SnapshotOrigins& origins,
                                                           const SnapshotTable& table,
                                                           BlockDevice& origin, BlockDevice& cow,
                                                           std::uint32_t source = 0);
  // A hand-over that waits for this one is off: its target is invalid.
  ~SnapshotDevice() override;
  SnapshotDevice(const SnapshotDevice&) = delete;
  SnapshotDevice& operator=(const SnapshotDevice&) = delete;

  // From now on writes to the origin are seen. Takes the exceptions over from a suspended source.
  // Errors: kInval  this is the source of a hand-over, or the source is not suspended.
  Result<void> Resume(const OpContext& op);
  // Requests wait (kAgain); writes to the origin are still seen.
  void Suspend() { suspended_ = true; }
  bool suspended() const { return suspended_; }

  std::uint64_t size_sectors() const override { return table_.length_sectors; }

  // All four: kInval  not whole sectors, or past the end; kAgain  suspended.
  // An invalid snapshot gives kIo, an overflowed one when it is written. A merge that is invalid
  // shows the origin. Errors of the devices are passed on.
  Result<void> Read(const OpContext& op, Sector first, MutableBytes into) override;
  // Chunk by chunk; those before the one that fails are written. A whole chunk is not copied first.
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override;
  // Of the COW device; a merge flushes the origin too.
  Result<void> Flush(const OpContext& op) override;
  // With discard_zeroes_cow: whole chunks that are exceptions become zeros, parts of them are
  // discarded on the COW device, and what is no exception is left alone. With
  // discard_passdown_origin the origin is discarded too, and no snapshot keeps what was there.
  // A merge does nothing. Errors, behind the others: kOpNotSupp  no such feature.
  Result<void> Discard(const OpContext& op, SectorRange range) override;
  std::uint64_t max_discard_sectors() const override;

  // ── Merge ────────────────────────────────────────────────────────────────────────────────────
  // Moves the last run of consecutive chunks back: the other snapshots copy what it overwrites, the
  // origin is written and flushed, the exceptions are dropped. False: none was left.
  //
  // Errors, in the order they are checked:
  //   kInval  not a merge
  //   kAgain  suspended
  //   kIo     invalid; a merge that failed once; a device fails, and the merge has failed for good
  Result<bool> MergeNext(const OpContext& op);
  // A merge with exceptions left is due from the moment of its resume.
  std::optional<Instant> NextDeadline() const override;
  // Merges everything. Errors: as MergeNext.
  Result<void> RunUntil(const OpContext& op, Instant until) override;

  // ── What it is like ──────────────────────────────────────────────────────────────────────────
  // "Invalid", "Merge failed", "Overflow", or "<allocated>/<total> <metadata>" in sectors.
  std::string Status() const;
  // "<start> <length> snapshot <status>".
  std::string StatusLine() const;
  // As loaded, but with the chunk size that the COW device has.
  SnapshotTable table() const;
  bool valid() const { return valid_; }
  bool overflowed() const { return overflowed_; }
  bool merge_failed() const { return merge_failed_; }
  // 0: loaded to take over, and has not yet.
  std::uint64_t chunk_sectors() const;
  std::uint64_t exception_count() const;
  // Chunks of the COW device that may still become exceptions; 0 as for chunk_sectors.
  std::uint64_t free_chunks() const;
  // Where the chunk lies on the COW device; nothing: on the origin.
  std::optional<std::uint64_t> Lookup(std::uint64_t chunk) const;
  const SnapshotCounters& counters() const { return counters_; }

 private:
  friend class SnapshotOrigins;

  SnapshotDevice(SnapshotOrigins& origins, SnapshotTable table, BlockDevice& origin,
                 BlockDevice& cow, std::uint32_t source);

  std::optional<TableError> CheckCowIsFree(bool& takes_over) const;
  std::optional<TableError> OpenStore(const OpContext& op);
  void TakeOver(SnapshotDevice& source);

  bool merges() const { return table_.kind == SnapshotKind::kMerge; }
  Sector CowSector(std::uint64_t cow_chunk, std::uint64_t offset_sectors) const;
  Result<void> ReadPiece(const OpContext& op, Sector first, MutableBytes into);
  Result<void> WritePiece(const OpContext& op, Sector first, Bytes from);
  Result<void> DiscardPiece(const OpContext& op, SectorRange range);

  // An origin's sector from `sector` to the end of its chunk is about to be overwritten.
  void BeforeOriginWrite(const OpContext& op, Sector sector);
  // The chunk is copied, or becomes `whole`. kNoSpc: the COW device is full, nothing has changed;
  // another error: the snapshot is invalid.
  Result<void> AddException(const OpContext& op, std::uint64_t chunk, Bytes whole);
  Result<void> CopyChunk(const OpContext& op, std::uint64_t chunk, std::uint64_t cow_chunk);
  void Invalidate(const OpContext& op);
  Result<bool> FailMerge();

  SnapshotOrigins* origins_;
  SnapshotTable table_;
  BlockDevice* origin_;
  BlockDevice* cow_;
  std::uint32_t source_;
  std::unique_ptr<internal::ExceptionStore> store_;  // null: loaded to take over, and has not yet
  std::unique_ptr<internal::ExceptionTable> exceptions_;
  bool valid_ = true;
  bool overflowed_ = false;
  bool active_ = false;  // was resumed once
  bool suspended_ = true;
  bool merge_failed_ = false;
  bool merge_done_ = false;
  Instant resumed_at_;
  SnapshotCounters counters_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_SNAPSHOT_DEVICE_H_
