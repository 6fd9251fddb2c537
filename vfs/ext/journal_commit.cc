// One transaction into the ring: revoke records, descriptors with copies, commit record.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "lamina/ext/journal.h"
#include "vfs/ext/journal_format.h"

namespace lamina {
namespace {

using namespace internal;  // NOLINT: the module's own words
using namespace internal::jbd2;

constexpr std::uint64_t PiecesOf(std::uint64_t count, std::uint64_t per_piece) {
  return (count + per_piece - 1) / per_piece;
}

std::vector<std::uint32_t> SortedNumbers(std::span<const Journal::Block> blocks) {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(blocks.size());
  for (const Journal::Block& block : blocks) numbers.push_back(block.fs_block);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// What stays revoked: a block that is written again in the same transaction is not (jbd2 calls it
// a cancelled revoke; replay would leave the new copy out as well).
std::vector<std::uint32_t> RevokedOnly(std::span<const Journal::Block> blocks,
                                       std::span<const std::uint32_t> revoked) {
  const std::vector<std::uint32_t> written = SortedNumbers(blocks);
  std::vector<std::uint32_t> sorted(revoked.begin(), revoked.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<std::uint32_t> rest;
  std::set_difference(sorted.begin(), sorted.end(), written.begin(), written.end(),
                      std::back_inserter(rest));
  return rest;
}

}  // namespace

std::uint64_t Journal::BlocksNeeded(std::uint64_t blocks, std::uint64_t revoked) const {
  return blocks + PiecesOf(blocks, TagsPerBlock(layout_.block_bytes)) +
         PiecesOf(revoked, RevokesPerBlock(layout_.block_bytes)) + 1;
}

Result<void> Journal::CheckTransaction(std::span<const Block> blocks,
                                       std::span<const std::uint32_t> revoked) const {
  const std::uint64_t device_blocks =
      device_->size_sectors() / (layout_.block_bytes / kSectorBytes);
  for (const Block& block : blocks) {
    if (block.content.size() != layout_.block_bytes) return Errno::kInval;
    if (block.fs_block >= device_blocks) return Errno::kInval;
  }
  for (const std::uint32_t fs_block : revoked) {
    if (fs_block >= device_blocks) return Errno::kInval;
  }
  const std::vector<std::uint32_t> numbers = SortedNumbers(blocks);
  const bool twice = std::adjacent_find(numbers.begin(), numbers.end()) != numbers.end();
  return twice ? Errno::kInval : Result<void>();
}

Result<void> Journal::Commit(const OpContext& op, std::span<const Block> blocks,
                             std::span<const std::uint32_t> revoked) {
  if (aborted_) return Errno::kRoFs;
  if (needs_replay_) return Errno::kBusy;
  if (const Result<void> right = CheckTransaction(blocks, revoked); !right.ok()) return right;
  const std::vector<std::uint32_t> revoked_only = RevokedOnly(blocks, revoked);
  if (blocks.empty() && revoked_only.empty()) return {};
  const std::uint64_t needed = BlocksNeeded(blocks.size(), revoked_only.size());
  if (needed > capacity_blocks()) return Errno::kNoSpc;

  aborted_ = true;  // until it is done
  if (used_ + needed > capacity_blocks()) {
    if (const Result<void> done = CheckpointPending(op); !done.ok()) return done;
  }
  const Result<void> written = WriteTransaction(op, blocks, revoked_only);
  if (!written.ok()) return written;
  aborted_ = false;
  return {};
}

Result<void> Journal::WriteTransaction(const OpContext& op, std::span<const Block> blocks,
                                       std::span<const std::uint32_t> revoked) {
  if (used_ == 0) {
    if (const Result<void> done = WriteSuperblock(op, head_); !done.ok()) return done;
  }
  if (const Result<void> done = WriteRevokes(op, revoked); !done.ok()) return done;
  if (const Result<void> done = WriteBlocks(op, blocks); !done.ok()) return done;
  if (const Result<void> done = device_->Flush(op); !done.ok()) return done;
  if (const Result<void> done = WriteCommitRecord(op); !done.ok()) return done;
  if (const Result<void> done = device_->Flush(op); !done.ok()) return done;

  ++sequence_;
  for (const std::uint32_t fs_block : revoked) pending_.erase(fs_block);
  for (const Block& block : blocks) {
    pending_[block.fs_block].assign(block.content.begin(), block.content.end());
  }
  return {};
}

Result<void> Journal::WriteRevokes(const OpContext& op, std::span<const std::uint32_t> revoked) {
  const std::size_t per_block = RevokesPerBlock(layout_.block_bytes);
  for (std::size_t begin = 0; begin < revoked.size(); begin += per_block) {
    const auto piece = revoked.subspan(begin, std::min(per_block, revoked.size() - begin));
    std::vector<std::byte> record(layout_.block_bytes);
    PutHeader(record, kRevoke, sequence_);
    std::size_t at = kRevokeBlocksAt;
    for (const std::uint32_t fs_block : piece) {
      PutBig32(record, at, fs_block);
      at += sizeof(std::uint32_t);
    }
    PutBig32(record, kRevokeCountAt, static_cast<std::uint32_t>(at));
    if (const Result<void> done = Append(op, record); !done.ok()) return done;
  }
  return {};
}

Result<void> Journal::WriteBlocks(const OpContext& op, std::span<const Block> blocks) {
  const std::size_t per_block = TagsPerBlock(layout_.block_bytes);
  for (std::size_t begin = 0; begin < blocks.size(); begin += per_block) {
    const auto piece = blocks.subspan(begin, std::min(per_block, blocks.size() - begin));
    std::vector<std::byte> descriptor(layout_.block_bytes);
    PutHeader(descriptor, kDescriptor, sequence_);
    std::size_t at = kHeaderBytes;
    for (const Block& block : piece) {
      const bool is_first = &block == &piece.front();
      std::uint32_t flags = is_first ? 0 : kTagSameUuid;
      if (&block == &piece.back()) flags |= kTagLast;
      if (GetBig32(block.content, 0) == kMagic) flags |= kTagEscaped;
      PutBig32(descriptor, at, block.fs_block);
      PutBig16(descriptor, at + 6, static_cast<std::uint16_t>(flags));
      at += kTagBytes;
      if (!is_first) continue;
      std::copy_n(super_.begin() + kUuidAt, kUuidBytes,
                  descriptor.begin() + static_cast<std::ptrdiff_t>(at));
      at += kUuidBytes;
    }
    if (const Result<void> done = Append(op, descriptor); !done.ok()) return done;
    for (const Block& block : piece) {
      std::vector<std::byte> copy(block.content.begin(), block.content.end());
      if (GetBig32(copy, 0) == kMagic) PutBig32(copy, 0, 0);
      if (const Result<void> done = Append(op, copy); !done.ok()) return done;
    }
  }
  return {};
}

Result<void> Journal::WriteCommitRecord(const OpContext& op) {
  std::vector<std::byte> record(layout_.block_bytes);
  PutHeader(record, kCommit, sequence_);
  // The kernel compares commit times only where there are checksums; a person reads them.
  const std::int64_t now = std::max<std::int64_t>(op.now.virtual_ns, 0);
  PutBig(record, kCommitSecondsAt, 8, static_cast<std::uint64_t>(now / kNanosecondsPerSecond));
  PutBig32(record, kCommitNanosecondsAt, static_cast<std::uint32_t>(now % kNanosecondsPerSecond));
  return Append(op, record);
}

Result<void> Journal::Append(const OpContext& op, Bytes block) {
  if (const Result<void> written = WriteBlock(op, head_, block); !written.ok()) return written;
  head_ = After(head_);
  ++used_;
  return {};
}

}  // namespace lamina
