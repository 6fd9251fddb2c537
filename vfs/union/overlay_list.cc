// Overlay listings and identities (fs/overlayfs/readdir.c, inode.c).
#include <algorithm>
#include <string>

#include "lamina/base/check.h"
#include "vfs/union/fuse_whiteouts.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

bool IsWhiteoutDevice(const OpContext& op, FileSystem& fs, NodeId dir, std::string_view name,
                      NodeId node) {
  if (node.value == 0) {
    Result<NodeId> found = fs.Lookup(op, {dir, name});
    if (!found.ok()) return false;
    node = *found;
  }
  Result<Stat> stat = fs.GetAttr(op, node);
  return stat.ok() && stat->type == FileType::kCharDevice && stat->rdev == 0;
}

}  // namespace

Result<MergedListing> OverlayDialect::List(const OpContext& caller, const UnionState& state,
                                           const UnionNode& dir) const {
  const OpContext op = AsMounter(caller);
  ListingMerge merge(ExpectedEntries(op, state, dir));
  std::vector<std::string> markers;  // names that fuse-overlayfs markers of the branch hide
  std::vector<std::string> stray;
  std::vector<std::string> writable_strays;
  std::vector<std::pair<std::size_t, NodeId>> devices;  // of the branch being read
  for (std::size_t i = 0; i < dir.hits.size(); ++i) {
    const Hit& hit = dir.hits[i];
    FileSystem& fs = state.fs(hit.branch);
    Result<HandleId> handle = fs.Open(op, hit.node, {});
    if (!handle.ok()) return handle.error();
    const bool writable = state.has_writable && hit.branch == 0;
    const bool xattr_whiteouts =
        dir.xattr_whiteouts && !writable && ReadMark(op, fs, hit.node, config_.marks.opaque) == "x";
    merge.Begin(hit.branch, i + 1 == dir.hits.size());
    devices.clear();
    Result<DirCookie> at = DirCookie{};
    while (at.ok() && *at != kDirEnd) {  // a union may stop at an entry that it cannot look up
      at = fs.ReadDir(op, *handle, *at, [&](const DirEntry& entry) {
        if (config_.fuse_whiteouts && IsDotWhName(entry.name)) {
          markers.emplace_back(entry.name.substr(kDotWh.size()));
          return true;
        }
        const std::optional<std::size_t> added = merge.Add(entry.name, entry.type, entry.ino);
        if (!added.has_value()) return true;
        if (xattr_whiteouts && entry.type == FileType::kRegular) {
          merge.entry(*added).check_whiteout = true;
        }
        if (entry.type != FileType::kCharDevice) return true;
        if (entry.zero_device.has_value()) {
          merge.entry(*added).whiteout = *entry.zero_device;
        } else {
          devices.emplace_back(*added, entry.node);
        }
        return true;
      });
    }
    for (const auto& [position, node] : devices) {
      merge.entry(position).whiteout =
          IsWhiteoutDevice(op, fs, hit.node, merge.name(position), node);
    }
    fs.Close(*handle);
    if (!at.ok()) return at.error();
    // Markers come last: an object of the same layer wins.
    if (!markers.empty()) merge.Begin(hit.branch, i + 1 == dir.hits.size());
    for (const std::string& name : markers) {
      const std::optional<std::size_t> added = merge.Add(name, FileType::kRegular, 0);
      if (added.has_value()) {
        merge.entry(*added).whiteout = merge.entry(*added).dot_wh = true;
      } else {
        stray.push_back(name);
      }
    }
    if (i == 0 && dir.has_writable) writable_strays = std::move(stray);
    markers.clear();
    stray.clear();
  }
  MergedListing listing = std::move(merge).Take();
  // Markers beside an object of their name: only whoever empties the directory needs them.
  for (const std::string& name : writable_strays) {
    ListedEntry& entry = listing.Append(name, FileType::kRegular, 0, 0);
    entry.whiteout = entry.dot_wh = true;
  }
  return listing;
}

bool OverlayDialect::ListsBranchDirectly(const UnionNode& dir) const {
  return config_.kernel_quirks && !dir.may_hold_whiteouts;
}

std::string OverlayDialect::StoredXattr(std::string_view key) const {
  if (key == config_.prefix) return {};
  if (key.substr(0, config_.prefix.size()) != config_.prefix) return std::string(key);
  return config_.prefix + "overlay." + std::string(key.substr(config_.prefix.size()));
}

std::optional<std::string> OverlayDialect::ShownXattr(std::string_view stored) const {
  if (config_.fuse_whiteouts) {
    const bool hidden =
        std::any_of(kFusePrefixes.begin(), kFusePrefixes.end(),
                    [&](std::string_view each) { return stored.starts_with(each); });
    if (hidden) return std::nullopt;
  }
  if (stored.substr(0, config_.prefix.size()) != config_.prefix) return std::string(stored);
  constexpr std::string_view kEscape = "overlay.";
  const std::string_view rest = stored.substr(config_.prefix.size());
  if (rest.substr(0, kEscape.size()) != kEscape) return std::nullopt;
  return config_.prefix + std::string(rest.substr(kEscape.size()));
}

Result<NodeId> OverlayDialect::FindWhiteoutFile(const OpContext& op, const UnionState& state,
                                                BranchIndex branch, NodeId dir,
                                                std::string_view name) const {
  if (!config_.fuse_whiteouts) return Errno::kNoEnt;
  return FindDotWh(op, state.fs(branch), dir, name);
}

std::uint32_t OverlayDialect::ReservedNameBytes() const {
  return config_.fuse_whiteouts ? kDotWh.size() : 0;
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
    finding.opaque = ReadMark(op, fs, node, config_.marks.opaque) == "y" ||
                     (config_.fuse_whiteouts && IsFuseOpaque(op, fs, node));
  }
  finding.redirect = ReadMark(op, fs, node, config_.marks.redirect).value_or("");
  finding.metacopy =
      stat.type == FileType::kRegular && ReadMark(op, fs, node, config_.marks.metacopy).has_value();
}

// With xino the high bits of an inode number tell the file system; one that uses them itself stays
// as it is.
std::uint64_t OverlayDialect::ListedIno(BranchIndex branch, std::uint64_t ino) const {
  if (config_.xino_bits == 0) return ino;
  const unsigned shift = 64 - config_.xino_bits;
  if ((ino >> shift) != 0) return ino;
  return ino | (config_.fs_numbers[branch] << (shift + 1));
}

// ovl_getattr and ovl_map_dev_ino
Result<StatIdentity> OverlayDialect::Identity(const OpContext& op, const UnionState& state,
                                              const UnionNode& node, const Stat& stat) const {
  const bool directory = node.type == FileType::kDirectory;
  StatIdentity identity{stat.ino, config_.device};
  BranchIndex branch = node.top().branch;
  if ((!directory || config_.same_dev()) && node.has_origin()) {
    // The inode number of the lower origin is kept over a copy-up, unless the lower object has
    // other names, which this one no longer shares. An index entry says that it does share them.
    const Hit* lower = node.first_lower();
    Result<Stat> origin = state.fs(lower->branch).GetAttr(AsMounter(op), lower->node);
    if (!origin.ok()) return origin.error();
    if (node.indexed || (!config_.index_all() && (directory || origin->nlink == 1))) {
      identity.ino = origin->ino;
      branch = lower->branch;
    }
  }
  if (config_.same_fs) return identity;
  if (config_.xino_bits > 0 && (identity.ino >> (64 - config_.xino_bits)) == 0) {
    identity.ino = ListedIno(branch, identity.ino);
    return identity;
  }
  if (directory) {
    identity.ino = node.private_ino;
  } else {
    identity.dev = config_.pseudo_devices[branch];
  }
  return identity;
}

// A node known under the same key must have the same objects, or two names claim one origin.
bool OverlayDialect::Joins(const UnionNode& known, bool has_writable, const Hits& found) const {
  const Hit* lower =
      found.size() > (has_writable ? 1U : 0U) ? &found[has_writable ? 1 : 0] : nullptr;
  if (known.type == FileType::kDirectory) {
    if (lower == nullptr && known.lower_count() > 0) return false;
    if (!has_writable && known.has_writable) return false;
  }
  if (lower != nullptr && known.lower_count() > 0 && known.first_lower()->node != lower->node) {
    return false;
  }
  return !has_writable || (known.has_writable && known.top().node == found.front().node);
}

// Counting the subdirectories of a merged directory is not worth it, says the kernel.
std::uint32_t OverlayDialect::DirectoryLinks(const OpContext&, const UnionState&,
                                             const UnionNode& node, const Stat& stat) const {
  return node.hits.size() > 1 ? 1 : stat.nlink;
}

}  // namespace lamina
