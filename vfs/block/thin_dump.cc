// ReadThinDump: the last commit of a pool as a value.
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "vfs/block/thin_dumper.h"

namespace lamina {

using internal::BlockNumber;
using internal::Btree;
using internal::BtreeCursor;
using internal::BtreeNode;
using internal::LoadLe;

namespace {

// A subtree with so few runs keeps them: many devices share it and every one asks again. A subtree
// with more runs is paid for by the runs themselves, which are limited.
constexpr std::size_t kMaxKeptRuns = 8;

using Runs = std::vector<ThinRun>;

// Adds a run, as part of the last one when it continues it.
void AddRun(const ThinRun& run, Runs& runs) {
  if (!runs.empty()) {
    ThinRun& last = runs.back();
    const bool continues = last.origin_begin + last.length == run.origin_begin &&
                           last.data_begin + last.length == run.data_begin && last.time == run.time;
    if (continues) {
      last.length += run.length;
      return;
    }
  }
  runs.push_back(run);
}

// Gathers the runs of device trees.
class RunReader {
 public:
  explicit RunReader(Btree& tree) : tree_(&tree) {}

  // Errors: kFBig  more than `most` runs.
  Result<Runs> Read(const OpContext& op, BlockNumber root, std::uint64_t most) {
    Runs runs;
    most_ = most;
    const Result<const internal::MetadataBlock*> block = tree_->ReadRoot(op, root);
    if (!block.ok()) return block.error();
    if (Result<void> read = ReadNode(op, **block, 0, runs); !read.ok()) return read.error();
    return runs;
  }

 private:
  // Recursion: at most kMaxBtreeHeight deep.
  Result<void> ReadNode(const OpContext& op, const internal::MetadataBlock& block,
                        std::size_t depth, Runs& into) {
    const auto kept = kept_.find(block.number);
    if (kept != kept_.end()) {
      for (const ThinRun& run : kept->second) {
        if (Result<void> added = Append(run, into); !added.ok()) return added;
      }
      return {};
    }
    if (depth == internal::kMaxBtreeHeight) return Errno::kBadMsg;
    Runs own;
    const BtreeNode node(block.bytes);
    for (std::uint32_t i = 0; i < node.size(); ++i) {
      Result<void> read;
      if (node.is_leaf()) {
        const ThinMapping mapping = internal::UnpackMapping(LoadLe<std::uint64_t>(node.value(i)));
        read = Append({node.key(i), mapping.data_block, 1, mapping.time}, own);
      } else {
        const Result<const internal::MetadataBlock*> child = tree_->ReadChild(op, node, i);
        if (!child.ok()) return child.error();
        read = ReadNode(op, **child, depth + 1, own);
      }
      if (!read.ok()) return read;
    }
    for (const ThinRun& run : own) {
      if (Result<void> added = Append(run, into); !added.ok()) return added;
    }
    if (own.size() <= kMaxKeptRuns) kept_.emplace(block.number, std::move(own));
    return {};
  }

  Result<void> Append(const ThinRun& run, Runs& runs) {
    // A damaged tree may name a leaf again: keys would not go on ascending.
    if (!runs.empty()) {
      const ThinRun& last = runs.back();
      if (run.origin_begin <= last.origin_begin + (last.length - 1)) return Errno::kBadMsg;
    }
    AddRun(run, runs);
    if (runs.size() > most_) return Errno::kFBig;
    return {};
  }

  Btree* tree_;
  std::uint64_t most_ = 0;
  absl::flat_hash_map<BlockNumber, Runs> kept_;
};

ThinDump FieldsOf(const internal::Superblock& committed) {
  ThinDump dump;
  dump.uuid = internal::UuidText(committed);
  dump.time = committed.time;
  dump.transaction = committed.transaction_id;
  dump.flags = committed.flags;
  dump.version = committed.version;
  dump.data_block_size = committed.data_block_sectors;
  dump.nr_data_blocks = committed.data.nr_blocks;
  if (committed.held_root != 0) dump.metadata_snap = committed.held_root;
  return dump;
}

ThinDumpDevice DeviceOf(std::uint64_t id, const ThinDetails& details) {
  return {.dev_id = id,
          .mapped_blocks = details.mapped_blocks,
          .transaction = details.transaction_id,
          .creation_time = details.creation_time,
          .snap_time = details.snapshotted_time,
          .runs = {}};
}

}  // namespace

Result<ThinDump> ThinDumper::Read(const OpContext& op, ThinMetadata& metadata) {
  Store& store = *metadata.store_;
  if (Result<void> readable = store.CheckReadable(); !readable.ok()) return readable.error();
  ThinDump dump = FieldsOf(store.committed);
  RunReader reader(store.mappings);
  std::uint64_t left = kMaxThinDumpRuns;
  BtreeCursor cursor(store.details, store.committed.details_root);
  Result<void> moved = cursor.Seek(op, 0);
  while (moved.ok() && cursor.valid()) {
    ThinDumpDevice device = DeviceOf(cursor.key(), internal::LoadDetails(cursor.value()));
    const Result<const std::byte*> root =
        store.roots.Find(op, store.committed.mapping_root, cursor.key());
    if (!root.ok()) return root.error();
    if (*root == nullptr) return Errno::kBadMsg;
    Result<Runs> runs = reader.Read(op, LoadLe<BlockNumber>(*root), left);
    if (!runs.ok()) return runs.error();
    device.runs = std::move(*runs);
    left -= device.runs.size();
    dump.devices.push_back(std::move(device));
    moved = cursor.Next(op);
  }
  if (!moved.ok()) return moved.error();
  return dump;
}

Result<ThinDump> ReadThinDump(const OpContext& op, ThinMetadata& metadata) {
  return ThinDumper::Read(op, metadata);
}

}  // namespace lamina
