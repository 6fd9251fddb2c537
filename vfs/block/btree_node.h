// BtreeNode: a node of the kernel's persistent-data B-tree, read and edited in its 4096 bytes
// (§17).
//
//   header 32 bytes │ max_entries keys of 8 bytes │ max_entries values of value_size bytes
//
// Threads: views; the owner of the bytes has the rule.
#ifndef LAMINA_VFS_BLOCK_BTREE_NODE_H_
#define LAMINA_VFS_BLOCK_BTREE_NODE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vfs/block/thin_layout.h"

namespace lamina::internal {

inline constexpr std::size_t kNodeHeaderBytes = 32;
inline constexpr std::uint32_t kInternalNode = 1;
inline constexpr std::uint32_t kLeafNode = 2;
inline constexpr std::uint32_t kChildBytes = 8;  // an internal node's value: a block number

constexpr std::uint32_t MaxEntriesFor(std::uint32_t value_bytes) {
  const auto fit = static_cast<std::uint32_t>(kBlockBytes - kNodeHeaderBytes) / (8 + value_bytes);
  return fit / 3 * 3;
}
// A node other than the root holds at least this many.
constexpr std::uint32_t MinEntriesFor(std::uint32_t max_entries) { return max_entries / 3; }

// What may be read of a node; the bytes are those of a good node (IsGoodNode).
class BtreeNode {
 public:
  explicit BtreeNode(const BlockBytes& bytes) : at_(bytes.data()) {}

  bool is_leaf() const { return Word(4) == kLeafNode; }
  std::uint32_t size() const { return Word(16); }
  std::uint32_t max_entries() const { return Word(20); }
  std::uint32_t value_bytes() const { return Word(24); }

  std::uint64_t key(std::uint32_t index) const { return LoadLe<std::uint64_t>(KeyAt(index)); }
  std::uint64_t first_key() const { return key(0); }
  std::uint64_t last_key() const { return key(size() - 1); }
  const std::byte* value(std::uint32_t index) const { return at_ + ValueOffset(index); }
  BlockNumber child(std::uint32_t index) const { return LoadLe<std::uint64_t>(value(index)); }

  // The number of keys below `sought`.
  std::uint32_t CountBelow(std::uint64_t sought) const {
    std::uint32_t count = size();
    if (count == 0) return 0;
    // What was written without gaps lies in its place.
    const std::uint64_t in_place = sought - first_key();
    if (in_place < count && key(static_cast<std::uint32_t>(in_place)) == sought) {
      return static_cast<std::uint32_t>(in_place);
    }
    // Without branches: each would be mispredicted every other time.
    std::uint32_t low = 0;
    while (count > 1) {
      const std::uint32_t half = count / 2;
      low += half * static_cast<std::uint32_t>(key(low + half - 1) < sought);
      count -= half;
    }
    return low + static_cast<std::uint32_t>(key(low) < sought);
  }
  // The child whose keys may include `sought`: the first one for what is below them all.
  std::uint32_t ChildFor(std::uint64_t sought) const {
    const std::uint32_t below = CountBelow(sought);
    if (below < size() && key(below) == sought) return below;
    return below == 0 ? 0 : below - 1;
  }

 protected:
  std::uint32_t Word(std::size_t offset) const { return LoadLe<std::uint32_t>(at_ + offset); }
  const std::byte* KeyAt(std::uint32_t index) const {
    return at_ + kNodeHeaderBytes + std::size_t{8} * index;
  }
  std::size_t ValueOffset(std::uint32_t index) const {
    return kNodeHeaderBytes + std::size_t{8} * max_entries() + std::size_t{value_bytes()} * index;
  }

  const std::byte* at_;
};

// A node of this transaction.
class BtreeNodeEditor : public BtreeNode {
 public:
  explicit BtreeNodeEditor(BlockBytes& bytes) : BtreeNode(bytes), edit_(bytes.data()) {}

  void InitLeaf(std::uint32_t value_bytes) { Init(kLeafNode, value_bytes); }
  void InitInternal() { Init(kInternalNode, kChildBytes); }
  // An empty node of the other's kind.
  void InitLike(const BtreeNode& other) {
    Init(other.is_leaf() ? kLeafNode : kInternalNode, other.value_bytes());
  }

  std::byte* mutable_value(std::uint32_t index) { return edit_ + ValueOffset(index); }
  void SetKey(std::uint32_t index, std::uint64_t key) {
    StoreLe(edit_ + kNodeHeaderBytes + std::size_t{8} * index, key);
  }
  void SetChild(std::uint32_t index, BlockNumber child) { StoreLe(mutable_value(index), child); }

  // Room for one more must be there.
  void InsertAt(std::uint32_t index, std::uint64_t key, const std::byte* value);
  void InsertChildAt(std::uint32_t index, std::uint64_t key, BlockNumber child);
  void EraseAt(std::uint32_t index);
  // The last `count` entries go before the first ones of `right`, a node of the same kind.
  void MoveToRight(BtreeNodeEditor& right, std::uint32_t count);
  // The first `count` entries of `right` go behind the last ones of this.
  void MoveFromRight(BtreeNodeEditor& right, std::uint32_t count);

 private:
  void Init(std::uint32_t flags, std::uint32_t value_bytes);
  void SetSize(std::uint32_t size) { StoreLe(edit_ + 16, size); }
  // Moves `count` entries from index `from` to index `to`.
  void Shift(std::uint32_t from, std::uint32_t to, std::uint32_t count);
  void CopyFrom(const BtreeNode& other, std::uint32_t from, std::uint32_t to, std::uint32_t count);

  std::byte* edit_;
};

// Is this a node whose fields can be trusted: kind, sizes, keys ascending, an internal node with
// children?
bool IsGoodNode(const BlockBytes& bytes);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_BTREE_NODE_H_
