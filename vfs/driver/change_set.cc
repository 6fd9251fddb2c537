#include "lamina/driver/change_set.h"

#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

// Less in the order of a walk: component by component, so that what is in "a" stands between "a"
// and "a-b".
bool WalksBefore(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_b == b.end()) return false;
  if (in_a == a.end()) return true;
  if (*in_a == '/') return true;
  if (*in_b == '/') return false;
  return static_cast<unsigned char>(*in_a) < static_cast<unsigned char>(*in_b);
}

std::string MemberName(const LayerEntry& entry) {
  std::string name = entry.path.substr(1);
  if (entry.type == FileType::kDirectory) name += '/';
  return name;
}

// Which entries are one inode: for each its first name in the set, as an index.
std::vector<std::size_t> FindInodes(const std::vector<LayerEntry>& entries) {
  absl::flat_hash_map<std::string, std::size_t> by_path;
  std::vector<std::size_t> inode(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    inode[i] = i;
    const auto target = by_path.find(entries[i].hard_link);
    if (!entries[i].hard_link.empty() && target != by_path.end()) {
      inode[i] = inode[target->second];
    }
    by_path[entries[i].path] = i;
  }
  return inode;
}

}  // namespace

std::uint64_t LayerEntry::size_bytes() const {
  return content == nullptr ? 0 : content->size_bytes();
}

std::string_view ParentPath(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(0, slash == 0 ? 1 : slash);
}

std::string_view LastName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

LayerMark MarkOf(std::string_view path) {
  const std::string_view first = path.substr(0, path.find('/', 1)).substr(1);
  const std::string_view name = LastName(path);
  if (name == kLayerOpaque) return LayerMark::kOpaque;
  if (first.starts_with(kLayerPrivate)) return LayerMark::kPrivate;
  return name.starts_with(kLayerWhiteout) ? LayerMark::kWhiteout : LayerMark::kNone;
}

std::string HiddenPath(std::string_view path) {
  std::string hidden(path);
  return hidden.erase(path.rfind('/') + 1, kLayerWhiteout.size());
}

std::vector<TarMember> TarMembers(const ChangeSet& set) {
  const std::vector<std::size_t> inode = FindInodes(set.entries);
  std::vector<std::size_t> order(set.entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return WalksBefore(set.entries[a].path, set.entries[b].path);
  });
  std::vector<TarMember> members;
  absl::flat_hash_map<std::size_t, std::string> first_names;  // of inodes that are members already
  for (const std::size_t i : order) {
    const LayerEntry& entry = set.entries[i];
    if (entry.path == "/") continue;
    TarMember member{MemberName(entry), "", &set.entries[inode[i]]};
    const auto [first, is_first] = first_names.emplace(inode[i], member.name);
    if (!is_first) member.link_name = first->second;
    // What it is one inode with is not in the set: a link all the same, to what is below.
    if (inode[i] == i && !entry.hard_link.empty()) member.link_name = entry.hard_link.substr(1);
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace lamina
