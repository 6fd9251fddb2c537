// What the tests of option text share: texts with what is made of them as parameters of a test, and
// random numbers.
//
// Threads: values only.
#ifndef LAMINA_TESTS_UNION_OPTION_ROWS_H_
#define LAMINA_TESTS_UNION_OPTION_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "lamina/union/aufs.h"

namespace lamina {

// A text, and what it is when written again.
struct OptionRow {
  std::string_view text;
  std::string_view written;
};
inline void PrintTo(const OptionRow& row, std::ostream* out) {
  *out << testing::PrintToString(row.text);
}

inline std::string_view RowText(const OptionRow& row) { return row.text; }
inline std::string_view RowText(std::string_view text) { return text; }

// The row's number and its text, as far as a name can hold it.
template <typename T>
std::string OptionRowName(const testing::TestParamInfo<T>& tested) {
  std::string name = std::to_string(tested.index) + '_';
  for (const char c : RowText(tested.param).substr(0, 40)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    name += plain ? c : '_';
  }
  return name;
}

// Numbers that depend on the seed only.
class OptionDraw {
 public:
  explicit OptionDraw(int seed)
      : state_(static_cast<std::uint64_t>(seed) * 0x9e3779b97f4a7c15U + 1) {}
  std::uint64_t Next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33U;
  }
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(Next()) % bound; }
  bool Coin() { return Below(2) == 1; }
  template <typename T, std::size_t N>
  T From(const T (&values)[N]) {
    return values[Below(N)];
  }

 private:
  std::uint64_t state_;
};

// The options that a mount string sets. Errors: those of ParseAufsText.
inline Result<AufsOptions> OptionsOf(std::string_view text) {
  const Result<AufsText> parsed = ParseAufsText(text);
  if (!parsed.ok()) return parsed.error();
  AufsOptions options;
  for (const AufsDirective& directive : parsed->directives) {
    if (directive.kind != AufsDirective::Kind::kOption) continue;
    if (Result<void> set = SetAufsOption(directive.option, options); !set.ok()) return set.error();
  }
  return options;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_OPTION_ROWS_H_
