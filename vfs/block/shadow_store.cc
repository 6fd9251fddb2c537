#include "vfs/block/shadow_store.h"

namespace lamina::internal {

Result<MetadataBlock*> ShadowStore::NewBlock(const OpContext& op, BlockKind kind) {
  const Result<std::uint64_t> number = counts_.Allocate(op);
  if (!number.ok()) return number.error();
  MetadataBlock* const block = blocks_.Make(*number, kind);
  if (block == nullptr) return Errno::kBadMsg;
  return block;
}

Result<Shadow> ShadowStore::ShadowBlock(const OpContext& op, BlockNumber number, BlockKind kind) {
  const Result<std::uint32_t> count = counts_.Count(op, number);
  if (!count.ok()) return count.error();
  if (*count == 1) {
    MetadataBlock* const fresh = blocks_.FindFresh(number, kind);
    if (fresh != nullptr) return Shadow{fresh, false};
  }
  const Result<const MetadataBlock*> old = Read(op, number, kind);
  if (!old.ok()) return old.error();
  const Result<MetadataBlock*> copy = NewBlock(op, kind);
  if (!copy.ok()) return copy.error();
  (*copy)->bytes = (*old)->bytes;
  const Result<std::uint32_t> left = Dec(op, number);
  if (!left.ok()) return left.error();
  return Shadow{*copy, *left > 0};
}

Result<std::uint32_t> ShadowStore::Dec(const OpContext& op, BlockNumber number) {
  const Result<std::uint32_t> left = counts_.Dec(op, number);
  if (left.ok() && *left == 0) blocks_.Forget(number);
  return left;
}

}  // namespace lamina::internal
