#include "lamina/sim/chunk_map.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_pool.h"
#include "lamina/sim/text_style.h"

namespace lamina::sim {
namespace {

constexpr std::uint64_t kColumns = 64;
constexpr std::uint64_t kGroup = 8;

std::string NameOf(const std::vector<ScenarioDevice>& devices, const std::string& pool, ThinId id) {
  for (const ScenarioDevice& each : devices) {
    if (each.thin == id && each.pool_name == pool) return each.name;
  }
  return absl::StrFormat("device %d", id.value);
}

absl::Status Unreadable(const std::string& pool, Errno error) {
  return absl::DataLossError(
      absl::StrFormat("%s: the metadata cannot be read: %s", pool, ErrnoName(error)));
}

absl::StatusOr<ChunkMap> MapOf(const ScenarioRun& run, const ScenarioDevice& shown,
                               const std::vector<ScenarioDevice>& devices) {
  const OpContext op = run.Observer();
  ThinPool& pool = *shown.pool;
  const Result<ThinChunkMap> chunks = pool.ChunkMap(op);
  if (!chunks.ok()) return Unreadable(shown.name, chunks.error());
  ChunkMap map{.pool = shown.name,
               .chunk_bytes = pool.block_sectors() * kSectorBytes,
               .total = chunks->total_blocks,
               .used = chunks->allocated_blocks,
               .chunks = {},
               .devices = {}};
  std::map<ThinId, std::size_t> index_of;
  const Result<void> listed = pool.metadata().ForEachDevice(op, [&](ThinId id, const ThinDetails&) {
    index_of[id] = map.devices.size();
    map.devices.push_back({.name = NameOf(devices, shown.name, id), .id = id});
    return true;
  });
  if (!listed.ok()) return Unreadable(shown.name, listed.error());
  for (const ThinChunk& chunk : chunks->chunks) {
    const bool shared = chunk.users.size() > 1;
    ++(shared ? map.shared : map.exclusive);
    MappedChunk& mapped = map.chunks.emplace_back();
    mapped.chunk = chunk.data_block;
    for (const ThinUser& user : chunk.users) {
      ChunkMapDevice& device = map.devices[index_of.at(user.device)];
      ++device.mapped;
      ++(shared ? device.shared : device.exclusive);
      mapped.users.push_back({device.name, user.device, user.virtual_block, user.time});
    }
  }
  map.held = map.used - std::min(map.used, map.shared + map.exclusive);
  return map;
}

char MarkOf(std::size_t users) { return users > 9 ? '+' : static_cast<char>('0' + users); }

void AddRows(const ChunkMap& map, std::string& text) {
  std::size_t at = 0;
  std::uint64_t next_row = 0;
  while (at < map.chunks.size()) {
    const std::uint64_t row = map.chunks[at].chunk / kColumns;
    if (row > next_row) text += "        ...\n";
    std::string marks;
    for (std::uint64_t chunk = row * kColumns; chunk < std::min((row + 1) * kColumns, map.total);
         ++chunk) {
      if (chunk % kGroup == 0 && chunk % kColumns != 0) marks += ' ';
      const bool used = at < map.chunks.size() && map.chunks[at].chunk == chunk;
      marks += used ? MarkOf(map.chunks[at++].users.size()) : '.';
    }
    absl::StrAppendFormat(&text, "%6d  %s\n", row * kColumns, marks);
    next_row = row + 1;
  }
  if (next_row * kColumns < map.total) text += "        ...\n";
}

}  // namespace

absl::StatusOr<std::vector<ChunkMap>> ChunkMapsOf(const ScenarioRun& run) {
  const std::vector<ScenarioDevice> devices = run.devices();
  std::vector<ChunkMap> maps;
  for (const ScenarioDevice& device : devices) {
    if (device.pool == nullptr) continue;
    absl::StatusOr<ChunkMap> map = MapOf(run, device, devices);
    if (!map.ok()) return map.status();
    maps.push_back(*std::move(map));
  }
  return maps;
}

std::string ChunkMapText(const ChunkMap& map, ChunkMapDetail detail) {
  std::string text =
      absl::StrFormat("%s: %d chunks of %s, %d used = %d shared + %d exclusive", map.pool,
                      map.total, SizeText(map.chunk_bytes), map.used, map.shared, map.exclusive);
  if (map.held > 0) absl::StrAppendFormat(&text, " + %d held", map.held);
  text += '\n';
  AddRows(map, text);
  std::size_t width = 6;
  for (const ChunkMapDevice& device : map.devices) width = std::max(width, device.name.size());
  const int columns = static_cast<int>(width);
  absl::StrAppendFormat(&text, "%-*s  %8s  %8s  %8s  %9s\n", columns, "device", "id", "mapped",
                        "shared", "exclusive");
  for (const ChunkMapDevice& device : map.devices) {
    absl::StrAppendFormat(&text, "%-*s  %8d  %8d  %8d  %9d\n", columns, device.name,
                          device.id.value, device.mapped, device.shared, device.exclusive);
  }
  if (detail == ChunkMapDetail::kOverview) return text;
  for (const MappedChunk& chunk : map.chunks) {
    absl::StrAppendFormat(&text, "chunk %d", chunk.chunk);
    for (const ChunkUser& user : chunk.users) {
      absl::StrAppendFormat(&text, "  %s block %d (time %d)", user.name, user.block, user.time);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lamina::sim
