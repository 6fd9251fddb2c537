// Threads that keep a file system busy, and what its tree must be like afterwards.
//
// Threads: called from one; starts its own.
#ifndef LAMINA_TESTS_UNION_BUSY_THREADS_H_
#define LAMINA_TESTS_UNION_BUSY_THREADS_H_

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/union/busy_process.h"

namespace lamina {

constexpr int kThreads = 4;
constexpr int kCalls = 10'000;  // of each thread, if there is time
constexpr std::chrono::seconds kMostTime{3};

// Runs work(0) … work(kThreads - 1), each in a thread of its own.
void RunThreads(const std::function<void(int)>& work);
// Calls until there are enough of them, or the time is up. Gives how many.
int KeepBusy(BusyProcess& process);
// What is listed and not found, or found and not listed.
std::vector<std::string> Contradictions(FileSystem& fs);

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_BUSY_THREADS_H_
