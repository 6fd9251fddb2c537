// AUFS: who makes a branch verb answer EBUSY (fs/aufs/branch.c, test_dir_busy and its like).
#include <algorithm>

#include "vfs/union/aufs_control.h"

namespace lamina {

std::string AufsControl::PathOf(const UnionNode& node) const {
  std::string path;
  for (const UnionNode* at = &node; at != nullptr && at->id != state_.root;
       at = state_.nodes.Find(at->parent)) {
    path.insert(0, '/' + at->name);
  }
  return path.empty() ? "/" : path;
}

std::vector<std::string> AufsControl::Holders(BranchIndex branch) const {
  using Kind = UnionHandle::Kind;
  std::vector<std::string> holders;
  if (state_.branches.size() == 1) holders.emplace_back("it is the only branch");
  for (const UnionHandle& handle : body_.handles) {
    if (handle.node == nullptr) continue;
    const UnionNode& node = *handle.node;
    const bool file = handle.kind == Kind::kFile || handle.kind == Kind::kMap;
    bool holds = file && handle.branch == branch;
    if (node.in_branch(branch) != nullptr) {
      const bool only_there = node.type != FileType::kDirectory || node.hits.size() == 1;
      holds = holds || only_there || (handle.kind == Kind::kDirectory && node.id != state_.root);
    }
    if (!holds) continue;
    holders.push_back(PathOf(node) + (handle.kind == Kind::kMap ? " is mapped" : " is open"));
  }
  for (const AufsRemoval& removal : books().removals) {
    if (removal.branch == branch) holders.push_back(removal.name + " waits to be emptied");
  }
  std::sort(holders.begin(), holders.end());
  holders.erase(std::unique(holders.begin(), holders.end()), holders.end());
  return holders;
}

std::vector<std::string> AufsControl::Mappings() const {
  std::vector<std::string> mapped;
  for (const UnionHandle& handle : body_.handles) {
    if (handle.node == nullptr || handle.kind != UnionHandle::Kind::kMap) continue;
    mapped.push_back(PathOf(*handle.node) + " is mapped");
  }
  return mapped;
}

std::vector<std::string> AufsHolders(const UnionFs& fs, BranchIndex branch, AufsUse use) {
  if (!AufsControl::IsAufs(fs)) return {};
  const AufsControl control(const_cast<UnionFs&>(fs));
  if (use == AufsUse::kOfBranch) return control.Holders(branch);
  return control.books().modes[branch].writable() ? control.Mappings() : std::vector<std::string>();
}

}  // namespace lamina
