// Calls that make, move and remove names. Linux fs/namei.c, function by function.
#include <utility>

#include "sim/model/posix.h"
#include "sim/model/tree.h"

namespace lamina::sim {

PosixModel::PosixModel(const PosixModel& other)
    : view_(other.view_->Clone()),
      caller_(other.caller_),
      hard_links_(other.hard_links_),
      open_(other.open_) {}

PosixModel& PosixModel::operator=(const PosixModel& other) {
  if (this == &other) return *this;
  view_ = other.view_->Clone();
  caller_ = other.caller_;
  hard_links_ = other.hard_links_;
  open_ = other.open_;
  return *this;
}

void PosixModel::Become(std::uint32_t uid, std::uint32_t gid) {
  caller_.uid = uid;
  caller_.gid = gid;
}

std::vector<int> PosixModel::OpenSlots() const {
  std::vector<int> slots;
  for (const auto& [slot, how] : open_) slots.push_back(slot);
  return slots;
}

bool PosixModel::IsRemovalSettled(const std::string& path) const {
  int links = 0;
  Result<Located> located = Locate(*view_, caller_, "/", path, links);
  if (!located.ok()) return true;
  const ModelInode* inode = view_->Find(located->path());
  if (inode == nullptr || !inode->is_directory()) return true;
  return view_->IsEmptinessSettled(located->path());
}

bool PosixModel::IsPlaceSettled(const std::string& path) const {
  int links = 0;
  Result<Located> located = Locate(*view_, caller_, "/", path, links);
  if (!located.ok()) return true;
  if (!view_->IsPlaceSettled(located->path())) return false;
  Result<std::string> followed = Existing(path, FinalLink::kFollow);
  return !followed.ok() || view_->IsPlaceSettled(*followed);
}

bool PosixModel::IsMoveSettled(const std::string& from, const std::string& to) const {
  int links = 0;
  Result<Located> source = Locate(*view_, caller_, "/", from, links);
  links = 0;
  Result<Located> target = Locate(*view_, caller_, "/", to, links);
  if (!source.ok() || !target.ok() || target->last != Located::Last::kName) return true;
  if (source->last != Located::Last::kName || view_->Find(source->path()) == nullptr) return true;
  return view_->IsMoveSettled(source->path(), target->path());
}

// filename_create
Result<std::string> PosixModel::PlaceForNew(const std::string& path, Slash slash) const {
  int links = 0;
  Result<Located> located = Locate(*view_, caller_, "/", path, links);
  if (!located.ok()) return located.error();
  if (located->last != Located::Last::kName) return Errno::kExist;
  const std::string at = located->path();
  if (Result<void> may = view_->CheckLookUp(at); !may.ok()) return may.error();
  if (view_->Find(at) != nullptr) return Errno::kExist;
  if (located->trailing_slash && slash == Slash::kRefused) return Errno::kNoEnt;
  return at;
}

// may_create
Result<void> PosixModel::MayAdd(const std::string& path) const {
  return view_->Permits(caller_, ParentPath(path), kModelWrite | kModelExecute);
}

// may_delete
Result<void> PosixModel::MayRemove(const std::string& path, bool as_directory) const {
  if (Result<void> may = MayAdd(path); !may.ok()) return may;
  const ModelInode& victim = *view_->Find(path);
  if (StickyForbids(caller_, *view_->Find(ParentPath(path)), victim)) return Errno::kPerm;
  if (as_directory && !victim.is_directory()) return Errno::kNotDir;
  if (!as_directory && victim.is_directory()) return Errno::kIsDir;
  return {};
}

// inode_init_owner, mode_strip_sgid
ModelInode PosixModel::NewInode(const std::string& path, ModelType type, std::uint16_t mode) const {
  const ModelInode& dir = *view_->Find(ParentPath(path));
  const bool inherits_group = (dir.mode & kModelSetGid) != 0;
  ModelInode inode;
  inode.type = type;
  inode.mode = mode & static_cast<std::uint16_t>(~caller_.umask);
  inode.uid = caller_.uid;
  inode.gid = inherits_group ? dir.gid : caller_.gid;
  if (type == ModelType::kDirectory) {
    if (inherits_group) inode.mode |= kModelSetGid;
  } else if ((inode.mode & 010U) != 0 && inherits_group) {
    inode.mode = ModeToSet(caller_, dir.gid, inode.mode);
  }
  return inode;
}

Result<void> PosixModel::Mkdir(const std::string& path, std::uint16_t mode) {
  Result<std::string> place = PlaceForNew(path, Slash::kAllowed);
  if (!place.ok()) return place.error();
  if (Result<void> may = MayAdd(*place); !may.ok()) return may;
  return view_->Add(*place, NewInode(*place, ModelType::kDirectory, mode & 01777));
}

Result<void> PosixModel::MakeNode(const std::string& path, ModelType type, std::uint16_t mode,
                                  std::uint32_t major, std::uint32_t minor) {
  Result<std::string> place = PlaceForNew(path, Slash::kRefused);
  if (!place.ok()) return place.error();
  if (Result<void> may = MayAdd(*place); !may.ok()) return may;
  ModelInode inode = NewInode(*place, type, mode);
  inode.major = major;
  inode.minor = minor;
  // Anybody may make a whiteout: it is no device.
  if (inode.is_device() && !inode.is_whiteout() && !caller_.is_root()) return Errno::kPerm;
  return view_->Add(*place, inode);
}

Result<void> PosixModel::Symlink(const std::string& target, const std::string& path) {
  if (target.empty()) return Errno::kNoEnt;
  if (target.size() > kModelPathLimit) return Errno::kNameTooLong;
  Result<std::string> place = PlaceForNew(path, Slash::kRefused);
  if (!place.ok()) return place.error();
  if (Result<void> may = MayAdd(*place); !may.ok()) return may;
  ModelInode inode = NewInode(*place, ModelType::kSymlink, 0);
  inode.mode = 0777;
  inode.target = target;
  return view_->Add(*place, inode);
}

// may_linkat, when fs.protected_hardlinks is 1
Result<void> PosixModel::MayLink(const std::string& path) const {
  const ModelInode& source = *view_->Find(path);
  if (hard_links_ == HardLinks::kAnyFile || Owns(caller_, source)) return {};
  const bool group_set_id = (source.mode & kModelSetGid) != 0 && (source.mode & 010U) != 0;
  const bool safe = source.type == ModelType::kFile && (source.mode & kModelSetUid) == 0 &&
                    !group_set_id && view_->Permits(caller_, path, kModelRead | kModelWrite).ok();
  if (!safe) return Errno::kPerm;
  return {};
}

Result<void> PosixModel::Link(const std::string& from, const std::string& to) {
  Result<std::string> source = Existing(from, FinalLink::kKeep);
  if (!source.ok()) return source.error();
  Result<std::string> place = PlaceForNew(to, Slash::kRefused);
  if (!place.ok()) return place.error();
  if (Result<void> may = MayLink(*source); !may.ok()) return may;
  if (Result<void> may = MayAdd(*place); !may.ok()) return may;
  if (view_->Find(*source)->is_directory()) return Errno::kPerm;
  return view_->Link(*source, *place);
}

Result<void> PosixModel::Unlink(const std::string& path) {
  int links = 0;
  Result<Located> located = Locate(*view_, caller_, "/", path, links);
  if (!located.ok()) return located.error();
  if (located->last != Located::Last::kName) return Errno::kIsDir;
  const std::string at = located->path();
  if (Result<void> may = view_->CheckLookUp(at); !may.ok()) return may.error();
  const ModelInode* inode = view_->Find(at);
  if (inode == nullptr) return Errno::kNoEnt;
  if (located->trailing_slash) return inode->is_directory() ? Errno::kIsDir : Errno::kNotDir;
  if (Result<void> may = MayRemove(at, false); !may.ok()) return may;
  return view_->Remove(caller_, at);
}

Result<void> PosixModel::Rmdir(const std::string& path) {
  int links = 0;
  Result<Located> located = Locate(*view_, caller_, "/", path, links);
  if (!located.ok()) return located.error();
  switch (located->last) {
    case Located::Last::kRoot:
      return Errno::kBusy;
    case Located::Last::kDot:
      return Errno::kInval;
    case Located::Last::kDotDot:
      return Errno::kNotEmpty;
    case Located::Last::kName:
      break;
  }
  const std::string at = located->path();
  if (Result<void> may = view_->CheckLookUp(at); !may.ok()) return may.error();
  if (view_->Find(at) == nullptr) return Errno::kNoEnt;
  if (Result<void> may = MayRemove(at, true); !may.ok()) return may;
  if (!view_->IsEmpty(at)) return Errno::kNotEmpty;
  return view_->Remove(caller_, at);
}

// vfs_rename, without what the file system itself refuses
Result<void> PosixModel::CheckRename(const std::string& from, const std::string& to,
                                     ModelRename mode) const {
  const ModelInode& source = *view_->Find(from);
  const ModelInode* target = view_->Find(to);
  const bool is_directory = source.is_directory();
  const bool exchange = mode == ModelRename::kExchange;
  if (Result<void> may = MayRemove(from, is_directory); !may.ok()) return may;
  if (target == nullptr) {
    if (Result<void> may = MayAdd(to); !may.ok()) return may;
  } else {
    const bool as_directory = exchange ? target->is_directory() : is_directory;
    if (Result<void> may = MayRemove(to, as_directory); !may.ok()) return may;
  }
  if (ParentPath(from) == ParentPath(to)) return {};
  // ".." of a directory changes.
  if (is_directory) {
    if (Result<void> may = view_->Permits(caller_, from, kModelWrite); !may.ok()) return may;
  }
  if (!exchange || !target->is_directory()) return {};
  return view_->Permits(caller_, to, kModelWrite);
}

// do_renameat2
Result<void> PosixModel::Rename(const std::string& from, const std::string& to, ModelRename mode) {
  int links = 0;
  Result<Located> old_place = Locate(*view_, caller_, "/", from, links);
  if (!old_place.ok()) return old_place.error();
  links = 0;
  Result<Located> new_place = Locate(*view_, caller_, "/", to, links);
  if (!new_place.ok()) return new_place.error();
  const bool exchange = mode == ModelRename::kExchange;
  const bool no_replace = mode == ModelRename::kNoReplace;
  if (old_place->last != Located::Last::kName) return Errno::kBusy;
  if (new_place->last != Located::Last::kName) return no_replace ? Errno::kExist : Errno::kBusy;
  const std::string source = old_place->path();
  const std::string target = new_place->path();
  if (Result<void> may = view_->CheckLookUp(source); !may.ok()) return may;
  const ModelInode* moved = view_->Find(source);
  if (moved == nullptr) return Errno::kNoEnt;
  if (Result<void> may = view_->CheckLookUp(target); !may.ok()) return may;
  const ModelInode* other = view_->Find(target);
  if (no_replace && other != nullptr) return Errno::kExist;
  if (exchange) {
    if (other == nullptr) return Errno::kNoEnt;
    if (!other->is_directory() && new_place->trailing_slash) return Errno::kNotDir;
  }
  if (!moved->is_directory()) {
    if (old_place->trailing_slash) return Errno::kNotDir;
    if (!exchange && new_place->trailing_slash) return Errno::kNotDir;
  }
  if (source != target) {
    if (IsAtOrBelow(new_place->parent, source)) return Errno::kInval;
    if (IsAtOrBelow(old_place->parent, target)) {
      return exchange ? Errno::kInval : Errno::kNotEmpty;
    }
  }
  if (other != nullptr && view_->IsSameFile(source, target)) return {};
  if (Result<void> may = CheckRename(source, target, mode); !may.ok()) return may;
  ModelInode whiteout = NewInode(source, ModelType::kCharDevice, 0);
  return view_->Rename(caller_, source, target, mode, whiteout);
}

Result<std::vector<ListedName>> PosixModel::List(const std::string& path) const {
  Result<std::string> at = Existing(path, FinalLink::kFollow);
  if (!at.ok()) return at.error();
  const ModelInode& dir = *view_->Find(*at);
  if (!dir.is_directory()) return Errno::kNotDir;
  if (Result<void> may = view_->Permits(caller_, *at, kModelRead); !may.ok()) return may.error();
  return view_->List(*at);
}

}  // namespace lamina::sim
