// LayeredTree: a mounted tree with, for each entry, the layers it comes from and the copies it
// hides; and the sum of it all.
//
//   /                          merged
//   ├── etc/                   L2 L1
//   │   └── hosts     13 B     L2      hides L1 (20 B)
//   └── boot.log  ⊘            L2      hides L1 (38 KiB)
//   visible 13 B   stored 38.0 KiB   hidden 38.0 KiB (99 %)
//
// Bytes are the sizes of regular files, each inode of each layer once however many names it has.
//   stored    all of them, found by walking the layers one by one
//   visible   those that the mounted tree shows
//   hidden    those that some entry hides, found by asking the union about every name
// so visible + hidden = stored. Data-only layers are not counted.
//
// Of an AUFS union, whiteouts, opaque marks and base entries are files: they are counted apart, and
// what bytes they hold are hidden ones. So are those of what a crash left under .wh..wh.*.
//
// Threads: plain values; the mount must not be used meanwhile.
#ifndef LAMINA_SIM_TREE_H_
#define LAMINA_SIM_TREE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/fs/file_system.h"
#include "lamina/sim/scenario.h"
#include "lamina/sim/text_style.h"

namespace lamina::sim {

// Copies of one branch that nobody can see.
struct HiddenCopy {
  std::string label;        // of the branch
  FileType type{};          // of the object under the name
  std::uint64_t files = 0;  // regular files: itself, or those in the directory
  std::uint64_t bytes = 0;  // of those that no entry before has counted
};

struct TreeEntry {
  std::string path;  // "/" for the root
  std::string name;
  std::size_t depth = 0;
  bool last = false;                // among its siblings
  std::optional<Stat> stat;         // as shown; none: not visible
  std::string target;               // of a symlink
  std::vector<std::string> labels;  // branches it is shown from, topmost first; or of the whiteout
  bool whiteout = false;
  std::optional<Errno> error;  // the name cannot be looked up
  std::vector<HiddenCopy> hidden;
  std::vector<std::string> notes;  // redirects, bodies elsewhere, names the index gives, marks
  std::string change;              // A, C, D as lamina diff, or empty
};

struct TreeTotals {
  std::uint64_t files = 0;  // visible regular files, by name
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t whiteouts = 0;     // of AUFS every file .wh.NAME
  std::uint64_t opaque_marks = 0;  // of AUFS
  std::uint64_t base_entries = 0;  // of AUFS: .wh..wh.aufs, .wh..wh.plnk, .wh..wh.orph
  std::uint64_t hidden_files = 0;  // bodies of data-only layers that no file uses too
  std::uint64_t visible_bytes = 0;
  std::uint64_t hidden_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

struct LayeredTree {
  std::vector<TreeEntry> entries;  // depth first, children in byte order
  TreeTotals totals;
};

// Reads the whole tree. Errors: kInternal the branches give an errno.
absl::StatusOr<LayeredTree> ReadLayeredTree(const ScenarioMount& mount);

enum class TreeSelection : std::uint8_t {
  kVisible,  // what the mounted tree shows
  kHidden,   // and whiteouts and hidden copies
  kChanges,  // only what the writable branches change, and the directories on the way; hidden
             // copies too
};

// For people, a line an entry and a last line with the sums.
std::string LayeredTreeText(const LayeredTree& tree, TreeSelection selection,
                            const TextStyle& style);
// The entries `selection` shows, with `last` as it is among them.
std::vector<TreeEntry> SelectEntries(const LayeredTree& tree, TreeSelection selection);
// "visible 317 KiB   stored 547 KiB   hidden 230 KiB (42 %)"
std::string TotalsText(const TreeTotals& totals);

// The lines the kernel oracle prints below `== merged` for a tree. `source` is dir:DIR, tar:A,B,…,
// ext4:FILE or a scenario, as source_tree.h says. Errors: those of SourceTree::Open.
absl::StatusOr<std::vector<std::string>> CanonicalTree(std::string_view source);
// The same for a scenario at hand.
absl::StatusOr<std::vector<std::string>> CanonicalTreeOf(const Scenario& scenario);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_TREE_H_
