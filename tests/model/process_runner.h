// ProcessRunner: carries out ModelOperations on a Process, and walks the tree a Process sees. The
// other half of the comparison: the same facts as the model's, from the library.
//
// Threads: thread-compatible.
#ifndef LAMINA_TESTS_MODEL_PROCESS_RUNNER_H_
#define LAMINA_TESTS_MODEL_PROCESS_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/fs/process.h"
#include "sim/model/entry.h"
#include "sim/model/operation.h"

namespace lamina::sim {

using Fd = Process::Fd;

// Numbers for (st_dev, st_ino), from 1 in the order of their first appearance. A mount may get
// other device numbers than the one before: the first of each mount counts as the same, and so on.
class IdentityNumbers {
 public:
  std::uint64_t NumberOf(const Stat& stat);
  void BeginMount() { devices_.clear(); }

 private:
  std::map<std::uint64_t, std::uint64_t> devices_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> numbers_;
};

class ProcessRunner {
 public:
  // `root` is the root directory of the process. The clock advances by `tick` at each call.
  ProcessRunner(FileSystem& fs, NodeId root, Clock& clock, Duration tick,
                IdentityNumbers& identities);

  // Everything but kRemount.
  ModelOutcome Execute(const ModelOperation& operation);
  void CloseAll();
  // The whole tree as root sees it. `problems` gets what can be said without a model: a name listed
  // twice, a name found but not listed, another type listed than found. Files that are `unread` are
  // not opened: their content is Unread.
  std::vector<ModelEntry> Dump(std::vector<std::string>& problems,
                               const std::function<bool(const std::string&)>& unread = {});
  static std::string Unread(std::size_t size_bytes) { return std::string(size_bytes, '?'); }

 private:
  ModelOutcome ExecuteOnNames(const ModelOperation& operation);
  ModelOutcome ExecuteOnAttributes(const ModelOperation& operation);
  ModelOutcome ExecuteOnHandles(const ModelOperation& operation);
  ModelOutcome WriteThrough(const ModelOperation& operation, const OpenHow& how);
  ModelOutcome ReadThrough(const ModelOperation& operation);
  ModelOutcome ListNames(const std::string& path);
  ModelOutcome Open(const ModelOperation& operation);
  ModelOutcome FromStat(const Result<Stat>& stat, const std::string& path);
  Result<std::string> ContentOf(const std::string& path);
  ModelEntry EntryOf(const std::string& path, const Stat& stat, bool reads,
                     std::vector<std::string>& problems);
  std::vector<ProcessEntry> NamesIn(const std::string& path, std::vector<std::string>& problems);

  Process process_;
  IdentityNumbers& identities_;
  std::map<int, Fd> fds_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_PROCESS_RUNNER_H_
