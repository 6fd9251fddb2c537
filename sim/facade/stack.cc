#include "lamina/facade/stack.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "sim/facade/aufs_mount.h"
#include "sim/facade/facade_mount.h"

namespace lamina {
namespace {

using internal::FacadeMount;

absl::Status CheckNames(const std::vector<NamedLayer>& layers) {
  if (layers.empty()) return absl::InvalidArgumentError("a stack needs at least one layer");
  std::set<std::string> names = {std::string(internal::kUpperName)};
  for (const NamedLayer& layer : layers) {
    if (layer.name().empty()) return absl::InvalidArgumentError("a layer needs a name");
    if (names.insert(layer.name()).second) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("the name %s stands for a pair of layers", Quoted(layer.name())));
  }
  return absl::OkStatus();
}

absl::Status CheckModes(const MountOptions& options, const std::vector<NamedLayer>& layers) {
  for (const auto& [name, mode] : options.aufs_modes) {
    const bool known = name == internal::kUpperName ||
                       std::any_of(layers.begin(), layers.end(),
                                   [&](const NamedLayer& layer) { return layer.name() == name; });
    if (known) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("aufs_modes names %s, which is no layer of the stack", Quoted(name)));
  }
  return absl::OkStatus();
}

// An error of making the scaffold, which only too small a capacity can cause.
absl::Status Scaffold(FacadeMount& mount) {
  mount.storage = std::make_shared<internal::Storage>(mount.options, mount.clock.now());
  mount.storage->in_use = true;
  MemFs& home = mount.storage->fs;
  const OpContext op = mount.AsRoot();
  const auto make = [&](std::string_view name) {
    return home.Create(op, {home.root(), name}, {.type = FileType::kDirectory, .mode = 0755});
  };
  const Result<NodeId> upper = make("upper");
  if (!upper.ok()) return StatusOf(upper.error(), "mount");
  mount.upper = *upper;
  if (mount.aufs()) return absl::OkStatus();
  const Result<NodeId> work = make("work");
  if (!work.ok()) return StatusOf(work.error(), "mount");
  mount.work = *work;
  return absl::OkStatus();
}

absl::Status MakeLayers(FacadeMount& mount, const std::vector<NamedLayer>& layers,
                        const std::optional<NamedLayer>& upper) {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    const internal::LayerUse use = internal::UseOf(mount.options, layer->name());
    if (absl::Status made = internal::MakeLower(mount, *layer, use); !made.ok()) return made;
  }
  if (absl::Status made = Scaffold(mount); !made.ok()) return made;
  if (!upper) return absl::OkStatus();
  return upper->WriteTo(mount.storage->fs, mount.upper, internal::FormOf(mount.options));
}

// Overlay only.
Result<std::unique_ptr<UnionFs>> MountLayers(FacadeMount& mount) {
  OverlayMount setup;
  setup.options = mount.options.overlay;
  setup.read_only = mount.options.read_only;
  for (const internal::LowerLayer& lower : mount.lowers) {
    setup.lowers.push_back({lower.site.get(), lower.fs->root(), {}, lower.name});
  }
  const std::vector<NodeId> above = {mount.storage->fs.root()};
  const std::string upper(internal::kUpperName);
  setup.upper = DirectoryRef{mount.upper_site.get(), mount.upper, above, upper};
  setup.work = DirectoryRef{mount.upper_site.get(), mount.work, above, "work"};
  return MountOverlay(mount.AsRoot(), setup);
}

}  // namespace

Stack& Stack::Push(NamedLayer layer) {
  layers_.push_back(std::move(layer));
  return *this;
}

Stack& Stack::Upper(NamedLayer layer) {
  layer.Rename(internal::kUpperName);
  upper_ = std::move(layer);
  return *this;
}

absl::Status internal::MakeLower(FacadeMount& mount, const NamedLayer& layer, LayerUse use) {
  LowerLayer lower;
  lower.name = layer.name();
  if (use == LayerUse::kWritable) {
    lower.storage = std::make_shared<Storage>(mount.options, mount.clock.now());
    lower.fs = std::shared_ptr<MemFs>(lower.storage, &lower.storage->fs);
  } else {
    lower.fs = std::make_shared<MemFs>(MemFsOptions{.root_time = mount.clock.now()});
  }
  absl::Status made = layer.WriteTo(*lower.fs, lower.fs->root(), FormOf(mount.options));
  if (!made.ok()) return made;
  if (lower.storage != nullptr) lower.storage->in_use = true;
  if (lower.storage == nullptr) lower.fs->Freeze();
  mount.lowers.push_back(std::move(lower));
  return absl::OkStatus();
}

void internal::PlaceSite(FacadeMount& mount, LowerLayer& lower) {
  lower.site = std::make_unique<sim::FaultyFs>(
      *lower.fs, mount.faults, sim::FaultSite{sim::FaultSite::Kind::kBranch, lower.name},
      lower.fs->root());
  lower.changes_at_mount = lower.fs->change_count();
}

absl::Status internal::MountUnion(FacadeMount& mount) {
  using Kind = sim::FaultSite::Kind;
  FacadeMount* const owner = &mount;
  mount.faults.OnCrash([owner] { owner->CaptureStorages(); });
  // The mount is a call, too: what its calls on the branches meet is inside it.
  const sim::FaultSite site{Kind::kMount, "mount"};
  const auto about_nothing = [] { return std::vector<std::string>(); };
  const sim::FaultPlan::Running running(mount.faults, site, {.ops = {}, .paths = about_nothing},
                                        Probe());
  for (LowerLayer& lower : mount.lowers) PlaceSite(mount, lower);
  mount.upper_site = std::make_unique<sim::FaultyFs>(
      mount.storage->fs, mount.faults, sim::FaultSite{Kind::kBranch, std::string(kUpperName)},
      mount.upper);
  if (mount.aufs()) {
    if (absl::Status mounted = MountAufsSlots(mount); !mounted.ok()) return mounted;
  } else {
    Result<std::unique_ptr<UnionFs>> fs = MountLayers(mount);
    if (!fs.ok()) return StatusOf(fs.error(), "mount");
    mount.fs = *std::move(fs);
  }
  mount.gate = std::make_unique<sim::FaultyFs>(
      *mount.fs, mount.faults, sim::FaultSite{Kind::kMount, "mount"}, mount.fs->root());
  return absl::OkStatus();
}

absl::StatusOr<FsPtr> Stack::Mount(const MountOptions& options) const {
  if (absl::Status named = CheckNames(layers_); !named.ok()) return named;
  absl::StatusOr<MountOptions> checked = internal::CheckedOptions(options);
  if (!checked.ok()) return checked.status();
  if (absl::Status modes = CheckModes(*checked, layers_); !modes.ok()) return modes;
  auto mount = std::make_shared<FacadeMount>();
  mount->options = *std::move(checked);
  if (absl::Status made = MakeLayers(*mount, layers_, upper_); !made.ok()) return made;
  if (mount->aufs()) internal::PlaceSlots(*mount);
  if (absl::Status mounted = internal::MountUnion(*mount); !mounted.ok()) return mounted;
  return std::make_unique<LayeredFs>(
      std::make_shared<internal::Caller>(std::move(mount), RootCredentials()));
}

FsPtr Stack::MountOrDie(const MountOptions& options) const {
  absl::StatusOr<FsPtr> fs = Mount(options);
  if (fs.ok()) return *std::move(fs);
  std::fprintf(stderr, "lamina: %s\n", fs.status().ToString().c_str());
  std::abort();
}

}  // namespace lamina
