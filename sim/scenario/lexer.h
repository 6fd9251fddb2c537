// Lexer of the scenario language: one line to tokens.
//
//   put /f 0644 "a b" # comment   ──►   put, /f, 0644, a b
//
// Tokens are separated by blanks and tabs; '#' at the start of a token starts a comment; a token
// may hold double-quoted parts with the escapes \n \t \0 \" \\ \xHH.
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_LEXER_H_
#define LAMINA_SIM_SCENARIO_LEXER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lamina::sim::internal {

struct SourcePosition {
  std::string_view file;
  int line = 1;
  int column = 1;
};

// kInvalidArgument "FILE:LINE:COLUMN: what".
absl::Status SyntaxError(const SourcePosition& position, std::string_view what);

struct Token {
  std::string text;  // bytes, after quotes and escapes
  int column = 1;    // of its first character, in bytes from 1
  bool quoted = false;
};

// Errors: kInvalidArgument an unterminated string, an unknown escape; at its column.
absl::StatusOr<std::vector<Token>> TokenizeLine(std::string_view file, int line_number,
                                                std::string_view line);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_LEXER_H_
