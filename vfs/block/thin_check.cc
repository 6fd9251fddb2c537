#include "lamina/block/thin_check.h"

#include <cstddef>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "vfs/block/map_census.h"
#include "vfs/block/metadata_blocks.h"
#include "vfs/block/thin_census.h"

namespace lamina {
namespace {

using internal::BlockBytes;
using internal::BlockKind;
using internal::BlockNumber;
using internal::IndexForm;
using internal::LoadLe;
using internal::MapCensus;
using internal::ReferenceCounts;
using internal::Superblock;
using internal::ThinFindings;
using internal::TreeCensus;
using internal::TreeKind;

class ThinChecker {
 public:
  ThinChecker(const OpContext& op, BlockDevice& device, const Superblock& superblock)
      : superblock_(superblock),
        trees_(op, device, superblock.metadata.nr_blocks, findings_),
        data_(trees_, findings_, "data"),
        metadata_(trees_, findings_, "metadata") {
    trees_.set_entry_visitor([this](TreeKind kind, std::uint64_t key, const std::byte* value) {
      return VisitEntry(kind, key, value);
    });
  }

  std::vector<ThinFinding> Check() {
    bool sound = trees_.Name(0, "superblock");
    if (!CheckTrees(superblock_)) sound = false;
    if (superblock_.held_root != 0 && !CheckHeld()) sound = false;
    if (!data_.Gather(superblock_.data, IndexForm::kTree)) sound = false;
    if (!metadata_.Gather(superblock_.metadata, IndexForm::kBlock)) sound = false;
    // What is below a damaged block was not counted, so nothing could be said of counts.
    if (sound) {
      data_.Compare(data_references_);
      metadata_.Compare(trees_.names());
    }
    return findings_.Take();
  }

 private:
  bool CheckTrees(const Superblock& of);
  bool CheckHeld();
  bool VisitEntry(TreeKind kind, std::uint64_t key, const std::byte* value);
  bool VisitMapping(std::uint64_t key, const ThinMapping& mapping);
  void CheckDevices(const Superblock& of);
  void CheckDetails(const Superblock& of, std::uint64_t id, const ThinDetails& details);

  Superblock superblock_;
  ThinFindings findings_;
  TreeCensus trees_;
  MapCensus data_;
  MapCensus metadata_;
  ReferenceCounts data_references_;
};

bool ThinChecker::CheckTrees(const Superblock& of) {
  const bool mapped = trees_.Walk(TreeKind::kDevices, of.mapping_root);
  const bool detailed = trees_.Walk(TreeKind::kDetails, of.details_root);
  if (mapped && detailed) CheckDevices(of);
  return mapped && detailed;
}

bool ThinChecker::CheckHeld() {
  if (!trees_.Name(superblock_.held_root, "held superblock")) return false;
  BlockBytes block;
  if (!trees_.ReadOther(superblock_.held_root, BlockKind::kSuperblock, "held superblock", block)) {
    return false;
  }
  const Result<Superblock> held = internal::DecodeSuperblock(block, superblock_.held_root);
  if (!held.ok()) {
    findings_.Damage(absl::StrCat("block ", superblock_.held_root, ": not a superblock"));
    return false;
  }
  return CheckTrees(*held);
}

bool ThinChecker::VisitEntry(TreeKind kind, std::uint64_t key, const std::byte* value) {
  switch (kind) {
    case TreeKind::kDevices:
      return trees_.Walk(TreeKind::kMappings, LoadLe<BlockNumber>(value));
    case TreeKind::kMappings:
      return VisitMapping(key, internal::UnpackMapping(LoadLe<std::uint64_t>(value)));
    case TreeKind::kDetails:
    case TreeKind::kIndex:
    case TreeKind::kCounts:
      return true;
  }
  return false;
}

bool ThinChecker::VisitMapping(std::uint64_t key, const ThinMapping& mapping) {
  if (mapping.data_block >= superblock_.data.nr_blocks) {
    findings_.Damage(absl::StrCat("virtual block ", key, " is mapped to data block ",
                                  mapping.data_block, ", which does not exist"));
    return false;
  }
  ++data_references_[mapping.data_block];
  if (mapping.time > superblock_.time) {
    findings_.Odd(absl::StrCat("virtual block ", key, " is mapped at time ", mapping.time,
                               ", the pool's is ", superblock_.time));
  }
  return true;
}

void ThinChecker::CheckDevices(const Superblock& of) {
  absl::btree_map<std::uint64_t, std::uint64_t> mapped;  // device: how many blocks
  trees_.ForEachEntry(of.mapping_root, [&](std::uint64_t id, const std::byte* value) {
    const TreeCensus::Subtree* const tree = trees_.Find(LoadLe<BlockNumber>(value));
    mapped[id] = tree == nullptr ? 0 : tree->entries;
  });
  trees_.ForEachEntry(of.details_root, [&](std::uint64_t id, const std::byte* value) {
    const ThinDetails details = internal::LoadDetails(value);
    CheckDetails(of, id, details);
    const auto tree = mapped.find(id);
    if (tree == mapped.end()) {
      findings_.Damage(absl::StrCat("device ", id, " has no tree of mappings"));
      return;
    }
    if (tree->second != details.mapped_blocks) {
      findings_.Damage(absl::StrCat("device ", id, " maps ", tree->second,
                                    " blocks, its details say ", details.mapped_blocks));
    }
    mapped.erase(tree);
  });
  for (const auto& [id, blocks] : mapped) {
    findings_.Damage(absl::StrCat("device ", id, " has mappings but no details"));
  }
}

void ThinChecker::CheckDetails(const Superblock& of, std::uint64_t id, const ThinDetails& details) {
  if (id > kMaxThinId) findings_.Odd(absl::StrCat("device ", id, ": the id is above 2^24-1"));
  if (details.creation_time > of.time || details.snapshotted_time > of.time) {
    findings_.Odd(absl::StrCat("device ", id, ": its times are after the pool's, ", of.time));
  }
  if (details.transaction_id > of.transaction_id) {
    findings_.Odd(
        absl::StrCat("device ", id, ": its transaction is after the pool's, ", of.transaction_id));
  }
}

std::vector<ThinFinding> OneDamage(const char* what) {
  ThinFindings findings;
  findings.Damage(what);
  return findings.Take();
}

}  // namespace

Result<std::vector<ThinFinding>> CheckThinMetadata(const OpContext& op, BlockDevice& metadata) {
  if (metadata.size_sectors() < internal::kSectorsPerBlock) return Errno::kInval;
  BlockBytes block;
  if (Result<void> read = internal::ReadBlock(op, metadata, 0, block); !read.ok()) {
    return read.error();
  }
  const Result<Superblock> superblock = internal::DecodeSuperblock(block, 0);
  if (!superblock.ok()) {
    return OneDamage("the superblock is not one: magic, checksum, place, version or sizes");
  }
  if (superblock->metadata.nr_blocks > metadata.size_sectors() / internal::kSectorsPerBlock) {
    return OneDamage("the superblock names more metadata blocks than the device has");
  }
  if (superblock->data.nr_blocks > kMaxThinDataBlocks) {
    return OneDamage("the superblock names more than 2^40 data blocks");
  }
  return ThinChecker(op, metadata, *superblock).Check();
}

}  // namespace lamina
