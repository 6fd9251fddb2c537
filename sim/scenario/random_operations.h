// Random operations: what `rand ops=20 mix=create:30,write:40` stands for, drawn from a seed as
// lines of the language.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_RANDOM_OPERATIONS_H_
#define LAMINA_SIM_SCENARIO_RANDOM_OPERATIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim::internal {

struct RandomMix {
  std::uint64_t operations = 0;
  std::uint64_t content_bytes = 4096;  // most bytes of one write
  std::vector<std::uint64_t> weights;  // by index in the list of drawn operations
};

// Reads ops=N [size=BYTES] [mix=NAME:WEIGHT,..] of a `rand` statement.
// Errors: kInvalidArgument with its position.
absl::StatusOr<RandomMix> ParseRandomMix(const Statement& rand, std::string_view file);

// The lines. They use the paths that `before` names, and new ones beside them.
std::vector<std::string> DrawOperations(const RandomMix& mix, const Scenario& before,
                                        std::uint64_t seed);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_RANDOM_OPERATIONS_H_
