// ShownDirectories: every directory that the layers from one on show as one tree, with its parts.
// The part of a name's lower layers that only a walk of the whole tree can tell: which directories
// are merged, which stand alone, which two names show the same one, how many names a file has.
//
// Threads: a plain value once read.
#ifndef LAMINA_SIM_CHECK_SHOWN_DIRECTORIES_H_
#define LAMINA_SIM_CHECK_SHOWN_DIRECTORIES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

struct ShownDirectory {
  std::string path;  // "" for the root
  Parts parts;
};

// How a layer's directory is part of the tree.
enum class Listing : std::uint8_t {
  kHidden,  // it is not: layers above hide it
  kMerged,  // whiteouts in it are not listed
  kPassed,  // it stands alone, and the kernel lists it as it is, whiteouts included (OVL-007)
};

class ShownDirectories {
 public:
  // The tree of the layers from `first` on. Errors: what reading them gives.
  static Result<ShownDirectories> Read(const StackReader& reader, BranchIndex first);

  const std::vector<ShownDirectory>& all() const { return all_; }  // parents first
  Listing ListingOf(const Part& part) const;

 private:
  void Add(const StackReader& reader, ShownDirectory directory);

  std::vector<ShownDirectory> all_;
  std::map<Part, Listing> listings_;
};

// An inode, whichever branch it is seen through.
using Inode = std::pair<FileSystem*, NodeId>;

// The names under which the tree shows each file that has several in its layer: one count for the
// inode that the topmost layer holds under the name.
Result<std::map<Inode, std::uint64_t>> CountNames(const StackReader& reader,
                                                  const ShownDirectories& shown);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_SHOWN_DIRECTORIES_H_
