// Tally: how often what came out of which call. A random test that never gets anywhere shows here.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_TALLY_H_
#define LAMINA_TESTS_MODEL_TALLY_H_

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "sim/model/deviation.h"
#include "sim/model/operation.h"

namespace lamina::sim {

class Tally {
 public:
  void Count(std::string_view word, const ModelOutcome& outcome);
  void CountDeviations(const std::set<DeviationRule>& rules);
  int operations() const { return operations_; }
  int failures() const { return failures_; }
  int successes_of(std::string_view word) const;
  int failures_of(std::string_view word) const;
  int uses_of(DeviationRule rule) const;
  std::string Show() const;  // a table, one line a word

 private:
  std::map<std::string, std::map<std::string, int>, std::less<>> counts_;
  std::map<DeviationRule, int> deviations_;
  int operations_ = 0;
  int failures_ = 0;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_TALLY_H_
