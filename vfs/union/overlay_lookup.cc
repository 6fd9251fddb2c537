// Overlay lookup: what a name means, from the writable branch down (ovl_lookup in
// fs/overlayfs/namei.c).
#include "lamina/base/check.h"
#include "vfs/union/fuse_whiteouts.h"
#include "vfs/union/overlay_dialect.h"
#include "vfs/union/overlay_search.h"

namespace lamina {
namespace {

using Search = OverlaySearch;

struct LowerPosition {
  BranchIndex branch;
  NodeId node;
};

using LowerPositions = absl::InlinedVector<LowerPosition, 8>;

// The directories below in which the search goes on: those of the parent, or from an absolute
// redirect on, the roots of the branches.
LowerPositions ParentsBelow(const UnionNode& dir) {
  LowerPositions positions;
  for (std::size_t i = dir.has_writable ? 1 : 0; i < dir.hits.size(); ++i) {
    positions.push_back({dir.hits[i].branch, dir.hits[i].node});
  }
  return positions;
}

// Refused marks: a metacopy file without metacopy=on, a redirect with redirect_dir=nofollow.
Result<void> CheckMayFollow(const Search& search, bool upper_metacopy, bool saw_redirect) {
  if ((search.metacopy || upper_metacopy) && !search.config.metacopy) return Errno::kPerm;
  if (saw_redirect && !search.config.redirect_follow) return Errno::kPerm;
  return {};
}

// The lower object an origin mark names, when it still exists and has the same type.
std::optional<Hit> DecodeOrigin(const OpContext& op, const UnionState& state,
                                std::string_view value, FileType type) {
  const Result<ObjectHandle> handle = ParseHandle(value);
  if (!handle.ok() || handle->of_writable) return std::nullopt;
  for (std::size_t i = state.has_writable ? 1 : 0; i < state.branches.size(); ++i) {
    const Branch& branch = state.branches[i];
    if (branch.data_only) break;
    Result<Stat> stat = DecodeHandle(op, *branch.fs, *handle);
    if (!stat.ok()) continue;
    if (stat->type != type) return std::nullopt;
    return Hit{static_cast<BranchIndex>(i), handle->node, type};
  }
  return std::nullopt;
}
// What the writable branch has under a name, as far as the search below depends on it.
struct WritablePart {
  const Hit* hit = nullptr;
  bool metacopy = false;
  std::optional<std::string> origin = {};  // the mark
  bool has_origin_object = false;          // of a file: the mark names an object that exists
};

// The search below the writable branch.
class LowerSearch {
 public:
  LowerSearch(const UnionState& state, Search& search, const UnionNode& dir)
      : state_(state), search_(search), positions_(ParentsBelow(dir)) {}

  // Starts over from the branch roots: the writable object has an absolute redirect.
  void StartFromRoots() {
    positions_ = RootPositions(state_.has_writable ? 1 : 0);
    from_roots_ = true;
  }

  // The first lower object is the one the writable object's origin mark names.
  bool verified() const { return verified_; }
  // The link count of the first lower object.
  std::uint32_t first_nlink() const { return first_nlink_; }

  Result<void> Run(const WritablePart& writable, Hits& found) {
    for (std::size_t i = 0; !search_.stop && i < positions_.size(); ++i) {
      // Nothing is followed further down that the options refuse.
      Result<void> allowed = CheckMayFollow(search_, writable.metacopy, search_.redirected);
      if (!allowed.ok()) return allowed;
      const LowerPosition position = positions_[i];
      search_.last = IsLast(i);
      Result<std::optional<Hit>> hit =
          LookUpInBranch(search_, state_.fs(position.branch), position.branch, position.node);
      if (!hit.ok()) return hit.error();
      if (!hit->has_value()) continue;
      if (writable.hit != nullptr && found.empty()) {
        Result<bool> joins = Verify(writable, **hit);
        if (!joins.ok()) return joins.error();
        if (!*joins) break;
      }
      if (found.empty()) first_nlink_ = search_.nlink_here;
      if (found.empty() && search_.metacopy) search_.digest = search_.digest_here;
      if (!(search_.metacopy && !found.empty())) found.push_back(**hit);
      if (search_.stop) break;
      if (search_.redirected && search_.path.front() == '/' && !from_roots_) {
        positions_ = RootPositions(position.branch + std::size_t{1});
        from_roots_ = true;
        i = static_cast<std::size_t>(-1);  // the next round begins at the first root
      }
    }
    return {};
  }

 private:
  // Whether the first lower object belongs to the writable one, where that is checked.
  Result<bool> Verify(const WritablePart& writable, const Hit& lower) {
    const OverlayConfig& config = search_.config;
    const bool checked =
        search_.is_dir ? config.index_all() : config.index && writable.has_origin_object;
    if (!checked) return true;
    FileSystem& fs = state_.fs(lower.branch);
    Result<Stat> stat = fs.GetAttr(search_.op, lower.node);
    if (!stat.ok()) return stat.error();
    // A directory without the mark gets it, and then it fits.
    const bool fits = search_.is_dir && !writable.origin.has_value();
    verified_ = fits || writable.origin == EncodeHandle(search_.op, fs, *stat, HandleOf::kLower);
    if (!verified_ && !search_.is_dir) return Errno::kStale;
    return verified_;
  }

  // The roots of the name-giving branches from `first` on.
  LowerPositions RootPositions(std::size_t first) const {
    LowerPositions roots;
    for (std::size_t i = first; i < state_.branches.size(); ++i) {
      if (state_.branches[i].data_only) break;
      roots.push_back({static_cast<BranchIndex>(i), state_.branches[i].root});
    }
    return roots;
  }

  // Marks of the last position decide nothing.
  bool IsLast(std::size_t i) const {
    const OverlayConfig& config = search_.config;
    const bool reads_redirects = config.redirect_follow || config.data_only_count > 0;
    if (!reads_redirects) return i + 1 == positions_.size();
    if (!search_.is_dir && config.data_only_count > 0) return false;
    std::size_t last_named = state_.branches.size() - 1;
    while (last_named > 0 && state_.branches[last_named].data_only) --last_named;
    return positions_[i].branch == last_named;
  }

  const UnionState& state_;
  Search& search_;
  LowerPositions positions_;
  bool from_roots_ = false;
  bool verified_ = false;
  std::uint32_t first_nlink_ = 0;
};

// The marks of a writable directory that say how it is merged and listed.
void ReadDirectoryMarks(const OpContext& op, const OverlayConfig& config, FileSystem& fs,
                        NodeId node, const WritablePart& writable, bool has_lowers,
                        Resolution& found) {
  found.impure = ReadMark(op, fs, node, config.marks.impure) == "y";
  found.origin_missing = has_lowers && !writable.origin.has_value();
  found.may_hold_whiteouts = has_lowers || writable.origin.has_value() || config.fuse_whiteouts;
}

}  // namespace

// The writable branch's part of a lookup.
Result<void> OverlayDialect::ResolveWritable(const UnionState& state, const UnionNode& dir,
                                             OverlaySearch& search, Resolution& found) const {
  Result<std::optional<Hit>> hit = LookUpInBranch(search, state.fs(0), 0, dir.top().node);
  if (!hit.ok()) return hit.error();
  found.opaque = search.opaque;
  if (hit->has_value()) {
    found.hits.push_back(**hit);
    found.metacopy = search.metacopy;
    found.digest = search.metacopy && search.digest_here;
    if (search.redirected) found.redirect = search.path;
  } else if (search.stop && search.opaque) {
    found.whiteout_in_writable = true;
  }
  return {};
}

// A name without a writable object whose lower object has an index entry: the copy is there.
Result<void> OverlayDialect::ResolveIndex(const OpContext& op, const UnionState& state,
                                          const Hit& origin, Resolution& found) const {
  const bool has_writable = state.has_writable && !found.hits.empty() && found.hits[0].branch == 0;
  const std::optional<Hit> writable =
      has_writable ? std::optional<Hit>(found.hits.front()) : std::nullopt;
  Result<std::optional<Hit>> index = FindIndex(op, state, writable, origin);
  if (!index.ok()) return index.error();
  if (!index->has_value()) return {};
  found.indexed = true;
  if (has_writable) return {};
  FileSystem& fs = state.fs(0);
  const NodeId node = (*index)->node;
  found.redirect = ReadMark(op, fs, node, config_.marks.redirect).value_or("");
  Result<std::size_t> metacopy = ReadMetacopyMark(op, fs, node, config_.marks.metacopy);
  if (!metacopy.ok()) return metacopy.error();
  found.metacopy = *metacopy > 0;
  found.digest = *metacopy > kMetacopyHeadBytes;
  if (found.metacopy && !config_.metacopy) return Errno::kPerm;
  if (!found.redirect.empty() && !config_.redirect_follow) return Errno::kPerm;
  found.needs_link = true;
  found.hits.insert(found.hits.begin(), **index);
  return {};
}

// The link count the union starts with.
Result<std::uint32_t> OverlayDialect::CountNames(const OpContext& op, const UnionState& state,
                                                 const Resolution& found) const {
  const Hit& top = found.hits.front();
  Result<Stat> stat = state.fs(top.branch).GetAttr(op, top.node);
  if (!stat.ok()) return stat.error();
  if (top.branch != 0 || found.hits.size() == 1) return stat->nlink;
  const Hit& lower = found.hits[1];
  Result<Stat> below = state.fs(lower.branch).GetAttr(op, lower.node);
  if (!below.ok()) return below.error();
  return UnionNlink(op, state, below->nlink, top.node, stat->nlink);
}

Result<Resolution> OverlayDialect::Resolve(const OpContext& caller, const UnionState& state,
                                           const UnionNode& dir, std::string_view name) const {
  const OpContext op = AsMounter(caller);
  if (config_.fuse_whiteouts && IsDotWhName(name)) return Resolution();
  Search search{.op = op, .config = config_, .state = state, .path = name};
  Resolution found;
  LowerSearch below(state, search, dir);
  WritablePart writable;
  if (dir.has_writable) {
    search.last =
        !config_.redirect_follow && config_.data_only_count == 0 && dir.lower_count() == 0;
    if (Result<void> done = ResolveWritable(state, dir, search, found); !done.ok()) {
      return done.error();
    }
    if (!found.redirect.empty() && found.redirect.front() == '/') below.StartFromRoots();
  }
  const std::optional<Hit> top =
      found.hits.empty() ? std::nullopt : std::optional<Hit>(found.hits.front());
  std::optional<Hit> origin;  // of a writable file: the object its mark names
  if (top.has_value()) {
    writable.hit = &*top;
    writable.metacopy = found.metacopy;
    writable.origin = ReadMark(op, state.fs(0), top->node, config_.marks.origin);
    if (!search.is_dir && writable.origin.has_value()) {
      origin = DecodeOrigin(op, state, *writable.origin, top->type);
    }
    writable.has_origin_object = origin.has_value();
  }
  Hits lowers;
  if (Result<void> ran = below.Run(writable, lowers); !ran.ok()) return ran.error();
  found.lower_nlink = below.first_nlink();
  if (search.metacopy && !lowers.empty() && config_.data_only_count > 0 &&
      search.absolute_redirect) {
    // The body is looked for at the first use, whatever the options say about following.
    found.data_redirect = std::string(search.path);
    search.metacopy = false;
  } else {
    Result<void> allowed = CheckMayFollow(search, found.metacopy, search.redirected);
    if (!allowed.ok()) return allowed.error();
  }
  if (search.metacopy || (found.metacopy && lowers.empty())) return Errno::kIo;
  if (!top.has_value()) found.digest = search.digest;

  std::optional<Hit> index_origin;
  if (!top.has_value() && !lowers.empty()) {
    index_origin = lowers.front();
  } else if (top.has_value() && search.is_dir) {
    if (below.verified()) index_origin = lowers.front();
  } else if (top.has_value() && origin.has_value()) {
    index_origin = found.metacopy ? lowers.front() : *origin;
  }
  if (top.has_value() && search.is_dir) {
    ReadDirectoryMarks(op, config_, state.fs(0), top->node, writable, !lowers.empty(), found);
  } else if (top.has_value() && lowers.empty() && origin.has_value()) {
    lowers.push_back(*origin);
  } else if (!top.has_value() && !lowers.empty() && search.is_dir) {
    found.may_hold_whiteouts =
        lowers.size() > 1 ||
        ReadMark(op, state.fs(lowers[0].branch), lowers[0].node, config_.marks.origin).has_value();
  }
  found.hits.insert(found.hits.end(), lowers.begin(), lowers.end());
  if (index_origin.has_value() && config_.index && (!search.is_dir || config_.index_all())) {
    Result<void> done = ResolveIndex(op, state, *index_origin, found);
    if (!done.ok()) return done.error();
  }
  if (config_.index && !found.hits.empty() && !search.is_dir) {
    Result<std::uint32_t> nlink = CountNames(op, state, found);
    if (!nlink.ok()) return nlink.error();
    found.nlink = *nlink;
  }
  found.xattr_whiteouts = search.xattr_whiteouts;
  if (found.hits.empty()) {
    const bool hidden = search.stop && search.opaque;
    found.kind = hidden ? Resolution::Kind::kHidden : Resolution::Kind::kAbsent;
  } else {
    const bool merged = search.is_dir && found.hits.size() > 1;
    found.kind = merged ? Resolution::Kind::kMerged : Resolution::Kind::kSingle;
  }
  return found;
}

Result<Resolution> OverlayDialect::ResolveRoot(const OpContext& caller,
                                               const UnionState& state) const {
  const OpContext op = AsMounter(caller);
  Resolution found;
  found.kind = Resolution::Kind::kMerged;
  found.may_hold_whiteouts = true;  // the root is always merged
  for (std::size_t i = 0; i < state.branches.size(); ++i) {
    const Branch& branch = state.branches[i];
    if (branch.data_only) continue;
    found.hits.push_back({static_cast<BranchIndex>(i), branch.root, FileType::kDirectory});
    const bool writable = state.has_writable && i == 0;
    if (!writable && ReadMark(op, *branch.fs, branch.root, config_.marks.opaque) == "x") {
      found.xattr_whiteouts = true;
    }
  }
  if (state.has_writable) {
    found.impure = ReadMark(op, state.fs(0), state.branches[0].root, config_.marks.impure) == "y";
  }
  return found;
}

Result<std::optional<NodeKey>> OverlayDialect::IdentityKey(const OpContext& op,
                                                           const UnionState& state,
                                                           const Resolution& found) const {
  const bool has_writable = state.has_writable && found.hits.front().branch == 0;
  const Hit* lower = nullptr;
  if (found.hits.size() > (has_writable ? 1U : 0U)) lower = &found.hits[has_writable ? 1 : 0];
  if (lower != nullptr) {
    // ovl_hash_bylower: a lower hard link will be broken, or is, by its copy-up without an index.
    bool by_lower = found.indexed || !state.has_writable;
    if (!by_lower) {
      by_lower = lower->type == FileType::kDirectory;
      if (!by_lower) {
        std::uint32_t nlink = found.lower_nlink;
        if (nlink == 0) {
          Result<Stat> stat = state.fs(lower->branch).GetAttr(op, lower->node);
          if (!stat.ok()) return stat.error();
          nlink = stat->nlink;
        }
        by_lower = nlink <= 1 || (!has_writable && config_.index);
      }
      if (config_.nfs_export && has_writable) by_lower = false;
    }
    if (by_lower) {
      return std::optional<NodeKey>(NodeKey{&state.fs(lower->branch), lower->node});
    }
  }
  if (!has_writable) return std::optional<NodeKey>();
  return std::optional<NodeKey>(NodeKey{&state.fs(0), found.hits.front().node});
}

}  // namespace lamina
