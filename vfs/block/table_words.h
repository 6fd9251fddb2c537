// Words and numbers of table lines and messages.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_BLOCK_TABLE_WORDS_H_
#define LAMINA_VFS_BLOCK_TABLE_WORDS_H_

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lamina::internal {

// The words of `text`, which blanks of any kind separate.
inline std::vector<std::string_view> WordsOf(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::vector<std::string_view> words;
  std::size_t begin = text.find_first_not_of(kBlanks);
  while (begin != std::string_view::npos) {
    const std::size_t end = text.find_first_of(kBlanks, begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end == std::string_view::npos ? end : text.find_first_not_of(kBlanks, end);
  }
  return words;
}

// Decimal digits and nothing else, below 2^64.
inline std::optional<std::uint64_t> DecimalOf(std::string_view word) {
  std::uint64_t value = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Equal but for the case of ASCII letters.
inline bool SameWord(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_TABLE_WORDS_H_
