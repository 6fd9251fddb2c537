#include "lamina/fs/synchronized.h"

#include <shared_mutex>
#include <utility>

namespace lamina {

struct SynchronizedFileSystem::Guard {
  std::shared_mutex mutex;
};

// Holds no lock for a frozen target, else the lock in the wanted way.
class SynchronizedFileSystem::Lock {
 public:
  Lock(const SynchronizedFileSystem& fs, Way way)
      : mutex_(fs.target_.frozen() ? nullptr : &fs.guard_->mutex),
        shared_(way == Way::kRead && fs.sharing_ == LockSharing::kSharedReads) {
    if (mutex_ == nullptr) return;
    shared_ ? mutex_->lock_shared() : mutex_->lock();
  }
  ~Lock() {
    if (mutex_ == nullptr) return;
    shared_ ? mutex_->unlock_shared() : mutex_->unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::shared_mutex* const mutex_;
  const bool shared_;
};

SynchronizedFileSystem::SynchronizedFileSystem(FileSystem& target, LockSharing sharing)
    : target_(target), sharing_(sharing), guard_(std::make_unique<Guard>()) {}

SynchronizedFileSystem::~SynchronizedFileSystem() = default;

NodeId SynchronizedFileSystem::root() const {
  const Lock lock(*this, Way::kRead);
  return target_.root();
}

FsLimits SynchronizedFileSystem::limits() const {
  const Lock lock(*this, Way::kRead);
  return target_.limits();
}

bool SynchronizedFileSystem::frozen() const { return target_.frozen(); }

std::uint64_t SynchronizedFileSystem::change_count() const {
  const Lock lock(*this, Way::kRead);
  return target_.change_count();
}

Result<NodeId> SynchronizedFileSystem::Lookup(const OpContext& op, Place place) {
  const Lock lock(*this, Way::kRead);
  return target_.Lookup(op, place);
}

Result<NodeId> SynchronizedFileSystem::Create(const OpContext& op, Place place,
                                              const NewNode& node) {
  const Lock lock(*this, Way::kWrite);
  return target_.Create(op, place, node);
}

Result<Opened> SynchronizedFileSystem::CreateOpen(const OpContext& op, Place place,
                                                  const NewNode& node, OpenFlags flags) {
  const Lock lock(*this, Way::kWrite);
  return target_.CreateOpen(op, place, node, flags);
}

Result<Opened> SynchronizedFileSystem::CreateUnnamed(const OpContext& op, NodeId dir,
                                                     const NewNode& node, OpenFlags flags) {
  const Lock lock(*this, Way::kWrite);
  return target_.CreateUnnamed(op, dir, node, flags);
}

Result<void> SynchronizedFileSystem::Link(const OpContext& op, NodeId node, Place place) {
  const Lock lock(*this, Way::kWrite);
  return target_.Link(op, node, place);
}

Result<void> SynchronizedFileSystem::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  const Lock lock(*this, Way::kWrite);
  return target_.LinkHandle(op, handle, place);
}

Result<void> SynchronizedFileSystem::Remove(const OpContext& op, Place place, FileType expected) {
  const Lock lock(*this, Way::kWrite);
  return target_.Remove(op, place, expected);
}

Result<void> SynchronizedFileSystem::Rename(const OpContext& op, Place from, Place to,
                                            RenameMode mode) {
  const Lock lock(*this, Way::kWrite);
  return target_.Rename(op, from, to, mode);
}

Result<Stat> SynchronizedFileSystem::GetAttr(const OpContext& op, NodeId node) {
  const Lock lock(*this, Way::kRead);
  return target_.GetAttr(op, node);
}

Result<void> SynchronizedFileSystem::SetAttr(const OpContext& op, NodeId node,
                                             const AttrChange& change) {
  const Lock lock(*this, Way::kWrite);
  return target_.SetAttr(op, node, change);
}

Result<std::string> SynchronizedFileSystem::ReadLink(const OpContext& op, NodeId node) {
  const Lock lock(*this, Way::kWrite);
  return target_.ReadLink(op, node);
}

Result<std::string> SynchronizedFileSystem::GetXattr(const OpContext& op, NodeId node,
                                                     std::string_view key) {
  const Lock lock(*this, Way::kRead);
  return target_.GetXattr(op, node, key);
}

Result<void> SynchronizedFileSystem::SetXattr(const OpContext& op, NodeId node,
                                              std::string_view key, std::string_view value,
                                              XattrMode mode) {
  const Lock lock(*this, Way::kWrite);
  return target_.SetXattr(op, node, key, value, mode);
}

Result<void> SynchronizedFileSystem::RemoveXattr(const OpContext& op, NodeId node,
                                                 std::string_view key) {
  const Lock lock(*this, Way::kWrite);
  return target_.RemoveXattr(op, node, key);
}

Result<std::vector<std::string>> SynchronizedFileSystem::ListXattr(const OpContext& op,
                                                                   NodeId node) {
  const Lock lock(*this, Way::kRead);
  return target_.ListXattr(op, node);
}

Result<HandleId> SynchronizedFileSystem::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  const Lock lock(*this, Way::kWrite);
  return target_.Open(op, node, flags);
}

void SynchronizedFileSystem::Close(HandleId handle) {
  const Lock lock(*this, Way::kWrite);
  target_.Close(handle);
}

Result<DirCookie> SynchronizedFileSystem::ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                                  absl::FunctionRef<bool(const DirEntry&)> visit) {
  const Lock lock(*this, Way::kWrite);
  return target_.ReadDir(op, dir, from, visit);
}

Result<std::size_t> SynchronizedFileSystem::Read(const OpContext& op, HandleId handle,
                                                 std::uint64_t offset, MutableBytes into) {
  const Lock lock(*this, Way::kWrite);
  return target_.Read(op, handle, offset, into);
}

Result<std::size_t> SynchronizedFileSystem::Write(const OpContext& op, HandleId handle,
                                                  std::uint64_t offset, Bytes from) {
  const Lock lock(*this, Way::kWrite);
  return target_.Write(op, handle, offset, from);
}

Result<void> SynchronizedFileSystem::Allocate(const OpContext& op, HandleId handle,
                                              std::uint64_t offset, std::uint64_t length,
                                              AllocateMode mode) {
  const Lock lock(*this, Way::kWrite);
  return target_.Allocate(op, handle, offset, length, mode);
}

Result<std::uint64_t> SynchronizedFileSystem::Seek(const OpContext& op, HandleId handle,
                                                   std::uint64_t offset, SeekKind kind) {
  const Lock lock(*this, Way::kWrite);
  return target_.Seek(op, handle, offset, kind);
}

Result<std::uint64_t> SynchronizedFileSystem::Clone(const OpContext& op, HandleId source,
                                                    std::uint64_t source_offset, HandleId target,
                                                    std::uint64_t target_offset,
                                                    std::uint64_t length) {
  const Lock lock(*this, Way::kWrite);
  return target_.Clone(op, source, source_offset, target, target_offset, length);
}

Result<std::shared_ptr<const PagedBytes>> SynchronizedFileSystem::ShareContent(const OpContext& op,
                                                                               HandleId handle) {
  const Lock lock(*this, Way::kWrite);
  return target_.ShareContent(op, handle);
}

Result<void> SynchronizedFileSystem::AdoptContent(const OpContext& op, HandleId handle,
                                                  std::shared_ptr<const PagedBytes> content) {
  const Lock lock(*this, Way::kWrite);
  return target_.AdoptContent(op, handle, std::move(content));
}

Result<HandleId> SynchronizedFileSystem::Map(const OpContext& op, HandleId handle, MapMode mode) {
  const Lock lock(*this, Way::kWrite);
  return target_.Map(op, handle, mode);
}

Result<void> SynchronizedFileSystem::Sync(const OpContext& op, HandleId handle, SyncMode mode) {
  const Lock lock(*this, Way::kWrite);
  return target_.Sync(op, handle, mode);
}

Result<void> SynchronizedFileSystem::SyncAll(const OpContext& op) {
  const Lock lock(*this, Way::kWrite);
  return target_.SyncAll(op);
}

Result<FsSpace> SynchronizedFileSystem::GetSpace(const OpContext& op) {
  const Lock lock(*this, Way::kRead);
  return target_.GetSpace(op);
}

Result<void> SynchronizedFileSystem::CheckAccess(const OpContext& op, NodeId node,
                                                 unsigned wanted) {
  const Lock lock(*this, Way::kWrite);
  return target_.CheckAccess(op, node, wanted);
}

PipeHome SynchronizedFileSystem::HomeOfPipe(NodeId node) {
  const Lock lock(*this, Way::kRead);
  return target_.HomeOfPipe(node);
}

void SynchronizedFileSystem::Exclusively(absl::FunctionRef<void()> work) {
  const Lock lock(*this, Way::kWrite);
  work();
}

}  // namespace lamina
