// The changes of a Btree: every one shadows the path to its leaf first.
#include <algorithm>
#include <cstring>

#include "vfs/block/btree.h"

namespace lamina::internal {

Result<MetadataBlock*> Btree::ShadowNode(const OpContext& op, BlockNumber number) {
  const Result<Shadow> shadow = store_->ShadowBlock(op, number, BlockKind::kNode);
  if (!shadow.ok()) return shadow.error();
  if (shadow->was_shared) {
    const Result<void> counted = IncWhatItNames(op, BtreeNode(shadow->block->bytes));
    if (!counted.ok()) return counted.error();
  }
  return shadow->block;
}

Result<void> Btree::IncWhatItNames(const OpContext& op, const BtreeNode& node) {
  for (std::uint32_t i = 0; i < node.size(); ++i) {
    Result<void> inc;
    if (!node.is_leaf()) {
      inc = store_->Inc(op, node.child(i));
    } else if (values_ != nullptr) {
      inc = values_->Inc(op, node.value(i));
    }
    if (!inc.ok()) return inc;
  }
  return {};
}

Result<MetadataBlock*> Btree::ShadowChild(const OpContext& op, MetadataBlock& parent,
                                          std::uint32_t index) {
  BtreeNodeEditor node(parent.bytes);
  // Checked as a child first: a block of another kind must not be copied into this tree.
  if (Result<const MetadataBlock*> child = ReadChild(op, node, index); !child.ok()) {
    return child.error();
  }
  const Result<MetadataBlock*> shadow = ShadowNode(op, node.child(index));
  if (shadow.ok()) node.SetChild(index, (*shadow)->number);
  return shadow;
}

Result<void> Btree::ShadowPath(const OpContext& op, BlockNumber& root, std::uint64_t key,
                               FirstKeys first_keys, Path& path) {
  if (Result<const MetadataBlock*> good = ReadRoot(op, root); !good.ok()) return good.error();
  Result<MetadataBlock*> block = ShadowNode(op, root);
  if (!block.ok()) return block.error();
  root = (*block)->number;
  for (path.size = 0; path.size < kMaxBtreeHeight;) {
    BtreeNodeEditor node((*block)->bytes);
    Step& step = path.steps[path.size++];
    step = {*block, node.is_leaf() ? node.CountBelow(key) : node.ChildFor(key)};
    if (node.is_leaf()) return {};
    block = ShadowChild(op, **block, step.index);
    if (!block.ok()) return block.error();
    if (first_keys == FirstKeys::kLower && key < node.key(step.index)) {
      node.SetKey(step.index, key);
    }
  }
  return Errno::kBadMsg;
}

Result<bool> Btree::Insert(const OpContext& op, BlockNumber& root, std::uint64_t key,
                           const std::byte* value) {
  Path path;
  if (Result<void> shadowed = ShadowPath(op, root, key, FirstKeys::kLower, path); !shadowed.ok()) {
    return shadowed.error();
  }
  BtreeNodeEditor found(path.back().block->bytes);
  const std::uint32_t index = path.back().index;
  if (index < found.size() && found.key(index) == key) {
    std::byte* const old = found.mutable_value(index);
    const bool same = std::memcmp(old, value, value_bytes_) == 0;
    if (!same && values_ != nullptr) {
      if (Result<void> dec = values_->Dec(op, old); !dec.ok()) return dec.error();
    }
    std::memcpy(old, value, value_bytes_);
    return false;
  }
  if (found.size() == found.max_entries()) {
    if (Result<void> split = SplitForOneMore(op, root, path); !split.ok()) return split.error();
  }
  BtreeNodeEditor(path.back().block->bytes).InsertAt(path.back().index, key, value);
  return true;
}

Result<void> Btree::SplitForOneMore(const OpContext& op, BlockNumber& root, Path& path) {
  // The nearest node above that has room ends the chain of splits.
  std::size_t top = path.size - 1;
  const auto is_full = [&](std::size_t level) {
    const BtreeNode node(path.steps[level].block->bytes);
    return node.size() == node.max_entries();
  };
  while (top > 0 && is_full(top - 1)) --top;
  if (top == 0) {
    if (path.size == kMaxBtreeHeight) return Errno::kBadMsg;
    const Result<MetadataBlock*> above = store_->NewBlock(op, BlockKind::kNode);
    if (!above.ok()) return above.error();
    BtreeNodeEditor node((*above)->bytes);
    node.InitInternal();
    node.InsertChildAt(0, BtreeNode(path.steps[0].block->bytes).first_key(), root);
    root = (*above)->number;
    std::copy_backward(path.steps.begin(),
                       path.steps.begin() + static_cast<std::ptrdiff_t>(path.size),
                       path.steps.begin() + static_cast<std::ptrdiff_t>(path.size + 1));
    path.steps[0] = {*above, 0};
    ++path.size;
    top = 1;
  }
  for (std::size_t level = top; level < path.size; ++level) {
    if (Result<void> split = SplitNode(op, path, level); !split.ok()) return split;
  }
  return {};
}

Result<void> Btree::SplitNode(const OpContext& op, Path& path, std::size_t level) {
  Step& step = path.steps[level];
  Step& above = path.steps[level - 1];
  BtreeNodeEditor left(step.block->bytes);
  const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kNode);
  if (!block.ok()) return block.error();
  BtreeNodeEditor right((*block)->bytes);
  right.InitLike(left);
  // Who writes in ascending order never comes back: leave the left one fuller then.
  const std::uint32_t size = left.size();
  const bool at_end = step.index + (left.is_leaf() ? 0 : 1) == size;
  const std::uint32_t keep = at_end ? size - MinEntriesFor(left.max_entries()) : size / 2;
  left.MoveToRight(right, size - keep);
  BtreeNodeEditor(above.block->bytes)
      .InsertChildAt(above.index + 1, right.first_key(), (*block)->number);
  // A new entry between the two goes to the end of the left one: first keys stay right.
  if (step.index > keep || (!left.is_leaf() && step.index == keep)) {
    step = {*block, step.index - keep};
    ++above.index;
  }
  return {};
}

Result<std::byte*> Btree::Edit(const OpContext& op, BlockNumber& root, std::uint64_t key) {
  Path path;
  if (Result<void> shadowed = ShadowPath(op, root, key, FirstKeys::kKeep, path); !shadowed.ok()) {
    return shadowed.error();
  }
  BtreeNodeEditor leaf(path.back().block->bytes);
  const std::uint32_t index = path.back().index;
  if (index == leaf.size() || leaf.key(index) != key) return nullptr;
  return leaf.mutable_value(index);
}

Result<bool> Btree::Remove(const OpContext& op, BlockNumber& root, std::uint64_t key) {
  const Result<const std::byte*> there = Find(op, root, key);
  if (!there.ok()) return there.error();
  if (*there == nullptr) return false;
  Path path;
  if (Result<void> shadowed = ShadowPath(op, root, key, FirstKeys::kKeep, path); !shadowed.ok()) {
    return shadowed.error();
  }
  BtreeNodeEditor leaf(path.back().block->bytes);
  if (values_ != nullptr) {
    if (Result<void> dec = values_->Dec(op, leaf.value(path.back().index)); !dec.ok()) {
      return dec.error();
    }
  }
  leaf.EraseAt(path.back().index);
  if (Result<void> repaired = Repair(op, root, path); !repaired.ok()) return repaired.error();
  return true;
}

Result<void> Btree::Repair(const OpContext& op, BlockNumber& root, Path& path) {
  for (std::size_t level = path.size - 1; level > 0; --level) {
    const BtreeNode node(path.steps[level].block->bytes);
    Step& parent = path.steps[level - 1];
    if (node.size() > 0)
      BtreeNodeEditor(parent.block->bytes).SetKey(parent.index, node.first_key());
    if (node.size() >= MinEntriesFor(node.max_entries())) continue;
    if (Result<void> done = Rebalance(op, parent); !done.ok()) return done;
  }
  // A root with one child is not needed.
  for (std::size_t level = 0; level < kMaxBtreeHeight; ++level) {
    const Result<const MetadataBlock*> top = ReadRoot(op, root);
    if (!top.ok()) return top.error();
    const BtreeNode node((*top)->bytes);
    if (node.is_leaf() || node.size() > 1) return {};
    const BlockNumber child = node.child(0);
    const Result<std::uint32_t> left = store_->Dec(op, root);
    if (!left.ok()) return left.error();
    if (*left > 0) {
      if (Result<void> inc = store_->Inc(op, child); !inc.ok()) return inc;
    }
    root = child;
  }
  return Errno::kBadMsg;
}

Result<void> Btree::Rebalance(const OpContext& op, Step& parent) {
  BtreeNodeEditor above(parent.block->bytes);
  if (above.size() < 2) return {};
  const std::uint32_t left_index = parent.index > 0 ? parent.index - 1 : 0;
  // The small one may be empty for the moment, so only its neighbour is checked as a child.
  const std::uint32_t neighbour = parent.index > 0 ? left_index : 1;
  const Result<MetadataBlock*> other = ShadowChild(op, *parent.block, neighbour);
  if (!other.ok()) return other.error();
  const Result<MetadataBlock*> small = ShadowNode(op, above.child(parent.index));
  if (!small.ok()) return small.error();
  above.SetChild(parent.index, (*small)->number);

  const bool small_is_left = parent.index == left_index;
  BtreeNodeEditor left((small_is_left ? *small : *other)->bytes);
  MetadataBlock& right_block = small_is_left ? **other : **small;
  BtreeNodeEditor right(right_block.bytes);
  if (left.is_leaf() != right.is_leaf()) return Errno::kBadMsg;
  const std::uint32_t total = left.size() + right.size();
  if (total <= 2 * MinEntriesFor(left.max_entries())) {
    left.MoveFromRight(right, right.size());
    above.EraseAt(left_index + 1);
    above.SetKey(left_index, left.first_key());
    const Result<std::uint32_t> gone = store_->Dec(op, right_block.number);
    if (!gone.ok()) return gone.error();
    parent.index = left_index;
    return {};
  }
  const std::uint32_t to_left = total / 2;
  if (left.size() > to_left) {
    left.MoveToRight(right, left.size() - to_left);
  } else {
    left.MoveFromRight(right, to_left - left.size());
  }
  above.SetKey(left_index, left.first_key());
  above.SetKey(left_index + 1, right.first_key());
  return {};
}

}  // namespace lamina::internal
