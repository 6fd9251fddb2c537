// The union's own inodes and names. A UnionNode is what the kernel's ovl_inode is: the writable
// object, the objects below, and what was learnt about them. The name cache is its dcache: it keeps
// positive names; directory_cache.h tells which names are missing.
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
#include "vfs/union/directory_cache.h"
#include "vfs/union/merged_listing.h"
#include "vfs/union/resolution.h"

namespace lamina {

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

struct UnionNode {
  NodeId id;
  FileType type{};
  NodeId parent;         // of the name last used; a directory's only one
  std::string name;      // "" for the root and for files without a name
  bool aliased = false;  // was reached by two names: the one in use must be set at each lookup
  bool name_in_writable = false;  // the writable branch has that name (what an index asks)
  bool name_is_gone = false;      // it is that of an open file, and was removed or replaced
  Hits hits;                      // topmost first; the writable object, if any, is the first
  bool has_writable = false;
  bool opaque = false;
  BranchIndex opaque_branch = kNoBranch;  // where a mark ends the search below the directory
  bool impure = false;
  bool may_hold_whiteouts = false;
  bool xattr_whiteouts = false;
  bool metacopy = false;      // the writable file holds attributes only
  bool digest = false;        // its metacopy mark holds a digest
  bool indexed = false;       // an index entry, or a pseudo-link, ties the copy to its lower object
  bool counts_names = false;  // its link count is `nlink`, whatever a branch says
  bool keeps_ino = false;     // its identity is a lower object's, before and after the copy-up
  bool dead = false;          // lost its last name
  bool orphan = false;        // counted in UnionState::orphans
  bool buried = false;        // a directory that was removed by way of the work directory
  std::string redirect;
  std::string data_redirect;     // the body is in a data-only branch and was not looked up yet
  std::uint32_t nlink = 0;       // of an indexed file: its names in the union
  std::uint32_t names = 0;       // entries of the name cache
  std::uint32_t handles = 0;     // open union handles
  FileSystem* pin_fs = nullptr;  // where `pin` is
  HandleId pin;                  // keeps a copy alive for handles opened before it
  std::uint64_t copy_ups = 0;    // handles compare this to notice a copy-up
  std::uint64_t version = 0;     // of the listing
  std::uint64_t private_ino = 0;
  std::weak_ptr<MergedListing> listing;  // of the handles that are open
  std::unique_ptr<DirectoryCache> cache;

  absl::InlinedVector<NodeKey, 1> keys;  // under which the table finds it

  const Hit& top() const { return hits.front(); }
  // Its object in a branch, or null.
  const Hit* in_branch(BranchIndex branch) const {
    for (const Hit& hit : hits) {
      if (hit.branch == branch) return &hit;
    }
    return nullptr;
  }
  void Pin(FileSystem& fs, HandleId handle) {
    Unpin();
    pin_fs = &fs;
    pin = handle;
  }
  void Unpin() {
    if (pin.value != 0) pin_fs->Close(std::exchange(pin, HandleId{}));
  }
  // The object that a file's body is read from; null: `data_redirect` names it.
  const Hit* body() const {
    if (has_writable && !metacopy) return &hits.front();
    return data_redirect.empty() ? &hits.back() : nullptr;
  }
  // Its link count is `nlink`, not that of a branch.
  bool counts_own_names() const { return indexed || counts_names; }
  // The copy was reached through the index: the name in use is not yet in the writable branch.
  bool needs_link() const {
    return has_writable && indexed && type != FileType::kDirectory && !name_in_writable;
  }
  std::size_t lower_count() const { return hits.size() - (has_writable ? 1 : 0); }
  // Shows the inode number of the lower object it was copied from.
  bool has_origin() const { return has_writable && keeps_ino && lower_count() > 0; }
  const Hit* first_lower() const {
    return lower_count() == 0 ? nullptr : &hits[has_writable ? 1 : 0];
  }
};

// What happens to the link count of an indexed file that loses a name: the kernel's ovl_drop_nlink,
// which never falls to 0 while another name is cached.
std::uint32_t NlinkAfterRemoval(const UnionNode& node);

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
  void SetKey(UnionNode& node, const NodeKey& key);
  // It is found by `key` from now on; by its keys so far only if it keeps them.
  void Rekey(UnionNode& node, const NodeKey& key, bool keeps_others);
  void Erase(UnionNode& node);
  // Calls visit(UnionNode&) for every node; it must not add or erase any.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (Slot& slot : slots_) {
      if (slot.node != nullptr) visit(*slot.node);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<UnionNode> node;
    std::uint32_t generation = 0;  // grows with each use, so no id comes twice
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  absl::flat_hash_map<NodeKey, UnionNode*> by_key_;
};

// What the cache knows about a name.
struct CachedName {
  UnionNode* node = nullptr;
  bool in_writable = false;  // UnionNode::name_in_writable
  std::uint32_t epoch = 0;   // UnionState::epoch when it was last looked at
};

// (directory, component) → node.
class NameCache {
 public:
  // Null: not cached. Valid until the next Insert or Erase.
  CachedName* Find(NodeId dir, std::string_view name);
  void Insert(NodeId dir, std::string_view name, CachedName entry);
  // Forgets a name; the node keeps its other names.
  void Erase(NodeId dir, std::string_view name);
  void Clear();
  // The writable object of a node is in another branch now: none of its names is there.
  void LeaveBranch(const UnionNode& node);

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
  absl::flat_hash_map<Key, CachedName, Hash, Equal> names_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_UNION_NODE_H_
