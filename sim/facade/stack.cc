#include "lamina/facade/stack.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
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

// An error of making the scaffold, which only too small a capacity can cause.
absl::Status Scaffold(FacadeMount& mount) {
  mount.storage = std::make_shared<internal::Storage>(mount.options, mount.clock.now());
  mount.storage->in_use = true;
  MemFs& home = mount.storage->fs;
  const OpContext op = mount.AsRoot();
  for (auto [name, node] : {std::pair{"upper", &mount.upper}, std::pair{"work", &mount.work}}) {
    Result<NodeId> made =
        home.Create(op, {home.root(), name}, {.type = FileType::kDirectory, .mode = 0755});
    if (!made.ok()) return StatusOf(made.error(), "mount");
    *node = *made;
  }
  return absl::OkStatus();
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

absl::Status internal::MountUnion(FacadeMount& mount) {
  using Kind = sim::FaultSite::Kind;
  FacadeMount* const owner = &mount;
  mount.faults.OnCrash([owner] { owner->crash_image = owner->storage->fs.Capture(); });
  // The mount is a call, too: what its calls on the branches meet is inside it.
  const sim::FaultSite site{Kind::kMount, "mount"};
  const auto about_nothing = [] { return std::vector<std::string>(); };
  const sim::FaultPlan::Running running(mount.faults, site, {.ops = {}, .paths = about_nothing},
                                        Probe());
  OverlayMount setup;
  setup.options = mount.options.overlay;
  setup.read_only = mount.options.read_only;
  for (LowerLayer& lower : mount.lowers) {
    const NodeId root = lower.fs->root();
    lower.site = std::make_unique<sim::FaultyFs>(*lower.fs, mount.faults,
                                                 sim::FaultSite{Kind::kBranch, lower.name}, root);
    lower.changes_at_mount = lower.fs->change_count();
    setup.lowers.push_back({lower.site.get(), root, {}, lower.name});
  }
  MemFs& home = mount.storage->fs;
  const std::string upper(kUpperName);
  mount.upper_site = std::make_unique<sim::FaultyFs>(
      home, mount.faults, sim::FaultSite{Kind::kBranch, upper}, mount.upper);
  const std::vector<NodeId> above = {home.root()};
  setup.upper = DirectoryRef{mount.upper_site.get(), mount.upper, above, upper};
  setup.work = DirectoryRef{mount.upper_site.get(), mount.work, above, "work"};
  Result<std::unique_ptr<UnionFs>> fs = MountOverlay(mount.AsRoot(), setup);
  if (!fs.ok()) return StatusOf(fs.error(), "mount");
  mount.fs = *std::move(fs);
  mount.gate = std::make_unique<sim::FaultyFs>(
      *mount.fs, mount.faults, sim::FaultSite{Kind::kMount, "mount"}, mount.fs->root());
  return absl::OkStatus();
}

absl::StatusOr<FsPtr> Stack::Mount(const MountOptions& options) const {
  if (absl::Status named = CheckNames(layers_); !named.ok()) return named;
  auto mount = std::make_shared<FacadeMount>();
  mount->options = options;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    internal::LowerLayer& lower = mount->lowers.emplace_back();
    lower.name = layer->name();
    lower.fs = std::make_shared<MemFs>(MemFsOptions{.root_time = mount->clock.now()});
    if (absl::Status made = layer->WriteTo(*lower.fs, lower.fs->root(), options.overlay);
        !made.ok()) {
      return made;
    }
    lower.fs->Freeze();
  }
  if (absl::Status made = Scaffold(*mount); !made.ok()) return made;
  if (upper_) {
    if (absl::Status made = upper_->WriteTo(mount->storage->fs, mount->upper, options.overlay);
        !made.ok()) {
      return made;
    }
  }
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
