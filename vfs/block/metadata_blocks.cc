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
  if (const MetadataBlock* const kept = blocks_.Find(number); kept != nullptr) [[likely]] {
    if (kept->kind != kind) return Errno::kBadMsg;
    return kept;
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
  return blocks_.Add(number, std::move(block));
}

MetadataBlock* MetadataBlocks::FindFresh(BlockNumber number, BlockKind kind) {
  MetadataBlock* const block = blocks_.Find(number);
  if (block == nullptr) return nullptr;
  return block->fresh && !block->dead && block->kind == kind ? block : nullptr;
}

MetadataBlock* MetadataBlocks::Make(BlockNumber number, BlockKind kind) {
  MetadataBlock* made = blocks_.Find(number);
  if (made != nullptr && !made->dead) return nullptr;
  if (made == nullptr) made = blocks_.Add(number, std::make_unique<MetadataBlock>());
  MetadataBlock& block = *made;
  if (!block.fresh) fresh_.push_back(number);
  block.number = number;
  block.kind = kind;
  block.fresh = true;
  block.dead = false;
  block.bytes.fill(std::byte{0});
  return &block;
}

void MetadataBlocks::Forget(BlockNumber number) {
  MetadataBlock* const block = blocks_.Find(number);
  if (block == nullptr) return;
  block->dead = true;
  if (!block->fresh) dead_.push_back(number);
}

Result<void> MetadataBlocks::WriteOut(const OpContext& op, BlockNumber number) {
  MetadataBlock* const found = blocks_.Find(number);
  LAMINA_CHECK(found != nullptr);
  MetadataBlock& block = *found;
  LAMINA_CHECK(block.fresh);
  Seal(block.kind, number, block.bytes);
  Result<void> written = WriteBlock(op, *device_, number, block.bytes);
  blocks_.Erase(number);
  return written;
}

Result<void> MetadataBlocks::WriteFresh(const OpContext& op) {
  std::sort(fresh_.begin(), fresh_.end());
  for (const BlockNumber number : fresh_) {
    MetadataBlock* const found = blocks_.Find(number);
    if (found == nullptr || !found->fresh || found->dead) continue;
    MetadataBlock& block = *found;
    Seal(block.kind, number, block.bytes);
    if (Result<void> written = WriteBlock(op, *device_, number, block.bytes); !written.ok()) {
      return written;
    }
  }
  return {};
}

void MetadataBlocks::EndCommit() {
  for (const BlockNumber number : fresh_) {
    MetadataBlock* const block = blocks_.Find(number);
    if (block == nullptr) continue;
    if (block->dead) {
      blocks_.Erase(number);
    } else {
      block->fresh = false;
    }
  }
  fresh_.clear();
  for (const BlockNumber number : dead_) {
    const MetadataBlock* const block = blocks_.Find(number);
    if (block != nullptr && block->dead) blocks_.Erase(number);
  }
  dead_.clear();
  if (blocks_.size() > kMaxKeptBlocks) blocks_.Clear();
}

void MetadataBlocks::Revert() {
  // All of them: the device may have kept a commit whose last flush failed.
  blocks_.Clear();
  fresh_.clear();
  dead_.clear();
}

}  // namespace lamina::internal
