// Goal: no scenario text, however wrong, breaks the parser or the runner, or uses up memory.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lamina/sim/scenario.h"

namespace {

constexpr lamina::sim::ScenarioLimits kLimits{
    .statements = 400, .content_bytes = 1U << 14U, .digest_bytes = 1U << 16U, .host_files = false};

class Swallow final : public lamina::sim::LineSink {
 public:
  void OnLine(std::string_view line) override { bytes_ += line.size(); }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto scenario =
      lamina::sim::ParseScenario(text, {.file = "fuzz.scn", .seed = 1, .limits = kLimits});
  if (!scenario.ok() || lamina::sim::FindUnsupported(*scenario)) return 0;
  Swallow swallow;
  lamina::sim::ScenarioRun run(*scenario, {.sink = &swallow});
  // A scenario that turns out malformed stops here, which is as good as an end.
  [[maybe_unused]] const bool done = run.RunAll().ok();
  return 0;
}
