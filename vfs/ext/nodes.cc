// ExtFs: finding, making and dropping inodes; the orphan list.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "lamina/base/check.h"
#include "vfs/ext/body.h"
#include "vfs/ext/xattr.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

constexpr Duration kRelatimeLimit{24 * 3600 * kNanosecondsPerSecond};

RuledNode Ruled(const Inode& inode) { return {inode.type(), inode.mode(), inode.gid()}; }

}  // namespace

// ── Finding ──────────────────────────────────────────────────────────────────────────────────────

Result<Inode> ExtFs::Body::Find(const OpContext& op, NodeId node) {
  const std::uint32_t number = InodeOf(node);
  if (unmounted || number == 0 || number > geometry.inodes_count) return Errno::kStale;
  if (number != kRootInode && number < geometry.first_inode) return Errno::kStale;
  Result<Inode> inode = LoadInode(op, volume, number);
  if (!inode.ok()) return inode;
  if (inode->disk.mode == 0 || inode->disk.generation != GenerationOf(node)) return Errno::kStale;
  if (inode->disk.links_count == 0 && !handles.IsOpen(node)) return Errno::kStale;
  return LoadLiveInode(op, volume, number);
}

Result<Inode> ExtFs::Body::FindToChange(const OpContext& op, NodeId node) {
  Result<Inode> inode = Find(op, node);
  if (inode.ok() && (read_only || failed)) return Errno::kRoFs;
  return inode;
}

Result<ExtSpot> ExtFs::Body::FindSpot(const OpContext& op, Place place) {
  Result<Inode> dir = Find(op, place.dir);
  if (!dir.ok()) return dir.error();
  if (!dir->is_directory()) return Errno::kNotDir;
  if (place.name.size() > kMaxNameBytes) return Errno::kNameTooLong;
  if (dir->disk.links_count == 0) return ExtSpot{*dir, place.name, std::nullopt};
  Result<std::optional<Entry>> entry = directories.Find(op, *dir, place.name);
  if (!entry.ok()) return entry.error();
  return ExtSpot{*dir, place.name, *entry};
}

Result<ExtSpot> ExtFs::Body::FindSpotToChange(const OpContext& op, Place place) {
  Result<Inode> dir = FindToChange(op, place.dir);
  if (!dir.ok()) return dir.error();
  return FindSpot(op, place);
}

Result<ExtSpot> ExtFs::Body::FindSpotToAdd(const OpContext& op, Place place) {
  Result<Inode> dir = FindToChange(op, place.dir);
  if (!dir.ok()) return dir.error();
  if (dir->is_directory() && dir->disk.links_count == 0) return Errno::kNoEnt;
  Result<ExtSpot> spot = FindSpot(op, place);
  if (spot.ok() && spot->entry.has_value()) return Errno::kExist;
  return spot;
}

Result<Inode> ExtFs::Body::Child(const OpContext& op, const Inode& dir, const Entry& entry) {
  Result<Inode> inode = LoadLiveInode(op, volume, entry.inode);
  if (!inode.ok()) return inode;
  if (inode->disk.links_count == 0) return Errno::kUClean;
  if (!inode->is_directory()) return inode;
  // A directory has one parent, so that a walk down never comes back.
  if (inode->number == kRootInode) return Errno::kUClean;
  Result<std::uint32_t> parent = directories.ParentOf(op, *inode);
  if (!parent.ok()) return parent.error();
  if (*parent != dir.number) return Errno::kUClean;
  return inode;
}

Result<ExtOpen> ExtFs::Body::FindOpen(const OpContext& op, HandleId handle) {
  if (unmounted) return Errno::kBadF;
  internal::OpenFile file{NodeId{handle.value}, Access::kRead, false};
  if (!frozen_handles()) {
    const internal::OpenFile* found = handles.Find(handle);
    if (found == nullptr) return Errno::kBadF;
    file = *found;
  }
  Result<Inode> inode = Find(op, file.node);
  if (!inode.ok()) {
    return frozen_handles() && inode.error() == Errno::kStale ? Errno::kBadF : inode.error();
  }
  return ExtOpen{*inode, file};
}

Result<ExtOpen> ExtFs::Body::FindOpenToWrite(const OpContext& op, HandleId handle,
                                             Errno other_type) {
  Result<ExtOpen> open = FindOpen(op, handle);
  if (!open.ok()) return open;
  if (!open->file.may_write()) return Errno::kBadF;
  if (read_only || failed) return Errno::kRoFs;
  if (!open->inode.is_regular()) return other_type;
  return open;
}

HandleId ExtFs::Body::OpenNode(NodeId node, OpenFlags flags) {
  return handles.Add({node, flags.access, flags.append});
}

Result<bool> ExtFs::Body::IsSelfOrAncestor(const OpContext& op, std::uint32_t inode,
                                           std::uint32_t below) {
  absl::flat_hash_set<std::uint32_t> seen;
  while (below != inode && below != kRootInode) {
    if (!seen.insert(below).second) return Errno::kUClean;
    Result<Inode> dir = LoadLiveInode(op, volume, below);
    if (!dir.ok()) return dir.error();
    if (!dir->is_directory()) return Errno::kUClean;
    Result<std::uint32_t> parent = directories.ParentOf(op, *dir);
    if (!parent.ok()) return parent.error();
    below = *parent;
  }
  return below == inode;
}

// ── Changing ─────────────────────────────────────────────────────────────────────────────────────

void ExtFs::Body::Bump(Inode& inode, Instant now) {
  inode.set_ctime(now);
  inode.set_change(inode.change() + 1);
}

void ExtFs::Body::TouchDirectory(Inode& dir, Instant now) {
  dir.set_mtime(now);
  Bump(dir, now);
}

void ExtFs::Body::Accessed(const OpContext& op, const Inode& inode) {
  if (read_only || failed || options.atime == ExtAtime::kNever) return;
  const Instant atime = inode.atime();
  const bool old = op.now.virtual_ns - atime.virtual_ns >= kRelatimeLimit.virtual_ns;
  if (atime > inode.mtime() && atime > inode.ctime() && !old) return;
  if (atime == op.now) return;
  Inode changed = inode;
  changed.set_atime(op.now);
  // A read does not fail because its time cannot be kept.
  (void)Change(op, [&] { return Store(op, changed); });
}

Reserve ExtFs::Body::ReserveFor(const OpContext& op) const {
  const bool may = op.cred.Has(Capability::kSysResource) || op.cred.uid == reserve_uid;
  return may ? Reserve::kUse : Reserve::kKeep;
}

Result<PosixAcl> ExtFs::Body::FindAcl(const OpContext& op, const Inode& inode,
                                      std::string_view key) {
  Result<std::optional<std::string>> value = FindXattr(op, volume, inode, key);
  if (!value.ok()) return value.error();
  if (!value->has_value()) return PosixAcl{};
  return ParsePosixAcl(**value);
}

Result<void> ExtFs::Body::EraseXattr(const OpContext& op, Inode& inode, std::string_view key) {
  Result<std::optional<std::string>> value = FindXattr(op, volume, inode, key);
  if (!value.ok()) return value.error();
  if (!value->has_value()) return {};
  return ChangeXattr(op, volume, inode, key, std::nullopt, Reserve::kUse);
}

Result<void> ExtFs::Body::DropPrivileges(const OpContext& op, Inode& inode) {
  inode.set_mode(ModeAfterWrite(op.cred, Ruled(inode)));
  return EraseXattr(op, inode, kCapabilityKey);
}

Result<void> ExtFs::Body::Written(const OpContext& op, Inode& inode) {
  if (Result<void> dropped = DropPrivileges(op, inode); !dropped.ok()) return dropped;
  inode.set_mtime(op.now);
  Bump(inode, op.now);
  return Store(op, inode);
}

Result<void> ExtFs::Body::AddSubdirectory(Inode& dir) {
  if (dir.disk.links_count == 1) return {};  // dir_nlink: not counted any more
  if (dir.disk.links_count >= kMaxLinks) return Errno::kMLink;
  ++dir.disk.links_count;
  return {};
}

void ExtFs::Body::DropSubdirectory(Inode& dir) {
  if (dir.disk.links_count > 2) --dir.disk.links_count;
}

// ── Making ───────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtFs::Body::SetTarget(const OpContext& op, Inode& inode, std::string_view target) {
  inode.set_size(target.size());
  if (target.size() < kFastSymlinkBytes) {
    inode.disk.block = {};
    inode.disk.flags &= ~kInodeExtents;
    std::memcpy(inode.disk.block.data(), target.data(), target.size());
    return {};
  }
  // The kernel wants room for a terminating zero in one block.
  if (target.size() >= geometry.block_bytes) return Errno::kNameTooLong;
  Result<Mapping> added = AddBlocks(op, volume, inode, 0, 1, {.reserve = ReserveFor(op)});
  if (!added.ok()) return added.error();
  std::memcpy(cache.CreateData(added->physical).data(), target.data(), target.size());
  return {};
}

Result<Inode> ExtFs::Body::MakeInode(const OpContext& op, const Inode& dir, const NewNode& node) {
  const bool is_link = node.type == FileType::kSymlink;
  if (is_link && node.symlink_target.empty()) return Errno::kInval;
  if (is_link && node.symlink_target.size() > kMaxTargetBytes) return Errno::kNameTooLong;
  const NewOwner owner = OwnerOfNew(op.cred, Ruled(dir), node.type, node.mode);
  Result<PosixAcl> dir_default = FindAcl(op, dir, kDefaultAclKey);
  if (!dir_default.ok()) return dir_default.error();
  const AclOfNew acl = InheritedByNew(*dir_default, node.type, owner.mode);
  const bool is_directory = node.type == FileType::kDirectory;
  Result<std::uint32_t> number =
      allocator.TakeInode(op, dir.number, is_directory ? InodeUse::kDirectory : InodeUse::kOther);
  if (!number.ok()) return number.error();
  Result<Inode> old = LoadInode(op, volume, *number);
  if (!old.ok()) return old;
  if (old->disk.links_count != 0) return Errno::kUClean;  // in use, says the inode itself
  Inode inode;
  inode.number = *number;
  inode.disk_bytes = geometry.inode_bytes;
  // One more than whoever had the number before: node ids do not come back.
  inode.disk.generation = old->disk.generation + 1;
  inode.disk.mode = ModeTypeOf(node.type);
  if (inode.disk_bytes > kMinInodeBytes) inode.disk.extra_isize = kWantExtraIsize;
  inode.set_mode(acl.mode);
  inode.set_uid(owner.uid);
  inode.set_gid(owner.gid);
  inode.set_atime(op.now);
  inode.set_mtime(op.now);
  inode.set_created(op.now);
  Bump(inode, op.now);
  if (inode.has_map()) ClearMap(volume, inode);
  if (inode.is_device() && !inode.set_rdev(node.rdev)) return Errno::kInval;
  if (is_link) {
    Result<void> set = SetTarget(op, inode, node.symlink_target);
    if (!set.ok()) return set.error();
  }
  const std::pair<std::string_view, const std::string*> values[] = {
      {kAccessAclKey, &acl.access}, {kDefaultAclKey, &acl.default_for_below}};
  for (const auto& [key, value] : values) {
    if (value->empty()) continue;
    Result<void> set = ChangeXattr(op, volume, inode, key, *value, ReserveFor(op));
    if (!set.ok()) return set.error();
  }
  return inode;
}

// ── Dropping ─────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtFs::Body::AddOrphan(const OpContext& op, Inode& inode) {
  return EditSuper(op, [&](DiskSuperblock& super) {
    inode.disk.dtime = super.last_orphan;
    super.last_orphan = inode.number;
  });
}

Result<void> ExtFs::Body::RemoveOrphan(const OpContext& op, Inode& inode) {
  Result<DiskSuperblock> super = ReadSuper(op);
  if (!super.ok()) return super.error();
  const std::uint32_t next = inode.disk.dtime;
  inode.disk.dtime = 0;
  if (super->last_orphan == inode.number) {
    return EditSuper(op, [&](DiskSuperblock& changed) { changed.last_orphan = next; });
  }
  std::uint32_t each = super->last_orphan;
  for (std::uint32_t step_count = 0; step_count < geometry.inodes_count; ++step_count) {
    Result<Inode> before = LoadInode(op, volume, each);
    if (!before.ok()) return before.error();
    each = before->disk.dtime;
    if (each != inode.number) continue;
    before->disk.dtime = next;
    return Store(op, *before);
  }
  return Errno::kUClean;
}

Result<void> ExtFs::Body::DropName(const OpContext& op, Inode& inode) {
  const bool last = inode.is_directory() || inode.disk.links_count <= 1;
  inode.disk.links_count = last ? 0 : static_cast<std::uint16_t>(inode.disk.links_count - 1);
  Bump(inode, op.now);
  if (last) {
    if (Result<void> added = AddOrphan(op, inode); !added.ok()) return added;
  }
  return Store(op, inode);
}

Result<void> ExtFs::Body::EvictUnlessOpen(const OpContext& op, std::uint32_t number) {
  Result<Inode> inode = LoadLiveInode(op, volume, number);
  if (!inode.ok()) return inode.error();
  if (inode->disk.links_count != 0 || handles.IsOpen(NodeOf(*inode))) return {};
  return Evict(op, *inode);
}

Result<void> ExtFs::Body::FreeBlocksFrom(const OpContext& op, Inode& inode, std::uint64_t first) {
  const BlockUse use = inode.is_directory() ? BlockUse::kMetadata : BlockUse::kData;
  std::uint64_t end = MaxFileBlocks(volume, inode);
  while (true) {
    Result<std::uint64_t> left = RemoveBlocks(op, volume, inode, first, end, use);
    if (!left.ok()) return left.error();
    if (Result<void> stored = Store(op, inode); !stored.ok()) return stored;
    if (*left <= first) return {};
    end = *left;
    if (Result<void> committed = CommitStep(op); !committed.ok()) return committed;
  }
}

Result<void> ExtFs::Body::Evict(const OpContext& op, Inode& inode) {
  if (inode.has_map() && !inode.is_fast_symlink(geometry)) {
    if (Result<void> freed = FreeBlocksFrom(op, inode, 0); !freed.ok()) return freed;
  }
  if (Result<void> freed = FreeXattrBlock(op, volume, inode); !freed.ok()) return freed;
  if (Result<void> removed = RemoveOrphan(op, inode); !removed.ok()) return removed;
  directories.Forget(inode.number);
  const InodeUse use = inode.is_directory() ? InodeUse::kDirectory : InodeUse::kOther;
  Result<void> freed = allocator.FreeInode(op, inode.number, use);
  if (!freed.ok()) return freed;
  // e2fsck takes a small time of deletion for a number of the orphan list.
  const std::int64_t seconds = op.now.virtual_ns / kNanosecondsPerSecond;
  inode.disk.dtime = static_cast<std::uint32_t>(
      std::max<std::int64_t>(seconds, std::int64_t{geometry.inodes_count} + 1));
  inode.set_size(0);
  return Store(op, inode);
}

// Each step takes the head off the list, so a list that bites its tail ends too.
std::optional<ExtError> ExtFs::Body::FinishOrphans(const OpContext& op) {
  while (true) {
    Result<DiskSuperblock> super = ReadSuper(op);
    if (!super.ok()) return ExtError{super.error(), "superblock"};
    const std::uint32_t number = super->last_orphan;
    if (number == 0) return std::nullopt;
    const std::string text = "orphan inode " + std::to_string(number);
    if (number < geometry.first_inode || number > geometry.inodes_count) {
      return ExtError{Errno::kUClean, text};
    }
    Result<void> done = Change(op, [&]() -> Result<void> {
      Result<bool> used = allocator.IsInodeUsed(op, number);
      if (!used.ok()) return used.error();
      Result<Inode> inode = LoadLiveInode(op, volume, number);
      if (!inode.ok()) return inode.error();
      if (!*used) return Errno::kUClean;
      if (inode->disk.links_count == 0) return Evict(op, *inode);
      if (inode->is_regular()) {
        const std::uint64_t bytes = geometry.block_bytes;
        const std::uint64_t first = inode->size() / bytes + (inode->size() % bytes != 0 ? 1 : 0);
        if (Result<void> freed = FreeBlocksFrom(op, *inode, first); !freed.ok()) return freed;
      }
      if (Result<void> removed = RemoveOrphan(op, *inode); !removed.ok()) return removed;
      return Store(op, *inode);
    });
    if (!done.ok()) return ExtError{done.error(), text};
  }
}

}  // namespace lamina
