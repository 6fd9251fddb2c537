// What the tree matchers ask of a view.
//
// Threads: the rule of the view.
#ifndef LAMINA_SIM_TESTING_TREE_FACTS_H_
#define LAMINA_SIM_TESTING_TREE_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/lamina.h"
#include "sim/testing/drawing.h"

namespace lamina::testing::internal {

// "a file of 20 B", "a directory", "a whiteout".
std::string ObjectText(const Stat& stat);

// In quotes; after 200 bytes "and N bytes more".
std::string Shortened(std::string_view bytes);

// `path` is the name that is hidden: an AUFS has the whiteout in a file beside it.
bool IsWhiteoutAt(const TreeView& view, const std::string& path);
// Where the mark of a whiteout of `path` is stored: `path` itself in an overlay.
std::string WhiteoutPlace(const TreeView& view, const std::string& path);
bool IsOpaqueAt(const TreeView& view, const std::string& path);

// How much of an entry is looked at.
enum class EntryDetail : std::uint8_t {
  kAsDrawn,  // mode, owner and xattrs where the pattern has them
  kAll,      // those too, and hard links by the first name in the order of paths
};

// The object at `path`, in the words of a drawing. `pattern`: the drawn entry it is compared with.
// Errors: what the view gives.
absl::StatusOr<DrawnEntry> EntryAt(const TreeView& view, const std::string& path,
                                   const DrawnEntry& pattern, EntryDetail detail);

// How a drawing names what stands at `path` of a view; nothing: it does not draw it. In an AUFS
// /d/.wh.x is "/d/x whiteout", unless an entry /d/x stands beside it; the mark of an opaque
// directory, the old names of renamed ones and the base entries are not drawn.
struct DrawnName {
  std::string path;
  bool whiteout = false;
};
std::optional<DrawnName> DrawnNameOf(const TreeView& view, const std::string& path);

}  // namespace lamina::testing::internal
#endif  // LAMINA_SIM_TESTING_TREE_FACTS_H_
