// Where `lamina export` writes: dir:DIR or ext4:FILE[:SIZE].
//
// Threads: pure functions.
#ifndef LAMINA_SIM_CLI_EXPORT_TARGET_H_
#define LAMINA_SIM_CLI_EXPORT_TARGET_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace lamina::cli {

enum class ExportForm : std::uint8_t { kDirectory, kExt };

struct ExportTarget {
  ExportForm form = ExportForm::kDirectory;
  std::string path;
  std::uint64_t size_bytes = 0;  // kExt; 0: as the tree needs
};

// SIZE is a number with K, M, G or T (units of 1024) or none, and perhaps B or iB behind it. What
// stands behind the last colon and does not begin with a digit belongs to the name of the file.
// Errors: kInvalidArgument, with the text as it was given.
absl::StatusOr<ExportTarget> ParseExportTarget(std::string_view text);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_EXPORT_TARGET_H_
