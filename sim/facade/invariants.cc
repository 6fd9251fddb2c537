// LayeredFs::CheckInvariants.
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/sim/changes.h"
#include "lamina/sim/check.h"
#include "sim/facade/facade_mount.h"

namespace lamina {
namespace {

using internal::FacadeMount;

bool IsOpaque(const TreeView& view, const std::string& path) {
  for (const std::string_view key : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    const absl::StatusOr<std::string> value = view.Getxattr(path, key);
    if (value.ok() && *value == "y") return true;
  }
  return false;
}

class Examiner {
 public:
  Examiner(const FacadeMount& mount, const LayeredFs& fs)
      : mount_(mount), upper_(fs.Layer(internal::kUpperName)) {}

  absl::Status Run() {
    CheckLowers();
    if (mount_.aufs()) {
      internal::CheckAufsBranches(mount_, broken_);
    } else {
      CheckWork();
      CheckWhiteouts();
    }
    CheckListings();
    if (broken_.empty()) return absl::OkStatus();
    return absl::InternalError(absl::StrJoin(broken_, "\n"));
  }

 private:
  void CheckLowers() {
    for (const internal::LowerLayer& lower : mount_.lowers) {
      if (lower.storage != nullptr) continue;
      if (lower.fs->frozen() && lower.fs->change_count() == lower.changes_at_mount) continue;
      broken_.push_back(absl::StrFormat("layer %s has changed", Quoted(lower.name)));
    }
  }

  // The mount keeps one directory "work" there, empty at rest, and one for the index, where only
  // temporaries (#…) do not belong.
  void CheckWork() {
    const TreeView work(mount_.storage->fs, mount_.work, "work");
    const absl::StatusOr<std::vector<std::string>> paths = work.AllPaths();
    if (!paths.ok()) {
      broken_.push_back(std::string(paths.status().message()));
      return;
    }
    for (const std::string& path : *paths) {
      const bool entry = path.starts_with("/index/") && !path.starts_with("/index/#");
      if (path.rfind('/') == 0 || entry) continue;
      broken_.push_back(absl::StrFormat("the work directory still holds %s", Quoted(path)));
    }
  }

  void CheckWhiteouts() {
    const absl::StatusOr<std::vector<std::string>> paths = upper_.AllPaths();
    const Result<sim::LowerView> lower = sim::MountLowerView(*mount_.fs, mount_.options.overlay);
    if (!paths.ok() || !lower.ok()) {
      broken_.push_back("the writable layer cannot be read");
      return;
    }
    const TreeView below(*lower->fs, lower->fs->root(), "lower");
    for (const std::string& path : *paths) {
      const absl::StatusOr<Stat> stat = upper_.Lstat(path);
      if (!stat.ok() || !internal::IsWhiteoutStat(*stat)) continue;
      const std::string parent = path.substr(0, path.rfind('/'));
      if (!parent.empty() && IsOpaque(upper_, parent)) {
        broken_.push_back(
            absl::StrFormat("whiteout %s stands in an opaque directory", Quoted(path)));
      } else if (!HidesSomething(below, parent, path)) {
        broken_.push_back(absl::StrFormat("whiteout %s hides nothing", Quoted(path)));
      }
    }
  }

  // Below a directory that was moved, the names of the layers below are others.
  bool HidesSomething(const TreeView& below, const std::string& parent, const std::string& path) {
    for (std::size_t end = parent.size(); end != 0 && end != std::string::npos;
         end = parent.rfind('/', end - 1)) {
      const std::string above = parent.substr(0, end);
      if (upper_.Getxattr(above, "trusted.overlay.redirect").ok()) return true;
    }
    return below.Lstat(path).ok();
  }

  // A name that is listed is found, with that type; every other name a layer holds is not found.
  void CheckListings() {
    const Result<std::vector<sim::StackFinding>> findings =
        sim::CheckMountedTree(mount_.AsRoot(), *mount_.fs, mount_.options.overlay, {});
    if (!findings.ok()) {
      broken_.push_back(
          absl::StrFormat("the merged tree cannot be read: %s", ErrnoName(findings.error())));
      return;
    }
    for (const sim::StackFinding& finding : *findings) {
      if (mount_.aufs() && IsRuleOfAufs(finding)) continue;
      broken_.push_back(absl::StrFormat("%s is %s", Quoted(finding.path), finding.what));
    }
  }

  bool IsRuleOfAufs(const sim::StackFinding& finding) const {
    // Marks of an overlay are xattrs like others.
    if (finding.kind == sim::FindingKind::kShownMark) return true;
    return internal::MayBeUnfound(mount_, finding.path);
  }

  const FacadeMount& mount_;
  const TreeView upper_;
  std::vector<std::string> broken_;
};

}  // namespace

absl::Status LayeredFs::CheckInvariants() const { return Examiner(*caller_->mount, *this).Run(); }

}  // namespace lamina
