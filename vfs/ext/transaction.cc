// ExtFs: calls as steps of a transaction, commits, and what follows them.
#include <algorithm>
#include <utility>

#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

constexpr std::size_t kMaxDataBytes = std::size_t{8} << 20U;

}  // namespace

bool ExtFs::Body::IsLarge() const {
  return cache.dirty_blocks() > kLargeTransaction || cache.revoked_blocks() > kLargeTransaction ||
         cache.data_bytes() > kMaxDataBytes;
}

Result<void> ExtFs::Body::BeginChange(const OpContext& op) {
  if (failed || read_only) return Errno::kRoFs;
  cache.Begin();
  if (IsLarge()) {
    if (Result<void> committed = Commit(op); !committed.ok()) return committed;
  }
  cache.Trim();
  step = cache.Now();
  allocator_step = allocator.Now();
  return {};
}

void ExtFs::Body::EndChange(const OpContext& op) {
  ++changes;
  last_change = op.now;
  if (!dirty_since.has_value()) dirty_since = op.now;
}

void ExtFs::Body::RollBack() {
  if (cache.changed_since(step)) directories.ForgetAll();
  cache.RollBackTo(step);
  allocator.RollBackTo(allocator_step);
}

Result<void> ExtFs::Body::CommitStep(const OpContext& op) {
  if (Result<void> committed = Commit(op); !committed.ok()) return committed;
  cache.Begin();
  step = cache.Now();
  allocator_step = allocator.Now();
  return {};
}

Result<void> ExtFs::Body::Commit(const OpContext& op) {
  if (failed) return Errno::kRoFs;
  if (!cache.is_dirty()) return {};
  if (Result<void> committed = cache.Commit(op); !committed.ok()) {
    failed = true;
    return committed;
  }
  ++commits;
  dirty_since.reset();
  DiscardFreed(op, allocator.ReleasePending());
  step = cache.Now();
  allocator_step = allocator.Now();
  return {};
}

void ExtFs::Body::DiscardFreed(const OpContext& op, const std::vector<BlockRun>& freed) {
  if (!discards || freed.empty()) return;
  std::vector<BlockRun> runs = freed;
  std::sort(runs.begin(), runs.end(),
            [](const BlockRun& left, const BlockRun& right) { return left.first < right.first; });
  const std::uint64_t sectors = geometry.sectors_per_block();
  for (std::size_t index = 0; index < runs.size();) {
    BlockRun run = runs[index++];
    while (index < runs.size() && runs[index].first == run.first + run.count) {
      run.count += runs[index++].count;
    }
    // Only a hint: a device that cannot is not asked again.
    Result<void> discarded = device.Discard(op, {Sector{run.first * sectors}, run.count * sectors});
    if (!discarded.ok()) {
      discards = false;
      return;
    }
  }
}

std::optional<Instant> ExtFs::NextDeadline() const {
  if (!body_->dirty_since.has_value() || body_->failed) return std::nullopt;
  return Instant{body_->dirty_since->virtual_ns + body_->options.commit_interval.virtual_ns};
}

Result<void> ExtFs::RunUntil(const OpContext& op, Instant until) {
  const std::optional<Instant> due = NextDeadline();
  if (!due.has_value() || *due > until) return {};
  return body_->Commit(op);
}

Result<void> ExtFs::SyncAll(const OpContext& op) {
  if (body_->read_only) return {};
  return body_->Commit(op);
}

Result<void> ExtFs::Sync(const OpContext& op, HandleId handle, SyncMode) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  Result<ExtOpen> open = body_->FindOpen(op, handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  if (body_->read_only) return {};
  return body_->Commit(op);
}

}  // namespace lamina
