// AufsSearch: what the branches of an AUFS union hold under a name, by the rules of its lookup
// (fs/aufs/dentry.c, reference in vfs/union/aufs_lookup.cc). Written anew, because here every
// branch is in turn the topmost one, nothing is mounted, and a contradiction is to be walked past.
//
// Threads: pure functions.
// Lifetime: keeps a reference to the reader.
#ifndef LAMINA_SIM_CHECK_AUFS_SEARCH_H_
#define LAMINA_SIM_CHECK_AUFS_SEARCH_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

class AufsSearch {
 public:
  explicit AufsSearch(const StackReader& reader) : reader_(reader) {}

  // Whiteouts and opaque marks of the branch hide what is below.
  bool Counts(BranchIndex branch) const {
    return reader_.branch(branch).mode != BranchMode::kReadOnly;
  }
  // The directory bears the mark, whether it counts or not.
  bool HasOpaqueMark(const Part& dir) const;
  Result<std::optional<Part>> Whiteout(const Part& dir, std::string_view name) const;

  // The directory `name` in the directory that consists of `parents`, topmost part first. None: it
  // is not visible, or no directory.
  enum class Marks : std::uint8_t {
    kFollow,    // an opaque directory ends the merge
    kWalkPast,  // it does not
  };
  Result<Parts> FindDirectory(const Parts& parents, std::string_view name, Marks marks) const;

  // Where the name would come from, were the first part's whiteout not there. Nothing: nowhere.
  struct Below {
    Part at;
    bool whiteout = false;  // it is whited out there already
  };
  Result<std::optional<Below>> FindBelow(const Parts& parents, std::string_view name) const;

  // Every directory of the tree that the whole stack shows: which part it is of its directory, 0
  // for the topmost. Not there: the branches above hide it.
  Result<std::map<Part, std::size_t>> ShownParts() const;

 private:
  // The parts of a directory that dirren renamed, in the branches below; nothing where it is not
  // any more.
  using Renamed = std::map<BranchIndex, std::optional<Part>>;
  Result<Renamed> FindRenamed(const Part& dir) const;

  const StackReader& reader_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_AUFS_SEARCH_H_
