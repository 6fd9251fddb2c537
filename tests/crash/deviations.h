// Deviations: where a crash, or a step that fails, may leave more than "entirely or not at all".
// Two tables; README.md shows both, and a test compares.
//
// Threads: tables of constants, and pure functions.
#ifndef LAMINA_TESTS_CRASH_DEVIATIONS_H_
#define LAMINA_TESTS_CRASH_DEVIATIONS_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/sim/fault_plan.h"
#include "tests/crash/operations.h"
#include "tests/crash/plain_tree.h"
#include "tests/crash/scenes.h"

namespace lamina::testing {

// How often each row was needed, by name.
using RowCounts = std::map<std::string_view, std::uint64_t>;

// ── What the merged tree may show ────────────────────────────────────────────────────────────────

// What was done, and what the tree is like before and after all of it.
struct DeviationContext {
  const Operation& operation;
  const PlainTree& before;
  const PlainTree& after;
  bool litter = false;  // the work directory holds something
};

struct Deviation {
  std::string_view name;
  std::string_view what;
  std::string_view source;
  bool (*covers)(const DeviationContext& context, const TreeDifference& difference);
};
std::span<const Deviation> Deviations();

// A tree must be one of `allowed`, apart from deviations. The differences from the nearest one that
// no deviation covers; empty when all is well, and then the deviations are counted.
std::vector<std::string> JudgeTree(const DeviationContext& context,
                                   const std::vector<PlainTree>& allowed, const PlainTree& seen,
                                   RowCounts& counts);

// ── Which steps may fail without failing the call ────────────────────────────────────────────────

struct ToleratedStep {
  std::string_view name;
  std::string_view what;
  std::string_view source;
  bool (*covers)(const sim::FiredFault& step);
};
std::span<const ToleratedStep> ToleratedSteps();

// The row that covers the step; null when it had to fail its call.
const ToleratedStep* FindTolerated(const sim::FiredFault& step);

// What CheckInvariants finds, without what a row above explains ("whiteout … hides nothing").
std::vector<std::string> UnexplainedFindings(const Operation& operation,
                                             const absl::Status& invariants, RowCounts& counts);

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_DEVIATIONS_H_
