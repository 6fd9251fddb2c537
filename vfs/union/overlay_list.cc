// Overlay listings and identities (fs/overlayfs/readdir.c, inode.c).
#include <algorithm>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lamina/base/check.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

absl::string_view Key(std::string_view name) { return {name.data(), name.size()}; }

// One branch's entries, in its own order.
Result<std::vector<ListedEntry>> ReadBranch(const OpContext& op, FileSystem& fs, const Hit& hit) {
  Result<HandleId> handle = fs.Open(op, hit.node, {});
  if (!handle.ok()) return handle.error();
  std::vector<ListedEntry> entries;
  Result<DirCookie> end = fs.ReadDir(op, *handle, DirCookie{}, [&](const DirEntry& entry) {
    ListedEntry& listed = entries.emplace_back();
    listed.name = std::string(entry.name);
    listed.type = entry.type;
    listed.ino = entry.ino;
    listed.branch = hit.branch;
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  return entries;
}

// Merges branch listings: the first branch that has a name decides. The order is the kernel's:
// names of the lowest branch first, so that offsets change little while files are copied up.
class Merge {
 public:
  void Reserve(std::size_t count) { index_.reserve(count); }

  void Add(std::vector<ListedEntry> entries, bool lowest) {
    for (ListedEntry& entry : entries) {
      auto known = index_.find(Key(entry.name));
      if (known == index_.end()) {
        entries_.push_back(std::make_unique<ListedEntry>(std::move(entry)));
        index_.emplace(Key(entries_.back()->name), entries_.size() - 1);
        if (lowest) lowest_.push_back(entries_.size() - 1);
      } else if (lowest) {
        lowest_.push_back(known->second);
      }
    }
  }

  std::vector<ListedEntry> Take() {
    std::vector<ListedEntry> result;
    result.reserve(entries_.size());
    for (const std::size_t at : lowest_) {
      result.push_back(std::move(*entries_[at]));
      entries_[at].reset();
    }
    for (std::unique_ptr<ListedEntry>& entry : entries_) {
      if (entry != nullptr) result.push_back(std::move(*entry));
    }
    return result;
  }

 private:
  std::vector<std::unique_ptr<ListedEntry>> entries_;
  std::vector<std::size_t> lowest_;
  absl::flat_hash_map<absl::string_view, std::size_t> index_;
};

}  // namespace

Result<std::vector<ListedEntry>> OverlayDialect::List(const OpContext& caller,
                                                      const UnionState& state,
                                                      const UnionNode& dir) const {
  const OpContext op = AsMounter(caller);
  Merge merge;
  for (std::size_t i = 0; i < dir.hits.size(); ++i) {
    const Hit& hit = dir.hits[i];
    FileSystem& fs = state.fs(hit.branch);
    Result<std::vector<ListedEntry>> entries = ReadBranch(op, fs, hit);
    if (!entries.ok()) return entries.error();
    const bool may_hold_xattr_whiteouts =
        dir.xattr_whiteouts && ReadMark(op, fs, hit.node, config_.marks.opaque) == "x";
    for (ListedEntry& entry : *entries) {
      entry.check_whiteout = may_hold_xattr_whiteouts && entry.type == FileType::kRegular;
      if (entry.type != FileType::kCharDevice) continue;
      Result<NodeId> node = fs.Lookup(op, {hit.node, entry.name});
      if (!node.ok()) continue;
      Result<Stat> stat = fs.GetAttr(op, *node);
      entry.whiteout = stat.ok() && stat->type == FileType::kCharDevice && stat->rdev == 0;
    }
    merge.Add(*std::move(entries), i + 1 == dir.hits.size());
  }
  return merge.Take();
}

bool OverlayDialect::ListsBranchDirectly(const UnionNode& dir) const {
  return config_.kernel_quirks && !dir.may_hold_whiteouts;
}

std::string OverlayDialect::StoredXattr(std::string_view key) const {
  if (key.substr(0, config_.prefix.size()) != config_.prefix) return std::string(key);
  return config_.prefix + "overlay." + std::string(key.substr(config_.prefix.size()));
}

std::optional<std::string> OverlayDialect::ShownXattr(std::string_view stored) const {
  if (stored.substr(0, config_.prefix.size()) != config_.prefix) return std::string(stored);
  constexpr std::string_view kEscape = "overlay.";
  const std::string_view rest = stored.substr(config_.prefix.size());
  if (rest.substr(0, kEscape.size()) != kEscape) return std::nullopt;
  return config_.prefix + std::string(rest.substr(kEscape.size()));
}

void OverlayDialect::DescribeMarks(const OpContext& op, const UnionState& state,
                                   BranchFinding& finding, NodeId node, const Stat& stat) const {
  FileSystem& fs = state.fs(finding.branch);
  if (IsWhiteout(op, config_, fs, node, stat)) {
    finding.outcome = BranchFinding::Outcome::kWhiteout;
    finding.xattr_whiteout = stat.type == FileType::kRegular;
    return;
  }
  if (stat.type == FileType::kDirectory) {
    finding.opaque = ReadMark(op, fs, node, config_.marks.opaque) == "y";
  }
  finding.redirect = ReadMark(op, fs, node, config_.marks.redirect).value_or("");
}

Result<StatIdentity> OverlayDialect::Identity(const OpContext& op, const UnionState& state,
                                              const UnionNode& node, const Stat& stat) const {
  const bool directory = node.type == FileType::kDirectory;
  StatIdentity identity{stat.ino, config_.device};
  BranchIndex branch = node.top().branch;
  const Hit* lower = node.first_lower();
  if ((!directory || config_.same_fs) && node.has_origin()) {
    // The inode number of the lower origin is kept over a copy-up, unless the lower object has
    // other names, which this one no longer shares.
    Result<Stat> origin = state.fs(lower->branch).GetAttr(AsMounter(op), lower->node);
    if (!origin.ok()) return origin.error();
    if (directory || origin->nlink == 1) {
      identity.ino = origin->ino;
      branch = lower->branch;
    }
  }
  if (config_.same_fs) return identity;
  if (directory) {
    identity.ino = node.private_ino;
  } else {
    identity.dev = config_.pseudo_devices[branch];
  }
  return identity;
}

}  // namespace lamina
