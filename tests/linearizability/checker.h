// The linearizability checker: is there an order of the calls of a history that respects real time
// (a call that ended before another one began comes first) and that a sequential specification
// accepts, result by result?
//
//   Verdict verdict = FindLinearization(history, specification);
//
// Depth first over the calls that may come next, those that began before every other one that is
// left had ended (Wing and Gong 1993); a pair of calls done and state reached that led nowhere is
// not tried again (Lowe 2017).
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_LINEARIZABILITY_CHECKER_H_
#define LAMINA_TESTS_LINEARIZABILITY_CHECKER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/linearizability/history.h"

namespace lamina::sim {

inline constexpr std::size_t kMaxHistoryCalls = 64;

// What the calls should do one after the other.
class Specification {
 public:
  virtual ~Specification() = default;
  virtual std::unique_ptr<Specification> Clone() const = 0;
  // Carries the call out and says its result, in the words the history uses.
  virtual std::string Apply(const ModelOperation& operation) = 0;
  // A text that is equal for equal states only.
  virtual std::string State() const = 0;
};

struct Verdict {
  bool linearizable = false;
  // Indices of calls: the order that was found, or the longest one that the specification accepts.
  std::vector<std::size_t> order;
  std::uint64_t steps = 0;  // calls of the specification

  // The history and the order, for people.
  std::string Show(const History& history) const;
};

// At most kMaxHistoryCalls calls. `initial` is the state before all of them.
Verdict FindLinearization(const History& history, const Specification& initial);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_CHECKER_H_
