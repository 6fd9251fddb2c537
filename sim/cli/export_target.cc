#include "sim/cli/export_target.h"

#include <charconv>
#include <limits>
#include <optional>

#include "absl/strings/str_format.h"

namespace lamina::cli {
namespace {

constexpr std::string_view kDirectory = "dir:";
constexpr std::string_view kExt = "ext4:";
constexpr std::string_view kUnits = "KMGT";

bool BeginsWithDigit(std::string_view text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || number == 0) return std::nullopt;
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  int shift = 0;
  if (!unit.empty() && kUnits.find(unit.front()) != std::string_view::npos) {
    shift = 10 * (static_cast<int>(kUnits.find(unit.front())) + 1);
    unit.remove_prefix(1);
    if (unit == "iB") unit = {};
  }
  if (unit == "B") unit = {};
  if (!unit.empty()) return std::nullopt;
  if (number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return number << shift;
}

}  // namespace

absl::StatusOr<ExportTarget> ParseExportTarget(std::string_view text) {
  ExportTarget target;
  if (text.starts_with(kDirectory) && text.size() > kDirectory.size()) {
    target.path = text.substr(kDirectory.size());
    return target;
  }
  if (!text.starts_with(kExt) || text.size() == kExt.size()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s' is neither dir:DIR nor ext4:FILE[:SIZE]", text));
  }
  target.form = ExportForm::kExt;
  std::string_view path = text.substr(kExt.size());
  const std::size_t colon = path.rfind(':');
  if (colon != std::string_view::npos && BeginsWithDigit(path.substr(colon + 1))) {
    const std::optional<std::uint64_t> size = ParseSize(path.substr(colon + 1));
    if (!size || colon == 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("'%s': %s", text, colon == 0 ? "no file" : "no size such as 64M"));
    }
    target.size_bytes = *size;
    path = path.substr(0, colon);
  }
  target.path = path;
  return target;
}

}  // namespace lamina::cli
