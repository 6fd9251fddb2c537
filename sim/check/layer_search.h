// FindName: what the layers of a stack hold under a name, by the rules of the kernel's lookup
// (fs/overlayfs/namei.c, reference in vfs/union/overlay_lookup.cc). Written anew, because here
// every layer is in turn the topmost one, nothing is mounted, and a broken mark is to be walked
// past.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_CHECK_LAYER_SEARCH_H_
#define LAMINA_SIM_CHECK_LAYER_SEARCH_H_

#include <optional>
#include <string>
#include <string_view>

#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

// Why the search looked no further.
enum class SearchEnd : std::uint8_t {
  kBottom,     // every layer was asked
  kFound,      // a file, or the data of a metacopy file
  kOpaque,     // a directory that hides what is below
  kWhiteout,   // at `at`
  kOtherType,  // at `at`: something that is no part of what was found above
  kMalformed,  // a redirect that cannot be followed, at `at`
};

struct FoundName {
  Parts hits;             // topmost first: of a directory, or of a file and where its data is
  FileType type{};        // of the first
  bool metacopy = false;  // a metacopy file; `end` is kFound when its data was found
  bool lazy = false;      // the data is looked for in data-only layers, once the file is read
  SearchEnd end = SearchEnd::kBottom;
  std::optional<Part> at;
};

// `name` in the directory that consists of `parents`. No hit: not visible.
Result<FoundName> FindName(const StackReader& reader, const Parts& parents, std::string_view name);

// Why a redirect mark `value` cannot be followed: "is empty", …; nothing: it can.
std::optional<std::string_view> RedirectFault(std::string_view value);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_LAYER_SEARCH_H_
