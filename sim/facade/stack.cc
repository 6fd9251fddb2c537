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
  mount.home = std::make_unique<MemFs>(
      MemFsOptions{.capacity_bytes = mount.options.capacity, .root_time = mount.clock.now()});
  const OpContext op = mount.AsRoot();
  for (auto [name, node] : {std::pair{"upper", &mount.upper}, std::pair{"work", &mount.work}}) {
    Result<NodeId> made = mount.home->Create(op, {mount.home->root(), name},
                                             {.type = FileType::kDirectory, .mode = 0755});
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

absl::StatusOr<FsPtr> Stack::Mount(const MountOptions& options) const {
  if (absl::Status named = CheckNames(layers_); !named.ok()) return named;
  auto mount = std::make_shared<FacadeMount>();
  mount->options = options;
  OverlayMount setup;
  setup.options = options.overlay;
  setup.read_only = options.read_only;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    internal::LowerLayer& lower = mount->lowers.emplace_back();
    lower.name = layer->name();
    lower.fs = std::make_unique<MemFs>(MemFsOptions{.root_time = mount->clock.now()});
    if (absl::Status made = layer->WriteTo(*lower.fs, lower.fs->root(), options.overlay);
        !made.ok()) {
      return made;
    }
    lower.fs->Freeze();
    lower.changes_at_mount = lower.fs->change_count();
    setup.lowers.push_back({lower.fs.get(), lower.fs->root(), {}, lower.name});
  }
  if (absl::Status made = Scaffold(*mount); !made.ok()) return made;
  if (upper_) {
    if (absl::Status made = upper_->WriteTo(*mount->home, mount->upper, options.overlay);
        !made.ok()) {
      return made;
    }
  }
  const std::vector<NodeId> above = {mount->home->root()};
  setup.upper =
      DirectoryRef{mount->home.get(), mount->upper, above, std::string(internal::kUpperName)};
  setup.work = DirectoryRef{mount->home.get(), mount->work, above, "work"};
  Result<std::unique_ptr<UnionFs>> fs = MountOverlay(mount->AsRoot(), setup);
  if (!fs.ok()) return StatusOf(fs.error(), "mount");
  mount->fs = *std::move(fs);
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
