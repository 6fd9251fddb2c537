#include "sim/cli/scenario_pool.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_dump.h"
#include "lamina/block/thin_pool.h"
#include "lamina/image/thin_xml.h"
#include "lamina/sim/scenario.h"
#include "sim/cli/scenario_file.h"

namespace lamina::cli {

absl::StatusOr<std::string> ScenarioPoolXml(const std::string& path,
                                            const std::optional<std::string>& pool) {
  const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(path, 0);
  if (!scenario.ok()) return scenario.status();
  sim::ScenarioRun run(*scenario, {});
  const absl::Status ran = run.RunToOperation(scenario->statements.size());
  if (!ran.ok()) return absl::DataLossError(ran.message());  // another thing than no pool
  std::vector<sim::ScenarioDevice> pools;
  for (const sim::ScenarioDevice& device : run.devices()) {
    if (device.pool != nullptr && (!pool || device.name == *pool)) pools.push_back(device);
  }
  if (pools.empty()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: no thin pool%s", path, pool ? " '" + *pool + "'" : " at its end"));
  }
  if (pools.size() > 1) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: %d thin pools; --pool NAME chooses one", path, pools.size()));
  }
  ThinPool& taken = *pools.front().pool;
  // A pool that cannot commit any more is what its last commit says.
  static_cast<void>(taken.Commit(run.Observer()));
  const Result<ThinDump> dump = ReadThinDump(run.Observer(), taken.metadata());
  if (!dump.ok()) {
    return absl::DataLossError(absl::StrFormat("%s: the metadata of %s cannot be read: %s", path,
                                               pools.front().name, ErrnoName(dump.error())));
  }
  return ThinXmlText(*dump);
}

}  // namespace lamina::cli
