// ChunkMap: the chunks of a thin pool, and which devices map each.
//
//   absl::StatusOr<std::vector<ChunkMap>> maps = ChunkMapsOf(run);
//   std::string text = ChunkMapText((*maps)[0], ChunkMapDetail::kOverview);
//
// Threads: plain values; the run belongs to one thread.
#ifndef LAMINA_SIM_CHUNK_MAP_H_
#define LAMINA_SIM_CHUNK_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim {

struct ChunkUser {
  std::string name;  // of the active device; "device 7" when it is not active
  ThinId id;
  std::uint64_t block = 0;
  std::uint32_t time = 0;  // of the mapping
};

struct MappedChunk {
  std::uint64_t chunk = 0;
  std::vector<ChunkUser> users;  // by device id, block
};

struct ChunkMapDevice {
  std::string name;
  ThinId id;
  std::uint64_t mapped = 0;     // = shared + exclusive
  std::uint64_t shared = 0;     // with another block of this or another device
  std::uint64_t exclusive = 0;  // its alone
};

struct ChunkMap {
  std::string pool;
  std::uint64_t chunk_bytes = 0;
  std::uint64_t total = 0;
  std::uint64_t used = 0;       // = shared + exclusive + held
  std::uint64_t shared = 0;     // chunks with more than one user
  std::uint64_t exclusive = 0;  // with one
  std::uint64_t held = 0;       // with none: a metadata snapshot keeps them
  std::vector<MappedChunk> chunks;
  std::vector<ChunkMapDevice> devices;  // every one of the pool, by id
};

// One a pool, in order of making.
// Errors: kDataLoss  the metadata of a pool cannot be read.
absl::StatusOr<std::vector<ChunkMap>> ChunkMapsOf(const ScenarioRun& run);

enum class ChunkMapDetail : std::uint8_t {
  kOverview,  // a character a chunk, and a line a device
  kUsers,     // and a line a chunk
};

// For people. A chunk is "." when free, "1" to "9" or "+" by its users, rows of
// 64 without a used chunk are left out.
std::string ChunkMapText(const ChunkMap& map, ChunkMapDetail detail);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHUNK_MAP_H_
