#include "vfs/union/apply.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/store/paged_bytes.h"
#include "lamina/union/object_handle.h"
#include "vfs/union/copy_body.h"

namespace lamina {

std::string_view StepKindName(StepKind kind) {
  switch (kind) {
    case StepKind::kCreate:
      return "create";
    case StepKind::kCreateTemp:
      return "create in workdir";
    case StepKind::kCreateUnnamed:
      return "create unnamed in workdir";
    case StepKind::kCopyData:
      return "copy data";
    case StepKind::kSetAttr:
      return "set attributes";
    case StepKind::kSetXattr:
      return "set xattr";
    case StepKind::kDropXattr:
      return "remove xattr";
    case StepKind::kSyncNode:
      return "sync";
    case StepKind::kLinkNode:
      return "link";
    case StepKind::kLinkUnnamed:
      return "link into place";
    case StepKind::kRemove:
      return "remove";
    case StepKind::kRename:
      return "rename";
  }
  return "";
}

Application::Application(const OpContext& caller, UnionState& state, const Plan& plan,
                         std::uint64_t& next_temporary)
    : caller_(caller),
      mounter_(AsMounter(caller)),
      state_(state),
      plan_(plan),
      next_temporary_(next_temporary),
      slots_(static_cast<std::size_t>(plan.slots)) {}

Application::~Application() {
  for (Slot& each : slots_) {
    if (each.handle.value != 0) state_.fs(0).Close(each.handle);
  }
}

HandleId Application::TakeHandle(int slot) {
  return std::exchange(slots_[static_cast<std::size_t>(slot)].handle, HandleId{});
}

std::string Application::NextTemporary() {
  char text[17] = {'#'};
  const std::to_chars_result end = std::to_chars(text + 1, std::end(text), next_temporary_++, 16);
  return std::string(text, end.ptr);
}

Result<void> Application::Run() {
  for (const Step& step : plan_.steps) {
    const EventKind kind =
        step.phase == StepPhase::kCommit ? EventKind::kCommitStep : EventKind::kStep;
    caller_.probe.Emit([&] {
      return Event{.kind = kind,
                   .branch = step.branch,
                   .detail = static_cast<std::uint64_t>(step.kind),
                   .name = step.to.name.empty() ? step.place.name : step.to.name};
    });
    Result<void> done = RunStep(step);
    if (!done.ok()) {
      if (step.phase == StepPhase::kCleanUp || step.best_effort) continue;
      TakeBack();
      return done;
    }
    if (step.phase == StepPhase::kCommit) {
      undo_.clear();
      Committed(step);
    }
  }
  if (!plan_.refusal.has_value()) return {};
  TakeBack();
  return *plan_.refusal;
}

void Application::Committed(const Step& step) {
  if (step.kind == StepKind::kSetXattr && step.node.kind == StepNode::Kind::kWritableOf) {
    // What a mark says is known to the node from now on.
    UnionNode& node = state_.node(step.node.node);
    if (step.key.ends_with(".impure")) node.impure = true;
    if (step.key.ends_with(".opaque")) node.opaque = true;
  }
  if (step.supplants.value != 0) {
    // The kernel drops the dentry (ovl_clear_empty): the name is looked up anew.
    UnionNode& old = state_.node(step.supplants);
    state_.names.Erase(old.parent, old.name);
    old.dead = true;
  }
  if (step.linked.value != 0) {
    UnionNode& node = state_.node(step.linked);
    node.name_in_writable = true;
    CachedName* cached = state_.names.Find(node.parent, node.name);
    if (cached != nullptr) cached->in_writable = true;
  }
  if (step.body_copied.value != 0) {
    UnionNode& node = state_.node(step.body_copied);
    node.metacopy = false;
    ++node.copy_ups;
  }
  if (step.copied_up.value == 0) return;
  UnionNode& node = state_.node(step.copied_up);
  const Slot& made = slots_[static_cast<std::size_t>(step.node.slot)];
  node.hits.insert(node.hits.begin(), Hit{step.branch, made.node, node.type});
  node.has_writable = true;
  node.metacopy = step.metacopy;
  node.indexed = step.indexed;
  if (step.metacopy) node.digest = false;
  ++node.copy_ups;
  if (node.type == FileType::kDirectory) node.may_hold_whiteouts = true;
  if (node.keys.empty()) {
    state_.nodes.SetKey(node, NodeKey{&state_.fs(step.branch), made.node});
  }
  if (node.handles > 0) {
    // Handles opened before follow the copy, even if its name goes before their next use.
    Result<HandleId> pin = state_.fs(0).Open(mounter_, made.node, {.access = Access::kPath});
    if (pin.ok()) node.writable_pin = *pin;
  }
}

Result<NodeId> Application::Resolve(const StepNode& node) const {
  switch (node.kind) {
    case StepNode::Kind::kNone:
      return Errno::kInval;
    case StepNode::Kind::kFixed:
      return node.node;
    case StepNode::Kind::kWritableOf: {
      const UnionNode* found = state_.nodes.Find(node.node);
      if (found == nullptr || !found->has_writable) return Errno::kStale;
      return found->top().node;
    }
    case StepNode::Kind::kSlot:
      return slots_[static_cast<std::size_t>(node.slot)].node;
  }
  return Errno::kInval;
}

Result<Place> Application::ResolvePlace(const StepPlace& place) const {
  if (place.dir.kind == StepNode::Kind::kSlot) {
    const Slot& made = slots_[static_cast<std::size_t>(place.dir.slot)];
    return Place{state_.work, made.temporary};
  }
  Result<NodeId> dir = Resolve(place.dir);
  if (!dir.ok()) return dir.error();
  return Place{*dir, place.name};
}

Result<void> Application::RunStep(const Step& step) {
  const OpContext& op = step.as_mounter ? mounter_ : caller_;
  FileSystem& fs = state_.fs(step.branch);
  switch (step.kind) {
    case StepKind::kCreate:
    case StepKind::kCreateTemp:
    case StepKind::kCreateUnnamed:
      return Make(op, step);
    case StepKind::kCopyData:
      return CopyData(step);
    case StepKind::kSetXattr:
    case StepKind::kDropXattr:
      return SetMark(op, step);
    case StepKind::kLinkNode:
    case StepKind::kLinkUnnamed:
      return LinkStep(op, step);
    case StepKind::kRename:
      return RenameStep(op, step);
    case StepKind::kSetAttr: {
      Result<NodeId> node = Resolve(step.node);
      if (!node.ok()) return node.error();
      return fs.SetAttr(op, *node, step.change);
    }
    case StepKind::kSyncNode: {
      const HandleId handle = slots_[static_cast<std::size_t>(step.node.slot)].handle;
      return fs.Sync(op, handle, SyncMode::kAll);
    }
    case StepKind::kRemove: {
      Result<Place> place = ResolvePlace(step.place);
      if (!place.ok()) return place.error();
      return fs.Remove(op, *place, step.type);
    }
  }
  return Errno::kInval;
}

Result<void> Application::Make(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  Slot& made = slots_[static_cast<std::size_t>(step.result_slot)];
  const NewNode node{step.type, step.mode, step.rdev, step.target};
  if (step.kind == StepKind::kCreateUnnamed) {
    NodeId dir = state_.work;
    if (step.place.dir.kind != StepNode::Kind::kNone) {
      Result<NodeId> resolved = Resolve(step.place.dir);
      if (!resolved.ok()) return resolved.error();
      dir = *resolved;
    }
    Result<Opened> opened = fs.CreateUnnamed(op, dir, node, step.open_flags);
    if (!opened.ok()) return opened.error();
    made.node = opened->node;
    made.handle = opened->handle;
    return {};
  }
  Place place{state_.work, {}};
  if (step.kind == StepKind::kCreateTemp) {
    made.temporary = NextTemporary();
    place.name = made.temporary;
  } else {
    Result<Place> resolved = ResolvePlace(step.place);
    if (!resolved.ok()) return resolved.error();
    place = *resolved;
  }
  Result<NodeId> created = fs.Create(op, place, node);
  if (!created.ok()) return created.error() == Errno::kStale ? Errno::kNoEnt : created.error();
  made.node = *created;
  if (step.phase == StepPhase::kPrepare) undo_.push_back({&step, {}, {}});
  return {};
}

Result<void> Application::CopyData(const Step& step) {
  FileSystem& target = state_.fs(step.branch);
  Result<NodeId> node = Resolve(step.node);
  if (!node.ok()) return node.error();
  // A file made by this plan is open already.
  const bool made_here = step.node.kind == StepNode::Kind::kSlot;
  Result<HandleId> handle = made_here ? Result<HandleId>(slot(step.node).handle)
                                      : target.Open(mounter_, *node, {.access = Access::kWrite});
  if (!handle.ok()) return handle.error();
  Result<std::uint64_t> copied = CopyBody(mounter_, state_.fs(step.source_branch), step.source,
                                          target, *handle, *node, step.length_bytes);
  if (!made_here) target.Close(*handle);
  if (!copied.ok()) return copied.error();
  caller_.probe.Emit([&] {
    return Event{.kind = EventKind::kBytesCopied,
                 .branch = step.source_branch,
                 .subject = step.source.value,
                 .amount = *copied};
  });
  return {};
}

Result<void> Application::SetMark(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  Result<NodeId> node = Resolve(step.node);
  if (!node.ok()) return node.error();
  const bool undoable =
      step.phase == StepPhase::kPrepare && step.node.kind != StepNode::Kind::kSlot;
  std::optional<std::string> before;
  if (undoable) {
    Result<std::string> value = fs.GetXattr(mounter_, *node, step.key);
    if (value.ok()) before = *std::move(value);
  }
  std::string value = step.value;
  if (step.handle_slot >= 0) {
    Result<Stat> stat = fs.GetAttr(mounter_, slot_node(step.handle_slot));
    if (!stat.ok()) return stat.error();
    value = EncodeHandle(mounter_, fs, *stat, HandleOf::kWritable);
  }
  Result<void> done = step.kind == StepKind::kSetXattr
                          ? fs.SetXattr(op, *node, step.key, value, step.xattr_mode)
                          : fs.RemoveXattr(op, *node, step.key);
  if (done.ok() && undoable) undo_.push_back({&step, std::move(before), {}});
  if (done.ok() && step.redirects.value != 0) state_.node(step.redirects).redirect = step.value;
  return done;
}

Result<void> Application::LinkStep(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  if (step.to.dir.kind == StepNode::Kind::kSlot) slot(step.to.dir).temporary = NextTemporary();
  Result<Place> place = ResolvePlace(step.to);
  if (!place.ok()) return place.error() == Errno::kStale ? Errno::kNoEnt : place.error();
  Result<void> linked;
  if (step.kind == StepKind::kLinkUnnamed) {
    const HandleId handle = step.handle.value != 0 ? step.handle : slot(step.node).handle;
    linked = fs.LinkHandle(op, handle, *place);
  } else {
    Result<NodeId> node = Resolve(step.node);
    if (!node.ok()) return node.error();
    linked = fs.Link(op, *node, *place);
  }
  // A directory that lost its last name is gone: nothing can be put into it.
  if (!linked.ok()) return linked.error() == Errno::kStale ? Errno::kNoEnt : linked.error();
  if (step.phase == StepPhase::kPrepare) undo_.push_back({&step, {}, {}});
  return {};
}

Result<void> Application::RenameStep(const OpContext& op, const Step& step) {
  Result<Place> from = ResolvePlace(step.place);
  if (!from.ok()) return from.error();
  Result<Place> to = ResolvePlace(step.to);
  if (!to.ok()) return to.error() == Errno::kStale ? Errno::kNoEnt : to.error();
  Result<void> renamed = state_.fs(step.branch).Rename(op, *from, *to, step.rename_mode);
  if (!renamed.ok()) return renamed.error() == Errno::kStale ? Errno::kNoEnt : renamed.error();
  return {};
}

void Application::TakeBack() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) TakeBackOne(*undo);
  undo_.clear();
}

void Application::TakeBackOne(const Undo& undo) {
  const Step& step = *undo.step;
  FileSystem& fs = state_.fs(step.branch);
  caller_.probe.Emit([&] {
    return Event{.kind = EventKind::kUndo,
                 .branch = step.branch,
                 .detail = static_cast<std::uint64_t>(step.kind),
                 .name = step.place.name};
  });
  Result<void> done;
  if (step.kind == StepKind::kSetXattr || step.kind == StepKind::kDropXattr) {
    Result<NodeId> node = Resolve(step.node);
    if (!node.ok()) return;
    done = undo.old_value.has_value()
               ? fs.SetXattr(mounter_, *node, step.key, *undo.old_value, XattrMode::kSet)
               : fs.RemoveXattr(mounter_, *node, step.key);
    return;
  }
  const Slot& made = slots_[static_cast<std::size_t>(step.result_slot)];
  // Litter that cannot be removed is cleaned by the next mount.
  done = fs.Remove(mounter_, {state_.work, made.temporary}, step.type);
}

}  // namespace lamina
