// CheckView: what a union shows against itself and its layers: what it lists, what it finds, and
// what it must not show.
//
// Threads: a pure function.
#ifndef LAMINA_SIM_CHECK_VIEW_CHECK_H_
#define LAMINA_SIM_CHECK_VIEW_CHECK_H_

#include <vector>

#include "lamina/sim/check.h"

namespace lamina::sim::internal {

// CheckMountedTree of `fs` as seen through `view`: `fs` itself, or what stands in front of it.
Result<std::vector<StackFinding>> CheckView(const OpContext& op, FileSystem& view, UnionFs& fs,
                                            const OverlayOptions& options,
                                            const std::vector<StackFinding>& known);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_VIEW_CHECK_H_
