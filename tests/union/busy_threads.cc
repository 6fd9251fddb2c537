#include "tests/union/busy_threads.h"

#include <algorithm>
#include <thread>

namespace lamina {

void RunThreads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int index = 0; index < kThreads; ++index) threads.emplace_back(work, index);
  for (std::thread& thread : threads) thread.join();
}

int KeepBusy(BusyProcess& process) {
  const auto end = std::chrono::steady_clock::now() + kMostTime;
  int calls = 0;
  while (calls < kCalls && std::chrono::steady_clock::now() < end) {
    process.Call();
    ++calls;
  }
  return calls;
}

std::vector<std::string> Contradictions(FileSystem& fs) {
  std::vector<std::string> found;
  Process process(fs, fs.root(), {});
  std::vector<std::string> waiting = {""};
  while (!waiting.empty()) {
    const std::string dir = waiting.back();
    waiting.pop_back();
    const Result<std::vector<ProcessEntry>> entries =
        process.ListDirectory(dir.empty() ? "/" : dir);
    if (!entries.ok()) found.push_back(dir + ": " + std::string(ErrnoName(entries.error())));
    if (!entries.ok()) continue;
    std::vector<std::string> listed;
    for (const ProcessEntry& entry : *entries) {
      const std::string path = dir + '/' + entry.name;
      const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
      if (!stat.ok() || stat->type != entry.type) found.push_back(path + ": listed only");
      if (entry.type == FileType::kDirectory) waiting.push_back(path);
      listed.push_back(entry.name);
    }
    for (const std::string_view name : kBusyNames) {
      const std::string path = dir + '/' + std::string(name);
      const bool shown = std::find(listed.begin(), listed.end(), name) != listed.end();
      if (!shown && process.GetStat(path, LastLink::kKeep).ok()) {
        found.push_back(path + ": not listed");
      }
    }
  }
  return found;
}

}  // namespace lamina
