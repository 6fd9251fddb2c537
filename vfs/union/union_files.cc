// UnionFs: open files. A handle keeps a branch file; one opened before a copy-up follows it at its
// next use (since Linux 4.19), a mapping never does.
#include <utility>

#include "lamina/store/paged_bytes.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/union_body.h"

namespace lamina {

namespace {

bool Writes(const OpenFlags& flags) {
  return flags.access == Access::kWrite || flags.access == Access::kReadWrite;
}

}  // namespace

HandleId UnionFs::Body::NewHandle(UnionNode& node, UnionHandle::Kind kind, OpenFlags flags,
                                  FileSystem* fs, HandleId real) {
  std::uint32_t index = 0;
  if (free_handles.empty()) {
    index = static_cast<std::uint32_t>(handles.size());
    handles.emplace_back();
  } else {
    index = free_handles.back();
    free_handles.pop_back();
  }
  UnionHandle& handle = handles[index];
  const std::uint32_t generation = handle.generation + 1;
  handle = UnionHandle{};
  handle.kind = kind;
  handle.generation = generation;
  handle.node = &node;
  handle.dir = node.parent;
  handle.name = node.name;
  handle.flags = flags;
  handle.fs = fs;
  handle.real = real;
  handle.copy_ups = node.copy_ups;
  ++node.handles;
  return HandleId{(std::uint64_t{generation} << 32U) | (index + 1U)};
}

Result<UnionHandle*> UnionFs::Body::FindHandle(HandleId id) {
  const std::uint64_t slot = id.value & 0xffffffffU;
  if (slot == 0 || slot > handles.size()) return Errno::kBadF;
  UnionHandle& handle = handles[slot - 1];
  if (handle.kind == UnionHandle::Kind::kClosed || handle.generation != id.value >> 32U) {
    return Errno::kBadF;
  }
  return &handle;
}

void UnionFs::Body::UseHandleName(const OpContext& op, UnionNode& node) {
  if (!node.aliased || op.through.value == 0) return;
  Result<UnionHandle*> handle = FindHandle(op.through);
  if (!handle.ok() || (*handle)->node != &node) return;
  UseName(**handle);
}

void UnionFs::Body::UseName(const UnionHandle& handle) {
  UnionNode& node = *handle.node;
  node.parent = handle.dir;
  node.name = handle.name;
  node.name_is_gone = handle.name_is_gone;
  const CachedName* cached = state->names.Find(node.parent, node.name);
  // A name that is gone, or is another file's now, went from the writable branch.
  node.name_in_writable = cached == nullptr || cached->node != &node || cached->in_writable;
}

void UnionFs::Body::MoveHandleNames(const UnionNode& node, const NamedNode& from,
                                    const NamedNode& to) {
  if (node.handles == 0) return;
  for (UnionHandle& handle : handles) {
    if (handle.node != &node || handle.dir != from.dir->id || handle.name != from.name) continue;
    handle.dir = to.dir->id;
    handle.name = std::string(to.name);
  }
}

bool UnionFs::Body::IsParentOfOpen(const UnionNode& dir) const {
  for (const UnionHandle& handle : handles) {
    if (handle.node != nullptr && handle.node != &dir && handle.node->parent == dir.id) return true;
  }
  return false;
}

Result<UnionHandle*> UnionFs::Body::FindFile(const OpContext& op, HandleId id) {
  Result<UnionHandle*> found = FindHandle(id);
  if (!found.ok()) return found;
  UnionHandle& handle = **found;
  if (handle.kind != UnionHandle::Kind::kFile || handle.copy_ups == handle.node->copy_ups) {
    return found;
  }
  OpenFlags flags = handle.flags;
  flags.truncate = false;
  Hit source = handle.node->top();
  if (handle.node->type == FileType::kRegular) {
    Result<Hit> body = FindBody(op, *handle.node);
    if (!body.ok()) return body.error();
    source = *body;
  }
  FileSystem& fs = state->fs(source.branch);
  if (!state->writable(source.branch)) flags = OpenFlags{.access = Access::kRead};
  Result<HandleId> real = fs.Open(AsMounter(op), source.node, flags);
  if (!real.ok()) return real.error();
  handle.fs->Close(handle.real);
  handle.branch = source.branch;
  handle.fs = &fs;
  handle.real = *real;
  handle.copy_ups = handle.node->copy_ups;
  return &handle;
}

Result<void> UnionFs::Body::CopyUpForUse(const OpContext& op, UnionHandle& handle, BodyNeed need) {
  UnionNode& node = *handle.node;
  if (node.has_writable && !node.needs_link()) return {};
  if (node.aliased) {
    UseName(handle);
    if (node.has_writable && !node.needs_link()) return {};
  }
  Plan plan;
  Result<BranchIndex> planned = PlanWrite(op, node, need, plan);
  if (!planned.ok()) return planned.error();
  return Apply(op, plan);
}

Result<UnionHandle*> UnionFs::Body::FindFileToWrite(const OpContext& op, HandleId id) {
  if (dialect->CopiesUpAtOpen()) return FindFile(op, id);
  if (state->follows_edits) NoticeEdits();
  Result<UnionHandle*> handle = FindHandle(id);
  if (!handle.ok()) return handle;
  const bool file = (*handle)->kind == UnionHandle::Kind::kFile;
  if (file && Writes((*handle)->flags) && (*handle)->node->type == FileType::kRegular) {
    Result<void> up = CopyUpForUse(op, **handle, {.data = true});
    if (!up.ok()) return up.error();
  }
  return FindFile(op, id);
}

Result<HandleId> UnionFs::Open(const OpContext& op, NodeId id, OpenFlags flags) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  UnionNode& node = **found;
  if (flags.direct && node.type == FileType::kRegular && !body_->dialect->AllowsDirect()) {
    return Errno::kInval;
  }
  const bool writes = Writes(flags);
  UnionHandle::Kind kind = UnionHandle::Kind::kFile;
  if (flags.access == Access::kPath) {
    kind = UnionHandle::Kind::kPath;
  } else if (node.type == FileType::kDirectory) {
    if (writes || flags.truncate) return Errno::kIsDir;
    kind = UnionHandle::Kind::kDirectory;
  } else if (node.type == FileType::kRegular && (writes || flags.truncate)) {
    if (Result<void> writable = body_->CheckWritable(); !writable.ok()) return writable.error();
  }
  const bool changes = kind == UnionHandle::Kind::kFile && node.type == FileType::kRegular &&
                       (flags.truncate || (writes && body_->dialect->CopiesUpAtOpen()));
  if (changes) {
    Plan plan;
    BodyNeed need{.data = true};
    if (flags.truncate) need.limit_bytes = 0;
    Result<BranchIndex> branch = body_->PlanWrite(op, node, need, plan);
    if (!branch.ok()) return branch.error();
    if (flags.truncate) {
      Step& truncate = plan.Add(StepKind::kSetAttr, StepPhase::kCommit);
      truncate.branch = *branch;
      truncate.node = StepNode::WritableOf(id);
      truncate.change.size_bytes = 0;
      truncate.change.mtime = op.now;  // also of a file that is empty already
      truncate.as_mounter = false;
    }
    if (Result<void> done = body_->Apply(op, plan); !done.ok()) return done.error();
  } else if (kind != UnionHandle::Kind::kPath && body_->dialect->ActsAtOpen(node)) {
    Plan plan;
    Result<void> planned = body_->dialect->PlanOpen(op, *body_->state, node, plan);
    if (!planned.ok()) return planned.error();
    if (Result<void> done = body_->Apply(op, plan); !done.ok()) return done.error();
  }
  OpenFlags real_flags = flags;
  real_flags.truncate = false;
  Hit source = node.top();
  if (node.type == FileType::kRegular && kind == UnionHandle::Kind::kFile) {
    Result<Hit> body = body_->FindBody(op, node);
    if (!body.ok()) return body.error();
    source = *body;
  }
  FileSystem& fs = body_->state->fs(source.branch);
  // Not copied up yet: what writes comes later.
  if (writes && node.type == FileType::kRegular && !body_->state->writable(source.branch)) {
    real_flags = OpenFlags{.access = Access::kRead};
  }
  Result<HandleId> real = fs.Open(AsMounter(op), source.node, real_flags);
  if (!real.ok()) return real.error();
  const HandleId handle = body_->NewHandle(node, kind, flags, &fs, *real);
  UnionHandle& opened = **body_->FindHandle(handle);
  opened.branch = source.branch;
  if (node.has_writable && source.branch != node.top().branch && node.pin.value == 0) {
    // The copy holds attributes only: keep it too, even if its name goes.
    FileSystem& top = body_->state->fs(node.top().branch);
    Result<HandleId> pin = top.Open(AsMounter(op), node.top().node, {.access = Access::kPath});
    if (pin.ok()) node.Pin(top, *pin);
  }
  if (kind == UnionHandle::Kind::kDirectory) {
    opened.direct = body_->dialect->ListsBranchDirectly(node);
  }
  return handle;
}

Result<HandleId> UnionFs::OpenToLook(const OpContext& op, NodeId id) {
  Result<UnionNode*> found = body_->FindNode(id);
  if (!found.ok()) return found.error();
  UnionNode& node = **found;
  const bool directory = node.type == FileType::kDirectory;
  Hit source = node.top();
  if (node.type == FileType::kRegular) {
    Result<Hit> body = body_->FindBody(op, node);
    if (!body.ok()) return body.error();
    source = *body;
  }
  const OpenFlags flags{.access = Access::kRead};
  FileSystem& fs = body_->state->fs(source.branch);
  Result<HandleId> real = fs.Open(AsMounter(op), source.node, flags);
  if (!real.ok()) return real.error();
  const auto kind = directory ? UnionHandle::Kind::kDirectory : UnionHandle::Kind::kFile;
  const HandleId handle = body_->NewHandle(node, kind, flags, &fs, *real);
  UnionHandle& opened = **body_->FindHandle(handle);
  opened.branch = source.branch;
  opened.looks_only = true;
  opened.direct = directory && body_->dialect->ListsBranchDirectly(node);
  return handle;
}

void UnionFs::Close(HandleId id) {
  Result<UnionHandle*> found = body_->FindHandle(id);
  if (!found.ok()) return;
  UnionHandle& handle = **found;
  handle.fs->Close(handle.real);
  UnionNode& node = *handle.node;
  handle.kind = UnionHandle::Kind::kClosed;
  handle.node = nullptr;
  handle.real = HandleId{};
  handle.listing.reset();
  body_->free_handles.push_back(static_cast<std::uint32_t>((id.value & 0xffffffffU) - 1));
  if (--node.handles > 0) return;
  node.Unpin();
  UnionNode* parent = body_->state->nodes.Find(node.parent);
  body_->EraseIfUnused(node);
  if (parent != nullptr) body_->EraseIfUnused(*parent);
}

Result<std::size_t> UnionFs::Read(const OpContext& op, HandleId id, std::uint64_t offset,
                                  MutableBytes into) {
  Result<UnionHandle*> handle = body_->FindFile(op, id);
  if (!handle.ok()) return handle.error();
  const bool links_up = body_->dialect->LinksUpAtUse() && !(*handle)->looks_only;
  if (links_up && (*handle)->node->needs_link()) {
    if (Result<void> up = body_->CopyUpForUse(op, **handle, {}); !up.ok()) return up.error();
  }
  return (*handle)->fs->Read(op, (*handle)->real, offset, into);
}

Result<std::size_t> UnionFs::Write(const OpContext& op, HandleId id, std::uint64_t offset,
                                   Bytes from) {
  Result<UnionHandle*> handle = body_->FindFileToWrite(op, id);
  if (!handle.ok()) return handle.error();
  Result<std::size_t> written = (*handle)->fs->Write(op, (*handle)->real, offset, from);
  body_->SeeOwnChanges();
  return written;
}

Result<void> UnionFs::Allocate(const OpContext& op, HandleId id, std::uint64_t offset,
                               std::uint64_t length, AllocateMode mode) {
  Result<UnionHandle*> handle = body_->FindFileToWrite(op, id);
  if (!handle.ok()) return handle.error();
  Result<void> done = (*handle)->fs->Allocate(op, (*handle)->real, offset, length, mode);
  body_->SeeOwnChanges();
  return done;
}

Result<std::uint64_t> UnionFs::Seek(const OpContext& op, HandleId id, std::uint64_t offset,
                                    SeekKind kind) {
  Result<UnionHandle*> handle = body_->FindFile(op, id);
  if (!handle.ok()) return handle.error();
  return (*handle)->fs->Seek(op, (*handle)->real, offset, kind);
}

Result<std::uint64_t> UnionFs::Clone(const OpContext& op, HandleId source,
                                     std::uint64_t source_offset, HandleId target,
                                     std::uint64_t target_offset, std::uint64_t length) {
  Result<UnionHandle*> to = body_->FindFileToWrite(op, target);
  if (!to.ok()) return to.error();
  Result<UnionHandle*> from = body_->FindFile(op, source);
  if (!from.ok()) return from.error();
  if ((*from)->fs != (*to)->fs) return Errno::kXDev;
  Result<std::uint64_t> cloned =
      (*from)->fs->Clone(op, (*from)->real, source_offset, (*to)->real, target_offset, length);
  body_->SeeOwnChanges();
  return cloned;
}

Result<std::shared_ptr<const PagedBytes>> UnionFs::ShareContent(const OpContext& op, HandleId id) {
  Result<UnionHandle*> handle = body_->FindFile(op, id);
  if (!handle.ok()) return handle.error();
  return (*handle)->fs->ShareContent(op, (*handle)->real);
}

Result<void> UnionFs::AdoptContent(const OpContext& op, HandleId id,
                                   std::shared_ptr<const PagedBytes> content) {
  Result<UnionHandle*> handle = body_->FindFileToWrite(op, id);
  if (!handle.ok()) return handle.error();
  Result<void> adopted = (*handle)->fs->AdoptContent(op, (*handle)->real, std::move(content));
  body_->SeeOwnChanges();
  return adopted;
}

Result<HandleId> UnionFs::Map(const OpContext& op, HandleId id, MapMode mode) {
  // A shared mapping of a file that is open for writing may be written at any time.
  Result<UnionHandle*> handle =
      mode == MapMode::kPrivate ? body_->FindFile(op, id) : body_->FindFileToWrite(op, id);
  if (!handle.ok()) return handle.error();
  FileSystem* fs = (*handle)->fs;
  Result<HandleId> mapped = fs->Map(op, (*handle)->real, mode);
  if (!mapped.ok()) return mapped.error();
  UnionNode& node = *(*handle)->node;
  const OpenFlags flags = (*handle)->flags;
  return body_->NewHandle(node, UnionHandle::Kind::kMap, flags, fs, *mapped);
}

Result<void> UnionFs::Sync(const OpContext& op, HandleId id, SyncMode mode) {
  Result<UnionHandle*> handle = body_->FindFileToWrite(op, id);
  if (!handle.ok()) return handle.error();
  // What was never copied up has nothing to write back.
  if (!body_->state->writable((*handle)->branch)) return {};
  if (body_->dialect->SkipsSync()) return {};
  return (*handle)->fs->Sync(op, (*handle)->real, mode);
}

Result<void> UnionFs::SyncAll(const OpContext& op) {
  if (body_->dialect->SkipsSync()) return {};
  for (const Branch& branch : body_->state->branches) {
    if (branch.mode != BranchMode::kReadWrite) continue;
    if (Result<void> synced = branch.fs->SyncAll(op); !synced.ok()) return synced;
  }
  return {};
}

Result<FsSpace> UnionFs::GetSpace(const OpContext& op) {
  return body_->dialect->Space(op, *body_->state);
}

Result<void> UnionFs::CheckAccess(const OpContext& op, NodeId id, unsigned wanted) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok()) return node.error();
  return body_->dialect->CheckAccess(op, *body_->state, **node, wanted);
}

PipeHome UnionFs::HomeOfPipe(NodeId id) {
  Result<UnionNode*> node = body_->FindNode(id);
  if (!node.ok() || !body_->dialect->LeavesFifosBehind()) return {this, id};
  const Hit& own = (*node)->top();
  return body_->state->fs(own.branch).HomeOfPipe(own.node);
}

std::optional<Instant> UnionFs::NextDeadline() const { return body_->dialect->NextDeadline(); }

Result<void> UnionFs::RunUntil(const OpContext& op, Instant until) {
  Result<void> done = body_->dialect->RunUntil(op, *body_->state, until);
  body_->SeeOwnChanges();
  return done;
}

}  // namespace lamina
