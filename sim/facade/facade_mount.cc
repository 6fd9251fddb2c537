#include "sim/facade/facade_mount.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "sim/facade/aufs_words.h"

namespace lamina {
namespace internal {
namespace {

constexpr std::size_t kCallsKept = 1000;

Credentials WithoutImpliedCapabilities(Credentials credentials) {
  const bool untouched = credentials.capabilities == ~std::uint64_t{0};
  if (credentials.uid != 0 && untouched) credentials.capabilities = 0;
  return credentials;
}

// `name` is `path`, or a directory above it.
bool IsSameOrAbove(std::string_view name, std::string_view path) {
  while (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  if (!path.starts_with(name)) return false;
  return path.size() == name.size() || path[name.size()] == '/' || name == "/";
}

}  // namespace

void CountingSink::OnEvent(const Event& event) {
  switch (event.kind) {
    case EventKind::kBytesCopied:
      ++counters.copy_ups;
      counters.bytes_copied += event.amount;
      break;
    case EventKind::kBranchProbe:
      ++counters.branch_probes;
      break;
    case EventKind::kWhiteoutSeen:
      ++counters.whiteouts_seen;
      break;
    default:
      break;  // facts nobody counts here
  }
}

FacadeMount::~FacadeMount() {
  if (storage != nullptr) storage->in_use = false;
  for (const LowerLayer& lower : lowers) {
    if (lower.storage != nullptr) lower.storage->in_use = false;
  }
}

LowerLayer* FacadeMount::FindLower(std::string_view layer) {
  const auto found = std::find_if(lowers.begin(), lowers.end(),
                                  [&](const LowerLayer& lower) { return lower.name == layer; });
  return found == lowers.end() ? nullptr : &*found;
}

void FacadeMount::CaptureStorages() {
  crash_image = storage->fs.Capture();
  for (LowerLayer& lower : lowers) {
    if (lower.storage != nullptr) lower.crash_image = lower.storage->fs.Capture();
  }
}

const sim::FiredFault* FacadeMount::TakeFault(Errno error) {
  const std::vector<sim::FiredFault>& fired = faults.fired();
  const bool is_new = faults_told < fired.size();
  faults_told = fired.size();
  return is_new && fired.back().error == error ? &fired.back() : nullptr;
}

void FacadeMount::Log(std::string text, std::vector<std::string> paths, int error) {
  if (calls.size() == kCallsKept) calls.erase(calls.begin());
  calls.push_back({++calls_made, std::move(text), std::move(paths), error});
}

const Call* FacadeMount::MadeBy(std::string_view path) const {
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    if (call->error != 0) continue;
    for (const std::string& named : call->paths) {
      if (IsSameOrAbove(named, path)) return &*call;
    }
  }
  return nullptr;
}

std::string CallText::Logged() const {
  std::string out(name);
  out += '(';
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (i > 0) out += ", ";
    out += Quoted(paths[i]);
  }
  return out + rest + ')';
}

std::string CallText::Posix() const {
  std::string out = Logged();
  for (std::size_t i = 0; i < name.size(); ++i) out[i] = absl::ascii_tolower(out[i]);
  return out;
}

Caller::Caller(std::shared_ptr<FacadeMount> the_mount, const Credentials& credentials)
    : mount(std::move(the_mount)),
      process(
          *mount->gate, mount->gate->root(),
          ProcessOptions{.clock = &mount->clock, .sink = &mount->sink, .locks = &mount->locks}) {
  process.set_credentials(WithoutImpliedCapabilities(credentials));
  process.set_umask(mount->options.umask);
}

absl::Status Caller::Error(Errno error, const CallText& call) const {
  std::string reason;
  if (const sim::FiredFault* fault = mount->TakeFault(error); fault != nullptr) {
    reason = absl::StrFormat("an injected fault hit %s", fault->ToString());
  } else if (mount->faults.crashed() && error == Errno::kIo) {
    reason = "the machine has crashed";
  } else {
    reason = ReasonFor(*this, error, call);
  }
  return StatusOf(error, call.Posix(), reason);
}

absl::Status Caller::Done(const CallText& call, Result<void> result) {
  Log(call, result.ok() ? 0 : static_cast<int>(result.error()));
  if (!result.ok()) return Error(result.error(), call);
  mount->faults_told = mount->faults.fired().size();
  return absl::OkStatus();
}

void Caller::Log(const CallText& call, int error) {
  mount->Log(call.Logged(), {call.paths.begin(), call.paths.end()}, error);
}

std::vector<std::string> PrefixesOf(std::string_view path) {
  std::vector<std::string> prefixes;
  for (std::size_t i = 1; i <= path.size(); ++i) {
    const bool ends = i == path.size() || path[i] == '/';
    if (ends && path[i - 1] != '/') prefixes.emplace_back(path.substr(0, i));
  }
  if (prefixes.empty() && !path.empty()) prefixes.emplace_back(path);
  return prefixes;
}

Lookup LookUp(const Caller& caller, std::string_view path, LastLink last_link) {
  Lookup lookup;
  lookup.prefix = path;
  FileSystem& fs = *caller.mount->fs;
  const WalkStart start{&fs, fs.root(), {}};
  const auto walk_to = [&](std::string_view prefix, LastLink link) {
    Result<WalkResult> walked = Walk(caller.op(), start, prefix, link);
    lookup.has_place = walked.ok() && walked->last == WalkResult::Last::kName;
    if (!walked.ok()) {
      lookup.stat = walked.error();
      return;
    }
    lookup.dir = walked->parent();
    lookup.name = walked->name;
    lookup.stat = walked->missing;
    if (walked->stat) lookup.stat = *walked->stat;
  };
  walk_to(path, last_link);
  if (lookup.stat.ok()) return lookup;
  const Errno error = lookup.stat.error();
  for (const std::string& prefix : PrefixesOf(path)) {
    if (prefix == path) break;
    walk_to(prefix, LastLink::kFollow);
    lookup.prefix = prefix;
    if (!lookup.stat.ok()) break;
    const bool last_way = error == Errno::kNotDir && lookup.stat->type != FileType::kDirectory;
    if (last_way) break;
  }
  if (lookup.stat.ok() && lookup.stat->type == FileType::kDirectory) {
    walk_to(path, last_link);
    lookup.prefix = path;
  }
  if (error == Errno::kIo && !lookup.has_place) {
    // The layers disagree about the name: it has a place all the same.
    Result<WalkResult> walked = WalkToParent(caller.op(), start, lookup.prefix);
    lookup.has_place = walked.ok() && walked->last == WalkResult::Last::kName;
    if (lookup.has_place) {
      lookup.dir = walked->parent();
      lookup.name = walked->name;
    }
  }
  lookup.stat = error;
  return lookup;
}

std::string LayerWord(const FacadeMount& mount, BranchIndex branch) {
  std::string word = "layer " + Quoted(mount.BranchName(branch));
  const std::string text = BranchText(*mount.fs, branch);
  return text.empty() ? word : absl::StrFormat("%s (%s)", word, text);
}

std::string_view TypeWord(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return "regular";
    case FileType::kDirectory:
      return "directory";
    case FileType::kSymlink:
      return "symlink";
    case FileType::kCharDevice:
      return "char device";
    case FileType::kBlockDevice:
      return "block device";
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "?";
}

bool IsWhiteoutStat(const Stat& stat) {
  return stat.type == FileType::kCharDevice && stat.rdev == 0;
}

std::string ObjectText(const Stat& stat) {
  std::string text(TypeWord(stat.type));
  if (stat.type == FileType::kRegular) absl::StrAppendFormat(&text, ", %d B", stat.size_bytes);
  if (IsWhiteoutStat(stat)) text = "whiteout (char 0:0)";
  return text;
}

}  // namespace internal

double FsCounters::WriteAmplification() const {
  if (bytes_asked == 0) return 1.0;
  return static_cast<double>(bytes_written()) / static_cast<double>(bytes_asked);
}

}  // namespace lamina
