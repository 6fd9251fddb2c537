// ThinMetadata: how many mappings name a data block.
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "vfs/block/thin_store.h"

namespace lamina {
namespace {

using internal::BlockKind;
using internal::BlockNumber;
using internal::Btree;
using internal::BtreeCursor;
using internal::BtreeNode;
using internal::LoadLe;
using internal::UnpackMapping;

// A node, and how many ways lead to it from the device trees' roots.
using Ways = absl::flat_hash_map<BlockNumber, std::uint64_t>;

// Adds the root of every device tree that the upper tree names.
Result<void> AddRoots(const OpContext& op, Btree& upper, BlockNumber upper_root, Ways& ways) {
  BtreeCursor cursor(upper, upper_root);
  Result<void> moved = cursor.Seek(op, 0);
  while (moved.ok() && cursor.valid()) {
    ++ways[LoadLe<BlockNumber>(cursor.value())];
    moved = cursor.Next(op);
  }
  return moved;
}

std::uint64_t EntriesThatName(const BtreeNode& leaf, std::uint64_t data_block) {
  std::uint64_t entries = 0;
  for (std::uint32_t i = 0; i < leaf.size(); ++i) {
    const ThinMapping mapping = UnpackMapping(LoadLe<std::uint64_t>(leaf.value(i)));
    if (mapping.data_block == data_block) ++entries;
  }
  return entries;
}

}  // namespace

Result<std::uint64_t> ThinMetadata::DataReferenceCount(const OpContext& op,
                                                       std::uint64_t data_block) {
  const Result<std::uint64_t> leaves = DataLeafCount(op, data_block);
  if (!leaves.ok() || *leaves == 0) return leaves;
  Ways level;
  Result<void> added = AddRoots(op, store_->roots, store_->current.mapping_root, level);
  if (added.ok() && store_->current.held_root != 0) {
    const Result<internal::Superblock> held = store_->ReadHeld(op, store_->current.held_root);
    if (!held.ok()) return held.error();
    added = AddRoots(op, store_->roots, held->mapping_root, level);
  }
  if (!added.ok()) return added.error();

  std::uint64_t references = 0;
  for (std::size_t height = 0; height < internal::kMaxBtreeHeight && !level.empty(); ++height) {
    Ways below;
    for (const auto& [number, ways] : level) {
      const Result<const internal::MetadataBlock*> block =
          store_->shadows.Read(op, number, BlockKind::kNode);
      if (!block.ok()) return block.error();
      const BtreeNode node((*block)->bytes);
      if (node.value_bytes() != sizeof(std::uint64_t)) return Errno::kBadMsg;
      if (node.is_leaf()) references += ways * EntriesThatName(node, data_block);
      for (std::uint32_t i = 0; !node.is_leaf() && i < node.size(); ++i) {
        below[node.child(i)] += ways;
      }
    }
    level = std::move(below);
  }
  return references;
}

}  // namespace lamina
