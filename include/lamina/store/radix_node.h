// The nodes of a RadixMap: counted, immutable while shared. Used by radix_map.h only.
//
// Recursion here is bounded by the height of the tree, at most kRadixLevels.
//
// Threads: `references` may be counted by any; the rest of a node is written only by the map that
// holds its one reference, through nodes with one reference.
#ifndef LAMINA_STORE_RADIX_NODE_H_
#define LAMINA_STORE_RADIX_NODE_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <type_traits>

#include "lamina/base/reference_count.h"

namespace lamina::internal {

// 32 children: against 16, reads of a 64 MiB file miss one level less and the first write after a
// clone costs the same; 64 make that write dearer by half. See bench/store_bench.cc.
inline constexpr unsigned kRadixBits = 5;
inline constexpr unsigned kRadixFanOut = 1U << kRadixBits;
inline constexpr unsigned kRadixLevels = (64 + kRadixBits - 1) / kRadixBits;

// The digit of `key` that picks a child in a node of `level`.
constexpr unsigned RadixDigit(std::uint64_t key, unsigned level) {
  return static_cast<unsigned>(key >> (level * kRadixBits)) & (kRadixFanOut - 1);
}
// The level of the lowest root that reaches `key`.
constexpr unsigned RadixLevelOf(std::uint64_t key) {
  return (static_cast<unsigned>(std::bit_width(key | 1)) - 1) / kRadixBits;
}
// Largest minus smallest key below one node of `level`.
constexpr std::uint64_t RadixSpan(unsigned level) {
  const unsigned bits = (level + 1) * kRadixBits;
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}
// The smallest key whose digit at `level` is `by` more than that of `key`.
constexpr std::uint64_t RadixAdvance(std::uint64_t key, unsigned level, unsigned by) {
  const std::uint64_t unit = std::uint64_t{1} << (level * kRadixBits);
  return (key & ~(unit - 1)) + by * unit;
}

struct RadixNode {
  explicit RadixNode(unsigned node_level) : level(static_cast<std::uint8_t>(node_level)) {}

  bool has(unsigned digit) const { return ((present >> digit) & 1U) != 0; }
  bool has_only(unsigned digit) const { return present == 1U << digit; }
  // Is one of `width` digits from `digit` on there? 1 <= width <= kRadixFanOut.
  bool has_any(unsigned digit, unsigned width) const {
    return (present >> digit & ~std::uint32_t{0} >> (kRadixFanOut - width)) != 0;
  }
  void add(unsigned digit) { present |= 1U << digit; }
  void remove(unsigned digit) { present &= ~(1U << digit); }
  bool exclusive() const { return references.is_one(); }

  ReferenceCount references{1};
  std::uint32_t present = 0;  // one bit a child or value
  const std::uint8_t level;   // 0: a leaf, holds values
  std::uint64_t count = 0;    // entries below
};

// Every key below the node is there.
inline bool RadixIsFull(const RadixNode& node) { return node.count - 1 == RadixSpan(node.level); }

struct RadixInner : RadixNode {
  using RadixNode::RadixNode;
  std::array<RadixNode*, kRadixFanOut> children{};
};

template <typename V>
struct RadixLeaf : RadixNode {
  union Slot {
    Slot() {}
    ~Slot() {}
    V value;
  };
  RadixLeaf() : RadixNode(0) {}
  std::array<Slot, kRadixFanOut> slots;
};

enum class Visited : std::uint8_t { kEveryNode, kExclusiveNodes };
enum class Sharing : std::uint8_t { kExclusive, kShared };

// What is done with nodes whose leaves hold V.
template <typename V>
struct RadixNodes {
  using Node = RadixNode;
  using Key = std::uint64_t;

  static RadixInner* Inner(Node* node) { return static_cast<RadixInner*>(node); }
  static const RadixInner* Inner(const Node* node) { return static_cast<const RadixInner*>(node); }
  static RadixLeaf<V>* Leaf(Node* node) { return static_cast<RadixLeaf<V>*>(node); }
  static const RadixLeaf<V>* Leaf(const Node* node) {
    return static_cast<const RadixLeaf<V>*>(node);
  }

  static Node* New(unsigned level) {
    if (level == 0) return new RadixLeaf<V>();
    return new RadixInner(level);
  }

  // A node one level higher with `root` as its child 0; takes over the caller's reference.
  static Node* Raise(Node* root) {
    auto* raised = new RadixInner(root->level + 1U);
    raised->children[0] = root;
    raised->add(0);
    raised->count = root->count;
    return raised;
  }

  static Node* Share(Node* node) {
    node->references.Add();
    return node;
  }

  static void Release(Node* node) {
    if (!node->references.Drop()) return;
    for (std::uint32_t bits = node->present; bits != 0; bits &= bits - 1) {
      const auto digit = static_cast<unsigned>(std::countr_zero(bits));
      if (node->level == 0) {
        Leaf(node)->slots[digit].value.~V();
      } else {
        Release(Inner(node)->children[digit]);
      }
    }
    if (node->level == 0) {
      delete Leaf(node);
    } else {
      delete Inner(node);
    }
  }

  // Makes `slot` a node with one reference: a copy when it is shared.
  static void Unshare(Node*& slot) {
    if (slot->exclusive()) [[likely]]
      return;
    Node* copy = CopyNode(slot);
    Release(slot);
    slot = copy;
  }

  static Node* CopyNode(const Node* node) {
    Node* copy = New(node->level);
    copy->count = node->count;
    copy->present = node->present;
    for (std::uint32_t bits = node->present; bits != 0; bits &= bits - 1) {
      const auto digit = static_cast<unsigned>(std::countr_zero(bits));
      if (node->level == 0) {
        CopyValue(Leaf(node)->slots[digit].value, &Leaf(copy)->slots[digit].value);
      } else {
        Inner(copy)->children[digit] = Share(Inner(node)->children[digit]);
      }
    }
    return copy;
  }

  static void CopyValue(const V& value, V* copy) {
    if constexpr (std::is_copy_constructible_v<V>) {
      new (copy) V(value);
    } else {
      new (copy) V(value.Clone());
    }
  }

  // Makes a place of leaf `to` what one of leaf `from` is, absent too. What is above is not told.
  static void CopySlot(const RadixLeaf<V>& from, unsigned from_digit, RadixLeaf<V>& to,
                       unsigned to_digit) {
    V* const value = &to.slots[to_digit].value;
    if (to.has(to_digit)) {
      value->~V();
      if (from.has(from_digit)) {
        CopyValue(from.slots[from_digit].value, value);
        return;
      }
      to.remove(to_digit);
      --to.count;
    } else if (from.has(from_digit)) {
      CopyValue(from.slots[from_digit].value, value);
      to.add(to_digit);
      ++to.count;
    }
  }

  // Erases first..last below `slot`, whose smallest key is `base`; null when nothing is left.
  static void EraseBelow(Node*& slot, Key base, Key first, Key last) {
    const unsigned level = slot->level;
    const Key end = base | RadixSpan(level);
    if (first <= base && end <= last) {
      Release(slot);
      slot = nullptr;
      return;
    }
    Unshare(slot);
    const unsigned from = first <= base ? 0 : RadixDigit(first, level);
    const unsigned to = end <= last ? kRadixFanOut - 1 : RadixDigit(last, level);
    for (unsigned digit = from; digit <= to; ++digit) {
      if (slot->has(digit)) EraseInSlot(slot, base, digit, first, last);
    }
    if (slot->present != 0) return;
    Release(slot);
    slot = nullptr;
  }

  static void EraseInSlot(Node* node, Key base, unsigned digit, Key first, Key last) {
    if (node->level == 0) {
      Leaf(node)->slots[digit].value.~V();
      --node->count;
      node->remove(digit);
      return;
    }
    Node*& child = Inner(node)->children[digit];
    node->count -= child->count;
    EraseBelow(child, RadixAdvance(base, node->level, digit), first, last);
    if (child == nullptr) {
      node->remove(digit);
    } else {
      node->count += child->count;
    }
  }

  // visit(key, value) for every entry below `node`, whose smallest key is `base`.
  template <Visited kVisited, typename VisitEntry>
  static void Visit(const Node* node, Key base, VisitEntry& visit) {
    if (kVisited == Visited::kExclusiveNodes && !node->exclusive()) return;
    for (std::uint32_t bits = node->present; bits != 0; bits &= bits - 1) {
      const auto digit = static_cast<unsigned>(std::countr_zero(bits));
      const Key key = RadixAdvance(base, node->level, digit);
      if (node->level == 0) {
        visit(key, Leaf(node)->slots[digit].value);
      } else {
        Visit<kVisited>(Inner(node)->children[digit], key, visit);
      }
    }
  }

  static void CountNodes(const Node* node, Sharing above, std::uint64_t& nodes,
                         std::uint64_t& exclusive) {
    const bool is_exclusive = above == Sharing::kExclusive && node->exclusive();
    ++nodes;
    if (is_exclusive) ++exclusive;
    if (node->level == 0) return;
    for (const Node* child : Inner(node)->children) {
      if (child == nullptr) continue;
      CountNodes(child, is_exclusive ? Sharing::kExclusive : Sharing::kShared, nodes, exclusive);
    }
  }

  template <typename VisitPair>
  static bool Diff(const Node* before, const Node* after, VisitPair& visit) {
    const unsigned level = std::max(before == nullptr ? 0U : before->level,  //
                                    after == nullptr ? 0U : after->level);
    return DiffBelow(before, after, level, 0, visit);
  }

  // The part of `node` that a node of `level` would have as child `digit`; `node` may be null or
  // lower than `level`, then it stands for its own child 0.
  static const Node* ChildAt(const Node* node, unsigned level, unsigned digit) {
    if (node == nullptr) return nullptr;
    if (node->level < level) return digit == 0 ? node : nullptr;
    return Inner(node)->children[digit];
  }

  static const V* ValueAt(const Node* leaf, unsigned digit) {
    if (leaf == nullptr || !leaf->has(digit)) return nullptr;
    return &Leaf(leaf)->slots[digit].value;
  }

  template <typename VisitPair>
  static bool DiffBelow(const Node* before, const Node* after, unsigned level, Key base,
                        VisitPair& visit) {
    if (before == after) return true;
    for (unsigned digit = 0; digit < kRadixFanOut; ++digit) {
      const Key key = RadixAdvance(base, level, digit);
      if (level > 0) {
        const Node* before_child = ChildAt(before, level, digit);
        const Node* after_child = ChildAt(after, level, digit);
        if (!DiffBelow(before_child, after_child, level - 1, key, visit)) return false;
        continue;
      }
      const V* before_value = ValueAt(before, digit);
      const V* after_value = ValueAt(after, digit);
      if (before_value == nullptr && after_value == nullptr) continue;
      if (!visit(key, before_value, after_value)) return false;
    }
    return true;
  }
};

}  // namespace lamina::internal
#endif  // LAMINA_STORE_RADIX_NODE_H_
