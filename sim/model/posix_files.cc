// Opening, reading and writing. Linux fs/namei.c (path_openat, do_open, may_open), fs/open.c.
#include <algorithm>

#include "sim/model/posix.h"
#include "sim/model/tree.h"

namespace lamina::sim {

void PosixModel::DropPrivileges(ModelInode& inode) const {
  if (!caller_.is_root()) inode.mode = WithoutSetId(caller_, inode);
  inode.xattrs.erase(kFileCapability);
}

bool PosixModel::IsFifo(const std::string& path) const {
  return view_->Find(path)->type == ModelType::kFifo;
}

bool PosixModel::WouldFeedFifo(const std::string& path) const {
  Result<std::string> at = Existing(path, FinalLink::kFollow);
  return at.ok() && IsFifo(*at) && HasReader(*at);
}

bool PosixModel::HasReader(const std::string& fifo) const {
  for (const auto& [slot, how] : open_) {
    if (how.read && view_->IsSlotOf(slot, fifo)) return true;
  }
  return false;
}

bool PosixModel::HasWriter(const std::string& fifo) const {
  for (const auto& [slot, how] : open_) {
    if (how.write && view_->IsSlotOf(slot, fifo)) return true;
  }
  return false;
}

void PosixModel::Resize(ModelInode& inode, std::size_t size_bytes) const {
  DropPrivileges(inode);
  inode.content.resize(size_bytes);
  const std::size_t pages = (size_bytes + kModelPageBytes - 1) / kModelPageBytes;
  inode.pages.erase(inode.pages.lower_bound(pages), inode.pages.end());
  inode.mtime_ns = kModelNow;
}

std::size_t PosixModel::WriteBytes(ModelInode& inode, std::size_t offset,
                                   const std::string& data) const {
  if (data.empty()) return 0;
  if (inode.content.size() < offset + data.size()) inode.content.resize(offset + data.size());
  inode.content.replace(offset, data.size(), data);
  const std::size_t last = (offset + data.size() - 1) / kModelPageBytes;
  for (std::size_t page = offset / kModelPageBytes; page <= last; ++page) inode.pages.insert(page);
  inode.mtime_ns = kModelNow;
  DropPrivileges(inode);
  return data.size();
}

// lookup_open for a name that is absent
Result<std::string> PosixModel::CreateAt(const Located& located, std::uint16_t mode) {
  const std::string path = located.path();
  if (Result<void> may = MayAdd(path); !may.ok()) return may.error();
  if (Result<void> added = view_->Add(path, NewInode(path, ModelType::kFile, mode)); !added.ok()) {
    return added.error();
  }
  return path;
}

// do_open, may_open, and what the file system says to an open
Result<std::string> PosixModel::OpenFound(const std::string& path, const ModelOpenHow& how,
                                          bool want_directory) {
  const ModelInode& inode = *view_->Find(path);
  if (how.create && how.exclusive) return Errno::kExist;
  if (how.create && inode.is_directory()) return Errno::kIsDir;
  if (how.create) {
    const ModelInode& dir = *view_->Find(ParentPath(path));
    if (StickyForbidsReuse(caller_, dir, inode)) return Errno::kAccess;
  }
  if (want_directory && !inode.is_directory()) return Errno::kNotDir;
  if (inode.type == ModelType::kSymlink) return Errno::kLoop;
  unsigned wanted = how.read ? kModelRead : 0;
  if (how.write || how.truncate) wanted |= kModelWrite;
  if (inode.is_directory() && (wanted & kModelWrite) != 0) return Errno::kIsDir;
  if (Result<void> may = view_->Permits(caller_, path, wanted); !may.ok()) return may.error();
  if (inode.is_device() || inode.type == ModelType::kSocket) return Errno::kNxIo;
  const bool only_writes = how.write && !how.read;
  if (inode.type == ModelType::kFifo && only_writes && !HasReader(path)) return Errno::kNxIo;
  if (inode.type != ModelType::kFile || (wanted & kModelWrite) == 0) return path;
  if (Result<void> used = view_->Use(path, ModelUse::kOpenToWrite); !used.ok()) {
    return used.error();
  }
  if (!how.truncate) return path;
  Result<ModelInode*> opened = view_->Change(path);
  if (!opened.ok()) return opened.error();
  Resize(**opened, 0);
  return path;
}

// path_openat. Returns where the open file is.
Result<std::string> PosixModel::OpenPath(const std::string& path, const ModelOpenHow& how,
                                         std::uint16_t mode) {
  int links = 0;
  std::string from = "/";
  std::string rest = path;
  bool want_directory = how.directory;
  bool follow = !how.no_follow;
  while (true) {
    Result<Located> located = Locate(*view_, caller_, from, rest, links);
    if (!located.ok()) return located.error();
    if (located->last != Located::Last::kName) {
      return OpenFound(located->path(), how, want_directory);
    }
    if (located->trailing_slash && how.create) return Errno::kIsDir;
    if (Result<void> may = view_->CheckLookUp(located->path()); !may.ok()) return may.error();
    want_directory = want_directory || located->trailing_slash;
    follow = follow || located->trailing_slash;
    const ModelInode* inode = view_->Find(located->path());
    if (inode == nullptr && !how.create) return Errno::kNoEnt;
    if (inode == nullptr) return CreateAt(*located, mode);
    const bool stays = !follow || (how.create && how.exclusive);
    if (inode->type != ModelType::kSymlink || stays) {
      return OpenFound(located->path(), how, want_directory);
    }
    if (++links > kModelSymlinkLimit) return Errno::kLoop;
    from = located->parent;
    rest = inode->target;
  }
}

Result<void> PosixModel::Create(const std::string& path, std::uint16_t mode) {
  ModelOpenHow how;
  how.write = how.create = how.exclusive = true;
  Result<std::string> opened = OpenPath(path, how, mode);
  if (!opened.ok()) return opened.error();
  return {};
}

Result<std::size_t> PosixModel::Put(const std::string& path, std::uint16_t mode,
                                    const std::string& data) {
  ModelOpenHow how;
  how.write = how.create = how.truncate = true;
  Result<std::string> opened = OpenPath(path, how, mode);
  if (!opened.ok()) return opened.error();
  if (IsFifo(*opened)) return data.size();
  if (data.empty()) return std::size_t{0};  // no call is made
  Result<ModelInode*> changed = view_->Change(*opened);
  if (!changed.ok()) return changed.error();
  return WriteBytes(**changed, 0, data);
}

Result<std::size_t> PosixModel::Write(const std::string& path, std::size_t offset,
                                      const std::string& data) {
  ModelOpenHow how;
  how.write = true;
  Result<std::string> opened = OpenPath(path, how, 0);
  if (!opened.ok()) return opened.error();
  if (data.empty()) return std::size_t{0};  // no call is made
  if (IsFifo(*opened)) return Errno::kSPipe;
  Result<ModelInode*> changed = view_->Change(*opened);
  if (!changed.ok()) return changed.error();
  return WriteBytes(**changed, offset, data);
}

Result<std::size_t> PosixModel::Append(const std::string& path, const std::string& data) {
  ModelOpenHow how;
  how.write = how.append = true;
  Result<std::string> opened = OpenPath(path, how, 0);
  if (!opened.ok()) return opened.error();
  if (IsFifo(*opened)) return data.size();
  if (data.empty()) return std::size_t{0};
  Result<ModelInode*> changed = view_->Change(*opened);
  if (!changed.ok()) return changed.error();
  return WriteBytes(**changed, (*changed)->content.size(), data);
}

Result<void> PosixModel::Truncate(const std::string& path, std::size_t size_bytes) {
  Result<std::string> at = Existing(path, FinalLink::kFollow);
  if (!at.ok()) return at.error();
  const ModelInode& inode = *view_->Find(*at);
  if (inode.is_directory()) return Errno::kIsDir;
  if (inode.type != ModelType::kFile) return Errno::kInval;
  if (Result<void> may = view_->Permits(caller_, *at, kModelWrite); !may.ok()) return may;
  Result<ModelInode*> ready = view_->Change(*at);
  if (!ready.ok()) return ready.error();
  ModelInode& changed = **ready;
  const bool no_change = changed.content.size() == size_bytes && changed.pages.empty();
  const std::int64_t mtime_ns = changed.mtime_ns;
  Resize(changed, size_bytes);
  if (no_change) changed.mtime_ns = mtime_ns;
  return {};
}

Result<std::string> PosixModel::Read(const std::string& path, std::size_t offset,
                                     std::size_t length) {
  ModelOpenHow how;
  how.read = true;
  Result<std::string> opened = OpenPath(path, how, 0);
  if (!opened.ok()) return opened.error();
  const ModelInode& inode = *view_->Find(*opened);
  if (inode.is_directory()) return Errno::kIsDir;
  if (IsFifo(*opened) && HasWriter(*opened)) return Errno::kAgain;
  if (Result<void> used = view_->Use(*opened, ModelUse::kRead); !used.ok()) return used.error();
  if (offset >= inode.content.size()) return std::string();  // a fifo without writer: the end
  return inode.content.substr(offset, length);
}

Result<void> PosixModel::Open(int slot, const std::string& path, const ModelOpenHow& how,
                              std::uint16_t mode) {
  Result<std::string> opened = OpenPath(path, how, mode);
  if (!opened.ok()) return opened.error();
  view_->OpenSlot(slot, *opened);
  open_[slot] = how;
  return {};
}

Result<void> PosixModel::Close(int slot) {
  if (!IsOpen(slot)) return Errno::kBadF;
  view_->CloseSlot(slot);
  open_.erase(slot);
  return {};
}

void PosixModel::Remount() {
  for (const int slot : OpenSlots()) view_->CloseSlot(slot);
  open_.clear();
  view_->Remount();
}

Result<std::string> PosixModel::ReadSlot(int slot, std::size_t offset, std::size_t length) {
  if (!IsOpen(slot)) return Errno::kBadF;
  const ModelType type = view_->InSlot(slot).type;
  if (type == ModelType::kFifo) return Errno::kSPipe;
  if (!open_.at(slot).read) return Errno::kBadF;
  if (type == ModelType::kDirectory) return Errno::kIsDir;
  if (Result<void> used = view_->UseSlot(slot, ModelUse::kRead); !used.ok()) return used.error();
  const ModelInode& inode = view_->InSlot(slot);
  if (offset >= inode.content.size()) return std::string();
  return inode.content.substr(offset, length);
}

Result<std::size_t> PosixModel::WriteSlot(int slot, std::size_t offset, const std::string& data) {
  if (!IsOpen(slot)) return Errno::kBadF;
  if (view_->InSlot(slot).type == ModelType::kFifo) return Errno::kSPipe;
  if (!open_.at(slot).write) return Errno::kBadF;
  if (data.empty()) return std::size_t{0};  // aufs.md §4.1: no data written
  Result<ModelInode*> inode = view_->ChangeInSlot(slot);
  if (!inode.ok()) return inode.error();
  const std::size_t at = open_.at(slot).append ? (*inode)->content.size() : offset;
  return WriteBytes(**inode, at, data);
}

Result<void> PosixModel::TruncateSlot(int slot, std::size_t size_bytes) {
  if (!IsOpen(slot)) return Errno::kBadF;
  if (view_->InSlot(slot).type != ModelType::kFile || !open_.at(slot).write) return Errno::kInval;
  Result<ModelInode*> inode = view_->ChangeInSlot(slot);
  if (!inode.ok()) return inode.error();
  Resize(**inode, size_bytes);
  return {};
}

Result<ModelStat> PosixModel::StatSlot(int slot) const {
  if (!IsOpen(slot)) return Errno::kBadF;
  const ModelInode& inode = view_->InSlot(slot);
  if (inode.is_directory()) return ModelStat{inode, 0, 0};
  return ModelStat{inode, view_->LinksInSlot(slot), view_->IdentityInSlot(slot)};
}

Result<void> PosixModel::ChmodSlot(int slot, std::uint16_t mode) {
  if (!IsOpen(slot)) return Errno::kBadF;
  const ModelInode& before = view_->InSlot(slot);
  if (!Owns(caller_, before)) return Errno::kPerm;
  const std::uint16_t mode_to_set = ModeToSet(caller_, before.gid, mode);
  Result<ModelInode*> inode = view_->ChangeInSlot(slot);
  if (!inode.ok()) return inode.error();
  (*inode)->mode = mode_to_set;
  return {};
}

Result<void> PosixModel::SyncSlot(int slot) {
  if (!IsOpen(slot)) return Errno::kBadF;
  if (view_->InSlot(slot).type == ModelType::kFifo) return Errno::kInval;
  if (!open_.at(slot).write) return {};
  return view_->UseSlot(slot, ModelUse::kSync);
}

}  // namespace lamina::sim
