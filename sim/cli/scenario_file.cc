#include "sim/cli/scenario_file.h"

#include "lamina/sim/text_style.h"
#include "sim/cli/input_file.h"

namespace lamina::cli {

absl::StatusOr<sim::Scenario> LoadScenario(const std::string& path, std::uint64_t seed) {
  const absl::StatusOr<std::string> text = ReadInput(path);
  if (!text.ok()) return text.status();
  sim::ParseOptions options;
  options.file = path;
  options.seed = seed;
  return sim::ParseScenario(*text, options);
}

absl::StatusOr<sim::Scenario> LoadScenarioToRun(const std::string& path, std::uint64_t seed) {
  absl::StatusOr<sim::Scenario> scenario = LoadScenario(path, seed);
  if (!scenario.ok()) return scenario;
  if (const std::optional<std::string> unsupported = sim::FindUnsupported(*scenario)) {
    return absl::UnimplementedError("UNSUPPORTED " + *unsupported);
  }
  return scenario;
}

std::string ShowSize(std::uint64_t size_bytes) { return sim::SizeText(size_bytes); }

}  // namespace lamina::cli
