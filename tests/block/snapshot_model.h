// What dm-snapshot does, said plainly: an origin and its snapshots as maps of chunk to content.
// Knows nothing of stores, tables or devices but how many chunks they have room for.
#ifndef LAMINA_TESTS_BLOCK_SNAPSHOT_MODEL_H_
#define LAMINA_TESTS_BLOCK_SNAPSHOT_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lamina {

using Content = std::vector<int>;  // a fill for each sector

struct SnapshotModel {
  bool persistent = true;
  bool overflow = false;  // PO
  bool merging = false;
  std::uint64_t chunk = 8;
  std::uint64_t length = 0;
  std::uint64_t cow_sectors = 0;

  bool valid = true;
  bool overflowed = false;
  std::map<std::uint64_t, Content> own = {};  // chunks that differ from the origin, or did
  std::vector<std::uint64_t> order = {};      // those, as they came

  std::uint64_t PerArea() const { return chunk * 32; }
  bool Fits(std::uint64_t cow_chunk) const { return (cow_chunk + 1) * chunk <= cow_sectors; }
  std::uint64_t NextChunk() const {
    return persistent ? 2 + order.size() + order.size() / PerArea() : order.size();
  }

  std::string Status() const {
    if (!valid) return "Invalid";
    if (overflowed) return "Overflow";
    const std::uint64_t metadata = persistent ? order.size() / PerArea() + 2 : 0;
    return std::to_string(NextChunk() * chunk) + "/" + std::to_string(cow_sectors) + " " +
           std::to_string(metadata * chunk);
  }

  // Room for one more?
  bool Full() const { return !Fits(NextChunk()); }
  void Add(std::uint64_t number, Content content) {
    order.push_back(number);
    if (persistent && order.size() % PerArea() == 0 && !Fits(NextChunk() - 1)) valid = false;
    own[number] = std::move(content);
  }
};

class OriginModel {
 public:
  explicit OriginModel(std::uint64_t sectors) : content(sectors, 0) {}

  Content content;
  std::vector<SnapshotModel*> snapshots;

  Content ChunkOf(const SnapshotModel& snapshot, std::uint64_t number) const {
    Content chunk(snapshot.chunk, 0);
    for (std::uint64_t i = 0; i < snapshot.chunk; ++i) {
      const std::uint64_t sector = number * snapshot.chunk + i;
      if (sector < content.size()) chunk[i] = content[sector];
    }
    return chunk;
  }

  // Every snapshot that has not the chunk of this sector keeps it.
  void Keep(std::uint64_t sector) {
    for (SnapshotModel* snapshot : snapshots) {
      if (snapshot->merging || !snapshot->valid || sector >= snapshot->length) continue;
      const std::uint64_t number = sector / snapshot->chunk;
      if (snapshot->own.contains(number)) continue;
      if (snapshot->Full()) {
        snapshot->valid = false;
      } else {
        snapshot->Add(number, ChunkOf(*snapshot, number));
      }
    }
  }
  void Write(std::uint64_t sector, int fill) {
    Keep(sector);
    content[sector] = fill;
  }

  int Read(const SnapshotModel& snapshot, std::uint64_t sector) const {
    const auto found = snapshot.own.find(sector / snapshot.chunk);
    const bool own = snapshot.valid && found != snapshot.own.end();
    return own ? found->second[sector % snapshot.chunk] : content[sector];
  }

  // Writes `count` sectors of a snapshot; false: it fails at some sector.
  bool Write(SnapshotModel& snapshot, std::uint64_t first, std::uint64_t count, int fill) {
    for (std::uint64_t sector = first; sector < first + count; ++sector) {
      if (!snapshot.merging && (!snapshot.valid || snapshot.overflowed)) return false;
      const std::uint64_t number = sector / snapshot.chunk;
      const bool own = snapshot.valid && snapshot.own.contains(number);
      if (!own && snapshot.merging) {
        Write(sector, fill);
        continue;
      }
      if (!own) {
        if (snapshot.Full()) {
          (snapshot.overflow ? snapshot.overflowed : snapshot.valid) = snapshot.overflow;
          return false;
        }
        snapshot.Add(number, ChunkOf(snapshot, number));
        if (!snapshot.valid) return false;
      }
      snapshot.own[number][sector % snapshot.chunk] = fill;
    }
    return true;
  }

  // The last run of consecutive chunks of an area goes back; false: none is left.
  bool MergeNext(SnapshotModel& snapshot) {
    if (snapshot.order.empty()) return false;
    const std::uint64_t area = (snapshot.order.size() - 1) / snapshot.PerArea();
    std::uint64_t lowest = snapshot.order.back();
    std::uint64_t count = 1;
    while (snapshot.order.size() > area * snapshot.PerArea() + count &&
           snapshot.order[snapshot.order.size() - 1 - count] == lowest - 1) {
      --lowest;
      ++count;
    }
    for (std::uint64_t number = lowest; number < lowest + count; ++number) {
      for (std::uint64_t i = 0; i < snapshot.chunk; ++i) {
        const std::uint64_t sector = number * snapshot.chunk + i;
        if (sector < content.size()) Write(sector, snapshot.own[number][i]);
      }
      snapshot.own.erase(number);
    }
    snapshot.order.resize(snapshot.order.size() - count);
    return true;
  }
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_SNAPSHOT_MODEL_H_
