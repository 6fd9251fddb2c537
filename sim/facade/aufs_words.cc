#include "sim/facade/aufs_words.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace lamina::internal {
namespace {

constexpr std::string_view kReserved = ".wh..wh.";

}  // namespace

std::string_view LastNameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view ParentOf(std::string_view path) {
  return path.substr(0, std::min(path.rfind('/'), path.size()));
}

std::string WhiteoutPathOf(std::string_view path) {
  return absl::StrFormat("%s/%s%s", ParentOf(path), kDotWh, LastNameOf(path));
}

std::optional<std::string> HiddenPathOf(std::string_view path) {
  const std::string_view name = LastNameOf(path);
  if (!name.starts_with(kDotWh) || name == kDotWh || IsReservedName(name)) return std::nullopt;
  return absl::StrFormat("%s/%s", ParentOf(path), name.substr(kDotWh.size()));
}

bool IsReservedName(std::string_view name) { return name.starts_with(kReserved); }

bool IsOldNameMark(std::string_view name) { return name.starts_with(".wh..wh..dr."); }

bool IsBaseEntry(std::string_view path) {
  return path == "/.wh..wh.aufs" || path == "/.wh..wh.plnk" || path == "/.wh..wh.orph";
}

std::string BranchText(const UnionFs& fs, BranchIndex branch) {
  if (fs.dialect_name() != "aufs") return "";
  return absl::StrFormat("b%d %s", branch, FormatAufsMode(AufsModeOf(fs, branch)));
}

}  // namespace lamina::internal
