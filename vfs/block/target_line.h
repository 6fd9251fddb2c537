// What every device-mapper table line begins with: "<start> <length> <target> <arguments>".
//
// Threads: plain values.
#ifndef LAMINA_VFS_BLOCK_TARGET_LINE_H_
#define LAMINA_VFS_BLOCK_TARGET_LINE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/block/table_result.h"

namespace lamina::internal {

struct TargetLine {
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::vector<std::string_view> words;

  std::span<const std::string_view> arguments() const { return std::span(words).subspan(3); }
};

inline TableError RefusedTable(std::string message) { return {Errno::kInval, std::move(message)}; }

// Errors, all kInval, in the order they are checked: not one line; fewer than three words; start or
// length no number; another target than `target`.
TableResult<TargetLine> ReadTargetLine(std::string_view text, std::string_view target);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_TARGET_LINE_H_
