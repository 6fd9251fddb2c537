// Overlay names: create, link, unlink, rmdir (fs/overlayfs/dir.c).
#include "lamina/base/check.h"
#include "lamina/fs/posix_acl.h"
#include "vfs/union/fuse_whiteouts.h"
#include "vfs/union/overlay_dialect.h"

namespace lamina {
namespace {

// After the copy-up that comes first.
bool WillHaveOrigin(const UnionNode& node) { return node.keeps_ino && node.lower_count() > 0; }

bool IsMergedOrWillBe(const UnionNode& dir) { return dir.hits.size() > 1 || !dir.has_writable; }

// Owner, mode and ACLs of a new object as its place gives them (inode_init_owner and
// posix_acl_create), for objects that are made in the work directory first.
struct Inheritance {
  std::uint16_t mode = 0;
  std::uint32_t gid = 0;
  std::string access_acl = {};  // empty: none
  std::string default_acl = {};
};

Result<Inheritance> InheritFrom(const OpContext& op, const UnionState& state, const UnionNode& dir,
                                const NewNode& node) {
  const OpContext mounter = AsMounter(op);
  FileSystem& fs = state.fs(dir.top().branch);
  Result<Stat> parent = fs.GetAttr(mounter, dir.top().node);
  if (!parent.ok()) return parent.error();
  Inheritance result{.mode = node.mode, .gid = op.cred.gid};
  if ((parent->mode & kModeSetGid) != 0) {
    result.gid = parent->gid;
    if (node.type == FileType::kDirectory) result.mode |= kModeSetGid;
  }
  if (node.type == FileType::kSymlink) return result;
  Result<std::string> acl = fs.GetXattr(mounter, dir.top().node, kDefaultAclKey);
  if (!acl.ok()) return result;
  Result<PosixAcl> parsed = ParsePosixAcl(*acl);
  if (!parsed.ok()) return parsed.error();
  InheritedAcl inherited = InheritAcl(*parsed, result.mode);
  result.mode = inherited.mode;
  if (inherited.access.has_value()) result.access_acl = FormatPosixAcl(*inherited.access);
  if (node.type == FileType::kDirectory) result.default_acl = *std::move(acl);
  return result;
}

// What a create in the work directory must still set so that it looks made in place.
void AddInheritance(const OpContext& op, const Inheritance& inherited, const NewNode& node,
                    int slot, Plan& plan) {
  if (inherited.gid != op.cred.gid) {
    Step& owner = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
    owner.node = StepNode::Slot(slot);
    owner.change.gid = inherited.gid;
  }
  if (node.type == FileType::kSymlink) return;
  Step& mode = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  mode.node = StepNode::Slot(slot);
  mode.change.mode = inherited.mode;
  const auto add_acl = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
    step.node = StepNode::Slot(slot);
    step.key = std::string(key);
    step.value = value;
  };
  add_acl(kAccessAclKey, inherited.access_acl);
  add_acl(kDefaultAclKey, inherited.default_acl);
}

void AddOpaque(StepNode node, const OverlayMarks& marks, Plan& plan) {
  Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
  step.node = node;
  step.key = marks.opaque;
  step.value.assign(1, 'y');
}

// Removes what stands at a slot's temporary place, after the commit.
void AddTempRemoval(int slot, FileType type, Plan& plan) {
  Step& step = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
  step.place.dir = StepNode::Slot(slot);
  step.type = type;
}

// Publishes a slot's temporary object at `to`.
Step& AddPublish(int slot, StepPlace to, RenameMode mode, Plan& plan) {
  Step& step = plan.Add(StepKind::kRename, StepPhase::kCommit);
  step.place.dir = StepNode::Slot(slot);
  step.node = StepNode::Slot(slot);
  step.to = std::move(to);
  step.rename_mode = mode;
  return step;
}

}  // namespace

bool OverlayDialect::IsMarkedOnly(const OpContext& op, const UnionState& state,
                                  const NamedNode& place) const {
  if (!config_.fuse_whiteouts || !place.whiteout_in_writable) return false;
  return !state.fs(0).Lookup(AsMounter(op), {place.dir->top().node, place.name}).ok();
}

Result<void> OverlayDialect::PlanCreate(const OpContext& op, const UnionState& state,
                                        const NamedNode& place, const NewNode& node,
                                        Plan& plan) const {
  if (config_.fuse_whiteouts && IsDotWhName(place.name)) return Errno::kInval;
  // A whiteout cannot be made from above.
  if (node.type == FileType::kCharDevice && node.rdev == 0) return Errno::kPerm;
  if (Result<BranchIndex> up = PlanCopyUp(op, state, *place.dir, {}, plan); !up.ok())
    return up.error();
  const StepNode parent = StepNode::WritableOf(place.dir->id);
  const bool directory = node.type == FileType::kDirectory;
  const int slot = plan.NewSlot();
  plan.made = slot;
  Step& make = plan.Add(place.whiteout_in_writable ? StepKind::kCreateTemp : StepKind::kCreate,
                        place.whiteout_in_writable ? StepPhase::kPrepare : StepPhase::kCommit);
  make.place = {parent, std::string(place.name)};
  make.type = node.type;
  make.mode = node.mode;
  make.rdev = node.rdev;
  make.target = std::string(node.symlink_target);
  make.as_mounter = false;
  make.result_slot = slot;
  if (!place.whiteout_in_writable) {
    if (directory && IsMergedOrWillBe(*place.dir) && !config_.allow_offline_changes) {
      AddOpaque(StepNode::Slot(slot), config_.marks, plan);
      plan.steps.back().phase = StepPhase::kCleanUp;  // an optimisation, allowed to fail
      plan.made_opaque = true;
    }
    return {};
  }
  Result<Inheritance> inherited = InheritFrom(op, state, *place.dir, node);
  if (!inherited.ok()) return inherited.error();
  AddInheritance(op, *inherited, node, slot, plan);
  if (directory) {
    AddOpaque(StepNode::Slot(slot), config_.marks, plan);
    plan.made_opaque = true;
  }
  const bool swaps = directory && !IsMarkedOnly(op, state, place);
  AddPublish(slot, {parent, std::string(place.name)},
             swaps ? RenameMode::kExchange : RenameMode::kReplace, plan);
  if (swaps) AddTempRemoval(slot, FileType::kCharDevice, plan);
  return {};
}

Result<void> OverlayDialect::PlanLink(const OpContext& op, const UnionState& state, UnionNode& node,
                                      HandleId unnamed, const NamedNode& place, Plan& plan) const {
  if (config_.fuse_whiteouts && IsDotWhName(place.name)) return Errno::kInval;
  for (UnionNode* each : {&node, place.dir}) {
    if (Result<BranchIndex> up = PlanCopyUp(op, state, *each, {}, plan); !up.ok())
      return up.error();
  }
  if (Result<std::uint32_t> counted = PlanNlinkStart(op, state, node, plan); !counted.ok()) {
    return counted.error();
  }
  if (WillBeMetacopy(node)) {
    if (Result<void> led = PlanRedirect(op, state, node, false, plan); !led.ok()) return led;
    if (plan.refusal.has_value()) return {};
  }
  if (WillHaveOrigin(node)) PlanImpure(*place.dir, plan);
  const StepPlace target{StepNode::WritableOf(place.dir->id), std::string(place.name)};
  const int slot = plan.NewSlot();
  Step& link = plan.Add(unnamed.value != 0 ? StepKind::kLinkUnnamed : StepKind::kLinkNode,
                        place.whiteout_in_writable ? StepPhase::kPrepare : StepPhase::kCommit);
  link.node = StepNode::WritableOf(node.id);
  link.handle = unnamed;
  link.type = node.type;
  link.result_slot = slot;
  link.to = place.whiteout_in_writable ? StepPlace{StepNode::Slot(slot), ""} : target;
  if (place.whiteout_in_writable) AddPublish(slot, target, RenameMode::kReplace, plan);
  return {};
}

Result<bool> OverlayDialect::LowerPositive(const OpContext& caller, const UnionState& state,
                                           const NamedNode& named) const {
  if (named.node == nullptr) return named.whiteout_in_writable;
  if (!named.node->has_writable) return true;
  const OpContext op = AsMounter(caller);
  for (std::size_t i = named.dir->has_writable ? 1 : 0; i < named.dir->hits.size(); ++i) {
    const Hit& below = named.dir->hits[i];
    FileSystem& fs = state.fs(below.branch);
    Result<NodeId> found = fs.Lookup(op, {below.node, named.name});
    if (!found.ok() && FindWhiteoutFile(op, state, below.branch, below.node, named.name).ok()) {
      return false;
    }
    if (!found.ok()) {
      if (found.error() == Errno::kNoEnt || found.error() == Errno::kNameTooLong) continue;
      return true;  // something is there that could not be read
    }
    Result<Stat> stat = fs.GetAttr(op, *found);
    if (!stat.ok()) return true;
    return !IsWhiteout(op, config_, fs, *found, *stat);
  }
  return false;
}

Result<std::vector<OverlayDialect::WhiteoutName>> OverlayDialect::EmptyDirectoryWhiteouts(
    const OpContext& op, const UnionState& state, const UnionNode& dir) const {
  Result<MergedListing> listing = List(op, state, dir);
  if (!listing.ok()) return listing.error();
  std::vector<WhiteoutName> whiteouts;
  for (const ListedEntry& entry : listing->entries) {
    if (!entry.whiteout) return Errno::kNotEmpty;
    if (entry.branch != 0 || !dir.has_writable) continue;
    std::string name(entry.dot_wh ? kDotWh : "");
    name += listing->name(entry);
    whiteouts.push_back({std::move(name), entry.type});
  }
  return whiteouts;
}

Result<int> OverlayDialect::PlanClearEmpty(const OpContext& caller, const UnionState& state,
                                           const NamedNode& victim,
                                           const std::vector<WhiteoutName>& whiteouts,
                                           Plan& plan) const {
  const OpContext op = AsMounter(caller);
  const NodeId old_dir = victim.node->top().node;
  FileSystem& fs = state.fs(0);
  Result<Stat> stat = fs.GetAttr(op, old_dir);
  if (!stat.ok()) return stat.error();
  Result<std::vector<std::string>> keys = fs.ListXattr(op, old_dir);
  if (!keys.ok()) return keys.error();
  const int slot = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreateTemp, StepPhase::kPrepare);
  make.type = FileType::kDirectory;
  make.mode = stat->mode;
  make.result_slot = slot;
  for (const std::string& key : *keys) {
    if (!ShownXattr(key).has_value()) continue;
    Result<std::string> value = fs.GetXattr(op, old_dir, key);
    if (!value.ok()) return value.error();
    Step& step = plan.Add(StepKind::kSetXattr, StepPhase::kPrepare);
    step.node = StepNode::Slot(slot);
    step.key = key;
    step.value = *std::move(value);
  }
  AddOpaque(StepNode::Slot(slot), config_.marks, plan);
  Step& attributes = plan.Add(StepKind::kSetAttr, StepPhase::kPrepare);
  attributes.node = StepNode::Slot(slot);
  attributes.change = {.mode = stat->mode,
                       .uid = stat->uid,
                       .gid = stat->gid,
                       .atime = stat->atime,
                       .mtime = stat->mtime};
  AddPublish(slot, {StepNode::WritableOf(victim.dir->id), std::string(victim.name)},
             RenameMode::kExchange, plan)
      .supplants = victim.node->id;
  for (const WhiteoutName& whiteout : whiteouts) {
    Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCleanUp);
    remove.place = {StepNode::Fixed(old_dir), whiteout.name};
    remove.type = whiteout.type;
  }
  AddTempRemoval(slot, FileType::kDirectory, plan);
  return slot;
}

Result<void> OverlayDialect::PlanHide(const OpContext& op, const UnionState& state,
                                      const NamedNode& victim, Plan& plan) const {
  const bool directory = victim.node->type == FileType::kDirectory;
  Result<bool> lower_positive = LowerPositive(op, state, victim);
  if (!lower_positive.ok()) return lower_positive.error();
  std::vector<WhiteoutName> whiteouts;
  const bool pure = victim.node->lower_count() == 0 && !victim.node->may_hold_whiteouts;
  if (directory && (*lower_positive || !pure)) {
    Result<std::vector<WhiteoutName>> listed = EmptyDirectoryWhiteouts(op, state, *victim.node);
    if (!listed.ok()) return listed.error();
    whiteouts = *std::move(listed);
  }
  if (Result<BranchIndex> up = PlanCopyUp(op, state, *victim.dir, {}, plan); !up.ok())
    return up.error();
  Result<std::uint32_t> writable_nlink = PlanNlinkStart(op, state, *victim.node, plan);
  if (!writable_nlink.ok()) return writable_nlink.error();
  plan.buries = directory && (*lower_positive || !whiteouts.empty());
  if (!whiteouts.empty()) {
    if (Result<int> cleared = PlanClearEmpty(op, state, victim, whiteouts, plan); !cleared.ok()) {
      return cleared.error();
    }
  }
  const StepPlace place{StepNode::WritableOf(victim.dir->id), std::string(victim.name)};
  if (!*lower_positive) {
    Step& remove = plan.Add(StepKind::kRemove, StepPhase::kCommit);
    remove.place = place;
    remove.type = victim.node->type;
    return PlanNlinkEnd(op, state, *victim.node, *writable_nlink - 1, plan);
  }
  const bool replaces_directory = directory && (victim.node->has_writable || config_.index_all());
  const int slot = plan.NewSlot();
  const bool nothing_there = !victim.node->has_writable && !config_.index;
  Step& make = plan.Add(nothing_there ? StepKind::kCreate : StepKind::kCreateTemp,
                        nothing_there ? StepPhase::kCommit : StepPhase::kPrepare);
  make.type = FileType::kCharDevice;
  make.result_slot = slot;
  if (nothing_there) {
    // One call makes it, and it is there or not: no need of the work directory.
    make.place = place;
    return {};
  }
  AddPublish(slot, place, replaces_directory ? RenameMode::kExchange : RenameMode::kReplace, plan);
  if (replaces_directory) AddTempRemoval(slot, FileType::kDirectory, plan);
  return PlanNlinkEnd(op, state, *victim.node, *writable_nlink - 1, plan);
}

}  // namespace lamina
