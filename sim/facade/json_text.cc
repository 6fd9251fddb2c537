#include "sim/facade/json_text.h"

#include <cstdint>

#include "absl/strings/str_format.h"

namespace lamina::internal {
namespace {

unsigned ByteAt(std::string_view bytes, std::size_t i) {
  return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
}

// Length of the UTF-8 sequence that begins `bytes`; 0 when none does. RFC 3629: no overlong form,
// no surrogate, nothing past U+10FFFF.
std::size_t SequenceLength(std::string_view bytes) {
  const unsigned first = ByteAt(bytes, 0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  if (first >= 0xe0 && first <= 0xef) length = 3;
  if (first >= 0xf0 && first <= 0xf4) length = 4;
  for (std::size_t i = 1; i < length; ++i) {
    if ((ByteAt(bytes, i) & 0xc0U) != 0x80) return 0;
  }
  const unsigned second = ByteAt(bytes, 1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

}  // namespace

std::string JsonString(std::string_view bytes) {
  std::string out = "\"";
  while (!bytes.empty()) {
    const std::size_t length = SequenceLength(bytes);
    const unsigned first = ByteAt(bytes, 0);
    if (length == 0) {
      absl::StrAppendFormat(&out, "\\\\x%02x", first);
    } else if (first == '"' || first == '\\') {
      out += '\\';
      out += bytes.front();
    } else if (first < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", first);
    } else {
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out + '"';
}

}  // namespace lamina::internal
