#include "lamina/sim/source_tree.h"

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/fs/list_names.h"
#include "sim/explain/layer_source.h"
#if defined(LAMINA_WITH_IMAGE)
#include "lamina/image/ext_image.h"
#endif

namespace lamina::sim {
namespace {

constexpr std::string_view kExt = "ext4:";

// A scenario that was run; the tree is one of its layers or what is mounted.
class RunTree final : public SourceTree {
 public:
  explicit RunTree(Scenario scenario) : scenario_(std::move(scenario)), run_(scenario_, {}) {}

  ScenarioRun& run() { return run_; }
  void Show(FileSystem* fs, NodeId root) {
    fs_ = fs;
    root_ = root;
  }
  absl::Status ShowMount() {
    const ScenarioMount* mount = run_.mount();
    if (mount == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrFormat("%s: nothing is mounted at the end", scenario_.file));
    }
    Show(mount->fs, mount->fs->root());
    return absl::OkStatus();
  }

  FileSystem& fs() override { return *fs_; }
  NodeId root() const override { return root_; }
  const ScenarioLimits& limits() const override { return scenario_.limits; }

 private:
  Scenario scenario_;
  ScenarioRun run_;
  FileSystem* fs_ = nullptr;
  NodeId root_;
};

// Whether a tree holds a mark that only a mount understands.
Result<bool> HoldsMarks(FileSystem& fs, NodeId root) {
  const Credentials caller = RootCredentials();
  const OpContext op{caller, kSimulationStart, Probe()};
  std::vector<NodeId> pending = {root};
  while (!pending.empty()) {
    const NodeId node = pending.back();
    pending.pop_back();
    const Result<Stat> stat = fs.GetAttr(op, node);
    if (!stat.ok()) return stat.error();
    if (stat->type == FileType::kCharDevice && stat->rdev == MakeDevice(0, 0)) return true;
    if (stat->type != FileType::kDirectory) continue;
    if (fs.GetXattr(op, node, "trusted.overlay.opaque").ok()) return true;
    const Result<std::vector<std::string>> names = ListNames(op, fs, node);
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) {
      const Result<NodeId> child = fs.Lookup(op, {node, name});
      if (!child.ok()) return child.error();
      pending.push_back(*child);
    }
  }
  return false;
}

using Opened = absl::StatusOr<std::unique_ptr<SourceTree>>;

Opened RunToEnd(std::string_view source, const Scenario& scenario) {
  auto tree = std::make_unique<RunTree>(scenario);
  const std::size_t all = scenario.statements.size();
  absl::Status ran = tree->run().RunToOperation(all);
  if (!ran.ok()) return IsHostSource(source) ? internal::WithoutStatement(source, ran) : ran;
  if (absl::Status shown = tree->ShowMount(); !shown.ok()) return shown;
  return tree;
}

Opened OpenStatements(std::string_view source, const std::string& statements) {
  const absl::StatusOr<Scenario> scenario = internal::ParseSourceText(source, statements);
  if (!scenario.ok()) return scenario.status();
  return RunToEnd(source, *scenario);
}

// One layer: the tree of itself, unless it is a tar with marks.
Opened OpenOneLayer(std::string_view source, const internal::LayerSource& layers) {
  const absl::StatusOr<Scenario> scenario = internal::ParseSourceText(source, layers.layers);
  if (!scenario.ok()) return scenario.status();
  auto tree = std::make_unique<RunTree>(*scenario);
  if (absl::Status ran = tree->run().RunToOperation(0); !ran.ok()) {
    return internal::WithoutStatement(source, ran);
  }
  const ScenarioLayer& layer = *tree->run().layers().front();
  const Result<bool> marks = HoldsMarks(*layer.fs, layer.root);
  if (!marks.ok()) {
    return absl::InternalError(absl::StrFormat("%s: %s", source, ErrnoName(marks.error())));
  }
  if (!source.starts_with("dir:") && *marks) {
    // An overlay needs a pair of branches: an empty one goes below.
    return OpenStatements(source, "layer floor\n" + layers.layers + "stack layer1 floor\nmount\n");
  }
  tree->Show(layer.fs, layer.root);
  return tree;
}

Opened OpenLayers(std::string_view source) {
  const absl::StatusOr<internal::LayerSource> layers = internal::ParseLayerSource(source);
  if (!layers.ok()) return layers.status();
  if (layers->paths.size() == 1) return OpenOneLayer(source, *layers);
  return OpenStatements(source, layers->layers + "stack" + layers->stack + "\nmount\n");
}

Opened OpenScenario(std::string_view source) {
  std::ifstream file{std::string(source), std::ios::binary};
  if (!file) return absl::NotFoundError(absl::StrFormat("%s: cannot be read", source));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  ParseOptions options;
  options.file = source;
  const absl::StatusOr<Scenario> scenario = ParseScenario(text, options);
  if (!scenario.ok()) return scenario.status();
  if (const auto unsupported = FindUnsupported(*scenario)) {
    return absl::UnimplementedError(absl::StrFormat("%s: UNSUPPORTED %s", source, *unsupported));
  }
  return RunToEnd(source, *scenario);
}

#if defined(LAMINA_WITH_IMAGE)
class ImageTree final : public SourceTree {
 public:
  explicit ImageTree(std::unique_ptr<ExtImage> image) : image_(std::move(image)) {}
  FileSystem& fs() override { return image_->fs(); }
  NodeId root() const override { return image_->fs().root(); }
  const ScenarioLimits& limits() const override { return limits_; }

 private:
  std::unique_ptr<ExtImage> image_;
  ScenarioLimits limits_;
};

Opened OpenImage(std::string_view source) {
  const std::string_view path = source.substr(kExt.size());
  if (path.empty()) return absl::InvalidArgumentError("ext4: names no file");
  absl::StatusOr<std::unique_ptr<ExtImage>> image = ExtImage::Open(path);
  if (!image.ok()) return image.status();
  return std::make_unique<ImageTree>(*std::move(image));
}
#else
Opened OpenImage(std::string_view source) {
  return absl::UnimplementedError(absl::StrFormat("'%s': built without lamina::image", source));
}
#endif

}  // namespace

bool IsHostSource(std::string_view source) {
  return internal::IsLayerSource(source) || source.starts_with(kExt);
}

absl::StatusOr<std::unique_ptr<SourceTree>> SourceTree::Open(std::string_view source) {
  if (source.starts_with(kExt)) return OpenImage(source);
  return internal::IsLayerSource(source) ? OpenLayers(source) : OpenScenario(source);
}

}  // namespace lamina::sim
