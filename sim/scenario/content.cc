#include "sim/scenario/content.h"

#include <cstdint>
#include <optional>

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {
namespace {

struct Described {
  enum class Kind : std::uint8_t { kLiteral, kFill, kPattern, kHex } kind = Kind::kLiteral;
  std::string_view first;  // C, SEED, or the digits
  std::string_view count;
};

// Nothing when a described content has not exactly the parts it needs.
std::optional<Described> TakeApart(std::string_view text) {
  Described out;
  if (text.starts_with("hex:")) {
    out.kind = Described::Kind::kHex;
    out.first = text.substr(4);
    return out;
  }
  if (text.starts_with("fill:")) out.kind = Described::Kind::kFill;
  if (text.starts_with("pat:")) out.kind = Described::Kind::kPattern;
  if (out.kind == Described::Kind::kLiteral) return out;
  std::string_view rest = text.substr(text.find(':') + 1);
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  out.first = rest.substr(0, colon);
  out.count = rest.substr(colon + 1);
  if (out.count.find(':') != std::string_view::npos) return std::nullopt;
  return out;
}

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// Blanks may stand between bytes, not inside one.
std::optional<std::string> FromHex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i < digits.size();) {
    if (digits[i] == ' ' || digits[i] == '\t' || digits[i] == '\n') {
      ++i;
      continue;
    }
    if (i + 1 >= digits.size()) return std::nullopt;
    const std::optional<unsigned> high = HexDigit(digits[i]);
    const std::optional<unsigned> low = HexDigit(digits[i + 1]);
    if (!high || !low) return std::nullopt;
    out.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  return out;
}

std::string Pattern(std::int64_t seed, std::int64_t length) {
  std::string out(static_cast<std::size_t>(length), '\0');
  const auto start = static_cast<std::uint64_t>(seed) * 31;
  for (std::uint64_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>((start + i * 7 + (i >> 8U)) & 0xffU);
  }
  return out;
}

}  // namespace

std::string CheckContent(const ArgumentRules& rules, std::string_view text) {
  const std::optional<Described> described = TakeApart(text);
  if (!described) return absl::StrFormat("'%s' needs the form KIND:WHAT:LENGTH", text);
  switch (described->kind) {
    case Described::Kind::kLiteral:
      return "";
    case Described::Kind::kHex:
      if (FromHex(described->first)) return "";
      return absl::StrFormat("'%s' is not pairs of hexadecimal digits", text);
    case Described::Kind::kPattern:
      if (ParseNumber(described->first, false)) break;
      return absl::StrFormat("'%s' is not a seed", described->first);
    case Described::Kind::kFill:
      break;
  }
  const std::optional<std::int64_t> count = ParseNumber(described->count, rules.version >= 2);
  if (!count) return absl::StrFormat("'%s' is not a length", described->count);
  const std::uint64_t limit = rules.limits->content_bytes;
  const std::uint64_t width =
      described->kind == Described::Kind::kFill ? described->first.size() : 1;
  if (*count > 0 && width > 0 && static_cast<std::uint64_t>(*count) > limit / width) {
    return absl::StrFormat("'%s' is more than %d bytes", text, limit);
  }
  return "";
}

std::string ExpandContent(std::string_view text) {
  const std::optional<Described> described = TakeApart(text);
  if (!described) return std::string(text);
  if (described->kind == Described::Kind::kLiteral) return std::string(text);
  if (described->kind == Described::Kind::kHex) return FromHex(described->first).value_or("");
  const std::int64_t count = ParseNumber(described->count, true).value_or(0);
  if (count <= 0) return "";
  if (described->kind == Described::Kind::kPattern) {
    return Pattern(ParseNumber(described->first, false).value_or(0), count);
  }
  std::string out;
  out.reserve(described->first.size() * static_cast<std::size_t>(count));
  if (described->first.size() == 1)
    return out.assign(static_cast<std::size_t>(count), described->first[0]);
  for (std::int64_t i = 0; i < count; ++i) {
    if (described->first.empty()) break;
    out += described->first;
  }
  return out;
}

}  // namespace lamina::sim::internal
