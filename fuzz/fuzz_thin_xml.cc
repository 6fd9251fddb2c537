// Any bytes as thin_dump XML: no crash, no hang, a message with a place; and what is read is
// written, and read again, as the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/base/check.h"
#include "lamina/block/thin_canonical.h"
#include "lamina/block/thin_counts.h"
#include "lamina/block/thin_delta.h"
#include "lamina/block/thin_lint.h"
#include "lamina/image/thin_tool_text.h"
#include "lamina/image/thin_xml.h"

namespace {

lamina::ThinXmlOptions SmallLimits(lamina::ThinXmlRules rules) {
  lamina::ThinXmlOptions options;
  options.file = "f";
  options.rules = rules;
  options.max_runs = 10'000;
  options.max_elements = 10'000;
  options.max_bytes = std::uint64_t{1} << 20U;
  return options;
}

bool HasDamage(const std::vector<lamina::ThinFinding>& findings) {
  for (const lamina::ThinFinding& finding : findings) {
    LAMINA_CHECK(!finding.what.empty());
    if (finding.kind == lamina::ThinFindingKind::kDamage) return true;
  }
  return false;
}

void CheckCounts(const lamina::ThinDump& dump) {
  std::uint64_t exclusive = 0;
  for (const lamina::ThinDeviceCounts& device : lamina::CountThinBlocks(dump)) {
    LAMINA_CHECK(device.exclusive_blocks <= device.mapped_blocks);
    exclusive += device.exclusive_blocks;
  }
  const std::uint64_t used = lamina::CountUsedThinBlocks(dump);
  LAMINA_CHECK(exclusive <= used);
  LAMINA_CHECK(used <= dump.nr_data_blocks);
  if (dump.devices.empty()) return;
  const lamina::ThinDumpDevice& left = dump.devices.front();
  const lamina::ThinDumpDevice& right = dump.devices.back();
  std::uint64_t in_left = 0;
  for (const lamina::ThinDeltaRange& range : lamina::DiffThinDevices(left, right)) {
    LAMINA_CHECK(range.length > 0);
    if (range.kind != lamina::ThinDeltaKind::kRightOnly) in_left += range.length;
  }
  LAMINA_CHECK(in_left == left.mapped_blocks);
  LAMINA_CHECK(!lamina::ThinLsTable(lamina::CountThinBlocks(dump), dump.data_block_size).empty());
}

void CheckRestored(const lamina::ThinDump& dump) {
  LAMINA_CHECK(lamina::CanonicalThinDump(dump) == dump);
  CheckCounts(dump);
  const absl::StatusOr<lamina::ThinXmlDocument> again =
      lamina::ReadThinXml(lamina::ThinXmlText(dump));
  LAMINA_CHECK(again.ok());
  lamina::ThinDump without_uuid = dump;
  without_uuid.uuid.clear();  // which is never written
  LAMINA_CHECK(again->dump == without_uuid);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<lamina::ThinXmlDocument> restored =
      lamina::ReadThinXml(bytes, SmallLimits(lamina::ThinXmlRules::kAsRestored));
  const absl::StatusOr<lamina::ThinXmlDocument> written =
      lamina::ReadThinXml(bytes, SmallLimits(lamina::ThinXmlRules::kAsWritten));
  if (!restored.ok()) {
    LAMINA_CHECK(restored.status().message().substr(0, 2) == "f:");
    // What thin_restore refuses is damage.
    if (written.ok()) LAMINA_CHECK(HasDamage(lamina::LintThinDump(written->dump)));
    return 0;
  }
  LAMINA_CHECK(written.ok());
  lamina::LintThinDump(written->dump);
  CheckRestored(restored->dump);
  return 0;
}
