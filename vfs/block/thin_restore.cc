// RestoreThinMetadata: metadata that says what a dump says.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "vfs/block/btree_build.h"
#include "vfs/block/thin_dumper.h"

namespace lamina {

using internal::BlockNumber;

namespace {

using Runs = std::vector<ThinRun>;

constexpr std::uint64_t kMaxCountsInMemory = std::uint64_t{1} << 20;

// The last virtual block of a run that is not empty.
std::uint64_t LastOf(const ThinRun& run) { return run.origin_begin + (run.length - 1); }

bool IsLegalRun(const ThinRun& run, std::uint64_t nr_data_blocks) {
  if (run.time > internal::kMappingTimeMask) return false;
  if (run.length == 0) return true;
  if (run.origin_begin > std::numeric_limits<std::uint64_t>::max() - (run.length - 1)) return false;
  return run.data_begin < nr_data_blocks && run.length <= nr_data_blocks - run.data_begin;
}

Result<void> CheckDump(const ThinDump& dump) {
  const bool is_known =
      dump.version >= internal::kMinThinVersion && dump.version <= internal::kThinVersion;
  if (!is_known) return Errno::kInval;
  if (dump.data_block_size == 0) return Errno::kInval;
  if (dump.data_block_size > std::numeric_limits<std::uint32_t>::max()) return Errno::kInval;
  if (dump.uuid.size() > internal::Superblock().uuid.size()) return Errno::kInval;
  if (dump.nr_data_blocks > kMaxThinDataBlocks) return Errno::kInval;
  absl::flat_hash_set<std::uint64_t> ids;
  bool twice = false;
  for (const ThinDumpDevice& device : dump.devices) {
    for (const ThinRun& run : device.runs) {
      if (!IsLegalRun(run, dump.nr_data_blocks)) return Errno::kInval;
    }
    if (!ids.insert(device.dev_id).second) twice = true;
  }
  if (twice) return Errno::kExist;
  return {};
}

// What of `run` lies from virtual block `begin` on, which is one of its blocks.
ThinRun TailOf(const ThinRun& run, std::uint64_t begin) {
  const std::uint64_t skipped = begin - run.origin_begin;
  return {begin, run.data_begin + skipped, run.length - skipped, run.time};
}

// Runs by their first virtual block; none overlaps another.
class Overlay {
 public:
  void Put(const ThinRun& run) {
    CutOut(run.origin_begin, LastOf(run));
    runs_[run.origin_begin] = run;
  }

  Runs Take() const {
    Runs runs;
    for (const auto& [begin, run] : runs_) runs.push_back(run);
    return runs;
  }

 private:
  void CutOut(std::uint64_t first, std::uint64_t last) {
    auto at = runs_.upper_bound(first);
    if (at != runs_.begin()) --at;
    while (at != runs_.end() && at->first <= last) {
      const ThinRun old = at->second;
      if (LastOf(old) < first) {
        ++at;
        continue;
      }
      runs_.erase(at);
      if (old.origin_begin < first) {
        runs_[old.origin_begin] = {old.origin_begin, old.data_begin, first - old.origin_begin,
                                   old.time};
      }
      if (LastOf(old) > last) runs_[last + 1] = TailOf(old, last + 1);
      at = runs_.lower_bound(first);
    }
  }

  absl::btree_map<std::uint64_t, ThinRun> runs_;
};

// Ascending and without overlaps: of two that map one virtual block the later one wins.
Runs InOrder(const Runs& given) {
  Runs runs;
  bool is_ascending = true;
  for (const ThinRun& run : given) {
    if (run.length == 0) continue;
    if (!runs.empty() && LastOf(runs.back()) >= run.origin_begin) is_ascending = false;
    runs.push_back(run);
  }
  if (is_ascending) return runs;
  Overlay overlay;
  for (const ThinRun& run : runs) overlay.Put(run);
  return overlay.Take();
}

}  // namespace

Result<void> ThinDumper::Restore(const OpContext& op, const ThinDump& dump, BlockDevice& metadata,
                                 std::uint64_t counts_in_memory) {
  Store store(metadata);
  Result<void> made = store.FormatEmpty(op, dump.data_block_size, dump.nr_data_blocks);
  if (!made.ok()) return made;
  internal::Superblock& superblock = store.current;
  superblock.flags = dump.flags;
  superblock.version = dump.version;
  superblock.time = dump.time;
  superblock.transaction_id = dump.transaction;
  std::memcpy(superblock.uuid.data(), dump.uuid.data(), dump.uuid.size());
  for (const ThinDumpDevice& device : dump.devices) {
    made = RestoreDevice(op, device, store, counts_in_memory);
    if (!made.ok()) return made;
  }
  return store.WriteCommit(op);
}

Result<void> ThinDumper::RestoreDevice(const OpContext& op, const ThinDumpDevice& from,
                                       Store& store, std::uint64_t counts_in_memory) {
  const Runs runs = InOrder(from.runs);
  const std::uint64_t free = store.shadows.counts().counts().allocatable;
  std::uint64_t mapped = 0;
  for (const ThinRun& run : runs) {
    // A run may name far more blocks than there is room for.
    if (run.length / internal::MaxEntriesFor(sizeof(std::uint64_t)) > free) return Errno::kNoSpc;
    mapped += run.length;
  }
  internal::BtreeBuilder builder(store.shadows, sizeof(std::uint64_t), mapped);
  if (builder.node_count() > free) return Errno::kNoSpc;
  for (const ThinRun& run : runs) {
    for (std::uint64_t i = 0; i < run.length; ++i) {
      const std::uint64_t data_block = run.data_begin + i;
      std::byte value[sizeof(std::uint64_t)];
      internal::StoreLe(value, internal::PackMapping({data_block, run.time}));
      Result<void> added = store.data.Inc(op, data_block);
      if (added.ok()) added = builder.Add(op, run.origin_begin + i, value);
      if (added.ok() && store.data.counts_in_memory() >= counts_in_memory) {
        added = store.data.Spill(op);
      }
      if (!added.ok()) return added;
    }
  }
  const Result<BlockNumber> root = builder.Finish(op);
  if (!root.ok()) return root.error();
  Store::Device added;
  added.details = {mapped, from.transaction, from.creation_time, from.snap_time};
  added.root = *root;
  return store.AddDevice(op, ThinId{from.dev_id}, added);
}

Result<void> RestoreThinMetadata(const OpContext& op, const ThinDump& dump, BlockDevice& metadata) {
  if (Result<void> legal = CheckDump(dump); !legal.ok()) return legal;
  return ThinDumper::Restore(op, dump, metadata, kMaxCountsInMemory);
}

}  // namespace lamina
