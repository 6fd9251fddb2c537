// ReadLayeredTree: three walks. The layers one by one give what is stored; the mounted tree gives
// what is visible; every name of every part of a merged directory gives what is hidden.
#include "lamina/sim/tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "lamina/sim/changes.h"
#include "lamina/union/union_fs.h"
#include "sim/explain/aufs_files.h"
#include "sim/explain/branch_names.h"

namespace lamina::sim {

using internal::BranchName;

namespace {

// An inode of a branch. Two branches may lie on one file system.
using Inode = std::pair<FileSystem*, std::uint64_t>;

struct Child {
  std::string name;
  NodeId node;
};

class TreeReader {
 public:
  explicit TreeReader(const ScenarioMount& mount)
      : fs_(*mount.fs),
        aufs_(internal::IsAufs(mount)),
        names_(internal::BranchNamesOf(mount)),
        metacopy_key_(mount.setup.options.userxattr ? "user.overlay.metacopy"
                                                    : "trusted.overlay.metacopy") {}

  Result<LayeredTree> Read(const std::vector<LayerChange>& changes) {
    for (const LayerChange& change : changes) {
      letters_[change.path] = std::string(ChangeLetter(change.kind));
    }
    if (Result<void> done = AddStored(); !done.ok()) return done.error();
    if (Result<void> done = FindVisible(); !done.ok()) return done.error();
    if (Result<void> done = AddEntries(); !done.ok()) return done.error();
    if (Result<void> done = AddUnusedBodies(); !done.ok()) return done.error();
    if (Result<void> done = AddPrivateFiles(); !done.ok()) return done.error();
    return std::move(tree_);
  }

 private:
  struct Directory {
    NodeId node;
    std::string path;  // "" for the root
    std::vector<std::string> names;
    std::size_t next = 0;
  };

  OpContext op() const { return {root_, kSimulationStart, Probe()}; }

  Result<std::vector<Child>> List(FileSystem& fs, NodeId dir) const {
    const Result<HandleId> handle =
        &fs == &fs_ ? fs_.OpenToLook(op(), dir) : fs.Open(op(), dir, {});
    if (!handle.ok()) return handle.error();
    std::vector<Child> children;
    const Result<DirCookie> end = fs.ReadDir(op(), *handle, {}, [&](const DirEntry& entry) {
      children.push_back({std::string(entry.name), {}});
      return true;
    });
    fs.Close(*handle);
    if (!end.ok()) return end.error();
    for (Child& child : children) {
      if (Result<NodeId> node = fs.Lookup(op(), {dir, child.name}); node.ok()) child.node = *node;
    }
    std::erase_if(children, [](const Child& child) { return child.node == NodeId{}; });
    return children;
  }

  // Calls `visit` with the Stat of every object at and below `top`, but AUFS's own when `own` says
  // so.
  enum class OwnFiles : std::uint8_t { kVisit, kSkip };
  template <typename Visit>
  Result<void> ForEachBelow(FileSystem& fs, NodeId top, OwnFiles own, Visit visit) const {
    std::vector<NodeId> pending = {top};
    while (!pending.empty()) {
      const NodeId node = pending.back();
      pending.pop_back();
      const Result<Stat> stat = fs.GetAttr(op(), node);
      if (!stat.ok()) return stat.error();
      visit(*stat, node);
      if (stat->type != FileType::kDirectory) continue;
      const Result<std::vector<Child>> children = List(fs, node);
      if (!children.ok()) return children.error();
      for (const Child& child : *children) {
        if (own == OwnFiles::kSkip && internal::IsAufsOwn(child.name)) continue;
        pending.push_back(child.node);
      }
    }
    return {};
  }
  template <typename Visit>
  Result<void> ForEachBelow(FileSystem& fs, NodeId top, Visit visit) const {
    return ForEachBelow(fs, top, OwnFiles::kVisit, visit);
  }

  // A file that holds attributes only stores no body.
  std::uint64_t StoredBytes(FileSystem& fs, const Stat& stat, NodeId node) const {
    const bool metacopy = !aufs_ && fs.GetXattr(op(), node, metacopy_key_).ok();
    return metacopy ? 0 : stat.size_bytes;
  }

  Result<void> AddStored() {
    absl::flat_hash_set<Inode> seen;
    for (const Branch& branch : fs_.branches()) {
      Result<void> done = ForEachBelow(*branch.fs, branch.root, [&](const Stat& stat, NodeId node) {
        if (stat.type != FileType::kRegular) return;
        if (!seen.insert({branch.fs, node.value}).second) return;
        tree_.totals.stored_bytes += StoredBytes(*branch.fs, stat, node);
      });
      if (!done.ok()) return done;
    }
    return {};
  }

  Result<void> FindVisible() {
    return ForEachBelow(fs_, fs_.root(), [&](const Stat& stat, NodeId node) {
      if (stat.type != FileType::kRegular) return;
      const auto parts = fs_.BranchNodes(node);
      const auto body = fs_.BodyNode(op(), node);
      if (!parts.ok() || parts->empty() || !body.ok()) return;
      // Everything that makes the file what it is: attributes from one branch, the body of another.
      for (const auto& [branch, part] : *parts) {
        visible_.insert({fs_.branches()[branch].fs, part.value});
        if (branch == body->first && part == body->second) break;
      }
      FileSystem& fs = *fs_.branches()[body->first].fs;
      if (!bodies_.insert({&fs, body->second.value}).second) return;
      const Result<Stat> shown = fs.GetAttr(op(), body->second);
      if (shown.ok()) tree_.totals.visible_bytes += shown->size_bytes;
    });
  }

  // Bodies of data-only layers that no file uses.
  Result<void> AddUnusedBodies() {
    for (const Branch& branch : fs_.branches()) {
      if (!branch.data_only) continue;
      Result<void> done = ForEachBelow(*branch.fs, branch.root, [&](const Stat& stat, NodeId node) {
        const Inode inode{branch.fs, node.value};
        if (stat.type != FileType::kRegular || bodies_.contains(inode)) return;
        if (!counted_.insert(inode).second) return;
        ++tree_.totals.hidden_files;
        tree_.totals.hidden_bytes += StoredBytes(*branch.fs, stat, node);
      });
      if (!done.ok()) return done;
    }
    return {};
  }

  // What AUFS keeps for itself in the branches.
  Result<void> AddPrivateFiles() {
    for (std::size_t i = 0; aufs_ && i < fs_.branches().size(); ++i) {
      const Branch& branch = fs_.branches()[i];
      const auto files = internal::ReadAufsOwn(op(), *branch.fs, branch.root);
      if (!files.ok()) return files.error();
      for (const internal::AufsOwnFile& file : *files) AddPrivateFile(*branch.fs, file);
    }
    return {};
  }

  void AddPrivateFile(FileSystem& fs, const internal::AufsOwnFile& file) {
    using Kind = internal::AufsOwnFile::Kind;
    TreeTotals& totals = tree_.totals;
    if (file.kind == Kind::kWhiteout) ++totals.whiteouts;
    if (file.kind == Kind::kOpaque) ++totals.opaque_marks;
    if (file.kind == Kind::kBase) ++totals.base_entries;
    if (file.stat.type != FileType::kRegular) return;
    const Inode inode{&fs, file.stat.node.value};
    if (visible_.contains(inode) || !counted_.insert(inode).second) return;
    if (file.kind == Kind::kOther) ++totals.hidden_files;
    totals.hidden_bytes += file.stat.size_bytes;
  }

  // The names of a merged directory in all its parts, with those that are hidden.
  Result<std::vector<std::string>> NamesIn(NodeId dir) const {
    const auto parts = fs_.BranchNodes(dir);
    if (!parts.ok()) return parts.error();
    std::set<std::string> names;
    for (const auto& [branch, node] : *parts) {
      const Result<std::vector<Child>> children = List(*fs_.branches()[branch].fs, node);
      if (!children.ok()) return children.error();
      const bool whiteouts_count = fs_.branches()[branch].mode != BranchMode::kReadOnly;
      for (const Child& child : *children) {
        std::string name = child.name;
        if (aufs_ && internal::IsAufsOwn(name)) {
          name = whiteouts_count ? internal::WhitedOutName(name) : "";
        }
        if (!name.empty()) names.insert(std::move(name));
      }
    }
    return std::vector<std::string>(names.begin(), names.end());
  }

  Result<void> AddEntries() {
    Result<Stat> root = fs_.GetAttr(op(), fs_.root());
    if (!root.ok()) return root.error();
    TreeEntry entry;
    entry.path = "/";
    entry.stat = *root;
    entry.last = true;
    tree_.entries.push_back(std::move(entry));
    std::vector<Directory> open;
    if (Result<void> done = Enter(fs_.root(), "", open); !done.ok()) return done;
    while (!open.empty()) {
      Directory& dir = open.back();
      if (dir.next == dir.names.size()) {
        open.pop_back();
        continue;
      }
      const std::string name = dir.names[dir.next++];
      const Result<std::optional<NodeId>> inside = AddEntry(dir, name, open.size());
      if (!inside.ok()) return inside.error();
      const std::string path = dir.path + '/' + name;
      if (!inside->has_value()) continue;
      if (Result<void> done = Enter(**inside, path, open); !done.ok()) return done;
    }
    return {};
  }

  Result<void> Enter(NodeId node, const std::string& path, std::vector<Directory>& open) const {
    Result<std::vector<std::string>> names = NamesIn(node);
    if (!names.ok()) return names.error();
    open.push_back({node, path, *std::move(names), 0});
    return {};
  }

  // Gives the node when it is a directory to go into.
  Result<std::optional<NodeId>> AddEntry(const Directory& dir, const std::string& name,
                                         std::size_t depth) {
    const Result<NameFindings> findings = fs_.FindInBranches(op(), {dir.node, name});
    if (!findings.ok()) return findings.error();
    TreeEntry entry;
    entry.path = dir.path + '/' + name;
    entry.name = name;
    entry.depth = depth;
    entry.last = dir.next == dir.names.size();
    for (const BranchFinding& finding : findings->branches) {
      if (Result<void> done = AddFinding(finding, entry); !done.ok()) return done.error();
    }
    if (aufs_) {
      if (Result<void> done = AddUnseen(*findings, entry); !done.ok()) return done.error();
    }
    if (Result<void> done = AddBesideRedirect(dir.node, *findings, entry); !done.ok()) {
      return done.error();
    }
    std::optional<NodeId> inside;
    if (findings->answer.ok()) {
      Result<Stat> stat = fs_.GetAttr(op(), *findings->answer);
      if (!stat.ok()) return stat.error();
      if (stat->type == FileType::kDirectory) inside = *findings->answer;
      if (Result<void> done = AddVisible(*stat, entry); !done.ok()) return done.error();
    } else if (findings->answer.error() != Errno::kNoEnt) {
      entry.error = findings->answer.error();
      if (entry.whiteout) entry.notes.emplace_back(ErrnoName(*entry.error));
    }
    const auto letter = letters_.find(entry.path);
    if (letter != letters_.end()) entry.change = letter->second;
    if (entry.whiteout && !aufs_) ++tree_.totals.whiteouts;
    tree_.entries.push_back(std::move(entry));
    return inside;
  }

  Result<void> AddVisible(const Stat& stat, TreeEntry& entry) {
    TreeTotals& totals = tree_.totals;
    entry.stat = stat;
    entry.whiteout = false;
    switch (stat.type) {
      case FileType::kRegular:
        ++totals.files;
        return {};
      case FileType::kDirectory:
        ++totals.directories;
        return {};
      case FileType::kSymlink: {
        Result<std::string> target = fs_.ReadLink(op(), stat.node);
        if (!target.ok()) return target.error();
        entry.target = *std::move(target);
        ++totals.others;
        return {};
      }
      case FileType::kCharDevice:
      case FileType::kBlockDevice:
      case FileType::kFifo:
      case FileType::kSocket:
        ++totals.others;
        return {};
    }
    return {};
  }

  Result<void> AddFinding(const BranchFinding& finding, TreeEntry& entry) {
    using Outcome = BranchFinding::Outcome;
    const BranchName& name = names_[finding.branch];
    if (name.data_only && !finding.body) return {};
    AddNotes(finding, name.label, entry);
    switch (finding.outcome) {
      case Outcome::kNoDirectory:
      case Outcome::kNoEntry:
        return {};
      case Outcome::kFound:
        entry.labels.push_back(name.label);
        return {};
      case Outcome::kWhiteout: {
        if (entry.labels.empty()) {
          entry.whiteout = true;
          entry.labels.push_back(name.label);
        }
        if (!finding.beside) return {};
        BranchFinding entry_beside = finding;
        entry_beside.stat = *finding.beside;
        return AddHidden(entry_beside, name.label, entry);
      }
      case Outcome::kHidden:
        if (finding.lone_whiteout) return {};
        return AddHidden(finding, name.label, entry);
    }
    return {};
  }

  // Of AUFS: what stands under the name and takes no part in what is shown. The name may not be
  // looked up; it may be pseudo-linked, and its file another branch's copy; the mount may remember
  // it otherwise than a first lookup would find it.
  Result<void> AddUnseen(const NameFindings& findings, TreeEntry& entry) {
    std::vector<std::pair<BranchIndex, NodeId>> parts;
    if (findings.answer.ok()) {
      auto known = fs_.BranchNodes(*findings.answer);
      if (!known.ok()) return known.error();
      parts = *std::move(known);
    }
    for (const BranchFinding& finding : findings.branches) {
      if (finding.outcome != BranchFinding::Outcome::kFound) continue;
      const std::pair<BranchIndex, NodeId> part(finding.branch, finding.stat->node);
      if (std::find(parts.begin(), parts.end(), part) != parts.end()) continue;
      const std::string& label = names_[finding.branch].label;
      if (!parts.empty()) {
        std::erase(entry.labels, label);
        const bool file = finding.stat->type != FileType::kDirectory;
        if (file && parts.front().first != finding.branch) {
          entry.labels = {names_[parts.front().first].label};
          entry.notes.push_back("a pseudo-link, its name is in " + label);
        }
      }
      if (Result<void> done = AddHidden(finding, label, entry); !done.ok()) return done;
    }
    return {};
  }

  void AddNotes(const BranchFinding& finding, const std::string& label, TreeEntry& entry) const {
    if (aufs_) AddMarkNotes(finding, label, entry);
    if (finding.outcome != BranchFinding::Outcome::kFound) return;
    if (finding.metacopy) entry.notes.push_back("attributes only in " + label);
    if (finding.body) entry.notes.push_back("body in " + label);
    if (!finding.redirect.empty()) {
      entry.notes.push_back(label + " redirects to " + finding.redirect);
    }
    if (finding.through_index) entry.notes.push_back("linked by the index");
  }

  static void AddMarkNotes(const BranchFinding& finding, const std::string& label,
                           TreeEntry& entry) {
    using Outcome = BranchFinding::Outcome;
    if (finding.outcome == Outcome::kFound && finding.opaque) {
      entry.notes.push_back("opaque in " + label);
    }
    if (finding.outcome == Outcome::kWhiteout && !entry.labels.empty() && !entry.whiteout) {
      entry.notes.push_back("a whiteout in " + label + " ends the merge");
    }
    if (!finding.old_path.empty()) {
      entry.notes.push_back("still called " + finding.old_path + " in " + label);
    }
    if (finding.whiteout_ignored) entry.notes.push_back(label + "'s whiteout is not honoured");
    if (finding.opaque_ignored) entry.notes.push_back(label + "'s opaque mark is not honoured");
  }

  // What a branch holds under the name itself, where a redirect leads to another one.
  Result<void> AddBesideRedirect(NodeId dir, const NameFindings& findings, TreeEntry& entry) {
    const bool redirected = std::any_of(
        findings.branches.begin(), findings.branches.end(), [](const BranchFinding& finding) {
          return !finding.redirect.empty() || !finding.old_path.empty();
        });
    if (!redirected) return {};
    const auto parts = fs_.BranchNodes(dir);
    if (!parts.ok()) return parts.error();
    for (const auto& [branch, node] : *parts) {
      const BranchFinding& finding = findings.branches[branch];
      if (finding.outcome != BranchFinding::Outcome::kFound) continue;
      FileSystem& fs = *fs_.branches()[branch].fs;
      const Result<NodeId> own = fs.Lookup(op(), {node, entry.name});
      if (!own.ok() || *own == finding.stat->node) continue;
      const Result<Stat> stat = fs.GetAttr(op(), *own);
      if (!stat.ok()) return stat.error();
      BranchFinding hidden;
      hidden.branch = branch;
      hidden.stat = *stat;
      if (Result<void> done = AddHidden(hidden, names_[branch].label, entry); !done.ok()) {
        return done;
      }
    }
    return {};
  }

  Result<void> AddHidden(const BranchFinding& finding, const std::string& label, TreeEntry& entry) {
    FileSystem& fs = *fs_.branches()[finding.branch].fs;
    HiddenCopy copy;
    copy.label = label;
    copy.type = finding.stat->type;
    const OwnFiles own = aufs_ ? OwnFiles::kSkip : OwnFiles::kVisit;
    const auto add = [&](const Stat& stat, NodeId node) {
      if (stat.type != FileType::kRegular) return;
      const Inode inode{&fs, node.value};
      if (visible_.contains(inode) || !counted_.insert(inode).second) return;
      ++copy.files;
      copy.bytes += StoredBytes(fs, stat, node);
    };
    Result<void> done = ForEachBelow(fs, finding.stat->node, own, add);
    if (!done.ok()) return done;
    tree_.totals.hidden_files += copy.files;
    tree_.totals.hidden_bytes += copy.bytes;
    entry.hidden.push_back(std::move(copy));
    return {};
  }

  UnionFs& fs_;
  const bool aufs_;
  std::vector<BranchName> names_;
  std::string metacopy_key_;
  Credentials root_ = RootCredentials();
  absl::flat_hash_map<std::string, std::string> letters_;  // by path, as lamina diff
  absl::flat_hash_set<Inode> visible_;
  absl::flat_hash_set<Inode> bodies_;   // of visible files
  absl::flat_hash_set<Inode> counted_;  // hidden inodes
  LayeredTree tree_;
};

}  // namespace

absl::StatusOr<LayeredTree> ReadLayeredTree(const ScenarioMount& mount) {
  const Result<std::vector<LayerChange>> changes = ChangesOf(*mount.fs, mount.setup.options);
  Result<LayeredTree> tree = Errno::kIo;
  if (changes.ok()) tree = TreeReader(mount).Read(*changes);
  if (tree.ok()) return *std::move(tree);
  const Errno error = changes.ok() ? tree.error() : changes.error();
  return absl::InternalError(
      absl::StrFormat("the mounted tree cannot be read: %s", ErrnoName(error)));
}

}  // namespace lamina::sim
