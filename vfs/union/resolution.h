// Resolution: everything known about one name in a union. The answer of the pure half of a call;
// printable and comparable, so that explain and the tests read what the union itself used.
#ifndef LAMINA_VFS_UNION_RESOLUTION_H_
#define LAMINA_VFS_UNION_RESOLUTION_H_

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "lamina/fs/file_system.h"
#include "lamina/union/branch.h"

namespace lamina {

// One branch's object behind a name.
struct Hit {
  BranchIndex branch = 0;
  NodeId node;
  FileType type{};
  friend bool operator==(const Hit&, const Hit&) = default;
};

using Hits = absl::InlinedVector<Hit, 3>;

struct Resolution {
  enum class Kind : std::uint8_t {
    kAbsent,  // no branch has the name
    kHidden,  // a whiteout hides it
    kSingle,  // one branch shows it (a second hit of a non-directory is its copy-up origin)
    kMerged,  // a directory shown from several branches
  };
  Kind kind = Kind::kAbsent;
  Hits hits;                                // topmost first
  bool whiteout_in_writable = false;        // the writable branch itself holds the whiteout
  bool opaque = false;                      // the topmost directory is opaque
  BranchIndex opaque_branch = kNoBranch;    // where a mark ends the search below the directory
  BranchIndex whiteout_branch = kNoBranch;  // whose whiteout ended the search for the name
  bool xattr_whiteouts = false;             // a directory that may hold xattr whiteouts (opaque=x)
  bool impure = false;                      // the writable directory bears the impure mark
  bool may_hold_whiteouts = false;          // its listing must be filtered
  bool digest = false;                      // the topmost metacopy mark holds a digest
  bool indexed = false;                     // an index entry ties the copy to its lower object
  bool needs_link = false;        // the copy was found through the index: no name here yet
  std::uint32_t nlink = 0;        // names in the union, where it keeps count
  bool counts_names = false;      // … and shows that, not the branch's count
  std::uint32_t lower_nlink = 0;  // of the first lower object; 0: not looked at
  std::string data_redirect;      // the body's path in the data-only branches
  bool origin_missing = false;    // a merged writable directory without origin mark: repair it
  bool metacopy = false;          // the writable file holds attributes only
  std::string redirect;           // of the writable object
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_RESOLUTION_H_
