// What a layer changes against the layers below it, and how two layers differ as trees.
//
// Threads: the run must not be used meanwhile.
#ifndef LAMINA_SIM_LAYER_DIFF_H_
#define LAMINA_SIM_LAYER_DIFF_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/fs/file_system.h"
#include "lamina/sim/changes.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim {

// The upper, or the topmost writable branch of AUFS; nothing: all are read-only.
std::optional<std::string> WritableLayer(const ScenarioMount& mount);

// What the layer `name` of the current mount changes against those below it; of the upper as
// ChangesOf; of a branch of AUFS as ChangesOfAufsBranch. An overlay's lower layer is mounted as the
// upper of a mount of its own, which leaves a work directory beside it: the run is good for looking
// at only, afterwards.
// Errors: kFailedPrecondition nothing is mounted, or `name` is itself a mount; kNotFound no such
// layer in the stack; kInternal an errno.
absl::StatusOr<std::vector<LayerChange>> ChangesOfLayer(const ScenarioRun& run,
                                                        std::string_view name);

// What turns the tree below `before_root` into the one below `result_root`: names, types, modes,
// owners, sizes, contents, symlink targets, devices and xattrs, but not times, and nothing of the
// roots themselves. A directory with a change below it counts as changed.
// Errors: what either file system gives.
Result<std::vector<LayerChange>> CompareTrees(FileSystem& before, NodeId before_root,
                                              FileSystem& result, NodeId result_root);

// The same of two layers. Whiteouts are devices here, or files of AUFS, whose base entries are left
// out while it is mounted.
// Errors: kNotFound no such layer; kInternal an errno.
absl::StatusOr<std::vector<LayerChange>> CompareLayers(const ScenarioRun& run,
                                                       std::string_view before,
                                                       std::string_view result);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_LAYER_DIFF_H_
