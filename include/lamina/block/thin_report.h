// What a thin pool can tell about its blocks, as values: for explain, the chunk map, JSON.
//
// Threads: plain values.
#ifndef LAMINA_BLOCK_THIN_REPORT_H_
#define LAMINA_BLOCK_THIN_REPORT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "lamina/block/thin_metadata.h"

namespace lamina {

// A virtual block of a device that lies on some data block.
struct ThinUser {
  ThinId device;
  std::uint64_t virtual_block = 0;
  std::uint32_t time = 0;  // of the mapping
  friend bool operator==(const ThinUser&, const ThinUser&) = default;
};

// What the next write of a part of the block does (devicemapper.md section 6).
enum class ThinWriteEffect : std::uint8_t {
  kProvision,     // a new block is allocated
  kInPlace,       // nothing changes but the bytes
  kBreakSharing,  // a new block is allocated and the old one copied
};

struct ThinBlockReport {
  ThinId device;
  std::uint64_t virtual_block = 0;
  std::optional<ThinMapping> mapping;  // nothing: reads as zeros, or as the external origin
  bool looks_shared = false;           // by the rule: snapshotted_time > time
  std::uint32_t snapshotted_time = 0;  // of the device
  std::uint64_t references = 0;        // the true count, entries of a held root included
  std::vector<ThinUser> others = {};   // that map the same data block; by device, virtual block
  ThinWriteEffect next_write = ThinWriteEffect::kProvision;
};

struct ThinChunk {
  std::uint64_t data_block = 0;
  std::vector<ThinUser> users;  // by device, virtual block
  friend bool operator==(const ThinChunk&, const ThinChunk&) = default;
};

struct ThinChunkMap {
  std::uint64_t total_blocks = 0;
  // Mapped ones, and those that only a held metadata snapshot keeps.
  std::uint64_t allocated_blocks = 0;
  std::vector<ThinChunk> chunks = {};  // mapped ones, ascending
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_REPORT_H_
