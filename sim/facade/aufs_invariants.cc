// What must hold in the writable branches of an AUFS: the classes of `auchk`, and that a whiteout
// hides something.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "sim/facade/aufs_mount.h"
#include "sim/facade/aufs_words.h"
#include "sim/facade/facade_mount.h"

namespace lamina::internal {
namespace {

constexpr std::string_view kPlinks = "/.wh..wh.plnk";

class BranchExaminer {
 public:
  BranchExaminer(const FacadeMount& mount, BranchIndex branch, std::vector<std::string>& broken)
      : mount_(mount),
        branch_(branch),
        view_(*mount.fs->branches()[branch].fs, mount.fs->branches()[branch].root, "branch"),
        broken_(broken) {}

  void Run() {
    const absl::StatusOr<std::vector<std::string>> paths = view_.AllPaths();
    if (!paths.ok()) {
      Add("%s cannot be read", LayerWord(mount_, branch_));
      return;
    }
    for (const std::string& path : *paths) {
      if (IsReservedName(LastNameOf(path)) || IsReservedName(LastNameOf(ParentOf(path)))) {
        CheckReserved(path);
      } else if (const std::optional<std::string> hidden = HiddenPathOf(path); hidden) {
        CheckWhiteout(path, *hidden);
      }
    }
  }

 private:
  template <typename... Args>
  void Add(const absl::FormatSpec<Args...>& format, const Args&... args) {
    broken_.push_back(absl::StrFormat(format, args...));
  }

  void CheckReserved(const std::string& path) {
    const std::string_view name = LastNameOf(path);
    const std::string_view parent = ParentOf(path);
    if (name == kAufsOpaqueName || IsOldNameMark(name)) return;
    const absl::StatusOr<Stat> dir = view_.Lstat(parent.empty() ? "/" : parent);
    if (!dir.ok()) return;
    if (AufsStillUses(mount_.AsRoot(), *mount_.fs, branch_, {dir->node, name})) return;
    const std::string layer = LayerWord(mount_, branch_);
    if (parent == kPlinks) {
      // One of this mount stays when its last name goes.
      const std::string& holder = mount_.BranchName(branch_);
      if (!mount_.old_pseudo_links.contains({holder, std::string(name)})) return;
      Add("pseudo-link %s is left over in %s", Quoted(path), layer);
    } else if (parent == "/.wh..wh.orph") {
      Add("orphan %s is left over in %s", Quoted(path), layer);
    } else if (IsReservedName(name)) {
      Add("temporary %s is left over in %s", Quoted(path), layer);
    }
  }

  void CheckWhiteout(const std::string& path, const std::string& hidden) {
    const absl::StatusOr<Stat> stat = view_.Lstat(path);
    const std::string layer = LayerWord(mount_, branch_);
    if (stat.ok() && stat->type != FileType::kRegular) {
      Add("whiteout %s in %s is a %s", Quoted(path), layer, TypeWord(stat->type));
    } else if (view_.Lstat(hidden).ok()) {
      Add("whiteout %s stands beside %s in %s%s", Quoted(path), Quoted(hidden), layer,
          GivesEio(hidden) ? ": looking it up gives EIO" : "");
    } else if (!mount_.branches_changed && HidesNothing(hidden)) {
      Add("whiteout %s hides nothing", Quoted(path));
    }
  }

  TreeView Merged() const { return TreeView(*mount_.fs, mount_.fs->root(), "merged"); }

  bool GivesEio(const std::string& path) const {
    return ErrnoOf(Merged().Lstat(path).status()) == EIO;
  }

  // The directory merges with one below, and there the name is not.
  bool HidesNothing(const std::string& hidden) const {
    const std::string_view parent = ParentOf(hidden);
    const absl::StatusOr<Stat> dir = Merged().Lstat(parent.empty() ? "/" : parent);
    if (!dir.ok() || dir->type != FileType::kDirectory) return false;
    const auto parts = mount_.fs->BranchNodes(dir->node);
    if (!parts.ok()) return false;
    bool merges = false;
    for (const auto& [branch, node] : *parts) {
      if (branch <= branch_) continue;
      merges = true;
      FileSystem& fs = *mount_.fs->branches()[branch].fs;
      const OpContext op = mount_.AsRoot();
      const std::string whiteout = absl::StrFormat("%s%s", kDotWh, LastNameOf(hidden));
      if (AufsModeOf(*mount_.fs, branch).whable() && fs.Lookup(op, {node, whiteout}).ok()) break;
      if (fs.Lookup(op, {node, LastNameOf(hidden)}).ok()) return false;
    }
    return merges;
  }

  const FacadeMount& mount_;
  const BranchIndex branch_;
  const TreeView view_;
  std::vector<std::string>& broken_;
};

}  // namespace

void NoteOldPseudoLinks(FacadeMount& mount, const std::string& layer) {
  const Result<DirectoryRef> directory = FindAufsDirectory(mount, layer);
  if (!directory.ok()) return;
  const TreeView view(*directory->fs, directory->node, layer);
  const absl::StatusOr<std::vector<Entry>> entries = view.ReadDir(kPlinks);
  if (!entries.ok()) return;  // it has none
  for (const Entry& entry : *entries) mount.old_pseudo_links.emplace(layer, entry.name);
}

void CheckAufsBranches(const FacadeMount& mount, std::vector<std::string>& broken) {
  for (std::size_t i = 0; i < mount.fs->branches().size(); ++i) {
    const auto branch = static_cast<BranchIndex>(i);
    if (mount.fs->branches()[i].mode != BranchMode::kReadWrite) continue;
    BranchExaminer(mount, branch, broken).Run();
  }
}

bool MayBeUnfound(const FacadeMount& mount, std::string_view path) {
  if (LastNameOf(path).size() > kAufsNameMax) return true;
  const auto& branches = mount.fs->branches();
  return std::any_of(branches.begin(), branches.end(), [&](const Branch& branch) {
    const TreeView view(*branch.fs, branch.root, branch.name);
    return view.Lstat(WhiteoutPathOf(path)).ok() && view.Lstat(path).ok();
  });
}

}  // namespace lamina::internal
