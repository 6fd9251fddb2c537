// Where the stacks come from that are checked: a scenario that has run, layers of the host.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/sim/check.h"
#include "sim/explain/layer_source.h"

namespace lamina::sim {
namespace {

Branch MakeBranch(const DirectoryRef& directory, BranchMode mode, bool data_only,
                  std::string name) {
  return {directory.fs, directory.node, mode, data_only, std::move(name)};
}

CheckedStack StackOf(const ScenarioMount& mount) {
  CheckedStack stack;
  if (mount.fs->dialect_name() == "aufs") {
    stack.branches = mount.fs->branches();
    stack.aufs = AufsOptionsOf(*mount.fs);
    return stack;
  }
  const OverlayMount& setup = mount.setup;
  if (setup.upper) {
    stack.branches.push_back(MakeBranch(*setup.upper, BranchMode::kReadWrite, false,
                                        mount.upper_name.value_or("upper")));
  }
  for (std::size_t i = 0; i < setup.lowers.size(); ++i) {
    const std::string name = i < mount.lower_names.size() ? mount.lower_names[i] : "";
    stack.branches.push_back(MakeBranch(setup.lowers[i], BranchMode::kReadOnly, false, name));
  }
  for (std::size_t i = 0; i < setup.data_only.size(); ++i) {
    const std::string name = i < mount.data_only_names.size() ? mount.data_only_names[i] : "";
    stack.branches.push_back(MakeBranch(setup.data_only[i], BranchMode::kReadOnly, true, name));
  }
  stack.work = setup.work;
  if (stack.work) stack.work->name = mount.upper_name.value_or("upper") + ".work";
  stack.options = setup.options;
  return stack;
}

// No branch is a mounted union, which may go before the run ends.
bool IsOfLayers(const CheckedStack& stack) {
  return std::all_of(stack.branches.begin(), stack.branches.end(),
                     [](const Branch& branch) { return branch.fs->limits().stacking_depth == 0; });
}

absl::Status Unreadable(std::string_view source, Errno error) {
  return absl::InternalError(
      absl::StrFormat("%s: the layers cannot be read: %s", source, ErrnoName(error)));
}

// Checks `stack`; then, when it is mounted, the union as well.
absl::StatusOr<std::vector<StackFinding>> Check(std::string_view source, const CheckedStack& stack,
                                                UnionFs* mounted) {
  Result<std::vector<StackFinding>> findings = CheckStack(stack);
  if (!findings.ok()) return Unreadable(source, findings.error());
  if (mounted == nullptr) return *std::move(findings);
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Result<std::vector<StackFinding>> seen = CheckMountedTree(op, *mounted, stack.options, *findings);
  if (!seen.ok()) return Unreadable(source, seen.error());
  for (StackFinding& finding : *seen) findings->push_back(std::move(finding));
  return *std::move(findings);
}

// The names of the host's layers, topmost first, in place of those made up; without the empty layer
// that a single one needs below it.
void NameLayers(const std::vector<std::string>& paths, CheckedStack& stack) {
  stack.branches.resize(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    stack.branches[i].name = paths[paths.size() - 1 - i];
  }
}

}  // namespace

absl::StatusOr<std::vector<StackFinding>> CheckScenario(const Scenario& scenario) {
  ScenarioRun run(scenario, {});
  std::optional<CheckedStack> last;
  while (!run.AtEnd()) {
    const absl::StatusOr<StepReport> step = run.Step();
    if (!step.ok()) return step.status();
    if (run.mount() == nullptr) continue;
    CheckedStack stack = StackOf(*run.mount());
    if (IsOfLayers(stack)) last = std::move(stack);
  }
  if (run.mount() != nullptr) {
    CheckedStack stack = StackOf(*run.mount());
    stack.mounted = true;
    if (stack.aufs) {
      stack.live = run.mount()->fs;
      DropUnusedNames(*run.mount()->fs);  // what is cached must not hide what the branches hold now
    }
    return Check(scenario.file, stack, run.mount()->fs);
  }
  if (!last) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: nothing is ever mounted", scenario.file));
  }
  return Check(scenario.file, *last, nullptr);
}

absl::StatusOr<std::vector<StackFinding>> CheckLayers(std::string_view source,
                                                      const OverlayOptions& options) {
  const absl::StatusOr<internal::LayerSource> layers = internal::ParseLayerSource(source);
  if (!layers.ok()) return layers.status();
  const bool single = layers->paths.size() == 1;
  std::string text = single ? "layer floor\n" : "";
  text += layers->layers;
  if (options.userxattr) text += "options userxattr\n";
  text += "stack" + layers->stack + (single ? " floor" : "") + "\nmount\n";
  const absl::StatusOr<Scenario> scenario = internal::ParseSourceText(source, text);
  if (!scenario.ok()) return scenario.status();
  ScenarioRun run(*scenario, {});
  if (absl::Status ran = run.RunToOperation(0); !ran.ok()) {
    return internal::WithoutStatement(source, ran);
  }
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: an overlay of these layers cannot be mounted", source));
  }
  CheckedStack stack = StackOf(*mount);
  NameLayers(layers->paths, stack);
  return Check(source, stack, mount->fs);
}

}  // namespace lamina::sim
