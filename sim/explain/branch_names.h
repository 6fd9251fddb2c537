// The labels of the branches of a mount. Overlay: U, then L3 L2 L1, then D2 D1; numbers count from
// the bottom, so that a layer keeps its label when one is put on top. AUFS: b0, b1 from the top, as
// its users count.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_EXPLAIN_BRANCH_NAMES_H_
#define LAMINA_SIM_EXPLAIN_BRANCH_NAMES_H_

#include <string>
#include <vector>

#include "lamina/sim/scenario.h"

namespace lamina::sim::internal {

struct BranchName {
  std::string label;
  std::string layer;
  bool data_only = false;
  std::string mode = {};  // AUFS: "rw", "ro+wh"
};

bool IsAufs(const ScenarioMount& mount);

// By BranchIndex.
std::vector<BranchName> BranchNamesOf(const ScenarioMount& mount);

// The mount whose process is `run`'s target; null when the target is a layer or missing.
const ScenarioMount* TargetMount(const ScenarioRun& run);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_BRANCH_NAMES_H_
