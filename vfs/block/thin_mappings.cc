// ThinMetadata: mappings and data blocks.
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "vfs/block/thin_store.h"

namespace lamina {

using internal::BlockNumber;
using internal::BtreeCursor;
using internal::LoadLe;
using internal::UnpackMapping;

namespace {

// How many mappings Remove gathers before it takes them away.
constexpr std::size_t kRemoveBatch = 1024;

struct Mapped {
  std::uint64_t virtual_block;
  std::uint64_t data_block;
};

Result<std::vector<Mapped>> Gather(const OpContext& op, BtreeCursor cursor, std::uint64_t begin,
                                   std::uint64_t end) {
  std::vector<Mapped> found;
  Result<void> moved = cursor.Seek(op, begin);
  while (moved.ok() && cursor.valid() && cursor.key() < end && found.size() < kRemoveBatch) {
    const ThinMapping mapping = UnpackMapping(LoadLe<std::uint64_t>(cursor.value()));
    found.push_back({cursor.key(), mapping.data_block});
    moved = cursor.Next(op);
  }
  if (!moved.ok()) return moved.error();
  return found;
}

}  // namespace

Result<std::optional<ThinMapping>> ThinMetadata::Lookup(const OpContext& op, ThinId id,
                                                        std::uint64_t virtual_block) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable.error();
  const Result<Store::Device*> device = store_->FindDevice(op, id);
  if (!device.ok()) return device.error();
  const Result<const std::byte*> value = store_->mappings.Find(op, (*device)->root, virtual_block);
  if (!value.ok()) return value.error();
  if (*value == nullptr) return std::optional<ThinMapping>();
  return std::optional<ThinMapping>(UnpackMapping(LoadLe<std::uint64_t>(*value)));
}

Result<std::optional<std::uint64_t>> ThinMetadata::HighestMapped(const OpContext& op, ThinId id) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable.error();
  const Result<Store::Device*> device = store_->FindDevice(op, id);
  if (!device.ok()) return device.error();
  return store_->mappings.HighestKey(op, (*device)->root);
}

Result<void> ThinMetadata::ForEachMapping(const OpContext& op, ThinId id, std::uint64_t from,
                                          const MappingVisitor& visitor) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable;
  const Result<Store::Device*> device = store_->FindDevice(op, id);
  if (!device.ok()) return device.error();
  BtreeCursor cursor(store_->mappings, (*device)->root);
  Result<void> moved = cursor.Seek(op, from);
  while (moved.ok() && cursor.valid()) {
    if (!visitor(cursor.key(), UnpackMapping(LoadLe<std::uint64_t>(cursor.value())))) return {};
    moved = cursor.Next(op);
  }
  return moved;
}

Result<void> ThinMetadata::Insert(const OpContext& op, ThinId id, std::uint64_t virtual_block,
                                  std::uint64_t data_block) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  const Result<Store::Device*> device = store_->FindDevice(op, id);
  if (!device.ok()) return device.error();
  const Result<std::uint64_t> count = DataLeafCount(op, data_block);
  if (!count.ok()) return count.error();
  if (*count == 0) return Errno::kInval;
  store_->BeginChange();
  return store_->EndChange(
      store_->InsertMapping(op, id, **device, virtual_block, {data_block, store_->current.time}));
}

Result<std::uint64_t> ThinMetadata::Remove(const OpContext& op, ThinId id, std::uint64_t begin,
                                           std::uint64_t end, const UnmapVisitor& visitor) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable.error();
  const Result<Store::Device*> found = store_->FindDevice(op, id);
  if (!found.ok()) return found.error();
  Store::Device& device = **found;
  std::uint64_t removed = 0;
  const auto remove = [&](const Mapped& mapped) -> Result<void> {
    const Result<std::byte*> slot = store_->EditRoot(op, id);
    if (!slot.ok()) return slot.error();
    const Result<bool> gone = store_->mappings.Remove(op, device.root, mapped.virtual_block);
    if (!gone.ok()) return gone.error();
    internal::StoreLe(*slot, device.root);
    store_->MarkChanged(id, device);
    if (device.details.mapped_blocks > 0) --device.details.mapped_blocks;
    // The device's own leaf is not shared now, so whatever is left belongs to another entry.
    const Result<std::uint32_t> left = store_->data.Count(op, mapped.data_block);
    if (!left.ok()) return left.error();
    visitor({mapped.virtual_block, mapped.data_block, *left == 0});
    ++removed;
    return {};
  };
  for (;;) {
    const Result<std::vector<Mapped>> batch =
        Gather(op, BtreeCursor(store_->mappings, device.root), begin, end);
    if (!batch.ok()) return batch.error();
    if (batch->empty()) return removed;
    store_->BeginChange();
    for (const Mapped& mapped : *batch) {
      if (Result<void> done = store_->EndChange(remove(mapped)); !done.ok()) return done.error();
    }
    begin = batch->back().virtual_block + 1;
    if (begin == 0) return removed;
  }
}

Result<std::uint64_t> ThinMetadata::AllocateDataBlock(const OpContext& op) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable.error();
  Result<std::uint64_t> block = store_->data.Allocate(op);
  if (!block.ok() && block.error() == Errno::kNoSpc) return block;
  store_->BeginChange();
  return store_->EndChange(std::move(block));
}

Result<void> ThinMetadata::FreeDataBlock(const OpContext& op, std::uint64_t data_block) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  const Result<std::uint64_t> count = DataLeafCount(op, data_block);
  if (!count.ok()) return count.error();
  if (*count != 1) return Errno::kInval;
  store_->BeginChange();
  const Result<std::uint32_t> left = store_->EndChange(store_->data.Dec(op, data_block));
  if (!left.ok()) return left.error();
  return {};
}

Result<std::uint64_t> ThinMetadata::DataLeafCount(const OpContext& op, std::uint64_t data_block) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable.error();
  if (data_block >= store_->data.nr_blocks()) return Errno::kInval;
  const Result<std::uint32_t> count = store_->data.Count(op, data_block);
  if (!count.ok()) return count.error();
  return *count;
}

}  // namespace lamina
