#include "vfs/block/btree.h"

#include <vector>

namespace lamina::internal {

Result<BlockNumber> Btree::MakeEmpty(const OpContext& op) {
  const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kNode);
  if (!block.ok()) return block.error();
  BtreeNodeEditor((*block)->bytes).InitLeaf(value_bytes_);
  return (*block)->number;
}

bool Btree::IsOfThisTree(const BtreeNode& node) const {
  return node.is_leaf() ? node.value_bytes() == value_bytes_ : node.size() > 0;
}

Result<const MetadataBlock*> Btree::ReadRoot(const OpContext& op, BlockNumber root) {
  const Result<const MetadataBlock*> block = store_->Read(op, root, BlockKind::kNode);
  if (!block.ok()) return block;
  if (!IsOfThisTree(BtreeNode((*block)->bytes))) return Errno::kBadMsg;
  return block;
}

Result<const MetadataBlock*> Btree::ReadChild(const OpContext& op, const BtreeNode& parent,
                                              std::uint32_t index) {
  const Result<const MetadataBlock*> block = ReadRoot(op, parent.child(index));
  if (!block.ok()) return block;
  const BtreeNode child((*block)->bytes);
  if (child.size() == 0) return Errno::kBadMsg;
  if (child.first_key() < parent.key(index)) return Errno::kBadMsg;
  if (index + 1 < parent.size() && child.last_key() >= parent.key(index + 1)) {
    return Errno::kBadMsg;
  }
  return block;
}

Result<const std::byte*> Btree::Find(const OpContext& op, BlockNumber root, std::uint64_t key) {
  Result<const MetadataBlock*> block = ReadRoot(op, root);
  for (std::size_t height = 0; height < kMaxBtreeHeight; ++height) {
    if (!block.ok()) return block.error();
    const BtreeNode node((*block)->bytes);
    if (node.is_leaf()) {
      const std::uint32_t below = node.CountBelow(key);
      const bool found = below < node.size() && node.key(below) == key;
      return found ? node.value(below) : nullptr;
    }
    if (key < node.first_key()) return nullptr;
    block = ReadChild(op, node, node.ChildFor(key));
  }
  return Errno::kBadMsg;
}

Result<std::optional<std::uint64_t>> Btree::HighestKey(const OpContext& op, BlockNumber root) {
  Result<const MetadataBlock*> block = ReadRoot(op, root);
  for (std::size_t height = 0; height < kMaxBtreeHeight; ++height) {
    if (!block.ok()) return block.error();
    const BtreeNode node((*block)->bytes);
    if (node.is_leaf()) {
      if (node.size() == 0) return std::optional<std::uint64_t>();
      return std::optional<std::uint64_t>(node.last_key());
    }
    block = ReadChild(op, node, node.size() - 1);
  }
  return Errno::kBadMsg;
}

Result<void> Btree::Release(const OpContext& op, BlockNumber root) {
  std::vector<BlockNumber> released{root};
  while (!released.empty()) {
    const BlockNumber number = released.back();
    released.pop_back();
    // Read before it is forgotten.
    const Result<const MetadataBlock*> block = ReadRoot(op, number);
    if (!block.ok()) return block.error();
    const Result<std::uint32_t> left = store_->Dec(op, number);
    if (!left.ok()) return left.error();
    if (*left > 0) continue;
    const BtreeNode node((*block)->bytes);
    for (std::uint32_t i = 0; i < node.size(); ++i) {
      if (!node.is_leaf()) {
        released.push_back(node.child(i));
      } else if (values_ != nullptr) {
        if (Result<void> dec = values_->Dec(op, node.value(i)); !dec.ok()) return dec;
      }
    }
  }
  return {};
}

Result<void> BtreeCursor::Seek(const OpContext& op, std::uint64_t key) {
  height_ = 0;
  const Result<const MetadataBlock*> root = tree_->ReadRoot(op, root_);
  if (!root.ok()) return root.error();
  steps_[height_++] = {*root, 0};
  if (Result<void> down = Descend(op, key); !down.ok()) return down;
  const BtreeNode leaf = Leaf();
  Step& last = steps_[height_ - 1];
  last.index = leaf.CountBelow(key);
  if (last.index < leaf.size()) return {};
  return ToNextLeaf(op);
}

Result<void> BtreeCursor::Next(const OpContext& op) {
  Step& last = steps_[height_ - 1];
  if (++last.index < Leaf().size()) return {};
  return ToNextLeaf(op);
}

Result<void> BtreeCursor::ToNextLeaf(const OpContext& op) {
  const bool was_empty = Leaf().size() == 0;
  const std::uint64_t last = was_empty ? 0 : Leaf().last_key();
  for (--height_; height_ > 0; --height_) {
    Step& step = steps_[height_ - 1];
    if (step.index + 1 >= BtreeNode(step.block->bytes).size()) continue;
    ++step.index;
    const Result<const MetadataBlock*> child =
        tree_->ReadChild(op, BtreeNode(step.block->bytes), step.index);
    if (!child.ok()) return child.error();
    steps_[height_++] = {*child, 0};
    if (Result<void> down = Descend(op, 0); !down.ok()) return down;
    if (!was_empty && Leaf().first_key() <= last) return Errno::kBadMsg;
    return {};
  }
  return {};
}

Result<void> BtreeCursor::Descend(const OpContext& op, std::uint64_t key) {
  for (;;) {
    Step& step = steps_[height_ - 1];
    const BtreeNode node(step.block->bytes);
    if (node.is_leaf()) return {};
    if (height_ == kMaxBtreeHeight) return Errno::kBadMsg;
    step.index = node.ChildFor(key);
    const Result<const MetadataBlock*> child = tree_->ReadChild(op, node, step.index);
    if (!child.ok()) return child.error();
    steps_[height_++] = {*child, 0};
  }
}

}  // namespace lamina::internal
