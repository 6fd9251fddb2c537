// Operations: every kind of change a process can ask a union for, on a scene's target, on the name
// beside it, and against the other entries of the scene.
//
// Threads: plain values.
#ifndef LAMINA_TESTS_CRASH_OPERATIONS_H_
#define LAMINA_TESTS_CRASH_OPERATIONS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/process.h"
#include "tests/crash/scenes.h"

namespace lamina::testing {

// What an operation keeps from one call to the next.
struct OpenHands {
  Process::Fd fd;
};

using OperationCall = std::function<Result<void>(Process&, OpenHands&)>;

struct Operation {
  std::string name;                  // "rename t -> /e/f"
  std::vector<OperationCall> calls;  // one after the other, until one fails
  std::vector<std::string> paths;    // that it names
  bool truncates = false;            // sets a size
};

// Those that do not look at the target (on the name beside it, or on others) are in the list for a
// file only.
std::vector<Operation> OperationsOn(const Scene& scene);
// The one of that name; it must be there.
Operation OperationCalled(const Scene& scene, std::string_view name);

// redirect_dir=on changes what a rename does, and whether a new directory is marked opaque.
bool ConcernsRedirects(const Operation& operation);

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_OPERATIONS_H_
