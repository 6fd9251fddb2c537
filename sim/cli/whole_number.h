// The numbers of the command line: 0 to 2^64 - 1 in decimal digits. CLI11 would take "-1" for the
// largest of all, and "010" for eight.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_WHOLE_NUMBER_H_
#define LAMINA_SIM_CLI_WHOLE_NUMBER_H_

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"

namespace lamina::cli {

// For `transform` of an option; `what` stands in the message: "'-1' is no device number".
inline CLI::Validator WholeNumber(const std::string& what = "number") {
  const auto read = [what](std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end) return absl::StrFormat("'%s' is no %s", text, what);
    text = absl::StrFormat("%d", number);
    return std::string();
  };
  return CLI::Validator(read, "");
}

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_WHOLE_NUMBER_H_
