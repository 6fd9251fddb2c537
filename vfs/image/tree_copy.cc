#include "lamina/image/tree_copy.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "vfs/image/node_attributes.h"
#include "vfs/image/source_node.h"

namespace lamina {
namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;

class TreeCopy {
 public:
  TreeCopy(const OpContext& op, FileSystem& source, FileSystem& target)
      : op_(op), source_(source), target_(target) {}

  absl::Status Run(NodeId from, NodeId to);
  const TreeCopyReport& report() const { return report_; }

 private:
  using SourceInode = std::pair<std::uint64_t, std::uint64_t>;

  // A directory whose entries are being copied. Its attributes are set when it is left, since they
  // hold its times.
  struct Level {
    NodeId from;
    NodeId to;
    NodeAttributes attributes;
    std::vector<std::string> names;
    std::size_t next = 0;
    std::size_t path_bytes = 0;  // of path_, when this directory is the one at hand
  };

  absl::Status SourceError(Errno error, std::string_view doing) const {
    return absl::DataLossError(absl::StrFormat("%s: %s: %s", path_, doing, ErrnoText(error)));
  }
  absl::Status TargetError(Errno error, std::string_view doing) const {
    const absl::Status status = MemFsError(error, doing);
    return {status.code(), absl::StrFormat("%s: %s", path_, std::string(status.message()))};
  }

  absl::Status Enter(const Stat& stat, NodeId to);
  absl::Status Leave();
  absl::Status Visit(const std::string& name);
  absl::StatusOr<NodeId> Make(const Stat& stat, Place place);
  absl::StatusOr<NodeId> MakeDirectory(Place place);
  absl::Status CopyBody(const Stat& stat, NodeId to);
  absl::Status CopyRange(HandleId from, HandleId to, std::uint64_t begin, std::uint64_t end);
  absl::Status SetAttributes(NodeId to, const NodeAttributes& attributes);

  const OpContext& op_;
  FileSystem& source_;
  FileSystem& target_;
  TreeCopyReport report_;
  std::string path_ = "/";
  std::vector<Level> levels_;
  std::vector<std::byte> buffer_;
  absl::flat_hash_map<SourceInode, NodeId> made_;  // files with more than one name
};

absl::Status TreeCopy::Run(NodeId from, NodeId to) {
  const Result<Stat> stat = source_.GetAttr(op_, from);
  if (!stat.ok()) return SourceError(stat.error(), "cannot be looked at");
  const Result<Stat> target = target_.GetAttr(op_, to);
  if (!target.ok()) return TargetError(target.error(), "looking at the target");
  const bool are_directories =
      stat->type == FileType::kDirectory && target->type == FileType::kDirectory;
  if (!are_directories) return absl::InvalidArgumentError("/: not a directory");
  absl::Status done = Enter(*stat, to);
  while (done.ok() && !levels_.empty()) {
    Level& level = levels_.back();
    path_.resize(level.path_bytes);
    if (level.next == level.names.size()) {
      done = Leave();
    } else {
      const std::string name = level.names[level.next++];
      done = Visit(name);
    }
  }
  return done;
}

absl::Status TreeCopy::Enter(const Stat& stat, NodeId to) {
  Result<NodeAttributes> attributes = ReadAttributes(op_, source_, stat);
  if (!attributes.ok()) return SourceError(attributes.error(), "its xattrs cannot be read");
  Result<std::vector<std::string>> names = ReadNames(op_, source_, stat.node);
  if (!names.ok()) return SourceError(names.error(), "cannot be listed");
  levels_.push_back({stat.node, to, *std::move(attributes), *std::move(names), 0, path_.size()});
  return absl::OkStatus();
}

absl::Status TreeCopy::Leave() {
  absl::Status set = SetAttributes(levels_.back().to, levels_.back().attributes);
  levels_.pop_back();
  return set;
}

absl::Status TreeCopy::Visit(const std::string& name) {
  const NodeId from_dir = levels_.back().from;
  const Place place{levels_.back().to, name};
  absl::StrAppend(&path_, path_.ends_with('/') ? "" : "/", name);
  const Result<NodeId> node = source_.Lookup(op_, {from_dir, name});
  // The overlay dialect lists some names that it does not find, as the kernel does.
  if (!node.ok() && node.error() == Errno::kNoEnt) return absl::OkStatus();
  if (!node.ok()) return SourceError(node.error(), "cannot be looked up");
  const Result<Stat> stat = source_.GetAttr(op_, *node);
  if (!stat.ok()) return SourceError(stat.error(), "cannot be looked at");
  if (stat->type == FileType::kDirectory) {
    ++report_.directories;
    const absl::StatusOr<NodeId> made = MakeDirectory(place);
    return made.ok() ? Enter(*stat, *made) : made.status();
  }
  const SourceInode inode(stat->dev, stat->ino);
  if (const auto known = made_.find(inode); stat->nlink > 1 && known != made_.end()) {
    ++report_.hard_links;
    const Result<void> linked = target_.Link(op_, known->second, place);
    return linked.ok() ? absl::OkStatus() : TargetError(linked.error(), "linking");
  }
  const Result<NodeAttributes> attributes = ReadAttributes(op_, source_, *stat);
  if (!attributes.ok()) return SourceError(attributes.error(), "its xattrs cannot be read");
  const absl::StatusOr<NodeId> made = Make(*stat, place);
  if (!made.ok()) return made.status();
  if (stat->nlink > 1) made_.emplace(inode, *made);
  return SetAttributes(*made, *attributes);
}

absl::StatusOr<NodeId> TreeCopy::MakeDirectory(Place place) {
  const Result<NodeId> made = target_.Create(op_, place, {FileType::kDirectory, 0700});
  if (made.ok()) return *made;
  if (made.error() != Errno::kExist) return TargetError(made.error(), "creating");
  const Result<NodeId> there = target_.Lookup(op_, place);
  if (!there.ok()) return TargetError(there.error(), "creating");
  const Result<Stat> stat = target_.GetAttr(op_, *there);
  if (!stat.ok()) return TargetError(stat.error(), "creating");
  if (stat->type != FileType::kDirectory) return TargetError(Errno::kExist, "creating");
  return *there;
}

absl::StatusOr<NodeId> TreeCopy::Make(const Stat& stat, Place place) {
  NewNode node{stat.type, 0600, stat.rdev};
  std::string target;
  switch (stat.type) {
    case FileType::kRegular:
      ++report_.files;
      report_.bytes += stat.size_bytes;
      break;
    case FileType::kSymlink: {
      ++report_.symlinks;
      Result<std::string> read = source_.ReadLink(op_, stat.node);
      if (!read.ok()) return SourceError(read.error(), "its target cannot be read");
      target = *std::move(read);
      node.symlink_target = target;
      break;
    }
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
    case FileType::kFifo:
    case FileType::kSocket:
      ++report_.special;
      break;
    case FileType::kDirectory:
      return absl::InternalError("a directory is not made here");
  }
  const Result<NodeId> made = target_.Create(op_, place, node);
  if (!made.ok()) return TargetError(made.error(), "creating");
  if (stat.type == FileType::kRegular) {
    if (absl::Status copied = CopyBody(stat, *made); !copied.ok()) return copied;
  }
  return *made;
}

absl::Status TreeCopy::CopyBody(const Stat& stat, NodeId to) {
  if (stat.size_bytes == 0) return absl::OkStatus();
  const Result<HandleId> from_id = source_.Open(op_, stat.node, {});
  if (!from_id.ok()) return SourceError(from_id.error(), "cannot be read");
  const SourceHandle from(source_, *from_id);
  const Result<HandleId> to_id = target_.Open(op_, to, {.access = Access::kWrite});
  if (!to_id.ok()) return TargetError(to_id.error(), "opening");
  const SourceHandle into(target_, *to_id);
  std::uint64_t at = 0;
  while (at < stat.size_bytes) {
    const Result<std::uint64_t> begin = source_.Seek(op_, from.id(), at, SeekKind::kData);
    if (!begin.ok() && begin.error() == Errno::kNxIo) break;  // a hole to the end
    if (!begin.ok()) return SourceError(begin.error(), "cannot be read");
    const Result<std::uint64_t> end = source_.Seek(op_, from.id(), *begin, SeekKind::kHole);
    if (!end.ok()) return SourceError(end.error(), "cannot be read");
    if (absl::Status copied = CopyRange(from.id(), into.id(), *begin, *end); !copied.ok()) {
      return copied;
    }
    at = *end;
  }
  const Result<void> sized = target_.SetAttr(op_, to, {.size_bytes = stat.size_bytes});
  return sized.ok() ? absl::OkStatus() : TargetError(sized.error(), "setting the size");
}

absl::Status TreeCopy::CopyRange(HandleId from, HandleId to, std::uint64_t begin,
                                 std::uint64_t end) {
  buffer_.resize(kCopyBytes);
  while (begin < end) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), end - begin);
    const Result<std::size_t> got =
        source_.Read(op_, from, begin, MutableBytes(buffer_.data(), wanted));
    if (!got.ok()) return SourceError(got.error(), "cannot be read");
    if (*got == 0) return SourceError(Errno::kIo, "it became shorter while it was read");
    const Result<std::size_t> put = target_.Write(op_, to, begin, Bytes(buffer_.data(), *got));
    if (!put.ok()) return TargetError(put.error(), "writing");
    if (*put < *got) return TargetError(Errno::kNoSpc, "writing");
    begin += *got;
  }
  return absl::OkStatus();
}

// First the owner, which takes set-id bits away; then the mode; then ACLs, whose mask a change of
// mode would rewrite; the times last, which are changed by nothing after them.
absl::Status TreeCopy::SetAttributes(NodeId to, const NodeAttributes& attributes) {
  Result<void> set = target_.SetAttr(op_, to, {.uid = attributes.uid, .gid = attributes.gid});
  if (set.ok()) set = target_.SetAttr(op_, to, {.mode = attributes.mode});
  if (!set.ok()) return TargetError(set.error(), "setting attributes");
  for (const auto& [key, value] : attributes.xattrs) {
    const Result<void> kept = target_.SetXattr(op_, to, key, value, XattrMode::kSet);
    if (kept.ok()) continue;
    const bool is_unknown = kept.error() == Errno::kOpNotSupp || kept.error() == Errno::kPerm;
    if (!is_unknown) return TargetError(kept.error(), absl::StrCat("setting xattr ", key));
    ++report_.xattrs_dropped;
  }
  set = target_.SetAttr(op_, to, {.atime = attributes.atime, .mtime = attributes.mtime});
  return set.ok() ? absl::OkStatus() : TargetError(set.error(), "setting times");
}

}  // namespace

absl::StatusOr<TreeCopyReport> CopyTree(const OpContext& op, FileSystem& source, NodeId from,
                                        FileSystem& target, NodeId to) {
  TreeCopy copy(op, source, target);
  if (absl::Status done = copy.Run(from, to); !done.ok()) return done;
  return copy.report();
}

}  // namespace lamina
