#include "vfs/driver/layer_reader.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "vfs/driver/tree_files.h"
#include "vfs/driver/tree_walk.h"

namespace lamina::internal {

Result<void> LayerReader::Add(const std::string& path, const Stat& stat) {
  if (stat.type == FileType::kSocket) {
    voice_.Warn(
        absl::StrFormat("Can't add file %s to tar: archive/tar: sockets not supported", path));
    return {};
  }
  LayerEntry entry;
  entry.path = path;
  entry.type = stat.type;
  entry.mode = stat.mode;
  entry.uid = stat.uid;
  entry.gid = stat.gid;
  entry.mtime = stat.mtime;
  entry.rdev = stat.rdev;
  if (stat.type != FileType::kDirectory && stat.nlink > 1) {
    const auto [first, is_first] = linked_.emplace(stat.node, path);
    if (!is_first) entry.hard_link = first->second;
  }
  if (stat.type == FileType::kSymlink) {
    Result<std::string> target = fs_.ReadLink(op_, stat.node);
    if (!target.ok()) return target.error();
    entry.symlink_target = *std::move(target);
  }
  if (Result<void> read = ReadXattrs(stat.node, entry); !read.ok()) return read;
  if (stat.type == FileType::kRegular && entry.hard_link.empty() && stat.size_bytes > 0) {
    Result<std::shared_ptr<const PagedBytes>> body = ReadBody(op_, fs_, stat.node);
    if (!body.ok()) return body.error();
    entry.content = *std::move(body);
  }
  set_.entries.push_back(std::move(entry));
  return {};
}

Result<void> LayerReader::ReadXattrs(NodeId node, LayerEntry& entry) {
  const Result<std::vector<std::string>> keys = fs_.ListXattr(op_, node);
  if (!keys.ok()) return keys.error() == Errno::kOpNotSupp ? Result<void>() : keys.error();
  for (const std::string& key : *keys) {
    Result<std::string> value = fs_.GetXattr(op_, node, key);
    if (!value.ok()) return value.error();
    entry.xattrs[key] = *std::move(value);
  }
  return {};
}

Result<ChangeSet> ReadLayer(const OpContext& op, FileSystem& fs, NodeId top, PrivateNames names,
                            const Voice& voice) {
  ChangeSet set;
  LayerReader reader(op, fs, voice, set);
  const auto add = [&](const std::string& path, const Stat& stat) -> Result<WalkOn> {
    const bool is_left_out =
        names == PrivateNames::kLeaveOut && MarkOf(path) == LayerMark::kPrivate;
    if (is_left_out) return WalkOn::kPast;
    const Result<void> added = reader.Add(path, stat);
    return added.ok() ? Result<WalkOn>(WalkOn::kInto) : added.error();
  };
  const Result<void> walked = WalkTree(op, fs, top, add);
  if (!walked.ok()) return walked.error();
  return set;
}

Result<std::uint64_t> SizeOfTree(const OpContext& op, FileSystem& fs, NodeId top) {
  std::uint64_t bytes = 0;
  absl::flat_hash_set<NodeId> counted;
  const auto add = [&](const std::string&, const Stat& stat) -> Result<WalkOn> {
    const bool is_first = stat.nlink < 2 || counted.insert(stat.node).second;
    if (stat.type != FileType::kDirectory && is_first) bytes += stat.size_bytes;
    return WalkOn::kInto;
  };
  const Result<void> walked = WalkTree(op, fs, top, add);
  if (!walked.ok()) return walked.error();
  return bytes;
}

}  // namespace lamina::internal
