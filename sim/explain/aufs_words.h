// What explain says of an AUFS union: what each branch holds under a name, why a change goes to the
// branch it goes to, and what a learner should know besides.
//
// Threads: pure functions; the union must not be used meanwhile.
#ifndef LAMINA_SIM_EXPLAIN_AUFS_WORDS_H_
#define LAMINA_SIM_EXPLAIN_AUFS_WORDS_H_

#include <string>
#include <vector>

#include "lamina/sim/explain.h"
#include "lamina/union/union_fs.h"
#include "sim/explain/branch_names.h"
#include "sim/explain/planning_fs.h"

namespace lamina::sim::internal {

// One line a branch; or why no branch is asked.
ExplainedLookup AufsLookupText(const UnionFs& fs, const SeenName& name,
                               const std::vector<BranchName>& names);

// "b2 is read-only: copy it up to b1 (tdp: highest writable branch with the parent)".
std::string AufsDecision(const PlannedChange& change, const PlanningFs& plan,
                         const std::vector<BranchName>& names);

// Notes on the whole operation.
std::vector<std::string> AufsNotes(const Explanation& why, const PlanningFs& plan,
                                   const UnionFs& fs, const std::vector<BranchName>& names);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_AUFS_WORDS_H_
