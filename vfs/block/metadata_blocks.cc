#include "vfs/block/metadata_blocks.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/block/btree_node.h"

namespace lamina::internal {
namespace {

// Blocks in memory past which the next commit lets all go: 64 MiB.
constexpr std::size_t kMaxKeptBlocks = 16384;

// Every failure of the device is kIo to the metadata, whatever the device called it.
Result<void> AsIo(const Result<void>& result) {
  if (!result.ok()) return Errno::kIo;
  return {};
}

}  // namespace

Result<void> ReadBlock(const OpContext& op, BlockDevice& device, BlockNumber number,
                       BlockBytes& into) {
  return AsIo(device.Read(op, Sector{number * kSectorsPerBlock}, into));
}

Result<void> WriteBlock(const OpContext& op, BlockDevice& device, BlockNumber number,
                        const BlockBytes& from) {
  return AsIo(device.Write(op, Sector{number * kSectorsPerBlock}, from));
}

BlockNumber MetadataBlocks::device_blocks() const {
  return std::min(device_->size_sectors() / kSectorsPerBlock, kMaxThinMetadataBlocks);
}

Result<const MetadataBlock*> MetadataBlocks::Read(const OpContext& op, BlockNumber number,
                                                  BlockKind kind) {
  if (const auto found = blocks_.find(number); found != blocks_.end()) {
    if (found->second->kind != kind) return Errno::kBadMsg;
    return found->second.get();
  }
  if (number == 0 || number >= device_blocks()) return Errno::kBadMsg;
  auto block = std::make_unique<MetadataBlock>();
  block->number = number;
  block->kind = kind;
  if (Result<void> read = ReadBlock(op, *device_, number, block->bytes); !read.ok()) {
    return read.error();
  }
  if (!IsSealed(kind, number, block->bytes)) return Errno::kBadMsg;
  if (kind == BlockKind::kNode && !IsGoodNode(block->bytes)) return Errno::kBadMsg;
  return blocks_.emplace(number, std::move(block)).first->second.get();
}

MetadataBlock* MetadataBlocks::FindFresh(BlockNumber number, BlockKind kind) {
  const auto found = blocks_.find(number);
  if (found == blocks_.end()) return nullptr;
  MetadataBlock* const block = found->second.get();
  return block->fresh && !block->dead && block->kind == kind ? block : nullptr;
}

MetadataBlock* MetadataBlocks::Make(BlockNumber number, BlockKind kind) {
  Slot& slot = blocks_[number];
  if (slot != nullptr && !slot->dead) return nullptr;
  if (slot == nullptr) slot = std::make_unique<MetadataBlock>();
  MetadataBlock& block = *slot;
  if (!block.fresh) fresh_.push_back(number);
  block.number = number;
  block.kind = kind;
  block.fresh = true;
  block.dead = false;
  block.bytes.fill(std::byte{0});
  return &block;
}

void MetadataBlocks::Forget(BlockNumber number) {
  const auto found = blocks_.find(number);
  if (found == blocks_.end()) return;
  found->second->dead = true;
  if (!found->second->fresh) dead_.push_back(number);
}

Result<void> MetadataBlocks::WriteOut(const OpContext& op, BlockNumber number) {
  const auto found = blocks_.find(number);
  LAMINA_CHECK(found != blocks_.end());
  MetadataBlock& block = *found->second;
  LAMINA_CHECK(block.fresh);
  Seal(block.kind, number, block.bytes);
  Result<void> written = WriteBlock(op, *device_, number, block.bytes);
  blocks_.erase(found);
  return written;
}

Result<void> MetadataBlocks::WriteFresh(const OpContext& op) {
  std::sort(fresh_.begin(), fresh_.end());
  for (const BlockNumber number : fresh_) {
    const auto found = blocks_.find(number);
    if (found == blocks_.end() || !found->second->fresh) continue;
    MetadataBlock& block = *found->second;
    if (block.dead) continue;
    Seal(block.kind, number, block.bytes);
    if (Result<void> written = WriteBlock(op, *device_, number, block.bytes); !written.ok()) {
      return written;
    }
  }
  return {};
}

void MetadataBlocks::EndCommit() {
  for (const BlockNumber number : fresh_) {
    const auto found = blocks_.find(number);
    if (found == blocks_.end()) continue;
    if (found->second->dead) {
      blocks_.erase(found);
    } else {
      found->second->fresh = false;
    }
  }
  fresh_.clear();
  for (const BlockNumber number : dead_) {
    const auto found = blocks_.find(number);
    if (found != blocks_.end() && found->second->dead) blocks_.erase(found);
  }
  dead_.clear();
  if (blocks_.size() > kMaxKeptBlocks) blocks_.clear();
}

void MetadataBlocks::Revert() {
  // All of them: the device may have kept a commit whose last flush failed.
  blocks_.clear();
  fresh_.clear();
  dead_.clear();
}

}  // namespace lamina::internal
