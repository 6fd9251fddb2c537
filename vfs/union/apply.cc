#include "vfs/union/apply.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
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
    if (each.handle.value != 0) state_.fs(each.branch).Close(each.handle);
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

Result<std::string> Application::NextBeside(FileSystem& fs, NodeId dir, std::string_view name) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    const auto number = static_cast<std::uint16_t>(next_temporary_++);
    std::string beside = absl::StrFormat(".wh..wh.%s.%04x", name, number);
    if (!fs.Lookup(mounter_, {dir, beside}).ok()) return beside;
  }
  return Errno::kExist;
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
    if (step.phase == StepPhase::kPrepare) KeepTimes(step);
    Result<void> done = RunStep(step);
    if (!done.ok()) {
      const Errno error = done.error();
      const bool counts = step.minds_quota && (error == Errno::kDQuot || error == Errno::kNoMem);
      if (step.phase == StepPhase::kCleanUp || (step.best_effort && !counts)) continue;
      TakeBack();
      return done;
    }
    if (step.phase == StepPhase::kCommit) {
      undo_.clear();
      times_.clear();
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
  const int made_slot = step.made_slot >= 0 ? step.made_slot : step.node.slot;
  const Slot& made = slots_[static_cast<std::size_t>(made_slot)];
  const NodeKey key{&state_.fs(step.branch), made.node};
  if (step.rekeys) {
    if (!step.indexed) {
      for (const NodeKey& old : node.keys) dropped_keys_.emplace_back(node.id, old);
    }
    state_.nodes.Rekey(node, key, step.indexed);
    if (node.has_writable && step.indexed) state_.names.LeaveBranch(node);
    node.name_in_writable = !step.elsewhere;
    CachedName* cached = state_.names.Find(node.parent, node.name);
    if (cached != nullptr && !step.elsewhere) cached->in_writable = true;
  }
  if (step.sheds_lower) node.hits.clear();
  const auto below = std::find_if(node.hits.begin(), node.hits.end(),
                                  [&](const Hit& hit) { return hit.branch > step.branch; });
  node.hits.insert(below, Hit{step.branch, made.node, node.type});
  node.has_writable = state_.writable(node.top().branch);
  node.metacopy = step.metacopy;
  node.indexed = step.indexed;
  if (step.nlink > 0) node.nlink = step.nlink;
  if (step.metacopy) node.digest = false;
  ++node.copy_ups;
  if (node.type == FileType::kDirectory) node.may_hold_whiteouts = true;
  if (node.keys.empty()) {
    state_.nodes.SetKey(node, key);
  }
  if (node.handles > 0) {
    // Handles opened before follow the copy, even if its name goes before their next use.
    FileSystem& fs = state_.fs(step.branch);
    Result<HandleId> pin = fs.Open(mounter_, made.node, {.access = Access::kPath});
    if (pin.ok()) node.Pin(fs, *pin);
  }
}

Result<NodeId> Application::Resolve(const StepNode& node, BranchIndex branch) const {
  switch (node.kind) {
    case StepNode::Kind::kNone:
      return Errno::kInval;
    case StepNode::Kind::kFixed:
      return node.node;
    case StepNode::Kind::kWritableOf: {
      const UnionNode* found = state_.nodes.Find(node.node);
      const Hit* hit = found == nullptr ? nullptr : found->in_branch(branch);
      if (hit == nullptr) return Errno::kStale;
      return hit->node;
    }
    case StepNode::Kind::kSlot:
      return slots_[static_cast<std::size_t>(node.slot)].node;
  }
  return Errno::kInval;
}

Result<Place> Application::ResolvePlace(const StepPlace& place, BranchIndex branch) const {
  if (place.dir.kind == StepNode::Kind::kSlot && place.name.empty()) {
    return slot_place(place.dir.slot);
  }
  Result<NodeId> dir = Resolve(place.dir, branch);
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
      Result<NodeId> node = Resolve(step.node, step.branch);
      if (!node.ok()) return node.error();
      return fs.SetAttr(op, *node, step.change);
    }
    case StepKind::kSyncNode: {
      const HandleId handle = slots_[static_cast<std::size_t>(step.node.slot)].handle;
      return fs.Sync(op, handle, SyncMode::kAll);
    }
    case StepKind::kRemove: {
      Result<Place> place = ResolvePlace(step.place, step.branch);
      if (!place.ok()) return place.error();
      const bool loses_name = step.copied_up.value != 0 && step.node.kind == StepNode::Kind::kSlot;
      if (loses_name) {
        // The object is used without a name from now on.
        Slot& made = slot(step.node);
        Result<HandleId> held = fs.Open(op, made.node, {.access = Access::kPath});
        if (!held.ok()) return held.error();
        made.handle = *held;
      }
      return fs.Remove(op, *place, step.type);
    }
  }
  return Errno::kInval;
}

Result<void> Application::Make(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  Slot& made = slots_[static_cast<std::size_t>(step.result_slot)];
  made.branch = step.branch;
  const NewNode node{step.type, step.mode, step.rdev, step.target};
  if (step.kind == StepKind::kCreateUnnamed) {
    NodeId dir = state_.work;
    if (step.place.dir.kind != StepNode::Kind::kNone) {
      Result<NodeId> resolved = Resolve(step.place.dir, step.branch);
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
  const bool temporary = step.kind == StepKind::kCreateTemp;
  if (!temporary || step.beside) {
    Result<Place> resolved = ResolvePlace(step.place, step.branch);
    if (!resolved.ok()) return resolved.error();
    place = *resolved;
  }
  if (temporary) {
    Result<std::string> name =
        step.beside ? NextBeside(fs, place.dir, place.name) : Result<std::string>(NextTemporary());
    if (!name.ok()) return name.error();
    made.dir = place.dir;
    made.temporary = *std::move(name);
    place.name = made.temporary;
  }
  Result<NodeId> created = fs.Create(op, place, node);
  if (!created.ok()) return created.error() == Errno::kStale ? Errno::kNoEnt : created.error();
  made.node = *created;
  if (step.phase == StepPhase::kPrepare) undo_.push_back({&step, std::nullopt});
  return {};
}

Result<void> Application::CopyData(const Step& step) {
  FileSystem& target = state_.fs(step.branch);
  Result<NodeId> node = Resolve(step.node, step.branch);
  if (!node.ok()) return node.error();
  // A file that this plan made without a name is open already.
  const bool is_open = step.node.kind == StepNode::Kind::kSlot && slot(step.node).handle.value != 0;
  Result<HandleId> handle = is_open ? Result<HandleId>(slot(step.node).handle)
                                    : target.Open(mounter_, *node, {.access = Access::kWrite});
  if (!handle.ok()) return handle.error();
  Result<std::uint64_t> copied =
      CopyBody(mounter_, state_.fs(step.source_branch), step.source, target, *handle, *node,
               step.length_bytes, step.drops_zeros);
  if (!is_open) target.Close(*handle);
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
  Result<NodeId> node = Resolve(step.node, step.branch);
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
  if (done.ok() && undoable) undo_.push_back({&step, std::move(before)});
  if (done.ok() && step.redirects.value != 0) state_.node(step.redirects).redirect = step.value;
  return done;
}

Result<void> Application::LinkStep(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  if (step.to.dir.kind == StepNode::Kind::kSlot && step.to.name.empty()) {
    Slot& temporary = slot(step.to.dir);
    temporary.branch = step.branch;
    temporary.dir = state_.work;
    temporary.temporary = NextTemporary();
  }
  Result<Place> place = ResolvePlace(step.to, step.branch);
  if (!place.ok()) return place.error() == Errno::kStale ? Errno::kNoEnt : place.error();
  std::string numbered;
  if (step.number_slot >= 0) {
    Result<Stat> stat = fs.GetAttr(mounter_, slot_node(step.number_slot));
    if (!stat.ok()) return stat.error();
    numbered = absl::StrFormat("%s%d", place->name, stat->ino);
    place->name = numbered;
  }
  Result<void> linked;
  if (step.kind == StepKind::kLinkUnnamed) {
    const HandleId handle = step.handle.value != 0 ? step.handle : slot(step.node).handle;
    linked = fs.LinkHandle(op, handle, *place);
  } else {
    Result<NodeId> node = Resolve(step.node, step.branch);
    if (!node.ok()) return node.error();
    linked = fs.Link(op, *node, *place);
    if (linked.ok() && step.result_slot >= 0) {
      slots_[static_cast<std::size_t>(step.result_slot)].node = *node;
    }
  }
  // A directory that lost its last name is gone: nothing can be put into it.
  if (!linked.ok()) return linked.error() == Errno::kStale ? Errno::kNoEnt : linked.error();
  if (step.phase == StepPhase::kPrepare) undo_.push_back({&step, std::nullopt});
  return {};
}

Result<void> Application::RenameStep(const OpContext& op, const Step& step) {
  FileSystem& fs = state_.fs(step.branch);
  Result<Place> from = ResolvePlace(step.place, step.branch);
  if (!from.ok()) return from.error();
  if (step.to.dir.kind == StepNode::Kind::kSlot) {
    Slot& aside = slot(step.to.dir);
    if (aside.temporary.empty()) {
      Result<std::string> name = NextBeside(fs, from->dir, from->name);
      if (!name.ok()) return name.error();
      aside.branch = step.branch;
      aside.dir = from->dir;
      aside.temporary = *std::move(name);
    }
  }
  Result<Place> to = ResolvePlace(step.to, step.branch);
  if (!to.ok()) return to.error() == Errno::kStale ? Errno::kNoEnt : to.error();
  Result<void> renamed = fs.Rename(op, *from, *to, step.rename_mode);
  if (!renamed.ok()) return renamed.error() == Errno::kStale ? Errno::kNoEnt : renamed.error();
  if (step.reversible && step.phase == StepPhase::kPrepare) undo_.push_back({&step, std::nullopt});
  return {};
}

void Application::TakeBack() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) TakeBackOne(*undo);
  undo_.clear();
  for (const OldTimes& old : times_) {
    const AttrChange change{.atime = old.atime, .mtime = old.mtime};
    Result<void> restored = state_.fs(old.branch).SetAttr(mounter_, old.dir, change);
    (void)restored;  // the directory may be gone
  }
  times_.clear();
}

void Application::KeepTimes(const Step& step) {
  for (const StepPlace* place : {&step.place, &step.to}) {
    if (place->dir.kind != StepNode::Kind::kWritableOf) continue;
    if (step.kind == StepKind::kCreateTemp && !step.beside) continue;  // in the work directory
    Result<NodeId> dir = Resolve(place->dir, step.branch);
    if (!dir.ok()) continue;
    const auto known = [&](const OldTimes& old) {
      return old.branch == step.branch && old.dir == *dir;
    };
    if (std::any_of(times_.begin(), times_.end(), known)) continue;
    Result<Stat> stat = state_.fs(step.branch).GetAttr(mounter_, *dir);
    if (stat.ok()) times_.push_back({step.branch, *dir, stat->atime, stat->mtime});
  }
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
  // What cannot be taken back is litter, which the next mount cleans up.
  Result<void> done;
  switch (step.kind) {
    case StepKind::kSetXattr:
    case StepKind::kDropXattr: {
      Result<NodeId> node = Resolve(step.node, step.branch);
      if (!node.ok()) return;
      done = undo.old_value.has_value()
                 ? fs.SetXattr(mounter_, *node, step.key, *undo.old_value, XattrMode::kSet)
                 : fs.RemoveXattr(mounter_, *node, step.key);
      return;
    }
    case StepKind::kRename: {
      Result<Place> from = ResolvePlace(step.place, step.branch);
      Result<Place> to = ResolvePlace(step.to, step.branch);
      if (from.ok() && to.ok()) done = fs.Rename(mounter_, *to, *from, step.rename_mode);
      return;
    }
    case StepKind::kLinkNode:
    case StepKind::kLinkUnnamed: {
      Result<Place> place = ResolvePlace(step.to, step.branch);
      if (place.ok()) done = fs.Remove(mounter_, *place, step.type);
      return;
    }
    default: {
      const bool temporary = step.kind == StepKind::kCreateTemp;
      Result<Place> place = temporary ? Result<Place>(slot_place(step.result_slot))
                                      : ResolvePlace(step.place, step.branch);
      if (place.ok()) done = fs.Remove(mounter_, *place, step.type);
      return;
    }
  }
}

}  // namespace lamina
