#include "tests/image/tree_text.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace lamina::test {
namespace {

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};
constexpr std::uint64_t kMaxShownBytes = 1U << 20U;

std::vector<std::string> NamesIn(FileSystem& fs, NodeId dir) {
  std::vector<std::string> names;
  const Result<HandleId> handle = fs.Open(kOp, dir, {});
  LAMINA_CHECK(handle.ok());
  const Result<DirCookie> end = fs.ReadDir(kOp, *handle, {}, [&](const DirEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  });
  LAMINA_CHECK(end.ok());
  fs.Close(*handle);
  std::sort(names.begin(), names.end());
  return names;
}

std::string XattrText(FileSystem& fs, NodeId node) {
  std::string text;
  const Result<std::vector<std::string>> keys = fs.ListXattr(kOp, node);
  LAMINA_CHECK(keys.ok());
  for (const std::string& key : *keys) {
    const Result<std::string> value = fs.GetXattr(kOp, node, key);
    LAMINA_CHECK(value.ok());
    text += absl::StrFormat(" [%s=%s]", key, absl::CEscape(*value));
  }
  return text;
}

// Runs of NULs, which are most of a sparse file, in short.
std::string BodyText(FileSystem& fs, NodeId node, std::uint64_t size_bytes) {
  if (size_bytes > kMaxShownBytes) return absl::StrFormat("%d bytes", size_bytes);
  const Result<std::string> content = ContentOf(fs, node);
  if (!content.ok()) return std::string(ErrnoName(content.error()));
  std::string text;
  for (std::size_t at = 0; at < content->size();) {
    const std::size_t end = std::min(content->find_first_not_of('\0', at), content->size());
    if (end - at >= 5) {
      text += absl::StrFormat("~%d", end - at);
      at = end;
      continue;
    }
    text += absl::CEscape(absl::string_view(&(*content)[at], 1));
    ++at;
  }
  return "\"" + text + "\"";
}

std::string NodeText(FileSystem& fs, const Stat& stat, const std::string& path) {
  switch (stat.type) {
    case FileType::kRegular:
      return absl::StrFormat("f %s %s", path, BodyText(fs, stat.node, stat.size_bytes));
    case FileType::kDirectory:
      return "d " + path;
    case FileType::kSymlink:
      return absl::StrFormat("l %s -> %s", path, *fs.ReadLink(kOp, stat.node));
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      return absl::StrFormat("%s %s %d:%d", stat.type == FileType::kCharDevice ? "c" : "b", path,
                             DeviceMajor(stat.rdev), DeviceMinor(stat.rdev));
    case FileType::kFifo:
      return "p " + path;
    case FileType::kSocket:
      return "s " + path;
  }
  return "?";
}

}  // namespace

Result<std::string> ContentOf(FileSystem& fs, NodeId node) {
  const Result<HandleId> handle = fs.Open(kOp, node, {});
  if (!handle.ok()) return handle.error();
  std::string content;
  std::string buffer(1U << 16U, '\0');
  while (true) {
    const Result<std::size_t> size =
        fs.Read(kOp, *handle, content.size(),
                std::as_writable_bytes(std::span<char>(buffer.data(), buffer.size())));
    if (!size.ok()) {
      fs.Close(*handle);
      return size.error();
    }
    if (*size == 0) break;
    content.append(buffer, 0, *size);
  }
  fs.Close(*handle);
  return content;
}

std::string TreeText(FileSystem& fs, NodeId root, TreeDetail detail) {
  std::map<std::string, NodeId> open{{".", root}};
  std::map<NodeId, std::string> first_names;
  std::string text;
  while (!open.empty()) {
    const auto [path, node] = *open.begin();
    open.erase(open.begin());
    const Result<Stat> stat = fs.GetAttr(kOp, node);
    LAMINA_CHECK(stat.ok());
    if (stat->type == FileType::kDirectory) {
      for (const std::string& name : NamesIn(fs, node)) {
        const std::string below = path == "." ? name : path + "/" + name;
        open.emplace(below, *fs.Lookup(kOp, {node, name}));
      }
    }
    if (path == "." && detail == TreeDetail::kBrief) continue;
    text += NodeText(fs, *stat, path) + XattrText(fs, node);
    if (detail == TreeDetail::kFull) {
      const bool linked = stat->type != FileType::kDirectory && stat->nlink > 1;
      text +=
          absl::StrFormat(" %04o %d:%d a%d m%d c%d%s", stat->mode, stat->uid, stat->gid,
                          stat->atime.virtual_ns, stat->mtime.virtual_ns, stat->ctime.virtual_ns,
                          linked ? absl::StrFormat(" x%d =%s", stat->nlink,
                                                   first_names.emplace(node, path).first->second)
                                 : "");
    }
    text += "\n";
  }
  return text;
}

NodeId Find(FileSystem& fs, NodeId root, std::string_view path) {
  NodeId node = root;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const Result<NodeId> next = fs.Lookup(kOp, {node, path.substr(0, end)});
    if (!next.ok()) return NodeId{};
    node = *next;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return node;
}

Stat StatOf(FileSystem& fs, NodeId root, std::string_view path) {
  const Result<Stat> stat = fs.GetAttr(kOp, Find(fs, root, path));
  LAMINA_CHECK(stat.ok());
  return *stat;
}

}  // namespace lamina::test
