// History: calls of several threads with the moments they began and ended.
//
//   thread 0   |-- rename /a /b = OK --|
//   thread 1        |-- stat /a = ENOENT --|      |-- stat /b = OK --|
//              1    2                  3   4      5                  6
//
// Threads: plain values.
#ifndef LAMINA_TESTS_LINEARIZABILITY_HISTORY_H_
#define LAMINA_TESTS_LINEARIZABILITY_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sim/model/operation.h"

namespace lamina::sim {

struct RecordedCall {
  int thread = 0;
  // Ticks of one counter for all threads: `called` before the call began, `returned` after it
  // ended; no two are equal.
  std::uint64_t called = 0;
  std::uint64_t returned = 0;
  ModelOperation operation;
  std::string result;
};

struct History {
  std::vector<RecordedCall> calls;

  // How many calls began before another one, called earlier, had ended.
  int overlaps() const;
  // A line a call, in the order they began.
  std::string Show() const;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_HISTORY_H_
