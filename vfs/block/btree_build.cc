#include "vfs/block/btree_build.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::internal {
namespace {

// How many nodes `entries` need; one for none.
std::uint64_t NodesFor(std::uint64_t entries, std::uint32_t max_entries) {
  return std::max<std::uint64_t>(1, entries / max_entries + (entries % max_entries != 0 ? 1 : 0));
}

// Where node `index` of `nodes` ends, when the entries are spread evenly.
std::uint64_t EndOfNode(std::uint64_t entries, std::uint64_t nodes, std::uint64_t index) {
  return entries / nodes * (index + 1) + std::min(entries % nodes, index + 1);
}

}  // namespace

BtreeBuilder::BtreeBuilder(ShadowStore& store, std::uint32_t value_bytes, std::uint64_t entries)
    : store_(&store), value_bytes_(value_bytes), entries_(entries) {}

std::uint64_t BtreeBuilder::node_count() const {
  std::uint64_t level = NodesFor(entries_, MaxEntriesFor(value_bytes_));
  std::uint64_t nodes = level;
  while (level > 1) {
    level = NodesFor(level, MaxEntriesFor(kChildBytes));
    nodes += level;
  }
  return nodes;
}

Result<void> BtreeBuilder::Add(const OpContext& op, std::uint64_t key, const std::byte* value) {
  LAMINA_CHECK(added_ < entries_);
  if (added_ == leaf_end_) {
    if (Result<void> done = EndLeaf(op); !done.ok()) return done;
    const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kNode);
    if (!block.ok()) return block.error();
    leaf_ = *block;
    BtreeNodeEditor(leaf_->bytes).InitLeaf(value_bytes_);
    const std::uint64_t nodes = NodesFor(entries_, MaxEntriesFor(value_bytes_));
    leaf_end_ = EndOfNode(entries_, nodes, leaves_.size());
    leaves_.push_back({key, leaf_->number});
  }
  BtreeNodeEditor leaf(leaf_->bytes);
  leaf.InsertAt(leaf.size(), key, value);
  ++added_;
  return {};
}

Result<void> BtreeBuilder::EndLeaf(const OpContext& op) {
  if (leaf_ == nullptr) return {};
  const BlockNumber number = leaf_->number;
  leaf_ = nullptr;
  return store_->blocks().WriteOut(op, number);
}

Result<BlockNumber> BtreeBuilder::Finish(const OpContext& op) {
  LAMINA_CHECK(added_ == entries_);
  if (leaves_.empty()) {
    const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kNode);
    if (!block.ok()) return block.error();
    BtreeNodeEditor((*block)->bytes).InitLeaf(value_bytes_);
    return (*block)->number;
  }
  if (Result<void> done = EndLeaf(op); !done.ok()) return done.error();
  std::vector<Child> level = std::move(leaves_);
  while (level.size() > 1) {
    Result<std::vector<Child>> above = BuildAbove(op, level);
    if (!above.ok()) return above.error();
    level = std::move(*above);
  }
  return level.front().number;
}

Result<std::vector<BtreeBuilder::Child>> BtreeBuilder::BuildAbove(
    const OpContext& op, const std::vector<Child>& children) {
  const std::uint64_t nodes = NodesFor(children.size(), MaxEntriesFor(kChildBytes));
  std::vector<Child> above;
  std::uint64_t from = 0;
  for (std::uint64_t i = 0; i < nodes; ++i) {
    const Result<MetadataBlock*> block = store_->NewBlock(op, BlockKind::kNode);
    if (!block.ok()) return block.error();
    BtreeNodeEditor node((*block)->bytes);
    node.InitInternal();
    above.push_back({children[from].first_key, (*block)->number});
    for (const std::uint64_t end = EndOfNode(children.size(), nodes, i); from < end; ++from) {
      node.InsertChildAt(node.size(), children[from].first_key, children[from].number);
    }
  }
  return above;
}

}  // namespace lamina::internal
