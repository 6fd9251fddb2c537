#include "lamina/block/snapshot_table.h"

#include <bit>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "vfs/block/table_words.h"
#include "vfs/block/target_line.h"

namespace lamina {
namespace {

using internal::DecimalOf;
using internal::ReadTargetLine;
using internal::RefusedTable;
using internal::SameWord;
using internal::TargetLine;
using Words = std::span<const std::string_view>;

constexpr std::uint64_t kMaxFeatures = 2;

// The counted features; `words` begins with their count.
std::optional<TableError> ReadFeatures(Words words, SnapshotTable& table) {
  if (words.empty()) return std::nullopt;
  const std::optional<std::uint64_t> count = DecimalOf(words[0]);
  if (!count) return RefusedTable(absl::StrFormat("the feature count '%s' is no number", words[0]));
  if (*count > kMaxFeatures) {
    return RefusedTable(absl::StrFormat("%d features; at most 2 can be given", *count));
  }
  if (*count > words.size() - 1) {
    return RefusedTable(
        absl::StrFormat("%d features announced, %d given", *count, words.size() - 1));
  }
  for (const std::string_view word : words.subspan(1, *count)) {
    if (SameWord(word, "discard_zeroes_cow")) {
      table.discard_zeroes_cow = true;
    } else if (SameWord(word, "discard_passdown_origin")) {
      table.discard_passdown_origin = true;
    } else {
      return RefusedTable(absl::StrFormat("unknown snapshot feature '%s'", word));
    }
  }
  return std::nullopt;
}

std::optional<SnapshotStore> StoreOf(std::string_view word) {
  if (SameWord(word, "P")) return SnapshotStore::kPersistent;
  if (SameWord(word, "PO")) return SnapshotStore::kPersistentOverflow;
  if (SameWord(word, "N")) return SnapshotStore::kTransient;
  return std::nullopt;
}

bool IsLegalChunkSize(std::uint64_t sectors) {
  return sectors == 0 || (std::has_single_bit(sectors) && sectors <= kMaxSnapshotChunkSectors);
}

TableError BadChunkSize(std::string_view written) {
  return RefusedTable(
      absl::StrFormat("the chunk size '%s' is no power of two from 1 to 2097152 sectors", written));
}

TableError PassdownAlone() {
  return RefusedTable("discard_passdown_origin depends on discard_zeroes_cow");
}

}  // namespace

std::string_view SnapshotTargetName(SnapshotKind kind) {
  return kind == SnapshotKind::kMerge ? "snapshot-merge" : "snapshot";
}

std::string_view SnapshotStoreWord(SnapshotStore store) {
  switch (store) {
    case SnapshotStore::kPersistent:
      return "P";
    case SnapshotStore::kPersistentOverflow:
      return "PO";
    case SnapshotStore::kTransient:
      return "N";
  }
  return {};
}

std::optional<TableError> CheckSnapshotTable(const SnapshotTable& table) {
  if (table.length_sectors == 0) return RefusedTable("a snapshot of length 0");
  if (table.discard_passdown_origin && !table.discard_zeroes_cow) return PassdownAlone();
  if (table.origin_device == table.cow_device) {
    return RefusedTable("origin and COW device are the same device");
  }
  if (!IsLegalChunkSize(table.chunk_sectors)) {
    return BadChunkSize(absl::StrFormat("%d", table.chunk_sectors));
  }
  if (table.store != SnapshotStore::kTransient) return std::nullopt;
  if (table.chunk_sectors == 0) return RefusedTable("a transient store needs a chunk size");
  if (table.kind == SnapshotKind::kMerge) {
    return RefusedTable("a transient store cannot be merged");
  }
  return std::nullopt;
}

TableResult<SnapshotTable> ParseSnapshotTable(std::string_view text) {
  SnapshotTable table;
  const std::vector<std::string_view> words = internal::WordsOf(text);
  if (words.size() > 2 && words[2] == SnapshotTargetName(SnapshotKind::kMerge)) {
    table.kind = SnapshotKind::kMerge;
  }
  const TableResult<TargetLine> line = ReadTargetLine(text, SnapshotTargetName(table.kind));
  if (!line.ok()) return line.failure();
  if (line->length == 0) return RefusedTable("a snapshot of length 0");
  const Words arguments = line->arguments();
  if (arguments.size() < 4) {
    return RefusedTable(
        "a snapshot needs 4 arguments: origin device, COW device, P|PO|N, chunk size");
  }
  if (std::optional<TableError> bad = ReadFeatures(arguments.subspan(4), table)) return *bad;
  if (table.discard_passdown_origin && !table.discard_zeroes_cow) return PassdownAlone();
  table.start_sector = line->start;
  table.length_sectors = line->length;
  table.origin_device = arguments[0];
  table.cow_device = arguments[1];
  if (table.origin_device == table.cow_device) {
    return RefusedTable("origin and COW device are the same device");
  }
  const std::optional<SnapshotStore> store = StoreOf(arguments[2]);
  if (!store)
    return RefusedTable(absl::StrFormat("the store '%s' is not P, PO or N", arguments[2]));
  table.store = *store;
  const std::optional<std::uint64_t> chunk = DecimalOf(arguments[3]);
  if (!chunk || !IsLegalChunkSize(*chunk)) return BadChunkSize(arguments[3]);
  table.chunk_sectors = *chunk;
  if (std::optional<TableError> bad = CheckSnapshotTable(table)) return *bad;
  return table;
}

TableResult<SnapshotOriginTable> ParseSnapshotOriginTable(std::string_view text) {
  const TableResult<TargetLine> line = ReadTargetLine(text, "snapshot-origin");
  if (!line.ok()) return line.failure();
  if (line->length == 0) return RefusedTable("an origin of length 0");
  if (line->arguments().size() != 1) {
    return RefusedTable("a snapshot-origin takes 1 argument: the origin device");
  }
  return SnapshotOriginTable{.start_sector = line->start,
                             .length_sectors = line->length,
                             .origin_device = std::string(line->arguments()[0])};
}

std::string TableText(const SnapshotTable& table) {
  std::string text = absl::StrFormat("%s %s %s %d", table.origin_device, table.cow_device,
                                     SnapshotStoreWord(table.store), table.chunk_sectors);
  const int features = (table.discard_zeroes_cow ? 1 : 0) + (table.discard_passdown_origin ? 1 : 0);
  if (features == 0) return text;
  absl::StrAppendFormat(&text, " %d", features);
  if (table.discard_zeroes_cow) text += " discard_zeroes_cow";
  if (table.discard_passdown_origin) text += " discard_passdown_origin";
  return text;
}

std::string TableText(const SnapshotOriginTable& table) { return table.origin_device; }

}  // namespace lamina
