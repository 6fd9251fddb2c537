// Sources that are layers of the host and no scenario, as the statements of a scenario.
//
//   dir:DIR      one layer
//   tar:A,B,…    a layer each, bottom first
//
// Threads: pure functions.
#ifndef LAMINA_SIM_EXPLAIN_LAYER_SOURCE_H_
#define LAMINA_SIM_EXPLAIN_LAYER_SOURCE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim::internal {

struct LayerSource {
  std::string layers;              // "layer layer1 from …", a line each
  std::string stack;               // " layer2 layer1": topmost first, as the statement has it
  std::vector<std::string> paths;  // bottom first
};

bool IsLayerSource(std::string_view source);

// Only when IsLayerSource. Nothing is read. Errors: kInvalidArgument no path.
absl::StatusOr<LayerSource> ParseLayerSource(std::string_view source);

// `statements` as a scenario whose messages name `source`. Errors: those of ParseScenario.
absl::StatusOr<Scenario> ParseSourceText(std::string_view source, const std::string& statements);

// An error of reading a layer says which statement failed; there, that is one made up.
absl::Status WithoutStatement(std::string_view source, const absl::Status& status);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_LAYER_SOURCE_H_
