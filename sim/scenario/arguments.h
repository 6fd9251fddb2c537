// The kinds of arguments: what each accepts, and its meaning as a value.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_ARGUMENTS_H_
#define LAMINA_SIM_SCENARIO_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/fs/process.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim::internal {

enum class ArgumentKind : std::uint8_t {
  kPath,       // any bytes but NUL
  kText,       // any bytes but NUL: xattr names, symlink targets
  kWord,       // any bytes
  kName,       // handles, mappings, file systems
  kLayerName,  // no '/', not mnt:…
  kMountName,  // no '/'
  kMode,       // octal, 12 bits
  kNumber,     // decimal, signed
  kLength,     // as kNumber, 0 up to ScenarioLimits::content_bytes
  kCount,      // decimal, not negative
  kOwner,      // -1 keeps
  kId,         // uid or gid
  kDeviceMajor,
  kDeviceMinor,
  kTime,         // seconds[.fraction]; number in ns
  kContent,      // literal bytes, fill:C:LEN, hex:HH.., pat:SEED:LEN
  kXattrMode,    // "" create replace
  kRenameFlags,  // comma list of noreplace exchange whiteout
  kOpenFlags,    // comma list
  kDeviceType,   // c b
  kAccess,       // letters of rwxf
  kLockWord,     // sh ex un
  kLeaseWord,    // rd wr un
  kSharing,      // shared private
  kProtection,   // r rw
  kVersion,      // 1 2
  kDriver,       // the first kSupportedDrivers words are supported
  kCounter,      // name of a counter
  kComparison,   // == != < <= > >=
};

inline constexpr std::int64_t kSupportedDrivers = 3;
inline constexpr std::int64_t kAufsDriver = 2;

struct ArgumentRules {
  int version = 1;  // sizes like 4KiB need 2
  const ScenarioLimits* limits = nullptr;
};

// Checks `argument` and sets its number. Returns what is wrong; empty when nothing is.
std::string CheckArgument(ArgumentKind kind, const ArgumentRules& rules,
                          ScenarioArgument& argument);

// "12", "-1"; with sizes also "4KiB", "2MiB", "1GiB" (and B, TiB).
std::optional<std::int64_t> ParseNumber(std::string_view text, bool sizes);

// The bytes of a checked content argument.
std::string ExpandContent(std::string_view text);

// RENAME_* bits of a checked kRenameFlags argument.
inline constexpr unsigned kRenameNoReplace = 1;
inline constexpr unsigned kRenameExchange = 2;
inline constexpr unsigned kRenameWhiteout = 4;
unsigned ParseRenameFlags(std::string_view text);

// The flags of a kOpenFlags argument; nothing when a word is unknown or two access modes conflict.
std::optional<OpenHow> ParseOpenFlags(std::string_view text);

// `left` compared to `right` by the kComparison word with index `comparison`.
bool CompareBy(std::int64_t comparison, std::uint64_t left, std::uint64_t right);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_ARGUMENTS_H_
