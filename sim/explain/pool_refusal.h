// Why a thin pool does not serve a request, or makes it wait, in words (devicemapper.md section 9).
//
// Threads: as the pool, which does not change.
#ifndef LAMINA_SIM_EXPLAIN_POOL_REFUSAL_H_
#define LAMINA_SIM_EXPLAIN_POOL_REFUSAL_H_

#include <optional>
#include <string>

#include "lamina/block/thin_pool.h"

namespace lamina::sim::internal {

// Of a request of any kind: "waits (EAGAIN): p is suspended"; nothing when it is served.
std::optional<std::string> RequestRefusal(ThinPool& pool, const std::string& name);

// Of a write that needs a chunk when none is to be had: the pool is in another mode than kWrite, or
// will be out of data space.
std::string ChunkRefusal(ThinPool& pool, const std::string& name);

// Of a discard: why it unmaps nothing though it succeeds; nothing when it does.
std::optional<std::string> DiscardIsIdle(ThinPool& pool, const std::string& name);

// "p goes from rw to out_of_data_space"; and why, when that is not plain.
std::string ModeChangeText(ThinPool& pool, const std::string& name, ThinPoolMode before);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_POOL_REFUSAL_H_
