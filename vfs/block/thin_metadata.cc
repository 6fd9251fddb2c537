#include "lamina/block/thin_metadata.h"

#include <algorithm>
#include <utility>

#include "vfs/block/thin_store.h"

namespace lamina {
namespace {

using internal::BlockBytes;
using internal::BlockKind;
using internal::BlockNumber;

constexpr std::uint64_t kMinBlockSectors = 128;
constexpr std::uint64_t kMaxBlockSectors = 2097152;
constexpr std::uint64_t kOddLegalBlockSectors = 192;  // §2, DM-039

bool IsLegalBlock(std::uint64_t sectors) {
  return sectors >= kMinBlockSectors && sectors <= kMaxBlockSectors &&
         (sectors % kMinBlockSectors == 0 || sectors == kOddLegalBlockSectors);
}

}  // namespace

ThinMetadata::ThinMetadata(std::unique_ptr<Store> store) : store_(std::move(store)) {}

ThinMetadata::~ThinMetadata() = default;

Result<std::unique_ptr<ThinMetadata>> ThinMetadata::Format(const OpContext& op,
                                                           BlockDevice& metadata,
                                                           std::uint64_t block_sectors,
                                                           std::uint64_t nr_data_blocks) {
  if (!IsLegalBlock(block_sectors)) return Errno::kInval;
  if (nr_data_blocks > kMaxThinDataBlocks) return Errno::kInval;
  auto store = std::make_unique<Store>(metadata);
  Result<void> made = store->FormatEmpty(op, block_sectors, nr_data_blocks);
  if (made.ok()) made = store->WriteCommit(op);
  if (!made.ok()) return made.error();
  return std::unique_ptr<ThinMetadata>(new ThinMetadata(std::move(store)));
}

Result<std::unique_ptr<ThinMetadata>> ThinMetadata::Open(const OpContext& op,
                                                         BlockDevice& metadata) {
  auto store = std::make_unique<Store>(metadata);
  if (Result<void> loaded = store->Load(op); !loaded.ok()) return loaded.error();
  return std::unique_ptr<ThinMetadata>(new ThinMetadata(std::move(store)));
}

Result<bool> ThinMetadata::IsUnformatted(const OpContext& op, BlockDevice& metadata) {
  if (metadata.size_sectors() < internal::kSectorsPerBlock) return Errno::kInval;
  BlockBytes block;
  if (Result<void> read = internal::ReadBlock(op, metadata, 0, block); !read.ok()) {
    return read.error();
  }
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::uint64_t ThinMetadata::block_sectors() const { return store_->current.data_block_sectors; }
std::uint64_t ThinMetadata::nr_data_blocks() const { return store_->data.nr_blocks(); }
std::uint32_t ThinMetadata::time() const { return store_->current.time; }
std::uint64_t ThinMetadata::transaction_id() const { return store_->current.transaction_id; }

bool ThinMetadata::needs_check() const {
  return (store_->current.flags & internal::kNeedsCheckFlag) != 0;
}

std::optional<std::uint64_t> ThinMetadata::held_root() const {
  if (store_->current.held_root == 0) return std::nullopt;
  return store_->current.held_root;
}

std::string ThinMetadata::uuid() const { return internal::UuidText(store_->current); }

ThinBlockCounts ThinMetadata::data_blocks() const { return store_->data.counts(); }
ThinBlockCounts ThinMetadata::metadata_blocks() const { return store_->shadows.counts().counts(); }

Result<void> ThinMetadata::SetTransactionId(const OpContext& /*op*/, std::uint64_t expected,
                                            std::uint64_t next) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  if (expected != store_->current.transaction_id) return Errno::kInval;
  store_->BeginChange();
  store_->current.transaction_id = next;
  return {};
}

Result<void> ThinMetadata::ResizeData(const OpContext& op, std::uint64_t nr_data_blocks) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  const std::uint64_t before = store_->data.nr_blocks();
  if (nr_data_blocks < before || nr_data_blocks > kMaxThinDataBlocks) return Errno::kInval;
  if (nr_data_blocks == before) return {};
  const std::uint64_t bitmaps = internal::BitmapsFor(nr_data_blocks) - internal::BitmapsFor(before);
  if (bitmaps > metadata_blocks().allocatable) return Errno::kNoSpc;
  store_->BeginChange();
  return store_->EndChange(store_->data.Grow(op, nr_data_blocks));
}

Result<void> ThinMetadata::ResizeMetadata(const OpContext& op) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  internal::SpaceMap& counts = store_->shadows.counts();
  const BlockNumber nr_blocks = store_->shadows.blocks().device_blocks();
  if (nr_blocks < counts.nr_blocks()) return Errno::kInval;
  if (nr_blocks == counts.nr_blocks()) return {};
  store_->BeginChange();
  store_->current.metadata_nr_blocks = nr_blocks;
  return store_->EndChange(counts.Grow(op, nr_blocks));
}

Result<void> ThinMetadata::ReserveMetadataSnapshot(const OpContext& op) {
  if (Result<void> committed = Commit(op); !committed.ok()) return committed;
  if (store_->current.held_root != 0) return Errno::kBusy;
  store_->BeginChange();
  const auto hold = [&]() -> Result<void> {
    const Result<internal::MetadataBlock*> copy =
        store_->shadows.NewBlock(op, BlockKind::kSuperblock);
    if (!copy.ok()) return copy.error();
    internal::Superblock held = store_->committed;
    held.data = {};
    held.metadata = {};
    (*copy)->bytes = internal::EncodeSuperblock(held, (*copy)->number);
    store_->current.held_root = (*copy)->number;
    Result<void> counted = store_->shadows.Inc(op, held.mapping_root);
    if (counted.ok()) counted = store_->shadows.Inc(op, held.details_root);
    return counted;
  };
  return store_->EndChange(hold());
}

Result<void> ThinMetadata::ReleaseMetadataSnapshot(const OpContext& op) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  const BlockNumber number = store_->current.held_root;
  if (number == 0) return Errno::kInval;
  store_->BeginChange();
  const auto release = [&]() -> Result<void> {
    const Result<internal::Superblock> held = store_->ReadHeld(op, number);
    if (!held.ok()) return held.error();
    store_->current.held_root = 0;
    Result<void> gone = store_->roots.Release(op, held->mapping_root);
    if (gone.ok()) gone = store_->details.Release(op, held->details_root);
    if (!gone.ok()) return gone;
    const Result<std::uint32_t> left = store_->shadows.Dec(op, number);
    if (!left.ok()) return left.error();
    return {};
  };
  return store_->EndChange(release());
}

void ThinMetadata::SetCommitHook(CommitHook hook) { store_->hook = std::move(hook); }

Result<void> ThinMetadata::Commit(const OpContext& op) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  if (!store_->changed) return {};
  if (store_->hook) {
    if (Result<void> ready = store_->hook(op); !ready.ok()) return ready;
  }
  return store_->EndChange(store_->WriteCommit(op));
}

Result<void> ThinMetadata::Abort(const OpContext& op) {
  if (Result<void> readable = store_->CheckReadable(); !readable.ok()) return readable;
  store_->aborted.insert(store_->changed_devices.begin(), store_->changed_devices.end());
  store_->shadows.blocks().Revert();
  Result<void> loaded;
  if (store_->superblock_in_doubt && !store_->device->Flush(op).ok()) loaded = Errno::kIo;
  store_->superblock_in_doubt = false;
  if (loaded.ok()) loaded = store_->Load(op);
  store_->dead = !loaded.ok();
  return loaded;
}

Result<void> ThinMetadata::SetNeedsCheck(const OpContext& op) {
  if (Result<void> usable = store_->CheckUsable(); !usable.ok()) return usable;
  if (store_->changed) return Errno::kBusy;
  store_->current.flags |= internal::kNeedsCheckFlag;
  return store_->EndChange(store_->WriteCommit(op));
}

bool ThinMetadata::AnyChange() const { return store_->changed; }

bool ThinMetadata::Changed(ThinId id) const {
  const auto found = store_->devices.find(id);
  return found != store_->devices.end() && found->second.changed;
}

bool ThinMetadata::AbortedWithChanges(ThinId id) const { return store_->aborted.contains(id); }

void ThinMetadata::ForgetAborted(ThinId id) { store_->aborted.erase(id); }

}  // namespace lamina
