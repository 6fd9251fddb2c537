#include "sim/explain/aufs_remount.h"

#include <optional>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/union/aufs.h"
#include "sim/explain/branch_names.h"
#include "sim/scenario/mounts.h"

namespace lamina::sim::internal {
namespace {

// The topmost mount on the point that `remount` names.
const ScenarioMount* MountOf(const ScenarioRun& run, const Statement& remount) {
  const ScenarioMount* found = nullptr;
  for (const ScenarioMount* mount : run.mounts()) {
    if (mount->point == remount.args[0].text) found = mount;
  }
  return found != nullptr && IsAufs(*found) ? found : nullptr;
}

absl::StatusOr<std::string> PathOfLayer(const ScenarioRun& run, const std::string& name) {
  for (const ScenarioLayer* layer : run.layers()) {
    if (layer->name == name) return layer->path;
  }
  return absl::NotFoundError(name);
}

// The branch that lies in the directory `path`.
std::optional<BranchIndex> BranchAt(const ScenarioRun& run, const UnionFs& fs,
                                    std::string_view path) {
  for (const ScenarioLayer* layer : run.layers()) {
    if (layer->path != path) continue;
    for (std::size_t i = 0; i < fs.branches().size(); ++i) {
      if (fs.branches()[i].name == layer->name) return static_cast<BranchIndex>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> RemountNotes(const ScenarioRun& run, const Statement& remount) {
  const ScenarioMount* mount = MountOf(run, remount);
  if (mount == nullptr) return {};
  const auto path_of = [&](const std::string& name) { return PathOfLayer(run, name); };
  const absl::StatusOr<std::string> text = ReplaceLayerMarks(remount.args[1].text, path_of);
  if (!text.ok()) return {};
  const Result<AufsText> parsed = ParseAufsText(*text);
  if (!parsed.ok()) return {};
  const std::vector<BranchName> names = BranchNamesOf(*mount);
  std::vector<std::string> notes;
  for (const AufsDirective& directive : parsed->directives) {
    const bool closes = directive.kind == AufsDirective::Kind::kModify &&
                        !directive.mode.value_or(AufsMode{}).writable();
    if (directive.kind != AufsDirective::Kind::kDelete && !closes) continue;
    const std::optional<BranchIndex> branch = BranchAt(run, *mount->fs, directive.path);
    if (!branch) continue;
    const std::vector<std::string> holders =
        AufsHolders(*mount->fs, *branch, closes ? AufsUse::kOfMappings : AufsUse::kOfBranch);
    if (holders.empty()) continue;
    notes.push_back(absl::StrFormat("%s %s is in use: %s", names[*branch].label,
                                    names[*branch].layer, absl::StrJoin(holders, "; ")));
  }
  return notes;
}

std::string BranchesNow(const ScenarioRun& run, const Statement& remount) {
  const ScenarioMount* mount = MountOf(run, remount);
  if (mount == nullptr) return "an overlay has no branches to change";
  return "branches now: " +
         absl::StrJoin(BranchNamesOf(*mount), ", ", [](std::string* out, const BranchName& name) {
           absl::StrAppendFormat(out, "%s %s %s", name.label, name.mode, name.layer);
         });
}

}  // namespace lamina::sim::internal
