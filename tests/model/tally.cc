#include "tests/model/tally.h"

namespace lamina::sim {

void Tally::Count(std::string_view word, const ModelOutcome& outcome) {
  ++operations_;
  if (!outcome.ok()) ++failures_;
  ++counts_[std::string(word)][outcome.ok() ? "OK" : outcome.Show()];
}

void Tally::CountDeviations(const std::set<DeviationRule>& rules) {
  for (const DeviationRule rule : rules) ++deviations_[rule];
}

int Tally::successes_of(std::string_view word) const {
  const auto row = counts_.find(word);
  if (row == counts_.end()) return 0;
  const auto ok = row->second.find("OK");
  return ok == row->second.end() ? 0 : ok->second;
}

int Tally::failures_of(std::string_view word) const {
  const auto row = counts_.find(word);
  if (row == counts_.end()) return 0;
  int total = 0;
  for (const auto& [name, count] : row->second) total += name == "OK" ? 0 : count;
  return total;
}

int Tally::uses_of(DeviationRule rule) const {
  const auto found = deviations_.find(rule);
  return found == deviations_.end() ? 0 : found->second;
}

std::string Tally::Show() const {
  std::string text =
      std::to_string(operations_) + " calls, " + std::to_string(failures_) + " of them fail\n";
  for (const auto& [word, outcomes] : counts_) {
    text += "  " + word + ":";
    for (const auto& [name, count] : outcomes) text += " " + name + " " + std::to_string(count);
    text += "\n";
  }
  for (const auto& [rule, count] : deviations_) {
    text += "  rule " + std::string(DeviationOf(rule).id) + ": " + std::to_string(count) + "\n";
  }
  return text;
}

}  // namespace lamina::sim
