#include "tests/linearizability/scene.h"

#include <string>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/fs/synchronized.h"
#include "lamina/union/overlay.h"
#include "sim/model/overlay_view.h"
#include "sim/model/plain_view.h"
#include "tests/model/drawing.h"
#include "tests/model/process_runner.h"

namespace lamina::sim {
namespace {

using Calls = std::vector<ModelOperation>;

ModelOperation Mkdir(const std::string& path) {
  ModelOperation o;
  o.kind = OperationKind::kMkdir;
  o.path = path;
  o.mode = 0755;
  return o;
}

ModelOperation Put(const std::string& path, const std::string& data) {
  ModelOperation o;
  o.kind = OperationKind::kPut;
  o.path = path;
  o.mode = 0644;
  o.data = data;
  return o;
}

ModelOperation Whiteout(const std::string& path) {
  ModelOperation o;
  o.kind = OperationKind::kMknod;
  o.path = path;
  return o;
}

// Topmost first, the upper before the others; one layer: a plain tree.
std::vector<Calls> LayersOf(SceneKind kind) {
  const Calls upper = {Put("/b", "upper b"), Mkdir("/s")};
  const Calls top = {Put("/a", "lower a"), Mkdir("/d"), Put("/d/x", "lower x")};
  const Calls bottom = {Mkdir("/t"), Put("/c", "hidden"), Mkdir("/d"), Put("/d/y", "lower y")};
  if (kind == SceneKind::kOverlay) {
    std::vector<Calls> layers = {upper, top, bottom};
    layers[0].push_back(Whiteout("/c"));
    return layers;
  }
  Calls all = upper;
  all.insert(all.end(), top.begin(), top.end());
  all.insert(all.end(), {Mkdir("/t"), Put("/d/y", "lower y")});
  return {all};
}

NodeId MakeDirectory(MemFs& fs, const char* name) {
  const Credentials root = RootCredentials();
  const OpContext op{root, InstantFromSeconds(1000), Probe()};
  const Result<NodeId> made = fs.Create(op, {fs.root(), name}, {FileType::kDirectory, 0755, 0, {}});
  LAMINA_CHECK(made.ok());
  return *made;
}

void Build(MemFs& fs, NodeId root, const Calls& calls) {
  Clock clock(InstantFromSeconds(1000));
  IdentityNumbers identities;
  ProcessRunner runner(fs, root, clock, Duration{0}, identities);
  for (const ModelOperation& call : calls) LAMINA_CHECK(runner.Execute(call).ok());
}

class SharedMemFs final : public SharedTree {
 public:
  SharedMemFs(const Calls& calls, LockSharing sharing) : shared_(fs_, sharing) {
    Build(fs_, fs_.root(), calls);
  }
  FileSystem& fs() override { return shared_; }

 private:
  MemFs fs_;
  SynchronizedFileSystem shared_;
};

class SharedOverlay final : public SharedTree {
 public:
  SharedOverlay(const Calls& upper_calls, const std::vector<std::unique_ptr<MemFs>>& lowers) {
    OverlayMount mount;
    for (const std::unique_ptr<MemFs>& lower : lowers) {
      mount.lowers.push_back({lower.get(), lower->root(), {}, "lower"});
    }
    const NodeId upper = MakeDirectory(home_, "upper");
    Build(home_, upper, upper_calls);
    mount.upper = DirectoryRef{&home_, upper, {home_.root()}, "upper"};
    mount.work = DirectoryRef{&home_, MakeDirectory(home_, "work"), {home_.root()}, "work"};
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    Result<std::unique_ptr<UnionFs>> mounted = MountOverlay(op, mount);
    LAMINA_CHECK(mounted.ok());
    union_ = *std::move(mounted);
    shared_ = std::make_unique<SynchronizedFileSystem>(*union_);
  }
  FileSystem& fs() override { return *shared_; }

 private:
  MemFs home_;
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<SynchronizedFileSystem> shared_;
};

}  // namespace

Scene::Scene(SceneKind kind) : kind_(kind) {
  const std::vector<Calls> layers = LayersOf(kind);
  const ModelTree first = BuildLayer(layers.front());
  std::unique_ptr<ModelView> view = std::make_unique<PlainView>(first);
  if (layers.size() > 1) {
    std::vector<ModelTree> lowers;
    for (std::size_t i = 1; i < layers.size(); ++i) {
      lowers.push_back(BuildLayer(layers[i]));
      lowers_.push_back(std::make_unique<MemFs>());
      Build(*lowers_.back(), lowers_.back()->root(), layers[i]);
      lowers_.back()->Freeze();
    }
    view = std::make_unique<OverlayView>(first, std::move(lowers), KernelQuirks::kOn);
  }
  PosixModel model(std::move(view));
  const ModelOpenHow read{.read = true};
  const ModelOpenHow update{.read = true, .write = true};
  LAMINA_CHECK(model.Open(0, "/a", read, 0).ok());
  LAMINA_CHECK(model.Open(1, "/b", update, 0).ok());
  LAMINA_CHECK(model.Open(2, "/d/x", read, 0).ok());
  specification_ = std::make_unique<ModelSpecification>(std::move(model));
}

std::unique_ptr<SharedTree> Scene::Make() {
  const Calls first = LayersOf(kind_).front();
  switch (kind_) {
    case SceneKind::kMemFs:
      return std::make_unique<SharedMemFs>(first, LockSharing::kExclusive);
    case SceneKind::kMemFsSharedReads:
      return std::make_unique<SharedMemFs>(first, LockSharing::kSharedReads);
    case SceneKind::kOverlay:
      break;
  }
  return std::make_unique<SharedOverlay>(first, lowers_);
}

}  // namespace lamina::sim
