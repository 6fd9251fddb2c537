// ThinMetadata: the devices of a pool.
#include <limits>

#include "vfs/block/thin_store.h"

namespace lamina {

using internal::BlockNumber;

Result<void> ThinMetadata::CreateThin(const OpContext& op, ThinId id) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  if (Result<void> free = store_->CheckNewId(op, id); !free.ok()) return free;
  store_->BeginChange();
  const auto create = [&]() -> Result<void> {
    const Result<BlockNumber> root = store_->mappings.MakeEmpty(op);
    if (!root.ok()) return root.error();
    const internal::Superblock& pool = store_->current;
    Store::Device added;
    added.details = {0, pool.transaction_id, pool.time, pool.time};
    added.root = *root;
    return store_->AddDevice(op, id, added);
  };
  return store_->EndChange(create());
}

Result<void> ThinMetadata::CreateSnapshot(const OpContext& op, ThinId id, ThinId origin) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  if (Result<void> free = store_->CheckNewId(op, id); !free.ok()) return free;
  const Result<Store::Device*> source = store_->FindDevice(op, origin);
  if (!source.ok()) return source.error();
  internal::Superblock& pool = store_->current;
  if (pool.time == std::numeric_limits<std::uint32_t>::max()) return Errno::kOverflow;
  store_->BeginChange();
  const auto create = [&]() -> Result<void> {
    if (Result<void> shared = store_->shadows.Inc(op, (*source)->root); !shared.ok()) {
      return shared;
    }
    ++pool.time;
    (*source)->details.snapshotted_time = pool.time;
    store_->MarkChanged(origin, **source);
    Store::Device added;
    added.details = {(*source)->details.mapped_blocks, pool.transaction_id, pool.time, pool.time};
    added.root = (*source)->root;
    return store_->AddDevice(op, id, added);
  };
  return store_->EndChange(create());
}

Result<void> ThinMetadata::Delete(const OpContext& op, ThinId id) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  const Result<Store::Device*> there = store_->FindDevice(op, id);
  if (!there.ok()) return there.error();
  store_->BeginChange();
  const auto remove = [&]() -> Result<void> {
    store_->devices.erase(id);
    const Result<bool> unlisted =
        store_->details.Remove(op, store_->current.details_root, id.value);
    if (!unlisted.ok()) return unlisted.error();
    const Result<bool> gone = store_->roots.Remove(op, store_->current.mapping_root, id.value);
    if (!gone.ok()) return gone.error();
    return {};
  };
  return store_->EndChange(remove());
}

Result<bool> ThinMetadata::Exists(const OpContext& op, ThinId id) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable.error();
  const Result<Store::Device*> there = store_->FindDevice(op, id);
  if (there.ok()) return true;
  if (there.error() == Errno::kNoData) return false;
  return there.error();
}

Result<ThinDetails> ThinMetadata::Details(const OpContext& op, ThinId id) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable.error();
  const Result<Store::Device*> there = store_->FindDevice(op, id);
  if (!there.ok()) return there.error();
  return (*there)->details;
}

Result<void> ThinMetadata::ForEachDevice(const OpContext& op, const DeviceVisitor& visitor) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable;
  internal::BtreeCursor cursor(store_->details, store_->current.details_root);
  Result<void> moved = cursor.Seek(op, 0);
  while (moved.ok() && cursor.valid()) {
    const ThinId id{cursor.key()};
    // What this transaction changed is not in the tree yet.
    const auto known = store_->devices.find(id);
    const bool newer = known != store_->devices.end() && known->second.changed;
    const ThinDetails details =
        newer ? known->second.details : internal::LoadDetails(cursor.value());
    if (!visitor(id, details)) return {};
    moved = cursor.Next(op);
  }
  return moved;
}

}  // namespace lamina
