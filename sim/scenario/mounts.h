// What of mounting concerns the text of a scenario before it runs.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_MOUNTS_H_
#define LAMINA_SIM_SCENARIO_MOUNTS_H_

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace lamina::sim::internal {

// Replaces @LAYER@ by path_of(LAYER) and @LAYER.work@ by that and ".work".
// Errors: what `path_of` gives.
absl::StatusOr<std::string> ReplaceLayerMarks(
    std::string_view text,
    absl::FunctionRef<absl::StatusOr<std::string>(const std::string&)> path_of);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_MOUNTS_H_
