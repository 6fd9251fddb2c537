// The canonical text of values: escapes, quotes, times, types, data.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_TEXT_FORM_H_
#define LAMINA_SIM_SCENARIO_TEXT_FORM_H_

#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/time.h"
#include "lamina/fs/process.h"

namespace lamina::sim::internal {

// Times at or above this print as `now`.
inline constexpr Instant kNowLimit = InstantFromSeconds(1'000'000'000);

enum class Blanks : std::uint8_t { kKeep, kEscape };

// '"' and '\' get a backslash; bytes outside 0x20..0x7e, and the blank if asked, become \xHH.
std::string EscapeText(std::string_view bytes, Blanks blanks = Blanks::kKeep);
// EscapeText in double quotes.
std::string QuoteText(std::string_view bytes);
// An argument as written back: quoted only when it has to be.
std::string ShowArgument(std::string_view bytes);
// Seconds, with nine decimals unless whole; `now` from kNowLimit on.
std::string ShowTime(Instant time);
// Up to 64 bytes quoted, more as `sha256:H len=N`.
std::string ShowContent(std::string_view bytes);
// f d l c b p s
char TypeLetter(FileType type);
// A value of an xattr; file handles and uuids become <fh> and <uuid>.
std::string ShowXattr(std::string_view key, std::string_view value);
// [name:type …] sorted, without "." and "..".
std::string ShowEntries(std::vector<ProcessEntry> entries);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_TEXT_FORM_H_
