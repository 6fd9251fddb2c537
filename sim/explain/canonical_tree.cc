// CanonicalTree: a tree in the form of the kernel oracle's dumps, from where trees come from.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/sim/tree.h"
#include "sim/explain/layer_source.h"
#include "sim/scenario/dump.h"

namespace lamina::sim {
namespace {

std::vector<std::string> LinesOf(FileSystem& fs, NodeId root, const ScenarioLimits& limits) {
  Process process(fs, root, {});
  internal::IdentityClasses classes;
  return internal::TreeLines(process, internal::TreeSide::kMerged, {&classes, limits.digest_bytes});
}

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
    const Result<HandleId> handle = fs.Open(op, node, {});
    if (!handle.ok()) return handle.error();
    std::vector<std::string> names;
    const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    fs.Close(*handle);
    if (!end.ok()) return end.error();
    for (const std::string& name : names) {
      const Result<NodeId> child = fs.Lookup(op, {node, name});
      if (!child.ok()) return child.error();
      pending.push_back(*child);
    }
  }
  return false;
}

// The tree of one layer, without a mount.
absl::StatusOr<std::vector<std::string>> LinesOfOneLayer(
    std::string_view source, const internal::LayerSource& layer_source) {
  const absl::StatusOr<Scenario> scenario = internal::ParseSourceText(source, layer_source.layers);
  if (!scenario.ok()) return scenario.status();
  ScenarioRun run(*scenario, {});
  if (absl::Status ran = run.RunToOperation(0); !ran.ok()) {
    return internal::WithoutStatement(source, ran);
  }
  const ScenarioLayer& layer = *run.layers().front();
  const Result<bool> marks = HoldsMarks(*layer.fs, layer.root);
  if (!marks.ok()) {
    return absl::InternalError(absl::StrFormat("%s: %s", source, ErrnoName(marks.error())));
  }
  if (source.starts_with("dir:") || !*marks) {
    return LinesOf(*layer.fs, layer.root, scenario->limits);
  }
  // An overlay needs a pair of branches: an empty one goes below.
  const absl::StatusOr<Scenario> mounted = internal::ParseSourceText(
      source, "layer floor\n" + layer_source.layers + "stack layer1 floor\nmount\n");
  if (!mounted.ok()) return mounted.status();
  return CanonicalTreeOf(*mounted);
}

absl::StatusOr<std::vector<std::string>> LinesOfLayers(std::string_view source) {
  const absl::StatusOr<internal::LayerSource> layers = internal::ParseLayerSource(source);
  if (!layers.ok()) return layers.status();
  if (layers->paths.size() == 1) return LinesOfOneLayer(source, *layers);
  const absl::StatusOr<Scenario> scenario =
      internal::ParseSourceText(source, layers->layers + "stack" + layers->stack + "\nmount\n");
  if (!scenario.ok()) return scenario.status();
  absl::StatusOr<std::vector<std::string>> lines = CanonicalTreeOf(*scenario);
  if (!lines.ok()) return internal::WithoutStatement(source, lines.status());
  return lines;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CanonicalTreeOf(const Scenario& scenario) {
  ScenarioRun run(scenario, {});
  if (absl::Status ran = run.RunToOperation(scenario.statements.size()); !ran.ok()) return ran;
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: nothing is mounted at the end", scenario.file));
  }
  return LinesOf(*mount->fs, mount->fs->root(), scenario.limits);
}

absl::StatusOr<std::vector<std::string>> CanonicalTree(std::string_view source) {
  if (internal::IsLayerSource(source)) return LinesOfLayers(source);
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
  return CanonicalTreeOf(*scenario);
}

}  // namespace lamina::sim
