// The tree: every directory hangs from the root once, and every inode has as many links as it says.
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/ext/check_image.h"

namespace lamina::internal {

using namespace ext;  // NOLINT: the on-disk words

void ImageCheck::CheckTree() {
  std::set<std::uint32_t> rooted = {kRootInode};
  for (auto& [number, directory] : directories_) {
    const std::uint32_t parent = number == kRootInode ? kRootInode : directory.parent;
    if (parent == 0) {
      if (!orphans_.contains(number)) Error(Kind::kTree, "a directory without a name", number);
      continue;
    }
    if (directory.dot_dot != 0 && directory.dot_dot != parent) {
      Error(
          Kind::kTree,
          absl::StrFormat("\"..\" names inode %d, its name lies in %d", directory.dot_dot, parent),
          number);
    }
    // Up to the root, or to one that is known to hang from it.
    std::vector<std::uint32_t> path;
    std::uint32_t at = number;
    std::set<std::uint32_t> seen;
    while (at != 0 && !rooted.contains(at) && seen.insert(at).second) {
      path.push_back(at);
      const auto above = directories_.find(at);
      at = above == directories_.end() ? 0 : above->second.parent;
    }
    if (at != 0 && !rooted.contains(at)) Error(Kind::kTree, "a directory inside itself", number);
    rooted.insert(path.begin(), path.end());  // said once
  }
}

void ImageCheck::CheckLinks() {
  for (const auto& [number, inode] : inodes_) {
    const bool is_directory = (inode.mode & kModeTypeMask) == kModeDirectory;
    // A directory of an orphan list is empty, and counts itself until it goes.
    if (orphans_.contains(number) && inode.links == 0) continue;
    std::uint32_t found = inode.references;
    if (is_directory && Has(kRoCompatDirNlink) && found > kMaxLinks) found = 1;
    if (found == 0) {
      Error(Kind::kLinks, "in use, and no directory names it", number);
    } else if (found != inode.links) {
      Error(Kind::kLinks, absl::StrFormat("links %d, found %d", inode.links, found), number);
    }
  }
}

}  // namespace lamina::internal
