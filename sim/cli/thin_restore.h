// Writes a dump as binary metadata to a file or a disk of this machine.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_THIN_RESTORE_H_
#define LAMINA_SIM_CLI_THIN_RESTORE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lamina/block/thin_dump.h"

namespace lamina::cli {

// A file is as long as the metadata needs, and never shorter than what it replaces. Gives the
// metadata blocks of `path`.
//
// Errors: kInvalidArgument  the metadata cannot hold what the dump says
//         kUnavailable      `path` cannot be written, or is a disk that is too small
// After an error a file is what it was before; a disk too with kInvalidArgument. The message is
// complete.
absl::StatusOr<std::uint64_t> RestoreToHost(const ThinDump& dump, const std::string& path);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_THIN_RESTORE_H_
