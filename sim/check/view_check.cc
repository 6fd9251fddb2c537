#include "sim/check/view_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "lamina/base/errno.h"

namespace lamina::sim {
namespace {

constexpr std::string_view kViewLabel = "M";
constexpr std::string_view kNever = " never does this: it is a fault of lamina, not of the layers";

class ViewCheck {
 public:
  ViewCheck(const OpContext& op, FileSystem& view, UnionFs& fs, const OverlayOptions& options,
            const std::vector<StackFinding>& known)
      : op_(op),
        view_(view),
        fs_(fs),
        aufs_(fs.dialect_name() == "aufs"),
        prefix_(options.userxattr ? "user.overlay." : "trusted.overlay."),
        kernel_quirks_(!aufs_ && options.kernel_quirks) {
    for (const StackFinding& finding : known) {
      if (finding.node != NodeId()) known_.insert({finding.branch, finding.node});
    }
  }

  Result<std::vector<StackFinding>> Run() {
    if (Result<void> done = CheckMarks("/", fs_.root()); !done.ok()) return done.error();
    std::set<NodeId> seen;  // two names may show one directory
    pending_.push_back({"", fs_.root()});
    while (!pending_.empty()) {
      const auto [path, dir] = std::move(pending_.back());
      pending_.pop_back();
      if (!seen.insert(dir).second) continue;
      if (Result<void> done = CheckDirectory(path, dir); !done.ok()) return done.error();
    }
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const StackFinding& a, const StackFinding& b) { return a.path < b.path; });
    return std::move(findings_);
  }

 private:
  Result<std::vector<std::pair<std::string, FileType>>> List(FileSystem& fs, NodeId dir) const {
    const Result<HandleId> handle = &fs == &fs_ ? fs_.OpenToLook(op_, dir) : fs.Open(op_, dir, {});
    if (!handle.ok()) return handle.error();
    std::vector<std::pair<std::string, FileType>> entries;
    const Result<DirCookie> end = fs.ReadDir(op_, *handle, {}, [&](const DirEntry& entry) {
      entries.emplace_back(entry.name, entry.type);
      return true;
    });
    fs.Close(*handle);
    if (!end.ok()) return end.error();
    return entries;
  }

  Result<void> CheckDirectory(const std::string& path, NodeId dir) {
    const auto entries = List(view_, dir);
    if (!entries.ok()) return entries.error();
    std::map<std::string, std::optional<FileType>> names;  // with a type: listed
    for (const auto& [name, type] : *entries) {
      if (!names.emplace(name, type).second) {
        Add(FindingKind::kListedTwice, path + '/' + name, "listed twice");
      }
    }
    const auto parts = fs_.BranchNodes(dir);
    if (!parts.ok()) return parts.error();
    for (const auto& [branch, node] : *parts) {
      const auto held = List(*fs_.branches()[branch].fs, node);
      if (!held.ok()) return held.error();
      for (const auto& [name, type] : *held) names.emplace(name, std::nullopt);
    }
    for (const auto& [name, type] : names) {
      if (Result<void> done = CheckName(path + '/' + name, {dir, name}, type); !done.ok()) {
        return done;
      }
    }
    return {};
  }

  Result<void> CheckName(const std::string& path, Place place, std::optional<FileType> listed) {
    const Result<NodeId> node = view_.Lookup(op_, place);
    if (!node.ok()) {
      if (listed) CheckNotFound(path, place, node.error());
      return {};
    }
    if (!listed) {
      Add(FindingKind::kNotListed, path, "not listed, but a lookup finds it");
      return {};
    }
    const Result<Stat> stat = view_.GetAttr(op_, *node);
    if (!stat.ok()) return stat.error();
    if (stat->type != *listed) Add(FindingKind::kListedType, path, "listed with another type");
    if (stat->type == FileType::kDirectory) pending_.emplace_back(path, *node);
    return CheckMarks(path, *node);
  }

  void CheckNotFound(const std::string& path, Place place, Errno error) {
    if (error == Errno::kNoEnt) {
      // ovl: a directory of one layer is listed as it is, whiteouts included, and so are whiteouts
      // in the xattr form (OVL-007, OVL-012).
      if (kernel_quirks_ && IsWhiteout(place)) return;
      // AUFS collects no whiteouts of the lowest branch: an entry beside its whiteout is listed.
      if (aufs_ && IsBesideWhiteout(place)) return;
      Add(FindingKind::kNotFound, path, "listed, but a lookup does not find it");
      return;
    }
    if (IsKnown(place)) return;
    findings_.push_back(
        {FindingKind::kListedOnly, Severity::kError, std::string(kViewLabel), "merged", path,
         "listed, but a lookup gives " + std::string(ErrnoName(error)),
         Who() + " lists the name, too, and refuses every access by it", 0, NodeId()});
  }

  std::string Who() const { return aufs_ ? "AUFS" : "the kernel"; }

  bool IsBesideWhiteout(Place place) const {
    const Result<NameFindings> found = fs_.FindInBranches(op_, place);
    return found.ok() &&
           std::any_of(found->branches.begin(), found->branches.end(),
                       [](const auto& finding) { return finding.beside.has_value(); });
  }

  bool IsWhiteout(Place place) const {
    const Result<NameFindings> found = fs_.FindInBranches(op_, place);
    if (!found.ok()) return false;
    return std::any_of(found->branches.begin(), found->branches.end(), [](const auto& finding) {
      return finding.outcome == BranchFinding::Outcome::kWhiteout;
    });
  }

  // Whether a layer holds under the name what a finding speaks of.
  bool IsKnown(Place place) const {
    const auto parts = fs_.BranchNodes(place.dir);
    if (!parts.ok()) return false;
    for (const auto& [branch, dir] : *parts) {
      const Result<NodeId> node = fs_.branches()[branch].fs->Lookup(op_, {dir, place.name});
      if (node.ok() && known_.contains({branch, *node})) return true;
    }
    return false;
  }

  // A key with the prefix of the marks is shown only for one that is stored with an escape.
  Result<void> CheckMarks(const std::string& path, NodeId node) {
    if (aufs_) return {};  // its marks are files
    const Result<std::vector<std::string>> keys = view_.ListXattr(op_, node);
    if (!keys.ok()) return keys.error();
    for (const std::string& key : *keys) {
      if (!key.starts_with(prefix_)) continue;
      const auto parts = fs_.BranchNodes(node);
      if (!parts.ok()) return parts.error();
      const auto [branch, part] = parts->front();
      const std::string escaped = prefix_ + "overlay." + key.substr(prefix_.size());
      if (fs_.branches()[branch].fs->GetXattr(op_, part, escaped).ok()) continue;
      Add(FindingKind::kShownMark, path, "shown with the private mark " + key);
    }
    return {};
  }

  void Add(FindingKind kind, const std::string& path, std::string what) {
    findings_.push_back({kind, Severity::kError, std::string(kViewLabel), "merged", path,
                         std::move(what), Who() + std::string(kNever), 0, NodeId()});
  }

  const OpContext& op_;
  FileSystem& view_;
  UnionFs& fs_;
  const bool aufs_;
  const std::string prefix_;
  const bool kernel_quirks_;
  std::set<std::pair<BranchIndex, NodeId>> known_;
  std::vector<std::pair<std::string, NodeId>> pending_;
  std::vector<StackFinding> findings_;
};

}  // namespace

namespace internal {

Result<std::vector<StackFinding>> CheckView(const OpContext& op, FileSystem& view, UnionFs& fs,
                                            const OverlayOptions& options,
                                            const std::vector<StackFinding>& known) {
  return ViewCheck(op, view, fs, options, known).Run();
}

}  // namespace internal

Result<std::vector<StackFinding>> CheckMountedTree(const OpContext& op, UnionFs& fs,
                                                   const OverlayOptions& options,
                                                   const std::vector<StackFinding>& known) {
  return internal::CheckView(op, fs, fs, options, known);
}

}  // namespace lamina::sim
