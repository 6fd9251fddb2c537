// Dumps as plain maps, and random ones, for comparisons.
//
// Threads: pure, but for the generator.
#ifndef LAMINA_TESTS_BLOCK_THIN_DUMP_MODEL_H_
#define LAMINA_TESTS_BLOCK_THIN_DUMP_MODEL_H_

#include <cstdint>
#include <map>
#include <utility>

#include "lamina/block/thin_dump.h"
#include "tests/store/split_mix.h"

namespace lamina {

// Virtual block to data block and time; the later run wins.
using ThinBlocks = std::map<std::uint64_t, std::pair<std::uint64_t, std::uint32_t>>;

inline ThinBlocks BlocksOf(const ThinDumpDevice& device) {
  ThinBlocks blocks;
  for (const ThinRun& run : device.runs) {
    for (std::uint64_t i = 0; i < run.length; ++i) {
      blocks[run.origin_begin + i] = {run.data_begin + i, run.time};
    }
  }
  return blocks;
}

// Up to four devices with up to eight runs each, in any order and over one another, all within 40
// virtual and 60 data blocks.
inline ThinDump RandomThinDump(SplitMix64& random) {
  ThinDump dump;
  dump.nr_data_blocks = 60;
  dump.time = 3;
  for (std::uint64_t id = random.Below(3); id < 4; id += 1 + random.Below(2)) {
    ThinDumpDevice device;
    device.dev_id = 10 - id;
    for (std::uint64_t left = random.Below(9); left > 0; --left) {
      const std::uint64_t origin = random.Below(30);
      const std::uint64_t data = random.Below(2) == 0 ? origin : random.Below(50);
      device.runs.push_back(
          {origin, data, random.Below(10), static_cast<std::uint32_t>(random.Below(2))});
    }
    dump.devices.push_back(device);
  }
  return dump;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_DUMP_MODEL_H_
