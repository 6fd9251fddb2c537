// ExtFs: attributes, symlinks and extended attributes.
#include <utility>

#include "vfs/ext/body.h"
#include "vfs/ext/xattr.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

RuledNode Ruled(const Inode& inode) { return {inode.type(), inode.mode(), inode.gid()}; }

}  // namespace

Result<Stat> ExtFs::GetAttr(const OpContext& op, NodeId node) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<Inode> inode = body_->Find(op, node);
  if (!inode.ok()) return inode.error();
  return Stat{.node = node,
              .ino = inode->number,
              .dev = body_->device_number,
              .type = inode->type(),
              .mode = inode->mode(),
              .uid = inode->uid(),
              .gid = inode->gid(),
              .nlink = inode->disk.links_count,
              .size_bytes = inode->has_map() ? inode->size() : 0,
              .allocated_sectors = inode->sectors(body_->geometry),
              .rdev = inode->is_device() ? inode->rdev() : 0,
              .atime = inode->atime(),
              .mtime = inode->mtime(),
              .ctime = inode->ctime(),
              .change = inode->change()};
}

// ── SetAttr ──────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtFs::Body::SetMode(const OpContext& op, Inode& inode, std::uint16_t mode) {
  inode.set_mode(mode);
  if (inode.is_symlink()) return {};
  Result<PosixAcl> acl = FindAcl(op, inode, kAccessAclKey);
  if (!acl.ok()) return acl.error();
  if (acl->empty()) return {};
  const std::string value = FormatPosixAcl(ApplyModeToAcl(*acl, mode));
  return ChangeXattr(op, volume, inode, kAccessAclKey, value, Reserve::kUse);
}

Result<void> ExtFs::Body::ChangeAttributes(const OpContext& op, NodeId node,
                                           const AttrChange& change) {
  Result<Inode> found = FindToChange(op, node);
  if (!found.ok()) return found.error();
  Inode& inode = *found;
  const Instant old_mtime = inode.mtime();
  if (change.size_bytes.has_value()) {
    // As the seam wants it: a truncate that finds nothing to do keeps the time.
    const bool no_change = *change.size_bytes == inode.size() && inode.sectors(geometry) == 0;
    if (Result<void> done = Truncate(op, inode, *change.size_bytes); !done.ok()) return done;
    if (Result<void> dropped = DropPrivileges(op, inode); !dropped.ok()) return dropped;
    inode.set_mtime(no_change ? old_mtime : op.now);
  }
  if (change.uid.has_value() || change.gid.has_value()) {
    inode.set_mode(ModeAfterChown(op.cred, Ruled(inode)));
    if (!inode.is_directory()) {
      if (Result<void> gone = EraseXattr(op, inode, kCapabilityKey); !gone.ok()) return gone;
    }
    inode.set_uid(change.uid.value_or(inode.uid()));
    inode.set_gid(change.gid.value_or(inode.gid()));
  }
  if (change.mode.has_value()) {
    if (Result<void> set = SetMode(op, inode, *change.mode); !set.ok()) return set;
  }
  if (change.atime.has_value()) inode.set_atime(*change.atime);
  if (change.mtime.has_value()) inode.set_mtime(*change.mtime);
  Bump(inode, op.now);
  return Store(op, inode);
}

Result<void> ExtFs::SetAttr(const OpContext& op, NodeId node, const AttrChange& change) {
  Result<Inode> inode = body_->FindToChange(op, node);
  if (!inode.ok()) return inode.error();
  if (change.size_bytes.has_value()) {
    if (inode->is_directory()) return Errno::kIsDir;
    if (!inode->is_regular()) return Errno::kInval;
    if (*change.size_bytes > body_->MaxFileBytes(*inode)) return Errno::kFBig;
  }
  return body_->Change(op, [&] { return body_->ChangeAttributes(op, node, change); });
}

// ── Symlinks ─────────────────────────────────────────────────────────────────────────────────────

Result<std::string> ExtFs::Body::TargetOf(const OpContext& op, const Inode& inode) {
  const std::uint64_t size = inode.size();
  if (inode.is_fast_symlink(geometry)) {
    if (size == 0 || size > kFastSymlinkBytes) return Errno::kUClean;
    const Bytes block = std::as_bytes(std::span(inode.disk.block));
    return std::string(AsText(block.first(size)));
  }
  if (size == 0 || size > geometry.block_bytes) return Errno::kUClean;
  std::string target(size, '\0');
  Result<void> read = ReadContent(op, inode, 0, std::as_writable_bytes(std::span(target)));
  if (!read.ok()) return read.error();
  return target;
}

Result<std::string> ExtFs::ReadLink(const OpContext& op, NodeId node) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<Inode> inode = body_->Find(op, node);
  if (!inode.ok()) return inode.error();
  if (!inode->is_symlink()) return Errno::kInval;
  Result<std::string> target = body_->TargetOf(op, *inode);
  if (target.ok()) body_->Accessed(op, *inode);
  return target;
}

// ── Extended attributes ──────────────────────────────────────────────────────────────────────────

Result<std::string> ExtFs::GetXattr(const OpContext& op, NodeId node, std::string_view key) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<Inode> inode = body_->Find(op, node);
  if (!inode.ok()) return inode.error();
  if (Result<void> known = CheckXattrKey(inode->type(), key); !known.ok()) return known.error();
  Result<std::optional<std::string>> value = FindXattr(op, body_->volume, *inode, key);
  if (!value.ok()) return value.error();
  if (!value->has_value()) return Errno::kNoData;
  return **std::move(value);
}

Result<std::vector<std::string>> ExtFs::ListXattr(const OpContext& op, NodeId node) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<Inode> inode = body_->Find(op, node);
  if (!inode.ok()) return inode.error();
  return ListXattrs(op, body_->volume, *inode);
}

// posix_acl_update_mode and __ext4_set_acl
Result<void> ExtFs::Body::SetAcl(const OpContext& op, Inode& inode, std::string_view key,
                                 std::string_view value) {
  Result<PosixAcl> acl = ParsePosixAcl(value);
  if (!acl.ok()) return acl.error();
  const bool is_access = key == kAccessAclKey;
  if (!is_access && !inode.is_directory()) {
    if (acl->empty()) return {};
    return Errno::kAccess;
  }
  const bool keep = !acl->empty() && !(is_access && IsEquivalentToMode(*acl));
  if (is_access && !acl->empty()) inode.set_mode(ModeAfterAcl(op.cred, Ruled(inode), *acl));
  if (!keep) return EraseXattr(op, inode, key);
  return ChangeXattr(op, volume, inode, key, FormatPosixAcl(*acl), ReserveFor(op));
}

Result<void> ExtFs::Body::PutXattr(const OpContext& op, Inode& inode, std::string_view key,
                                   std::string_view value, XattrMode mode) {
  Result<std::optional<std::string>> before = FindXattr(op, volume, inode, key);
  if (!before.ok()) return before.error();
  if (mode == XattrMode::kCreate && before->has_value()) return Errno::kExist;
  if (mode == XattrMode::kReplace && !before->has_value()) return Errno::kNoData;
  Result<void> set = IsAclKey(key) ? SetAcl(op, inode, key, value)
                                   : ChangeXattr(op, volume, inode, key, value, ReserveFor(op));
  if (!set.ok()) return set;
  Bump(inode, op.now);
  return Store(op, inode);
}

Result<void> ExtFs::SetXattr(const OpContext& op, NodeId node, std::string_view key,
                             std::string_view value, XattrMode mode) {
  Result<Inode> inode = body_->FindToChange(op, node);
  if (!inode.ok()) return inode.error();
  if (key.empty() || key.size() > kMaxXattrKeyBytes) return Errno::kRange;
  if (value.size() > limits().xattr_value_max) return Errno::k2Big;
  if (Result<void> fits = CheckXattrChange(inode->type(), key); !fits.ok()) return fits;
  return body_->Change(op, [&] {
    Inode changed = *inode;
    return body_->PutXattr(op, changed, key, value, mode);
  });
}

Result<void> ExtFs::RemoveXattr(const OpContext& op, NodeId node, std::string_view key) {
  Result<Inode> inode = body_->FindToChange(op, node);
  if (!inode.ok()) return inode.error();
  if (Result<void> fits = CheckXattrChange(inode->type(), key); !fits.ok()) return fits;
  Result<std::optional<std::string>> value = FindXattr(op, body_->volume, *inode, key);
  if (!value.ok()) return value.error();
  if (!value->has_value()) return Errno::kNoData;
  return body_->Change(op, [&]() -> Result<void> {
    Inode changed = *inode;
    Result<void> gone = ChangeXattr(op, body_->volume, changed, key, std::nullopt, Reserve::kUse);
    if (!gone.ok()) return gone;
    Body::Bump(changed, op.now);
    return body_->Store(op, changed);
  });
}

}  // namespace lamina
