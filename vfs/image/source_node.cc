#include "vfs/image/source_node.h"

#include <algorithm>
#include <utility>

namespace lamina {

Result<NodeAttributes> ReadAttributes(const OpContext& op, FileSystem& fs, const Stat& stat) {
  NodeAttributes attributes{stat.mode, stat.uid, stat.gid, stat.atime, stat.mtime, stat.ctime, {}};
  const Result<std::vector<std::string>> keys = fs.ListXattr(op, stat.node);
  if (!keys.ok() && keys.error() == Errno::kOpNotSupp) return attributes;
  if (!keys.ok()) return keys.error();
  for (const std::string& key : *keys) {
    Result<std::string> value = fs.GetXattr(op, stat.node, key);
    if (!value.ok()) return value.error();
    attributes.xattrs.emplace(key, *std::move(value));
  }
  return attributes;
}

Result<std::vector<std::string>> ReadNames(const OpContext& op, FileSystem& fs, NodeId dir) {
  const Result<HandleId> opened = fs.Open(op, dir, {});
  if (!opened.ok()) return opened.error();
  const SourceHandle handle(fs, *opened);
  std::vector<std::string> names;
  for (DirCookie at; at != kDirEnd;) {
    const Result<DirCookie> next = fs.ReadDir(op, handle.id(), at, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    if (!next.ok()) return next.error();
    at = *next;
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lamina
