// Overlay lookup: what a name means, from the writable branch down (fs/overlayfs/namei.c).
#include <cstring>

#include "lamina/base/check.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

// The state one lookup carries from branch to branch.
struct Search {
  const OpContext& op;
  const OverlayConfig& config;
  std::string_view path;      // a component, or an absolute redirect to walk from each root
  std::string followed = {};  // what `path` views once a redirect was followed
  bool is_dir = false;        // a directory was found
  bool opaque = false;
  bool stop = false;  // nothing below counts
  bool last = false;  // no branch below needs an answer: marks are not read
  bool redirected = false;
  bool absolute_redirect = false;
  bool metacopy = false;  // the last regular file found has its body below
  bool xattr_whiteouts = false;
};

// Reads the redirect of `node` and changes what is searched below: the first `prefix_bytes` of the
// path are replaced, `rest` is kept. Errors: kInval a malformed value.
Result<void> FollowRedirect(Search& search, FileSystem& fs, BranchIndex branch, NodeId node,
                            std::size_t prefix_bytes, std::string_view rest) {
  std::optional<std::string> value = ReadMark(search.op, fs, node, search.config.marks.redirect);
  if (!value.has_value()) return {};
  if (value->empty()) return Errno::kInval;
  if (value->front() == '/') {
    for (std::size_t at = 0; at < value->size();) {
      const std::size_t next = std::min(value->find('/', at + 1), value->size());
      if (next == at + 1) return Errno::kInval;  // an empty component
      at = next;
    }
    search.absolute_redirect = true;
    // An opaque ancestor stopped the search; the absolute redirect takes it up again.
    search.stop = false;
  } else {
    if (value->find('/') != std::string::npos) return Errno::kInval;
    search.absolute_redirect = false;
    value->insert(0, search.path.substr(0, prefix_bytes));
  }
  search.op.probe.Emit([&] {
    return Event{.kind = EventKind::kRedirectFollowed,
                 .branch = branch,
                 .subject = node.value,
                 .name = *value};
  });
  search.followed = *value + std::string(rest);
  search.path = search.followed;
  search.redirected = true;
  return {};
}

// A directory was found as the element of a path. Sets stop and opaque from its mark.
void ReadOpaqueMark(Search& search, FileSystem& fs, BranchIndex branch, NodeId node,
                    bool last_element, bool& is_opaque) {
  const std::optional<std::string> value =
      ReadMark(search.op, fs, node, search.config.marks.opaque);
  if (!value.has_value() || value->size() != 1) return;
  if (last_element && *value == "x") search.xattr_whiteouts = true;
  if (*value != "y") return;
  search.op.probe.Emit([&] {
    return Event{.kind = EventKind::kOpaqueSeen, .branch = branch, .subject = node.value};
  });
  search.stop = true;
  if (last_element) search.opaque = true;
  is_opaque = true;
}

// Looks one component up in one branch directory. Nothing: absent or hidden here.
Result<std::optional<Hit>> LookUpElement(Search& search, FileSystem& fs, BranchIndex branch,
                                         NodeId base, std::string_view name,
                                         std::size_t prefix_bytes, std::string_view rest) {
  const bool last_element = rest.empty();
  Result<NodeId> node = fs.Lookup(search.op, {base, name});
  search.op.probe.Emit([&] {
    return Event{.kind = EventKind::kBranchProbe,
                 .branch = branch,
                 .subject = node.ok() ? node->value : 0,
                 .name = name};
  });
  if (!node.ok()) {
    const bool absent = node.error() == Errno::kNoEnt || node.error() == Errno::kNameTooLong ||
                        node.error() == Errno::kStale;
    if (!absent) return node.error();
    return std::optional<Hit>();
  }
  Result<Stat> stat = fs.GetAttr(search.op, *node);
  if (!stat.ok()) return stat.error();
  if (IsWhiteout(search.op, search.config, fs, *node, *stat)) {
    search.op.probe.Emit([&] {
      return Event{
          .kind = EventKind::kWhiteoutSeen, .branch = branch, .subject = node->value, .name = name};
    });
    search.stop = search.opaque = true;
    return std::optional<Hit>();
  }
  if (last_element && search.metacopy && stat->type != FileType::kRegular) {
    search.stop = true;
    return std::optional<Hit>();
  }
  const Hit hit{branch, *node, stat->type};
  if (stat->type != FileType::kDirectory) {
    if (search.is_dir || !last_element) {
      search.stop = true;  // a file cuts the merge
      return std::optional<Hit>();
    }
    search.metacopy = stat->type == FileType::kRegular &&
                      ReadMark(search.op, fs, *node, search.config.marks.metacopy).has_value();
    search.stop = !search.metacopy;
    if (!search.metacopy || search.last) return std::optional<Hit>(hit);
  } else {
    if (last_element) search.is_dir = true;
    if (search.last) return std::optional<Hit>(hit);
    bool is_opaque = false;
    ReadOpaqueMark(search, fs, branch, *node, last_element, is_opaque);
    if (is_opaque) return std::optional<Hit>(hit);
  }
  if (Result<void> followed = FollowRedirect(search, fs, branch, *node, prefix_bytes, rest);
      !followed.ok()) {
    return followed.error();
  }
  return std::optional<Hit>(hit);
}

// Looks the searched path up in one branch, starting at `base`: one component, or every component
// of an absolute redirect.
Result<std::optional<Hit>> LookUpInBranch(Search& search, FileSystem& fs, BranchIndex branch,
                                          NodeId base) {
  if (search.path.front() != '/') {
    return LookUpElement(search, fs, branch, base, search.path, 0, "");
  }
  // Counted from the end: a redirect on the way replaces the part before.
  std::size_t remaining = search.path.size() - 1;
  std::optional<Hit> found;
  while (true) {
    const std::string path(search.path);  // a redirect on the way changes search.path
    const std::size_t begin = path.size() - remaining;
    const std::size_t end = std::min(path.find('/', begin), path.size());
    Result<std::optional<Hit>> element =
        LookUpElement(search, fs, branch, base, std::string_view(path).substr(begin, end - begin),
                      begin, std::string_view(path).substr(end));
    if (!element.ok()) return element.error();
    found = *element;
    if (end == path.size()) return found;
    if (!found.has_value() || found->type != FileType::kDirectory) return std::optional<Hit>();
    remaining -= end - begin + 1;
    base = found->node;
  }
}

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

struct Origin {
  std::uint64_t dev = 0;
  NodeId node;
};
// Shaped like the kernel's handle: version 0, magic 0xfb, length, flags, type; then what only the
// file system itself reads.
constexpr std::string_view kOriginHead("\x00\xfb\x15\x00\x4c", 5);

std::optional<Origin> ParseOrigin(std::string_view value) {
  if (value.size() != kOriginHead.size() + 16) return std::nullopt;
  if (value.substr(0, kOriginHead.size()) != kOriginHead) return std::nullopt;
  Origin origin;
  std::memcpy(&origin.dev, value.data() + kOriginHead.size(), 8);
  std::memcpy(&origin.node.value, value.data() + kOriginHead.size() + 8, 8);
  return origin;
}

// The lower object an origin mark names, when it still exists and has the same type.
std::optional<Hit> DecodeOrigin(const OpContext& op, const UnionState& state,
                                std::string_view value, FileType type) {
  const std::optional<Origin> origin = ParseOrigin(value);
  if (!origin.has_value()) return std::nullopt;
  for (std::size_t i = state.has_writable ? 1 : 0; i < state.branches.size(); ++i) {
    FileSystem& fs = *state.branches[i].fs;
    if (fs.limits().stacking_depth > 0) continue;
    Result<Stat> root = fs.GetAttr(op, state.branches[i].root);
    if (!root.ok() || root->dev != origin->dev) continue;
    Result<Stat> stat = fs.GetAttr(op, origin->node);
    if (!stat.ok() || stat->type != type) return std::nullopt;
    return Hit{static_cast<BranchIndex>(i), origin->node, type};
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ReadMark(const OpContext& op, FileSystem& fs, NodeId node,
                                    std::string_view key) {
  Result<std::string> value = fs.GetXattr(op, node, key);
  if (!value.ok()) return std::nullopt;
  return *std::move(value);
}

bool IsWhiteout(const OpContext& op, const OverlayConfig& config, FileSystem& fs, NodeId node,
                const Stat& stat) {
  if (stat.type == FileType::kCharDevice) return stat.rdev == 0;
  if (stat.type != FileType::kRegular || stat.size_bytes != 0) return false;
  return ReadMark(op, fs, node, config.marks.whiteout).has_value();
}

std::string OverlayDialect::EncodeOrigin(const FileSystem& fs, const Stat& stat) {
  if (fs.limits().stacking_depth > 0) return {};  // a union has no file handles (nfs_export=off)
  std::string value(kOriginHead);
  for (const std::uint64_t word : {stat.dev, stat.node.value}) {
    char bytes[8];
    std::memcpy(bytes, &word, 8);
    value.append(bytes, 8);
  }
  return value;
}

namespace {

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

  Result<void> Run(bool upper_metacopy, Hits& found) {
    for (std::size_t i = 0; !search_.stop && i < positions_.size(); ++i) {
      const LowerPosition position = positions_[i];
      search_.last = IsLast(i);
      Result<std::optional<Hit>> hit =
          LookUpInBranch(search_, state_.fs(position.branch), position.branch, position.node);
      if (!hit.ok()) return hit.error();
      if (!hit->has_value()) continue;
      if (!(search_.metacopy && !found.empty())) found.push_back(**hit);
      if (search_.redirected && !search_.config.redirect_follow) return Errno::kPerm;
      if (search_.stop) break;
      if (search_.redirected && search_.path.front() == '/' && !from_roots_) {
        positions_ = RootPositions(position.branch + std::size_t{1});
        from_roots_ = true;
        i = static_cast<std::size_t>(-1);  // the next round begins at the first root
      }
    }
    return CheckMayFollow(search_, upper_metacopy, search_.redirected);
  }

 private:
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
    if (!search_.config.redirect_follow) return i + 1 == positions_.size();
    if (!search_.is_dir && search_.config.data_only_count > 0) return false;
    std::size_t last_named = state_.branches.size() - 1;
    while (last_named > 0 && state_.branches[last_named].data_only) --last_named;
    return positions_[i].branch == last_named;
  }

  const UnionState& state_;
  Search& search_;
  LowerPositions positions_;
  bool from_roots_ = false;
};

}  // namespace

Result<Resolution> OverlayDialect::Resolve(const OpContext& caller, const UnionState& state,
                                           const UnionNode& dir, std::string_view name) const {
  const OpContext op = AsMounter(caller);
  Search search{.op = op, .config = config_, .path = name};
  Resolution found;
  bool has_writable = false;
  LowerSearch below(state, search, dir);
  if (dir.has_writable) {
    FileSystem& fs = state.fs(0);
    Result<std::optional<Hit>> hit = LookUpInBranch(search, fs, 0, dir.top().node);
    if (!hit.ok()) return hit.error();
    found.opaque = search.opaque;
    if (hit->has_value()) {
      has_writable = true;
      found.hits.push_back(**hit);
      found.metacopy = search.metacopy;
      if (search.redirected) {
        found.redirect = search.path;
        if (search.path.front() == '/') below.StartFromRoots();
      }
    } else if (search.stop && search.opaque) {
      found.whiteout_in_writable = true;
    }
  }
  Hits lowers;
  if (Result<void> ran = below.Run(found.metacopy, lowers); !ran.ok()) return ran.error();
  const bool needs_body = found.metacopy || (!has_writable && search.metacopy);
  if (needs_body && (search.metacopy || lowers.empty())) return Errno::kIo;

  if (has_writable) {
    const Hit& top = found.hits.front();
    const std::optional<std::string> origin =
        ReadMark(op, state.fs(0), top.node, config_.marks.origin);
    if (search.is_dir) {
      found.impure = ReadMark(op, state.fs(0), top.node, config_.marks.impure) == "y";
      found.origin_missing = !lowers.empty() && !origin.has_value();
      found.may_hold_whiteouts = !lowers.empty() || origin.has_value();
    } else if (lowers.empty() && origin.has_value() && !origin->empty()) {
      if (std::optional<Hit> hit = DecodeOrigin(op, state, *origin, top.type)) {
        lowers.push_back(*hit);
      }
    }
  } else if (!lowers.empty() && search.is_dir) {
    found.may_hold_whiteouts =
        lowers.size() > 1 ||
        ReadMark(op, state.fs(lowers[0].branch), lowers[0].node, config_.marks.origin).has_value();
  }
  found.hits.insert(found.hits.end(), lowers.begin(), lowers.end());
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
    if (ReadMark(op, *branch.fs, branch.root, config_.marks.opaque) == "x") {
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
    bool by_lower = lower->type == FileType::kDirectory || !state.has_writable;
    if (!by_lower) {
      // A lower hard link will be broken, or is, by its copy-up: each name is a file of its own.
      Result<Stat> stat = state.fs(lower->branch).GetAttr(op, lower->node);
      if (!stat.ok()) return stat.error();
      by_lower = stat->nlink <= 1;
    }
    if (by_lower) {
      return std::optional<NodeKey>(NodeKey{&state.fs(lower->branch), lower->node});
    }
  }
  if (!has_writable) return std::optional<NodeKey>();
  return std::optional<NodeKey>(NodeKey{&state.fs(0), found.hits.front().node});
}

}  // namespace lamina
