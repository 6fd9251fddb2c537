// BranchSearch: which layer shows a path, found as a union does: from the top, one component
// after the other, stopped by whiteouts, by files in the way and below opaque directories.
#include <algorithm>

#include "lamina/fs/file_system.h"
#include "lamina/sim/scenario.h"
#include "lamina/union/aufs.h"

namespace lamina::sim {
namespace {

enum class Finding : std::uint8_t {
  kAbsent,    // look below
  kBarred,    // nothing here, and a mark or a file hides what is below
  kWhiteout,  // of the path itself
  kFound,
};

enum class Marks : std::uint8_t { kOverlay, kAufs, kNone };

struct SearchedBranch {
  std::string label;  // U, L2, L1, D1; b0, b1
  std::string name;   // of the layer
  DirectoryRef directory;
  Marks marks = Marks::kOverlay;
};

std::vector<SearchedBranch> BranchesOf(const ScenarioMount& mount) {
  std::vector<SearchedBranch> branches;
  if (mount.fs->dialect_name() == "aufs") {
    for (const Branch& branch : mount.fs->branches()) {
      const bool whable = branch.mode != BranchMode::kReadOnly;
      branches.push_back({'b' + std::to_string(branches.size()),
                          branch.name,
                          {branch.fs, branch.root, {}},
                          whable ? Marks::kAufs : Marks::kNone});
    }
    return branches;
  }
  const auto name_at = [](const std::vector<std::string>& names, std::size_t i) {
    return i < names.size() ? names[i] : std::string();
  };
  const OverlayMount& setup = mount.setup;
  if (setup.upper) {
    branches.push_back({"U", mount.upper_name.value_or(""), *setup.upper, Marks::kOverlay});
  }
  for (std::size_t i = 0; i < setup.lowers.size(); ++i) {
    branches.push_back({'L' + std::to_string(setup.lowers.size() - i),
                        name_at(mount.lower_names, i), setup.lowers[i], Marks::kOverlay});
  }
  return branches;
}

std::vector<std::string> Components(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      out.emplace_back(part);
    } else if (!out.empty()) {
      out.pop_back();
    }
  }
  return out;
}

bool IsOpaque(const OpContext& op, FileSystem& fs, NodeId node, Marks marks) {
  if (marks == Marks::kAufs) return fs.Lookup(op, {node, ".wh..wh..opq"}).ok();
  if (marks == Marks::kNone) return false;
  for (std::string_view key : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    const Result<std::string> value = fs.GetXattr(op, node, key);
    if (value.ok() && *value == "y") return true;
  }
  return false;
}

// `directories`: how many components are directories in a branch above, which AUFS keeps looking
// for further down, whatever stands in between. It grows.
Finding Search(const SearchedBranch& branch, const std::vector<std::string>& components,
               std::size_t& directories) {
  const DirectoryRef& directory = branch.directory;
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  FileSystem& fs = *directory.fs;
  NodeId node = directory.node;
  bool opaque = false;
  for (std::size_t i = 0; i < components.size(); ++i) {
    const bool hidden =
        branch.marks == Marks::kAufs && fs.Lookup(op, {node, ".wh." + components[i]}).ok();
    if (hidden) return i + 1 == components.size() ? Finding::kWhiteout : Finding::kBarred;
    const Result<NodeId> child = fs.Lookup(op, {node, components[i]});
    if (!child.ok()) {
      const bool ignored = branch.marks != Marks::kOverlay && i <= directories;
      if (child.error() == Errno::kNotDir) return ignored ? Finding::kAbsent : Finding::kBarred;
      return opaque ? Finding::kBarred : Finding::kAbsent;
    }
    const Result<Stat> stat = fs.GetAttr(op, *child);
    if (!stat.ok()) return Finding::kBarred;
    const bool device = stat->type == FileType::kCharDevice && stat->rdev == 0;
    if (device && branch.marks == Marks::kOverlay) {
      return i + 1 == components.size() ? Finding::kWhiteout : Finding::kBarred;
    }
    node = *child;
    if (stat->type != FileType::kDirectory) continue;
    directories = std::max(directories, i + 1);
    opaque = opaque || IsOpaque(op, fs, node, branch.marks);
  }
  return Finding::kFound;
}

// AUFS refuses the name before it looks into a branch.
bool IsRefused(const ScenarioMount& mount, const std::vector<std::string>& components) {
  if (mount.fs->dialect_name() != "aufs" || AufsOptionsOf(*mount.fs).shwh) return false;
  return std::any_of(components.begin(), components.end(),
                     [](const std::string& name) { return name.starts_with(".wh."); });
}

}  // namespace

std::optional<std::string> BranchSearch::LayerOf(const ScenarioRun& run, std::string_view path) {
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) return std::nullopt;
  const std::vector<std::string> components = Components(path);
  if (IsRefused(*mount, components)) return std::nullopt;
  std::size_t directories = 0;
  for (const SearchedBranch& branch : BranchesOf(*mount)) {
    const Finding finding = Search(branch, components, directories);
    if (finding == Finding::kFound) return branch.name;
    if (finding != Finding::kAbsent) return std::nullopt;
  }
  return std::nullopt;
}

std::string BranchSearch::Column(const ScenarioRun& run, std::string_view path) {
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) return "";
  const std::vector<std::string> components = Components(path);
  if (IsRefused(*mount, components)) return "";
  std::size_t directories = 0;
  std::string out;
  for (const SearchedBranch& branch : BranchesOf(*mount)) {
    if (!out.empty()) out += "  ";
    out += branch.label;
    const Finding finding = Search(branch, components, directories);
    switch (finding) {
      case Finding::kAbsent:
        out += "·";
        break;
      case Finding::kBarred:
        out += "✕";
        break;
      case Finding::kWhiteout:
        out += "⊘";
        break;
      case Finding::kFound:
        out += "●";
        break;
    }
    if (finding != Finding::kAbsent) break;
  }
  return out;
}

}  // namespace lamina::sim
