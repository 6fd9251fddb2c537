// The outcomes of one epoch that are worth a look.
#ifndef LAMINA_SIM_ENGINE_EPOCH_OUTCOMES_H_
#define LAMINA_SIM_ENGINE_EPOCH_OUTCOMES_H_

#include <cstdint>
#include <span>

#include "absl/functional/function_ref.h"
#include "lamina/sim/crash_states.h"

namespace lamina::sim::internal {

// Gives each to `visit`, some more than once. `seed` is that of the samples. True when all subsets
// of whole changes were among them.
bool ForEachOutcome(std::span<const DeviceChange> changes, const CrashBounds& bounds,
                    std::uint64_t seed, absl::FunctionRef<void(const CrashOutcome&)> visit);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_ENGINE_EPOCH_OUTCOMES_H_
