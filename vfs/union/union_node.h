// The union's own inodes and names. A UnionNode is what the kernel's ovl_inode is: the writable
// object, the objects below, and what was learnt about them. The name cache is its dcache: it keeps
// positive names (a miss is resolved anew, so it needs no memory and sees branch edits).
//
// Identity: a node is found again through the branch object that decides its identity (its key),
// never through a path, so two names of one file are one node.
#ifndef LAMINA_VFS_UNION_UNION_NODE_H_
#define LAMINA_VFS_UNION_UNION_NODE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/fs/file_system.h"
#include "vfs/union/resolution.h"

namespace lamina {

// One entry of a merged listing.
struct ListedEntry {
  std::string name;
  FileType type{};
  std::uint64_t ino = 0;
  BranchIndex branch = 0;
  bool whiteout = false;        // hides lower entries, or turned out stale; not shown
  bool check_whiteout = false;  // may be an xattr whiteout: look it up before it is shown
  bool looked_up = false;
};

// A merged listing, taken once and shared by the handles that read the same version.
struct MergedListing {
  std::vector<ListedEntry> entries;
  std::uint64_t version = 0;
};

struct UnionNode {
  NodeId id;
  FileType type{};
  NodeId parent;     // of the last known name; a directory's only one
  std::string name;  // "" for the root and for files without a name
  Hits hits;         // topmost first; the writable object, if any, is the first
  bool has_writable = false;
  bool opaque = false;
  bool impure = false;
  bool may_hold_whiteouts = false;
  bool xattr_whiteouts = false;
  bool metacopy = false;
  bool keeps_ino = false;  // its identity is a lower object's, before and after the copy-up
  bool dead = false;       // lost its last name
  std::string redirect;
  std::uint32_t names = 0;     // entries of the name cache
  std::uint32_t handles = 0;   // open union handles
  HandleId writable_pin;       // keeps a copy-up alive for handles opened before it
  std::uint64_t copy_ups = 0;  // handles compare this to notice a copy-up
  std::uint64_t version = 0;   // of the listing
  std::uint64_t private_ino = 0;
  std::weak_ptr<MergedListing> listing;

  const Hit& top() const { return hits.front(); }
  std::size_t lower_count() const { return hits.size() - (has_writable ? 1 : 0); }
  // Shows the inode number of the lower object it was copied from.
  bool has_origin() const { return has_writable && keeps_ino && lower_count() > 0; }
  const Hit* first_lower() const {
    return lower_count() == 0 ? nullptr : &hits[has_writable ? 1 : 0];
  }
};

// Which branch object decides a node's identity.
struct NodeKey {
  const FileSystem* fs = nullptr;
  NodeId node;
  friend bool operator==(const NodeKey&, const NodeKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const NodeKey& key) {
    return H::combine(std::move(state), key.fs, key.node);
  }
};

class NodeTable {
 public:
  // The node of this id, or null. No hash: an id holds its slot and the slot's generation.
  UnionNode* Find(NodeId id) const {
    const std::uint64_t slot = id.value & 0xffffffffU;
    if (slot == 0 || slot > slots_.size()) return nullptr;
    UnionNode* node = slots_[slot - 1].node.get();
    return node != nullptr && node->id == id ? node : nullptr;
  }
  UnionNode* FindByKey(const NodeKey& key) const;

  // A new node; the id is never used again.
  UnionNode& Add(FileType type);
  void SetKey(const UnionNode& node, const NodeKey& key);
  bool HasKey(const UnionNode& node) const { return keys_.contains(node.id.value); }
  void Erase(UnionNode& node);

 private:
  struct Slot {
    std::unique_ptr<UnionNode> node;
    std::uint32_t generation = 0;  // grows with each use, so no id comes twice
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  absl::flat_hash_map<NodeKey, UnionNode*> by_key_;
  absl::flat_hash_map<std::uint64_t, std::vector<NodeKey>> keys_;
};

// (directory, component) → node.
class NameCache {
 public:
  UnionNode* Find(NodeId dir, std::string_view name) const;
  void Insert(NodeId dir, std::string_view name, UnionNode& node);
  // Forgets a name; the node keeps its other names.
  void Erase(NodeId dir, std::string_view name);

 private:
  struct Key {
    NodeId dir;
    std::string name;
  };
  struct View {
    NodeId dir;
    std::string_view name;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const View& view) const;
    std::size_t operator()(const Key& key) const { return (*this)(View{key.dir, key.name}); }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.dir == b.dir && std::string_view(a.name) == std::string_view(b.name);
    }
  };
  absl::flat_hash_map<Key, UnionNode*, Hash, Equal> names_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_UNION_NODE_H_
