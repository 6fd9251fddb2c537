#include "vfs/driver/naive_diff.h"

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "vfs/driver/layer_reader.h"
#include "vfs/driver/layer_unpacker.h"
#include "vfs/driver/tree_compare.h"
#include "vfs/driver/tree_files.h"

namespace lamina::internal {
namespace {

LayerEntry WhiteoutOf(const OpContext& op, const LayerChange& change) {
  LayerEntry entry;
  entry.path = change.path;
  entry.path.insert(entry.path.rfind('/') + 1, kLayerWhiteout);
  entry.mtime = op.now;
  return entry;
}

}  // namespace

Result<std::vector<LayerChange>> NaiveDiff::Compare(const OpContext& op, const Mount& layer,
                                                    const LayerId* parent) {
  const TreeRoot after{&layer.fs(), layer.root()};
  if (parent == nullptr) return CompareTrees(op, {}, after);
  const Result<Mount> below = driver_.Get(op, *parent);
  if (!below.ok()) return below.error();
  return CompareTrees(op, {&below->fs(), below->root()}, after);
}

Result<ChangeSet> NaiveDiff::Diff(const OpContext& op, const LayerId& id, const LayerId* parent) {
  const Result<Mount> layer = driver_.Get(op, id);
  if (!layer.ok()) return layer.error();
  FileSystem& fs = layer->fs();
  if (parent == nullptr) return ReadLayer(op, fs, layer->root(), PrivateNames::kTake, voice_);
  const Result<std::vector<LayerChange>> changes = Compare(op, *layer, parent);
  if (!changes.ok()) return changes.error();
  ChangeSet set;
  LayerReader reader(op, fs, voice_, set);
  for (const LayerChange& change : *changes) {
    if (change.kind == ChangeKind::kDelete) {
      set.entries.push_back(WhiteoutOf(op, change));
      continue;
    }
    const Result<Stat> stat = StatBelow(op, fs, layer->root(), change.path);
    if (!stat.ok()) return stat.error();
    if (const Result<void> added = reader.Add(change.path, *stat); !added.ok()) {
      return added.error();
    }
  }
  return set;
}

Result<std::vector<LayerChange>> NaiveDiff::Changes(const OpContext& op, const LayerId& id,
                                                    const LayerId* parent) {
  const Result<Mount> layer = driver_.Get(op, id);
  if (!layer.ok()) return layer.error();
  return Compare(op, *layer, parent);
}

Result<std::uint64_t> NaiveDiff::DiffSize(const OpContext& op, const LayerId& id,
                                          const LayerId* parent) {
  const Result<Mount> layer = driver_.Get(op, id);
  if (!layer.ok()) return layer.error();
  const Result<std::vector<LayerChange>> changes = Compare(op, *layer, parent);
  if (!changes.ok()) return changes.error();
  std::uint64_t bytes = 0;
  absl::flat_hash_set<NodeId> counted;
  for (const LayerChange& change : *changes) {
    if (change.kind == ChangeKind::kDelete) continue;
    const Result<Stat> stat = StatBelow(op, layer->fs(), layer->root(), change.path);
    if (!stat.ok()) return stat.error();
    if (stat->type == FileType::kDirectory) continue;
    if (stat->nlink < 2 || counted.insert(stat->node).second) bytes += stat->size_bytes;
  }
  return bytes;
}

Result<std::uint64_t> NaiveDiff::ApplyDiff(const OpContext& op, const LayerId& id,
                                           const ChangeSet& changes) {
  const Result<Mount> layer = driver_.Get(op, id);
  if (!layer.ok()) return layer.error();
  LayerUnpacker unpacker(op, layer->fs(), layer->root(), MarkHandling::kCarryOut, voice_);
  const Result<void> unpacked = unpacker.Unpack(changes);
  if (!unpacked.ok()) return unpacked.error();
  std::uint64_t bytes = 0;
  for (const LayerEntry& entry : changes.entries) bytes += entry.size_bytes();
  return bytes;
}

}  // namespace lamina::internal
