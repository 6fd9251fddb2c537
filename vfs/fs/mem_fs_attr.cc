// MemFs: attributes and extended attributes.
#include "lamina/store/page.h"
#include "vfs/fs/mem_body.h"
#include "vfs/fs/mem_content.h"
#include "vfs/fs/mem_security.h"

namespace lamina {

using internal::Node;

namespace {

constexpr std::uint64_t kSectorsPerPage = kPageBytes / 512;
constexpr std::uint64_t kDirectoryEntryBytes = 20;  // what tmpfs counts

std::uint64_t SizeOf(const Node& node) {
  if (node.is_directory()) return node.names().size() * kDirectoryEntryBytes;
  return node.has_device() ? 0 : node.size_or_rdev;
}

std::uint64_t PagesOf(const Node& node) {
  if (node.is_regular()) return internal::ContentPages(node);
  return node.type == FileType::kSymlink ? internal::TargetPages(node.size_or_rdev) : 0;
}

}  // namespace

Result<Stat> MemFs::GetAttr(const OpContext&, NodeId id) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  return Stat{.node = id,
              .ino = id.value,
              .dev = body_->device,
              .type = node->type,
              .mode = node->mode,
              .uid = node->uid,
              .gid = node->gid,
              .nlink = node->nlink,
              .size_bytes = SizeOf(*node),
              .allocated_sectors = PagesOf(*node) * kSectorsPerPage,
              .rdev = node->has_device() ? node->size_or_rdev : 0,
              .atime = node->atime,
              .mtime = node->mtime,
              .ctime = node->ctime,
              .change = node->change};
}

void MemFs::Body::SetMode(Node& node, std::uint16_t mode) {
  node.mode = mode & kModeAll;
  const PosixAcl acl = internal::FindAcl(node, kAccessAclKey);
  if (!acl.empty()) PutXattr(node, kAccessAclKey, FormatPosixAcl(ApplyModeToAcl(acl, mode)));
}

Result<void> MemFs::SetAttr(const OpContext& op, NodeId id, const AttrChange& change) {
  const Node* found = body_->Find(id);
  if (found == nullptr) return Errno::kStale;
  if (body_->frozen) return Errno::kRoFs;
  if (change.size_bytes.has_value() && found->is_directory()) return Errno::kIsDir;
  if (change.size_bytes.has_value() && !found->is_regular()) return Errno::kInval;
  // As on tmpfs: a truncate that neither changes the size nor finds a page to drop is no change.
  const Instant old_mtime = found->mtime;
  const bool no_change = change.size_bytes == SizeOf(*found) && PagesOf(*found) == 0;
  if (change.size_bytes.has_value()) {
    Result<void> resized = body_->Truncate(op, id, *change.size_bytes);
    if (!resized.ok()) return resized;
  }
  Node& node = body_->Writable(id);
  if (no_change) node.mtime = old_mtime;
  if (change.uid.has_value() || change.gid.has_value()) {
    node.mode = ModeAfterChown(op.cred, internal::Ruled(node));
    if (!node.is_directory()) body_->EraseXattr(node, kCapabilityKey);
    node.uid = change.uid.value_or(node.uid);
    node.gid = change.gid.value_or(node.gid);
  }
  if (change.mode.has_value()) body_->SetMode(node, *change.mode);
  node.atime = change.atime.value_or(node.atime);
  node.mtime = change.mtime.value_or(node.mtime);
  body_->Bump(node, op.now);
  return {};
}

Result<void> MemFs::SetChangeTime(NodeId id, Instant ctime) {
  Result<Node*> node = body_->FindToChange(id);
  if (!node.ok()) return node.error();
  body_->Bump(**node, ctime);
  return {};
}

Result<std::string> MemFs::ReadLink(const OpContext& op, NodeId id) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  if (node->type != FileType::kSymlink) return Errno::kInval;
  std::string target(node->target());
  body_->Accessed(op, id);
  return target;
}

Result<std::string> MemFs::GetXattr(const OpContext&, NodeId id, std::string_view key) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  if (Result<void> known = CheckXattrKey(node->type, key); !known.ok()) return known.error();
  const std::string* value = node->xattrs ? node->xattrs->Find(key) : nullptr;
  if (value == nullptr) return Errno::kNoData;
  return *value;
}

Result<std::vector<std::string>> MemFs::ListXattr(const OpContext&, NodeId id) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  std::vector<std::string> keys;
  if (node->xattrs) {
    for (const auto& item : node->xattrs->items) keys.push_back(item.first);
  }
  return keys;
}

Result<void> MemFs::SetXattr(const OpContext& op, NodeId id, std::string_view key,
                             std::string_view value, XattrMode mode) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  if (body_->frozen) return Errno::kRoFs;
  if (key.empty() || key.size() > kMaxXattrKeyBytes) return Errno::kRange;
  if (value.size() > limits().xattr_value_max) return Errno::k2Big;
  if (Result<void> checked = CheckXattrChange(node->type, key); !checked.ok()) return checked;
  const std::string* before = node->xattrs ? node->xattrs->Find(key) : nullptr;
  if (mode == XattrMode::kCreate && before != nullptr) return Errno::kExist;
  if (mode == XattrMode::kReplace && before == nullptr) return Errno::kNoData;
  if (IsAclKey(key)) return body_->SetAcl(op, id, key, value);
  const std::uint64_t freed = before == nullptr ? 0 : before->size();
  if (value.size() > freed && value.size() - freed > body_->free_bytes()) return Errno::kNoSpc;
  Node& changed = body_->Writable(id);
  body_->PutXattr(changed, key, value);
  body_->Bump(changed, op.now);
  return {};
}

// posix_acl_update_mode and __ext4_set_acl
Result<void> MemFs::Body::SetAcl(const OpContext& op, NodeId id, std::string_view key,
                                 std::string_view value) {
  Result<PosixAcl> acl = ParsePosixAcl(value);
  if (!acl.ok()) return acl.error();
  const Node& before = *Find(id);
  const bool is_access = key == kAccessAclKey;
  if (!is_access && !before.is_directory()) {
    if (acl->empty()) return {};
    return Errno::kAccess;
  }
  const bool keep = !acl->empty() && !(is_access && IsEquivalentToMode(*acl));
  if (keep && value.size() > free_bytes()) return Errno::kNoSpc;
  Node& node = Writable(id);
  if (is_access && !acl->empty()) {
    node.mode = ModeAfterAcl(op.cred, internal::Ruled(node), *acl);
  }
  if (keep) {
    PutXattr(node, key, FormatPosixAcl(*acl));
  } else {
    EraseXattr(node, key);
  }
  Bump(node, op.now);
  return {};
}

Result<void> MemFs::RemoveXattr(const OpContext& op, NodeId id, std::string_view key) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  if (body_->frozen) return Errno::kRoFs;
  if (Result<void> checked = CheckXattrChange(node->type, key); !checked.ok()) return checked;
  if (!node->xattrs || node->xattrs->Find(key) == nullptr) return Errno::kNoData;
  Node& changed = body_->Writable(id);
  body_->EraseXattr(changed, key);
  body_->Bump(changed, op.now);
  return {};
}

}  // namespace lamina
