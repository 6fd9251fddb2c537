#include "sim/scenario/text_form.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "absl/strings/str_format.h"
#include "sim/scenario/digest.h"

namespace lamina::sim::internal {

std::string EscapeText(std::string_view bytes, Blanks blanks) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f || (c == ' ' && blanks == Blanks::kEscape)) {
      out += "\\x";
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 15U]);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string QuoteText(std::string_view bytes) { return '"' + EscapeText(bytes) + '"'; }

std::string ShowArgument(std::string_view bytes) {
  std::string escaped = EscapeText(bytes);
  const bool plain = !bytes.empty() && bytes.find_first_of(" \t#\"\\") == std::string_view::npos &&
                     escaped.find('\\') == std::string::npos;
  if (plain) return escaped;
  return '"' + escaped + '"';
}

std::string ShowTime(Instant time) {
  std::int64_t seconds = time.virtual_ns / kNanosecondsPerSecond;
  std::int64_t rest = time.virtual_ns % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  if (time >= kNowLimit) return "now";
  if (rest == 0) return absl::StrFormat("%d", seconds);
  return absl::StrFormat("%d.%09d", seconds, rest);
}

std::string ShowContent(std::string_view bytes) {
  if (bytes.size() <= 64) return QuoteText(bytes);
  Digest digest;
  digest.Add(AsBytes(bytes));
  return absl::StrFormat("sha256:%s len=%d", digest.Hex(), bytes.size());
}

char TypeLetter(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return 'f';
    case FileType::kDirectory:
      return 'd';
    case FileType::kSymlink:
      return 'l';
    case FileType::kCharDevice:
      return 'c';
    case FileType::kBlockDevice:
      return 'b';
    case FileType::kFifo:
      return 'p';
    case FileType::kSocket:
      return 's';
  }
  return '?';
}

std::string ShowXattr(std::string_view key, std::string_view value) {
  for (std::string_view space : {"trusted.overlay.", "user.overlay."}) {
    if (key.substr(0, space.size()) != space) continue;
    const std::string_view mark = key.substr(space.size());
    if (mark == "origin" || mark == "upper") return value.empty() ? "\"\"" : "<fh>";
    if (mark == "uuid") return "<uuid>";
  }
  return QuoteText(value);
}

std::string ShowEntries(std::vector<ProcessEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const ProcessEntry& a, const ProcessEntry& b) {
    return std::tie(a.name, a.type, a.ino) < std::tie(b.name, b.type, b.ino);
  });
  std::string out = "[";
  for (const ProcessEntry& entry : entries) {
    if (entry.name == "." || entry.name == "..") continue;
    if (out.size() > 1) out.push_back(' ');
    out += EscapeText(entry.name, Blanks::kEscape);
    out.push_back(':');
    out.push_back(TypeLetter(entry.type));
  }
  out.push_back(']');
  return out;
}

}  // namespace lamina::sim::internal
