// What explain says of a `remount` of an AUFS union: who keeps a branch that is to go.
//
// Threads: as the run.
#ifndef LAMINA_SIM_EXPLAIN_AUFS_REMOUNT_H_
#define LAMINA_SIM_EXPLAIN_AUFS_REMOUNT_H_

#include <string>
#include <vector>

#include "lamina/sim/scenario.h"

namespace lamina::sim::internal {

// Why AUFS would answer EBUSY, a sentence each; asked before `remount` runs. None for an overlay.
std::vector<std::string> RemountNotes(const ScenarioRun& run, const Statement& remount);

// "branches now: b0 rw w1, b1 ro+wh base".
std::string BranchesNow(const ScenarioRun& run, const Statement& remount);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_AUFS_REMOUNT_H_
