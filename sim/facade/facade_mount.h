// FacadeMount: what a LayeredFs, its views and its open files share. Caller: one set of credentials
// with its own descriptors on a mount.
//
// Threads: belong to the mount.
#ifndef LAMINA_SIM_FACADE_FACADE_MOUNT_H_
#define LAMINA_SIM_FACADE_FACADE_MOUNT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/base/time.h"
#include "lamina/facade/layered_fs.h"
#include "lamina/facade/status.h"
#include "lamina/fs/lock_table.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/sim/faulty_fs.h"
#include "lamina/union/union_fs.h"

namespace lamina::internal {

inline constexpr std::string_view kUpperName = "upper";

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override;
  FsCounters counters;
};

// A file system that a mount writes: the one with the upper and the work directory, or a layer that
// an AUFS has as rw. One mount at a time uses it.
struct Storage {
  // `device`: of the one whose place it takes; 0: of none.
  Storage(const MountOptions& options, Instant now, std::uint64_t device = 0)
      : fs({.device = device,
            .capacity_bytes = options.capacity,
            .atime = options.atime,
            .root_time = now}) {}
  MemFs fs;
  bool in_use = false;
};

// A layer that is not the upper.
struct LowerLayer {
  std::string name;
  std::shared_ptr<MemFs> fs;            // frozen; shared with crash images and what is made of them
  std::unique_ptr<sim::FaultyFs> site;  // above it, while mounted
  std::uint64_t changes_at_mount = 0;
  std::shared_ptr<Storage> storage;         // of one that can be written; holds `fs`, not frozen
  std::optional<MemFs::Image> crash_image;  // of the storage, at a Crash fault
};

// A branch of an AUFS.
struct AufsSlot {
  std::string layer;
  AufsMode mode;
};

struct FacadeMount {
  FacadeMount() = default;
  ~FacadeMount();
  FacadeMount(const FacadeMount&) = delete;
  FacadeMount& operator=(const FacadeMount&) = delete;

  OpContext AsRoot() const { return {root_credentials, clock.now(), Probe()}; }
  bool aufs() const { return options.dialect == UnionDialect::kAufs; }
  // Null: no such layer.
  LowerLayer* FindLower(std::string_view layer);
  // The storages as they are now, for what comes after the crash.
  void CaptureStorages();
  // The name of branch `index`; the order of branches is that of UnionFs::branches.
  const std::string& BranchName(BranchIndex index) const { return fs->branches()[index].name; }
  void Log(std::string text, std::vector<std::string> paths, int error);
  const Call* MadeBy(std::string_view path) const;
  // The fault that gave `error` since it was last asked; null when none did.
  const sim::FiredFault* TakeFault(Errno error);

  MountOptions options;
  Credentials root_credentials;
  Clock clock;
  sim::FaultPlan faults{{.clock = &clock, .only_inside_mount_calls = true}};
  std::size_t faults_told = 0;              // of those that fired
  std::optional<MemFs::Image> crash_image;  // of the storage, at a Crash fault
  // Topmost first. Of an AUFS, those that are no branch now as well; `slots` has their order.
  std::vector<LowerLayer> lowers;
  std::vector<AufsSlot> slots;    // of an AUFS: the branches, topmost first
  bool branches_changed = false;  // by a Remount: whiteouts may hide nothing any more
  // Of an AUFS: layers and names of pseudo-links that were there before the mount, or the branch.
  std::set<std::pair<std::string, std::string>> old_pseudo_links;
  std::shared_ptr<Storage> storage;
  std::unique_ptr<sim::FaultyFs> upper_site;  // above it, while mounted
  NodeId upper;
  NodeId work;  // 0: an AUFS has none
  std::unique_ptr<UnionFs> fs;
  std::unique_ptr<sim::FaultyFs> gate;  // above it: where the calls of processes arrive
  LockTable locks;
  CountingSink sink;
  std::vector<Call> calls;
  std::size_t calls_made = 0;
};

enum class LayerUse : std::uint8_t { kFrozen, kWritable };
// Makes a layer and adds it to the lowers; its site comes with the mount. Errors: of its verbs.
absl::Status MakeLower(FacadeMount& mount, const NamedLayer& layer, LayerUse use);
// Puts the site of faults above a layer.
void PlaceSite(FacadeMount& mount, LowerLayer& lower);

// Mounts lowers, upper and work, with the sites of faults in between. Faults that are in the plan
// already may hit the mount itself. Errors: those of mount(2).
absl::Status MountUnion(FacadeMount& mount);

// What a crash leaves: everything a new mount is made from.
struct CrashState {
  struct Lower {
    std::string name;
    std::shared_ptr<MemFs> fs;
    std::shared_ptr<Storage> storage;  // as in LowerLayer
    MemFs::Image image;                // of it
  };
  MountOptions options;
  Clock clock;
  std::vector<Lower> lowers;  // topmost first
  std::vector<AufsSlot> slots;
  bool branches_changed = false;
  std::shared_ptr<Storage> storage;
  MemFs::Image image;  // of it
  NodeId upper;
  NodeId work;
};

// The state of the storage now, or at the Crash fault.
CrashState CaptureState(const FacadeMount& mount);
// Everything but the mount itself: MountUnion does the rest. The storage is taken over when no
// mount uses it, else the image is put into a new one.
std::shared_ptr<FacadeMount> OpenState(const CrashState& state);

// A call as messages and the log write it.
struct CallText {
  std::string_view name;                // Unlink
  std::vector<std::string_view> paths;  // in the order of the arguments
  std::string rest = {};                // ", 0644"
  bool creates_last = false;            // the last path need not exist

  std::string Logged() const;  // Unlink("/a")
  std::string Posix() const;   // unlink("/a")
};

struct Caller {
  Caller(std::shared_ptr<FacadeMount> the_mount, const Credentials& credentials);

  OpContext op() const { return {process.credentials(), mount->clock.now(), Probe()}; }

  absl::Status Error(Errno error, const CallText& call) const;

  // The answer of a call that changes nothing.
  template <typename T>
  absl::StatusOr<T> Answer(const CallText& call, Result<T> result) const {
    if (!result.ok()) return Error(result.error(), call);
    mount->faults_told = mount->faults.fired().size();
    return *std::move(result);
  }

  // The answer of one that does: it goes to the log.
  template <typename T>
  absl::StatusOr<T> LoggedAnswer(const CallText& call, Result<T> result) {
    Log(call, result.ok() ? 0 : static_cast<int>(result.error()));
    return Answer(call, std::move(result));
  }
  absl::Status Done(const CallText& call, Result<void> result);

  void Log(const CallText& call, int error);

  std::shared_ptr<FacadeMount> mount;
  mutable Process process;
};

// What a path of the union leads to for `caller`, and if nowhere, which of its prefixes is to
// blame.
struct Lookup {
  Result<Stat> stat = Errno::kNoEnt;
  std::optional<Place> place() const {
    if (!has_place) return std::nullopt;
    return Place{dir, name};
  }
  std::string prefix;  // as written: the path itself, or the first part of it that fails
  bool has_place = false;
  NodeId dir;
  std::string name;
};
Lookup LookUp(const Caller& caller, std::string_view path, LastLink last_link);

// "/a", "/a/b" for "/a/b": every leading part of a path, as written.
std::vector<std::string> PrefixesOf(std::string_view path);

// One clause that says why `error` was given; empty when the errno says it all.
std::string ReasonFor(const Caller& caller, Errno error, const CallText& call);

// The same where AUFS has reasons of its own; empty where it has none.
std::string AufsReasonFor(const Caller& caller, Errno error, const CallText& call);

// Remembers the pseudo-links that a layer holds now: they are none of this mount.
void NoteOldPseudoLinks(FacadeMount& mount, const std::string& layer);
// Appends what is wrong with the writable branches of an AUFS, a line each.
void CheckAufsBranches(const FacadeMount& mount, std::vector<std::string>& broken);
// An entry of the merged tree of an AUFS may be listed and not be found: a name that is too long,
// one beside its whiteout.
bool MayBeUnfound(const FacadeMount& mount, std::string_view path);

// layer "app"; of an AUFS: layer "app" (b1 ro+wh)
std::string LayerWord(const FacadeMount& mount, BranchIndex branch);

// "regular, 20 B", "directory", "symlink to \"x\"".
std::string_view TypeWord(FileType type);
std::string ObjectText(const Stat& stat);
bool IsWhiteoutStat(const Stat& stat);

}  // namespace lamina::internal
#endif  // LAMINA_SIM_FACADE_FACADE_MOUNT_H_
