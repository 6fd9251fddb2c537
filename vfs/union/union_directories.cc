// UnionFs: reading directories. A merged directory takes its list at the first read of a handle and
// keeps it until rewind; a directory of one branch is passed through.
#include <algorithm>

#include "lamina/base/check.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/union_body.h"

namespace lamina {

// As many as the directories' sizes tell (tmpfs and MemFs count 20 bytes an entry), up to a bound:
// others count as they like.
std::size_t ExpectedEntries(const OpContext& op, const UnionState& state, const UnionNode& dir) {
  constexpr std::size_t kBytesPerEntry = 20;
  constexpr std::size_t kAtMost = 4096;
  std::size_t entries = 0;
  for (const Hit& hit : dir.hits) {
    Result<Stat> stat = state.fs(hit.branch).GetAttr(op, hit.node);
    if (stat.ok()) entries += stat->size_bytes / kBytesPerEntry;
    if (entries >= kAtMost) return kAtMost;
  }
  return entries;
}

Result<DirCookie> UnionFs::ReadDir(const OpContext& op, HandleId id, DirCookie from,
                                   absl::FunctionRef<bool(const DirEntry&)> visit) {
  Result<UnionHandle*> found = body_->FindHandle(id);
  if (!found.ok()) return found.error();
  UnionHandle& handle = **found;
  if (handle.node->type != FileType::kDirectory) return Errno::kNotDir;
  if (handle.kind != UnionHandle::Kind::kDirectory) return Errno::kBadF;
  if (handle.node->dead) return Errno::kNoEnt;
  if (from.value == 0) {
    handle.direct = handle.direct && body_->dialect->ListsBranchDirectly(*handle.node);
    if (handle.listing != nullptr && handle.listing->version != handle.node->version) {
      handle.listing.reset();
    }
  }
  Result<DirCookie> next = handle.direct ? body_->ReadDirect(op, handle, from, visit)
                                         : body_->ReadMerged(op, handle, from, visit);
  if (next.ok()) {
    op.probe.Emit(
        [&] { return Event{.kind = EventKind::kDirRead, .subject = handle.node->id.value}; });
  }
  return next;
}

Result<void> UnionFs::Body::CheckListed(const OpContext& op, UnionNode& dir,
                                        const MergedListing& listing, ListedEntry& entry) {
  entry.looked_up = true;
  Result<NamedNode> named = FindName(op, {dir.id, listing.name(entry)});
  if (!named.ok() || named->node == nullptr) {
    entry.whiteout = true;  // stale: not shown from now on
    if (!named.ok()) return named.error();
    return {};
  }
  const UnionNode& node = *named->node;
  if (!dialect->AdjustsListedInodes()) return {};
  if (!node.has_origin()) {
    if (!node.has_writable) entry.ino = dialect->ListedIno(node.top().branch, entry.ino);
    return {};
  }
  Result<Stat> stat = state->fs(0).GetAttr(AsMounter(op), node.top().node);
  if (!stat.ok()) return stat.error();
  Result<StatIdentity> identity = dialect->Identity(op, *state, node, *stat);
  if (!identity.ok()) return identity.error();
  entry.ino = identity->ino;
  return {};
}

Result<DirCookie> UnionFs::Body::ReadMerged(const OpContext& op, UnionHandle& handle,
                                            DirCookie from,
                                            absl::FunctionRef<bool(const DirEntry&)> visit) {
  UnionNode& dir = *handle.node;
  if (handle.listing == nullptr) {
    ValidCache(op, dir);  // gives up a listing that a branch's own changes made wrong
    std::shared_ptr<MergedListing> shared = dir.listing.lock();
    if (shared == nullptr || shared->version != dir.version) {
      Result<std::shared_ptr<MergedListing>> taken = TakeListing(op, dir);
      if (!taken.ok()) return taken.error();
      shared = *std::move(taken);
      dir.listing = shared;
    }
    handle.listing = std::move(shared);
  }
  const std::shared_ptr<MergedListing> listing = handle.listing;
  const bool adjusts = dialect->AdjustsListedInodes();
  const bool look_up_writable = adjusts && dir.impure && dir.has_writable;
  const bool look_up_all = dialect->LooksUpListed();
  // A cookie is an index plus one, 0 the start. The first read gives "." and ".." too, so an error
  // of the first entry only ends it.
  bool shown = from.value == 0;
  const bool looks_up = look_up_all || look_up_writable || dir.xattr_whiteouts;
  DirEntry given;
  for (std::uint64_t at = std::max<std::uint64_t>(from.value, 1) - 1; at < listing->entries.size();
       ++at) {
    ListedEntry& entry = listing->entries[at];
    if (entry.whiteout) continue;
    const bool check = looks_up && (entry.check_whiteout || look_up_all ||
                                    (look_up_writable && entry.branch == 0));
    if (check && !entry.looked_up) {
      listing->looked_up = true;
      Result<void> checked = CheckListed(op, dir, *listing, entry);
      // An error ends this read when it has given entries; the entry is dropped from the next on.
      if (!checked.ok() && !shown) return checked.error();
      if (!checked.ok()) return DirCookie{at + 2};
      if (entry.whiteout) continue;
    }
    given.name = listing->name(entry);
    given.type = entry.type;
    given.ino = entry.ino;
    if (!visit(given)) return DirCookie{at + 1};
    shown = true;
  }
  return kDirEnd;
}

Result<void> UnionFs::Body::DropNeedlessImpure(const OpContext& op, UnionNode& dir) {
  // The kernel looks every entry up; the mark goes when no entry has another inode number than its
  // own (none was copied up).
  const Hit top = dir.top();
  MergedListing own;
  Result<HandleId> real = state->fs(0).Open(AsMounter(op), top.node, {});
  if (!real.ok()) return real.error();
  Result<DirCookie> end =
      state->fs(0).ReadDir(AsMounter(op), *real, DirCookie{}, [&](const DirEntry& entry) {
        own.Append(entry.name, entry.type, entry.ino, 0);
        return true;
      });
  state->fs(0).Close(*real);
  if (!end.ok()) return end.error();
  bool needed = false;
  for (ListedEntry& entry : own.entries) {
    const std::uint64_t ino = entry.ino;
    if (Result<void> checked = CheckListed(op, dir, own, entry); !checked.ok()) return checked;
    needed = needed || entry.ino != ino;
  }
  if (needed) return {};
  Plan plan;
  dialect->PlanPure(dir, plan);
  if (Result<void> done = Apply(op, plan); !done.ok()) return {};  // best effort
  dir.impure = false;
  return {};
}

Result<DirCookie> UnionFs::Body::ReadDirect(const OpContext& op, UnionHandle& handle,
                                            DirCookie from,
                                            absl::FunctionRef<bool(const DirEntry&)> visit) {
  UnionNode& dir = *handle.node;
  if (from.value == 0 && dir.impure && dir.has_writable && dialect->AdjustsListedInodes()) {
    if (Result<void> dropped = DropNeedlessImpure(op, dir); !dropped.ok()) return dropped.error();
  }
  const bool adjust = dir.impure && dialect->AdjustsListedInodes();
  return handle.fs->ReadDir(AsMounter(op), handle.real, from, [&](const DirEntry& entry) {
    DirEntry shown = entry;
    shown.node = NodeId{};
    const CachedName* cached = adjust ? state->names.Find(dir.id, entry.name) : nullptr;
    const UnionNode* known = cached == nullptr ? nullptr : cached->node;
    if (known != nullptr && known->has_origin()) {
      Result<Stat> stat = state->fs(0).GetAttr(AsMounter(op), known->top().node);
      Result<StatIdentity> identity =
          stat.ok() ? dialect->Identity(op, *state, *known, *stat) : stat.error();
      if (identity.ok()) shown.ino = identity->ino;
    } else if (!dir.has_writable) {
      shown.ino = dialect->ListedIno(dir.top().branch, entry.ino);
    }
    return visit(shown);
  });
}

}  // namespace lamina
