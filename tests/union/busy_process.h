// BusyProcess: a process that makes random calls on few names: readers, writers, renames, handles
// that outlive their names. The same seed on the same tree makes the same calls.
//
// Threads: one BusyProcess a thread; the file system may be shared when it is synchronized.
#ifndef LAMINA_TESTS_UNION_BUSY_PROCESS_H_
#define LAMINA_TESTS_UNION_BUSY_PROCESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lamina/fs/process.h"
#include "tests/store/split_mix.h"

namespace lamina {

// The names that all calls are about, in every directory.
inline constexpr std::string_view kBusyNames[] = {"a", "b", "c"};

class BusyProcess {
 public:
  BusyProcess(FileSystem& fs, std::uint64_t seed);

  // One call of a user: an open, what is done with it, and its close count as one.
  void Call();
  // What came out of every call, a line each.
  const std::string& log() const { return log_; }
  // How often calls ended how; "OK" or the name of an errno.
  const std::map<std::string, int>& outcomes() const { return outcomes_; }

 private:
  std::string DrawPath();
  Result<void> Put(const std::string& path, const OpenHow& how);
  Result<void> Get(const std::string& path);
  Result<void> HoldOrRead(const std::string& path);
  Result<void> List(const std::string& path);
  Result<void> Do(std::uint64_t choice, const std::string& path);

  SplitMix64 random_;
  Clock clock_;
  Process process_;
  std::optional<Process::Fd> held_;
  std::string seen_;  // what the call at hand read
  std::string log_;
  std::map<std::string, int> outcomes_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_BUSY_PROCESS_H_
