// Overlay copy-up: a lower object gets its copy in the writable branch (fs/overlayfs/copy_up.c).
//
// Every ancestor without a writable part first, top down; each object is one transaction: prepared
// in the work directory, made visible by one rename or link.
#include <algorithm>

#include "lamina/base/check.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

constexpr std::string_view kCapability = "security.capability";

// Appends a mark unless the plan has just that step already.
void AddMark(StepNode node, StepPhase phase, const std::string& key, std::string_view value,
             Plan& plan) {
  const bool there = std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    return step.kind == StepKind::kSetXattr && step.node == node && step.key == key;
  });
  if (there) return;
  Step& step = plan.Add(StepKind::kSetXattr, phase);
  step.node = node;
  step.key = key;
  step.value = std::string(value);
}

// The copy is made with the mounter's ids; owner first, since a change of owner drops set-id bits
// and capabilities, which the copy keeps.
void AddOwner(int slot, const Stat& stat, Plan& plan) {
  if (stat.uid == 0 && stat.gid == 0) return;
  Step& step = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  step.node = StepNode::Slot(slot);
  step.change.uid = stat.uid;
  step.change.gid = stat.gid;
}

void AddModeAndTimes(int slot, const Stat& stat, Plan& plan) {
  Step& step = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  step.node = StepNode::Slot(slot);
  if (stat.type != FileType::kSymlink) step.change.mode = stat.mode;
  step.change.atime = stat.atime;
  step.change.mtime = stat.mtime;
}

// Appends the copy of every xattr that is not a private mark.
Result<void> AddXattrs(const OpContext& op, const OverlayDialect& dialect, FileSystem& fs,
                       NodeId source, int slot, Plan& plan) {
  Result<std::vector<std::string>> keys = fs.ListXattr(op, source);
  if (!keys.ok()) return keys.error() == Errno::kOpNotSupp ? Result<void>() : keys.error();
  for (std::string& key : *keys) {
    if (!dialect.ShownXattr(key).has_value()) continue;
    Result<std::string> value = fs.GetXattr(op, source, key);
    if (!value.ok()) return value.error();
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
    step.node = StepNode::Slot(slot);
    step.key = std::move(key);
    step.value = *std::move(value);
  }
  return {};
}

// An object like `source` in the work directory, still without attributes. Its slot.
Result<int> AddTemporary(const OpContext& op, FileSystem& fs, NodeId source, const Stat& stat,
                         Plan& plan) {
  const bool regular = stat.type == FileType::kRegular;
  const int slot = plan.NewSlot();
  Step& make =
      plan.Add(regular ? StepKind::kCreateUnnamed : StepKind::kCreateTemp, StepPhase::kPrepare);
  make.type = stat.type;
  make.mode = stat.type == FileType::kDirectory ? 0700 : 0600;
  make.rdev = stat.rdev;
  make.result_slot = slot;
  make.open_flags = {.access = Access::kReadWrite};
  if (stat.type != FileType::kSymlink) return slot;
  Result<std::string> target = fs.ReadLink(op, source);
  if (!target.ok()) return target.error();
  make.target = *std::move(target);
  make.mode = 0777;
  return slot;
}

void AddMetacopy(int slot, const std::string& key, std::uint64_t size_bytes, Plan& plan) {
  AddMark(StepNode::Slot(slot), StepPhase::kPrepare, key, "", plan);
  Step& size = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  size.node = StepNode::Slot(slot);
  size.change.size_bytes = size_bytes;
}

}  // namespace

void OverlayDialect::PlanImpure(const UnionNode& dir, Plan& plan) const {
  if (dir.impure) return;
  // A transaction of its own: the mark stays when what follows fails, as in the kernel.
  AddMark(StepNode::WritableOf(dir.id), StepPhase::kCommit, config_.marks.impure, "y", plan);
}

void OverlayDialect::PlanPure(const UnionNode& dir, Plan& plan) const {
  Step& step = plan.Add(StepKind::kDropXattr, StepPhase::kCommit);
  step.node = StepNode::WritableOf(dir.id);
  step.key = config_.marks.impure;
}

void OverlayDialect::PlanRepair(const OpContext& caller, const UnionState& state,
                                const UnionNode& dir, const Resolution& found, Plan& plan) const {
  if (!found.origin_missing) return;
  const Hit& lower = found.hits[1];
  Result<Stat> stat = state.fs(lower.branch).GetAttr(AsMounter(caller), lower.node);
  if (!stat.ok()) return;
  AddMark(StepNode::Fixed(found.hits[0].node), StepPhase::kCommit, config_.marks.origin,
          EncodeHandle(caller, state.fs(lower.branch), *stat, HandleOf::kLower), plan);
  PlanImpure(dir, plan);
}

void OverlayDialect::AddParentTimes(const UnionNode& parent, const Stat& stat, Plan& plan) const {
  Step& restore = plan.Add(StepKind::kSetAttr, StepPhase::kCleanUp);
  restore.node = StepNode::WritableOf(parent.id);
  restore.change.atime = stat.atime;
  restore.change.mtime = stat.mtime;
}

bool OverlayDialect::IsMetacopy(const UnionNode& node) const {
  if (node.type != FileType::kRegular) return false;
  return node.has_writable ? node.metacopy : node.hits.size() > 1 || !node.data_redirect.empty();
}

Result<Hit> OverlayDialect::FindBody(const OpContext& caller, const UnionState& state,
                                     const UnionNode& node) const {
  const OpContext op = AsMounter(caller);
  Hit body;
  if (const Hit* known = node.body(); known != nullptr) {
    body = *known;
  } else {
    Result<Hit> found = FindInDataBranches(op, state, node.data_redirect);
    if (!found.ok()) return found;
    body = *found;
  }
  if (config_.verity == VerityMode::kOff || !IsMetacopy(node)) return body;
  if (!node.digest) {
    if (config_.verity == VerityMode::kRequire) return Errno::kIo;
    return body;
  }
  // No file here is protected by fs-verity, so a digest never fits (ovl_validate_verity).
  const Hit& top = node.top();
  const std::optional<std::string> mark =
      ReadMark(op, state.fs(top.branch), top.node, config_.marks.metacopy);
  constexpr std::size_t kAlgorithm = 3;  // version, length, flags, algorithm, digest
  const bool valid =
      mark.has_value() && (*mark)[0] == 0 && static_cast<unsigned char>((*mark)[1]) == mark->size();
  if (!valid || (*mark)[kAlgorithm] != 0 || config_.verity == VerityMode::kRequire) {
    return Errno::kIo;
  }
  return body;
}

Result<Hit> OverlayDialect::FindInDataBranches(const OpContext& op, const UnionState& state,
                                               std::string_view path) const {
  Errno error = Errno::kNoEnt;
  for (std::size_t i = 0; i < state.branches.size(); ++i) {
    const Branch& branch = state.branches[i];
    if (!branch.data_only) continue;
    // No symlink is followed, nothing leaves the layer.
    NodeId at = branch.root;
    FileType type = FileType::kDirectory;
    Result<void> walked;
    for (std::size_t begin = 1; walked.ok() && begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      Result<NodeId> next =
          type == FileType::kDirectory
              ? branch.fs->Lookup(op, {at, path.substr(begin, end - begin)})
              : Result<NodeId>(type == FileType::kSymlink ? Errno::kLoop : Errno::kNotDir);
      Result<Stat> stat = next.ok() ? branch.fs->GetAttr(op, *next) : Result<Stat>(next.error());
      if (!stat.ok()) {
        walked = stat.error();
        break;
      }
      at = *next;
      type = stat->type;
      begin = end + 1;
    }
    if (walked.ok() && type == FileType::kRegular) {
      return Hit{static_cast<BranchIndex>(i), at, type};
    }
    error = walked.ok() ? Errno::kNoEnt : walked.error();
  }
  return error;
}

Result<BranchIndex> OverlayDialect::PlanCopyUp(const OpContext& caller, const UnionState& state,
                                               UnionNode& node, BodyNeed need, Plan& plan) const {
  constexpr BranchIndex kUpper = 0;
  const OpContext op = AsMounter(caller);
  if (IsMetacopy(node)) {
    // Asked for before anything changes, whether or not this change copies it.
    Result<Hit> body = FindBody(op, state, node);
    if (!body.ok()) return body.error();
  }
  const bool whole = node.has_writable && !node.needs_link();
  if (whole && !(need.data && node.metacopy)) return kUpper;
  std::vector<UnionNode*> chain;  // bottom up
  for (UnionNode* at = &node; !at->has_writable || at->needs_link(); at = &state.node(at->parent)) {
    chain.push_back(at);
    if (state.nodes.Find(at->parent) == nullptr) return Errno::kStale;
  }
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    UnionNode& parent = state.node((*at)->parent);
    if (Result<void> planned = PlanCopyUpOne(op, state, **at, parent, need, plan); !planned.ok()) {
      return planned.error();
    }
  }
  if (node.has_writable && need.data && node.metacopy) {
    if (Result<void> planned = PlanBody(op, state, node, need, plan); !planned.ok()) {
      return planned.error();
    }
  }
  return kUpper;
}

// The body of a file whose copy has only its attributes (ovl_copy_up_meta_inode_data).
Result<void> OverlayDialect::PlanBody(const OpContext& op, const UnionState& state, UnionNode& node,
                                      BodyNeed need, Plan& plan) const {
  Result<Hit> body = FindBody(op, state, node);
  if (!body.ok()) return body.error();
  const Hit& lower = *node.first_lower();
  Result<Stat> stat = state.fs(lower.branch).GetAttr(op, lower.node);
  if (!stat.ok()) return stat.error();
  const std::uint64_t length = std::min(need.limit_bytes, stat->size_bytes);
  const StepNode copy_node = StepNode::WritableOf(node.id);
  if (length > 0) {
    Result<std::string> capability = state.fs(0).GetXattr(op, node.top().node, kCapability);
    Step& copy = plan.Add(StepKind::kCopyData, StepPhase::kPrepare);
    copy.node = copy_node;
    copy.source_branch = body->branch;
    copy.source = body->node;
    copy.length_bytes = length;
    if (capability.ok()) {
      // Writing drops it; the copy keeps it.
      Step& keep = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
      keep.node = copy_node;
      keep.key = std::string(kCapability);
      keep.value = *std::move(capability);
    }
  }
  Step& drop = plan.Add(StepKind::kDropXattr, StepPhase::kCommit);
  drop.node = copy_node;
  drop.key = config_.marks.metacopy;
  drop.body_copied = node.id;
  return {};
}

Result<void> OverlayDialect::PlanCopyUpOne(const OpContext& op, const UnionState& state,
                                           UnionNode& node, UnionNode& parent, BodyNeed need,
                                           Plan& plan) const {
  const auto planned = [&](const Step& step) {
    return step.copied_up == node.id || step.linked == node.id;
  };
  if (std::any_of(plan.steps.begin(), plan.steps.end(), planned)) return {};
  if (node.has_writable) {  // only its name is missing
    Result<Stat> copy = state.fs(0).GetAttr(op, node.top().node);
    if (!copy.ok()) return copy.error();
    return PlanLinkUp(op, state, node, parent, copy->nlink, plan);
  }
  const Hit& source = node.top();
  FileSystem& fs = state.fs(source.branch);
  Result<Stat> stat = fs.GetAttr(op, source.node);
  if (!stat.ok()) return stat.error();
  const bool parent_is_up = parent.has_writable;
  Result<Stat> parent_stat = state.fs(parent.top().branch).GetAttr(op, parent.top().node);
  if (!parent_stat.ok() && parent_is_up) {
    // The directory was removed. What is renamed into place meets it below the work directory then.
    return parent.buried && stat->type != FileType::kRegular ? Errno::kIo : Errno::kNoEnt;
  }
  if (!parent_stat.ok()) return parent_stat.error();
  Result<bool> indexed = NeedsIndex(op, state, node);
  if (!indexed.ok()) return indexed.error();
  const bool directory = stat->type == FileType::kDirectory;
  const bool to_index = *indexed && !directory;
  if (!to_index) PlanImpure(parent, plan);

  const bool regular = stat->type == FileType::kRegular;
  const bool metacopy =
      regular && config_.metacopy && !need.data && config_.verity != VerityMode::kRequire;
  Result<int> made = AddTemporary(op, fs, source.node, *stat, plan);
  if (!made.ok()) return made.error();
  const int slot = *made;
  const std::uint64_t length = std::min(need.limit_bytes, stat->size_bytes);
  if (regular && length > 0 && !metacopy) {
    Result<Hit> body = FindBody(op, state, node);
    if (!body.ok()) return body.error();
    Step& copy = plan.Add(StepKind::kCopyData, StepPhase::kPrepare);
    copy.node = StepNode::Slot(slot);
    copy.source_branch = body->branch;
    copy.source = body->node;
    copy.length_bytes = length;
  }
  AddOwner(slot, *stat, plan);
  if (Result<void> copied = AddXattrs(op, *this, fs, source.node, slot, plan); !copied.ok()) {
    return copied;
  }
  if (directory || stat->nlink == 1 || to_index) {
    AddMark(StepNode::Slot(slot), StepPhase::kPrepare, config_.marks.origin,
            EncodeHandle(op, fs, *stat, HandleOf::kLower), plan);
    // user.* keys are refused on special files; the kernel does without the origin then.
    plan.steps.back().best_effort = config_.prefix.starts_with("user.") && !regular && !directory;
  }
  if (metacopy) {
    AddMetacopy(slot, config_.marks.metacopy, stat->size_bytes, plan);
  }
  AddModeAndTimes(slot, *stat, plan);
  if (config_.sync && regular) {
    plan.Add(StepKind::kSyncNode, StepPhase::kPrepare).node = StepNode::Slot(slot);
  }
  if (*indexed && directory) {
    Result<void> entry = PlanDirectoryIndex(op, state, node, slot, plan);
    if (!entry.ok()) return entry;
  }
  StepPlace target{StepNode::WritableOf(parent.id), node.name};
  if (to_index) {
    Result<std::string> name = IndexNameOf(op, state, node);
    if (!name.ok()) return name.error();
    target = {StepNode::Fixed(state.work), *std::move(name)};
  }
  Step& publish =
      plan.Add(regular ? StepKind::kLinkUnnamed : StepKind::kRename, StepPhase::kCommit);
  publish.node = StepNode::Slot(slot);
  publish.place.dir = StepNode::Slot(slot);
  publish.to = std::move(target);
  publish.type = stat->type;
  publish.copied_up = node.id;
  publish.metacopy = metacopy;
  publish.indexed = *indexed;
  if (to_index) {
    AddNlinkMark(StepNode::WritableOf(node.id), 'U', node.nlink, 1, plan);
    return PlanLinkUp(op, state, node, parent, 1, plan);
  }
  // So the parent's mtime does not show the copy-up.
  AddParentTimes(parent, *parent_stat, plan);
  return {};
}

// The index entry of a directory: a directory that bears the handle of the copy.
Result<void> OverlayDialect::PlanDirectoryIndex(const OpContext& op, const UnionState& state,
                                                const UnionNode& node, int copy_slot,
                                                Plan& plan) const {
  Result<std::string> name = IndexNameOf(op, state, node);
  if (!name.ok()) return name.error();
  const int slot = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreateTemp, StepPhase::kPrepare);
  make.type = FileType::kDirectory;
  make.result_slot = slot;
  Step& mark = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
  mark.node = StepNode::Slot(slot);
  mark.key = config_.marks.upper;
  mark.handle_slot = copy_slot;
  Step& publish = plan.Add(StepKind::kRename, StepPhase::kPrepare);
  publish.node = StepNode::Slot(slot);
  publish.place.dir = StepNode::Slot(slot);
  publish.to = {StepNode::Fixed(state.work), *std::move(name)};
  publish.type = FileType::kDirectory;
  return {};
}

}  // namespace lamina
