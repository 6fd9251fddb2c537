#include "lamina/sim/changes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "lamina/fs/list_names.h"
#include "lamina/union/aufs.h"

namespace lamina::sim {
namespace {

using Listing = std::map<std::string, NodeId, std::less<>>;

// A directory that both trees show, or that only the union shows (`lower` is absent then).
struct Pair {
  std::string path;  // "" for the root
  NodeId merged;
  std::optional<NodeId> lower;
};

class ChangeSearch {
 public:
  ChangeSearch(UnionFs& fs, LowerView& lower) : fs_(fs), lower_(lower) {}

  Result<std::vector<LayerChange>> Run() {
    pending_.push_back({"", fs_.root(), lower_.fs->root()});
    while (!pending_.empty()) {
      const Pair pair = std::move(pending_.back());
      pending_.pop_back();
      if (Result<void> done = CompareDirectory(pair); !done.ok()) return done.error();
    }
    std::vector<LayerChange> changes;
    for (auto& [path, kind] : found_) changes.push_back({path, kind});
    return changes;
  }

 private:
  OpContext op() const { return {root_, kSimulationStart, Probe()}; }

  Result<Listing> List(FileSystem& fs, NodeId dir) const {
    const Result<std::vector<std::string>> names = ListNames(op(), fs, dir);
    if (!names.ok()) return names.error();
    Listing listing;
    for (const std::string& name : *names) {
      Result<NodeId> node = fs.Lookup(op(), {dir, name});
      if (node.ok()) listing.emplace(name, *node);
    }
    return listing;
  }

  void Record(const std::string& path, ChangeKind kind) {
    found_.emplace(path, kind);
    for (std::size_t slash = path.rfind('/'); slash != 0; slash = path.rfind('/', slash - 1)) {
      const auto [it, fresh] = found_.emplace(path.substr(0, slash), ChangeKind::kModify);
      if (!fresh) break;
    }
  }

  Result<void> CompareDirectory(const Pair& pair) {
    Result<Listing> shown = List(fs_, pair.merged);
    if (!shown.ok()) return shown.error();
    Listing below;
    if (pair.lower) {
      Result<Listing> listed = List(*lower_.fs, *pair.lower);
      if (!listed.ok()) return listed.error();
      below = *std::move(listed);
    }
    for (const auto& [name, node] : below) {
      if (!shown->contains(name)) Record(pair.path + '/' + name, ChangeKind::kDelete);
    }
    for (const auto& [name, node] : *shown) {
      const auto lower = below.find(name);
      Pair child{pair.path + '/' + name, node, std::nullopt};
      if (lower != below.end()) child.lower = lower->second;
      if (Result<void> done = CompareName(std::move(child)); !done.ok()) return done;
    }
    return {};
  }

  Result<void> CompareName(Pair pair) {
    const Result<Stat> shown = fs_.GetAttr(op(), pair.merged);
    if (!shown.ok()) return shown.error();
    const bool directory = shown->type == FileType::kDirectory;
    if (!pair.lower) {
      Record(pair.path, ChangeKind::kAdd);
      if (directory) pending_.push_back(std::move(pair));
      return {};
    }
    const Result<bool> same = SameObjects(pair);
    if (!same.ok()) return same.error();
    if (*same) return {};
    const Result<Stat> below = lower_.fs->GetAttr(op(), *pair.lower);
    if (!below.ok()) return below.error();
    if (!directory || below->type != FileType::kDirectory) {
      Record(pair.path, ChangeKind::kModify);
      pair.lower.reset();  // of a directory that was none: all its names are new
      if (directory) pending_.push_back(std::move(pair));
      return {};
    }
    const Result<bool> changed = AttributesDiffer(pair, *shown, *below);
    if (!changed.ok()) return changed.error();
    if (*changed) Record(pair.path, ChangeKind::kModify);
    pending_.push_back(std::move(pair));
    return {};
  }

  // Shown from the same objects of read-only branches: then everything below is the same, too.
  Result<bool> SameObjects(const Pair& pair) const {
    auto shown = fs_.BranchNodes(pair.merged);
    if (!shown.ok()) return shown.error();
    auto below = lower_.fs->BranchNodes(*pair.lower);
    if (!below.ok()) return below.error();
    for (auto& [branch, node] : *below) branch = lower_.origins[branch];
    return *shown == *below;
  }

  Result<bool> AttributesDiffer(const Pair& pair, const Stat& shown, const Stat& below) const {
    if (shown.mode != below.mode || shown.uid != below.uid) return true;
    if (shown.gid != below.gid || shown.mtime != below.mtime) return true;
    const auto shown_xattrs = Xattrs(fs_, pair.merged);
    if (!shown_xattrs.ok()) return shown_xattrs.error();
    const auto lower_xattrs = Xattrs(*lower_.fs, *pair.lower);
    if (!lower_xattrs.ok()) return lower_xattrs.error();
    return *shown_xattrs != *lower_xattrs;
  }

  Result<std::vector<std::string>> Xattrs(FileSystem& fs, NodeId node) const {
    Result<std::vector<std::string>> keys = fs.ListXattr(op(), node);
    if (!keys.ok()) return keys;
    std::vector<std::string> all;
    for (const std::string& key : *keys) {
      Result<std::string> value = fs.GetXattr(op(), node, key);
      if (!value.ok()) return value.error();
      all.push_back(key);
      all.push_back(*std::move(value));
    }
    return all;
  }

  Credentials root_ = RootCredentials();
  UnionFs& fs_;
  LowerView& lower_;
  std::vector<Pair> pending_;
  std::map<std::string, ChangeKind> found_;
};

DirectoryRef MakeFloor(LowerView& view) {
  view.floor = std::make_unique<MemFs>();
  view.floor->Freeze();
  return {view.floor.get(), view.floor->root(), {}, ""};
}

Result<std::unique_ptr<UnionFs>> MountOverlayLowers(const OpContext& op, const UnionFs& fs,
                                                    const OverlayOptions& options,
                                                    LowerView& view) {
  OverlayMount mount;
  mount.options = options;
  for (const BranchIndex origin : view.origins) {
    const Branch& branch = fs.branches()[origin];
    auto& branches = branch.data_only ? mount.data_only : mount.lowers;
    branches.push_back({branch.fs, branch.root, {}, branch.name});
  }
  // A mount without a writable branch wants two lowers.
  if (mount.lowers.size() == 1) {
    mount.lowers.push_back(MakeFloor(view));
    view.origins.insert(view.origins.begin() + 1, kNoBranch);
  }
  return MountOverlay(op, mount);
}

// The branches in `view.origins`, none of which is changed.
Result<std::unique_ptr<UnionFs>> MountAufsLowers(const OpContext& op, const UnionFs& fs,
                                                 LowerView& view) {
  AufsMount mount;
  mount.options = AufsOptionsOf(fs);
  mount.options.shwh = false;
  mount.read_only = true;
  for (const BranchIndex origin : view.origins) {
    const Branch& branch = fs.branches()[origin];
    AufsMode mode = AufsModeOf(fs, origin);
    if (mode.writable()) mode = {.permission = AufsPermission::kReadOnly, .whiteouts = true};
    mount.branches.push_back({DirectoryRef{branch.fs, branch.root, {}, branch.name}, mode});
  }
  if (mount.branches.empty()) {
    mount.branches.push_back({MakeFloor(view)});
    view.origins.push_back(kNoBranch);
  }
  return MountAufs(op, mount);
}

// An AUFS union of the branches from one on.
Result<LowerView> MountAufsFrom(const UnionFs& fs, std::size_t first) {
  LowerView view;
  for (std::size_t i = first; i < fs.branches().size(); ++i) {
    view.origins.push_back(static_cast<BranchIndex>(i));
  }
  const Credentials root = RootCredentials();
  Result<std::unique_ptr<UnionFs>> mounted =
      MountAufsLowers(OpContext{root, kSimulationStart, Probe()}, fs, view);
  if (!mounted.ok()) return mounted.error();
  view.fs = *std::move(mounted);
  return view;
}

}  // namespace

Result<LowerView> MountLowerView(const UnionFs& fs, const OverlayOptions& options) {
  LowerView view;
  for (std::size_t i = 0; i < fs.branches().size(); ++i) {
    if (fs.branches()[i].mode == BranchMode::kReadWrite) continue;
    view.origins.push_back(static_cast<BranchIndex>(i));
  }
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Result<std::unique_ptr<UnionFs>> mounted = fs.dialect_name() == "aufs"
                                                 ? MountAufsLowers(op, fs, view)
                                                 : MountOverlayLowers(op, fs, options, view);
  if (!mounted.ok()) return mounted.error();
  view.fs = *std::move(mounted);
  return view;
}

Result<std::vector<LayerChange>> ChangesOf(UnionFs& fs, const OverlayOptions& options) {
  const auto& branches = fs.branches();
  const bool writable = std::any_of(branches.begin(), branches.end(), [](const Branch& branch) {
    return branch.mode == BranchMode::kReadWrite;
  });
  if (!writable) return std::vector<LayerChange>();
  Result<LowerView> lower = MountLowerView(fs, options);
  if (!lower.ok()) return lower.error();
  return ChangeSearch(fs, *lower).Run();
}

Result<std::vector<LayerChange>> ChangesOfAufsBranch(const UnionFs& fs, BranchIndex branch) {
  Result<LowerView> shown = MountAufsFrom(fs, branch);
  if (!shown.ok()) return shown.error();
  Result<LowerView> below = MountAufsFrom(fs, branch + std::size_t{1});
  if (!below.ok()) return below.error();
  // As branches of `shown`.
  for (BranchIndex& origin : below->origins) {
    if (origin != kNoBranch) origin = static_cast<BranchIndex>(origin - branch);
  }
  return ChangeSearch(*shown->fs, *below).Run();
}

}  // namespace lamina::sim
