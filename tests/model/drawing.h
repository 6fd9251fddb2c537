// Drawing: layers and calls out of a source of choices. Few names, three levels, conflicting types,
// marks, hard links: so that everything collides with everything.
//
// A choice of 0 is always the plainest, so that a search for a smaller case leads somewhere.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_DRAWING_H_
#define LAMINA_TESTS_MODEL_DRAWING_H_

#include <cstdint>
#include <vector>

#include "sim/model/operation.h"
#include "sim/model/posix.h"
#include "sim/model/tree.h"
#include "tests/model/drawn_paths.h"

namespace lamina::sim {

enum class Marks : std::uint8_t { kNone, kOverlay, kAufs };  // whiteouts and opaque marks

// Calls that make a layer out of an empty directory; each of them succeeds.
std::vector<ModelOperation> DrawLayer(const Choose& choose, Marks marks);

// The tree those calls make, with every time stamp at 1000 s.
ModelTree BuildLayer(const std::vector<ModelOperation>& calls);

// Half of the kinds of calls, at random; calls that keep a case going are always in.
std::vector<OperationKind> DrawSwarm(const Choose& choose);

// One call; half of its arguments name what the model shows.
ModelOperation DrawOperation(const PosixModel& model, const std::vector<OperationKind>& swarm,
                             const Choose& choose);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_DRAWING_H_
