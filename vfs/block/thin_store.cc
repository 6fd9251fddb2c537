#include "vfs/block/thin_store.h"

#include <algorithm>
#include <utility>

namespace lamina {

using internal::BlockBytes;
using internal::BlockKind;
using internal::BlockNumber;
using internal::kSectorsPerBlock;

namespace internal {

Result<void> BlockReferences::Inc(const OpContext& op, const std::byte* value) {
  return counts_->Inc(op, UnpackMapping(LoadLe<std::uint64_t>(value)).data_block);
}

Result<void> BlockReferences::Dec(const OpContext& op, const std::byte* value) {
  const std::uint64_t data_block = UnpackMapping(LoadLe<std::uint64_t>(value)).data_block;
  if (data_block == kept_) return {};
  const Result<std::uint32_t> left = counts_->Dec(op, data_block);
  if (!left.ok()) return left.error();
  return {};
}

}  // namespace internal

Result<void> ThinMetadata::Store::CheckReadable() const {
  if (dead) return Errno::kIo;
  return {};
}

Result<void> ThinMetadata::Store::CheckUsable() const {
  if (dead || half_done) return Errno::kIo;
  return {};
}

Result<void> ThinMetadata::Store::Load(const OpContext& op) {
  BlockBytes block;
  if (device->size_sectors() < kSectorsPerBlock) return Errno::kInval;
  if (Result<void> read = internal::ReadBlock(op, *device, 0, block); !read.ok()) return read;
  const Result<internal::Superblock> superblock = internal::DecodeSuperblock(block, 0);
  if (!superblock.ok()) return superblock.error();
  if (superblock->metadata.nr_blocks > shadows.blocks().device_blocks()) return Errno::kInval;
  committed = *superblock;
  current = *superblock;
  devices.clear();
  changed_devices.clear();
  changed = false;
  half_done = false;
  Result<void> loaded = shadows.counts().Load(op, committed.metadata);
  if (loaded.ok()) loaded = data.Load(op, committed.data);
  return loaded;
}

Result<void> ThinMetadata::Store::FormatEmpty(const OpContext& op, std::uint64_t block_sectors,
                                              std::uint64_t nr_data_blocks) {
  const BlockNumber nr_blocks = shadows.blocks().device_blocks();
  if (nr_blocks == 0) return Errno::kNoSpc;
  if (internal::BitmapsFor(nr_data_blocks) >= nr_blocks) return Errno::kNoSpc;
  // Until the commit there is no superblock, whatever was here: a crash leaves it unformatted.
  const BlockBytes zeros{};
  if (Result<void> wiped = internal::WriteBlock(op, *device, 0, zeros); !wiped.ok()) return wiped;
  if (!device->Flush(op).ok()) return Errno::kIo;

  shadows.counts().LoadEmpty();
  data.LoadEmpty();
  if (Result<void> grown = shadows.counts().Grow(op, nr_blocks); !grown.ok()) return grown;
  if (Result<void> grown = data.Grow(op, nr_data_blocks); !grown.ok()) return grown;
  if (Result<void> counted = shadows.Inc(op, 0); !counted.ok()) return counted;
  const Result<BlockNumber> mapping_root = roots.MakeEmpty(op);
  if (!mapping_root.ok()) return mapping_root.error();
  const Result<BlockNumber> details_root = details.MakeEmpty(op);
  if (!details_root.ok()) return details_root.error();
  current.mapping_root = *mapping_root;
  current.details_root = *details_root;
  current.data_block_sectors = static_cast<std::uint32_t>(block_sectors);
  current.metadata_nr_blocks = nr_blocks;
  return {};
}

Result<void> ThinMetadata::Store::WriteCommit(const OpContext& op) {
  std::sort(changed_devices.begin(), changed_devices.end());
  for (const ThinId id : changed_devices) {
    const auto found = devices.find(id);
    if (found == devices.end()) continue;
    std::byte value[internal::kDetailsBytes];
    internal::StoreDetails(value, found->second.details);
    const Result<bool> put = details.Insert(op, current.details_root, id.value, value);
    if (!put.ok()) return put.error();
  }
  if (data.has_changes() || data.root().bitmap_root == 0) {
    if (Result<void> flushed = data.Flush(op); !flushed.ok()) return flushed;
  }
  internal::SpaceMap& counts = shadows.counts();
  if (counts.has_changes()) {
    if (Result<void> flushed = counts.Flush(op); !flushed.ok()) return flushed;
  }
  current.data = data.root();
  current.metadata = counts.root();
  if (shadows.blocks().has_fresh()) {
    if (Result<void> written = shadows.blocks().WriteFresh(op); !written.ok()) return written;
    if (!device->Flush(op).ok()) return Errno::kIo;
  }
  const BlockBytes superblock = internal::EncodeSuperblock(current, 0);
  superblock_in_doubt = true;
  if (Result<void> written = internal::WriteBlock(op, *device, 0, superblock); !written.ok()) {
    return written;
  }
  if (!device->Flush(op).ok()) return Errno::kIo;
  superblock_in_doubt = false;

  shadows.blocks().EndCommit();
  counts.EndCommit();
  data.EndCommit();
  committed = current;
  changed = false;
  for (const ThinId id : changed_devices) {
    if (const auto found = devices.find(id); found != devices.end()) found->second.changed = false;
  }
  changed_devices.clear();
  return {};
}

Result<ThinMetadata::Store::Device*> ThinMetadata::Store::FindDevice(const OpContext& op,
                                                                     ThinId id) {
  if (const auto found = devices.find(id); found != devices.end()) return &found->second;
  const Result<const std::byte*> stored = details.Find(op, current.details_root, id.value);
  if (!stored.ok()) return stored.error();
  if (*stored == nullptr) return Errno::kNoData;
  const Result<const std::byte*> root = roots.Find(op, current.mapping_root, id.value);
  if (!root.ok()) return root.error();
  if (*root == nullptr) return Errno::kBadMsg;
  Device known;
  known.details = internal::LoadDetails(*stored);
  known.root = internal::LoadLe<BlockNumber>(*root);
  return &devices.emplace(id, known).first->second;
}

Result<void> ThinMetadata::Store::CheckNewId(const OpContext& op, ThinId id) {
  if (id.value > kMaxThinId) return Errno::kInval;
  const Result<Device*> there = FindDevice(op, id);
  if (there.ok()) return Errno::kExist;
  if (there.error() != Errno::kNoData) return there.error();
  return {};
}

void ThinMetadata::Store::MarkChanged(ThinId id, Device& state) {
  if (state.changed) return;
  state.changed = true;
  changed_devices.push_back(id);
}

Result<void> ThinMetadata::Store::AddDevice(const OpContext& op, ThinId id, const Device& added) {
  std::byte root[sizeof(BlockNumber)];
  internal::StoreLe(root, added.root);
  const Result<bool> put = roots.Insert(op, current.mapping_root, id.value, root);
  if (!put.ok()) return put.error();
  std::byte value[internal::kDetailsBytes];
  internal::StoreDetails(value, added.details);
  const Result<bool> listed = details.Insert(op, current.details_root, id.value, value);
  if (!listed.ok()) return listed.error();
  MarkChanged(id, devices[id] = added);
  return {};
}

Result<std::byte*> ThinMetadata::Store::EditRoot(const OpContext& op, ThinId id) {
  const Result<std::byte*> slot = roots.Edit(op, current.mapping_root, id.value);
  if (slot.ok() && *slot == nullptr) return Errno::kBadMsg;
  return slot;
}

Result<void> ThinMetadata::Store::InsertMapping(const OpContext& op, ThinId id, Device& target,
                                                std::uint64_t virtual_block,
                                                const ThinMapping& mapping) {
  // The upper path first: when a held root shares it, the device's root becomes shared by that.
  const Result<std::byte*> slot = EditRoot(op, id);
  if (!slot.ok()) return slot.error();
  std::byte value[sizeof(std::uint64_t)];
  internal::StoreLe(value, internal::PackMapping(mapping));
  data_references.Keep(mapping.data_block);
  const Result<bool> is_new = mappings.Insert(op, target.root, virtual_block, value);
  data_references.KeepNothing();
  if (!is_new.ok()) return is_new.error();
  internal::StoreLe(*slot, target.root);
  if (*is_new) ++target.details.mapped_blocks;
  MarkChanged(id, target);
  return {};
}

Result<internal::Superblock> ThinMetadata::Store::ReadHeld(const OpContext& op,
                                                           BlockNumber number) {
  const Result<const internal::MetadataBlock*> block =
      shadows.Read(op, number, BlockKind::kSuperblock);
  if (!block.ok()) return block.error();
  const Result<internal::Superblock> held = internal::DecodeSuperblock((*block)->bytes, number);
  if (!held.ok()) return Errno::kBadMsg;
  return held;
}

}  // namespace lamina
