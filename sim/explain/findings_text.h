// What branches hold under a name, in words.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_EXPLAIN_FINDINGS_TEXT_H_
#define LAMINA_SIM_EXPLAIN_FINDINGS_TEXT_H_

#include <string>
#include <vector>

#include "lamina/sim/explain.h"
#include "lamina/union/union_fs.h"
#include "sim/explain/branch_names.h"

namespace lamina::sim::internal {

// "regular, 20 B", "directory", "symlink", "char 1:3".
std::string ObjectText(const Stat& stat);

// One line a branch.
std::vector<ExplainedBranch> FindingsText(const NameFindings& findings,
                                          const std::vector<BranchName>& names);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_FINDINGS_TEXT_H_
