// CanonicalTree: a tree in the form of the kernel oracle's dumps, from where trees come from.
#include "absl/strings/str_format.h"
#include "lamina/sim/source_tree.h"
#include "lamina/sim/tree.h"
#include "sim/scenario/dump.h"

namespace lamina::sim {
namespace {

std::vector<std::string> LinesOf(FileSystem& fs, NodeId root, const ScenarioLimits& limits) {
  Process process(fs, root, {});
  internal::IdentityClasses classes;
  return internal::TreeLines(process, internal::TreeSide::kMerged, {&classes, limits.digest_bytes});
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CanonicalTreeOf(const Scenario& scenario) {
  ScenarioRun run(scenario, {});
  if (absl::Status ran = run.RunToOperation(scenario.statements.size()); !ran.ok()) return ran;
  FileSystem* tree = run.mounted_tree();
  if (tree == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: nothing is mounted at the end", scenario.file));
  }
  return LinesOf(*tree, tree->root(), scenario.limits);
}

absl::StatusOr<std::vector<std::string>> CanonicalTree(std::string_view source) {
  const absl::StatusOr<std::unique_ptr<SourceTree>> tree = SourceTree::Open(source);
  if (!tree.ok()) return tree.status();
  return LinesOf((*tree)->fs(), (*tree)->root(), (*tree)->limits());
}

}  // namespace lamina::sim
