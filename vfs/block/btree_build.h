// BtreeBuilder: makes a whole tree at once from entries in ascending order, its nodes as full and
// as even as they can be.
//
// Threads: one caller at a time. Lifetime: does not own the store.
#ifndef LAMINA_VFS_BLOCK_BTREE_BUILD_H_
#define LAMINA_VFS_BLOCK_BTREE_BUILD_H_

#include <cstdint>
#include <vector>

#include "vfs/block/btree_node.h"
#include "vfs/block/shadow_store.h"

namespace lamina::internal {

class BtreeBuilder {
 public:
  // `entries`: how many Add will give.
  BtreeBuilder(ShadowStore& store, std::uint32_t value_bytes, std::uint64_t entries);

  // How many nodes the tree will have.
  std::uint64_t node_count() const;

  // Errors: kNoSpc; kBadMsg, kIo as ShadowStore.
  Result<void> Add(const OpContext& op, std::uint64_t key, const std::byte* value);
  // After the last Add. Gives the root.
  Result<BlockNumber> Finish(const OpContext& op);

 private:
  struct Child {
    std::uint64_t first_key = 0;
    BlockNumber number = 0;
  };

  // The leaf is written at once: a large tree has many.
  Result<void> EndLeaf(const OpContext& op);
  // The nodes above `children`, one level of them.
  Result<std::vector<Child>> BuildAbove(const OpContext& op, const std::vector<Child>& children);

  ShadowStore* store_;
  std::uint32_t value_bytes_;
  std::uint64_t entries_;
  std::uint64_t added_ = 0;
  std::uint64_t leaf_end_ = 0;  // the number of the first entry that is not for the present leaf
  MetadataBlock* leaf_ = nullptr;
  std::vector<Child> leaves_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_BTREE_BUILD_H_
