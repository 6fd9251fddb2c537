#include "sim/scenario/lexer.h"

#include <optional>

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<char> SimpleEscape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '0':
      return '\0';
    case '"':
      return '"';
    case '\\':
      return '\\';
    default:
      return std::nullopt;
  }
}

class LineScanner {
 public:
  LineScanner(std::string_view file, int line_number, std::string_view line)
      : position_{file, line_number, 1}, line_(line) {}

  // The next token; nothing at the end of the line or at a comment.
  absl::StatusOr<std::optional<Token>> Next() {
    while (at_ < line_.size() && IsBlank(line_[at_])) ++at_;
    if (at_ >= line_.size() || line_[at_] == '#') return std::nullopt;
    Token token;
    token.column = static_cast<int>(at_) + 1;
    while (at_ < line_.size() && !IsBlank(line_[at_])) {
      if (line_[at_] != '"') {
        token.text.push_back(line_[at_++]);
        continue;
      }
      token.quoted = true;
      if (absl::Status status = QuotedPart(token.text); !status.ok()) return status;
    }
    return token;
  }

 private:
  absl::Status ErrorAt(std::size_t index, std::string_view what) {
    position_.column = static_cast<int>(index) + 1;
    return SyntaxError(position_, what);
  }

  absl::Status QuotedPart(std::string& into) {
    const std::size_t opening = at_++;
    while (at_ < line_.size() && line_[at_] != '"') {
      if (line_[at_] != '\\') {
        into.push_back(line_[at_++]);
        continue;
      }
      if (absl::Status status = Escape(into); !status.ok()) return status;
    }
    if (at_ >= line_.size()) return ErrorAt(opening, "unterminated string");
    ++at_;
    return absl::OkStatus();
  }

  absl::Status Escape(std::string& into) {
    const std::size_t backslash = at_++;
    if (at_ >= line_.size()) return ErrorAt(backslash, "unterminated string");
    if (line_[at_] == 'x') {
      if (at_ + 2 >= line_.size()) return ErrorAt(backslash, "\\x needs two hexadecimal digits");
      const std::optional<unsigned> high = HexDigit(line_[at_ + 1]);
      const std::optional<unsigned> low = HexDigit(line_[at_ + 2]);
      if (!high || !low) return ErrorAt(backslash, "\\x needs two hexadecimal digits");
      into.push_back(static_cast<char>(*high * 16 + *low));
      at_ += 3;
      return absl::OkStatus();
    }
    const std::optional<char> byte = SimpleEscape(line_[at_]);
    if (!byte) return ErrorAt(backslash, "unknown escape; known are \\n \\t \\0 \\\" \\\\ \\xHH");
    into.push_back(*byte);
    ++at_;
    return absl::OkStatus();
  }

  SourcePosition position_;
  std::string_view line_;
  std::size_t at_ = 0;
};

}  // namespace

absl::Status SyntaxError(const SourcePosition& position, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s:%d:%d: %s", position.file, position.line, position.column, what));
}

absl::StatusOr<std::vector<Token>> TokenizeLine(std::string_view file, int line_number,
                                                std::string_view line) {
  LineScanner scanner(file, line_number, line);
  std::vector<Token> tokens;
  for (;;) {
    absl::StatusOr<std::optional<Token>> token = scanner.Next();
    if (!token.ok()) return token.status();
    if (!token->has_value()) return tokens;
    tokens.push_back(*std::move(*token));
  }
}

}  // namespace lamina::sim::internal
