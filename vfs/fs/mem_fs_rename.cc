// MemFs: Rename. Everything is decided first (CheckRename), then done.
#include "vfs/fs/mem_body.h"

namespace lamina {

using internal::DirectoryPart;
using internal::NameEntry;
using internal::NameTable;
using internal::Node;

namespace {

// Device 0:0, mode 0: what an overlay reads as "this name is removed".
constexpr NewNode kWhiteout{FileType::kCharDevice, 0, 0, {}};

bool IsDirectory(const NameEntry* entry) {
  return entry != nullptr && entry->type == FileType::kDirectory;
}

}  // namespace

Result<MemRename> MemFs::Body::CheckRename(Place from, Place to, RenameMode mode) const {
  Result<MemSpot> source = FindSpotToChange(from);
  Result<MemSpot> target = FindSpotToChange(to);
  for (const Errno first : {Errno::kStale, Errno::kRoFs, Errno::kNotDir}) {
    if (!source.ok() && source.error() == first) return first;
    if (!target.ok() && target.error() == first) return first;
  }
  if (!source.ok()) return source.error();
  if (!target.ok()) return target.error();
  const bool exchange = mode == RenameMode::kExchange;
  const NameEntry* old_entry = source->entry;
  const NameEntry* new_entry = target->entry;
  if (old_entry == nullptr || target->dir_node->nlink == 0) return Errno::kNoEnt;
  if (exchange && new_entry == nullptr) return Errno::kNoEnt;
  if (mode == RenameMode::kNoReplace && new_entry != nullptr) return Errno::kExist;
  if (IsDirectory(old_entry) && IsSelfOrAncestor(old_entry->node, to.dir)) return Errno::kInval;
  if (IsDirectory(new_entry) && IsSelfOrAncestor(new_entry->node, from.dir)) {
    return exchange ? Errno::kInval : Errno::kNotEmpty;
  }
  MemRename plan{*source, *target, new_entry != nullptr && new_entry->node == old_entry->node};
  if (plan.same_node) return plan;
  if (new_entry != nullptr && !exchange) {
    if (IsDirectory(old_entry) && !IsDirectory(new_entry)) return Errno::kNotDir;
    if (!IsDirectory(old_entry) && IsDirectory(new_entry)) return Errno::kIsDir;
    if (IsDirectory(new_entry) && Find(new_entry->node)->names().size() != 0) {
      return Errno::kNotEmpty;
    }
  }
  return CheckRenameLimits(plan, mode);
}

Result<MemRename> MemFs::Body::CheckRenameLimits(const MemRename& plan, RenameMode mode) const {
  const bool other_dir = plan.source.dir != plan.target.dir;
  const bool moves_in = other_dir && IsDirectory(plan.source.entry);
  const bool moves_out = other_dir && IsDirectory(plan.target.entry);
  if (moves_in && !moves_out && plan.target.dir_node->nlink >= options.link_max) {
    return Errno::kMLink;
  }
  if (mode == RenameMode::kExchange && moves_out && !moves_in &&
      plan.source.dir_node->nlink >= options.link_max) {
    return Errno::kMLink;
  }
  if (mode == RenameMode::kLeaveWhiteout) {
    Result<void> checked = CheckNew(*plan.source.dir_node, kWhiteout);
    if (!checked.ok()) return checked.error();
  }
  return plan;
}

void MemFs::Body::MoveInto(const OpContext& op, NodeId id, NodeId from_dir, NodeId to_dir) {
  Node& node = Writable(id);
  Bump(node, op.now);
  if (!node.is_directory() || from_dir == to_dir) return;
  node.WritablePart<DirectoryPart>().parent = to_dir;
  DropSubdirectory(from_dir);
  AddSubdirectory(to_dir);
}

void MemFs::Body::Exchange(const OpContext& op, const MemRename& plan) {
  const NodeId old_node = plan.source.entry->node;
  const NodeId new_node = plan.target.entry->node;
  const internal::NameTarget old_target = plan.source.entry->target();
  const internal::NameTarget new_target = plan.target.entry->target();
  WritableNames(plan.source.dir).Replace(plan.source.name, new_target);
  WritableNames(plan.target.dir).Replace(plan.target.name, old_target);
  MoveInto(op, old_node, plan.source.dir, plan.target.dir);
  MoveInto(op, new_node, plan.target.dir, plan.source.dir);
}

void MemFs::Body::Move(const OpContext& op, const MemRename& plan, RenameMode mode) {
  const NodeId moved = plan.source.entry->node;
  const internal::NameTarget target = plan.source.entry->target();
  const NodeId from_dir = plan.source.dir;
  const NodeId to_dir = plan.target.dir;
  if (plan.target.entry != nullptr) {
    const NodeId replaced = plan.target.entry->node;
    const bool was_directory = IsDirectory(plan.target.entry);
    WritableNames(to_dir).Replace(plan.target.name, target);
    if (was_directory) DropSubdirectory(to_dir);
    DropName(op, replaced);
  } else {
    WritableNames(to_dir).Insert(plan.target.name, target);
  }
  MoveInto(op, moved, from_dir, to_dir);
  if (mode != RenameMode::kLeaveWhiteout) {
    WritableNames(from_dir).Erase(plan.source.name);
    return;
  }
  const NodeId whiteout = MakeNode(op, from_dir, kWhiteout);
  Writable(whiteout).nlink = 1;
  WritableNames(from_dir).Replace(plan.source.name, internal::TargetOf(whiteout, *Find(whiteout)));
}

Result<void> MemFs::Rename(const OpContext& op, Place from, Place to, RenameMode mode) {
  Result<MemRename> plan = body_->CheckRename(from, to, mode);
  if (!plan.ok()) return plan.error();
  if (plan->same_node) return {};
  if (mode == RenameMode::kExchange) {
    body_->Exchange(op, *plan);
  } else {
    body_->Move(op, *plan, mode);
  }
  body_->TouchDirectory(from.dir, op.now);
  if (from.dir != to.dir) body_->TouchDirectory(to.dir, op.now);
  return {};
}

}  // namespace lamina
