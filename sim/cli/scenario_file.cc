#include "sim/cli/scenario_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_format.h"
#include "lamina/sim/text_style.h"

namespace lamina::cli {
namespace {

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  const bool standard = path == "-";
  std::FILE* file = standard ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  }
  std::string text;
  std::array<char, 1U << 16U> piece{};
  for (;;) {
    const std::size_t got = std::fread(piece.data(), 1, piece.size(), file);
    text.append(piece.data(), got);
    if (got < piece.size()) break;
  }
  const bool failed = std::ferror(file) != 0;
  const int reason = errno;
  if (!standard) std::fclose(file);
  if (failed) return absl::NotFoundError(absl::StrFormat("%s: %s", path, std::strerror(reason)));
  return text;
}

}  // namespace

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
