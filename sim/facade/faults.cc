// LayeredFs: faults, the crash, and the mount after it.
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/base/check.h"
#include "sim/facade/facade_mount.h"

namespace lamina {
namespace internal {
namespace {

// Node ids are never used again, but an image does not know how far they were counted: a new
// storage counts past all of them before it takes an image over.
void CountNodesPast(const OpContext& op, MemFs& used, MemFs& fresh) {
  const auto next_node = [&](MemFs& fs) {
    Result<Opened> probe = fs.CreateUnnamed(op, fs.root(), {.mode = 0600}, {});
    LAMINA_CHECK(probe.ok());
    fs.Close(probe->handle);
    return probe->node;
  };
  const NodeId last = next_node(used);
  while (next_node(fresh) < last) {
  }
}

// The storage itself when no mount uses it, else a new one; with the image in it.
std::shared_ptr<Storage> TakeStorage(const CrashState& state, const OpContext& op,
                                     const std::shared_ptr<Storage>& used,
                                     const MemFs::Image& image) {
  std::shared_ptr<Storage> storage = used;
  if (used->in_use) {
    const Result<Stat> root = used->fs.GetAttr(op, used->fs.root());
    LAMINA_CHECK(root.ok());
    storage = std::make_shared<Storage>(state.options, state.clock.now(), root->dev);
    CountNodesPast(op, used->fs, storage->fs);
  }
  storage->in_use = true;
  storage->fs.Restore(image);
  return storage;
}

}  // namespace

CrashState CaptureState(const FacadeMount& mount) {
  CrashState state;
  state.options = mount.options;
  state.clock = mount.clock;
  state.slots = mount.slots;
  state.branches_changed = mount.branches_changed;
  for (const LowerLayer& lower : mount.lowers) {
    CrashState::Lower& added = state.lowers.emplace_back();
    added.name = lower.name;
    added.fs = lower.fs;
    added.storage = lower.storage;
    if (lower.storage == nullptr) continue;
    added.image = lower.crash_image ? *lower.crash_image : lower.storage->fs.Capture();
  }
  state.storage = mount.storage;
  state.image = mount.crash_image ? *mount.crash_image : mount.storage->fs.Capture();
  state.upper = mount.upper;
  state.work = mount.work;
  return state;
}

std::shared_ptr<FacadeMount> OpenState(const CrashState& state) {
  auto mount = std::make_shared<FacadeMount>();
  mount->options = state.options;
  mount->clock = state.clock;
  for (const CrashState::Lower& lower : state.lowers) {
    LowerLayer& added = mount->lowers.emplace_back();
    added.name = lower.name;
    added.fs = lower.fs;
    if (lower.storage == nullptr) continue;
    added.storage = TakeStorage(state, mount->AsRoot(), lower.storage, lower.image);
    added.fs = std::shared_ptr<MemFs>(added.storage, &added.storage->fs);
  }
  mount->slots = state.slots;
  mount->branches_changed = state.branches_changed;
  mount->storage = TakeStorage(state, mount->AsRoot(), state.storage, state.image);
  mount->upper = state.upper;
  mount->work = state.work;
  return mount;
}

}  // namespace internal

void LayeredFs::Inject(const Fault& fault) {
  std::optional<std::string> mistake = fault.Mistake();
  if (fault.place() == sim::FaultPlace::kBranch && fault.branch() != internal::kUpperName &&
      caller_->mount->FindLower(fault.branch()) == nullptr) {
    mistake = absl::StrFormat("the mount has no layer %s", Quoted(fault.branch()));
  }
  if (fault.place() == sim::FaultPlace::kDevice) {
    mistake = absl::StrFormat("the mount has no device %s", Quoted(fault.device()));
  }
  if (mistake) {
    std::fprintf(stderr, "lamina: fault %s: %s\n", fault.ToString().c_str(), mistake->c_str());
    std::abort();
  }
  caller_->mount->faults.Add(fault);
}

absl::Status LayeredFs::VerifyAllFaultsFired() const {
  const sim::FaultPlan& faults = caller_->mount->faults;
  const std::vector<std::string> unfired = faults.Unfired();
  if (unfired.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat("%d of %d faults never hit a call:\n  %s",
                                                       unfired.size(), faults.size(),
                                                       absl::StrJoin(unfired, "\n  ")));
}

CrashImage LayeredFs::Crash() {
  caller_->mount->faults.Crash();
  return CrashImage(
      std::make_shared<internal::CrashState>(internal::CaptureState(*caller_->mount)));
}

bool LayeredFs::crashed() const { return caller_->mount->faults.crashed(); }

absl::StatusOr<FsPtr> Reopen(const CrashImage& image) {
  std::shared_ptr<internal::FacadeMount> mount = internal::OpenState(image.state());
  if (absl::Status mounted = internal::MountUnion(*mount); !mounted.ok()) return mounted;
  return std::make_unique<LayeredFs>(
      std::make_shared<internal::Caller>(std::move(mount), RootCredentials()));
}

}  // namespace lamina
