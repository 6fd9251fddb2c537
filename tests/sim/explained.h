// Scenarios given as text, explained; and whether what was explained is what then happens.
#ifndef LAMINA_TESTS_SIM_EXPLAINED_H_
#define LAMINA_TESTS_SIM_EXPLAINED_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lamina/sim/explain.h"
#include "lamina/sim/scenario.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {

inline Scenario Parsed(const std::string& text, std::uint64_t seed = 0) {
  absl::StatusOr<Scenario> scenario =
      ParseScenario(text, {.file = "t.scn", .seed = seed, .limits = {}});
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *std::move(scenario) : Scenario();
}

inline Explanation Explained(const std::string& text, const std::string& operation,
                             ExplainMode mode = ExplainMode::kPlan) {
  const Scenario scenario = Parsed(text);
  const absl::StatusOr<Statement> statement = ParseOperation({operation}, {});
  EXPECT_TRUE(statement.ok()) << statement.status();
  if (!statement.ok()) return {};
  absl::StatusOr<Explanation> why = ExplainAfter(scenario, std::nullopt, *statement, mode);
  EXPECT_TRUE(why.ok()) << why.status();
  return why.ok() ? *std::move(why) : Explanation();
}

// What was explained wrongly, as "L12 stat /a: explained …, was …", and how much was explained.
struct Agreement {
  std::vector<std::string> wrong;
  std::size_t explained = 0;
  std::string text;  // of the run
};

inline Agreement ExplainEverything(const Scenario& scenario) {
  Agreement agreement;
  LineList lines;
  ScenarioRun run(scenario, {.sink = &lines});
  while (!run.AtEnd()) {
    const absl::StatusOr<Explanation> why = ExplainNext(run, run.next());
    const absl::StatusOr<StepReport> step = run.Step();
    if (!step.ok()) break;
    if (!why.ok() || !step->operation) continue;
    ++agreement.explained;
    if (why->answer == step->result && why->cost.bytes_read == step->bytes_copied) continue;
    // A fifo that a handle holds open is not foreseen.
    if (why->error == Errno::kNxIo && step->result == "OK") continue;
    agreement.wrong.push_back("L" + std::to_string(step->statement->line) + ' ' +
                              step->statement->text + ": explained " + why->answer + ", was " +
                              step->result);
  }
  run.Finish();
  for (const std::string& line : lines.lines) agreement.text += line + '\n';
  return agreement;
}

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_SIM_EXPLAINED_H_
