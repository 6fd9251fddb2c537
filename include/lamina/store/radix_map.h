// RadixMap<V>: a persistent map from 64-bit keys to V, in the order of the keys. O(1) clone.
//
//   RadixMap<int> a;  a.Set(7, 1);
//   RadixMap<int> b = a.Clone();      O(1): a and b share every node
//   b.Set(7, 2);                      copies the nodes on the path to 7; a still has 1
//
//   level 1           [. 1 . . 9 .]               key 39 = 1 * 32 + 7: digit 1, then digit 7
//                        |     \                  32 children a node, one digit a level
//   level 0    [. 4 . 7 .]   [0 . . 31]           no empty node, no path compression
//
// A node counts the entries below it, so ranges are counted without a walk. The tree is as high as
// its largest key needs: dense small keys are cheap, a random 64-bit key costs 13 nodes. Mask a
// hash before it becomes a key.
//
// A V is copied (or cloned, when it has Clone() and no copy constructor) when its leaf is copied;
// V() must be cheap. V is copied under a const reference that other threads may read too.
//
// Threads: thread-compatible. Two maps that share nodes may be used by two threads: shared nodes
// are never changed in place.
#ifndef LAMINA_STORE_RADIX_MAP_H_
#define LAMINA_STORE_RADIX_MAP_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <utility>

#include "lamina/store/radix_node.h"

namespace lamina {

// How many nodes a map reaches, and how many of them no other map does.
struct NodeCounts {
  std::uint64_t nodes = 0;
  std::uint64_t exclusive = 0;
};

template <typename V>
class RadixMap {
 public:
  using Key = std::uint64_t;
  struct Entry {
    Key key;
    const V* value;  // valid until the map changes
  };

  RadixMap() = default;
  RadixMap(RadixMap&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
  RadixMap& operator=(RadixMap&& other) noexcept {
    if (this != &other) {
      Clear();
      root_ = std::exchange(other.root_, nullptr);
    }
    return *this;
  }
  RadixMap(const RadixMap&) = delete;
  RadixMap& operator=(const RadixMap&) = delete;
  ~RadixMap() { Clear(); }

  // An equal map that is independent from now on. O(1).
  RadixMap Clone() const {
    RadixMap copy;
    if (root_ != nullptr) copy.root_ = Nodes::Share(root_);
    return copy;
  }

  std::uint64_t size() const { return root_ == nullptr ? 0 : root_->count; }
  bool empty() const { return root_ == nullptr; }

  // The value of `key`; null when absent. Valid until the map changes.
  const V* Find(Key key) const;
  // The same, in nodes of this map only: copies the shared part of the path. The V itself may still
  // be a reference to something shared.
  V* FindForWrite(Key key) { return Find(key) == nullptr ? nullptr : &FindOrInsert(key); }
  // The value of `key`, ready to be changed; V() is put there when absent.
  V& FindOrInsert(Key key);
  void Set(Key key, V value) { FindOrInsert(key) = std::move(value); }
  // Makes `count` keys from `to` on what those from `from` on are, absent where they are absent.
  // The two ranges do not overlap. A descent serves a whole leaf.
  void CopyRange(Key to, Key from, std::uint64_t count);

  // Removes one key; false when it was absent.
  bool Erase(Key key) {
    if (Find(key) == nullptr) return false;
    ErasePresent(key, key);
    return true;
  }
  // Removes the keys first..last, both included; says how many there were.
  std::uint64_t EraseRange(Key first, Key last);
  void Clear() {
    if (root_ != nullptr) Nodes::Release(std::exchange(root_, nullptr));
  }

  // How many keys lie in first..last, both included. O(height).
  std::uint64_t CountRange(Key first, Key last) const;
  // The entry with the smallest key >= `key`.
  std::optional<Entry> NextAtOrAfter(Key key) const;
  // Calls visit(key, const V&) for the entries with keys >= `key`, ascending, until it gives false.
  // The map must not change meanwhile. A descent serves a whole leaf.
  template <typename Visit>
  void VisitFrom(Key key, Visit visit) const;
  // The smallest absent key >= `key`; full subtrees are skipped.
  std::optional<Key> NextAbsent(Key key) const;

  // Calls visit(key, const V&) for every entry, keys ascending.
  template <typename Visit>
  void ForEach(Visit visit) const {
    if (root_ != nullptr) Nodes::template Visit<kEveryNode>(root_, 0, visit);
  }
  // The same for the entries in nodes that no other map shares; the rest is skipped unseen.
  template <typename Visit>
  void ForEachInExclusiveNodes(Visit visit) const {
    if (root_ != nullptr) Nodes::template Visit<kExclusiveNodes>(root_, 0, visit);
  }
  // Calls visit(key, const V* before, const V* after) for every key that one map has and the other
  // may not have or may have with another V, keys ascending; absent is null. Shared nodes are
  // skipped unseen: the cost is that of the difference. Stops when visit returns false; returns
  // whether it went to the end.
  template <typename Visit>
  static bool ForEachDifference(const RadixMap& before, const RadixMap& after, Visit visit) {
    return Nodes::Diff(before.root_, after.root_, visit);
  }

  // Exact; walks the tree.
  NodeCounts CountNodes() const {
    NodeCounts counts;
    if (root_ != nullptr) {
      Nodes::CountNodes(root_, internal::Sharing::kExclusive, counts.nodes, counts.exclusive);
    }
    return counts;
  }

 private:
  using Node = internal::RadixNode;
  using Nodes = internal::RadixNodes<V>;
  static constexpr auto kEveryNode = internal::Visited::kEveryNode;
  static constexpr auto kExclusiveNodes = internal::Visited::kExclusiveNodes;

  bool Covers(Key key) const {
    return root_ != nullptr && internal::RadixLevelOf(key) <= root_->level;
  }
  using Path = std::array<Node*, internal::kRadixLevels>;
  // Makes the nodes on the way to `key` and gives them; the leaf is path[0].
  Path DescendForWrite(Key key);
  // V() at a place of path's leaf that is empty.
  void AddAt(const Path& path, unsigned digit);
  // The leaf of `key`; null when it has none.
  const Node* FindLeaf(Key key) const;
  // CopyRange within one leaf each; at least one of the keys from `from` on is there.
  void CopyInLeaf(Key to, Key from, unsigned count);

  // How many keys are smaller than `key`.
  std::uint64_t CountBelow(Key key) const;
  // EraseRange of a range that has a key in it.
  void ErasePresent(Key first, Key last);

  Node* root_ = nullptr;
};

template <typename V>
const internal::RadixNode* RadixMap<V>::FindLeaf(Key key) const {
  if (!Covers(key)) return nullptr;
  const Node* node = root_;
  for (unsigned level = node->level; level > 0; --level) {
    node = Nodes::Inner(node)->children[internal::RadixDigit(key, level)];
    if (node == nullptr) return nullptr;
  }
  return node;
}

template <typename V>
const V* RadixMap<V>::Find(Key key) const {
  return Nodes::ValueAt(FindLeaf(key), internal::RadixDigit(key, 0));
}

template <typename V>
typename RadixMap<V>::Path RadixMap<V>::DescendForWrite(Key key) {
  if (root_ == nullptr) root_ = Nodes::New(internal::RadixLevelOf(key));
  while (root_->level < internal::RadixLevelOf(key)) root_ = Nodes::Raise(root_);

  Path path;
  Node** slot = &root_;
  for (unsigned level = root_->level;; --level) {
    if (*slot == nullptr) {
      *slot = Nodes::New(level);
    } else {
      Nodes::Unshare(*slot);
    }
    path[level] = *slot;
    if (level == 0) break;
    const unsigned digit = internal::RadixDigit(key, level);
    path[level]->add(digit);
    slot = &Nodes::Inner(path[level])->children[digit];
  }
  return path;
}

template <typename V>
void RadixMap<V>::AddAt(const Path& path, unsigned digit) {
  new (&Nodes::Leaf(path[0])->slots[digit].value) V();
  path[0]->add(digit);
  for (unsigned level = 0; level <= root_->level; ++level) ++path[level]->count;
}

template <typename V>
V& RadixMap<V>::FindOrInsert(Key key) {
  const Path path = DescendForWrite(key);
  const unsigned digit = internal::RadixDigit(key, 0);
  if (!path[0]->has(digit)) AddAt(path, digit);
  return Nodes::Leaf(path[0])->slots[digit].value;
}

template <typename V>
void RadixMap<V>::CopyRange(Key to, Key from, std::uint64_t count) {
  while (count > 0) {
    const unsigned digit = internal::RadixDigit(from, 0);
    const unsigned largest = std::max(digit, internal::RadixDigit(to, 0));
    const auto run =
        static_cast<unsigned>(std::min<std::uint64_t>(count, internal::kRadixFanOut - largest));
    const Node* source = FindLeaf(from);
    if (source == nullptr || !source->has_any(digit, run)) {
      EraseRange(to, to + run - 1);
    } else {
      CopyInLeaf(to, from, run);
    }
    to += run;
    from += run;
    count -= run;
  }
}

template <typename V>
void RadixMap<V>::CopyInLeaf(Key to, Key from, unsigned count) {
  const Path path = DescendForWrite(to);
  auto* target = Nodes::Leaf(path[0]);
  const auto* source = Nodes::Leaf(FindLeaf(from));  // now, as the descent may have replaced it
  const unsigned to_digit = internal::RadixDigit(to, 0);
  const unsigned from_digit = internal::RadixDigit(from, 0);
  const std::uint64_t before = target->count;
  for (unsigned i = 0; i < count; ++i) {
    Nodes::CopySlot(*source, from_digit + i, *target, to_digit + i);
  }
  const std::uint64_t more = target->count - before;  // modulo 2^64
  for (unsigned level = 1; level <= root_->level; ++level) path[level]->count += more;
}

template <typename V>
std::uint64_t RadixMap<V>::EraseRange(Key first, Key last) {
  const std::uint64_t erased = CountRange(first, last);
  if (erased != 0) ErasePresent(first, last);
  return erased;
}

template <typename V>
void RadixMap<V>::ErasePresent(Key first, Key last) {
  Nodes::EraseBelow(root_, 0, first, last);
  while (root_ != nullptr && root_->level > 0 && root_->has_only(0)) {
    Node* child = Nodes::Share(Nodes::Inner(root_)->children[0]);
    Nodes::Release(std::exchange(root_, child));
  }
}

template <typename V>
std::uint64_t RadixMap<V>::CountBelow(Key key) const {
  if (!Covers(key)) return size();
  std::uint64_t below = 0;
  const Node* node = root_;
  for (unsigned level = node->level; level > 0; --level) {
    const unsigned digit = internal::RadixDigit(key, level);
    const auto& children = Nodes::Inner(node)->children;
    for (unsigned smaller = 0; smaller < digit; ++smaller) {
      if (children[smaller] != nullptr) below += children[smaller]->count;
    }
    node = children[digit];
    if (node == nullptr) return below;
  }
  const unsigned smaller_digits = (1U << internal::RadixDigit(key, 0)) - 1;
  return below + static_cast<unsigned>(std::popcount(node->present & smaller_digits));
}

template <typename V>
std::uint64_t RadixMap<V>::CountRange(Key first, Key last) const {
  if (first > last) return 0;
  return CountBelow(last) + (Find(last) != nullptr ? 1 : 0) - CountBelow(first);
}

template <typename V>
std::optional<typename RadixMap<V>::Entry> RadixMap<V>::NextAtOrAfter(Key key) const {
  const Node* node = Covers(key) ? root_ : nullptr;
  while (node != nullptr) {
    const unsigned level = node->level;
    const unsigned digit = internal::RadixDigit(key, level);
    const unsigned at_or_after = node->present >> digit;
    if (at_or_after == 0) {  // nothing more below this node: on behind it, from the root
      key = (key | internal::RadixSpan(level)) + 1;
      node = key != 0 && Covers(key) ? root_ : nullptr;
      continue;
    }
    const auto skipped = static_cast<unsigned>(std::countr_zero(at_or_after));
    if (skipped > 0) key = internal::RadixAdvance(key, level, skipped);
    if (level == 0) return Entry{key, &Nodes::Leaf(node)->slots[digit + skipped].value};
    node = Nodes::Inner(node)->children[digit + skipped];
  }
  return std::nullopt;
}

template <typename V>
template <typename Visit>
void RadixMap<V>::VisitFrom(Key key, Visit visit) const {
  const Node* node = Covers(key) ? root_ : nullptr;
  while (node != nullptr) {
    const unsigned level = node->level;
    const unsigned digit = internal::RadixDigit(key, level);
    unsigned at_or_after = node->present >> digit << digit;
    if (level > 0 && at_or_after != 0) {
      const auto skipped = static_cast<unsigned>(std::countr_zero(at_or_after)) - digit;
      if (skipped > 0) key = internal::RadixAdvance(key, level, skipped);
      node = Nodes::Inner(node)->children[digit + skipped];
      continue;
    }
    const Key base = key - digit;  // of a leaf
    for (; at_or_after != 0; at_or_after &= at_or_after - 1) {
      const auto slot = static_cast<unsigned>(std::countr_zero(at_or_after));
      if (!visit(base + slot, Nodes::Leaf(node)->slots[slot].value)) return;
    }
    key = (key | internal::RadixSpan(level)) + 1;
    node = key != 0 && Covers(key) ? root_ : nullptr;
  }
}

template <typename V>
std::optional<std::uint64_t> RadixMap<V>::NextAbsent(Key key) const {
  const Node* node = root_;
  while (Covers(key)) {
    const unsigned level = node->level;
    const unsigned digit = internal::RadixDigit(key, level);
    if (internal::RadixIsFull(*node)) {
      key = (key | internal::RadixSpan(level)) + 1;
      if (key == 0) return std::nullopt;
      node = root_;
    } else if (!node->has(digit)) {
      return key;
    } else if (level == 0) {
      ++key;  // a leaf that is not full: at most 31 steps before the gap or the end of the leaf
      if (internal::RadixDigit(key, 0) == 0) node = root_;
      if (key == 0) return std::nullopt;
    } else {
      node = Nodes::Inner(node)->children[digit];
    }
  }
  return key;
}

}  // namespace lamina
#endif  // LAMINA_STORE_RADIX_MAP_H_
