#include "sim/explain/layer_source.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim::internal {
namespace {

void AddLayer(std::string_view from, std::string_view path, LayerSource& source) {
  source.paths.emplace_back(path);
  const std::string name = absl::StrFormat("layer%d", source.paths.size());
  absl::StrAppendFormat(&source.layers, "layer %s from %s\n", name, QuoteText(from));
  source.stack = ' ' + name + source.stack;
}

}  // namespace

bool IsLayerSource(std::string_view source) {
  return source.starts_with("dir:") || source.starts_with("tar:");
}

absl::StatusOr<LayerSource> ParseLayerSource(std::string_view source) {
  LayerSource out;
  if (source.starts_with("dir:")) {
    AddLayer(source, source.substr(4), out);
    return out;
  }
  std::string_view files = source.substr(4);
  while (!files.empty()) {
    const std::size_t comma = std::min(files.find(','), files.size());
    const std::string_view file = files.substr(0, comma);
    AddLayer(absl::StrFormat("tar:%s", file), file, out);
    files.remove_prefix(std::min(comma + 1, files.size()));
  }
  if (out.paths.empty()) return absl::InvalidArgumentError("tar: names no file");
  return out;
}

absl::StatusOr<Scenario> ParseSourceText(std::string_view source, const std::string& statements) {
  ParseOptions options;
  options.file = source;
  return ParseScenario("scenario 2\n" + statements, options);
}

absl::Status WithoutStatement(std::string_view source, const absl::Status& status) {
  const std::string message(status.message());
  const std::size_t from = message.find(" from ");
  const std::size_t what = from == std::string::npos ? from : message.find(": ", from);
  if (what == std::string::npos) return status;
  return {status.code(), absl::StrFormat("%s: %s", source, message.substr(what + 2))};
}

}  // namespace lamina::sim::internal
