#include "vfs/block/btree_node.h"

#include "lamina/base/check.h"

namespace lamina::internal {

void BtreeNodeEditor::Init(std::uint32_t flags, std::uint32_t value_bytes) {
  StoreLe(edit_ + 4, flags);
  StoreLe(edit_ + 16, std::uint32_t{0});
  StoreLe(edit_ + 20, MaxEntriesFor(value_bytes));
  StoreLe(edit_ + 24, value_bytes);
}

void BtreeNodeEditor::Shift(std::uint32_t from, std::uint32_t to, std::uint32_t count) {
  std::byte* const keys = edit_ + kNodeHeaderBytes;
  std::memmove(keys + std::size_t{8} * to, keys + std::size_t{8} * from, std::size_t{8} * count);
  std::memmove(mutable_value(to), mutable_value(from), std::size_t{value_bytes()} * count);
}

void BtreeNodeEditor::CopyFrom(const BtreeNode& other, std::uint32_t from, std::uint32_t to,
                               std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) SetKey(to + i, other.key(from + i));
  std::memcpy(mutable_value(to), other.value(from), std::size_t{value_bytes()} * count);
}

void BtreeNodeEditor::InsertAt(std::uint32_t index, std::uint64_t key, const std::byte* value) {
  LAMINA_CHECK(size() < max_entries());
  LAMINA_CHECK(index <= size());
  Shift(index, index + 1, size() - index);
  SetKey(index, key);
  std::memcpy(mutable_value(index), value, value_bytes());
  SetSize(size() + 1);
}

void BtreeNodeEditor::InsertChildAt(std::uint32_t index, std::uint64_t key, BlockNumber child) {
  std::byte value[kChildBytes];
  StoreLe(value, child);
  InsertAt(index, key, value);
}

void BtreeNodeEditor::EraseAt(std::uint32_t index) {
  LAMINA_CHECK(index < size());
  Shift(index + 1, index, size() - index - 1);
  SetSize(size() - 1);
}

void BtreeNodeEditor::MoveToRight(BtreeNodeEditor& right, std::uint32_t count) {
  LAMINA_CHECK(count <= size());
  LAMINA_CHECK(right.size() + count <= right.max_entries());
  right.Shift(0, count, right.size());
  right.CopyFrom(*this, size() - count, 0, count);
  right.SetSize(right.size() + count);
  SetSize(size() - count);
}

void BtreeNodeEditor::MoveFromRight(BtreeNodeEditor& right, std::uint32_t count) {
  LAMINA_CHECK(count <= right.size());
  LAMINA_CHECK(size() + count <= max_entries());
  CopyFrom(right, 0, size(), count);
  SetSize(size() + count);
  right.Shift(count, 0, right.size() - count);
  right.SetSize(right.size() - count);
}

bool IsGoodNode(const BlockBytes& bytes) {
  const BtreeNode node(bytes);
  const auto flags = LoadLe<std::uint32_t>(bytes.data() + 4);
  if (flags != kInternalNode && flags != kLeafNode) return false;
  const std::uint32_t value_bytes = node.value_bytes();
  if (value_bytes == 0 || value_bytes > kDetailsBytes) return false;
  if (!node.is_leaf() && value_bytes != kChildBytes) return false;
  if (node.max_entries() != MaxEntriesFor(value_bytes)) return false;
  if (node.size() > node.max_entries()) return false;
  if (!node.is_leaf() && node.size() == 0) return false;
  for (std::uint32_t i = 1; i < node.size(); ++i) {
    if (node.key(i - 1) >= node.key(i)) return false;
  }
  return true;
}

}  // namespace lamina::internal
