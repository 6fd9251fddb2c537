// CheckLayer: the findings of one layer, judged against those below it.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_CHECK_LAYER_CHECK_H_
#define LAMINA_SIM_CHECK_LAYER_CHECK_H_

#include <map>
#include <vector>

#include "sim/check/shown_directories.h"
#include "sim/check/stack_reader.h"

namespace lamina::sim::internal {

// Adds the findings of `branch` to `findings`, and to `links` how many names each of its files with
// several links has in it. `shown` is the tree of the whole stack.
// Errors: what reading the layers gives.
Result<void> CheckLayer(const StackReader& reader, const ShownDirectories& shown,
                        BranchIndex branch, std::vector<StackFinding>& findings,
                        std::map<Inode, std::uint64_t>& links);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_LAYER_CHECK_H_
