#include "tests/ext/ext_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace lamina::test {
namespace {

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};

// The content as a number: the same for the same bytes, in this process.
std::string BodyOf(FileSystem& fs, NodeId node) {
  const Result<HandleId> handle = fs.Open(kOp, node, {});
  if (!handle.ok()) return std::string(ErrnoName(handle.error()));
  std::vector<std::byte> piece(1U << 16U);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  std::uint64_t at = 0;
  while (true) {
    const Result<std::size_t> bytes = fs.Read(kOp, *handle, at, piece);
    if (!bytes.ok()) {
      fs.Close(*handle);
      return std::string(ErrnoName(bytes.error()));
    }
    if (*bytes == 0) break;
    const std::string_view text = AsText(Bytes(piece).first(*bytes));
    hash = hash * 0x100000001b3ULL + std::hash<std::string_view>()(text);
    at += *bytes;
  }
  fs.Close(*handle);
  return absl::StrFormat("%d %016x", at, hash);
}

std::vector<std::string> NamesIn(FileSystem& fs, NodeId dir, std::string* error) {
  std::vector<std::string> names;
  const Result<HandleId> handle = fs.Open(kOp, dir, {});
  if (!handle.ok()) {
    *error = ErrnoName(handle.error());
    return names;
  }
  const Result<DirCookie> end = fs.ReadDir(kOp, *handle, {}, [&](const DirEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  });
  if (!end.ok()) *error = ErrnoName(end.error());
  fs.Close(*handle);
  return names;
}

std::string Xattrs(FileSystem& fs, NodeId node) {
  const Result<std::vector<std::string>> keys = fs.ListXattr(kOp, node);
  if (!keys.ok()) return absl::StrFormat(" [%s]", ErrnoName(keys.error()));
  std::string text;
  for (const std::string& key : *keys) {
    const Result<std::string> value = fs.GetXattr(kOp, node, key);
    text += absl::StrFormat(" [%s=%s]", key,
                            value.ok() ? absl::CEscape(*value) : ErrnoName(value.error()));
  }
  return text;
}

std::string Kind(FileSystem& fs, const Stat& stat) {
  switch (stat.type) {
    case FileType::kRegular:
      return "file " + BodyOf(fs, stat.node);
    case FileType::kDirectory:
      return absl::StrFormat("dir links %d", stat.nlink);
    case FileType::kSymlink: {
      const Result<std::string> target = fs.ReadLink(kOp, stat.node);
      return "-> " + (target.ok() ? *target : std::string(ErrnoName(target.error())));
    }
    case FileType::kCharDevice:
      return absl::StrFormat("char %d:%d", DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
    case FileType::kBlockDevice:
      return absl::StrFormat("block %d:%d", DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "?";
}

bool IsSpecial(FileType type) {
  return type != FileType::kRegular && type != FileType::kDirectory && type != FileType::kSymlink;
}

class Lister {
 public:
  Lister(FileSystem& fs, const TreeShown& shown) : fs_(fs), shown_(shown) {}

  std::string Run(NodeId root) {
    std::map<std::string, NodeId> open{{"", root}};
    std::string text;
    while (!open.empty()) {
      const auto [path, node] = *open.begin();
      open.erase(open.begin());
      text += Line(path, node);
      const Result<Stat> stat = fs_.GetAttr(kOp, node);
      if (!stat.ok() || stat->type != FileType::kDirectory) continue;
      std::string error;
      for (const std::string& name : NamesIn(fs_, node, &error)) {
        const std::string below = path.empty() ? name : path + "/" + name;
        if (below == "lost+found") continue;
        const Result<NodeId> child = fs_.Lookup(kOp, {node, name});
        if (child.ok()) {
          open.emplace(below, *child);
        } else {
          text += absl::StrFormat("%s: %s\n", below, ErrnoName(child.error()));
        }
      }
      if (!error.empty()) text += absl::StrFormat("%s: cannot be listed: %s\n", path, error);
    }
    return text;
  }

 private:
  std::string Line(const std::string& path, NodeId node) {
    const Result<Stat> stat = fs_.GetAttr(kOp, node);
    if (!stat.ok()) return absl::StrFormat("%s: %s\n", path, ErrnoName(stat.error()));
    if (IsSpecial(stat->type) && !shown_.special) return "";
    if (path.empty() && !shown_.root) return "";
    const bool root_dir = path.empty();
    std::string text = absl::StrFormat("/%s %s %04o", path, root_dir ? "dir" : Kind(fs_, *stat),
                                       stat->mode & shown_.modes);
    if (shown_.owners) text += absl::StrFormat(" %d:%d", stat->uid, stat->gid);
    if (shown_.links && stat->type != FileType::kDirectory && stat->nlink > 1) {
      text += absl::StrFormat(" x%d =%s", stat->nlink, first_.emplace(node, path).first->second);
    }
    if (shown_.times == TreeTimes::kSeconds) {
      text += absl::StrFormat(" m%d", stat->mtime.virtual_ns / kNanosecondsPerSecond);
    } else if (shown_.times == TreeTimes::kNanoseconds) {
      text += absl::StrFormat(" m%d", stat->mtime.virtual_ns);
    }
    if (shown_.xattrs) text += Xattrs(fs_, node);
    return text + "\n";
  }

  FileSystem& fs_;
  const TreeShown shown_;
  std::map<NodeId, std::string> first_;
};

}  // namespace

std::string TreeLines(FileSystem& fs, NodeId root, const TreeShown& shown) {
  return Lister(fs, shown).Run(root);
}

}  // namespace lamina::test
