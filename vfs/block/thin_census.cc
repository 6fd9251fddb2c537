#include "vfs/block/thin_census.h"

#include "absl/strings/str_cat.h"
#include "vfs/block/btree.h"
#include "vfs/block/metadata_blocks.h"

namespace lamina::internal {
namespace {

constexpr const char* NameOf(TreeKind kind) {
  switch (kind) {
    case TreeKind::kDevices:
      return "the tree of devices";
    case TreeKind::kMappings:
      return "a tree of mappings";
    case TreeKind::kDetails:
      return "the tree of details";
    case TreeKind::kIndex:
      return "an index of bitmaps";
    case TreeKind::kCounts:
      return "a tree of counts";
  }
  return "";
}

constexpr std::uint32_t ValueBytesOf(TreeKind kind) {
  switch (kind) {
    case TreeKind::kDevices:
    case TreeKind::kMappings:
      return sizeof(std::uint64_t);
    case TreeKind::kDetails:
      return kDetailsBytes;
    case TreeKind::kIndex:
      return kIndexEntryBytes;
    case TreeKind::kCounts:
      return sizeof(std::uint32_t);
  }
  return 0;
}

}  // namespace

void ThinFindings::Add(ThinFindingKind kind, std::string what) {
  if (findings_.size() + 1 < kMaxThinFindings) {
    findings_.push_back({kind, std::move(what)});
  } else if (findings_.size() < kMaxThinFindings) {
    findings_.push_back({kind, "there are more findings than are listed"});
  } else if (kind == ThinFindingKind::kDamage) {
    findings_.back().kind = kind;
  }
}

bool TreeCensus::Name(BlockNumber number, const char* what) {
  if (number >= nr_blocks_) {
    findings_->Damage(absl::StrCat("block ", number, " (", what, "): there is no such block"));
    return false;
  }
  ++names_[number];
  return true;
}

bool TreeCensus::ReadOther(BlockNumber number, BlockKind kind, const char* what, BlockBytes& into) {
  if (!ReadBlock(*op_, *device_, number, into).ok()) {
    findings_->Damage(absl::StrCat("block ", number, " (", what, "): cannot be read"));
    return false;
  }
  if (!IsSealed(kind, number, into)) {
    findings_->Damage(absl::StrCat("block ", number, " (", what, "): wrong checksum or place"));
    return false;
  }
  return true;
}

bool TreeCensus::ReadNode(TreeKind kind, BlockNumber number, BlockBytes& into) {
  if (!ReadOther(number, BlockKind::kNode, NameOf(kind), into)) return false;
  const BtreeNode node(into);
  if (!IsGoodNode(into) || (node.is_leaf() && node.value_bytes() != ValueBytesOf(kind))) {
    findings_->Damage(absl::StrCat("block ", number, " (", NameOf(kind),
                                   "): no node of this tree: kind, sizes or order of keys"));
    return false;
  }
  return true;
}

bool TreeCensus::Walk(TreeKind kind, BlockNumber root) {
  const Subtree* const walked = WalkNode(kind, root, 0);
  return walked != nullptr && walked->state == Subtree::State::kSound;
}

const TreeCensus::Subtree* TreeCensus::Find(BlockNumber root) const {
  const auto found = nodes_.find(root);
  return found == nodes_.end() ? nullptr : &found->second;
}

// Recursion: at most kMaxBtreeHeight deep, twice for the devices' trees.
const TreeCensus::Subtree* TreeCensus::WalkNode(TreeKind kind, BlockNumber number,
                                                std::size_t depth) {
  if (!Name(number, NameOf(kind))) return nullptr;
  if (const Subtree* const known = Find(number); known != nullptr) {
    if (known->kind == kind && known->state != Subtree::State::kOpen) return known;
    const bool is_loop = known->kind == kind;
    findings_->Damage(absl::StrCat("block ", number, " (", NameOf(kind),
                                   "): ", is_loop ? "a loop" : "is part of ",
                                   is_loop ? "" : NameOf(known->kind)));
    return nullptr;
  }
  nodes_[number].kind = kind;
  Subtree subtree;
  subtree.kind = kind;
  subtree.state = Subtree::State::kDamaged;
  BlockBytes bytes;
  if (depth >= kMaxBtreeHeight) {
    findings_->Damage(absl::StrCat("block ", number, " (", NameOf(kind), "): too deep"));
  } else if (ReadNode(kind, number, bytes)) {
    const BtreeNode node(bytes);
    if (node.size() > 0) {
      subtree.first_key = node.first_key();
      subtree.last_key = node.last_key();
    }
    subtree.fits_below_root = node.size() > 0 && node.size() >= MinEntriesFor(node.max_entries());
    subtree.entries = node.is_leaf() ? node.size() : 0;
    const bool sound =
        node.is_leaf() ? WalkLeaf(kind, node) : WalkChildren(number, node, depth, subtree);
    if (sound) subtree.state = Subtree::State::kSound;
  }
  return &(nodes_[number] = subtree);
}

bool TreeCensus::WalkLeaf(TreeKind kind, const BtreeNode& node) {
  bool sound = true;
  for (std::uint32_t i = 0; i < node.size(); ++i) {
    if (!visitor_(kind, node.key(i), node.value(i))) sound = false;
  }
  return sound;
}

bool TreeCensus::WalkChildren(BlockNumber number, const BtreeNode& node, std::size_t depth,
                              Subtree& into) {
  bool sound = true;
  for (std::uint32_t i = 0; i < node.size(); ++i) {
    const Subtree* const found = WalkNode(into.kind, node.child(i), depth + 1);
    if (found == nullptr || found->state != Subtree::State::kSound) {
      sound = false;
      continue;
    }
    const Subtree child = *found;
    if (!FitsParent(number, node, i, child)) sound = false;
    if (i > 0 && into.height != child.height + 1) {
      findings_->Damage(absl::StrCat("block ", number, ": its children differ in height"));
      sound = false;
    }
    into.height = child.height + 1;
    into.entries += child.entries;
    into.last_key = child.last_key;
  }
  return sound;
}

bool TreeCensus::FitsParent(BlockNumber number, const BtreeNode& parent, std::uint32_t index,
                            const Subtree& child) {
  const auto report = [&](const char* what) {
    findings_->Damage(
        absl::StrCat("block ", parent.child(index), ", a child of block ", number, ": ", what));
    return false;
  };
  if (!child.fits_below_root) return report("too few entries");
  if (child.first_key < parent.key(index)) return report("its first key is below its parent's");
  if (index + 1 < parent.size() && child.last_key >= parent.key(index + 1)) {
    return report("its last key is not below the next child's");
  }
  return true;
}

void TreeCensus::ForEachEntry(BlockNumber root,
                              const std::function<void(std::uint64_t, const std::byte*)>& visitor) {
  std::vector<BlockNumber> ahead{root};
  BlockBytes bytes;
  while (!ahead.empty()) {
    const BlockNumber number = ahead.back();
    ahead.pop_back();
    const Subtree* const known = Find(number);
    if (known == nullptr || known->state != Subtree::State::kSound) return;
    if (!ReadBlock(*op_, *device_, number, bytes).ok()) return;
    const BtreeNode node(bytes);
    for (std::uint32_t i = node.size(); !node.is_leaf() && i > 0; --i) {
      ahead.push_back(node.child(i - 1));
    }
    for (std::uint32_t i = 0; node.is_leaf() && i < node.size(); ++i) {
      visitor(node.key(i), node.value(i));
    }
  }
}

}  // namespace lamina::internal
