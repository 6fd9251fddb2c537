#include "sim/explain/aufs_files.h"

#include <algorithm>
#include <utility>

#include "lamina/fs/list_names.h"

namespace lamina::sim::internal {
namespace {

struct Directory {
  std::string path;  // "" for the root
  NodeId node;
  bool own = false;  // below a name that is AUFS's own
};

Result<std::vector<std::string>> Names(const OpContext& op, FileSystem& fs, NodeId dir) {
  Result<std::vector<std::string>> names = ListNames(op, fs, dir);
  if (names.ok()) std::sort(names->begin(), names->end());
  return names;
}

AufsOwnFile::Kind KindOf(const Directory& dir, std::string_view name) {
  using Kind = AufsOwnFile::Kind;
  if (!WhitedOutName(name).empty()) return Kind::kWhiteout;
  if (name == kOpaqueMark) return Kind::kOpaque;
  const bool base = name == kBaseFile || name == kPseudoLinks || name == kOrphans;
  return base && dir.path.empty() ? Kind::kBase : Kind::kOther;
}

}  // namespace

bool IsAufsOwn(std::string_view name) {
  return name.starts_with(kWhiteoutPrefix) && name.size() > kWhiteoutPrefix.size();
}

std::string WhitedOutName(std::string_view name) {
  if (!IsAufsOwn(name) || name.starts_with(kReservedPrefix)) return "";
  return std::string(name.substr(kWhiteoutPrefix.size()));
}

Result<std::vector<AufsOwnFile>> ReadAufsOwn(const OpContext& op, FileSystem& fs, NodeId root) {
  std::vector<AufsOwnFile> files;
  std::vector<Directory> pending = {{"", root, false}};
  while (!pending.empty()) {
    const Directory dir = std::move(pending.back());
    pending.pop_back();
    const Result<std::vector<std::string>> names = Names(op, fs, dir.node);
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) {
      const Result<NodeId> node = fs.Lookup(op, {dir.node, name});
      if (!node.ok()) continue;
      const Result<Stat> stat = fs.GetAttr(op, *node);
      if (!stat.ok()) return stat.error();
      const bool own = dir.own || IsAufsOwn(name);
      const std::string path = dir.path + '/' + name;
      if (own) files.push_back({KindOf(dir, name), path, dir.node, name, *stat});
      if (stat->type == FileType::kDirectory) pending.push_back({path, *node, own});
    }
  }
  return files;
}

}  // namespace lamina::sim::internal
