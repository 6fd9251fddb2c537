// The write path: in place, or into a new block that is filled, then mapped (section 6).
#include <algorithm>

#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {

Result<void> ThinPool::WritePiece(const OpContext& op, ThinDevice& device,
                                  internal::ThinPiece piece, Bytes from) {
  if (Result<void> served = device.CheckService(); !served.ok()) return served;
  const Result<std::optional<ThinMapping>> found =
      metadata_->Lookup(op, device.id(), piece.virtual_block);
  if (!found.ok()) return Errno::kIo;
  if (!found->has_value()) return WriteToNewBlock(op, device, piece, from, nullptr);
  const ThinMapping& mapping = **found;
  const Result<bool> shared = device.LooksShared(op, mapping.time);
  if (!shared.ok()) return shared.error();
  if (*shared) return WriteToNewBlock(op, device, piece, from, &mapping);
  const Result<Sector> begin = PlaceOf(mapping, piece.offset_sectors);
  return begin.ok() ? data_->Write(op, *begin, from) : begin.error();
}

Result<Sector> ThinPool::PlaceOf(const ThinMapping& mapping, std::uint64_t offset_sectors) const {
  if (mapping.data_block >= metadata_->nr_data_blocks()) [[unlikely]]
    return Errno::kIo;
  return Sector{SectorOfBlock(mapping.data_block).value + offset_sectors};
}

Result<void> ThinPool::WriteToNewBlock(const OpContext& op, ThinDevice& device,
                                       internal::ThinPiece piece, Bytes from,
                                       const ThinMapping* shared) {
  const Result<std::uint64_t> block = Allocate(op);
  if (!block.ok()) return block.error();
  const Sector begin = SectorOfBlock(*block);
  const bool whole = from.size() == table_.block_sectors * kSectorBytes;
  const std::uint64_t copies_before = counters_.copies;
  const Result<void> filled =
      whole ? data_->Write(op, begin, from) : Fill(op, device, piece.virtual_block, *block, shared);
  if (!filled.ok()) {
    // The kernel leaks the block until the transaction ends; here it is free again.
    if (!metadata_->FreeDataBlock(op, *block).ok()) MetadataFailed(op);
    NoteChange(op);
    return whole || filled.error() == Errno::kAgain ? filled.error() : Errno::kIo;
  }
  if (!metadata_->Insert(op, device.id(), piece.virtual_block, *block).ok()) {
    MetadataFailed(op);
    return Errno::kIo;
  }
  ++(shared != nullptr ? counters_.broken : counters_.provisioned);
  op.probe.Emit([&] {
    Event event{.source = settings_.source, .subject = piece.virtual_block};
    event.kind = shared != nullptr ? EventKind::kSharingBroken : EventKind::kChunkProvisioned;
    if (shared != nullptr) {
      event.amount = (counters_.copies - copies_before) * table_.block_sectors * kSectorBytes;
    } else {
      event.detail = *block;
    }
    return event;
  });
  NoteChange(op);
  if (whole) return {};
  return data_->Write(op, Sector{begin.value + piece.offset_sectors}, from);
}

// What lies around the bytes of a write that is smaller than its block.
Result<void> ThinPool::Fill(const OpContext& op, ThinDevice& device, std::uint64_t virtual_block,
                            std::uint64_t data_block, const ThinMapping* shared) {
  const std::uint64_t block_sectors = table_.block_sectors;
  const Sector to = SectorOfBlock(data_block);
  const auto counted = [](Result<void> done, std::uint64_t& counter) {
    if (done.ok()) ++counter;
    return done;
  };
  if (shared != nullptr) {
    const Result<Sector> old = PlaceOf(*shared, 0);
    if (!old.ok()) return old.error();
    return counted(data_->CopySectors(op, {*old, block_sectors}, to), counters_.copies);
  }
  const std::uint64_t begin = virtual_block * block_sectors;
  if (device.external_origin_ != nullptr && begin < device.external_origin_->size_sectors()) {
    return counted(FillFromOrigin(op, *device.external_origin_, begin, to), counters_.copies);
  }
  if (table_.features.skip_block_zeroing) return {};
  return counted(data_->WriteZeros(op, {to, block_sectors}), counters_.zeroes);
}

Result<void> ThinPool::FillFromOrigin(const OpContext& op, BlockDevice& origin,
                                      std::uint64_t begin_sector, Sector to) {
  const std::uint64_t count = std::min(table_.block_sectors, origin.size_sectors() - begin_sector);
  Result<void> copied =
      internal::InPieces(count, [&](std::uint64_t at, MutableBytes bytes) -> Result<void> {
        Result<void> read = origin.Read(op, Sector{begin_sector + at}, bytes);
        return read.ok() ? data_->Write(op, Sector{to.value + at}, bytes) : read;
      });
  const std::uint64_t rest = table_.block_sectors - count;
  if (!copied.ok() || rest == 0 || table_.features.skip_block_zeroing) return copied;
  return data_->WriteZeros(op, {Sector{to.value + count}, rest});
}

// dm-thin: alloc_data_block. Errors: kNoSpc, kAgain or kIo, as the pool's mode says.
Result<std::uint64_t> ThinPool::Allocate(const OpContext& op) {
  if (mode_ != ThinPoolMode::kWrite) return Unserviceable();
  CheckLowWater(op);
  // The reserve is for commits; a commit may give blocks back, or end in another mode.
  if (MetadataIsShort() && !CommitNow(op).ok()) return Errno::kIo;
  if (mode_ != ThinPoolMode::kWrite) return Unserviceable();
  Result<std::uint64_t> block = metadata_->AllocateDataBlock(op);
  if (!block.ok() && block.error() == Errno::kNoSpc) {
    if (!CommitNow(op).ok()) return Errno::kIo;
    if (mode_ != ThinPoolMode::kWrite) return Unserviceable();
    block = metadata_->AllocateDataBlock(op);
  }
  if (block.ok()) return block;
  if (block.error() == Errno::kNoSpc) {
    SetMode(op, ThinPoolMode::kOutOfDataSpace);
  } else {
    MetadataFailed(op);
  }
  return Unserviceable();
}

}  // namespace lamina
