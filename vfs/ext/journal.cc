#include "lamina/ext/journal.h"

#include <algorithm>
#include <utility>

#include "vfs/ext/crc32.h"
#include "vfs/ext/journal_format.h"

namespace lamina {
namespace {

using namespace internal;  // NOLINT: the module's own words
using namespace internal::jbd2;

Result<void> CheckLayout(const BlockDevice& device, const Journal::Layout& layout) {
  const std::uint32_t bytes = layout.block_bytes;
  if (bytes != 1024 && bytes != 2048 && bytes != 4096) return Errno::kInval;
  if (layout.blocks.size() < Journal::kMinBlocks) return Errno::kInval;
  if (layout.blocks.size() > 0xffffffffu) return Errno::kInval;
  const std::uint64_t device_blocks = device.size_sectors() / (bytes / kSectorBytes);
  const bool inside = std::all_of(layout.blocks.begin(), layout.blocks.end(),
                                  [&](std::uint32_t block) { return block < device_blocks; });
  return inside ? Result<void>() : Errno::kInval;
}

Sector SectorOf(std::uint32_t device_block, std::uint32_t block_bytes) {
  return Sector{std::uint64_t{device_block} * (block_bytes / kSectorBytes)};
}

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

void Zero(MutableBytes bytes) { std::fill(bytes.begin(), bytes.end(), std::byte{}); }

bool SuperChecksumIsRight(std::vector<std::byte> super) {
  const std::uint32_t stored = GetBig32(super, kSuperChecksumAt);
  PutBig32(super, kSuperChecksumAt, 0);
  return stored == Crc32c(~0u, Bytes(super).first(kSuperblockBytes));
}

// Makes `super` a version 2 superblock with the features that we write.
void TakeOurFeatures(std::vector<std::byte>& super) {
  if (GetBig32(super, 4) == kSuperblockV1) {
    Zero(MutableBytes(super).subspan(kCompatAt));
    PutBig32(super, kUsersAt, 1);
  }
  PutBig32(super, 4, kSuperblockV2);
  PutBig32(super, kCompatAt, 0);
  PutBig32(super, kIncompatAt, kIncompatRevoke);
  super[kChecksumTypeAt] = std::byte{};
  PutBig32(super, kSuperChecksumAt, 0);
}

}  // namespace

Result<void> Journal::Format(const OpContext& op, BlockDevice& device, const Layout& layout,
                             const Uuid& uuid) {
  if (const Result<void> right = CheckLayout(device, layout); !right.ok()) return right;
  std::vector<std::byte> block(layout.block_bytes);
  for (std::size_t i = 1; i < layout.blocks.size(); ++i) {
    const Sector place = SectorOf(layout.blocks[i], layout.block_bytes);
    if (const Result<void> read = device.Read(op, place, block); !read.ok()) return read;
    if (IsZero(block)) continue;
    Zero(block);
    if (const Result<void> written = device.Write(op, place, block); !written.ok()) return written;
  }
  Zero(block);
  PutHeader(block, kSuperblockV2, 0);
  PutBig32(block, kBlockBytesAt, layout.block_bytes);
  PutBig32(block, kMaxlenAt, static_cast<std::uint32_t>(layout.blocks.size()));
  PutBig32(block, kFirstAt, 1);
  PutBig32(block, kSequenceAt, 1);
  std::copy(uuid.begin(), uuid.end(), block.begin() + kUuidAt);
  PutBig32(block, kUsersAt, 1);
  return device.Write(op, SectorOf(layout.blocks[0], layout.block_bytes), block);
}

Result<std::unique_ptr<Journal>> Journal::Open(const OpContext& op, BlockDevice& device,
                                               Layout layout) {
  if (const Result<void> right = CheckLayout(device, layout); !right.ok()) return right.error();
  std::unique_ptr<Journal> journal(new Journal(device, std::move(layout)));
  journal->super_.resize(journal->layout_.block_bytes);
  const Result<void> read = journal->ReadBlock(op, 0, journal->super_);
  if (!read.ok()) return read.error();
  const Result<void> taken = journal->TakeSuperblock();
  if (!taken.ok()) return taken.error();
  return journal;
}

Result<void> Journal::TakeSuperblock() {
  const std::uint32_t type = GetBig32(super_, 4);
  if (GetBig32(super_, 0) != kMagic) return Errno::kUClean;
  if (type != kSuperblockV1 && type != kSuperblockV2) return Errno::kUClean;
  if (GetBig32(super_, kBlockBytesAt) != layout_.block_bytes) return Errno::kUClean;
  if (type == kSuperblockV2) {
    const std::uint32_t incompat = GetBig32(super_, kIncompatAt);
    if ((incompat & ~kKnownIncompat) != 0) return Errno::kOpNotSupp;
    if (GetBig32(super_, kRoCompatAt) != 0) return Errno::kOpNotSupp;
    const bool has_checksum = (incompat & (kIncompatChecksumV2 | kIncompatChecksumV3)) != 0;
    if (has_checksum && !SuperChecksumIsRight(super_)) return Errno::kUClean;
  }
  maxlen_ = GetBig32(super_, kMaxlenAt);
  first_ = GetBig32(super_, kFirstAt);
  sequence_ = GetBig32(super_, kSequenceAt);
  start_ = GetBig32(super_, kStartAt);
  if (maxlen_ < kMinBlocks) return Errno::kUClean;
  if (maxlen_ > layout_.blocks.size()) return Errno::kUClean;
  if (first_ == 0 || first_ >= maxlen_) return Errno::kUClean;
  if (start_ != 0 && (start_ < first_ || start_ >= maxlen_)) return Errno::kUClean;
  head_ = first_;
  needs_replay_ = start_ != 0;
  return {};
}

Bytes Journal::Pending(std::uint32_t fs_block) const {
  const auto found = pending_.find(fs_block);
  return found == pending_.end() ? Bytes() : Bytes(found->second);
}

Result<void> Journal::Checkpoint(const OpContext& op) {
  if (aborted_) return Errno::kRoFs;
  if (needs_replay_) return Errno::kBusy;
  if (used_ == 0) return {};
  const Result<void> done = CheckpointPending(op);
  if (!done.ok()) aborted_ = true;
  return done;
}

Result<void> Journal::CheckpointPending(const OpContext& op) {
  for (const auto& [fs_block, content] : pending_) {
    if (const Result<void> written = WriteHome(op, fs_block, content); !written.ok())
      return written;
  }
  return EmptyLog(op);
}

// Everything is in its place, and perhaps not durable there.
Result<void> Journal::EmptyLog(const OpContext& op) {
  if (const Result<void> flushed = device_->Flush(op); !flushed.ok()) return flushed;
  if (const Result<void> written = WriteSuperblock(op, 0); !written.ok()) return written;
  // Without this flush the next transaction could overwrite a part of a log that still counts.
  if (const Result<void> flushed = device_->Flush(op); !flushed.ok()) return flushed;
  pending_.clear();
  used_ = 0;
  return {};
}

Result<void> Journal::WriteSuperblock(const OpContext& op, std::uint32_t start) {
  TakeOurFeatures(super_);
  PutBig32(super_, kSequenceAt, sequence_);
  PutBig32(super_, kStartAt, start);
  start_ = start;
  return WriteBlock(op, 0, super_);
}

Result<void> Journal::ReadBlock(const OpContext& op, std::uint32_t journal_block,
                                MutableBytes into) {
  LAMINA_CHECK(journal_block < layout_.blocks.size());
  return device_->Read(op, SectorOf(layout_.blocks[journal_block], layout_.block_bytes), into);
}

Result<void> Journal::WriteBlock(const OpContext& op, std::uint32_t journal_block, Bytes from) {
  LAMINA_CHECK(journal_block < layout_.blocks.size());
  return device_->Write(op, SectorOf(layout_.blocks[journal_block], layout_.block_bytes), from);
}

Result<void> Journal::WriteHome(const OpContext& op, std::uint32_t fs_block, Bytes from) {
  return device_->Write(op, SectorOf(fs_block, layout_.block_bytes), from);
}

}  // namespace lamina
