// LayeredFs::CheckInvariants.
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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
      : mount_(mount), upper_(fs.Layer(internal::kUpperName)), merged_(fs.Merged()) {}

  absl::Status Run() {
    CheckLowers();
    CheckWork();
    CheckWhiteouts();
    CheckListings();
    if (broken_.empty()) return absl::OkStatus();
    return absl::InternalError(absl::StrJoin(broken_, "\n"));
  }

 private:
  void CheckLowers() {
    for (const internal::LowerLayer& lower : mount_.lowers) {
      if (lower.fs->frozen() && lower.fs->change_count() == lower.changes_at_mount) continue;
      broken_.push_back(absl::StrFormat("layer %s has changed", Quoted(lower.name)));
    }
  }

  // The mount keeps one directory "work" there (and one for the index), both empty at rest.
  void CheckWork() {
    const TreeView work(*mount_.home, mount_.work, "work");
    const absl::StatusOr<std::vector<std::string>> paths = work.AllPaths();
    if (!paths.ok()) {
      broken_.push_back(std::string(paths.status().message()));
      return;
    }
    for (const std::string& path : *paths) {
      if (path.rfind('/') == 0) continue;
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
    std::vector<std::pair<std::string, NodeId>> pending = {{"", mount_.fs->root()}};
    while (!pending.empty()) {
      const auto [path, dir] = std::move(pending.back());
      pending.pop_back();
      std::map<std::string, FileType> listed;
      const absl::StatusOr<std::vector<Entry>> entries = merged_.ReadDir(path.empty() ? "/" : path);
      if (!entries.ok()) {
        broken_.push_back(std::string(entries.status().message()));
        continue;
      }
      for (const Entry& entry : *entries) listed.emplace(entry.name, entry.type);
      for (const std::string& name : NamesIn(dir)) listed.emplace(name, FileType::kCharDevice);
      for (const auto& [name, type] : listed) {
        const bool shown =
            std::binary_search(entries->begin(), entries->end(), Entry{name, {}, 0},
                               [](const Entry& a, const Entry& b) { return a.name < b.name; });
        const Result<NodeId> node = mount_.fs->Lookup(mount_.AsRoot(), {dir, name});
        CheckName(path + '/' + name, dir, name, shown, type, node);
        if (shown && node.ok() && type == FileType::kDirectory) {
          pending.emplace_back(path + '/' + name, *node);
        }
      }
    }
  }

  void CheckName(const std::string& path, NodeId dir, const std::string& name, bool shown,
                 FileType type, const Result<NodeId>& node) {
    if (node.ok() != shown) {
      // ovl: a directory of one layer is listed as it is, whiteouts included (kernel_quirks).
      if (shown && mount_.options.overlay.kernel_quirks && IsWhiteout(dir, name)) return;
      broken_.push_back(absl::StrFormat("%s is %s, but a lookup %s", Quoted(path),
                                        shown ? "listed" : "not listed",
                                        node.ok() ? "finds it" : "does not find it"));
      return;
    }
    if (!node.ok()) return;
    const Result<Stat> stat = mount_.fs->GetAttr(mount_.AsRoot(), *node);
    if (stat.ok() && stat->type == type) return;
    broken_.push_back(absl::StrFormat("%s is listed with another type", Quoted(path)));
  }

  bool IsWhiteout(NodeId dir, const std::string& name) {
    const Result<NameFindings> findings = mount_.fs->FindInBranches(mount_.AsRoot(), {dir, name});
    if (!findings.ok()) return false;
    for (const BranchFinding& finding : findings->branches) {
      if (finding.outcome == BranchFinding::Outcome::kWhiteout) return true;
    }
    return false;
  }

  // Names of every layer's part of the directory.
  std::set<std::string> NamesIn(NodeId dir) {
    std::set<std::string> names;
    const auto parts = mount_.fs->BranchNodes(dir);
    if (!parts.ok()) return names;
    for (const auto& [branch, node] : *parts) {
      const TreeView part(*mount_.fs->branches()[branch].fs, node, "part");
      const absl::StatusOr<std::vector<Entry>> entries = part.ReadDir("/");
      if (!entries.ok()) continue;
      for (const Entry& entry : *entries) names.insert(entry.name);
    }
    return names;
  }

  const FacadeMount& mount_;
  const TreeView upper_;
  const TreeView merged_;
  std::vector<std::string> broken_;
};

}  // namespace

absl::Status LayeredFs::CheckInvariants() const { return Examiner(*caller_->mount, *this).Run(); }

}  // namespace lamina
