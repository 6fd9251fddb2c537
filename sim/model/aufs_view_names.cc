// Names made, moved and taken away. §3.
#include <utility>

#include "sim/model/aufs_view.h"

namespace lamina::sim {

// §6.2: a change on a lower branch reaches the time that is seen when the topmost part can be
// written.
void AufsView::Touch(const std::string& dir, std::size_t branch) {
  stack_.at(branch).tree().Find(dir)->mtime_ns = kModelNow;
  const std::size_t top = stack_.LookUp(dir).top();
  if (stack_.at(top).is_writable()) {
    stack_.at(top).tree().Find(dir)->mtime_ns = kModelNow;
  } else if (top != branch) {
    Note(DeviationRule::kAufsParentTime);
  }
}

// §2.7: who takes names out is asked for the real directory too.
Result<void> AufsView::MayChangeNames(const ModelCaller& caller, const std::string& dir,
                                      std::size_t branch) const {
  if (!stack_.LookUp(dir).is_on(branch)) return {};  // will be a copy of the topmost one
  const ModelInode& real = *stack_.at(branch).tree().Find(dir);
  if (Allows(caller, real, kModelWrite | kModelExecute)) return {};
  Note(DeviationRule::kAufsRealParent);
  return Errno::kAccess;
}

// §3.1 to §3.3
Result<void> AufsView::Add(const std::string& path, const ModelInode& inode) {
  const std::string dir = ParentPath(path);
  const std::optional<std::size_t> target = stack_.Target(path, stack_.LookUp(dir).top());
  if (!target.has_value()) return Errno::kRoFs;
  if (Result<void> copied = CopyTo(dir, *target); !copied.ok()) return copied;
  ModelBranch& branch = stack_.at(*target);
  branch.tree().Add(path, inode);
  if (inode.is_directory() && branch.HasWhiteout(path)) branch.MarkOpaque(path);
  branch.DropWhiteout(path);
  Touch(dir, *target);
  return {};
}

// Something on the branch that the union does not show there.
bool AufsView::IsInTheWay(const std::string& path, std::size_t branch) const {
  return stack_.at(branch).tree().InoOf(path) != 0 && !stack_.LookUp(path).is_on(branch);
}

// §3.6
Result<void> AufsView::Link(const std::string& from, const std::string& to) {
  const AufsReal source = RealOf(from);
  const std::size_t data = *stack_.IndexOf(source.branch);
  const std::optional<std::size_t> target = stack_.LinkTarget(from, to, data);
  if (!target.has_value()) return Errno::kRoFs;
  if (IsInTheWay(to, *target)) return Errno::kIo;
  if (Result<void> copied = CopyTo(ParentPath(to), *target); !copied.ok()) return copied;
  if (*target == data) {
    stack_.at(data).tree().AddName(to, source.ino);
  } else {
    PlaceFile(source, to, *target, Bond::kAlways);
  }
  if (PseudoLink* link = inodes_.LinkOf(inodes_.NumberOf(source)); link != nullptr) ++link->links;
  stack_.at(*target).DropWhiteout(to);
  Touch(ParentPath(to), *target);
  return {};
}

// Before the name is taken out of the branches.
void AufsView::ForgetName(const std::string& path) {
  const AufsReal real = RealOf(path);
  const bool is_directory = Find(path)->is_directory();
  for (auto& [number, slot] : slots_) {
    const bool same_file = inodes_.NumberOf(slot.real) == inodes_.NumberOf(real);
    if (slot.nameless && same_file && slot.links_left > 0) --slot.links_left;
    if (!IsAtOrBelow(slot.path, path)) continue;
    if (slot.path != path) slot.parent_gone = true;
    if (slot.nameless) continue;
    slot.nameless = true;
    slot.links_left = LinksOf(slot.real) - 1;
    slot.counts_names = !stack_.at(*stack_.IndexOf(slot.real.branch)).is_writable() ||
                        inodes_.LinkOf(inodes_.NumberOf(slot.real)) != nullptr;
    if (!slot.is_directory) continue;
    for (const std::size_t index : stack_.LookUp(slot.path).parts) {
      slot.on.insert(stack_.at(index).id());
    }
    Unpin(std::exchange(slot.real, RealOf(slot.path)));
    Pin(slot.real);
  }
  if (!is_directory && !stack_.at(*stack_.IndexOf(real.branch)).is_writable()) {
    inodes_.TakeName(real);
  }
  PseudoLink* link = inodes_.LinkOf(inodes_.NumberOf(real));
  if (link != nullptr && --link->links == 0) inodes_.DropLink(inodes_.NumberOf(real));
}

bool AufsView::IsBrokenBelow(const std::string& path, std::size_t branch) const {
  const bool broken = stack_.IsBrokenBelow(path, branch);
  if (broken) Note(DeviationRule::kAufsBrokenName);
  return broken;
}

// §3.5: a few whiteouts are removed from a directory before it, more of them later.
void AufsView::TakeOut(std::size_t index, const std::string& path) {
  constexpr std::size_t kRemovedAtOnce = 3;  // the default of dirwh
  ModelTree& tree = stack_.at(index).tree();
  const std::size_t held = tree.NamesIn(path).size();
  if (held > 0 && held <= kRemovedAtOnce) tree.Find(path)->mtime_ns = kModelNow;
  tree.DropAll(path);
}

// §3.4, §3.5
Result<void> AufsView::Remove(const ModelCaller& caller, const std::string& path) {
  const std::string dir = ParentPath(path);
  const std::size_t top = stack_.TopOf(path);
  const std::optional<std::size_t> target = stack_.Target(path, top);
  if (!target.has_value()) return Errno::kRoFs;
  if (Result<void> may = MayChangeNames(caller, dir, *target); !may.ok()) return may;
  if (*target == top && IsBrokenBelow(path, top)) return Errno::kIo;
  if (Result<void> copied = CopyTo(dir, *target); !copied.ok()) return copied;
  const bool covers = *target != top || stack_.Reappears(path, top);
  ForgetName(path);
  ModelBranch& branch = stack_.at(*target);
  if (*target == top) TakeOut(top, path);
  if (covers) branch.AddWhiteout(path);
  Touch(dir, *target);
  return {};
}

// §3.7: what would have to be moved on a branch that is not written?
bool AufsView::MayMove(const std::string& dir, std::size_t branch) const {
  if (!Find(dir)->is_directory()) return true;
  const bool needs_copy = stack_.TopOf(dir) != branch;
  if (needs_copy ? IsEmpty(dir) : stack_.IsHiddenByTop(dir)) return true;
  Note(DeviationRule::kAufsDirectoryRename);
  return false;
}

void AufsView::MoveSlots(const std::string& from, const std::string& to) {
  for (auto& [number, slot] : slots_) {
    const bool stays = slot.nameless && slot.path == from;
    if (stays || !IsAtOrBelow(slot.path, from)) continue;
    slot.path = to + slot.path.substr(from.size());
  }
}

// Does something that must not be seen in a directory of this name lie below the branch?
bool AufsView::IsCoveredBelow(const std::string& path, std::size_t index) const {
  const AufsFound found = stack_.LookUp(path);
  return stack_.Reappears(path, index) || (found.opaque.has_value() && *found.opaque >= index);
}

// Must be known what lies below a name that a directory gets, and cannot be?
bool AufsView::IsUnsureBelow(const std::string& moved, const std::string& name,
                             std::size_t index) const {
  const ModelBranch& branch = stack_.at(index);
  const bool is_asked = Find(moved)->is_directory() && !branch.IsOpaque(moved) &&
                        !branch.HasWhiteout(name) && !IsCoveredBelow(name, index);
  return is_asked && IsBrokenBelow(name, index);
}

// After both names are ready on the branch.
void AufsView::SwapOn(std::size_t index, const std::string& from, const std::string& to) {
  ModelBranch& branch = stack_.at(index);
  const bool covers_from = IsCoveredBelow(from, index);
  const bool covers_to = IsCoveredBelow(to, index);
  branch.tree().Swap(from, to);
  CoverBelow(index, from, covers_from);
  CoverBelow(index, to, covers_to);
  const std::string aside = "/\x01 aside";
  MoveSlots(from, aside);
  MoveSlots(to, from);
  MoveSlots(aside, to);
}

void AufsView::MoveOn(std::size_t index, const std::string& from, const std::string& to,
                      bool was_copied) {
  ModelBranch& branch = stack_.at(index);
  const AufsFound source = stack_.LookUp(from);
  const AufsFound target = stack_.LookUp(to);
  const bool covers_from = was_copied || stack_.Reappears(from, index);
  const bool covers_to = branch.HasWhiteout(to) || IsCoveredBelow(to, index);
  if (target.is_there()) ForgetName(to);
  if (target.is_on(index)) TakeOut(index, to);
  branch.tree().Move(from, to);
  MoveSlots(from, to);
  if (covers_from) branch.AddWhiteout(from);
  CoverBelow(index, to, covers_to);
  branch.DropWhiteout(to);
  // The lower parts of the old name would be other directories if they were seen again.
  for (const std::size_t part : source.parts) {
    const AufsReal lower{stack_.at(part).id(), stack_.at(part).tree().InoOf(from)};
    if (part != index && inodes_.LinkOf(inodes_.NumberOf(lower)) == nullptr) {
      inodes_.Renumber(lower);
    }
  }
}

void AufsView::CoverBelow(std::size_t index, const std::string& path, bool covers) {
  ModelBranch& branch = stack_.at(index);
  ModelInode& moved = *branch.tree().Find(path);
  if (!covers || !moved.is_directory() || branch.IsOpaque(path)) return;
  branch.MarkOpaque(path);
  moved.mtime_ns = kModelNow;
  Note(DeviationRule::kAufsOpaqueTime);
}

Result<void> AufsView::Rename(const ModelCaller& caller, const std::string& from,
                              const std::string& to, ModelRename mode, const ModelInode&) {
  if (mode == ModelRename::kLeaveWhiteout) {
    Note(DeviationRule::kAufsRenameWhiteout);
    return Errno::kInval;
  }
  const bool exchange = mode == ModelRename::kExchange;
  const std::optional<std::size_t> target = stack_.RenameTarget(from, to);
  if (!target.has_value()) return Errno::kRoFs;
  if (IsInTheWay(to, *target)) return Errno::kIo;
  if (!MayMove(from, *target) || (exchange && !MayMove(to, *target))) return Errno::kXDev;
  const ModelInode* replaced = Find(to);
  const bool replaces_directory = !exchange && replaced != nullptr && replaced->is_directory();
  if (replaces_directory && !IsEmpty(to)) return Errno::kNotEmpty;
  for (const std::string& dir : {ParentPath(from), ParentPath(to)}) {
    if (Result<void> may = MayChangeNames(caller, dir, *target); !may.ok()) return may;
  }
  const bool copies = stack_.TopOf(from) != *target;
  if (!copies && !exchange && IsBrokenBelow(from, *target)) return Errno::kIo;
  if (IsUnsureBelow(from, to, *target)) return Errno::kIo;
  if (exchange && IsUnsureBelow(to, from, *target)) return Errno::kIo;
  for (const std::string& path : {ParentPath(to), from}) {
    if (Result<void> copied = CopyTo(path, *target); !copied.ok()) return copied;
  }
  if (exchange) {
    if (Result<void> copied = CopyTo(to, *target); !copied.ok()) return copied;
    SwapOn(*target, from, to);
  } else {
    MoveOn(*target, from, to, copies);
  }
  Touch(ParentPath(from), *target);
  Touch(ParentPath(to), *target);
  return {};
}

// The marks stay; memory is lost (§4.6, §6.1).
void AufsView::Remount() {
  for (auto& [number, slot] : slots_) Unpin(slot.real);
  slots_.clear();
  if (inodes_.has_links()) Note(DeviationRule::kAufsLostLinks);
  inodes_.ForgetLinks();
  inodes_.ForgetNumbers();
}

}  // namespace lamina::sim
