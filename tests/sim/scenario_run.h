// Runs a scenario given as text, for tests.
#ifndef LAMINA_TESTS_SIM_SCENARIO_RUN_H_
#define LAMINA_TESTS_SIM_SCENARIO_RUN_H_

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "lamina/sim/scenario.h"

namespace lamina::sim {

class LineList final : public LineSink {
 public:
  void OnLine(std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

struct Ran {
  absl::Status status;
  std::vector<std::string> lines;
  std::vector<ScenarioFailure> failures;
  std::vector<ScenarioQuestion> questions;
  ScenarioCounters counters;
  std::size_t expectations = 0;
};

inline Ran RunText(std::string_view text, std::uint64_t seed = 0) {
  Ran out;
  const absl::StatusOr<Scenario> scenario = ParseScenario(text, {.file = "t.scn", .seed = seed});
  out.status = scenario.status();
  if (!scenario.ok()) return out;
  LineList lines;
  ScenarioRun run(*scenario, {.sink = &lines});
  out.status = run.RunAll();
  out.lines = lines.lines;
  out.failures = run.failures();
  out.questions = run.questions();
  out.counters = run.counters();
  out.expectations = run.expectations();
  return out;
}

// The message of the error that parsing `text` gives.
inline std::string ParseError(std::string_view text) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(text, {.file = "t.scn"});
  EXPECT_FALSE(scenario.ok());
  return std::string(scenario.status().message());
}

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_SIM_SCENARIO_RUN_H_
