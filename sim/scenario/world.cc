#include "sim/scenario/world.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/fs/walk.h"

namespace lamina::sim::internal {

void EventCounter::OnEvent(const Event& event) {
  if (!open) return;
  switch (event.kind) {
    case EventKind::kBytesCopied:
      ++counters.copy_ups;
      CountCopy(event);
      break;
    case EventKind::kBranchProbe:
      ++counters.branch_probes;
      break;
    case EventKind::kWhiteoutSeen:
      ++counters.whiteouts_seen;
      break;
    case EventKind::kChunkProvisioned:
      ++counters.chunks_provisioned;
      break;
    case EventKind::kSharingBroken:
      ++counters.sharing_broken;
      CountCopy(event);
      break;
    case EventKind::kExceptionCopied:
      ++counters.exceptions;
      CountCopy(event);
      break;
    case EventKind::kTransactionCommitted:
      ++counters.commits;
      break;
    case EventKind::kSectorRead:
      counters.device_bytes_read += event.amount;
      break;
    case EventKind::kSectorWrite:
      counters.device_bytes_written += event.amount;
      break;
    default:
      break;  // facts nobody counts here
  }
  if (next != nullptr) next->OnEvent(event);
}

void EventCounter::CountCopy(const Event& event) {
  counters.bytes_copied += event.amount;
  counters.bytes_written += event.amount;
}

namespace {

// Is there a crash that loses what disks have in their caches?
bool NeedsCaches(const Scenario& scenario) {
  return std::any_of(scenario.statements.begin(), scenario.statements.end(),
                     [](const Statement& statement) {
                       return statement.name == "crash" && !statement.args.empty() &&
                              statement.args[0].text != "keep";
                     });
}

}  // namespace

World::World(const Scenario& the_scenario, const ScenarioRunOptions& run_options)
    : scenario(the_scenario), options(run_options), devices(NeedsCaches(the_scenario)) {
  counter.next = options.events;
}

World::~World() {
  // Mappings and handles before the mounts they keep busy; upper mounts before lower ones.
  for (auto& [name, record] : mappings) (void)record.process->Munmap(record.mapping);
  for (auto& [name, record] : handles) (void)record.process->Close(record.fd);
  while (!mounts.empty()) mounts.pop_back();
}

std::unique_ptr<Process> World::ProcessAt(MemFs& fs, NodeId root) {
  return std::make_unique<Process>(fs, root, ProcessOptions{.clock = &clock});
}

FsRecord& World::UseFs(const std::string& name) {
  for (const std::unique_ptr<FsRecord>& record : file_systems) {
    if (record->name == name) return *record;
  }
  auto record = std::make_unique<FsRecord>();
  record->name = name;
  record->fs = std::make_unique<MemFs>(MemFsOptions{.root_time = clock.now()});
  record->process = ProcessAt(*record->fs, record->fs->root());
  const Result<Stat> root = record->process->GetStat("/", LastLink::kKeep);
  if (root.ok()) classes.NameForever(root->dev, "fs:" + name);
  file_systems.push_back(std::move(record));
  return *file_systems.back();
}

absl::Status World::UseLayer(const std::string& name, const std::string& fs_name) {
  if (FindLayer(name) == nullptr) {
    FsRecord& fs = UseFs(fs_name);
    Process& process = AsRoot(*fs.process);
    process.set_umask(umask_);
    const std::string inside = '/' + name;
    Result<void> made = process.Mkdir(inside, 0755);
    if (made.ok() && name.starts_with("upper")) made = process.Mkdir(inside + ".work", 0755);
    if (!made.ok()) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "the directory of layer '%s' cannot be made: %s", name, ErrnoName(made.error())));
    }
    const Result<Stat> root = process.GetStat(inside, LastLink::kKeep);
    if (!root.ok()) return absl::InternalError("a layer vanished");
    auto layer = std::make_unique<LayerRecord>();
    layer->shown = {name, fs_name, absl::StrFormat("%s/fs_%s/%s", kBasePath, fs_name, name),
                    fs.fs.get(), root->node};
    layer->process = std::make_unique<Process>(
        *fs.fs, root->node, ProcessOptions{.clock = &clock, .sink = &counter, .locks = &fs.locks});
    layers.push_back(std::move(layer));
  }
  touched.insert(name);
  target_ = TargetKind::kLayer;
  target_name_ = name;
  return absl::OkStatus();
}

absl::Status World::UseMount(const std::string& point) {
  if (FindMount(point) == nullptr) {
    return absl::FailedPreconditionError(absl::StrFormat("'%s' is not mounted", point));
  }
  target_ = TargetKind::kMount;
  target_name_ = point;
  current_point = point;
  return absl::OkStatus();
}

Process* World::Target() {
  switch (target_) {
    case TargetKind::kNone:
      return nullptr;
    case TargetKind::kLayer:
      return FindLayer(target_name_)->process.get();
    case TargetKind::kMount: {
      MountRecord* mount = FindMount(target_name_);
      return mount == nullptr ? nullptr : mount->process.get();
    }
  }
  return nullptr;
}

LayerRecord* World::FindLayer(std::string_view name) {
  for (const std::unique_ptr<LayerRecord>& layer : layers) {
    if (layer->shown.name == name) return layer.get();
  }
  return nullptr;
}

MountRecord* World::FindMount(std::string_view point) {
  const auto found = std::find_if(mounts.rbegin(), mounts.rend(),
                                  [&](const auto& mount) { return mount->shown.point == point; });
  return found == mounts.rend() ? nullptr : found->get();
}

OpContext World::DeviceCall() {
  clock.Advance(Duration{1000});
  const OpContext op{root_, clock.now(), Probe(&counter)};
  devices.DrainCaches(op);
  // A pool that fails says so in its status.
  (void)devices.RunUntil(op, clock.now());
  return op;
}

Outcome World::Crash(CrashRule rule) {
  // Whatever was mounted or open is not any more, the topmost mount first.
  for (auto& [name, record] : mappings) (void)record.process->Munmap(record.mapping);
  mappings.clear();
  for (auto& [name, record] : handles) (void)record.process->Close(record.fd);
  handles.clear();
  while (!mounts.empty()) mounts.pop_back();
  devices.mounted.clear();
  if (target_ == TargetKind::kMount) target_ = TargetKind::kNone;
  RandomChooser chooser(scenario.seed + 0x20003 * ++crashes_);
  devices.Crash(DeviceCall(), rule, chooser);
  return std::string("OK");
}

void World::SetCaller(std::uint32_t uid, std::uint32_t gid) { caller_ = UserCredentials(uid, gid); }

void World::SetUmask(std::uint16_t mask) { umask_ = mask; }

Process& World::AsCaller(Process& process) {
  process.set_credentials(caller_);
  process.set_umask(umask_);
  return process;
}

Process& World::AsRoot(Process& process) {
  process.set_credentials(RootCredentials());
  return process;
}

bool World::NextMountIsAufs() const {
  bool next = aufs;
  for (std::size_t i = position; i < scenario.statements.size(); ++i) {
    const Statement& statement = scenario.statements[i];
    if (statement.name == "driver") next = statement.args[0].number == kAufsDriver;
    if (statement.name == "mount" || statement.name == "rawmount") break;
  }
  return next;
}

bool World::NextMountIsUserxattr() const {
  std::string text = mount_options;
  for (std::size_t i = position; i < scenario.statements.size(); ++i) {
    const Statement& statement = scenario.statements[i];
    if (statement.name == "options") {
      text.clear();
      for (const ScenarioArgument& arg : statement.args) text += arg.text + ',';
    } else if (statement.name == "rawmount") {
      text = statement.args[1].text;
    }
    if (statement.name == "mount" || statement.name == "rawmount") break;
  }
  return (',' + text + ',').find(",userxattr,") != std::string::npos;
}

}  // namespace lamina::sim::internal
