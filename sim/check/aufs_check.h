// CheckAufsBranch: the findings of one branch of an AUFS union, judged against those below it. They
// are those of auchk, which AUFS comes with, and what else makes no sense.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_CHECK_AUFS_CHECK_H_
#define LAMINA_SIM_CHECK_AUFS_CHECK_H_

#include <map>
#include <vector>

#include "sim/check/aufs_search.h"
#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

// Only of a stack with CheckedStack::aufs. `shown` is AufsSearch::ShownParts. Errors: what reading
// the branches gives.
Result<void> CheckAufsBranch(const StackReader& reader, const std::map<Part, std::size_t>& shown,
                             BranchIndex branch, std::vector<StackFinding>& findings);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_AUFS_CHECK_H_
