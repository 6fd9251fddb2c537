// Mounting: option strings to overlay mounts, stacks of mounts on one point, and the checks for
// options that are not modelled. The only file of the scenario runner that knows the union.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/fs/walk.h"
#include "lamina/union/aufs.h"
#include "sim/scenario/mounts.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

constexpr std::size_t kMaxMountText = 4095;

bool IsNameByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':' || c == '.';
}

}  // namespace

MountText MakeMountText(const std::string& lead, std::string_view options) {
  MountText out;
  out.text = lead;
  while (!options.empty()) {
    const std::size_t comma = options.find(',');
    const std::string_view option = options.substr(0, comma);
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
    if (option == "ro") {
      out.read_only = true;
    } else if (option == "nodev") {
      out.no_device_open = true;
    } else if (!option.empty() && option != "rw" && option != "nosuid" && option != "noatime") {
      if (!out.text.empty()) out.text += ',';
      out.text += option;
    }
  }
  return out;
}

absl::StatusOr<std::string> ReplaceLayerMarks(
    std::string_view text,
    absl::FunctionRef<absl::StatusOr<std::string>(const std::string&)> path_of) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = 1;
    while (text.front() == '@' && end < text.size() && IsNameByte(text[end])) ++end;
    if (end == 1 || end >= text.size() || text[end] != '@') {
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    std::string name(text.substr(1, end - 1));
    const bool work = name.ends_with(".work") && name.size() > 5;
    if (work) name.resize(name.size() - 5);
    const absl::StatusOr<std::string> path = path_of(name);
    if (!path.ok()) return path.status();
    out += *path + (work ? ".work" : "");
    text.remove_prefix(end + 1);
  }
  return out;
}

absl::StatusOr<std::string> World::PathOf(const std::string& stack_name) {
  if (stack_name.starts_with("mnt:")) {
    return absl::StrFormat("%s/%s", kBasePath, stack_name.substr(4));
  }
  const LayerRecord* layer = FindLayer(stack_name);
  if (layer == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat("unknown layer '%s'", stack_name));
  }
  return layer->shown.path;
}

// `path` in the tree of the world: below fs_F in that file system, below a mount point in its
// topmost mount, otherwise in the file system that holds the mount points.
Result<DirectoryRef> World::ResolveDirectory(std::string_view path,
                                             std::vector<std::shared_ptr<MountedTree>>& below) {
  if (!path.starts_with(kBasePath)) return Errno::kNoEnt;
  path.remove_prefix(kBasePath.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view first = path.substr(0, slash);
  std::string rest(path.substr(slash));
  if (rest.empty()) rest = "/";
  FileSystem* fs = nullptr;
  for (const std::unique_ptr<FsRecord>& record : file_systems) {
    if (first == "fs_" + record->name) fs = record->fs.get();
  }
  if (MountRecord* mount = FindMount(first); mount != nullptr) {
    fs = &mount->tree->root_fs();
    below.push_back(mount->tree);
  }
  if (fs == nullptr) {
    fs = &base_;
    rest = '/' + std::string(path);
  }
  const Credentials root = RootCredentials();
  const OpContext op{root, clock.now(), Probe()};
  const WalkStart start{fs, fs->root(), {}};
  Result<WalkResult> walked = Walk(op, start, rest, LastLink::kFollow);
  if (!walked.ok()) return walked.error();
  if (!walked->stat) return walked->missing;
  DirectoryRef directory{fs, walked->stat->node, std::move(walked->chain)};
  if (!directory.ancestors.empty() && directory.ancestors.back() == directory.node) {
    directory.ancestors.pop_back();
  }
  return directory;
}

Result<OverlayMount> World::ResolveMount(const MountText& text, MountedTree& tree) {
  const Result<OverlayMountText> parsed = ParseOverlayMountText(text.text);
  if (!parsed.ok()) return parsed.error();
  OverlayMount mount;
  mount.options = parsed->options;
  mount.read_only = text.read_only || parsed->read_only;
  for (const std::string& path : parsed->lowers) {
    Result<DirectoryRef> directory = ResolveDirectory(path, tree.below);
    if (!directory.ok()) return directory.error();
    mount.lowers.push_back(*std::move(directory));
  }
  for (const std::string& path : parsed->data_only) {
    Result<DirectoryRef> directory = ResolveDirectory(path, tree.below);
    if (!directory.ok()) return directory.error();
    mount.data_only.push_back(*std::move(directory));
  }
  if (parsed->upper) {
    Result<DirectoryRef> directory = ResolveDirectory(*parsed->upper, tree.below);
    if (!directory.ok()) return directory.error();
    mount.upper = *std::move(directory);
  }
  if (parsed->work) {
    Result<DirectoryRef> directory = ResolveDirectory(*parsed->work, tree.below);
    if (!directory.ok()) return directory.error();
    mount.work = *std::move(directory);
  }
  return mount;
}

bool World::InUse(const DirectoryRef& directory) {
  std::erase_if(trees_, [](const std::weak_ptr<MountedTree>& tree) { return tree.expired(); });
  for (const std::weak_ptr<MountedTree>& weak : trees_) {
    const std::shared_ptr<MountedTree> tree = weak.lock();
    for (const auto& [fs, node] : tree->owned) {
      if (fs == directory.fs && node == directory.node) return true;
    }
  }
  return false;
}

// ovl: an upper or work directory of another mount is refused with index=on, else only warned
// about (ovl_report_in_use); a lower that is one as well.
Result<void> World::Occupy(const OverlayMount& mount, MountedTree& tree) {
  bool in_use = false;
  for (const std::optional<DirectoryRef>& directory : {mount.upper, mount.work}) {
    if (!directory) continue;
    if (InUse(*directory)) {
      in_use = true;
    } else {
      tree.owned.emplace_back(directory->fs, directory->node);
    }
  }
  for (const DirectoryRef& lower : mount.lowers) in_use = in_use || InUse(lower);
  if (in_use && OverlayWantsIndex(mount)) return Errno::kBusy;
  return {};
}

void World::BeginEpoch() {
  classes.BeginEpoch();
  for (const std::unique_ptr<MountRecord>& mount : mounts) {
    MountRecord* top = FindMount(mount->shown.point);
    if (top != mount.get()) continue;
    const Result<Stat> root = AsRoot(*top->process).GetStat("/", LastLink::kKeep);
    if (root.ok()) classes.NameInEpoch(root->dev, "mnt:" + top->shown.point);
  }
}

Result<std::unique_ptr<UnionFs>> World::MountOverlayText(const MountText& text, MountedTree& tree,
                                                         OverlayMount& setup) {
  Result<OverlayMount> resolved = ResolveMount(text, tree);
  if (!resolved.ok()) return resolved.error();
  setup = *std::move(resolved);
  if (const Result<void> free = Occupy(setup, tree); !free.ok()) return free.error();
  clock.Advance(Duration{1000});
  const Credentials root = RootCredentials();
  return MountOverlay(OpContext{root, clock.now(), Probe()}, setup);
}

Result<DirectoryRef> World::ResolveBranch(std::string_view path, MountedTree& tree) {
  Result<DirectoryRef> directory = ResolveDirectory(path, tree.below);
  if (!directory.ok()) return directory;
  directory->name = std::string(path);
  for (const auto& layer : layers) {
    if (layer->shown.path == path) directory->name = layer->shown.name;
  }
  return directory;
}

Result<std::unique_ptr<UnionFs>> World::MountAufsText(const MountText& text, MountedTree& tree) {
  clock.Advance(Duration{1000});
  const Credentials root = RootCredentials();
  const std::string with_flags = text.text + (text.read_only ? ",ro" : "");
  return MountAufs(OpContext{root, clock.now(), Probe()}, with_flags,
                   [&](std::string_view path) { return ResolveBranch(path, tree); });
}

void World::ShowBranches(const UnionFs& fs) {
  branches.emplace();
  upper.reset();
  for (const Branch& branch : fs.branches()) {
    if (branch.mode == BranchMode::kReadWrite) branches->push_back(branch.name);
  }
  if (!branches->empty()) upper = branches->front();
}

Outcome World::Remount(const std::string& point, std::string_view text) {
  MountRecord* top = FindMount(point);
  if (top == nullptr || top->tree->fs == nullptr) return Errno::kInval;
  clock.Advance(Duration{1000});
  const Credentials root = RootCredentials();
  UnionFs& fs = *top->tree->fs;
  const Result<void> done =
      RemountAufs(OpContext{root, clock.now(), Probe()}, fs, text,
                  [&](std::string_view path) { return ResolveBranch(path, *top->tree); });
  if (fs.dialect_name() == "aufs") ShowBranches(fs);
  return done;
}

Outcome World::Sleep(Duration duration) {
  clock.Advance(duration);
  const Credentials root = RootCredentials();
  counter.open = true;  // commits of pools
  const Result<void> pumped =
      devices.RunUntil(OpContext{root, clock.now(), Probe(&counter)}, clock.now());
  counter.open = false;
  if (!pumped.ok()) return pumped;
  for (const std::unique_ptr<MountRecord>& mount : mounts) {
    const OpContext op{root, clock.now(), Probe()};
    const Result<void> done = mount->tree->fs != nullptr
                                  ? mount->tree->fs->RunUntil(op, clock.now())
                                  : mount->tree->ext->RunUntil(op, clock.now());
    if (!done.ok()) return done;
  }
  return std::string("OK");
}

Outcome World::Mount(const std::string& point, const MountText& text, const ScenarioMount& names) {
  target_ = TargetKind::kNone;
  const std::unique_ptr<Process> base = ProcessAt(base_, base_.root());
  const Result<void> made = base->Mkdir('/' + point, 0755);
  if (!made.ok() && made.error() != Errno::kExist) return made;
  if (text.text.size() > kMaxMountText) return std::string("DATA-TOO-LONG");

  auto record = std::make_unique<MountRecord>();
  record->tree = std::make_shared<MountedTree>();
  OverlayMount setup;
  Result<std::unique_ptr<UnionFs>> fs =
      aufs ? MountAufsText(text, *record->tree) : MountOverlayText(text, *record->tree, setup);
  if (!fs.ok()) return fs.error();
  record->tree->fs = *std::move(fs);
  record->shown = names;
  record->shown.setup = std::move(setup);
  AddMount(point, std::move(record), text.no_device_open);
  if (aufs) ShowBranches(*mounts.back()->shown.fs);
  return std::string("OK");
}

void World::AddMount(const std::string& point, std::unique_ptr<MountRecord> record,
                     bool no_device_open) {
  FileSystem& fs = record->tree->root_fs();
  record->process = std::make_unique<Process>(fs, fs.root(),
                                              ProcessOptions{.clock = &clock,
                                                             .sink = &counter,
                                                             .locks = &record->locks,
                                                             .no_device_open = no_device_open});
  record->no_device_open = no_device_open;
  record->shown.point = point;
  record->shown.fs = record->tree->fs.get();
  record->shown.tree = &fs;
  record->shown.process = record->process.get();
  branches.reset();
  trees_.push_back(record->tree);
  mounts.push_back(std::move(record));
  BeginEpoch();
  current_point = point;
  target_ = TargetKind::kMount;
  target_name_ = point;
}

Outcome World::MountDevice(const std::string& device, const std::string& point,
                           std::string_view mount_flags) {
  target_ = TargetKind::kNone;
  DeviceRecord* on = devices.Find(device);
  if (on == nullptr || !on->base.present()) return Errno::kNxIo;
  const auto used = std::find(devices.mounted.begin(), devices.mounted.end(), device);
  if (used != devices.mounted.end()) return Errno::kBusy;
  ExtMountOptions how;
  const std::string flags = absl::StrFormat(",%s,", mount_flags);
  const auto has = [&](std::string_view flag) {
    return flags.find(absl::StrFormat(",%s,", flag)) != std::string::npos;
  };
  if (has("ro")) how.access = ExtAccess::kReadOnly;
  if (has("discard")) how.discard = ExtDiscard::kOn;
  if (has("noatime")) how.atime = ExtAtime::kNever;
  const std::unique_ptr<Process> base = ProcessAt(base_, base_.root());
  const Result<void> made = base->Mkdir('/' + point, 0755);
  if (!made.ok() && made.error() != Errno::kExist) return made;
  counter.open = true;
  ExtOutcome<std::unique_ptr<ExtFs>> mounted = ExtFs::Mount(DeviceCall(), on->front, how);
  counter.open = false;
  if (!mounted.ok()) return mounted.error().code;
  auto record = std::make_unique<MountRecord>();
  record->tree = std::make_shared<MountedTree>();
  record->tree->ext = std::move(*mounted);
  record->shown.device = device;
  devices.mounted.push_back(device);
  upper.reset();
  AddMount(point, std::move(record), has("nodev"));
  return std::string("OK");
}

Outcome World::Unmount(const std::string& point) {
  MountRecord* top = FindMount(point);
  if (top == nullptr) {
    const std::unique_ptr<Process> base = ProcessAt(base_, base_.root());
    const Result<Stat> stat = base->GetStat('/' + point, LastLink::kFollow);
    if (!stat.ok()) return stat.error();
    return Errno::kInval;  // a directory, but nothing is mounted there
  }
  if (top->process->open_count() > 0) return Errno::kBusy;
  // An unmount waits for what was left for later.
  const Credentials root = RootCredentials();
  const OpContext op{root, clock.now(), Probe()};
  const bool is_union = top->tree->fs != nullptr;
  if (!is_union && top->tree.use_count() > 1) return Errno::kBusy;  // a union stands on it
  const Result<void> rest =
      is_union ? top->tree->fs->RunUntil(op, clock.now()) : top->tree->ext->Unmount(DeviceCall());
  if (!rest.ok() && is_union) return rest;
  std::erase(devices.mounted, top->shown.device);
  std::erase_if(mounts, [&](const auto& mount) { return mount.get() == top; });
  BeginEpoch();
  if (target_ == TargetKind::kMount && target_name_ == point) target_ = TargetKind::kNone;
  return std::string("OK");
}

}  // namespace lamina::sim::internal
