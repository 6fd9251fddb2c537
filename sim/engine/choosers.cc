#include "lamina/sim/choosers.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "lamina/base/check.h"

namespace lamina::sim {

// ── ExhaustiveChooser ──────────────────────────────────────────────────────────────────────────

std::uint64_t ExhaustiveChooser::Choose(std::uint64_t bound) {
  LAMINA_CHECK(bound >= 1);
  if (used_ == forks_.size()) forks_.push_back({0, bound});
  const Fork& fork = forks_[used_++];
  LAMINA_CHECK(fork.bound == bound);
  return fork.taken;
}

bool ExhaustiveChooser::Next() {
  LAMINA_CHECK(used_ == forks_.size());
  while (!forks_.empty() && forks_.back().taken + 1 == forks_.back().bound) forks_.pop_back();
  used_ = 0;
  if (forks_.empty()) return false;
  ++forks_.back().taken;
  ++runs_;
  return true;
}

Choices ExhaustiveChooser::choices() const {
  Choices choices;
  for (std::size_t i = 0; i < used_; ++i) choices.push_back(forks_[i].taken);
  return choices;
}

// ── RecordingChooser, ReplayChooser ────────────────────────────────────────────────────────────

std::uint64_t RecordingChooser::Choose(std::uint64_t bound) {
  choices_.push_back(source_.Choose(bound));
  return choices_.back();
}

std::uint64_t ReplayChooser::Choose(std::uint64_t bound) {
  LAMINA_CHECK(bound >= 1);
  if (used_ == choices_.size()) {
    faithful_ = false;
    return 0;
  }
  const std::uint64_t recorded = choices_[used_++];
  if (recorded >= bound) faithful_ = false;
  return recorded % bound;
}

// ── BytesChooser ───────────────────────────────────────────────────────────────────────────────

std::uint64_t BytesChooser::Choose(std::uint64_t bound) {
  LAMINA_CHECK(bound >= 1);
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (std::uint64_t most = bound - 1; most != 0 && !rest_.empty(); most >>= 8U, shift += 8U) {
    value |= std::to_integer<std::uint64_t>(rest_.front()) << shift;
    rest_ = rest_.subspan(1);
  }
  return value % bound;
}

// ── Text ───────────────────────────────────────────────────────────────────────────────────────

std::string ChoicesText(const Choices& choices) { return absl::StrJoin(choices, ","); }

std::optional<Choices> ParseChoices(std::string_view text) {
  Choices choices;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string number(text.substr(0, comma));
    const bool digits = !number.empty() && number.find_first_not_of("0123456789") == number.npos;
    std::uint64_t value = 0;
    if (!digits || !absl::SimpleAtoi(number, &value)) return std::nullopt;
    choices.push_back(value);
    if (comma + 1 == text.size()) return std::nullopt;  // a comma with nothing behind it
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return choices;
}

}  // namespace lamina::sim
