// Diff, Changes, ApplyDiff, DiffSize.
#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "vfs/driver/aufs/aufs_driver.h"
#include "vfs/driver/layer_reader.h"
#include "vfs/driver/layer_unpacker.h"
#include "vfs/driver/tree_compare.h"
#include "vfs/driver/tree_files.h"
#include "vfs/driver/tree_walk.h"

namespace lamina::internal {
namespace {

bool IsSameDirectory(const Stat& a, const Stat& b) {
  return a.size_bytes == b.size_bytes && a.mode == b.mode && IsSameTime(a.mtime, b.mtime);
}

// A walk over diff/ID, as Docker's archive.Changes.
class ChangesOfLayer {
 public:
  ChangesOfLayer(const OpContext& op, FileSystem& fs, std::vector<NodeId> ancestors)
      : op_(op), fs_(fs), ancestors_(std::move(ancestors)) {}

  Result<std::vector<LayerChange>> Run(NodeId top) {
    const auto visit = [this](const std::string& path, const Stat& stat) -> Result<WalkOn> {
      const Result<void> looked = Look(path, stat);
      return looked.ok() ? Result<WalkOn>(WalkOn::kInto) : looked.error();
    };
    const Result<void> walked = WalkTree(op_, fs_, top, visit);
    if (!walked.ok()) return walked.error();
    return std::move(changes_);
  }

 private:
  Result<void> Look(const std::string& path, const Stat& stat) {
    const bool at_root = ParentPath(path) == "/";
    const std::string_view name = LastName(path);
    // Of private directories only the name is passed over, not what is in them.
    if (at_root && name.starts_with(kLayerPrivate)) return {};
    if (name.starts_with(kLayerWhiteout)) {
      // An opaque mark counts as a deletion of .wh..opq.
      Report(path, stat, {HiddenPath(path), ChangeKind::kDelete});
      return {};
    }
    const Result<std::optional<Stat>> below = FindBelow(path);
    if (!below.ok()) return below.error();
    if (!below->has_value()) {
      Report(path, stat, {path, ChangeKind::kAdd});
      return {};
    }
    const Stat& old = **below;
    const bool are_directories =
        stat.type == FileType::kDirectory && old.type == FileType::kDirectory;
    if (are_directories && IsSameDirectory(stat, old)) return {};
    Report(path, stat, {path, ChangeKind::kModify});
    return {};
  }

  // The nearest ancestor that has the name; whiteouts on the way do not count.
  Result<std::optional<Stat>> FindBelow(const std::string& path) {
    for (const NodeId ancestor : ancestors_) {
      const Result<Stat> stat = StatBelow(op_, fs_, ancestor, path);
      if (stat.ok()) return std::optional<Stat>(*stat);
      const bool is_missing = stat.error() == Errno::kNoEnt || stat.error() == Errno::kNotDir;
      if (!is_missing) return stat.error();
    }
    return std::optional<Stat>();
  }

  void Report(const std::string& path, const Stat& stat, LayerChange change) {
    if (stat.type == FileType::kDirectory) listed_directories_.insert(path);
    if (change.kind != ChangeKind::kModify) {
      const std::string parent(ParentPath(path));
      if (parent != "/" && listed_directories_.insert(parent).second) {
        changes_.push_back({parent, ChangeKind::kModify});
      }
    }
    changes_.push_back(std::move(change));
  }

  const OpContext& op_;
  FileSystem& fs_;
  const std::vector<NodeId> ancestors_;  // their diff directories, nearest first
  absl::flat_hash_set<std::string> listed_directories_;
  std::vector<LayerChange> changes_;
};

}  // namespace

bool AufsDriver::IsParent(const OpContext& op, const LayerId& id, const LayerId* parent) const {
  const Result<std::vector<LayerId>> ancestors = books_.Ancestors(op, id);
  if (!ancestors.ok() || ancestors->empty()) return true;
  return parent != nullptr && *parent == ancestors->front();
}

Result<ChangeSet> AufsDriver::Diff(const OpContext& caller, const LayerId& id,
                                   const LayerId* parent) {
  const OpContext op = AsDaemon(caller);
  if (!IsParent(op, id, parent)) return naive_.Diff(op, id, parent);
  const Result<NodeId> top = books_.Directory(op, Folder::kDiff, id);
  if (!top.ok()) return top.error();
  return ReadLayer(op, home_, *top, PrivateNames::kLeaveOut, voice_);
}

Result<std::vector<LayerChange>> AufsDriver::Changes(const OpContext& caller, const LayerId& id,
                                                     const LayerId* parent) {
  const OpContext op = AsDaemon(caller);
  if (!IsParent(op, id, parent)) return naive_.Changes(op, id, parent);
  const Result<std::vector<LayerId>> ancestors = books_.Ancestors(op, id);
  if (!ancestors.ok()) return ancestors.error();
  const Result<NodeId> top = books_.Directory(op, Folder::kDiff, id);
  if (!top.ok()) return top.error();
  std::vector<NodeId> directories;
  for (const LayerId& each : *ancestors) {
    // An ancestor that was removed holds nothing.
    const Result<NodeId> directory = books_.Directory(op, Folder::kDiff, each);
    if (directory.ok()) directories.push_back(*directory);
  }
  return ChangesOfLayer(op, home_, std::move(directories)).Run(*top);
}

Result<std::uint64_t> AufsDriver::ApplyDiff(const OpContext& caller, const LayerId& id,
                                            const LayerId* parent, const ChangeSet& changes) {
  const OpContext op = AsDaemon(caller);
  if (!IsParent(op, id, parent)) return naive_.ApplyDiff(op, id, changes);
  const Result<NodeId> top = books_.Directory(op, Folder::kDiff, id);
  if (!top.ok()) return top.error();
  LayerUnpacker unpacker(op, home_, *top, MarkHandling::kLiteral, voice_);
  const Result<void> unpacked = unpacker.Unpack(changes);
  if (!unpacked.ok()) return unpacked.error();
  return SizeOfTree(op, home_, *top);
}

Result<std::uint64_t> AufsDriver::DiffSize(const OpContext& caller, const LayerId& id,
                                           const LayerId* parent) {
  const OpContext op = AsDaemon(caller);
  if (!IsParent(op, id, parent)) return naive_.DiffSize(op, id, parent);
  const Result<NodeId> top = books_.Directory(op, Folder::kDiff, id);
  if (!top.ok()) return top.error();
  return SizeOfTree(op, home_, *top);
}

}  // namespace lamina::internal
