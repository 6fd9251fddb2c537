#include "lamina/block/thin_device.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_pool.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {

using internal::ForEachPiece;
using internal::ThinPiece;

ThinDevice::~ThinDevice() { pool_->Forget(*this); }

Result<void> ThinDevice::CheckTransfer(Sector first, std::size_t bytes) const {
  if (bytes % kSectorBytes != 0) return Errno::kInval;
  const std::uint64_t size = size_sectors();
  // dm: what passes the end of a device ends in EIO.
  if (first.value > size || bytes / kSectorBytes > size - first.value) return Errno::kIo;
  return {};
}

Result<void> ThinDevice::CheckService() const {
  if (pool_->mode_ == ThinPoolMode::kFail) return Errno::kIo;
  if (pool_->suspended_) return Errno::kAgain;
  return {};
}

Result<bool> ThinDevice::LooksShared(const OpContext& op, std::uint32_t time) {
  if (details_epoch_ != pool_->details_epoch_) [[unlikely]] {
    const Result<ThinDetails> details = pool_->metadata_->Details(op, id());
    if (!details.ok()) return Errno::kIo;
    snapshotted_time_ = details->snapshotted_time;
    details_epoch_ = pool_->details_epoch_;
  }
  return snapshotted_time_ > time;
}

Result<void> ThinDevice::Read(const OpContext& op, Sector first, MutableBytes into) {
  if (Result<void> legal = CheckTransfer(first, into.size()); !legal.ok()) return legal;
  if (Result<void> served = CheckService(); !served.ok()) return served;
  const auto read_piece = [&](ThinPiece piece, std::size_t at, std::size_t count) -> Result<void> {
    const MutableBytes part = into.subspan(at, count);
    const Result<std::optional<ThinMapping>> found =
        pool_->metadata_->Lookup(op, id(), piece.virtual_block);
    if (!found.ok()) return Errno::kIo;
    if (!found->has_value()) {
      return ReadUnmapped(op, Sector{first.value + at / kSectorBytes}, part);
    }
    const Result<Sector> begin = pool_->PlaceOf(**found, piece.offset_sectors);
    return begin.ok() ? pool_->data_->Read(op, *begin, part) : begin.error();
  };
  return ForEachPiece(pool_->table_.block_sectors, first, into.size(), read_piece);
}

Result<void> ThinDevice::ReadUnmapped(const OpContext& op, Sector first, MutableBytes into) {
  std::uint64_t there = 0;
  if (external_origin_ != nullptr && first.value < external_origin_->size_sectors()) {
    there = std::min<std::uint64_t>(into.size() / kSectorBytes,
                                    external_origin_->size_sectors() - first.value);
  }
  const auto bytes = static_cast<std::size_t>(there * kSectorBytes);
  if (bytes > 0) {
    Result<void> read = external_origin_->Read(op, first, into.first(bytes));
    if (!read.ok()) return read;
  }
  std::memset(into.data() + bytes, 0, into.size() - bytes);
  return {};
}

Result<void> ThinDevice::Write(const OpContext& op, Sector first, Bytes from) {
  if (Result<void> legal = CheckTransfer(first, from.size()); !legal.ok()) return legal;
  if (Result<void> served = CheckService(); !served.ok()) return served;
  const auto write_piece = [&](ThinPiece piece, std::size_t at, std::size_t count) {
    return pool_->WritePiece(op, *this, piece, from.subspan(at, count));
  };
  return ForEachPiece(pool_->table_.block_sectors, first, from.size(), write_piece);
}

WriteTicket ThinDevice::Submit(const OpContext& op, Sector first, Bytes from) {
  auto state = std::make_shared<internal::ThinWriteState>();
  if (Result<void> legal = CheckTransfer(first, from.size()); !legal.ok()) {
    state->error = legal.error();
    return WriteTicket(state);
  }
  const auto submit_piece = [&](ThinPiece piece, std::size_t at, std::size_t count) {
    const Bytes part = from.subspan(at, count);
    const Result<void> written = pool_->WritePiece(op, *this, piece, part);
    if (!written.ok() && written.error() == Errno::kAgain) {
      ++state->waiting_pieces;
      pool_->waiting_.push_back(std::make_unique<internal::WaitingWrite>(internal::WaitingWrite{
          this, piece, std::vector<std::byte>(part.begin(), part.end()), state}));
    } else if (!written.ok() && !state->error.has_value()) {
      state->error = written.error();
    }
    return Result<void>();
  };
  (void)ForEachPiece(pool_->table_.block_sectors, first, from.size(), submit_piece);
  return WriteTicket(state);
}

Result<void> ThinDevice::WriteThrough(const OpContext& op, Sector first, Bytes from) {
  if (Result<void> written = Write(op, first, from); !written.ok()) return written;
  return Flush(op);
}

Result<void> ThinDevice::Flush(const OpContext& op) {
  if (Result<void> served = CheckService(); !served.ok()) return served;
  ThinMetadata& metadata = *pool_->metadata_;
  if (metadata.AbortedWithChanges(id())) return Errno::kIo;
  // A commit flushes the data device before it writes.
  if (metadata.Changed(id())) return pool_->CommitNow(op);
  return pool_->data_->Flush(op);
}

std::string ThinDevice::Status(const OpContext& op) {
  if (pool_->mode_ == ThinPoolMode::kFail) return "Fail";
  const Result<ThinDetails> details = pool_->metadata_->Details(op, id());
  const Result<std::optional<std::uint64_t>> highest = pool_->metadata_->HighestMapped(op, id());
  if (!details.ok() || !highest.ok()) return "Error";
  const std::uint64_t block_sectors = pool_->table_.block_sectors;
  const std::uint64_t mapped = details->mapped_blocks * block_sectors;
  if (!highest->has_value()) return absl::StrFormat("%d -", mapped);
  return absl::StrFormat("%d %d", mapped, (**highest + 1) * block_sectors - 1);
}

std::string ThinDevice::StatusLine(const OpContext& op) {
  return absl::StrFormat("%d %d thin %s", table_.start_sector, table_.length_sectors, Status(op));
}

}  // namespace lamina
