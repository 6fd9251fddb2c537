#include "vfs/union/overlay_search.h"

#include <algorithm>

#include "vfs/union/fuse_whiteouts.h"

namespace lamina {
namespace {

using Search = OverlaySearch;

// Reads the redirect of `node` and changes what is searched below: the first `prefix_bytes` of the
// path are replaced, `rest` is kept. Errors: kInval a malformed value.
Result<void> FollowRedirect(Search& search, FileSystem& fs, BranchIndex branch, NodeId node,
                            std::size_t prefix_bytes, std::string_view rest) {
  search.absolute_redirect = false;
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
  std::optional<std::string> value = ReadMark(search.op, fs, node, search.config.marks.opaque);
  if (search.config.fuse_whiteouts && IsFuseOpaque(search.op, fs, node))
    value = std::string(1, 'y');
  if (!value.has_value() || value->size() != 1) return;
  // xattr whiteouts are the form of read-only layers.
  const bool writable = search.state.has_writable && branch == 0;
  if (last_element && !writable && *value == "x") search.xattr_whiteouts = true;
  if (*value != "y") return;
  search.op.probe.Emit([&] {
    return Event{.kind = EventKind::kOpaqueSeen, .branch = branch, .subject = node.value};
  });
  search.stop = true;
  if (last_element) search.opaque = true;
  is_opaque = true;
}

void EndAtWhiteout(Search& search, BranchIndex branch, NodeId node, std::string_view name) {
  search.op.probe.Emit([&] {
    return Event{
        .kind = EventKind::kWhiteoutSeen, .branch = branch, .subject = node.value, .name = name};
  });
  search.stop = search.opaque = true;
}

// Looks one component up in one branch directory. Nothing: absent or hidden here.
Result<std::optional<Hit>> LookUpElement(Search& search, FileSystem& fs, BranchIndex branch,
                                         NodeId base, std::string_view name,
                                         std::size_t prefix_bytes, std::string_view rest) {
  const bool last_element = rest.empty();
  const bool marked = search.config.fuse_whiteouts && FindDotWh(search.op, fs, base, name).ok();
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
    if (marked) EndAtWhiteout(search, branch, base, name);
    return std::optional<Hit>();
  }
  Result<Stat> stat = fs.GetAttr(search.op, *node);
  if (!stat.ok()) return stat.error();
  if (IsWhiteout(search.op, search.config, fs, *node, *stat)) {
    EndAtWhiteout(search, branch, *node, name);
    return std::optional<Hit>();
  }
  if (last_element && search.metacopy && stat->type != FileType::kRegular) {
    search.stop = true;
    return std::optional<Hit>();
  }
  const Hit hit{branch, *node, stat->type};
  search.nlink_here = stat->nlink;
  if (stat->type != FileType::kDirectory) {
    if (search.is_dir || !last_element) {
      search.stop = true;  // a file cuts the merge
      return std::optional<Hit>();
    }
    std::size_t metacopy = 0;
    if (stat->type == FileType::kRegular) {
      Result<std::size_t> mark =
          ReadMetacopyMark(search.op, fs, *node, search.config.marks.metacopy);
      if (!mark.ok()) return mark.error();
      metacopy = *mark;
    }
    search.metacopy = metacopy > 0;
    search.digest_here = metacopy > kMetacopyHeadBytes;
    search.stop = !search.metacopy;
    if (!search.metacopy || search.last) return std::optional<Hit>(hit);
  } else {
    // A layer's own root found inside another layer: they overlap (ovl_lookup_trap_inode).
    if (search.state.traps.contains(NodeKey{&fs, *node})) return Errno::kLoop;
    if (last_element) search.is_dir = true;
    if (search.last) return std::optional<Hit>(hit);
    bool is_opaque = false;
    ReadOpaqueMark(search, fs, branch, *node, last_element, is_opaque);
    if (marked && last_element) search.stop = search.opaque = is_opaque = true;
    if (is_opaque) return std::optional<Hit>(hit);
  }
  if (Result<void> followed = FollowRedirect(search, fs, branch, *node, prefix_bytes, rest);
      !followed.ok()) {
    return followed.error();
  }
  return std::optional<Hit>(hit);
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

Result<std::size_t> ReadMetacopyMark(const OpContext& op, FileSystem& fs, NodeId node,
                                     std::string_view key) {
  const std::optional<std::string> value = ReadMark(op, fs, node, key);
  if (!value.has_value()) return std::size_t{0};
  if (value->empty()) return kMetacopyHeadBytes;
  if (value->size() < kMetacopyHeadBytes) return Errno::kIo;
  return value->size();
}

Result<std::optional<Hit>> LookUpInBranch(OverlaySearch& search, FileSystem& fs, BranchIndex branch,
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

}  // namespace lamina
