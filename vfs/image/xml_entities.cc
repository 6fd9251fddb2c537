#include "vfs/image/xml_entities.h"

#include <algorithm>
#include <array>

namespace lamina {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;
constexpr std::size_t kMostEntityBytes = 12;  // "&#x0010FFFF;"

bool IsCharacterReference(std::string_view name) {
  if (!name.starts_with('#')) return false;
  const bool is_hex = name.starts_with("#x");
  const std::string_view digits = name.substr(is_hex ? 2 : 1);
  const std::string_view allowed = is_hex ? "0123456789abcdefABCDEF" : "0123456789";
  return !digits.empty() && digits.find_first_not_of(allowed) == kNowhere;
}

// Is `text`, which begins with an `&`, an entity that XML knows?
bool IsKnownEntity(std::string_view text) {
  constexpr std::array<std::string_view, 5> kKnown = {"lt", "gt", "amp", "apos", "quot"};
  const std::size_t end = text.substr(0, kMostEntityBytes).find(';');
  if (end == kNowhere) return false;
  const std::string_view name = text.substr(1, end - 1);
  return std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end() ||
         IsCharacterReference(name);
}

// The end of a DOCTYPE at `at`: the `>` outside of brackets and quotes.
std::size_t EndOfDoctype(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    at = text.find_first_of("\"'[]>", at);
    if (at == kNowhere) return kNowhere;
    const char mark = text[at];
    if (mark == '>' && depth <= 0) return at + 1;
    if (mark == '[') ++depth;
    if (mark == ']') --depth;
    if (mark == '"' || mark == '\'') at = text.find(mark, at + 1);
    if (at == kNowhere) return kNowhere;
    ++at;
  }
  return kNowhere;
}

// Where to go on behind the markup that begins at `at`.
std::size_t SkipMarkup(std::string_view text, std::size_t at) {
  struct Skipped {
    std::string_view begin;
    std::string_view end;
  };
  constexpr std::array<Skipped, 3> kSkipped = {Skipped{"<!--", "-->"}, Skipped{"<![CDATA[", "]]>"},
                                               Skipped{"<?", "?>"}};
  const std::string_view rest = text.substr(at);
  for (const Skipped& skipped : kSkipped) {
    if (!rest.starts_with(skipped.begin)) continue;
    const std::size_t end = text.find(skipped.end, at + skipped.begin.size());
    return end == kNowhere ? kNowhere : end + skipped.end.size();
  }
  return rest.starts_with("<!DOCTYPE") ? EndOfDoctype(text, at) : at + 1;
}

}  // namespace

std::size_t FindUnknownEntity(std::string_view text) {
  if (text.find('&') == kNowhere) return kNowhere;
  std::size_t at = text.find_first_of("<&");
  while (at != kNowhere) {
    if (text[at] == '&') {
      if (!IsKnownEntity(text.substr(at))) return at;
      ++at;
    } else {
      at = SkipMarkup(text, at);
    }
    if (at != kNowhere) at = text.find_first_of("<&", at);
  }
  return kNowhere;
}

}  // namespace lamina
