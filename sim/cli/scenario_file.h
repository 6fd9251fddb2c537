// Scenario files of the command line: read, parsed, and checked for what is not supported.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_SCENARIO_FILE_H_
#define LAMINA_SIM_CLI_SCENARIO_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lamina/sim/scenario.h"

namespace lamina::cli {

// Reads and parses `path`; "-" is standard input.
// Errors: kNotFound the file cannot be read; those of ParseScenario. The message is complete.
absl::StatusOr<sim::Scenario> LoadScenario(const std::string& path, std::uint64_t seed);

// The same, for commands that run it. Errors: also kUnimplemented "UNSUPPORTED …", what it uses is
// not modelled.
absl::StatusOr<sim::Scenario> LoadScenarioToRun(const std::string& path, std::uint64_t seed);

// "192 KiB", "5 B": exact when it divides, else one decimal.
std::string ShowSize(std::uint64_t size_bytes);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_SCENARIO_FILE_H_
