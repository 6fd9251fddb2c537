#include "tests/linearizability/history.h"

#include <algorithm>

namespace lamina::sim {
namespace {

std::vector<RecordedCall> ByStart(std::vector<RecordedCall> calls) {
  std::sort(calls.begin(), calls.end(), [](const RecordedCall& one, const RecordedCall& other) {
    return one.called < other.called;
  });
  return calls;
}

}  // namespace

int History::overlaps() const {
  int count = 0;
  std::uint64_t last_return = 0;
  for (const RecordedCall& call : ByStart(calls)) {
    if (call.called < last_return) ++count;
    last_return = std::max(last_return, call.returned);
  }
  return count;
}

std::string History::Show() const {
  std::string text;
  for (const RecordedCall& call : ByStart(calls)) {
    text += "thread " + std::to_string(call.thread) + "  " + std::to_string(call.called) + " to " +
            std::to_string(call.returned) + "  " + call.operation.Show() + " = " + call.result +
            "\n";
  }
  return text;
}

}  // namespace lamina::sim
