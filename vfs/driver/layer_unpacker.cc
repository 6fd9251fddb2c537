#include "vfs/driver/layer_unpacker.h"

#include <algorithm>

#include "vfs/driver/tree_files.h"
#include "vfs/driver/tree_walk.h"

namespace lamina::internal {
namespace {

constexpr std::uint16_t kImpliedMode = 0755;
constexpr std::uint16_t kNewFileMode = 0600;  // until its attributes are set

bool IsGoodPath(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  if (path == "/") return true;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    if (name.empty() || name == "." || name == "..") return false;
    if (name.find('\0') != std::string_view::npos) return false;
    path.remove_prefix(name.size());
  }
  return true;
}

bool IsGoodEntry(const LayerEntry& entry) {
  if (!IsGoodPath(entry.path)) return false;
  if (!entry.hard_link.empty() && !IsGoodPath(entry.hard_link)) return false;
  return entry.path != "/" || entry.type == FileType::kDirectory;
}

// A whiteout of ".", ".." or nothing.
bool IsBadMark(const LayerEntry& entry) {
  if (MarkOf(entry.path) != LayerMark::kWhiteout) return false;
  const std::string_view name = LastName(entry.path).substr(kLayerWhiteout.size());
  return name.empty() || name == "." || name == "..";
}

bool IsPseudoLink(std::string_view path) {
  return path.starts_with(kLayerPseudoLinks) && path.size() > kLayerPseudoLinks.size() &&
         path[kLayerPseudoLinks.size()] == '/';
}

}  // namespace

Result<void> LayerUnpacker::Unpack(const ChangeSet& set) {
  if (!std::all_of(set.entries.begin(), set.entries.end(), IsGoodEntry)) return Errno::kInval;
  const bool has_bad_mark = std::any_of(set.entries.begin(), set.entries.end(), IsBadMark);
  if (marks_ == MarkHandling::kCarryOut && has_bad_mark) return Errno::kInval;
  for (const LayerEntry& entry : set.entries) {
    if (Result<void> put = Put(entry); !put.ok()) return put;
  }
  for (const auto& [node, entry] : directories_) {
    Result<void> set_times = fs_.SetAttr(op_, node, {.atime = entry->mtime, .mtime = entry->mtime});
    // A later entry may have replaced the directory.
    if (!set_times.ok() && set_times.error() != Errno::kStale) return set_times;
  }
  return {};
}

Result<void> LayerUnpacker::Put(const LayerEntry& entry) {
  const LayerMark mark = MarkOf(entry.path);
  if (marks_ == MarkHandling::kLiteral || mark == LayerMark::kNone) return PutNode(entry);
  if (mark == LayerMark::kPrivate) {
    if (IsPseudoLink(entry.path) && entry.type == FileType::kRegular) {
      pseudo_links_[entry.path] = &entry;
    }
    return {};
  }
  return CarryOutMark(entry, mark);
}

Result<void> LayerUnpacker::CarryOutMark(const LayerEntry& entry, LayerMark mark) {
  const std::string parent(ParentPath(entry.path));
  const Result<NodeId> dir = EnsureDirectories(op_, fs_, top_, parent, kImpliedMode);
  if (!dir.ok()) return dir.error();
  if (mark == LayerMark::kOpaque) return EmptyOpaque(parent, *dir);
  const std::string hidden = HiddenPath(entry.path);
  return RemoveTree(op_, fs_, {*dir, LastName(hidden)});
}

// Docker: what this set has not put there goes, also below directories that it has.
Result<void> LayerUnpacker::EmptyOpaque(const std::string& path, NodeId dir) {
  const std::string above = path == "/" ? "" : path;
  std::vector<std::string> doomed;
  const auto choose = [&](const std::string& below, const Stat&) -> Result<WalkOn> {
    if (unpacked_.contains(above + below)) return WalkOn::kInto;
    doomed.push_back(below);
    return WalkOn::kPast;
  };
  if (Result<void> walked = WalkTree(op_, fs_, dir, choose); !walked.ok()) return walked;
  for (const std::string& each : doomed) {
    const Result<Stat> parent = StatBelow(op_, fs_, dir, ParentPath(each));
    if (!parent.ok()) return parent.error();
    Result<void> removed = RemoveTree(op_, fs_, {parent->node, LastName(each)});
    if (!removed.ok()) return removed;
  }
  return {};
}

Result<void> LayerUnpacker::PutNode(const LayerEntry& entry) {
  if (entry.path == "/") {
    // Docker: a plain untar passes over the root, the unpacking of a layer sets its attributes.
    if (marks_ == MarkHandling::kLiteral) return {};
    directories_.emplace_back(top_, &entry);
    return SetAttributes(entry, top_);
  }
  const Result<NodeId> dir =
      EnsureDirectories(op_, fs_, top_, ParentPath(entry.path), kImpliedMode);
  if (!dir.ok()) return dir.error();
  const Place place{*dir, LastName(entry.path)};
  const Result<Stat> there = StatAt(op_, fs_, place);
  if (!there.ok() && there.error() != Errno::kNoEnt) return there.error();
  const bool merges = there.ok() && there->type == FileType::kDirectory &&
                      entry.type == FileType::kDirectory && entry.hard_link.empty();
  if (there.ok() && !merges) {
    if (Result<void> removed = RemoveTree(op_, fs_, place); !removed.ok()) return removed;
  }
  const Result<NodeId> node = merges ? Result<NodeId>(there->node) : Make(entry, place);
  if (!node.ok()) return node.error();
  unpacked_.insert(entry.path);
  if (entry.type == FileType::kDirectory) directories_.emplace_back(*node, &entry);
  return merges ? SetAttributes(entry, *node) : Result<void>();
}

// The new node with its attributes.
Result<NodeId> LayerUnpacker::Make(const LayerEntry& entry, Place place) {
  if (!entry.hard_link.empty()) return MakeLink(entry, place);
  const bool is_file = entry.type == FileType::kRegular;
  const std::uint16_t mode = is_file ? kNewFileMode : entry.mode;
  const Result<NodeId> node =
      is_file ? MakeFile(entry, place)
              : fs_.Create(op_, place, {entry.type, mode, entry.rdev, entry.symlink_target});
  if (!node.ok()) return node;
  const Result<void> attributes = SetAttributes(entry, *node);
  return attributes.ok() ? node : attributes.error();
}

Result<NodeId> LayerUnpacker::MakeFile(const LayerEntry& entry, Place place) {
  const NewNode node{.type = FileType::kRegular, .mode = kNewFileMode};
  const Result<Opened> opened = fs_.CreateOpen(op_, place, node, {.access = Access::kWrite});
  if (!opened.ok()) return opened.error();
  const OpenNode open(fs_, opened->handle);
  if (entry.content != nullptr) {
    const Result<void> written = WriteBody(op_, fs_, *opened, entry.content);
    if (!written.ok()) return written.error();
  }
  return opened->node;
}

Result<NodeId> LayerUnpacker::MakeLink(const LayerEntry& entry, Place place) {
  if (marks_ == MarkHandling::kCarryOut && IsPseudoLink(entry.hard_link)) {
    // The directory of pseudo-links is not unpacked: each name gets a file of its own.
    const auto kept = pseudo_links_.find(entry.hard_link);
    if (kept == pseudo_links_.end()) return voice_.Fail(Errno::kInval, "Invalid aufs hardlink");
    return Make(*kept->second, place);
  }
  const Result<Stat> target = StatBelow(op_, fs_, top_, entry.hard_link);
  if (!target.ok()) return target.error();
  const Result<void> linked = fs_.Link(op_, target->node, place);
  return linked.ok() ? Result<NodeId>(target->node) : linked.error();
}

// Owner first, which takes set-id bits away; the mode rewrites the mask of an ACL, so that comes
// after it; the times last.
Result<void> LayerUnpacker::SetAttributes(const LayerEntry& entry, NodeId node) {
  Result<void> set = fs_.SetAttr(op_, node, {.uid = entry.uid, .gid = entry.gid});
  if (set.ok() && entry.type != FileType::kSymlink) {
    set = fs_.SetAttr(op_, node, {.mode = entry.mode});
  }
  for (auto xattr = entry.xattrs.begin(); set.ok() && xattr != entry.xattrs.end(); ++xattr) {
    set = fs_.SetXattr(op_, node, xattr->first, xattr->second, XattrMode::kSet);
    if (set.ok() || (set.error() != Errno::kOpNotSupp && set.error() != Errno::kPerm)) continue;
    set = {};
    if (!warned_of_xattrs_) {
      voice_.Warn("ignored xattrs in archive: underlying filesystem doesn't support them");
    }
    warned_of_xattrs_ = true;
  }
  if (!set.ok() || entry.type == FileType::kDirectory) return set;
  return fs_.SetAttr(op_, node, {.atime = entry.mtime, .mtime = entry.mtime});
}

}  // namespace lamina::internal
