#include "vfs/block/target_line.h"

#include <optional>

#include "absl/strings/str_format.h"
#include "vfs/block/table_words.h"

namespace lamina::internal {

TableResult<TargetLine> ReadTargetLine(std::string_view text, std::string_view target) {
  const std::size_t line_end = text.find('\n');
  if (line_end != std::string_view::npos && !WordsOf(text.substr(line_end)).empty()) {
    return RefusedTable(absl::StrFormat("the table of a %s has one line", target));
  }
  TargetLine line;
  line.words = WordsOf(text);
  if (line.words.size() < 3) {
    return RefusedTable(absl::StrFormat("a table line is '<start> <length> %s ...'", target));
  }
  const std::optional<std::uint64_t> start = DecimalOf(line.words[0]);
  if (!start) return RefusedTable(absl::StrFormat("the start '%s' is no number", line.words[0]));
  const std::optional<std::uint64_t> length = DecimalOf(line.words[1]);
  if (!length) return RefusedTable(absl::StrFormat("the length '%s' is no number", line.words[1]));
  if (line.words[2] != target) {
    return RefusedTable(absl::StrFormat("the target is '%s', not %s", line.words[2], target));
  }
  line.start = *start;
  line.length = *length;
  return line;
}

}  // namespace lamina::internal
