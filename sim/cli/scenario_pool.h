// The thin pool that a scenario leaves, as thin_dump XML.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_SCENARIO_POOL_H_
#define LAMINA_SIM_CLI_SCENARIO_POOL_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace lamina::cli {

// Runs the scenario, commits as the end of a pool does, and dumps the pool. Without a name there
// must be exactly one. Errors: those of loading; kFailedPrecondition  no such pool, or several;
// kDataLoss  it cannot be run to its end, or the metadata of the pool cannot be read.
absl::StatusOr<std::string> ScenarioPoolXml(const std::string& path,
                                            const std::optional<std::string>& pool);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_SCENARIO_POOL_H_
