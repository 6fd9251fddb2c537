// MergedListing: the entries of a directory that several branches hold, each name once. And
// ListingMerge, which makes one: the first branch that has a name decides.
//
// The names stand one behind the other in one string: an entry costs 24 bytes and its name, and no
// allocation of its own.
//
// Threads: plain values.
#ifndef LAMINA_VFS_UNION_MERGED_LISTING_H_
#define LAMINA_VFS_UNION_MERGED_LISTING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/union/branch.h"

namespace lamina {

struct ListedEntry {
  std::uint64_t ino = 0;
  std::uint64_t name_at = 0;  // in the names of its listing
  std::uint16_t name_bytes = 0;
  BranchIndex branch = 0;
  FileType type{};
  bool whiteout : 1 = false;        // hides lower entries, or turned out stale; not shown
  bool check_whiteout : 1 = false;  // may be an xattr whiteout: look it up before it is shown
  bool looked_up : 1 = false;
  bool dot_wh : 1 = false;  // a whiteout that is a file called .wh.NAME
};

// Taken once and shared by the handles that read the same version.
class MergedListing {
 public:
  std::vector<ListedEntry> entries;
  std::uint64_t version = 0;
  bool looked_up = false;  // an entry was: what it showed holds for the handles that are open

  std::string_view name(const ListedEntry& entry) const {
    return {names_.data() + entry.name_at, entry.name_bytes};
  }
  // Room for that many entries with names of usual length.
  void Reserve(std::size_t count);
  ListedEntry& Append(std::string_view name, FileType type, std::uint64_t ino, BranchIndex branch) {
    const std::uint64_t at = names_.size();
    names_.append(name);
    return entries.emplace_back(
        ListedEntry{ino, at, static_cast<std::uint16_t>(name.size()), branch, type});
  }

 private:
  std::string names_;
};

// The order is the kernel's: names of the lowest branch first, so that offsets change little while
// files are copied up.
class ListingMerge {
 public:
  // About `count` entries come in all: nothing is moved for growing then.
  explicit ListingMerge(std::size_t count) { listing_.Reserve(count); }
  // The branch whose entries come now, no name twice. It may begin once more, for names that stand
  // behind the others.
  void Begin(BranchIndex branch, bool lowest);
  // Where the new entry is; nothing when a branch above has the name.
  std::optional<std::size_t> Add(std::string_view name, FileType type, std::uint64_t ino);
  std::size_t size() const { return listing_.entries.size(); }
  // Where a name of the branches above is.
  std::optional<std::size_t> Position(std::string_view name) {
    const std::uint64_t at = Find(name);
    return at == kNone ? std::nullopt : std::optional<std::size_t>(at);
  }
  ListedEntry& entry(std::size_t at) { return listing_.entries[at]; }
  std::string_view name(std::size_t at) const { return listing_.name(listing_.entries[at]); }
  MergedListing Take() &&;

 private:
  // The position of the name among the entries of the branches above, or kNone.
  std::uint64_t Find(std::string_view wanted) {
    if (next_ < above_ && name(next_) == wanted) return next_;
    return above_ == 0 ? kNone : FindInIndex(wanted);
  }
  std::uint64_t FindInIndex(std::string_view wanted);
  void CompleteIndex();

  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  MergedListing listing_;
  std::size_t above_ = 0;  // entries of the branches above
  // Whiteouts and copies often stand in the order of what they hide, so the next name is looked for
  // there first; the index is not made before that fails.
  std::size_t next_ = 0;
  // The index of the first `indexed_` entries, open addressing, at most half full. A slot holds the
  // upper half of a name's hash and the entry's position plus one; 0: free.
  std::vector<std::uint64_t> slots_;
  std::size_t indexed_ = 0;
  std::vector<std::uint64_t> lowest_;  // positions of the names that the lowest branch has
  BranchIndex branch_ = 0;
  bool lowest_branch_ = false;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_MERGED_LISTING_H_
