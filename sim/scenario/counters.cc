#include <array>

#include "lamina/sim/scenario.h"

namespace lamina::sim {
namespace {

struct Named {
  std::string_view name;
  std::uint64_t ScenarioCounters::*member;
};

constexpr std::array<Named, 15> kCounters = {{
    {"operations", &ScenarioCounters::operations},
    {"errors", &ScenarioCounters::errors},
    {"copy_ups", &ScenarioCounters::copy_ups},
    {"bytes_copied", &ScenarioCounters::bytes_copied},
    {"bytes_asked", &ScenarioCounters::bytes_asked},
    {"bytes_read", &ScenarioCounters::bytes_read},
    {"bytes_written", &ScenarioCounters::bytes_written},
    {"branch_probes", &ScenarioCounters::branch_probes},
    {"whiteouts_seen", &ScenarioCounters::whiteouts_seen},
    {"chunks_provisioned", &ScenarioCounters::chunks_provisioned},
    {"sharing_broken", &ScenarioCounters::sharing_broken},
    {"exceptions", &ScenarioCounters::exceptions},
    {"commits", &ScenarioCounters::commits},
    {"device_bytes_read", &ScenarioCounters::device_bytes_read},
    {"device_bytes_written", &ScenarioCounters::device_bytes_written},
}};

}  // namespace

std::optional<std::uint64_t> CounterByName(const ScenarioCounters& counters,
                                           std::string_view name) {
  for (const Named& named : kCounters) {
    if (named.name == name) return counters.*named.member;
  }
  return std::nullopt;
}

}  // namespace lamina::sim
