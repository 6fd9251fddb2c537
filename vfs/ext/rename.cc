// ExtFs: Rename. Everything is decided first (CheckRename), then done.
#include <utility>

#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

// Device 0:0, mode 0: what an overlay reads as "this name is removed".
constexpr NewNode kWhiteout{FileType::kCharDevice, 0, 0, {}};

bool IsDirectory(const std::optional<Inode>& inode) {
  return inode.has_value() && inode->is_directory();
}

}  // namespace

// Errors of the two places: the worse one first, whichever place has it.
Result<ExtRename> ExtFs::Body::FindRename(const OpContext& op, Place from, Place to) {
  Result<ExtSpot> source = FindSpotToChange(op, from);
  Result<ExtSpot> target = FindSpotToChange(op, to);
  for (const Errno first : {Errno::kStale, Errno::kRoFs, Errno::kNotDir}) {
    if (!source.ok() && source.error() == first) return first;
    if (!target.ok() && target.error() == first) return first;
  }
  if (!source.ok()) return source.error();
  if (!target.ok()) return target.error();
  ExtRename plan{*source, *target, {}, {}};
  for (const auto& [spot, inode] :
       {std::pair(&plan.source, &plan.moved), std::pair(&plan.target, &plan.replaced)}) {
    if (!spot->entry.has_value()) continue;
    Result<Inode> child = Child(op, spot->dir, *spot->entry);
    if (!child.ok()) return child.error();
    *inode = *child;
  }
  return plan;
}

Result<ExtRename> ExtFs::Body::CheckRename(const OpContext& op, Place from, Place to,
                                           RenameMode mode) {
  Result<ExtRename> plan = FindRename(op, from, to);
  if (!plan.ok()) return plan;
  const bool exchange = mode == RenameMode::kExchange;
  const std::optional<Inode>& moved = plan->moved;
  const std::optional<Inode>& replaced = plan->replaced;
  if (!moved.has_value() || plan->target.dir.disk.links_count == 0) return Errno::kNoEnt;
  if (exchange && !replaced.has_value()) return Errno::kNoEnt;
  if (mode == RenameMode::kNoReplace && replaced.has_value()) return Errno::kExist;
  if (moved->is_directory()) {
    Result<bool> inside = IsSelfOrAncestor(op, moved->number, plan->target.dir.number);
    if (!inside.ok()) return inside.error();
    if (*inside) return Errno::kInval;
  }
  if (IsDirectory(replaced)) {
    Result<bool> above = IsSelfOrAncestor(op, replaced->number, plan->source.dir.number);
    if (!above.ok()) return above.error();
    if (*above) return exchange ? Errno::kInval : Errno::kNotEmpty;
  }
  if (!replaced.has_value() || plan->same_node() || exchange) return plan;
  if (moved->is_directory() && !replaced->is_directory()) return Errno::kNotDir;
  if (!moved->is_directory() && replaced->is_directory()) return Errno::kIsDir;
  if (!replaced->is_directory()) return plan;
  Result<bool> empty = directories.IsEmpty(op, *replaced);
  if (!empty.ok()) return empty.error();
  if (!*empty) return Errno::kNotEmpty;
  return plan;
}

// The inode's part of a move: its times, its "..", the link counts of the directories.
Result<void> ExtFs::Body::MoveInto(const OpContext& op, Inode& inode, Inode& from_dir,
                                   Inode& to_dir) {
  Bump(inode, op.now);
  if (inode.is_directory() && from_dir.number != to_dir.number) {
    Result<void> set = directories.SetParent(op, inode, to_dir.number);
    if (!set.ok()) return set;
    DropSubdirectory(from_dir);
    if (Result<void> added = AddSubdirectory(to_dir); !added.ok()) return added;
  }
  return Store(op, inode);
}

Result<void> ExtFs::Body::Exchange(const OpContext& op, ExtRename& plan, Inode& to_dir) {
  Inode& from_dir = plan.source.dir;
  Inode& first = *plan.moved;
  Inode& second = *plan.replaced;
  Result<void> done = directories.Replace(op, from_dir, plan.source.name, *plan.source.entry,
                                          second.number, second.type());
  if (!done.ok()) return done;
  done = directories.Replace(op, to_dir, plan.target.name, *plan.target.entry, first.number,
                             first.type());
  if (!done.ok()) return done;
  // A directory that leaves makes room for one that comes.
  if (second.is_directory() && !first.is_directory()) {
    done = MoveInto(op, second, to_dir, from_dir);
    return done.ok() ? MoveInto(op, first, from_dir, to_dir) : done;
  }
  const bool both = first.is_directory() && second.is_directory();
  if (both && from_dir.number != to_dir.number) {
    DropSubdirectory(from_dir);
    DropSubdirectory(to_dir);
    for (auto& [inode, dir] : {std::pair(&first, &to_dir), std::pair(&second, &from_dir)}) {
      Bump(*inode, op.now);
      if (Result<void> set = directories.SetParent(op, *inode, dir->number); !set.ok()) return set;
      if (Result<void> added = AddSubdirectory(*dir); !added.ok()) return added;
      if (Result<void> stored = Store(op, *inode); !stored.ok()) return stored;
    }
    return {};
  }
  done = MoveInto(op, first, from_dir, to_dir);
  return done.ok() ? MoveInto(op, second, to_dir, from_dir) : done;
}

Result<void> ExtFs::Body::Move(const OpContext& op, ExtRename& plan, Inode& to_dir,
                               RenameMode mode) {
  Inode& from_dir = plan.source.dir;
  Inode& moved = *plan.moved;
  Result<void> done;
  if (plan.replaced.has_value()) {
    done = directories.Replace(op, to_dir, plan.target.name, *plan.target.entry, moved.number,
                               moved.type());
    if (!done.ok()) return done;
    if (plan.replaced->is_directory()) DropSubdirectory(to_dir);
    done = DropName(op, *plan.replaced);
  } else {
    done =
        directories.Add(op, to_dir, plan.target.name, moved.number, moved.type(), ReserveFor(op));
  }
  if (!done.ok()) return done;
  if (done = MoveInto(op, moved, from_dir, to_dir); !done.ok()) return done;
  // The new name may have been put beside the old one, so that one is looked for again.
  Result<std::optional<Entry>> entry = directories.Find(op, from_dir, plan.source.name);
  if (!entry.ok()) return entry.error();
  if (!entry->has_value()) return Errno::kUClean;
  if (mode != RenameMode::kLeaveWhiteout) {
    return directories.Remove(op, from_dir, plan.source.name, **entry);
  }
  Result<Inode> whiteout = MakeInode(op, from_dir, kWhiteout);
  if (!whiteout.ok()) return whiteout.error();
  whiteout->disk.links_count = 1;
  if (done = Store(op, *whiteout); !done.ok()) return done;
  return directories.Replace(op, from_dir, plan.source.name, **entry, whiteout->number,
                             FileType::kCharDevice);
}

Result<void> ExtFs::Body::RenameName(const OpContext& op, Place from, Place to, RenameMode mode) {
  Result<ExtRename> plan = CheckRename(op, from, to, mode);
  if (!plan.ok()) return plan.error();
  if (plan->same_node()) return {};
  Inode& from_dir = plan->source.dir;
  const bool one_dir = from_dir.number == plan->target.dir.number;
  Inode& to_dir = one_dir ? from_dir : plan->target.dir;
  Result<void> done =
      mode == RenameMode::kExchange ? Exchange(op, *plan, to_dir) : Move(op, *plan, to_dir, mode);
  if (!done.ok()) return done;
  TouchDirectory(from_dir, op.now);
  if (!one_dir) TouchDirectory(to_dir, op.now);
  if (done = Store(op, from_dir); !done.ok()) return done;
  if (done = Store(op, to_dir); !done.ok()) return done;
  if (!plan->replaced.has_value() || mode == RenameMode::kExchange) return {};
  return EvictUnlessOpen(op, plan->replaced->number);
}

Result<void> ExtFs::Rename(const OpContext& op, Place from, Place to, RenameMode mode) {
  Result<ExtRename> plan = body_->CheckRename(op, from, to, mode);
  if (!plan.ok()) return plan.error();
  if (plan->same_node()) return {};
  return body_->Change(op, [&] { return body_->RenameName(op, from, to, mode); });
}

}  // namespace lamina
