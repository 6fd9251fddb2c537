#include "lamina/driver/mount_table.h"

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/fs/forwarding.h"

namespace lamina {
namespace {

// A file system that knows how many of its handles are open.
class MountedTree final : public ForwardingFileSystem {
 public:
  MountedTree(std::unique_ptr<FileSystem> fs, UnionFs* as_union)
      : ForwardingFileSystem(*fs), fs_(std::move(fs)), union_(as_union) {}

  bool busy() const { return open_.load() > 0; }
  UnionFs* as_union() const { return union_; }

  Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                            OpenFlags flags) override {
    return Counted(ForwardingFileSystem::CreateOpen(op, place, node, flags));
  }
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override {
    return Counted(ForwardingFileSystem::CreateUnnamed(op, dir, node, flags));
  }
  Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) override {
    return Counted(ForwardingFileSystem::Open(op, node, flags));
  }
  Result<HandleId> Map(const OpContext& op, HandleId handle, MapMode mode) override {
    return Counted(ForwardingFileSystem::Map(op, handle, mode));
  }
  void Close(HandleId handle) override {
    ForwardingFileSystem::Close(handle);
    --open_;
  }

 private:
  template <typename T>
  Result<T> Counted(Result<T> opened) {
    if (opened.ok()) ++open_;
    return opened;
  }

  std::unique_ptr<FileSystem> fs_;
  UnionFs* union_;
  std::atomic<std::uint64_t> open_ = 0;
};

}  // namespace

struct MountTable::Body {
  struct Entry {
    std::shared_ptr<MountedTree> tree;
    std::vector<MountCall> calls;
  };

  const Entry* Find(std::string_view target) const {
    const auto found = mounts.find(target);
    return found == mounts.end() ? nullptr : &found->second;
  }
  Result<void> Add(MountCall call, std::unique_ptr<FileSystem> fs, UnionFs* as_union) {
    const std::lock_guard lock(mutex);
    Entry entry{std::make_shared<MountedTree>(std::move(fs), as_union), {call}};
    if (!mounts.emplace(std::move(call.target), std::move(entry)).second) return Errno::kBusy;
    return {};
  }

  mutable std::mutex mutex;
  std::map<std::string, Entry, std::less<>> mounts;
};

MountTable::MountTable() : body_(std::make_unique<Body>()) {}
MountTable::~MountTable() = default;

Result<void> MountTable::Add(MountCall call, std::unique_ptr<FileSystem> fs) {
  return body_->Add(std::move(call), std::move(fs), nullptr);
}

Result<void> MountTable::Add(MountCall call, std::unique_ptr<UnionFs> fs) {
  UnionFs* as_union = fs.get();
  return body_->Add(std::move(call), std::move(fs), as_union);
}

void MountTable::AddRemount(MountCall call) {
  const std::lock_guard lock(body_->mutex);
  const auto found = body_->mounts.find(call.target);
  LAMINA_CHECK(found != body_->mounts.end());
  found->second.calls.push_back(std::move(call));
}

Result<void> MountTable::Unmount(std::string_view target) {
  const std::lock_guard lock(body_->mutex);
  const auto found = body_->mounts.find(target);
  if (found == body_->mounts.end()) return Errno::kInval;
  if (found->second.tree->busy()) return Errno::kBusy;
  body_->mounts.erase(found);
  return {};
}

void MountTable::Detach(std::string_view target) {
  const std::lock_guard lock(body_->mutex);
  const auto found = body_->mounts.find(target);
  if (found != body_->mounts.end()) body_->mounts.erase(found);
}

bool MountTable::IsMounted(std::string_view target) const {
  const std::lock_guard lock(body_->mutex);
  return body_->Find(target) != nullptr;
}

std::shared_ptr<FileSystem> MountTable::Find(std::string_view target) const {
  const std::lock_guard lock(body_->mutex);
  const Body::Entry* entry = body_->Find(target);
  return entry == nullptr ? nullptr : entry->tree;
}

UnionFs* MountTable::FindUnion(std::string_view target) const {
  const std::lock_guard lock(body_->mutex);
  const Body::Entry* entry = body_->Find(target);
  return entry == nullptr ? nullptr : entry->tree->as_union();
}

std::vector<MountCall> MountTable::CallsOf(std::string_view target) const {
  const std::lock_guard lock(body_->mutex);
  const Body::Entry* entry = body_->Find(target);
  return entry == nullptr ? std::vector<MountCall>() : entry->calls;
}

std::vector<std::string> MountTable::TargetsBelow(std::string_view path) const {
  const std::lock_guard lock(body_->mutex);
  std::vector<std::string> targets;
  for (const auto& [target, entry] : body_->mounts) {
    const bool below = target.size() > path.size() && target.starts_with(path) &&
                       (path.ends_with('/') || target[path.size()] == '/');
    if (below) targets.push_back(target);
  }
  return targets;
}

}  // namespace lamina
