#include "vfs/union/branch_tree.h"

#include <algorithm>
#include <atomic>

namespace lamina {

bool SameDirectory(const DirectoryRef& a, const DirectoryRef& b) {
  return a.fs == b.fs && a.node == b.node;
}

bool IsInside(const DirectoryRef& inner, const DirectoryRef& outer) {
  return inner.fs == outer.fs && std::find(inner.ancestors.begin(), inner.ancestors.end(),
                                           outer.node) != inner.ancestors.end();
}

Result<std::vector<NamedEntry>> ReadEntries(const OpContext& op, FileSystem& fs, NodeId dir) {
  Result<HandleId> handle = fs.Open(op, dir, {});
  if (!handle.ok()) return handle.error();
  std::vector<NamedEntry> entries;
  Result<DirCookie> end = fs.ReadDir(op, *handle, DirCookie{}, [&](const DirEntry& entry) {
    entries.emplace_back(std::string(entry.name), entry.type);
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  return entries;
}

// The depth of what a crash left is bounded by what a mount makes;
// a hostile work directory may be deeper, so the loop keeps its own stack.
Result<void> EmptyDirectory(const OpContext& op, FileSystem& fs, NodeId dir) {
  struct Level {
    NodeId node;
    std::string name;  // in the level above
  };
  std::vector<Level> stack = {{dir, ""}};
  while (!stack.empty()) {
    const NodeId here = stack.back().node;
    Result<std::vector<NamedEntry>> entries = ReadEntries(op, fs, here);
    if (!entries.ok()) return entries.error();
    bool descended = false;
    for (const auto& [name, type] : *entries) {
      Result<void> removed = fs.Remove(op, {here, name}, type);
      if (removed.ok()) continue;
      if (removed.error() != Errno::kNotEmpty) return removed;
      Result<NodeId> child = fs.Lookup(op, {here, name});
      if (!child.ok()) return child.error();
      stack.push_back({*child, name});
      descended = true;
      break;
    }
    if (descended) continue;
    const Level done = stack.back();
    stack.pop_back();
    if (stack.empty()) return {};
    if (Result<void> removed = fs.Remove(op, {stack.back().node, done.name}, FileType::kDirectory);
        !removed.ok()) {
      return removed;
    }
  }
  return {};
}

std::uint64_t NextUnionDevice() {
  // Counts from a number no leaf file system reaches.
  static std::atomic<std::uint64_t> next{std::uint64_t{1} << 40U};
  return next++;
}

}  // namespace lamina
