// LayeredFs: what happens to a mount while it is mounted: time, branch verbs, pseudo-links.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "sim/facade/aufs_mount.h"
#include "sim/facade/facade_mount.h"

namespace lamina {

using internal::CallText;
using internal::FacadeMount;
using internal::LayerUse;

namespace {

// Runs `work` as a call on the mount, so that the faults of branches hit it.
template <typename Work>
Result<void> AsMountCall(FacadeMount& mount, Work work) {
  const sim::FaultSite site{sim::FaultSite::Kind::kMount, "mount"};
  const auto about_nothing = [] { return std::vector<std::string>(); };
  const sim::FaultPlan::Running running(mount.faults, site, {.ops = {}, .paths = about_nothing},
                                        Probe());
  return work();
}

absl::Status OnlyAufs(std::string_view call) {
  return absl::UnimplementedError(
      absl::StrFormat("%s: only an AUFS has that; the mount is an overlay", call));
}

absl::Status CheckNewLayers(FacadeMount& mount, const std::vector<NamedLayer>& layers) {
  std::set<std::string> names = {std::string(internal::kUpperName)};
  for (const NamedLayer& layer : layers) {
    if (layer.name().empty()) return absl::InvalidArgumentError("a layer needs a name");
    const bool fresh = names.insert(layer.name()).second;
    if (fresh && mount.FindLower(layer.name()) == nullptr) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("the mount has a layer %s already", Quoted(layer.name())));
  }
  return absl::OkStatus();
}

// Whether the text makes a writable branch of the layer. A mount gives rw to what comes to the top.
LayerUse UseIn(const AufsText& text, const MountOptions& options, std::string_view layer) {
  using Kind = AufsDirective::Kind;
  const bool writable = std::any_of(
      text.directives.begin(), text.directives.end(), [&](const AufsDirective& directive) {
        if (directive.path != layer) return false;
        if (directive.mode) return directive.mode->writable();
        const bool top = directive.kind == Kind::kPrepend ||
                         (directive.kind == Kind::kAdd && directive.index == 0);
        return top && !options.read_only;
      });
  return writable ? LayerUse::kWritable : LayerUse::kFrozen;
}

// The layers, with their sites. After an error none of them is there.
absl::Status MakeLayers(FacadeMount& mount, const std::vector<NamedLayer>& layers,
                        const AufsText& text) {
  const std::size_t before = mount.lowers.size();
  for (const NamedLayer& layer : layers) {
    const LayerUse use = UseIn(text, mount.options, layer.name());
    absl::Status made = internal::MakeLower(mount, layer, use);
    if (!made.ok()) {
      mount.lowers.erase(mount.lowers.begin() + static_cast<std::ptrdiff_t>(before),
                         mount.lowers.end());
      return made;
    }
    internal::PlaceSite(mount, mount.lowers.back());
  }
  return absl::OkStatus();
}

// `rw` in the text of a remount.
bool AsksForWriting(std::string_view text) {
  return absl::StrFormat(",%s,", text).find(",rw,") != std::string::npos;
}

// The branches and options as they are now: what a crash image keeps.
void LearnBranches(FacadeMount& mount, const AufsText& text) {
  std::vector<internal::AufsSlot> slots;
  for (std::size_t i = 0; i < mount.fs->branches().size(); ++i) {
    const auto branch = static_cast<BranchIndex>(i);
    slots.push_back({mount.BranchName(branch), AufsModeOf(*mount.fs, branch)});
  }
  const auto same = [](const internal::AufsSlot& a, const internal::AufsSlot& b) {
    return a.layer == b.layer && a.mode == b.mode;
  };
  const bool unchanged =
      std::equal(slots.begin(), slots.end(), mount.slots.begin(), mount.slots.end(), same);
  mount.branches_changed = mount.branches_changed || !unchanged;
  for (const internal::AufsSlot& slot : slots) {
    const auto known = [&](const internal::AufsSlot& other) { return other.layer == slot.layer; };
    if (std::any_of(mount.slots.begin(), mount.slots.end(), known)) continue;
    internal::NoteOldPseudoLinks(mount, slot.layer);
  }
  mount.slots = std::move(slots);
  mount.options.aufs = AufsOptionsOf(*mount.fs);
  mount.options.read_only = mount.options.read_only || text.read_only;
}

// One clause for the error of a remount.
std::string WhyRefused(FacadeMount& mount, const AufsText& text, Errno error) {
  for (const AufsDirective& directive : text.directives) {
    const bool names = directive.kind != AufsDirective::Kind::kOption &&
                       directive.kind != AufsDirective::Kind::kDelete;
    if (error != Errno::kInval || !names || internal::FindAufsDirectory(mount, directive.path).ok())
      continue;
    return absl::StrFormat("there is no layer %s", Quoted(directive.path));
  }
  switch (error) {
    case Errno::kInval:
      return "a layer that was made to be read cannot be rw, and only a branch can be modified";
    case Errno::kBusy:
      return "an open file is in the layer, or it is the last one";
    case Errno::kDom:
      return absl::StrFormat("there are %d branches", mount.fs->branches().size());
    default:
      return "";
  }
}

}  // namespace

absl::Status LayeredFs::Sleep(Duration time) {
  caller_->mount->clock.Advance(time);
  return RunDeferred();
}

absl::Status LayeredFs::RunDeferred() {
  FacadeMount& mount = *caller_->mount;
  const CallText call{"RunDeferred", {}};
  const Result<void> done =
      AsMountCall(mount, [&] { return mount.fs->RunUntil(mount.AsRoot(), mount.clock.now()); });
  return done.ok() ? absl::OkStatus() : caller_->Error(done.error(), call);
}

absl::Status LayeredFs::Remount(std::string_view text, const std::vector<NamedLayer>& layers) {
  FacadeMount& mount = *caller_->mount;
  const CallText call{"Remount", {}, Quoted(text)};
  if (!mount.aufs()) return OnlyAufs(call.Posix());
  if (mount.faults.crashed()) return caller_->Done(call, Errno::kIo);
  const absl::StatusOr<AufsText> parsed = internal::ReadAufsText(text, call.Posix());
  if (!parsed.ok()) return parsed.status();
  if (absl::Status fresh = CheckNewLayers(mount, layers); !fresh.ok()) return fresh;
  if (mount.options.read_only && AsksForWriting(text)) {
    return absl::UnimplementedError(
        absl::StrFormat("%s: a read-only mount stays read-only", call.Posix()));
  }
  if (absl::Status made = MakeLayers(mount, layers, *parsed); !made.ok()) return made;
  const std::size_t faults_before = mount.faults.fired().size();
  const Result<void> done = AsMountCall(mount, [&] {
    return RemountAufs(mount.AsRoot(), *mount.fs, text, [&](std::string_view layer) {
      return internal::FindAufsDirectory(mount, layer);
    });
  });
  LearnBranches(mount, *parsed);
  if (done.ok()) return caller_->Done(call, done);
  caller_->Log(call, static_cast<int>(done.error()));
  std::string reason = WhyRefused(mount, *parsed, done.error());
  const std::vector<sim::FiredFault>& fired = mount.faults.fired();
  if (fired.size() > faults_before) {
    // A remount tells EIO and others as EINVAL.
    reason = absl::StrFormat("an injected fault hit %s", fired.back().ToString());
    mount.faults_told = fired.size();
  }
  return StatusOf(done.error(), call.Posix(), reason);
}

absl::Status LayeredFs::FlushPseudoLinks() {
  FacadeMount& mount = *caller_->mount;
  const CallText call{"FlushPseudoLinks", {}};
  if (!mount.aufs()) return OnlyAufs(call.Posix());
  if (mount.faults.crashed()) return caller_->Done(call, Errno::kIo);
  const Result<void> flushed =
      AsMountCall(mount, [&] { return lamina::FlushPseudoLinks(mount.AsRoot(), *mount.fs); });
  if (flushed.ok()) mount.old_pseudo_links.clear();
  return caller_->Done(call, flushed);
}

}  // namespace lamina
