#include "lamina/image/thin_tool_text.h"

#include <algorithm>
#include <array>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lamina {
namespace {

constexpr std::size_t kPieceBytes = 1U << 16U;

using Row = std::array<std::string, 4>;

std::string AlignedRight(const std::vector<Row>& rows) {
  std::array<std::size_t, 4> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text.append(widths[i] - row[i].size(), ' ');
      text += row[i] + ' ';
    }
    text += '\n';
  }
  return text;
}

std::string RunElement(const ThinDeltaRun& run) {
  return absl::StrFormat("    <%s begin=\"%d\" length=\"%d\"/>\n", ThinDeltaWord(run.kind),
                         run.begin, run.length);
}

std::string RangeElement(const ThinDeltaRange& range) {
  const std::string begin = absl::StrFormat("      <range begin=\"%d\"", range.begin);
  const std::string length = absl::StrFormat(" length=\"%d\"/>\n", range.length);
  if (range.kind == ThinDeltaKind::kDifferent) {
    return absl::StrFormat("%s left_data_begin=\"%d\" right_data_begin=\"%d\"%s", begin,
                           range.left_data_begin, range.right_data_begin, length);
  }
  const std::uint64_t block =
      range.kind == ThinDeltaKind::kRightOnly ? range.right_data_begin : range.left_data_begin;
  return absl::StrFormat("%s data_begin=\"%d\"%s", begin, block, length);
}

}  // namespace

std::string ThinToolSize(std::uint64_t blocks, std::uint64_t block_sectors) {
  constexpr std::array<const char*, 7> kUnits = {"", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  const absl::uint128 bytes = absl::uint128(blocks) * block_sectors * kSectorBytes;
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && (bytes >> (10 * static_cast<int>(unit))) > 8192) ++unit;
  const int shift = 10 * static_cast<int>(unit);
  absl::uint128 shown = bytes >> shift;
  if (shown < 1024 && unit > 0) shown = (bytes + (absl::uint128(1) << (shift - 1))) >> shift;
  return absl::StrFormat("%d%s", absl::Uint128Low64(shown), kUnits[unit]);
}

std::string ThinLsTable(const std::vector<ThinDeviceCounts>& counts, std::uint64_t block_sectors) {
  std::vector<Row> rows = {{"DEV", "MAPPED", "CREATE_TIME", "SNAP_TIME"}};
  for (const ThinDeviceCounts& device : counts) {
    rows.push_back({absl::StrCat(device.dev_id), ThinToolSize(device.mapped_blocks, block_sectors),
                    absl::StrCat(device.creation_time), absl::StrCat(device.snap_time)});
  }
  return AlignedRight(rows);
}

void WriteThinDeltaXml(const ThinDump& dump, std::uint64_t left, std::uint64_t right,
                       const std::vector<ThinDeltaRange>& ranges, ThinDeltaDetail detail,
                       const std::function<void(std::string_view)>& sink) {
  std::string text = absl::StrFormat(
      "<superblock uuid=\"\" time=\"%d\" transaction=\"%d\" data_block_size=\"%d\" "
      "nr_data_blocks=\"%d\">\n  <diff left=\"%d\" right=\"%d\">\n",
      dump.time, dump.transaction, dump.data_block_size, dump.nr_data_blocks, left, right);
  const auto add = [&](std::string_view more) {
    text.append(more);
    if (text.size() <= kPieceBytes) return;
    sink(text);
    text.clear();
  };
  if (detail == ThinDeltaDetail::kRuns) {
    for (const ThinDeltaRun& run : RunsOfThinDelta(ranges)) add(RunElement(run));
  } else {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const std::string_view kind = ThinDeltaWord(ranges[i].kind);
      if (i == 0 || ranges[i - 1].kind != ranges[i].kind) add(absl::StrFormat("    <%s>\n", kind));
      add(RangeElement(ranges[i]));
      if (i + 1 == ranges.size() || ranges[i + 1].kind != ranges[i].kind) {
        add(absl::StrFormat("    </%s>\n", kind));
      }
    }
  }
  text += "  </diff>\n</superblock>\n";
  sink(text);
}

}  // namespace lamina
