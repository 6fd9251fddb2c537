#include "sim/cli/thin_answers.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_format.h"

namespace lamina::cli {
namespace {

std::string_view KindWord(ThinFindingKind kind) {
  switch (kind) {
    case ThinFindingKind::kDamage:
      return "damage";
    case ThinFindingKind::kLeak:
      return "leak";
    case ThinFindingKind::kOdd:
      return "odd";
  }
  return "";
}

}  // namespace

std::string CountsText(const std::vector<ThinDeviceCounts>& counts) {
  std::string text;
  for (const ThinDeviceCounts& device : counts) {
    absl::StrAppendFormat(&text, "%d %d %d %d %d %d %d\n", device.dev_id, device.mapped_blocks,
                          device.exclusive_blocks, device.shared_blocks(), device.transaction,
                          device.creation_time, device.snap_time);
  }
  return text;
}

Json CountsJson(const std::vector<ThinDeviceCounts>& counts) {
  Json list = Json::array();
  for (const ThinDeviceCounts& device : counts) {
    list.push_back({{"dev_id", device.dev_id},
                    {"mapped_blocks", device.mapped_blocks},
                    {"exclusive_blocks", device.exclusive_blocks},
                    {"shared_blocks", device.shared_blocks()},
                    {"transaction", device.transaction},
                    {"creation_time", device.creation_time},
                    {"snap_time", device.snap_time}});
  }
  return list;
}

std::string DeltaText(const std::vector<ThinDeltaRun>& runs) {
  std::string text;
  for (const ThinDeltaRun& run : runs) {
    absl::StrAppendFormat(&text, "%s %d %d\n", ThinDeltaWord(run.kind), run.begin, run.length);
  }
  return text;
}

Json DeltaJson(const std::vector<ThinDeltaRun>& runs) {
  Json list = Json::array();
  for (const ThinDeltaRun& run : runs) {
    list.push_back({{"kind", std::string(ThinDeltaWord(run.kind))},
                    {"begin", run.begin},
                    {"length", run.length}});
  }
  return list;
}

std::string FindingsText(const std::vector<ThinFinding>& findings) {
  if (findings.empty()) return "no findings\n";
  std::string text;
  for (const ThinFinding& finding : findings) {
    absl::StrAppendFormat(&text, "%-8s %s\n", KindWord(finding.kind), finding.what);
  }
  const auto count = [&](ThinFindingKind kind) {
    return std::count_if(findings.begin(), findings.end(),
                         [&](const ThinFinding& finding) { return finding.kind == kind; });
  };
  absl::StrAppendFormat(&text, "%d finding%s: %d damage, %d leaks, %d odd\n", findings.size(),
                        findings.size() == 1 ? "" : "s", count(ThinFindingKind::kDamage),
                        count(ThinFindingKind::kLeak), count(ThinFindingKind::kOdd));
  return text;
}

Json FindingsJson(const std::vector<ThinFinding>& findings) {
  Json list = Json::array();
  for (const ThinFinding& finding : findings) {
    list.push_back({{"kind", std::string(KindWord(finding.kind))}, {"what", finding.what}});
  }
  return list;
}

Json DumpJson(const ThinDump& dump) {
  Json devices = Json::array();
  for (const ThinDumpDevice& device : dump.devices) {
    Json runs = Json::array();
    for (const ThinRun& run : device.runs) {
      runs.push_back({{"origin_begin", run.origin_begin},
                      {"data_begin", run.data_begin},
                      {"length", run.length},
                      {"time", run.time}});
    }
    devices.push_back({{"dev_id", device.dev_id},
                       {"mapped_blocks", device.mapped_blocks},
                       {"transaction", device.transaction},
                       {"creation_time", device.creation_time},
                       {"snap_time", device.snap_time},
                       {"runs", std::move(runs)}});
  }
  return {{"uuid", dump.uuid},
          {"time", dump.time},
          {"transaction", dump.transaction},
          {"flags", dump.flags},
          {"version", dump.version},
          {"data_block_size", dump.data_block_size},
          {"nr_data_blocks", dump.nr_data_blocks},
          {"devices", std::move(devices)}};
}

}  // namespace lamina::cli
