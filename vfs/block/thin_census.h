// TreeCensus: walks the trees of thin metadata straight from the device and counts who names what.
// It shares nothing with Btree and SpaceMap but the layout, so it can judge what they wrote.
//
// A node is read once, however many parents name it: time and memory are bounded by the number of
// blocks, whatever an image says.
//
// Threads: one caller at a time. Lifetime: owns neither the device nor the findings.
#ifndef LAMINA_VFS_BLOCK_THIN_CENSUS_H_
#define LAMINA_VFS_BLOCK_THIN_CENSUS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/block/thin_check.h"
#include "vfs/block/btree_node.h"

namespace lamina::internal {

// What was found, at most kMaxThinFindings of it.
class ThinFindings {
 public:
  void Damage(std::string what) { Add(ThinFindingKind::kDamage, std::move(what)); }
  void Leak(std::string what) { Add(ThinFindingKind::kLeak, std::move(what)); }
  void Odd(std::string what) { Add(ThinFindingKind::kOdd, std::move(what)); }
  std::vector<ThinFinding> Take() { return std::move(findings_); }

 private:
  void Add(ThinFindingKind kind, std::string what);

  std::vector<ThinFinding> findings_;
};

enum class TreeKind : std::uint8_t { kDevices, kMappings, kDetails, kIndex, kCounts };

// How often something is named.
using ReferenceCounts = absl::flat_hash_map<std::uint64_t, std::uint64_t>;

class TreeCensus {
 public:
  // Sees every entry of every distinct leaf once. False: the leaf is not sound.
  using EntryVisitor = std::function<bool(TreeKind, std::uint64_t, const std::byte*)>;

  // A node and what is below it.
  struct Subtree {
    TreeKind kind{};
    enum class State : std::uint8_t { kOpen, kSound, kDamaged } state = State::kOpen;
    bool fits_below_root = false;  // holds enough entries for a node that is not the root
    std::size_t height = 0;        // 0: a leaf
    std::uint64_t entries = 0;     // of leaves
    std::uint64_t first_key = 0;   // of the node; nothing when it has no entries
    std::uint64_t last_key = 0;    // of the subtree
  };

  TreeCensus(const OpContext& op, BlockDevice& device, BlockNumber nr_blocks,
             ThinFindings& findings)
      : op_(&op), device_(&device), nr_blocks_(nr_blocks), findings_(&findings) {}

  void set_entry_visitor(EntryVisitor visitor) { visitor_ = std::move(visitor); }

  // One more name for the block. False: there is no such block.
  bool Name(BlockNumber number, const char* what);
  // Reads a block that is not a node. False: a finding was added.
  bool ReadOther(BlockNumber number, BlockKind kind, const char* what, BlockBytes& into);

  // Walks the tree, which is named once more. False: it is damaged.
  bool Walk(TreeKind kind, BlockNumber root);
  // Null: it was not walked.
  const Subtree* Find(BlockNumber root) const;
  // The entries of a tree that was walked and found sound, ascending.
  void ForEachEntry(BlockNumber root,
                    const std::function<void(std::uint64_t, const std::byte*)>& visitor);

  const ReferenceCounts& names() const { return names_; }

 private:
  // Gives the state of the node; null: no such block.
  const Subtree* WalkNode(TreeKind kind, BlockNumber number, std::size_t depth);
  bool ReadNode(TreeKind kind, BlockNumber number, BlockBytes& into);
  bool WalkLeaf(TreeKind kind, const BtreeNode& node);
  bool WalkChildren(BlockNumber number, const BtreeNode& node, std::size_t depth, Subtree& into);
  bool FitsParent(BlockNumber number, const BtreeNode& parent, std::uint32_t index,
                  const Subtree& child);

  const OpContext* op_;
  BlockDevice* device_;
  BlockNumber nr_blocks_;
  ThinFindings* findings_;
  EntryVisitor visitor_;
  ReferenceCounts names_;
  absl::flat_hash_map<BlockNumber, Subtree> nodes_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_THIN_CENSUS_H_
