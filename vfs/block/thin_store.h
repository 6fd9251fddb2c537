// ThinMetadata::Store: the trees and space maps behind a ThinMetadata, and the transaction's state.
//
// Threads: one caller at a time. Lifetime: does not own the device.
#ifndef LAMINA_VFS_BLOCK_THIN_STORE_H_
#define LAMINA_VFS_BLOCK_THIN_STORE_H_

#include <cstdint>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/node_hash_map.h"
#include "lamina/block/thin_metadata.h"
#include "vfs/block/btree.h"

namespace lamina {

namespace internal {

// A mapping refers to a data block.
class BlockReferences final : public BtreeValues {
 public:
  explicit BlockReferences(SpaceMap& counts) : counts_(&counts) {}

  Result<void> Inc(const OpContext& op, const std::byte* value) override;
  Result<void> Dec(const OpContext& op, const std::byte* value) override;

  // While a mapping is replaced by one to the same block, the block keeps its reference.
  void Keep(std::uint64_t data_block) { kept_ = data_block; }
  void KeepNothing() { kept_ = kMaxThinDataBlocks; }

 private:
  SpaceMap* counts_;
  std::uint64_t kept_ = kMaxThinDataBlocks;
};

// An entry of the upper tree refers to a device's tree.
class TreeReferences final : public BtreeValues {
 public:
  TreeReferences(ShadowStore& shadows, Btree& tree) : shadows_(&shadows), tree_(&tree) {}

  Result<void> Inc(const OpContext& op, const std::byte* value) override {
    return shadows_->Inc(op, LoadLe<BlockNumber>(value));
  }
  Result<void> Dec(const OpContext& op, const std::byte* value) override {
    return tree_->Release(op, LoadLe<BlockNumber>(value));
  }

 private:
  ShadowStore* shadows_;
  Btree* tree_;
};

}  // namespace internal

class ThinMetadata::Store {
 public:
  // A device that was asked for.
  struct Device {
    ThinDetails details;             // newer than the tree's when `changed`
    internal::BlockNumber root = 0;  // of its tree
    bool changed = false;            // in this transaction
  };

  explicit Store(BlockDevice& metadata)
      : device(&metadata),
        shadows(metadata),
        data(shadows, internal::IndexForm::kTree),
        data_references(data),
        mappings(shadows, sizeof(std::uint64_t), &data_references),
        tree_references(shadows, mappings),
        roots(shadows, sizeof(std::uint64_t), &tree_references),
        details(shadows, internal::kDetailsBytes) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Reads the superblock and what hangs from it directly.
  Result<void> Load(const OpContext& op);
  Result<void> FormatEmpty(const OpContext& op, std::uint64_t block_sectors,
                           std::uint64_t nr_data_blocks);
  Result<void> WriteCommit(const OpContext& op);

  // Errors: kIo  the transaction is half done, or an Abort failed.
  Result<void> CheckUsable() const;
  // Errors: kIo  an Abort failed.
  Result<void> CheckReadable() const;
  // Every change begins with BeginChange and ends with EndChange; what fails between leaves the
  // transaction half done.
  void BeginChange() { changed = true; }
  template <typename T>
  Result<T> EndChange(Result<T> result) {
    if (!result.ok()) half_done = true;
    return result;
  }

  // Errors: kNoData  no such device.
  Result<Device*> FindDevice(const OpContext& op, ThinId id);
  Result<void> CheckNewId(const OpContext& op, ThinId id);
  void MarkChanged(ThinId id, Device& state);
  Result<void> AddDevice(const OpContext& op, ThinId id, const Device& added);
  // The place of the device's root in the upper tree, which is this transaction's from now on.
  Result<std::byte*> EditRoot(const OpContext& op, ThinId id);
  Result<void> InsertMapping(const OpContext& op, ThinId id, Device& device,
                             std::uint64_t virtual_block, const ThinMapping& mapping);
  Result<internal::Superblock> ReadHeld(const OpContext& op, internal::BlockNumber number);

  BlockDevice* device;
  internal::ShadowStore shadows;
  internal::SpaceMap data;
  internal::BlockReferences data_references;
  internal::Btree mappings;
  internal::TreeReferences tree_references;
  internal::Btree roots;
  internal::Btree details;

  internal::Superblock committed;
  internal::Superblock current;
  absl::node_hash_map<ThinId, Device> devices;  // a Device stays where it is
  std::vector<ThinId> changed_devices;          // one that was deleted may be among them
  absl::btree_set<ThinId> aborted;
  CommitHook hook;
  bool changed = false;
  bool half_done = false;
  bool dead = false;
  // The superblock was written and the flush behind it failed: what a read gives may yet be lost.
  bool superblock_in_doubt = false;
};

}  // namespace lamina
#endif  // LAMINA_VFS_BLOCK_THIN_STORE_H_
