#include "sim/testing/drawing.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "lamina/facade/status.h"

namespace lamina::testing::internal {
namespace {

struct Token {
  std::string text;
  bool quoted = false;
  std::optional<std::string> value;  // of key="value"
};

struct Line {
  std::size_t number = 1;
  std::size_t column = 0;
  std::vector<Token> tokens;
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes a quoted text from the front of `rest`; nothing when it is not closed or not understood.
std::optional<std::string> TakeQuoted(std::string_view& rest) {
  std::string out;
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"') return out;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (rest.empty()) return std::nullopt;
    const char escape = rest.front();
    rest.remove_prefix(1);
    switch (escape) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '"':
      case '\\':
        out += escape;
        break;
      case 'x': {
        if (rest.size() < 2 || HexValue(rest[0]) < 0 || HexValue(rest[1]) < 0) return std::nullopt;
        out += static_cast<char>(HexValue(rest[0]) * 16 + HexValue(rest[1]));
        rest.remove_prefix(2);
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

absl::Status Wrong(std::size_t line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("drawing, line %d: %s", line, what));
}

absl::StatusOr<std::vector<Token>> TokensOf(std::string_view rest, std::size_t number) {
  std::vector<Token> tokens;
  for (;;) {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.empty() || rest.front() == '#') return tokens;
    Token token;
    if (rest.front() == '"') {
      const std::optional<std::string> text = TakeQuoted(rest);
      if (!text) return Wrong(number, "a quote that is not closed, or an unknown escape");
      token = {*text, true, std::nullopt};
      if (rest.starts_with('/')) {  // a directory with a quoted name
        token.text += '/';
        rest.remove_prefix(1);
      }
    } else {
      const std::size_t end = std::min(rest.find_first_of(" \""), rest.size());
      token.text = rest.substr(0, end);
      rest.remove_prefix(end);
      if (rest.starts_with('"')) {
        if (!token.text.ends_with('=')) return Wrong(number, "a quote inside a word");
        token.value = TakeQuoted(rest);
        if (!token.value) return Wrong(number, "a quote that is not closed, or an unknown escape");
        token.text.pop_back();
      }
    }
    tokens.push_back(std::move(token));
  }
}

absl::StatusOr<std::vector<Line>> LinesOf(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find('\t') != line.npos) return Wrong(number, "a tab; indent with blanks");
    absl::StatusOr<std::vector<Token>> tokens = TokensOf(line, number);
    if (!tokens.ok()) return tokens.status();
    if (tokens->empty()) continue;
    lines.push_back({number, line.find_first_not_of(' '), *std::move(tokens)});
  }
  const bool first_column_unknown = lines.size() > 1 && lines.front().number == 1;
  if (first_column_unknown && !lines.front().tokens.front().text.ends_with('/')) {
    lines.front().column = lines[1].column;
  }
  return lines;
}

std::optional<std::uint16_t> ModeOf(const Token& token) {
  if (token.quoted || token.value || token.text.size() != 4) return std::nullopt;
  unsigned mode = 0;
  for (const char c : token.text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<unsigned>(c - '0');
  }
  return static_cast<std::uint16_t>(mode);
}

std::optional<std::pair<std::uint32_t, std::uint32_t>> OwnerOf(const Token& token) {
  const std::size_t colon = token.text.find(':');
  if (token.quoted || token.value || colon == std::string::npos) return std::nullopt;
  std::pair<std::uint32_t, std::uint32_t> owner;
  const bool numbers = absl::SimpleAtoi(token.text.substr(0, colon), &owner.first) &&
                       absl::SimpleAtoi(token.text.substr(colon + 1), &owner.second);
  if (!numbers) return std::nullopt;
  return owner;
}

// What follows the name, token by token.
class EntryReader {
 public:
  EntryReader(const Line& line, DrawnEntry& entry) : line_(line), entry_(entry) {}

  absl::Status Read() {
    bool described = entry_.type == FileType::kDirectory;
    for (next_ = 1; next_ < line_.tokens.size();) {
      const Token& token = line_.tokens[next_++];
      if (ReadAttribute(token)) continue;
      if (described) return Wrong(line_.number, "unknown word " + Quoted(token.text));
      absl::Status kind = ReadKind(token);
      if (!kind.ok()) return kind;
      described = true;
    }
    if (entry_.opaque && entry_.type != FileType::kDirectory) {
      return Wrong(line_.number, "only a directory can be opaque");
    }
    if (described) return absl::OkStatus();
    return Wrong(line_.number, "a file needs its content in quotes (a directory ends in /)");
  }

 private:
  bool ReadAttribute(const Token& token) {
    if (token.value) {
      entry_.xattrs.emplace_back(token.text, *token.value);
    } else if (!token.quoted && token.text == "opaque") {
      entry_.opaque = true;
    } else if (const std::optional<std::uint16_t> mode = ModeOf(token); mode) {
      entry_.mode = mode;
    } else if (const auto owner = OwnerOf(token); owner) {
      entry_.owner = owner;
    } else {
      return false;
    }
    return true;
  }

  absl::Status ReadKind(const Token& token) {
    if (token.quoted) {
      entry_.content = token.text;
    } else if (token.text == "whiteout") {
      entry_.type = FileType::kCharDevice;
      entry_.whiteout = true;
    } else if (token.text == "fifo") {
      entry_.type = FileType::kFifo;
    } else if (token.text == "->") {
      entry_.type = FileType::kSymlink;
      return TakeText("a symlink needs its target after ->", entry_.target);
    } else if (token.text == "hardlink") {
      return TakeText("hardlink needs the path of the file", entry_.hardlink);
    } else if (token.text == "size") {
      return ReadSize();
    } else {
      return Wrong(line_.number, "unknown word " + Quoted(token.text));
    }
    return absl::OkStatus();
  }

  absl::Status TakeText(std::string_view complaint, std::string& into) {
    if (next_ == line_.tokens.size()) return Wrong(line_.number, complaint);
    into = line_.tokens[next_++].text;
    return absl::OkStatus();
  }

  absl::Status ReadSize() {
    std::string text;
    std::uint64_t length = 0;
    Seed seed;
    absl::Status taken = TakeText("size needs a number of bytes", text);
    if (!taken.ok()) return taken;
    if (!absl::SimpleAtoi(text, &length)) {
      return Wrong(line_.number, "size needs a number of bytes");
    }
    if (next_ < line_.tokens.size() && line_.tokens[next_].text == "seed") {
      ++next_;
      taken = TakeText("seed needs a number", text);
      if (!taken.ok()) return taken;
      if (!absl::SimpleAtoi(text, &seed.value)) return Wrong(line_.number, "seed needs a number");
    }
    entry_.content = PatternBytes(length, seed);
    return absl::OkStatus();
  }

  const Line& line_;
  DrawnEntry& entry_;
  std::size_t next_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<DrawnEntry>> ParseDrawing(std::string_view text) {
  const absl::StatusOr<std::vector<Line>> lines = LinesOf(text);
  if (!lines.ok()) return lines.status();
  struct Open {
    std::size_t column;
    std::string path;
  };
  std::vector<Open> above;  // directories the next line may stand in, or a file it may not
  std::vector<DrawnEntry> entries;
  for (const Line& line : *lines) {
    std::string name = line.tokens.front().text;
    if (name.starts_with('/')) above.clear();
    while (!above.empty() && above.back().column >= line.column) above.pop_back();
    DrawnEntry entry;
    if (name.ends_with('/')) entry.type = FileType::kDirectory;
    while (name.ends_with('/')) name.pop_back();
    while (name.starts_with('/')) name.erase(0, 1);
    if (name.empty() && entry.type != FileType::kDirectory) return Wrong(line.number, "no name");
    if (name.empty() && line.tokens.size() > 1) {
      return Wrong(line.number, "the root takes no words");
    }
    entry.path = above.empty() ? "" : above.back().path;
    if (!name.empty()) entry.path += '/' + name;
    absl::Status read = EntryReader(line, entry).Read();
    if (!read.ok()) return read;
    const bool stands_in_file = !above.empty() && !entries.empty() &&
                                entries.back().path == above.back().path &&
                                entries.back().type != FileType::kDirectory;
    if (stands_in_file) return Wrong(line.number, above.back().path + " is no directory");
    above.push_back({line.column, entry.path});
    if (!entry.path.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

std::string LineOf(const DrawnEntry& entry) {
  std::string out = Escaped(entry.path);
  if (entry.whiteout) {
    out += " whiteout";
  } else if (!entry.hardlink.empty()) {
    out += " hardlink " + Escaped(entry.hardlink);
  } else {
    switch (entry.type) {
      case FileType::kDirectory:
        out += '/';
        break;
      case FileType::kRegular:
        out += ' ' + Quoted(entry.content);
        break;
      case FileType::kSymlink:
        out += " -> " + Quoted(entry.target);
        break;
      case FileType::kFifo:
        out += " fifo";
        break;
      case FileType::kCharDevice:
      case FileType::kBlockDevice:
        out += " device";
        break;
      case FileType::kSocket:
        out += " socket";
        break;
    }
  }
  if (entry.opaque) out += " opaque";
  if (entry.mode) absl::StrAppendFormat(&out, " %04o", *entry.mode);
  if (entry.owner) absl::StrAppendFormat(&out, " %d:%d", entry.owner->first, entry.owner->second);
  for (const auto& [key, value] : entry.xattrs) {
    absl::StrAppendFormat(&out, " %s=%s", key, Quoted(value));
  }
  return out;
}

}  // namespace lamina::testing::internal
