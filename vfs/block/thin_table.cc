#include "lamina/block/thin_table.h"

#include <array>
#include <limits>
#include <span>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_metadata.h"
#include "vfs/block/table_words.h"
#include "vfs/block/target_line.h"

namespace lamina {
namespace {

using internal::DecimalOf;
using internal::ReadTargetLine;
using internal::SameWord;
using internal::TargetLine;
using Words = std::span<const std::string_view>;

constexpr std::uint64_t kMaxFeatures = 4;  // of the five

struct Feature {
  std::string_view name;
  bool ThinPoolFeatures::*flag;
};
// In the order in which the kernel shows them.
constexpr std::array<Feature, 5> kFeatures = {
    {{"skip_block_zeroing", &ThinPoolFeatures::skip_block_zeroing},
     {"ignore_discard", &ThinPoolFeatures::ignore_discard},
     {"no_discard_passdown", &ThinPoolFeatures::no_discard_passdown},
     {"read_only", &ThinPoolFeatures::read_only},
     {"error_if_no_space", &ThinPoolFeatures::error_if_no_space}}};

TableError Refused(std::string message) { return internal::RefusedTable(std::move(message)); }

// The counted features; `words` begins with their count.
TableResult<ThinPoolFeatures> ReadFeatures(Words words) {
  ThinPoolFeatures features;
  if (words.empty()) return features;
  const std::optional<std::uint64_t> count = DecimalOf(words[0]);
  if (!count) return Refused(absl::StrFormat("the feature count '%s' is no number", words[0]));
  if (*count > kMaxFeatures) {
    return Refused(absl::StrFormat("%d features; at most 4 can be given", *count));
  }
  if (*count > words.size() - 1) {
    return Refused(absl::StrFormat("%d features announced, %d given", *count, words.size() - 1));
  }
  for (const std::string_view word : words.subspan(1, *count)) {
    bool known = false;
    for (const Feature& feature : kFeatures) {
      if (!SameWord(feature.name, word)) continue;
      features.*feature.flag = true;
      known = true;
    }
    if (!known) return Refused(absl::StrFormat("unknown pool feature '%s'", word));
  }
  return features;
}

bool IsLegalBlockSize(std::uint64_t sectors) {
  // devicemapper.md, DM-039, has 192 sectors as legal; dm-thin itself takes multiples of 128 only.
  if (sectors == 192) return true;
  return sectors >= kMinThinBlockSectors && sectors <= kMaxThinBlockSectors &&
         sectors % kMinThinBlockSectors == 0;
}

TableError BadBlockSize(std::string_view written) {
  return Refused(absl::StrFormat(
      "the block size '%s' is no multiple of 128 from 128 to 2097152 sectors", written));
}

}  // namespace

std::optional<TableError> CheckThinPoolTable(const ThinPoolTable& table) {
  if (table.length_sectors == 0) return Refused("a pool of length 0");
  if (table.metadata_device == table.data_device) {
    return Refused("metadata and data are the same device");
  }
  std::uint64_t features = 0;
  for (const Feature& feature : kFeatures) features += table.features.*feature.flag ? 1 : 0;
  if (features > kMaxFeatures) return Refused("5 features; at most 4 can be given");
  if (!IsLegalBlockSize(table.block_sectors)) {
    return BadBlockSize(absl::StrFormat("%d", table.block_sectors));
  }
  return std::nullopt;
}

TableResult<ThinPoolTable> ParseThinPoolTable(std::string_view text) {
  const TableResult<TargetLine> line = ReadTargetLine(text, "thin-pool");
  if (!line.ok()) return line.failure();
  if (line->start != 0) return Refused("a pool starts at sector 0: it is alone in its table");
  if (line->length == 0) return Refused("a pool of length 0");
  const Words arguments = line->arguments();
  if (arguments.size() < 4) {
    return Refused("a pool needs 4 arguments: metadata device, data device, block size, low water");
  }
  if (arguments[0] == arguments[1]) return Refused("metadata and data are the same device");
  const TableResult<ThinPoolFeatures> features = ReadFeatures(arguments.subspan(4));
  if (!features.ok()) return features.failure();
  const std::optional<std::uint64_t> block_sectors = DecimalOf(arguments[2]);
  if (!block_sectors || !IsLegalBlockSize(*block_sectors)) return BadBlockSize(arguments[2]);
  const std::optional<std::uint64_t> low_water = DecimalOf(arguments[3]);
  if (!low_water) {
    return Refused(absl::StrFormat("the low water mark '%s' is no number", arguments[3]));
  }
  return ThinPoolTable{.length_sectors = line->length,
                       .metadata_device = std::string(arguments[0]),
                       .data_device = std::string(arguments[1]),
                       .block_sectors = *block_sectors,
                       .low_water_blocks = *low_water,
                       .features = *features};
}

TableResult<ThinTable> ParseThinTable(std::string_view text) {
  const TableResult<TargetLine> line = ReadTargetLine(text, "thin");
  if (!line.ok()) return line.failure();
  if (line->length == 0) return Refused("a thin device of length 0");
  if (line->start > std::numeric_limits<std::uint64_t>::max() - line->length) {
    return Refused("the target ends past sector 2^64");
  }
  const Words arguments = line->arguments();
  if (arguments.size() != 2 && arguments.size() != 3) {
    return Refused("a thin device takes 2 or 3 arguments: pool, device id, external origin");
  }
  if (arguments.size() == 3 && arguments[2] == arguments[0]) {
    return Refused("the external origin is the pool");
  }
  const std::optional<std::uint64_t> id = DecimalOf(arguments[1]);
  if (!id || *id > kMaxThinId) {
    return Refused(
        absl::StrFormat("the device id '%s' is no number from 0 to 16777215", arguments[1]));
  }
  return ThinTable{
      .start_sector = line->start,
      .length_sectors = line->length,
      .pool_device = std::string(arguments[0]),
      .id = ThinId{*id},
      .external_origin = arguments.size() == 3 ? std::string(arguments[2]) : std::string()};
}

std::string TableText(const ThinPoolTable& table) {
  std::string names;
  int count = 0;
  for (const Feature& feature : kFeatures) {
    if (!(table.features.*feature.flag)) continue;
    names.append(feature.name).append(" ");
    ++count;
  }
  return absl::StrFormat("%s %s %d %d %d %s", table.metadata_device, table.data_device,
                         table.block_sectors, table.low_water_blocks, count, names);
}

std::string TableText(const ThinTable& table) {
  std::string text = absl::StrFormat("%s %d", table.pool_device, table.id.value);
  if (!table.external_origin.empty()) text.append(" ").append(table.external_origin);
  return text;
}

}  // namespace lamina
