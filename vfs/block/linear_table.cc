#include "lamina/block/linear_table.h"

#include <optional>

#include "absl/strings/str_format.h"
#include "vfs/block/table_words.h"
#include "vfs/block/target_line.h"

namespace lamina {

using internal::RefusedTable;

TableResult<LinearTable> ParseLinearTable(std::string_view text) {
  const TableResult<internal::TargetLine> line = internal::ReadTargetLine(text, "linear");
  if (!line.ok()) return line.failure();
  if (line->length == 0) return RefusedTable("a linear device of length 0");
  if (line->arguments().size() != 2) {
    return RefusedTable("a linear device takes 2 arguments: the device, its first sector");
  }
  const std::string_view first = line->arguments()[1];
  const std::optional<std::uint64_t> sector = internal::DecimalOf(first);
  if (!sector) return RefusedTable(absl::StrFormat("the first sector '%s' is no number", first));
  return LinearTable{.start_sector = line->start,
                     .length_sectors = line->length,
                     .device = std::string(line->arguments()[0]),
                     .first_sector = *sector};
}

std::string TableText(const LinearTable& table) {
  return absl::StrFormat("%s %d", table.device, table.first_sector);
}

}  // namespace lamina
