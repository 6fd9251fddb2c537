// What is odd about a whiteout.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_CHECK_WHITEOUT_CHECK_H_
#define LAMINA_SIM_CHECK_WHITEOUT_CHECK_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/check/shown_directories.h"
#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

// A directory of the layer that is checked, and what of the layers below is merged with it.
struct LayerDirectory {
  std::string path;  // "" for the root
  Parts parts;       // the layer's own one first
  bool opaque = false;
  bool xattr_whiteouts = false;  // opaque=x
};

// One sentence or two about a whiteout; kind and severity belong to it.
struct WhiteoutFinding {
  FindingKind kind{};
  Severity severity{};
  std::string what;
  std::string kernel;
};

// The whiteout `name` of type `type` in `dir`; `listing` is how the whole stack shows `dir`.
// Errors: what reading the layers gives.
Result<std::vector<WhiteoutFinding>> CheckWhiteout(const StackReader& reader,
                                                   const LayerDirectory& dir, Listing listing,
                                                   std::string_view name, FileType type);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_WHITEOUT_CHECK_H_
