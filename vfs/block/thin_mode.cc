// Commits, the pool's modes, and what waits for them.
#include <algorithm>
#include <utility>

#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {
namespace {

constexpr Duration kCommitPeriod{kNanosecondsPerSecond};

constexpr std::uint64_t kMostReserveBlocks = 4096;

template <typename T>
void KeepLatest(std::deque<T>& list, T item) {
  if (list.size() == ThinPool::kMaxKept) list.pop_front();
  list.push_back(std::move(item));
}

Instant After(Instant start, Duration by) {
  return {by.virtual_ns > INT64_MAX - start.virtual_ns ? INT64_MAX
                                                       : start.virtual_ns + by.virtual_ns};
}

}  // namespace

void ThinPool::Tell(const OpContext& op, ThinPoolEventKind kind) {
  KeepLatest(events_, ThinPoolEvent{kind, op.now, mode_});
  ++event_count_;
}

void ThinPool::Log(std::string line) { KeepLatest(log_, std::move(line)); }

std::uint64_t ThinPool::metadata_reserve_blocks() const {
  return std::min(kMostReserveBlocks, metadata_->metadata_blocks().total / 10);
}

std::uint64_t ThinPool::metadata_low_water_blocks() const {
  return std::min<std::uint64_t>(1024, metadata_->metadata_blocks().total / 4);
}

bool ThinPool::MetadataIsShort() const {
  return metadata_->metadata_blocks().free() <= metadata_reserve_blocks();
}

// ── Commit ───────────────────────────────────────────────────────────────────────────────────────

Result<void> ThinPool::Commit(const OpContext& op) {
  if (mode_ >= ThinPoolMode::kOutOfMetadataSpace) return Errno::kInval;
  return CommitNow(op);
}

Result<void> ThinPool::CommitNow(const OpContext& op) {
  const bool changed = metadata_->AnyChange();
  if (!metadata_->Commit(op).ok()) {
    MetadataFailed(op);
    return Errno::kIo;
  }
  first_change_.reset();
  if (changed) {
    ++counters_.commits;
    op.probe.Emit([&] {
      return Event{.kind = EventKind::kTransactionCommitted,
                   .source = settings_.source,
                   .detail = metadata_->transaction_id()};
    });
  }
  CheckMetadataLow(op);
  // dm-thin: check_for_metadata_space, then check_for_data_space.
  if (MetadataIsShort()) SetMode(op, ThinPoolMode::kOutOfMetadataSpace);
  if (mode_ == ThinPoolMode::kOutOfDataSpace && metadata_->data_blocks().allocatable > 0) {
    SetMode(op, ThinPoolMode::kWrite);
    if (!suspended_) RetryWaiting(op);
  }
  return {};
}

// After a call that changed the metadata, or may have.
void ThinPool::NoteChange(const OpContext& op) {
  if (!first_change_.has_value() && metadata_->AnyChange()) first_change_ = op.now;
  CheckMetadataLow(op);
}

void ThinPool::CheckMetadataLow(const OpContext& op) {
  const ThinBlockCounts blocks = metadata_->metadata_blocks();
  const bool low = blocks.free() <= metadata_low_water_blocks();
  if (low && !metadata_low_told_) Tell(op, ThinPoolEventKind::kMetadataLowWater);
  metadata_low_told_ = low;
}

void ThinPool::CheckLowWater(const OpContext& op) {
  if (low_water_told_ || metadata_->data_blocks().free() > table_.low_water_blocks) return;
  low_water_told_ = true;
  Tell(op, ThinPoolEventKind::kLowWater);
}

void ThinPool::MetadataFailed(const OpContext& op) {
  ++details_epoch_;
  first_change_.reset();
  if (!metadata_->Abort(op).ok() || !metadata_->SetNeedsCheck(op).ok()) {
    SetMode(op, ThinPoolMode::kFail);
  }
  SetMode(op, ThinPoolMode::kReadOnly);
}

// ── Modes: dm-thin, set_pool_mode ────────────────────────────────────────────────────────────────

void ThinPool::SetMode(const OpContext& op, ThinPoolMode mode) {
  const ThinPoolMode before = mode_;
  if (mode == ThinPoolMode::kWrite && metadata_->needs_check()) {
    Log("the pool is not writable: it is to be checked");
    mode = before != mode ? before : ThinPoolMode::kReadOnly;
  }
  if (before == ThinPoolMode::kFail) mode = before;
  mode_ = mode;
  table_mode_ = mode;
  no_space_deadline_.reset();
  switch (mode) {
    case ThinPoolMode::kWrite:
      error_if_no_space_ = table_.features.error_if_no_space;
      break;
    case ThinPoolMode::kOutOfDataSpace:
      if (!error_if_no_space_ && settings_.no_space_timeout.virtual_ns > 0) {
        no_space_deadline_ = After(op.now, settings_.no_space_timeout);
      }
      break;
    case ThinPoolMode::kOutOfMetadataSpace:
    case ThinPoolMode::kReadOnly:
    case ThinPoolMode::kFail:
      FailWaiting(Errno::kIo);
      break;
  }
  if (before != mode) Tell(op, ThinPoolEventKind::kModeChanged);
}

// The errno of a write that needs a block and does not get one.
Errno ThinPool::Unserviceable() const {
  if (mode_ != ThinPoolMode::kOutOfDataSpace) return Errno::kIo;
  return error_if_no_space_ ? Errno::kNoSpc : Errno::kAgain;
}

// ── What waits ───────────────────────────────────────────────────────────────────────────────────

void ThinPool::RetryWaiting(const OpContext& op) {
  std::vector<std::unique_ptr<internal::WaitingWrite>> retried;
  retried.swap(waiting_);
  for (std::unique_ptr<internal::WaitingWrite>& waiting : retried) {
    const Result<void> written = WritePiece(op, *waiting->device, waiting->piece, waiting->bytes);
    if (!written.ok() && written.error() == Errno::kAgain) {
      waiting_.push_back(std::move(waiting));
    } else {
      waiting->End(written);
    }
  }
}

void ThinPool::FailWaiting(Errno error) {
  for (const std::unique_ptr<internal::WaitingWrite>& waiting : waiting_) waiting->End(error);
  waiting_.clear();
}

void ThinPool::TimeOutWaiting(const OpContext& op) {
  no_space_deadline_.reset();
  if (mode_ != ThinPoolMode::kOutOfDataSpace || error_if_no_space_) return;
  error_if_no_space_ = true;
  Tell(op, ThinPoolEventKind::kModeChanged);
  FailWaiting(Errno::kNoSpc);
}

std::optional<Instant> ThinPool::NextDeadline() const {
  if (suspended_) return std::nullopt;
  std::optional<Instant> next = no_space_deadline_;
  if (first_change_.has_value()) {
    const Instant commit = After(*first_change_, kCommitPeriod);
    if (!next.has_value() || commit < *next) next = commit;
  }
  return next;
}

Result<void> ThinPool::RunUntil(const OpContext& op, Instant until) {
  for (std::optional<Instant> next = NextDeadline(); next.has_value() && *next <= until;
       next = NextDeadline()) {
    const OpContext at{op.cred, *next, op.probe};
    if (no_space_deadline_ == next &&
        !(first_change_.has_value() && After(*first_change_, kCommitPeriod) <= *next)) {
      TimeOutWaiting(at);
    } else {
      first_change_.reset();
      (void)CommitNow(at);
    }
  }
  return {};
}

}  // namespace lamina
