#include "lamina/sim/layer_diff.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/fs/list_names.h"
#include "lamina/union/overlay.h"
#include "sim/explain/aufs_files.h"
#include "sim/explain/branch_names.h"

namespace lamina::sim {
namespace {

constexpr std::size_t kPiece = 1U << 16U;

using Listing = std::map<std::string, NodeId, std::less<>>;

// Two directories under one path; `before` is absent when everything below is new.
struct Pair {
  std::string path;  // "" for the root
  std::optional<NodeId> before;
  NodeId result;
};

class TreeComparison {
 public:
  enum class Base : std::uint8_t { kCompare, kLeaveOut };  // entries of AUFS in the roots
  TreeComparison(FileSystem& before, FileSystem& result, Base base)
      : before_(before), result_(result), base_(base) {}

  Result<std::vector<LayerChange>> Run(NodeId before, NodeId result) {
    pending_.push_back({"", before, result});
    while (!pending_.empty()) {
      const Pair pair = std::move(pending_.back());
      pending_.pop_back();
      if (Result<void> done = CompareDirectory(pair); !done.ok()) return done.error();
    }
    std::vector<LayerChange> changes;
    for (const auto& [path, kind] : found_) changes.push_back({path, kind});
    return changes;
  }

 private:
  OpContext op() const { return {root_, kSimulationStart, Probe()}; }

  Result<Listing> List(FileSystem& fs, NodeId dir) const {
    Result<std::vector<std::string>> names = ListNames(op(), fs, dir);
    if (!names.ok()) return names.error();
    Listing listing;
    for (std::string& name : *names) {
      const Result<NodeId> node = fs.Lookup(op(), {dir, name});
      if (!node.ok()) return node.error();
      listing.emplace(std::move(name), *node);
    }
    return listing;
  }

  // A change below changes the directories above.
  void Record(const std::string& path, ChangeKind kind) {
    found_.emplace(path, kind);
    for (std::size_t slash = path.rfind('/'); slash != 0; slash = path.rfind('/', slash - 1)) {
      if (!found_.emplace(path.substr(0, slash), ChangeKind::kModify).second) break;
    }
  }

  Result<void> CompareDirectory(const Pair& pair) {
    Listing before;
    if (pair.before) {
      Result<Listing> listed = List(before_, *pair.before);
      if (!listed.ok()) return listed.error();
      before = *std::move(listed);
    }
    Result<Listing> result = List(result_, pair.result);
    if (!result.ok()) return result.error();
    if (base_ == Base::kLeaveOut && pair.path.empty()) {
      for (const std::string_view name :
           {internal::kBaseFile, internal::kPseudoLinks, internal::kOrphans}) {
        before.erase(before.lower_bound(name), before.upper_bound(name));
        result->erase(result->lower_bound(name), result->upper_bound(name));
      }
    }
    for (const auto& [name, node] : before) {
      if (!result->contains(name)) Record(pair.path + '/' + name, ChangeKind::kDelete);
    }
    for (const auto& [name, node] : *result) {
      Pair child{pair.path + '/' + name, std::nullopt, node};
      const auto old = before.find(name);
      if (old != before.end()) child.before = old->second;
      if (Result<void> done = CompareName(std::move(child)); !done.ok()) return done;
    }
    return {};
  }

  Result<void> CompareName(Pair pair) {
    const Result<Stat> result = result_.GetAttr(op(), pair.result);
    if (!result.ok()) return result.error();
    const bool directory = result->type == FileType::kDirectory;
    if (!pair.before) {
      Record(pair.path, ChangeKind::kAdd);
      if (directory) pending_.push_back(std::move(pair));
      return {};
    }
    const Result<Stat> before = before_.GetAttr(op(), *pair.before);
    if (!before.ok()) return before.error();
    const Result<bool> same = Same(*before, *result);
    if (!same.ok()) return same.error();
    if (!*same) Record(pair.path, ChangeKind::kModify);
    if (!directory) return {};
    if (before->type != FileType::kDirectory) pair.before.reset();
    pending_.push_back(std::move(pair));
    return {};
  }

  Result<bool> Same(const Stat& before, const Stat& result) const {
    if (before.type != result.type || before.mode != result.mode || before.uid != result.uid ||
        before.gid != result.gid || before.rdev != result.rdev) {
      return false;
    }
    const Result<bool> xattrs = SameXattrs(before.node, result.node);
    if (!xattrs.ok() || !*xattrs) return xattrs;
    if (result.type == FileType::kSymlink) {
      const Result<std::string> old_target = before_.ReadLink(op(), before.node);
      if (!old_target.ok()) return old_target.error();
      const Result<std::string> new_target = result_.ReadLink(op(), result.node);
      if (!new_target.ok()) return new_target.error();
      return *old_target == *new_target;
    }
    if (result.type != FileType::kRegular) return true;
    if (before.size_bytes != result.size_bytes) return false;
    return SameContent(before, result);
  }

  Result<bool> SameXattrs(NodeId before, NodeId result) const {
    Result<std::vector<std::string>> old_keys = before_.ListXattr(op(), before);
    if (!old_keys.ok()) return old_keys.error();
    Result<std::vector<std::string>> new_keys = result_.ListXattr(op(), result);
    if (!new_keys.ok()) return new_keys.error();
    // Each file system lists them in an order of its own.
    std::sort(old_keys->begin(), old_keys->end());
    std::sort(new_keys->begin(), new_keys->end());
    if (*old_keys != *new_keys) return false;
    for (const std::string& key : *new_keys) {
      const Result<std::string> old_value = before_.GetXattr(op(), before, key);
      if (!old_value.ok()) return old_value.error();
      const Result<std::string> new_value = result_.GetXattr(op(), result, key);
      if (!new_value.ok()) return new_value.error();
      if (*old_value != *new_value) return false;
    }
    return true;
  }

  Result<bool> SameContent(const Stat& before, const Stat& result) const {
    const Result<HandleId> old_file = before_.Open(op(), before.node, {});
    if (!old_file.ok()) return old_file.error();
    const Result<HandleId> new_file = result_.Open(op(), result.node, {});
    Result<bool> same = true;
    if (!new_file.ok()) same = new_file.error();
    std::vector<std::byte> old_piece(kPiece);
    std::vector<std::byte> new_piece(kPiece);
    for (std::uint64_t at = 0; same.ok() && *same && at < result.size_bytes; at += kPiece) {
      const Result<std::size_t> old_count = before_.Read(op(), *old_file, at, old_piece);
      const Result<std::size_t> new_count = result_.Read(op(), *new_file, at, new_piece);
      if (!old_count.ok()) {
        same = old_count.error();
      } else if (!new_count.ok()) {
        same = new_count.error();
      } else {
        same = *old_count == *new_count &&
               std::equal(old_piece.begin(), old_piece.begin() + static_cast<long>(*old_count),
                          new_piece.begin());
      }
    }
    before_.Close(*old_file);
    if (new_file.ok()) result_.Close(*new_file);
    return same;
  }

  FileSystem& before_;
  FileSystem& result_;
  const Base base_;
  Credentials root_ = RootCredentials();
  std::vector<Pair> pending_;
  std::map<std::string, ChangeKind> found_;
};

const ScenarioLayer* FindLayer(const ScenarioRun& run, std::string_view name) {
  for (const ScenarioLayer* layer : run.layers()) {
    if (layer->name == name) return layer;
  }
  return nullptr;
}

absl::Status NoSuchLayer(std::string_view name) {
  return absl::NotFoundError(absl::StrFormat("there is no layer '%s' here", name));
}

absl::StatusOr<std::vector<LayerChange>> WithStatus(Result<std::vector<LayerChange>> changes,
                                                    std::string_view name) {
  if (changes.ok()) return *std::move(changes);
  return absl::InternalError(
      absl::StrFormat("layer %s cannot be compared: %s", name, ErrnoName(changes.error())));
}

// `layer` as the upper over `below`.
Result<std::vector<LayerChange>> ChangesAsUpper(const ScenarioLayer& layer,
                                                const DirectoryRef& directory,
                                                std::vector<DirectoryRef> below,
                                                const OverlayOptions& mounted) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  MemFs floor;
  if (below.empty()) below.push_back({.fs = &floor, .node = floor.root(), .ancestors = {}});
  NewNode work;
  work.type = FileType::kDirectory;
  const Result<NodeId> made =
      layer.fs->Create(op, {layer.fs->root(), layer.name + ".compared"}, work);
  if (!made.ok()) return made.error();
  OverlayMount mount;
  mount.lowers = std::move(below);
  mount.upper = directory;
  mount.work = DirectoryRef{.fs = layer.fs, .node = *made, .ancestors = {layer.fs->root()}};
  mount.options.userxattr = mounted.userxattr;
  mount.options.redirect_dir = mounted.redirect_dir;
  mount.options.metacopy = mounted.metacopy;
  Result<std::unique_ptr<UnionFs>> fs = MountOverlay(op, mount);
  if (!fs.ok()) return fs.error();
  return ChangesOf(**fs, mount.options);
}

}  // namespace

std::optional<std::string> WritableLayer(const ScenarioMount& mount) {
  if (!internal::IsAufs(mount)) return mount.upper_name;
  for (const Branch& branch : mount.fs->branches()) {
    if (branch.mode == BranchMode::kReadWrite) return branch.name;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<LayerChange>> ChangesOfLayer(const ScenarioRun& run,
                                                        std::string_view name) {
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) return absl::FailedPreconditionError("nothing is mounted");
  if (internal::IsAufs(*mount)) {
    const std::vector<Branch>& branches = mount->fs->branches();
    for (std::size_t i = 0; i < branches.size(); ++i) {
      if (branches[i].name != name) continue;
      return WithStatus(ChangesOfAufsBranch(*mount->fs, static_cast<BranchIndex>(i)), name);
    }
    return NoSuchLayer(name);
  }
  if (mount->upper_name && *mount->upper_name == name) {
    return WithStatus(ChangesOf(*mount->fs, mount->setup.options), name);
  }
  const auto found = std::find(mount->lower_names.begin(), mount->lower_names.end(), name);
  if (found == mount->lower_names.end()) return NoSuchLayer(name);
  const ScenarioLayer* layer = FindLayer(run, name);
  if (layer == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat("%s is a mount, not a layer", name));
  }
  const auto index = found - mount->lower_names.begin();
  const std::vector<DirectoryRef>& lowers = mount->setup.lowers;
  return WithStatus(
      ChangesAsUpper(*layer, lowers[static_cast<std::size_t>(index)],
                     {lowers.begin() + index + 1, lowers.end()}, mount->setup.options),
      name);
}

Result<std::vector<LayerChange>> CompareTrees(FileSystem& before, NodeId before_root,
                                              FileSystem& result, NodeId result_root) {
  return TreeComparison(before, result, TreeComparison::Base::kCompare)
      .Run(before_root, result_root);
}

absl::StatusOr<std::vector<LayerChange>> CompareLayers(const ScenarioRun& run,
                                                       std::string_view before,
                                                       std::string_view result) {
  const ScenarioLayer* first = FindLayer(run, before);
  if (first == nullptr) return NoSuchLayer(before);
  const ScenarioLayer* second = FindLayer(run, result);
  if (second == nullptr) return NoSuchLayer(result);
  const bool aufs = run.mount() != nullptr && internal::IsAufs(*run.mount());
  const auto base = aufs ? TreeComparison::Base::kLeaveOut : TreeComparison::Base::kCompare;
  return WithStatus(TreeComparison(*first->fs, *second->fs, base).Run(first->root, second->root),
                    result);
}

}  // namespace lamina::sim
