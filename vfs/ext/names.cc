// ExtFs: making, linking and removing names.
#include <utility>

#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

NodeId ExtFs::root() const { return body_->root; }

Result<NodeId> ExtFs::Lookup(const OpContext& op, Place place) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<ExtSpot> spot = body_->FindSpot(op, place);
  if (!spot.ok()) return spot.error();
  if (!spot->entry.has_value()) return Errno::kNoEnt;
  Result<Inode> inode = body_->Child(op, spot->dir, *spot->entry);
  if (!inode.ok()) return inode.error();
  return NodeOf(*inode);
}

Result<NodeId> ExtFs::Body::CreateNamed(const OpContext& op, Place place, const NewNode& node) {
  Result<ExtSpot> spot = FindSpotToAdd(op, place);
  if (!spot.ok()) return spot.error();
  Inode& dir = spot->dir;
  const bool is_directory = node.type == FileType::kDirectory;
  if (is_directory) {
    if (Result<void> added = AddSubdirectory(dir); !added.ok()) return added.error();
  }
  Result<Inode> inode = MakeInode(op, dir, node);
  if (!inode.ok()) return inode.error();
  inode->disk.links_count = is_directory ? 2 : 1;
  const Reserve reserve = ReserveFor(op);
  if (is_directory) {
    Result<void> made = directories.MakeEmpty(op, *inode, dir.number, reserve);
    if (!made.ok()) return made.error();
  }
  if (Result<void> stored = Store(op, *inode); !stored.ok()) return stored.error();
  Result<void> named = directories.Add(op, dir, place.name, inode->number, node.type, reserve);
  if (!named.ok()) return named.error();
  TouchDirectory(dir, op.now);
  if (Result<void> stored = Store(op, dir); !stored.ok()) return stored.error();
  return NodeOf(*inode);
}

Result<NodeId> ExtFs::Create(const OpContext& op, Place place, const NewNode& node) {
  if (Result<ExtSpot> spot = body_->FindSpotToAdd(op, place); !spot.ok()) return spot.error();
  return body_->Change(op, [&] { return body_->CreateNamed(op, place, node); });
}

Result<Opened> ExtFs::CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                 OpenFlags flags) {
  if (node.type != FileType::kRegular) return Errno::kInval;
  Result<NodeId> made = Create(op, place, node);
  if (!made.ok()) return made.error();
  return Opened{*made, body_->OpenNode(*made, flags)};
}

Result<Opened> ExtFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                    OpenFlags flags) {
  Result<Inode> parent = body_->FindToChange(op, dir);
  if (!parent.ok()) return parent.error();
  if (!parent->is_directory()) return Errno::kNotDir;
  if (parent->disk.links_count == 0) return Errno::kNoEnt;
  if (node.type != FileType::kRegular) return Errno::kInval;
  Result<NodeId> made = body_->Change(op, [&]() -> Result<NodeId> {
    Result<Inode> inode = body_->MakeInode(op, *parent, node);
    if (!inode.ok()) return inode.error();
    if (Result<void> added = body_->AddOrphan(op, *inode); !added.ok()) return added.error();
    if (Result<void> stored = body_->Store(op, *inode); !stored.ok()) return stored.error();
    return NodeOf(*inode);
  });
  if (!made.ok()) return made.error();
  body_->never_named.insert(made->value);
  return Opened{*made, body_->OpenNode(*made, flags)};
}

Result<void> ExtFs::Body::AddLink(const OpContext& op, NodeId node, Place place, bool by_handle) {
  Result<ExtSpot> spot = FindSpotToAdd(op, place);
  if (!spot.ok()) return spot.error();
  Result<Inode> inode = Find(op, node);
  if (!inode.ok()) return inode.error();
  if (inode->is_directory()) return Errno::kPerm;
  const bool unnamed = inode->disk.links_count == 0;
  if (unnamed && !(by_handle && never_named.contains(node.value))) return Errno::kNoEnt;
  if (inode->disk.links_count >= kMaxLinks) return Errno::kMLink;
  if (unnamed) {
    if (Result<void> removed = RemoveOrphan(op, *inode); !removed.ok()) return removed;
  }
  ++inode->disk.links_count;
  Bump(*inode, op.now);
  if (Result<void> stored = Store(op, *inode); !stored.ok()) return stored;
  Result<void> named =
      directories.Add(op, spot->dir, place.name, inode->number, inode->type(), ReserveFor(op));
  if (!named.ok()) return named;
  TouchDirectory(spot->dir, op.now);
  return Store(op, spot->dir);
}

Result<void> ExtFs::Link(const OpContext& op, NodeId node, Place place) {
  if (Result<Inode> inode = body_->Find(op, node); !inode.ok()) return inode.error();
  if (Result<ExtSpot> spot = body_->FindSpotToAdd(op, place); !spot.ok()) return spot.error();
  return body_->Change(op, [&] { return body_->AddLink(op, node, place, false); });
}

Result<void> ExtFs::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  Result<ExtOpen> open = body_->FindOpen(op, handle);
  if (!open.ok()) return open.error();
  if (Result<ExtSpot> spot = body_->FindSpotToAdd(op, place); !spot.ok()) return spot.error();
  const NodeId node = open->file.node;
  Result<void> linked = body_->Change(op, [&] { return body_->AddLink(op, node, place, true); });
  if (linked.ok()) body_->never_named.erase(node.value);
  return linked;
}

Result<void> ExtFs::Body::RemoveName(const OpContext& op, Place place, FileType expected) {
  Result<ExtSpot> spot = FindSpotToChange(op, place);
  if (!spot.ok()) return spot.error();
  if (!spot->entry.has_value()) return Errno::kNoEnt;
  Result<Inode> inode = Child(op, spot->dir, *spot->entry);
  if (!inode.ok()) return inode.error();
  if (inode->is_directory() && expected != FileType::kDirectory) return Errno::kIsDir;
  if (!inode->is_directory() && expected == FileType::kDirectory) return Errno::kNotDir;
  if (inode->is_directory()) {
    Result<bool> empty = directories.IsEmpty(op, *inode);
    if (!empty.ok()) return empty.error();
    if (!*empty) return Errno::kNotEmpty;
    DropSubdirectory(spot->dir);
  }
  Result<void> removed = directories.Remove(op, spot->dir, place.name, *spot->entry);
  if (!removed.ok()) return removed;
  TouchDirectory(spot->dir, op.now);
  if (Result<void> stored = Store(op, spot->dir); !stored.ok()) return stored;
  if (Result<void> dropped = DropName(op, *inode); !dropped.ok()) return dropped;
  return EvictUnlessOpen(op, inode->number);
}

Result<void> ExtFs::Remove(const OpContext& op, Place place, FileType expected) {
  if (Result<ExtSpot> spot = body_->FindSpotToChange(op, place); !spot.ok()) return spot.error();
  return body_->Change(op, [&] { return body_->RemoveName(op, place, expected); });
}

}  // namespace lamina
