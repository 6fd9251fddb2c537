// World: what a scenario acts on: RAM file systems with layers, mounts stacked on mount points,
// open handles, the caller's ids, and the classes of the canonical text.
//
//   base ── fs_0 ── lower1, upper, upper.work        one MemFs for each fs=
//        └─ merged, M ...                            mount points; each a stack of mounts
//
// Paths in option strings are of the same length as on the real kernel's runner, so that the
// limits on option strings agree.
//
// Threads: belongs to one run.
#ifndef LAMINA_SIM_SCENARIO_WORLD_H_
#define LAMINA_SIM_SCENARIO_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/sim/scenario.h"
#include "sim/scenario/devices.h"
#include "sim/scenario/dump.h"
#include "sim/scenario/identity.h"
#include "sim/scenario/operation.h"

namespace lamina::sim::internal {

inline constexpr std::string_view kBasePath = "/lamina/scenario/run";  // 20 bytes, see above

// Counts events while it is open, and passes them on.
class EventCounter final : public EventSink {
 public:
  void OnEvent(const Event& event) override;

  bool open = false;
  EventSink* next = nullptr;
  ScenarioCounters counters;

 private:
  void CountCopy(const Event& event);
};

struct HandleRecord {
  Process* process = nullptr;
  Fd fd;
  std::vector<ProcessEntry> taken;        // by hreaddir, since the open or the last rewind
  std::optional<ProcessEntry> held_back;  // read from the directory, not handed out yet
};

struct MappingRecord {
  Process* process = nullptr;
  Mapping mapping;
  std::uint64_t length = 0;
  bool writable = false;
};

// One tmpfs.
struct FsRecord {
  std::string name;
  std::unique_ptr<MemFs> fs;
  LockTable locks;
  std::unique_ptr<Process> process;  // with the root of the file system as root
};

struct LayerRecord {
  ScenarioLayer shown;
  std::unique_ptr<Process> process;  // with the layer as root
};

// The file system of a mount. It lives as long as the mount or a union above it.
struct MountedTree {
  std::vector<std::shared_ptr<MountedTree>> below;
  std::vector<std::pair<FileSystem*, NodeId>> owned;  // upper and work directories marked in use
  std::unique_ptr<UnionFs> fs;
  std::unique_ptr<ExtFs> ext;  // instead: on a device

  FileSystem& root_fs() const { return ext != nullptr ? static_cast<FileSystem&>(*ext) : *fs; }
};

struct MountRecord {
  ScenarioMount shown;
  std::shared_ptr<MountedTree> tree;
  LockTable locks;
  bool no_device_open = false;  // mount flag nodev
  std::unique_ptr<Process> process;
};

// An option string as mount(2) gets it, with the mount flags taken out.
struct MountText {
  std::string text;
  bool read_only = false;
  bool no_device_open = false;
};

// Joins `lead` (lowerdir=… or empty) and the options but ro, rw, nosuid, nodev, noatime.
MountText MakeMountText(const std::string& lead, std::string_view options);

enum class TargetKind : std::uint8_t { kNone, kLayer, kMount };

class World {
 public:
  World(const Scenario& scenario, const ScenarioRunOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ── Targets (world.cc) ───────────────────────────────────────────────────────────────────────

  // Makes the layer if it is new, and the target.
  absl::Status UseLayer(const std::string& name, const std::string& fs_name);
  absl::Status UseMount(const std::string& point);
  Process* Target();
  // A file operation now belongs to building the layers: it prints nothing and must succeed.
  bool IsSetUp() const { return target_ == TargetKind::kLayer && !mounted_once_; }
  TargetKind target_kind() const { return target_; }
  LayerRecord* FindLayer(std::string_view name);
  // The topmost mount on `point`; null when there is none.
  MountRecord* FindMount(std::string_view point);
  void SetCaller(std::uint32_t uid, std::uint32_t gid);
  void SetUmask(std::uint16_t mask);
  // Sets ids and umask of the caller.
  Process& AsCaller(Process& process);
  // Sets the ids of root, until the next AsCaller.
  Process& AsRoot(Process& process);
  // A Process of root with a directory of `fs` as its root.
  std::unique_ptr<Process> ProcessAt(MemFs& fs, NodeId root);

  // ── Mounts (mounts.cc) ───────────────────────────────────────────────────────────────────────

  // Where a name of `stack` is in the tree of paths.
  absl::StatusOr<std::string> PathOf(const std::string& stack_name);
  Outcome Mount(const std::string& point, const MountText& text, const ScenarioMount& names);
  // The ext file system on a device. `options`: a comma list of ro, rw, discard, noatime.
  Outcome MountDevice(const std::string& device, const std::string& point,
                      std::string_view options);
  Outcome Unmount(const std::string& point);
  // Verbs and options on a mounted AUFS union. EINVAL for an overlay.
  Outcome Remount(const std::string& point, std::string_view text);
  // Virtual time passes; what was left for later is done.
  Outcome Sleep(Duration duration);
  // Whether the next mount of the scenario asks for marks in the user namespace.
  bool NextMountIsUserxattr() const;
  // Whether it is an AUFS mount.
  bool NextMountIsAufs() const;

  // ── Devices (world.cc) ───────────────────────────────────────────────────────────────────────

  // A call on a device: root, a moment later; what was due till then is done.
  OpContext DeviceCall();
  // Root, now; nobody listens.
  OpContext Observer() const { return {root_, clock.now(), Probe()}; }
  // Power cut and a new start. Mounted devices are not mounted any more.
  Outcome Crash(CrashRule rule);

  // ── Text (output.cc) ─────────────────────────────────────────────────────────────────────────
  void Say(std::string_view line);
  void Dump();
  void SayLowers();
  // Stamps the layers with their common time, before the first mount.
  void StampLayers();
  std::string LowerFingerprint(LayerRecord& layer);
  DumpContext dump_context() { return {&classes, scenario.limits.digest_bytes}; }

  const Scenario& scenario;
  const ScenarioRunOptions options;
  Clock clock;
  EventCounter counter;
  IdentityClasses classes;

  Devices devices;

  std::vector<std::unique_ptr<FsRecord>> file_systems;
  std::vector<std::unique_ptr<LayerRecord>> layers;
  std::vector<std::unique_ptr<MountRecord>> mounts;  // oldest first
  std::map<std::string, HandleRecord, std::less<>> handles;
  std::map<std::string, MappingRecord, std::less<>> mappings;

  std::vector<std::string> stack;  // of the next mounts
  std::string mount_options;       // of the next mounts
  bool aufs = false;               // the next mounts are
  bool mounted_once_ = false;
  std::optional<std::string> upper;                  // layer the dumps show
  std::optional<std::vector<std::string>> branches;  // of AUFS: the writable ones, instead
  std::string current_point = "merged";              // mount the dumps show
  std::set<std::string> touched;                     // layers changed on purpose since the mount
  std::map<std::string, std::string> lowers_before;  // layer -> fingerprint at its mount

  std::vector<ScenarioFailure> failures;
  std::vector<ScenarioQuestion> questions;
  std::size_t expectations = 0;
  std::size_t position = 0;  // index of the statement that runs

 private:
  FsRecord& UseFs(const std::string& name);
  Result<DirectoryRef> ResolveDirectory(std::string_view path,
                                        std::vector<std::shared_ptr<MountedTree>>& below);
  Result<OverlayMount> ResolveMount(const MountText& text, MountedTree& tree);
  // Mounts what the text says, in the dialect of the driver.
  Result<std::unique_ptr<UnionFs>> MountOverlayText(const MountText& text, MountedTree& tree,
                                                    OverlayMount& setup);
  Result<std::unique_ptr<UnionFs>> MountAufsText(const MountText& text, MountedTree& tree);
  Result<DirectoryRef> ResolveBranch(std::string_view path, MountedTree& tree);
  void ShowBranches(const UnionFs& fs);
  // Makes it the topmost mount on `point`, and the target.
  void AddMount(const std::string& point, std::unique_ptr<MountRecord> record, bool no_device_open);
  bool InUse(const DirectoryRef& directory);
  Result<void> Occupy(const OverlayMount& mount, MountedTree& tree);
  void BeginEpoch();

  TargetKind target_ = TargetKind::kNone;
  std::string target_name_;
  Credentials caller_;
  Credentials root_ = RootCredentials();
  std::uint64_t crashes_ = 0;
  std::uint16_t umask_ = 0;
  MemFs base_;  // holds the mount points
  std::vector<std::weak_ptr<MountedTree>> trees_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_WORLD_H_
