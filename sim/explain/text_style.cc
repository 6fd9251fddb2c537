#include "lamina/sim/text_style.h"

#include <array>

#include "absl/strings/str_format.h"

namespace lamina::sim {
namespace {

constexpr int kYellow = 33;
constexpr std::array<int, 3> kLowerColours = {36, 34, 35};  // cyan, blue, magenta

std::string Escaped(const TextStyle& style, int code, std::string_view text) {
  if (!style.colour || text.empty()) return std::string(text);
  return absl::StrFormat("\x1b[%dm%s\x1b[0m", code, text);
}

}  // namespace

std::string SizeText(std::uint64_t size_bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1;
  while (unit + 1 < kUnits.size() && size_bytes / scale >= 1024) {
    scale *= 1024;
    ++unit;
  }
  if (size_bytes % scale == 0) return absl::StrFormat("%d %s", size_bytes / scale, kUnits[unit]);
  return absl::StrFormat("%.1f %s", static_cast<double>(size_bytes) / static_cast<double>(scale),
                         kUnits[unit]);
}

std::string OneLine(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
      continue;
    }
    out += "\\x";
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xfU];
  }
  return out;
}

std::string Painted(const TextStyle& style, std::string_view label, std::string_view text) {
  if (label == "U" || label == "b0") return Escaped(style, kYellow, text);
  std::size_t number = 0;
  for (const char digit : label.substr(label.empty() ? 0 : 1)) {
    if (digit >= '0' && digit <= '9') number = number * 10 + static_cast<std::size_t>(digit - '0');
  }
  return Escaped(style, kLowerColours[(number + 2) % kLowerColours.size()], text);
}

std::string Emphasized(const TextStyle& style, std::string_view text) {
  return Escaped(style, 1, text);
}

std::string Dimmed(const TextStyle& style, std::string_view text) {
  return Escaped(style, 2, text);
}

}  // namespace lamina::sim
