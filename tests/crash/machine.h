// Machine: one start of the modelled machine: a storage, a mount of it, a process. Run, break, look
// at what is stored.
//
// Threads: one.
#ifndef LAMINA_TESTS_CRASH_MACHINE_H_
#define LAMINA_TESTS_CRASH_MACHINE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/facade/facade_mount.h"
#include "tests/crash/operations.h"
#include "tests/crash/plain_tree.h"

namespace lamina::testing {

using lamina::internal::CrashState;

// What the calls of an operation gave, up to the first that failed; nothing is success.
using Outcomes = std::vector<std::optional<Errno>>;
std::string OutcomesText(const Outcomes& outcomes);  // "OK, EIO"

class Machine {
 public:
  // `start`: times after it are all alike.
  Machine(const CrashState& state, Instant start);

  // Faults may be in place before. Only a mounted machine performs and shows.
  absl::Status Mount();
  void Inject(const Fault& fault) { mount_->faults.Add(fault); }
  void ClearFaults() { mount_->faults.Clear(); }
  const std::vector<sim::FiredFault>& fired() const { return mount_->faults.fired(); }
  bool crashed() const { return mount_->faults.crashed(); }

  Outcomes Perform(const Operation& operation);
  std::optional<Errno> PerformCall(const OperationCall& call, OpenHands& hands);

  // What is stored now, or was when the machine crashed.
  CrashState State() const { return lamina::internal::CaptureState(*mount_); }

  PlainTree Merged() const;  // as the mount shows it; through no fault
  PlainTree Upper() const;   // as it is stored
  // Everything in the work directory but the empty directory that a mount makes there.
  std::vector<std::string> Leftovers() const;
  absl::Status CheckInvariants() const;
  // A branch as the mount uses it; 0 is the upper.
  FileSystem& Branch(std::size_t index) const { return *mount_->fs->branches()[index].fs; }
  // No change was even tried in a lower layer.
  bool LeftLowersAlone() const;

 private:
  std::shared_ptr<lamina::internal::FacadeMount> mount_;
  std::shared_ptr<lamina::internal::Caller> caller_;
  Instant start_;
};

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_MACHINE_H_
