// ext4:FILE on the command line: an image of ext2, ext3 or ext4 in a file of the host.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_EXT_SOURCE_H_
#define LAMINA_SIM_CLI_EXT_SOURCE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "lamina/ext/check.h"

namespace lamina::cli {

inline bool IsExtSource(std::string_view source) { return source.starts_with("ext4:"); }

// Checks the image that `source` names. Nothing is written.
// Errors, each naming the file: those of HostDisk::Open; kInvalidArgument not an ext image;
// kUnimplemented a feature that is not supported, or lamina is built without LAMINA_IMAGE.
absl::StatusOr<ExtReport> CheckExtSource(std::string_view source);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_EXT_SOURCE_H_
