// The exceptions of a snapshot go back to its origin.
#include <algorithm>

#include "lamina/block/snapshot_device.h"
#include "vfs/block/chunk_pieces.h"
#include "vfs/block/exception_store.h"
#include "vfs/block/exception_table.h"

namespace lamina {

Result<bool> SnapshotDevice::FailMerge() {
  merge_failed_ = true;
  return Errno::kIo;
}

// dm-snap: snapshot_merge_next_chunks and merge_callback.
Result<bool> SnapshotDevice::MergeNext(const OpContext& op) {
  if (!merges()) return Errno::kInval;
  if (suspended_) return Errno::kAgain;
  if (!valid_ || merge_failed_) return Errno::kIo;
  const Result<std::optional<internal::ExceptionRun>> last = store_->LastRun(op);
  if (!last.ok()) return FailMerge();
  merge_done_ = !last->has_value();
  if (merge_done_) return false;

  const internal::ExceptionRun& run = **last;
  const std::uint64_t first = run.first.origin_chunk * chunk_sectors();
  const std::uint64_t length = run.count * chunk_sectors();
  if (first >= origin_->size_sectors()) return FailMerge();
  const SectorRange target{Sector{first}, std::min(length, origin_->size_sectors() - first)};
  const SectorRange merged{CowSector(run.first.cow_chunk, 0), target.count};

  origins_->CopyOut(op, *origin_, target);
  Result<void> done = internal::CopyBetween(op, *cow_, merged, *origin_, target.first);
  if (done.ok()) done = origin_->Flush(op);
  if (done.ok()) done = store_->DropLast(op, run.count);
  if (!done.ok()) return FailMerge();
  for (std::uint64_t i = 0; i < run.count; ++i) exceptions_->Remove(run.first.origin_chunk + i);
  counters_.merged += run.count;
  return true;
}

std::optional<Instant> SnapshotDevice::NextDeadline() const {
  const bool runs = merges() && !suspended_ && valid_ && !merge_failed_ && !merge_done_;
  return runs ? std::optional<Instant>(resumed_at_) : std::nullopt;
}

Result<void> SnapshotDevice::RunUntil(const OpContext& op, Instant until) {
  for (;;) {
    const std::optional<Instant> due = NextDeadline();
    if (!due || *due > until) return {};
    if (Result<bool> merged = MergeNext(op); !merged.ok()) return merged.error();
  }
}

}  // namespace lamina
