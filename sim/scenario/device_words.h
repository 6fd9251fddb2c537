// The arguments of device statements: words like data=64MiB among plain ones, checked before
// anything runs and read again when it does.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_DEVICE_WORDS_H_
#define LAMINA_SIM_SCENARIO_DEVICE_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/snapshot_table.h"
#include "lamina/block/thin_table.h"
#include "lamina/ext/mkfs.h"
#include "sim/scenario/arguments.h"

namespace lamina::sim::internal {

// What is wrong, and the index of the argument.
using Problem = std::optional<std::pair<std::size_t, std::string>>;
using Arguments = std::vector<ScenarioArgument>;

// pool NAME [data=SIZE] [meta=SIZE] [chunk=SIZE] [low_water=N] [FEATURE…]
// pool NAME from SOURCE [data=SIZE] [low_water=N] [FEATURE…]
struct PoolWords {
  std::optional<std::string> source;
  std::optional<std::uint64_t> data_sectors;
  std::optional<std::uint64_t> metadata_sectors;
  ThinPoolTable table;  // without devices and length
};
Problem ReadPoolWords(const ArgumentRules& rules, const Arguments& args, PoolWords& words);

// snap NAME ORIGIN [id=N]                              a thin snapshot
// snap NAME ORIGIN cow=SIZE [chunk=SIZE] [store=P|PO|N]   dm-snapshot
struct SnapWords {
  std::optional<std::uint64_t> id;
  std::optional<std::uint64_t> cow_sectors;
  std::uint64_t chunk_sectors = kDefaultSnapshotChunkSectors;
  SnapshotStore store = SnapshotStore::kPersistent;
};
Problem ReadSnapWords(const ArgumentRules& rules, const Arguments& args, SnapWords& words);

// dd of=DEV [seek=OFFSET] DATA [conv=fsync]
// dd if=DEV [skip=OFFSET] count=LENGTH
// dd if=DEV of=DEV [skip=OFFSET] [seek=OFFSET] [count=LENGTH] [conv=fsync]
struct DdWords {
  std::string from;
  std::string into;
  std::uint64_t skip_bytes = 0;
  std::uint64_t seek_bytes = 0;
  std::optional<std::uint64_t> count_bytes;
  std::optional<std::string> data;  // not expanded
  bool sync = false;
};
Problem ReadDdWords(const ArgumentRules& rules, const Arguments& args, DdWords& words);

// mkfs DEV [ext2|ext3|ext4] [block=SIZE] [inode=128|256] [label=TEXT] [nojournal]
Problem ReadMkfsWords(const ArgumentRules& rules, const Arguments& args, ExtMkfsOptions& options);

// A size that is at least one sector, and whole ones; nothing else.
std::optional<std::uint64_t> SectorsOfSize(const std::string& text);

// What was read: "zeros:4096", "fill:x:512+zeros:3584", at most 8 runs; else as any content.
std::string DeviceContentText(const std::string& bytes);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_DEVICE_WORDS_H_
