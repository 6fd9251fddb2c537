#include "lamina/union/union_fs.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/union/union_body.h"

namespace lamina {

OpContext AsMounter(const OpContext& op) {
  static const Credentials& mounter = *new Credentials(RootCredentials());
  return OpContext{mounter, op.now, op.probe};
}

namespace {

// The widest of the branches; asked for at each call, so it is worked out once.
FsLimits LimitsOf(const UnionState& state, const Dialect& dialect) {
  FsLimits limits = state.fs(0).limits();
  limits.name_max = 0;
  limits.stacking_depth = 0;
  for (const Branch& branch : state.branches) {
    const FsLimits each = branch.fs->limits();
    limits.name_max = std::max(limits.name_max, each.name_max);
    limits.stacking_depth = std::max(limits.stacking_depth, each.stacking_depth);
  }
  limits.name_max -= dialect.ReservedNameBytes();
  ++limits.stacking_depth;
  limits.read_only = state.read_only;
  limits.file_handles = dialect.HasHandles();
  limits.checks_access = dialect.ChecksAccess();
  limits.copies_across = dialect.CopiesAcross();
  return limits;
}

}  // namespace

UnionFs::UnionFs(std::unique_ptr<UnionState> state, std::unique_ptr<const Dialect> dialect,
                 std::uint64_t device)
    : body_(std::make_unique<Body>()) {
  body_->state = std::move(state);
  body_->dialect = std::move(dialect);
  body_->device = device;
  body_->limits = LimitsOf(*body_->state, *body_->dialect);
}

UnionFs::~UnionFs() {
  for (UnionHandle& handle : body_->handles) {
    if (handle.real.value != 0) handle.fs->Close(handle.real);
    if (handle.node != nullptr) handle.node->Unpin();
  }
}

NodeId UnionFs::root() const { return body_->state->root; }

FsLimits UnionFs::limits() const {
  FsLimits limits = body_->limits;
  limits.read_only = body_->state->read_only;  // a remount may change it
  return limits;
}

bool UnionFs::frozen() const { return false; }

std::uint64_t UnionFs::change_count() const {
  std::uint64_t count = body_->changes;
  for (const Branch& branch : body_->state->branches) count += branch.fs->change_count();
  return count;
}

const std::vector<Branch>& UnionFs::branches() const { return body_->state->branches; }
std::string_view UnionFs::dialect_name() const { return body_->dialect->name(); }

// ── Nodes and names ────────────────────────────────────────────────────────────────────────────

Result<UnionNode*> UnionFs::Body::FindNode(NodeId id) const {
  UnionNode* node = state->nodes.Find(id);
  if (node == nullptr) return Errno::kStale;
  return node;
}

Result<UnionNode*> UnionFs::Body::FindDirectory(NodeId id) const {
  Result<UnionNode*> node = FindNode(id);
  if (!node.ok()) return node;
  if ((*node)->type != FileType::kDirectory) return Errno::kNotDir;
  return node;
}

UnionNode& UnionFs::Body::AddNode(FileType type) {
  UnionNode& node = state->nodes.Add(type);
  if (type == FileType::kDirectory) node.private_ino = next_private_ino++;
  return node;
}

Result<NamedNode> UnionFs::Body::FindName(const OpContext& op, Place place) {
  Result<UnionNode*> dir = FindDirectory(place.dir);
  if (!dir.ok()) return dir.error();
  NamedNode named{*dir, place.name, nullptr, false};
  if ((*dir)->dead) return Errno::kNoEnt;
  const CachedName* entry = state->names.Find(place.dir, place.name);
  if (entry != nullptr && state->follows_edits && !StillHolds(op, named)) entry = nullptr;
  if (entry != nullptr) {
    UnionNode* cached = entry->node;
    op.probe.Emit([&] {
      return Event{.kind = EventKind::kNameCacheHit,
                   .branch = cached->top().branch,
                   .subject = cached->id.value,
                   .name = place.name};
    });
    if (cached->aliased) {
      // What the call does to the writable branch happens under the name it came by.
      cached->parent = place.dir;
      cached->name = std::string(place.name);
      cached->name_in_writable = entry->in_writable;
      cached->name_is_gone = false;
    }
    named.node = cached;
    return named;
  }
  if (Result<void> usable = dialect->CheckName(place.name); !usable.ok()) return usable.error();
  if (place.name.size() > limits.name_max) return Errno::kNameTooLong;
  if (KnownMissing(op, **dir, place.name)) return named;
  Result<Resolution> found = dialect->Resolve(op, *state, **dir, place.name);
  if (!found.ok()) return found.error();
  if (found->hits.empty()) {
    NoteMissed(**dir, place.name);
    if (found->kind == Resolution::Kind::kAbsent) CountMissing(op, **dir);
    named.whiteout_in_writable = found->whiteout_in_writable;
    return named;
  }
  Result<UnionNode*> node = Instantiate(op, **dir, place.name, *found);
  if (!node.ok()) return node.error();
  named.node = *node;
  return named;
}

void UnionFs::Body::Learn(UnionNode& node, const Resolution& found) {
  state->directories.Drop(node);
  node.hits = found.hits;
  node.has_writable = state->writable(found.hits.front().branch);
  node.opaque = found.opaque;
  node.opaque_branch = found.opaque_branch;
  node.impure = found.impure;
  node.may_hold_whiteouts = found.may_hold_whiteouts;
  node.xattr_whiteouts = found.xattr_whiteouts;
  node.metacopy = found.metacopy;
  node.digest = found.digest;
  node.indexed = found.indexed;
  node.nlink = found.nlink;
  node.counts_names = found.counts_names;
  node.redirect = found.redirect;
  node.data_redirect = found.data_redirect;
}

Result<UnionNode*> UnionFs::Body::Instantiate(const OpContext& op, UnionNode& dir,
                                              std::string_view name, const Resolution& found) {
  if (found.origin_missing) {
    Plan repair;
    dialect->PlanRepair(op, *state, dir, found, repair);
    if (Result<void> repaired = Apply(op, repair); !repaired.ok()) return repaired.error();
  }
  const bool has_writable = state->writable(found.hits.front().branch);
  bool name_in_writable = has_writable && !found.needs_link;
  Result<std::optional<NodeKey>> key = dialect->IdentityKey(op, *state, found);
  if (!key.ok()) return key.error();
  if (key->has_value()) {
    if (UnionNode* known = state->nodes.FindByKey(**key); known != nullptr) {
      if (!dialect->Joins(*known, has_writable, found.hits)) return Errno::kStale;
      known->dead = false;
      SetOrphan(*known, false);
      // The kernel forgets an inode that nothing holds and reads it anew.
      if (dialect->LearnsAnew(*known)) Learn(*known, found);
      // Of several writable branches it may be another one that has the name.
      const bool elsewhere = known->top().branch != found.hits.front().branch;
      if (known->indexed && elsewhere) name_in_writable = false;
      // A directory has one name: found through another path, it moves there (d_splice_alias).
      if (known->type == FileType::kDirectory) state->names.Erase(known->parent, known->name);
      known->parent = dir.id;
      known->name = std::string(name);
      known->name_in_writable = name_in_writable;
      known->name_is_gone = false;
      state->names.Insert(dir.id, name, {known, name_in_writable, state->epoch});
      return known;
    }
  }
  UnionNode& node = AddNode(found.hits.front().type);
  node.parent = dir.id;
  node.name = std::string(name);
  node.name_in_writable = name_in_writable;
  Learn(node, found);
  if (key->has_value()) {
    state->nodes.SetKey(node, **key);
    const NodeKey top{&state->fs(found.hits.front().branch), found.hits.front().node};
    node.keeps_ino = !(has_writable && **key == top);
  }
  dialect->Instantiated(*state, node);
  state->names.Insert(dir.id, name, {&node, name_in_writable, state->epoch});
  return &node;
}

void UnionFs::Body::ForgetName(const OpContext& op, const NamedNode& named) {
  UnionNode& node = *named.node;
  if (node.counts_own_names()) node.nlink = NlinkAfterRemoval(node);
  state->names.Erase(named.dir->id, named.name);
  if (node.handles > 0) {
    for (UnionHandle& handle : handles) {
      const bool by_it = handle.node == &node && handle.dir == named.dir->id;
      if (by_it && handle.name == named.name) handle.name_is_gone = true;
    }
  }
  bool gone = node.type == FileType::kDirectory || node.names == 0;
  // A pseudo-link keeps the file, but no name of it in use.
  const bool kept_by_link = node.indexed && dialect->LinksUpAtUse();
  if (gone && node.has_writable && node.type != FileType::kDirectory && !kept_by_link) {
    // Hard links that nobody looked up yet keep it.
    Result<Stat> stat = state->fs(node.top().branch).GetAttr(op, node.top().node);
    gone = node.indexed ? node.nlink == 0 : !stat.ok() || stat->nlink == 0;
  }
  node.dead = gone;
  const bool file = node.type != FileType::kDirectory;
  SetOrphan(node, gone && file && node.handles > 0 && !node.has_writable);
  EraseIfUnused(node);
}

void UnionFs::Body::EraseIfUnused(UnionNode& node) {
  if (!node.dead || node.handles > 0 || node.names > 0) return;
  // Names of it that nobody looked up yet: they have its number and its count.
  const bool counts = node.counts_names || (node.indexed && dialect->LinksUpAtUse());
  if (counts && node.nlink > 0) return;
  // What becomes of a call through a file that is open depends on how its directory went.
  if (node.type == FileType::kDirectory && IsParentOfOpen(node)) return;
  SetOrphan(node, false);
  dialect->Forgotten(*state, node);
  state->directories.Drop(node);
  state->nodes.Erase(node);
}

Result<NodeId> UnionFs::Lookup(const OpContext& op, Place place) {
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node == nullptr) return Errno::kNoEnt;
  return named->node->id;
}

// ── Changes of names ───────────────────────────────────────────────────────────────────────────

Result<void> UnionFs::Body::Apply(const OpContext& op, const Plan& plan) {
  if (plan.steps.empty()) return {};
  ++changes;
  if (state->follows_edits) NoticeEdits();
  Application application(op, *state, plan, next_temporary);
  Result<void> done = Run(op, plan, application);
  dialect->Applied(op, *state, plan, application, done.ok());
  SeeOwnChanges();
  if (done.ok()) return done;
  // A directory that another took the place of before the plan failed has no name any more.
  for (const Step& step : plan.steps) {
    UnionNode* supplanted = step.supplants.value == 0 ? nullptr : state->nodes.Find(step.supplants);
    if (supplanted != nullptr) EraseIfUnused(*supplanted);
  }
  return done;
}

Result<UnionNode*> UnionFs::Body::MakeNode(const OpContext& op, const NamedNode& place,
                                           const NewNode& node) {
  Plan plan;
  if (Result<void> planned = dialect->PlanCreate(op, *state, place, node, plan); !planned.ok()) {
    return planned.error();
  }
  ++changes;
  Application application(op, *state, plan, next_temporary);
  Result<void> done = Run(op, plan, application);
  dialect->Applied(op, *state, plan, application, done.ok());
  SeeOwnChanges();
  if (!done.ok()) return done.error();
  UnionNode& made = AddNode(node.type);
  made.parent = place.dir->id;
  made.name = std::string(place.name);
  made.hits.push_back({plan.made_branch, application.slot_node(plan.made), node.type});
  made.has_writable = true;
  made.name_in_writable = true;
  made.opaque = plan.made_opaque;
  if (plan.made_opaque) made.opaque_branch = plan.made_branch;
  state->nodes.SetKey(made, NodeKey{&state->fs(plan.made_branch), made.top().node});
  dialect->Instantiated(*state, made);
  ShowAgain(place.dir->id, place.name);
  state->names.Insert(place.dir->id, place.name, {&made, true, state->epoch});
  ++place.dir->version;
  return &made;
}

Result<NodeId> UnionFs::Create(const OpContext& op, Place place, const NewNode& node) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node != nullptr) return Errno::kExist;
  Result<UnionNode*> made = body_->MakeNode(op, *named, node);
  if (!made.ok()) return made.error();
  return (*made)->id;
}

Result<Opened> UnionFs::CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                   OpenFlags flags) {
  Result<NodeId> made = Create(op, place, node);
  if (!made.ok()) return made.error();
  flags.truncate = false;
  Result<HandleId> handle = Open(op, *made, flags);
  if (!handle.ok()) return handle.error();
  return Opened{*made, *handle};
}

Result<Opened> UnionFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                      OpenFlags flags) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  Result<UnionNode*> parent = body_->FindDirectory(dir);
  if (!parent.ok()) return parent.error();
  if ((*parent)->dead) return Errno::kNoEnt;
  Plan plan;
  Result<BranchIndex> branch = body_->dialect->PlanUnnamed(op, *body_->state, **parent, plan);
  if (!branch.ok()) return branch.error();
  plan.made = plan.NewSlot();
  Step& make = plan.Add(StepKind::kCreateUnnamed, StepPhase::kCommit);
  make.branch = *branch;
  make.place.dir = StepNode::WritableOf(dir);
  make.mode = node.mode;
  make.as_mounter = false;
  make.result_slot = plan.made;
  make.open_flags = flags;
  ++body_->changes;
  Application application(op, *body_->state, plan, body_->next_temporary);
  Result<void> done = body_->Run(op, plan, application);
  body_->dialect->Applied(op, *body_->state, plan, application, done.ok());
  body_->SeeOwnChanges();
  if (!done.ok()) return done.error();
  UnionNode& made = body_->AddNode(FileType::kRegular);
  made.parent = dir;
  made.hits.push_back({*branch, application.slot_node(plan.made), FileType::kRegular});
  made.has_writable = true;
  made.dead = true;
  FileSystem& fs = body_->state->fs(*branch);
  body_->state->nodes.SetKey(made, NodeKey{&fs, made.top().node});
  body_->dialect->Instantiated(*body_->state, made);
  const HandleId handle = body_->NewHandle(made, UnionHandle::Kind::kFile, flags, &fs,
                                           application.TakeHandle(plan.made));
  return Opened{made.id, handle};
}

Result<void> UnionFs::Link(const OpContext& op, NodeId node, Place place) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<UnionNode*> found = body_->FindNode(node);
  if (!found.ok()) return found.error();
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node != nullptr) return Errno::kExist;
  if ((*found)->type == FileType::kDirectory) return Errno::kPerm;
  if ((*found)->dead) return Errno::kNoEnt;
  Plan plan;
  Result<void> planned =
      body_->dialect->PlanLink(op, *body_->state, **found, HandleId{}, *named, plan);
  if (!planned.ok()) return planned;
  // The new name is not cached: looking it up decides anew what its lower object is.
  Result<void> done = body_->Apply(op, plan);
  if (!done.ok()) return done;
  body_->ShowAgain(place.dir, place.name);
  if ((*found)->counts_own_names()) ++(*found)->nlink;
  ++named->dir->version;
  return {};
}

Result<void> UnionFs::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<UnionHandle*> file = body_->FindHandle(handle);
  if (!file.ok()) return file.error();
  UnionNode& node = *(*file)->node;
  if (!node.dead) return Link(op, node.id, place);
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node != nullptr) return Errno::kExist;
  if (node.type == FileType::kDirectory) return Errno::kPerm;
  if (!node.has_writable) return Errno::kNoEnt;
  Plan plan;
  Result<void> planned =
      body_->dialect->PlanLink(op, *body_->state, node, (*file)->real, *named, plan);
  if (!planned.ok()) return planned;
  if (Result<void> done = body_->Apply(op, plan); !done.ok()) return done;
  node.dead = false;
  node.parent = place.dir;
  node.name = std::string(place.name);
  ++named->dir->version;
  return {};
}

Result<void> UnionFs::Remove(const OpContext& op, Place place, FileType expected) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<NamedNode> named = body_->FindName(op, place);
  if (!named.ok()) return named.error();
  if (named->node == nullptr) return Errno::kNoEnt;
  const bool directory = named->node->type == FileType::kDirectory;
  if (directory && expected != FileType::kDirectory) return Errno::kIsDir;
  if (!directory && expected == FileType::kDirectory) return Errno::kNotDir;
  Plan plan;
  if (Result<void> planned = body_->dialect->PlanHide(op, *body_->state, *named, plan);
      !planned.ok()) {
    return planned;
  }
  if (Result<void> done = body_->Apply(op, plan); !done.ok()) return done;
  ++named->dir->version;
  named->node->buried = plan.buries;
  body_->ForgetName(op, *named);
  return {};
}

bool UnionFs::Body::IsAncestor(const UnionNode& above, const UnionNode& below) const {
  const UnionNode* at = &below;
  while (at != nullptr) {
    if (at == &above) return true;
    if (at->id == state->root) return false;
    at = state->nodes.Find(at->parent);
  }
  return false;
}

Result<void> UnionFs::Body::CheckRename(const NamedNode& from, const NamedNode& to,
                                        RenameMode mode) const {
  if (from.node == nullptr) return Errno::kNoEnt;
  if (mode == RenameMode::kNoReplace && to.node != nullptr) return Errno::kExist;
  if (mode == RenameMode::kExchange && to.node == nullptr) return Errno::kNoEnt;
  if (IsAncestor(*from.node, *to.dir)) return Errno::kInval;
  if (to.node == nullptr) return {};
  if (IsAncestor(*to.node, *from.dir)) {
    return mode == RenameMode::kExchange ? Errno::kInval : Errno::kNotEmpty;
  }
  if (mode == RenameMode::kExchange) return {};
  const bool from_directory = from.node->type == FileType::kDirectory;
  const bool to_directory = to.node->type == FileType::kDirectory;
  if (from_directory && !to_directory) return Errno::kNotDir;
  if (!from_directory && to_directory) return Errno::kIsDir;
  return {};
}

void UnionFs::Body::MoveName(const OpContext& op, const NamedNode& from, const NamedNode& to,
                             RenameMode mode) {
  const auto place = [&](UnionNode& node, const NamedNode& at) {
    ShowAgain(at.dir->id, at.name);
    state->names.Insert(at.dir->id, at.name, {&node, true, state->epoch});
    node.parent = at.dir->id;
    node.name = std::string(at.name);
    node.name_in_writable = true;
    node.name_is_gone = false;
  };
  ++from.dir->version;
  ++to.dir->version;
  MoveHandleNames(*from.node, from, to);
  if (mode == RenameMode::kExchange) MoveHandleNames(*to.node, to, from);
  if (mode == RenameMode::kExchange) {
    place(*from.node, to);
    place(*to.node, from);
    return;
  }
  if (to.node != nullptr) ForgetName(op, to);
  state->names.Erase(from.dir->id, from.name);
  place(*from.node, to);
}

Result<void> UnionFs::Rename(const OpContext& op, Place from_place, Place to_place,
                             RenameMode mode) {
  if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable;
  Result<NamedNode> from = body_->FindName(op, from_place);
  if (!from.ok()) return from.error();
  if (from->node == nullptr) return Errno::kNoEnt;
  Result<NamedNode> to = body_->FindName(op, to_place);
  if (!to.ok()) return to.error();
  if (mode != RenameMode::kLeaveWhiteout) {
    if (Result<void> allowed = body_->CheckRename(*from, *to, mode); !allowed.ok()) return allowed;
  }
  if (from->node == to->node) return {};
  Plan plan;
  Result<void> planned = body_->dialect->PlanRename(op, *body_->state, *from, *to, mode, plan);
  if (!planned.ok()) return planned;
  if (Result<void> done = body_->Apply(op, plan); !done.ok()) return done;
  if (to->node != nullptr) to->node->buried = plan.buries;
  body_->MoveName(op, *from, *to, mode);
  return {};
}

}  // namespace lamina
