// MemFs: making, linking and removing names.
#include <utility>

#include "vfs/fs/mem_body.h"
#include "vfs/fs/mem_content.h"
#include "vfs/fs/mem_security.h"

namespace lamina {

using internal::DirectoryPart;
using internal::LazyPart;
using internal::NameEntry;
using internal::Node;
using internal::Part;
using internal::Ref;
using internal::Storage;
using internal::TargetPart;

namespace {

void SetTarget(Node& node, std::string_view target) {
  node.size_or_rdev = target.size();
  if (target.size() > internal::kSmallBytes) {
    node.BecomePart(Storage::kTarget, Ref<Part>::Adopt(new TargetPart(target)));
    return;
  }
  node.BecomeSmall();
  for (std::size_t index = 0; index < target.size(); ++index) {
    node.small()[index] = static_cast<std::byte>(target[index]);
  }
}

Ref<Part> NewDirectory(NodeId parent) {
  auto* part = new DirectoryPart();
  part->parent = parent;
  return Ref<Part>::Adopt(part);
}

}  // namespace

Result<void> MemFs::Body::CheckNew(const Node& dir, const NewNode& node) const {
  const bool is_link = node.type == FileType::kSymlink;
  if (node.type == FileType::kDirectory && dir.nlink >= options.link_max) return Errno::kMLink;
  if (is_link && node.symlink_target.empty()) return Errno::kInval;
  if (is_link && node.symlink_target.size() > kMaxTargetBytes) return Errno::kNameTooLong;
  if (free_nodes() == 0) return Errno::kNoSpc;
  std::uint64_t bytes = is_link ? internal::TargetPages(node.symlink_target.size()) * 4096 : 0;
  if (dir.xattrs) {
    const AclOfNew acl = internal::InheritedFrom(dir, node.type, node.mode);
    bytes += acl.access.size() + acl.default_for_below.size();
  }
  if (bytes > free_bytes()) return Errno::kNoSpc;
  return {};
}

NodeId MemFs::Body::MakeNode(const OpContext& op, NodeId dir, const NewNode& node) {
  const Node& parent = *Find(dir);
  const NewOwner owner = OwnerOfNew(op.cred, internal::Ruled(parent), node.type, node.mode);
  const AclOfNew acl = internal::InheritedFrom(parent, node.type, owner.mode);
  const NodeId id{next_node++};
  Node& made = Writable(id);
  made.type = node.type;
  made.mode = acl.mode;
  made.uid = owner.uid;
  made.gid = owner.gid;
  made.atime = made.mtime = op.now;
  Bump(made, op.now);
  if (node.type == FileType::kDirectory) made.BecomePart(Storage::kDirectory, NewDirectory(dir));
  if (made.has_device()) made.size_or_rdev = node.rdev;
  if (node.type == FileType::kSymlink) Charged(made, [&] { SetTarget(made, node.symlink_target); });
  if (!acl.access.empty()) PutXattr(made, kAccessAclKey, acl.access);
  if (!acl.default_for_below.empty()) PutXattr(made, kDefaultAclKey, acl.default_for_below);
  return id;
}

Result<NodeId> MemFs::Create(const OpContext& op, Place place, const NewNode& node) {
  Result<MemSpot> spot = body_->FindSpotToAdd(place);
  if (!spot.ok()) return spot.error();
  if (Result<void> checked = body_->CheckNew(*spot->dir_node, node); !checked.ok()) {
    return checked.error();
  }
  const bool is_directory = node.type == FileType::kDirectory;
  const NodeId id = body_->MakeNode(op, place.dir, node);
  body_->Writable(id).nlink = is_directory ? 2 : 1;
  body_->WritableNames(place.dir).Insert(spot->name, internal::TargetOf(id, *body_->Find(id)));
  if (is_directory) body_->AddSubdirectory(place.dir);
  body_->TouchDirectory(place.dir, op.now);
  return id;
}

Result<Opened> MemFs::CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                 OpenFlags flags) {
  if (node.type != FileType::kRegular) return Errno::kInval;
  Result<NodeId> id = Create(op, place, node);
  if (!id.ok()) return id.error();
  return Opened{*id, body_->OpenNode(*id, flags)};
}

Result<Opened> MemFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                    OpenFlags flags) {
  const Node* parent = body_->Find(dir);
  if (parent == nullptr) return Errno::kStale;
  if (body_->frozen) return Errno::kRoFs;
  if (!parent->is_directory()) return Errno::kNotDir;
  if (parent->nlink == 0) return Errno::kNoEnt;
  if (node.type != FileType::kRegular) return Errno::kInval;
  if (Result<void> checked = body_->CheckNew(*parent, node); !checked.ok()) {
    return checked.error();
  }
  const NodeId id = body_->MakeNode(op, dir, node);
  body_->live.orphans.Set(id.value, Orphan::kNeverNamed);
  return Opened{id, body_->OpenNode(id, flags)};
}

Result<void> MemFs::Body::AddLink(const OpContext& op, NodeId id, Place place) {
  Result<MemSpot> spot = FindSpotToAdd(place);
  if (!spot.ok()) return spot.error();
  const Node* node = Find(id);
  if (node->is_directory()) return Errno::kPerm;
  if (node->nlink == 0 && *live.orphans.Find(id.value) != Orphan::kNeverNamed) return Errno::kNoEnt;
  if (node->nlink >= options.link_max) return Errno::kMLink;
  WritableNames(place.dir).Insert(spot->name, internal::TargetOf(id, *node));
  Node& linked = Writable(id);
  if (linked.nlink == 0) live.orphans.Erase(id.value);
  ++linked.nlink;
  Bump(linked, op.now);
  TouchDirectory(place.dir, op.now);
  return {};
}

Result<void> MemFs::Link(const OpContext& op, NodeId node, Place place) {
  const Node* target = body_->Find(node);
  if (target == nullptr) return Errno::kStale;
  if (target->nlink == 0) {
    // Only an open handle may give an unnamed file its first name.
    Result<MemSpot> spot = body_->FindSpotToAdd(place);
    if (!spot.ok()) return spot.error();
    return target->is_directory() ? Errno::kPerm : Errno::kNoEnt;
  }
  return body_->AddLink(op, node, place);
}

Result<void> MemFs::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  return body_->AddLink(op, open->id, place);
}

Result<void> MemFs::Remove(const OpContext& op, Place place, FileType expected) {
  Result<MemSpot> spot = body_->FindSpotToChange(place);
  if (!spot.ok()) return spot.error();
  if (spot->entry == nullptr) return Errno::kNoEnt;
  const NodeId id = spot->entry->node;
  const bool is_directory = spot->entry->type == FileType::kDirectory;
  if (is_directory && expected != FileType::kDirectory) return Errno::kIsDir;
  if (!is_directory && expected == FileType::kDirectory) return Errno::kNotDir;
  if (is_directory && body_->Find(id)->names().size() != 0) return Errno::kNotEmpty;
  body_->WritableNames(place.dir).Erase(spot->name);
  if (is_directory) body_->DropSubdirectory(place.dir);
  body_->TouchDirectory(place.dir, op.now);
  body_->DropName(op, id);
  return {};
}

Result<NodeId> MemFs::CreateLazy(const OpContext& op, Place place, const NewNode& node,
                                 std::uint64_t size_bytes, std::shared_ptr<LazyContent> content) {
  if (node.type != FileType::kRegular) return Errno::kInval;
  Result<NodeId> id = Create(op, place, node);
  if (!id.ok()) return id;
  Node& made = body_->Writable(*id);
  made.size_or_rdev = size_bytes;
  made.BecomePart(Storage::kLazy, Ref<Part>::Adopt(new LazyPart(std::move(content), size_bytes)));
  return id;
}

}  // namespace lamina
