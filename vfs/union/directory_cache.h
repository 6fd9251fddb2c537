// DirectoryCache: what was learnt about the names of a directory, so that a second listing and a
// name that no branch has cost no walk through the branches.
//
//   listing   the merged listing, taken once
//   names     hashes of every name that any branch holds, whiteouts too: a name that is not in it
//             is missing in every branch. It may hold more (names that went), never less.
//
// Both hold only as long as the directory is what it was when they were taken. The union's own
// changes keep them up to date; those made to a branch directly show in its change counts.
//
// Threads: belongs to one union.
#ifndef LAMINA_VFS_UNION_DIRECTORY_CACHE_H_
#define LAMINA_VFS_UNION_DIRECTORY_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_set.h"

namespace lamina {

class MergedListing;
struct UnionNode;

// When the branches were looked at.
struct BranchStamp {
  std::uint64_t file_systems = 0;  // sum of the change counts of the file systems that may change
  std::uint64_t directories = 0;   // sum of Stat::change of the directory in those
  friend bool operator==(const BranchStamp&, const BranchStamp&) = default;
};

struct DirectoryCache {
  std::shared_ptr<MergedListing> listing;  // null: not taken
  absl::flat_hash_set<std::uint64_t> names;
  bool has_names = false;
  bool too_big = false;  // more names than are kept
  BranchStamp stamp;
  std::uint64_t probes = 0;    // branch lookups spent on missing names since the last change
  std::uint64_t estimate = 0;  // entries of the branches, roughly
  std::size_t charged = 0;     // entries counted against the budget
  std::list<UnionNode*>::iterator recent;

  static std::uint64_t Hash(std::string_view name);
  void Add(std::string_view name) {
    if (has_names) names.insert(Hash(name));
  }
  bool MayHold(std::string_view name) const { return names.contains(Hash(name)); }
  std::size_t entries() const;
};

// The caches of all directories, within a budget: the directory not used for the longest time
// loses its own first.
class DirectoryCaches {
 public:
  static constexpr std::size_t kBudgetEntries = std::size_t{1} << 20;
  // A directory of more names is not kept.
  static constexpr std::size_t kMaxEntries = kBudgetEntries / 4;

  // The cache of a directory, made when it has none; it counts as used now.
  DirectoryCache& Of(UnionNode& dir);
  // After something was put into it.
  void Charge(UnionNode& dir);
  void Drop(UnionNode& dir);
  bool empty() const { return recent_.empty(); }

 private:
  std::list<UnionNode*> recent_;  // the last used first
  std::size_t entries_ = 0;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_DIRECTORY_CACHE_H_
