#include "tests/crash/machine.h"

#include <algorithm>

#include "absl/strings/str_join.h"

namespace lamina::testing {

std::string OutcomesText(const Outcomes& outcomes) {
  return absl::StrJoin(outcomes, ", ", [](std::string* out, const std::optional<Errno>& outcome) {
    out->append(outcome ? std::string(ErrnoName(*outcome)) : "OK");
  });
}

Machine::Machine(const CrashState& state, Instant start)
    : mount_(lamina::internal::OpenState(state)), start_(start) {}

absl::Status Machine::Mount() {
  if (absl::Status mounted = lamina::internal::MountUnion(*mount_); !mounted.ok()) return mounted;
  caller_ = std::make_shared<lamina::internal::Caller>(mount_, RootCredentials());
  return absl::OkStatus();
}

std::optional<Errno> Machine::PerformCall(const OperationCall& call, OpenHands& hands) {
  const Result<void> done = call(caller_->process, hands);
  return done.ok() ? std::nullopt : std::optional<Errno>(done.error());
}

Outcomes Machine::Perform(const Operation& operation) {
  Outcomes outcomes;
  OpenHands hands;
  for (const OperationCall& call : operation.calls) {
    outcomes.push_back(PerformCall(call, hands));
    if (outcomes.back()) break;
  }
  return outcomes;
}

PlainTree Machine::Merged() const { return ReadPlainTree(*mount_->fs, mount_->fs->root(), start_); }

PlainTree Machine::Upper() const {
  return ReadPlainTree(mount_->storage->fs, mount_->upper, start_);
}

std::vector<std::string> Machine::Leftovers() const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : ReadPlainTree(mount_->storage->fs, mount_->work, start_)) {
    const bool index_entry = path.starts_with("/index/") && !path.starts_with("/index/#");
    if (path.rfind('/') > 0 && !index_entry) paths.push_back(path);
  }
  return paths;
}

absl::Status Machine::CheckInvariants() const { return LayeredFs(caller_).CheckInvariants(); }

bool Machine::LeftLowersAlone() const {
  return std::all_of(
      mount_->lowers.begin(), mount_->lowers.end(), [](const lamina::internal::LowerLayer& lower) {
        return lower.site->changes() == 0 && lower.fs->change_count() == lower.changes_at_mount;
      });
}

}  // namespace lamina::testing
