#include "sim/explain/branch_names.h"

#include "lamina/union/aufs.h"

namespace lamina::sim::internal {
namespace {

void AddLowers(std::size_t count, const std::vector<std::string>& layers, char letter,
               std::vector<BranchName>& names) {
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(
        {letter + std::to_string(count - i), i < layers.size() ? layers[i] : "", letter == 'D'});
  }
}

std::vector<BranchName> AufsNames(const UnionFs& fs) {
  std::vector<BranchName> names;
  for (std::size_t i = 0; i < fs.branches().size(); ++i) {
    const auto index = static_cast<BranchIndex>(i);
    names.push_back({'b' + std::to_string(i), fs.branches()[i].name, false,
                     FormatAufsMode(AufsModeOf(fs, index))});
  }
  return names;
}

}  // namespace

bool IsAufs(const ScenarioMount& mount) { return mount.fs->dialect_name() == "aufs"; }

std::vector<BranchName> BranchNamesOf(const ScenarioMount& mount) {
  if (IsAufs(mount)) return AufsNames(*mount.fs);
  std::vector<BranchName> names;
  if (mount.setup.upper) names.push_back({"U", mount.upper_name.value_or(""), false});
  AddLowers(mount.setup.lowers.size(), mount.lower_names, 'L', names);
  AddLowers(mount.setup.data_only.size(), mount.data_only_names, 'D', names);
  return names;
}

const ScenarioMount* TargetMount(const ScenarioRun& run) {
  const Process* target = run.target();
  if (target == nullptr) return nullptr;
  for (const ScenarioMount* mount : run.mounts()) {
    if (mount->process == target && mount->fs != nullptr) return mount;
  }
  return nullptr;
}

}  // namespace lamina::sim::internal
