// AUFS listings, attributes of directories, and inode numbers (fs/aufs/vdir.c, inode.c, xino.c).
#include <algorithm>

#include "vfs/union/aufs_dialect.h"
#include "vfs/union/aufs_names.h"

namespace lamina {
namespace {

// A whiteout of the branch being read, and how many entries there were before it.
struct Marker {
  std::string name;
  std::size_t after = 0;
};

// A name that no branch below shows.
void AddHidden(std::string_view name, ListingMerge& merge) {
  const std::optional<std::size_t> added = merge.Add(name, FileType::kRegular, 0);
  if (added.has_value()) merge.entry(*added).whiteout = true;
}

}  // namespace

Result<MergedListing> AufsDialect::List(const OpContext& caller, const UnionState& state,
                                        const UnionNode& dir) const {
  const OpContext op = AsMounter(caller);
  ListingMerge merge(ExpectedEntries(op, state, dir));
  std::vector<Marker> markers;
  std::vector<std::string> shown_markers;  // with shwh
  for (const Hit& hit : dir.hits) {
    FileSystem& fs = state.fs(hit.branch);
    Result<HandleId> handle = fs.Open(op, hit.node, {});
    if (!handle.ok()) return handle.error();
    const bool last = &hit == &dir.hits.back();
    merge.Begin(hit.branch, false);
    markers.clear();
    const std::size_t begin = merge.size();
    bool only_whiteouts = true;  // so far
    // With xino, what a node shows is what its object has.
    AufsInodes::Map& numbers = books_->inodes.MapOf(&fs);
    const auto number_of = [&](NodeId node) {
      const UnionNode* known = options().xino ? nullptr : state.nodes.FindByKey({&fs, node});
      return known != nullptr ? known->private_ino : books_->inodes.Of(numbers, node);
    };
    Result<DirCookie> at = DirCookie{};
    while (at.ok() && *at != kDirEnd) {
      at = fs.ReadDir(op, *handle, *at, [&](const DirEntry& entry) {
        if (entry.name.size() > kAufsWhiteout.size() && IsAufsWhiteout(entry.name)) {
          if (options().shwh) shown_markers.emplace_back(entry.name);
          if (last || !whable(hit.branch) || IsAufsReserved(entry.name)) return true;
          const std::string_view hidden = entry.name.substr(kAufsWhiteout.size());
          if (only_whiteouts) {
            AddHidden(hidden, merge);
          } else {
            markers.push_back({std::string(hidden), merge.size()});
          }
          return true;
        }
        if (only_whiteouts && merge.size() > begin) merge.Begin(hit.branch, false);
        only_whiteouts = false;
        const FileType type = entry.name.size() > kAufsNameMax ? kUnknownType : entry.type;
        const std::optional<std::size_t> added = merge.Add(entry.name, type, entry.ino);
        if (added.has_value() && entry.node.value != 0) {
          merge.entry(*added).ino = number_of(entry.node);
        }
        return true;
      });
    }
    fs.Close(*handle);
    if (!at.ok()) return at.error();
    if (!markers.empty()) merge.Begin(hit.branch, false);
    for (const Marker& marker : markers) {
      // An entry of the same branch that stands behind its whiteout does not show.
      const std::optional<std::size_t> own = merge.Position(marker.name);
      if (!own.has_value()) {
        AddHidden(marker.name, merge);
      } else if (*own >= marker.after) {
        merge.entry(*own).whiteout = true;
      }
    }
  }
  MergedListing listing = std::move(merge).Take();
  std::sort(shown_markers.begin(), shown_markers.end());
  shown_markers.erase(std::unique(shown_markers.begin(), shown_markers.end()), shown_markers.end());
  for (const std::string& name : shown_markers) {
    listing.Append(name, FileType::kRegular, 0, dir.top().branch);
  }
  return listing;
}

// The subdirectories of every instance; those in several are counted several times, as in AUFS.
std::uint32_t AufsDialect::DirectoryLinks(const OpContext& caller, const UnionState& state,
                                          const UnionNode& node, const Stat& stat) const {
  const OpContext op = AsMounter(caller);
  std::uint32_t links = stat.nlink;
  for (std::size_t i = 1; i < node.hits.size(); ++i) {
    Result<Stat> below = state.fs(node.hits[i].branch).GetAttr(op, node.hits[i].node);
    if (below.ok()) links += below->nlink >= 2 ? below->nlink - 2 : below->nlink;
  }
  return links;
}

Result<FsSpace> AufsDialect::Space(const OpContext& op, const UnionState& state) const {
  constexpr std::uint64_t kMagic = 0x61756673;  // "aufs"
  FsSpace sum;
  if (!options().sum) {
    Result<FsSpace> top = state.fs(0).GetSpace(op);
    if (top.ok()) top->type = kMagic;
    return top;
  }
  sum.type = kMagic;
  std::vector<const FileSystem*> counted;
  for (const Branch& branch : state.branches) {
    if (std::find(counted.begin(), counted.end(), branch.fs) != counted.end()) continue;
    counted.push_back(branch.fs);
    Result<FsSpace> space = branch.fs->GetSpace(op);
    if (!space.ok()) return space;
    sum.total_bytes += space->total_bytes;
    sum.free_bytes += space->free_bytes;
    sum.total_nodes += space->total_nodes;
    sum.free_nodes += space->free_nodes;
  }
  return sum;
}

void AufsDialect::Instantiated(UnionState& state, UnionNode& node) const {
  const Hit& top = node.top();
  node.private_ino =
      options().xino ? books_->inodes.Of({&state.fs(top.branch), top.node}) : books_->inodes.New();
}

void AufsDialect::Forgotten(UnionState&, const UnionNode& node) const {
  AufsInodes& inodes = books_->inodes;
  for (const NodeKey& key : node.keys) inodes.Forget(key);
  inodes.Release(node.private_ino);
}

}  // namespace lamina
