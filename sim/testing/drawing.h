// Drawing: the text of testing/tree.h as a list of entries.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_TESTING_DRAWING_H_
#define LAMINA_SIM_TESTING_DRAWING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/facade/layer.h"
#include "lamina/fs/file_system.h"

namespace lamina::testing::internal {

struct DrawnEntry {
  std::string path;  // absolute, without a slash at the end
  FileType type = FileType::kRegular;
  std::string content;   // of a regular file
  std::string target;    // of a symlink
  std::string hardlink;  // path of the other name; the type is kRegular then
  bool whiteout = false;
  bool opaque = false;
  std::optional<std::uint16_t> mode;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// In the order of the drawing; a directory that only a path names is not listed.
// Errors: InvalidArgument "drawing, line 3: what".
absl::StatusOr<std::vector<DrawnEntry>> ParseDrawing(std::string_view text);

// One line: the entry as a drawing with absolute names has it. Long contents are shown whole.
std::string LineOf(const DrawnEntry& entry);

}  // namespace lamina::testing::internal
#endif  // LAMINA_SIM_TESTING_DRAWING_H_
