#include "sim/scenario/arguments.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "absl/strings/str_format.h"
#include "sim/scenario/content.h"

namespace lamina::sim::internal {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> kXattrModes = {"", "create", "replace"};
constexpr std::array<std::string_view, 2> kDeviceTypes = {"c", "b"};
constexpr std::array<std::string_view, 3> kLockWords = {"sh", "ex", "un"};
constexpr std::array<std::string_view, 3> kLeaseWords = {"rd", "wr", "un"};
constexpr std::array<std::string_view, 2> kSharings = {"shared", "private"};
constexpr std::array<std::string_view, 2> kProtections = {"r", "rw"};
constexpr std::array<std::string_view, 2> kVersions = {"1", "2"};
constexpr std::array<std::string_view, 8> kDrivers = {"overlay", "overlay2", "aufs", "devicemapper",
                                                      "btrfs",   "zfs",      "copy", "vfs"};
constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", "<=", ">", ">="};

std::string CheckWord(Words words, ScenarioArgument& argument) {
  const auto found = std::find(words.begin(), words.end(), argument.text);
  if (found != words.end()) {
    argument.number = found - words.begin();
    return "";
  }
  std::string known;
  for (std::string_view word : words) known += absl::StrFormat(" %s", word.empty() ? "\"\"" : word);
  return absl::StrFormat("'%s' is none of:%s", argument.text, known);
}

std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string CheckWithoutNul(const ScenarioArgument& argument) {
  return argument.text.find('\0') == std::string::npos ? "" : "a NUL byte in a name";
}

std::string CheckPlainName(const ScenarioArgument& argument, std::string_view what) {
  const std::string& text = argument.text;
  if (text.empty() || text == "." || text == ".." || text.size() > 200) {
    return absl::StrFormat("'%s' is not the name of a %s", text, what);
  }
  for (const char c : text) {
    if (c == '/' || c == '\0' || c == '@' || c == '\n') {
      return absl::StrFormat("the name of a %s must not contain '/', '@' or control bytes", what);
    }
  }
  return "";
}

std::string CheckLayerName(const ScenarioArgument& argument) {
  if (argument.text == "::" || argument.text.substr(0, 4) == "mnt:") {
    return absl::StrFormat("'%s' is not the name of a layer", argument.text);
  }
  return CheckPlainName(argument, "layer");
}

std::string CheckMountName(const ScenarioArgument& argument) {
  if (argument.text.substr(0, 3) == "fs_") return "a mount point must not begin with fs_";
  return CheckPlainName(argument, "mount point");
}

std::string CheckMode(ScenarioArgument& argument) {
  std::int64_t mode = 0;
  if (argument.text.empty() || argument.text.size() > 8) return "a mode is octal, 0 to 7777";
  for (const char c : argument.text) {
    if (c < '0' || c > '7') return absl::StrFormat("'%s' is not an octal mode", argument.text);
    mode = mode * 8 + (c - '0');
  }
  if (mode > 07777) return "a mode is octal, 0 to 7777";
  argument.number = mode;
  return "";
}

std::string CheckRange(const ArgumentRules& rules, ScenarioArgument& argument, std::int64_t least,
                       std::int64_t most) {
  const std::optional<std::int64_t> number = ParseNumber(argument.text, rules.version >= 2);
  if (!number) return absl::StrFormat("'%s' is not a decimal number", argument.text);
  if (*number < least || *number > most) {
    return absl::StrFormat("%d is not between %d and %d", *number, least, most);
  }
  argument.number = *number;
  return "";
}

std::string CheckTime(ScenarioArgument& argument) {
  constexpr std::int64_t kMostSeconds = 9'000'000'000;
  const std::string_view text = argument.text;
  const std::size_t dot = text.find('.');
  const std::optional<std::int64_t> seconds = ParseNumber(text.substr(0, dot), false);
  if (!seconds) return absl::StrFormat("'%s' is not a time in seconds[.fraction]", text);
  if (*seconds > kMostSeconds || *seconds < -kMostSeconds) return "a time out of range";
  std::int64_t nanoseconds = 0;
  if (dot != std::string_view::npos) {
    std::string digits(text.substr(dot + 1));
    if (digits.find_first_not_of("0123456789") != std::string::npos) {
      return absl::StrFormat("'%s' is not a time in seconds[.fraction]", text);
    }
    digits += "000000000";
    nanoseconds = ParseNumber(digits.substr(0, 9), false).value_or(0);
  }
  argument.number = InstantFromSeconds(*seconds, nanoseconds).virtual_ns;
  return "";
}

std::string CheckRenameFlags(ScenarioArgument& argument) {
  constexpr std::array<std::string_view, 3> kFlags = {"noreplace", "exchange", "whiteout"};
  for (std::string_view word : SplitAtCommas(argument.text)) {
    if (!word.empty() && std::find(kFlags.begin(), kFlags.end(), word) == kFlags.end()) {
      return absl::StrFormat("'%s' is none of: noreplace exchange whiteout", word);
    }
  }
  argument.number = ParseRenameFlags(argument.text);
  return "";
}

std::string CheckAccess(ScenarioArgument& argument) {
  static constexpr std::string_view kLetters = "xwr";  // bits 0 to 2, as in access(2)
  argument.number = 0;
  for (const char c : argument.text) {
    if (c == 'f') continue;
    const std::size_t bit = kLetters.find(c);
    if (bit == std::string_view::npos) {
      return absl::StrFormat("'%s' has letters other than rwxf", argument.text);
    }
    argument.number |= std::int64_t{1} << bit;
  }
  return "";
}

std::string CheckCounter(const ScenarioArgument& argument) {
  if (CounterByName({}, argument.text)) return "";
  return absl::StrFormat("'%s' is not a counter", argument.text);
}

}  // namespace

std::string CheckArgument(ArgumentKind kind, const ArgumentRules& rules,
                          ScenarioArgument& argument) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto content_limit = static_cast<std::int64_t>(rules.limits->content_bytes);
  switch (kind) {
    case ArgumentKind::kPath:
    case ArgumentKind::kText:
      return CheckWithoutNul(argument);
    case ArgumentKind::kWord:
      return "";
    case ArgumentKind::kName:
      return CheckPlainName(argument, "thing");
    case ArgumentKind::kLayerName:
      return CheckLayerName(argument);
    case ArgumentKind::kMountName:
      return CheckMountName(argument);
    case ArgumentKind::kMode:
      return CheckMode(argument);
    case ArgumentKind::kNumber:
      return CheckRange(rules, argument, -kMost, kMost);
    case ArgumentKind::kLength:
      return CheckRange(rules, argument, -kMost, content_limit);
    case ArgumentKind::kCount:
      return CheckRange(rules, argument, 0, 1'000'000);
    case ArgumentKind::kOwner:
      return CheckRange(rules, argument, -1, 0xffff'ffff);
    case ArgumentKind::kId:
      return CheckRange(rules, argument, 0, 0xffff'fffe);
    case ArgumentKind::kDeviceMajor:
      return CheckRange(rules, argument, 0, 4095);
    case ArgumentKind::kDeviceMinor:
      return CheckRange(rules, argument, 0, (1 << 20) - 1);
    case ArgumentKind::kTime:
      return CheckTime(argument);
    case ArgumentKind::kContent:
      return CheckContent(rules, argument.text);
    case ArgumentKind::kXattrMode:
      return CheckWord(kXattrModes, argument);
    case ArgumentKind::kRenameFlags:
      return CheckRenameFlags(argument);
    case ArgumentKind::kOpenFlags:
      if (ParseOpenFlags(argument.text)) return "";
      return absl::StrFormat("'%s' is not a list of open flags", argument.text);
    case ArgumentKind::kDeviceType:
      return CheckWord(kDeviceTypes, argument);
    case ArgumentKind::kAccess:
      return CheckAccess(argument);
    case ArgumentKind::kLockWord:
      return CheckWord(kLockWords, argument);
    case ArgumentKind::kLeaseWord:
      return CheckWord(kLeaseWords, argument);
    case ArgumentKind::kSharing:
      return CheckWord(kSharings, argument);
    case ArgumentKind::kProtection:
      return CheckWord(kProtections, argument);
    case ArgumentKind::kVersion:
      return CheckWord(kVersions, argument);
    case ArgumentKind::kDriver:
      return CheckWord(kDrivers, argument);
    case ArgumentKind::kCounter:
      return CheckCounter(argument);
    case ArgumentKind::kComparison:
      return CheckWord(kComparisons, argument);
  }
  return "";
}

std::optional<std::int64_t> ParseNumber(std::string_view text, bool sizes) {
  struct Unit {
    std::string_view name;
    unsigned shift;
  };
  static constexpr std::array<Unit, 5> kUnits = {
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"B", 0}}};
  unsigned shift = 0;
  if (sizes) {
    for (const Unit& unit : kUnits) {
      if (!text.ends_with(unit.name)) continue;
      shift = unit.shift;
      text.remove_suffix(unit.name.size());
      break;
    }
  }
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() >> shift;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (number > (most - (c - '0')) / 10) return std::nullopt;
    number = number * 10 + (c - '0');
  }
  number *= std::int64_t{1} << shift;
  return negative ? -number : number;
}

unsigned ParseRenameFlags(std::string_view text) {
  unsigned flags = 0;
  for (std::string_view word : SplitAtCommas(text)) {
    if (word == "noreplace") flags |= kRenameNoReplace;
    if (word == "exchange") flags |= kRenameExchange;
    if (word == "whiteout") flags |= kRenameWhiteout;
  }
  return flags;
}

std::optional<OpenHow> ParseOpenFlags(std::string_view text) {
  OpenHow how;
  bool read_write = false;
  bool write = false;
  for (std::string_view word : SplitAtCommas(text)) {
    if (word == "rdonly") continue;
    if (word == "wronly") {
      write = true;
    } else if (word == "rdwr") {
      read_write = true;
    } else if (word == "creat") {
      how.create = true;
    } else if (word == "excl") {
      how.exclusive = true;
    } else if (word == "trunc") {
      how.truncate = true;
    } else if (word == "append") {
      how.append = true;
    } else if (word == "directory") {
      how.directory = true;
    } else if (word == "nofollow") {
      how.no_follow = true;
    } else if (word == "tmpfile") {
      how.unnamed = true;
    } else if (word == "path") {
      how.access = Access::kPath;
    } else {
      return std::nullopt;
    }
  }
  if (write && read_write) return std::nullopt;
  // open(2): O_PATH makes every flag but O_DIRECTORY and O_NOFOLLOW meaningless.
  if (how.access == Access::kPath) {
    return OpenHow{.access = Access::kPath, .directory = how.directory, .no_follow = how.no_follow};
  }
  if (write) how.access = Access::kWrite;
  if (read_write) how.access = Access::kReadWrite;
  return how;
}

bool CompareBy(std::int64_t comparison, std::uint64_t left, std::uint64_t right) {
  switch (comparison) {
    case 0:
      return left == right;
    case 1:
      return left != right;
    case 2:
      return left < right;
    case 3:
      return left <= right;
    case 4:
      return left > right;
    default:
      return left >= right;
  }
}

}  // namespace lamina::sim::internal
