// Get, Put and what is mounted.
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/fs/walk.h"
#include "lamina/union/aufs.h"
#include "vfs/driver/aufs/aufs_driver.h"
#include "vfs/driver/aufs/mount_text.h"
#include "vfs/driver/tree_files.h"

namespace lamina::internal {
namespace {

constexpr std::string_view kNoSource = "none";
constexpr std::string_view kAufsType = "aufs";
constexpr int kFlushTries = 5;
constexpr Instant kEndOfTime{std::numeric_limits<std::int64_t>::max()};

std::string UnmountText(std::string_view target, Errno error) {
  return absl::StrFormat("failed to unmount %s: %s", target, ErrnoText(error));
}

}  // namespace

Result<Mount> AufsDriver::Get(const OpContext& caller, const LayerId& id) {
  const OpContext op = AsDaemon(caller);
  const std::lock_guard lock(mutex_);
  // A layer that is known by its directory only has no parents.
  Result<std::vector<LayerId>> ancestors = books_.Ancestors(op, id);
  if (!ancestors.ok() && ancestors.error() != Errno::kNoEnt) return ancestors.error();
  const bool is_mounted = ancestors.ok() && !ancestors->empty();
  const Folder folder = is_mounted ? Folder::kMnt : Folder::kDiff;
  const std::string path = books_.ShownPath(folder, id);
  if (const Result<NodeId> there = books_.Directory(op, folder, id); !there.ok()) {
    return there.error();
  }
  if (counter_.Increment(path) == 1 && is_mounted) {
    const Result<void> mounted = MountLayer(op, id, path, *ancestors);
    if (!mounted.ok()) {
      counter_.Decrement(path);
      return mounted.error();
    }
  }
  Result<Mount::Tree> tree = TreeAt(op, path, folder, id);
  if (!tree.ok()) {
    counter_.Decrement(path);
    return tree.error();
  }
  return Mount(*this, id, *std::move(tree), op.now);
}

Result<void> AufsDriver::Put(const OpContext& caller, const LayerId& /*id*/,
                             const std::string& path) {
  const OpContext op = AsDaemon(caller);
  const std::lock_guard lock(mutex_);
  if (counter_.Decrement(path) > 0) return {};
  return UnmountOrFail(op, path);
}

Result<Mount::Tree> AufsDriver::TreeAt(const OpContext& op, const std::string& path, Folder folder,
                                       const LayerId& id) {
  if (std::shared_ptr<FileSystem> mounted = mounts_.Find(path); mounted != nullptr) {
    const NodeId root = mounted->root();
    return Mount::Tree{std::move(mounted), root, path};
  }
  const Result<NodeId> directory = books_.Directory(op, folder, id);
  if (!directory.ok()) return directory.error();
  // The home belongs to somebody else.
  return Mount::Tree{std::shared_ptr<FileSystem>(std::shared_ptr<void>(), &home_), *directory,
                     path};
}

Result<DirectoryRef> AufsDriver::Resolve(const OpContext& op, std::string_view path) const {
  const std::string& shown = books_.shown_directory();
  const std::string_view root(shown.data(), shown.size() - kAufsDirectory.size() - 1);
  if (!path.starts_with(root)) return Errno::kNoEnt;
  const std::string_view below = path.substr(root.size());
  Result<WalkResult> walked = Walk(op, {&home_, home_.root(), {}}, below, LastLink::kFollow);
  if (!walked.ok()) return walked.error();
  if (!walked->stat.has_value()) return walked->missing;
  std::vector<NodeId> ancestors = std::move(walked->chain);
  if (!ancestors.empty() && ancestors.back() == walked->stat->node) ancestors.pop_back();
  return DirectoryRef{&home_, walked->stat->node, std::move(ancestors),
                      std::string(path.substr(path.rfind('/') + 1))};
}

Result<void> AufsDriver::MountLayer(const OpContext& op, const LayerId& id,
                                    const std::string& target,
                                    const std::vector<LayerId>& ancestors) {
  if (mounts_.IsMounted(target)) return {};
  AufsMountRequest request{.writable = books_.ShownPath(Folder::kDiff, id),
                           .read_only = {},
                           .label = options_.mount_label,
                           .dirperm1 = options_.host.has_dirperm1,
                           .page_bytes = options_.host.page_bytes};
  for (const LayerId& each : ancestors) {
    request.read_only.push_back(books_.ShownPath(Folder::kDiff, each));
  }
  const Result<AufsMountTexts> texts = MakeAufsMountTexts(request);
  const Result<void> mounted =
      texts.ok() ? MountTexts(op, target, *texts) : Result<void>(texts.error());
  if (mounted.ok()) return mounted;
  // umount2 of a target where nothing came to be mounted is no error here.
  mounts_.Detach(target);
  return voice_.Fail(mounted.error(), absl::StrFormat("error creating aufs mount to %s: %s", target,
                                                      ErrnoText(mounted.error())));
}

Result<void> AufsDriver::MountTexts(const OpContext& op, const std::string& target,
                                    const AufsMountTexts& texts) {
  const auto resolve = [&](std::string_view path) { return Resolve(op, path); };
  const std::string& label = options_.mount_label;
  MountCall call{std::string(kNoSource), target, std::string(kAufsType),
                 WithMountLabel(texts.mount, label)};
  Result<std::unique_ptr<UnionFs>> made = MountAufs(op, texts.mount, resolve);
  if (!made.ok()) return made.error();
  UnionFs& fs = **made;
  if (Result<void> added = mounts_.Add(call, *std::move(made)); !added.ok()) return added;
  call.remount = true;
  for (const std::string& text : texts.remounts) {
    if (Result<void> appended = RemountAufs(op, fs, text, resolve); !appended.ok()) {
      return appended;
    }
    call.data = WithMountLabel(text, label);
    mounts_.AddRemount(call);
  }
  return {};
}

Result<void> AufsDriver::Unmount(const OpContext& op, const std::string& target) {
  const std::shared_ptr<FileSystem> tree = mounts_.Find(target);  // outlives its place in the table
  if (tree == nullptr) return {};
  UnionFs* fs = mounts_.FindUnion(target);
  if (fs != nullptr) FlushLinks(op, target, *fs);
  // Docker tries five times, 100 ms apart. No time passes here, so the first answer stands.
  Result<void> unmounted = mounts_.Unmount(target);
  if (unmounted.ok() && fs != nullptr) FinishRemovals(op, target, *fs);
  return unmounted;
}

void AufsDriver::FlushLinks(const OpContext& op, const std::string& target, UnionFs& fs) const {
  Result<void> flushed = Errno::kInval;
  for (int i = 0; i < kFlushTries && !flushed.ok() && flushed.error() == Errno::kInval; ++i) {
    flushed = FlushPseudoLinks(op, fs);
  }
  if (flushed.ok()) return;
  voice_.Warn(absl::StrFormat("Couldn't run auplink before unmount %s: %s", target,
                              ErrnoText(flushed.error())));
}

// aufs: the end of a mount waits for the directories that are emptied later (aufs_kill_sb).
void AufsDriver::FinishRemovals(const OpContext& op, const std::string& target, UnionFs& fs) const {
  const Result<void> finished = fs.RunUntil(op, kEndOfTime);
  if (finished.ok()) return;
  voice_.Warn(absl::StrFormat("aufs left directories to be removed below %s: %s", target,
                              ErrnoText(finished.error())));
}

Result<void> AufsDriver::UnmountOrFail(const OpContext& op, const std::string& target) {
  const Result<void> unmounted = Unmount(op, target);
  if (unmounted.ok()) return unmounted;
  return voice_.Fail(unmounted.error(), UnmountText(target, unmounted.error()));
}

Result<void> AufsDriver::Cleanup(const OpContext& caller) {
  const OpContext op = AsDaemon(caller);
  const std::lock_guard lock(mutex_);
  const Result<std::vector<LayerId>> mount_points = books_.MountPoints(op);
  if (!mount_points.ok()) return mount_points.error();
  for (const LayerId& id : *mount_points) {
    const std::string target = books_.ShownPath(Folder::kMnt, id);
    const Result<void> unmounted = Unmount(op, target);
    // What is busy goes below, which asks nobody.
    if (!unmounted.ok()) voice_.Warn(UnmountText(target, unmounted.error()));
  }
  for (const std::string& target : mounts_.TargetsBelow(books_.shown_directory())) {
    mounts_.Detach(target);
  }
  return {};
}

}  // namespace lamina::internal
