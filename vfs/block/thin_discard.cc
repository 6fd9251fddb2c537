// Discards of thin devices: unmap, and pass down what nobody maps any more (section 8).
#include <algorithm>

#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "vfs/block/thin_pieces.h"

namespace lamina {

Result<void> ThinDevice::Discard(const OpContext& op, SectorRange range) {
  const std::uint64_t size = size_sectors();
  if (range.first.value > size || range.count > size - range.first.value) return Errno::kIo;
  ThinPool& pool = *pool_;
  if (pool.table_.features.ignore_discard) return Errno::kOpNotSupp;
  if (Result<void> served = CheckService(); !served.ok()) return served;
  if (pool.mode_ >= ThinPoolMode::kOutOfMetadataSpace) return {};
  const std::uint64_t block_sectors = pool.table_.block_sectors;
  const std::uint64_t first = range.first.value;
  const std::uint64_t begin = first / block_sectors + (first % block_sectors != 0 ? 1 : 0);
  const std::uint64_t end = (first + range.count) / block_sectors;
  if (begin >= end) return {};
  return pool.DiscardBlocks(op, *this, begin, end);
}

std::uint64_t ThinDevice::max_discard_sectors() const {
  if (pool_->table_.features.ignore_discard) return 0;
  return kMaxDiscardBlocks * pool_->table_.block_sectors;
}

Result<void> ThinPool::DiscardBlocks(const OpContext& op, ThinDevice& device, std::uint64_t begin,
                                     std::uint64_t end) {
  std::vector<ThinUnmapped> unmapped;
  while (begin < end) {
    // On to the next mapping: a device may be long and nearly empty.
    std::uint64_t mapped = end;
    const Result<void> searched = metadata_->ForEachMapping(
        op, device.id(), begin, [&mapped](std::uint64_t block, const ThinMapping&) {
          mapped = block;
          return false;
        });
    if (!searched.ok()) return Errno::kIo;
    if (mapped >= end) return {};
    begin = mapped + std::min(end - mapped, ThinDevice::kMaxDiscardBlocks);
    unmapped.clear();
    const Result<std::uint64_t> removed =
        metadata_->Remove(op, device.id(), mapped, begin,
                          [&unmapped](const ThinUnmapped& one) { unmapped.push_back(one); });
    if (!removed.ok()) {
      MetadataFailed(op);
      return Errno::kIo;
    }
    counters_.unmapped += unmapped.size();
    NoteChange(op);
    if (passdown_) PassDown(op, unmapped);
  }
  return {};
}

// One discard for every run of data blocks that became free, not longer than the data device takes;
// what it answers is not looked at.
void ThinPool::PassDown(const OpContext& op, const std::vector<ThinUnmapped>& unmapped) {
  const std::uint64_t longest =
      std::max<std::uint64_t>(1, data_->max_discard_sectors() / table_.block_sectors);
  for (std::size_t i = 0; i < unmapped.size();) {
    if (!unmapped[i].now_free) {
      ++i;
      continue;
    }
    const std::size_t first = i;
    const auto continues = [&] {
      return i < unmapped.size() && unmapped[i].now_free && i - first < longest &&
             unmapped[i].data_block == unmapped[first].data_block + (i - first);
    };
    while (continues()) ++i;
    ++counters_.discards_passed_down;
    counters_.blocks_passed_down += i - first;
    (void)data_->Discard(
        op, {SectorOfBlock(unmapped[first].data_block), (i - first) * table_.block_sectors});
  }
}

}  // namespace lamina
