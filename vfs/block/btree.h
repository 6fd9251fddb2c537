// Btree: the copy-on-write B-tree of thin metadata. The tree is its root's block number; every
// change takes one and leaves another.
//
// A change copies the nodes from the root to the leaf, unless this transaction made them and only
// one parent names them. When others keep an old node, what it names gains a reference: children in
// the metadata's space map, a leaf's values as BtreeValues says.
//
// Everything that is read is checked: an image that a stranger made gives kBadMsg, never a loop.
//
// Source: the kernel's persistent-data (devicemapper.md §5, §17).
// Threads: one caller at a time. Lifetime: does not own the store or the values' rule.
#ifndef LAMINA_VFS_BLOCK_BTREE_H_
#define LAMINA_VFS_BLOCK_BTREE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "vfs/block/btree_node.h"
#include "vfs/block/shadow_store.h"

namespace lamina::internal {

// What a leaf's values refer to.
class BtreeValues {
 public:
  virtual ~BtreeValues() = default;
  virtual Result<void> Inc(const OpContext& op, const std::byte* value) = 0;
  virtual Result<void> Dec(const OpContext& op, const std::byte* value) = 0;
};

// No tree is higher: a block of metadata holds 84 children and there are 2^22 blocks.
inline constexpr std::size_t kMaxBtreeHeight = 16;

class Btree {
 public:
  // `values` null: the values refer to nothing.
  Btree(ShadowStore& store, std::uint32_t value_bytes, BtreeValues* values = nullptr)
      : store_(&store), value_bytes_(value_bytes), values_(values) {}

  Result<BlockNumber> MakeEmpty(const OpContext& op);

  // The value's bytes, good until the next change; null when there is no such key.
  Result<const std::byte*> Find(const OpContext& op, BlockNumber root, std::uint64_t key);
  Result<std::optional<std::uint64_t>> HighestKey(const OpContext& op, BlockNumber root);

  // Puts a value; what stood there is released when it is another one. True: the key is new.
  Result<bool> Insert(const OpContext& op, BlockNumber& root, std::uint64_t key,
                      const std::byte* value);
  // The value of a key that is there, to be changed in place until the next change of this tree.
  // Null: no such key; the nodes on the way are this transaction's all the same.
  Result<std::byte*> Edit(const OpContext& op, BlockNumber& root, std::uint64_t key);
  // Takes a key away and releases its value. False: no such key.
  Result<bool> Remove(const OpContext& op, BlockNumber& root, std::uint64_t key);
  // Drops one reference to the tree, and all of it when that was the last one.
  Result<void> Release(const OpContext& op, BlockNumber root);

  // For those who walk the tree themselves.
  // The node, of this tree's kind.
  Result<const MetadataBlock*> ReadRoot(const OpContext& op, BlockNumber root);
  // A child that keeps to its place between the keys of its parent.
  Result<const MetadataBlock*> ReadChild(const OpContext& op, const BtreeNode& parent,
                                         std::uint32_t index);

 private:
  struct Step {
    MetadataBlock* block = nullptr;
    std::uint32_t index = 0;  // of the child, or in the leaf
  };
  struct Path {
    std::array<Step, kMaxBtreeHeight + 1> steps;
    std::size_t size = 0;

    Step& back() { return steps[size - 1]; }
  };

  bool IsOfThisTree(const BtreeNode& node) const;

  Result<MetadataBlock*> ShadowNode(const OpContext& op, BlockNumber number);
  Result<void> IncWhatItNames(const OpContext& op, const BtreeNode& node);
  // Shadows the child and tells its parent.
  Result<MetadataBlock*> ShadowChild(const OpContext& op, MetadataBlock& parent,
                                     std::uint32_t index);
  // Shadows the nodes down to the leaf where `key` is or would be. `lower`: the first keys on the
  // way become as low as `key`.
  enum class FirstKeys : std::uint8_t { kKeep, kLower };
  Result<void> ShadowPath(const OpContext& op, BlockNumber& root, std::uint64_t key,
                          FirstKeys first_keys, Path& path);

  // Makes room in the leaf at the end of the path.
  Result<void> SplitForOneMore(const OpContext& op, BlockNumber& root, Path& path);
  Result<void> SplitNode(const OpContext& op, Path& path, std::size_t level);

  // After a removal: nodes that are too small lean on a neighbour, first keys are told upwards.
  Result<void> Repair(const OpContext& op, BlockNumber& root, Path& path);
  Result<void> Rebalance(const OpContext& op, Step& parent);

  ShadowStore* store_;
  std::uint32_t value_bytes_;
  BtreeValues* values_;
};

// Walks a tree's entries in order. The tree must not change meanwhile.
class BtreeCursor {
 public:
  BtreeCursor(Btree& tree, BlockNumber root) : tree_(&tree), root_(root) {}

  // To the first key at or after `key`.
  Result<void> Seek(const OpContext& op, std::uint64_t key);
  bool valid() const { return height_ > 0; }
  std::uint64_t key() const { return Leaf().key(steps_[height_ - 1].index); }
  const std::byte* value() const { return Leaf().value(steps_[height_ - 1].index); }
  Result<void> Next(const OpContext& op);

 private:
  struct Step {
    const MetadataBlock* block = nullptr;
    std::uint32_t index = 0;
  };

  BtreeNode Leaf() const { return BtreeNode(steps_[height_ - 1].block->bytes); }
  // Goes up until a node has a next child, then down along the first children. Keys go on
  // ascending from leaf to leaf: so a leaf that a damaged tree names often is seen only once.
  Result<void> ToNextLeaf(const OpContext& op);
  Result<void> Descend(const OpContext& op, std::uint64_t key);

  Btree* tree_;
  BlockNumber root_;
  std::array<Step, kMaxBtreeHeight> steps_;
  std::size_t height_ = 0;  // 0: past the end
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_BTREE_H_
