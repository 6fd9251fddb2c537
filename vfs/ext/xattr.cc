#include "vfs/ext/xattr.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lamina/fs/posix_acl.h"
#include "vfs/ext/xattr_format.h"

namespace lamina::ext {
namespace {

struct Namespace {
  std::uint8_t index;
  std::string_view prefix;
};
constexpr std::array kNamespaces = std::to_array<Namespace>({
    {kXattrUser, "user."},
    {kXattrTrusted, "trusted."},
    {kXattrSecurity, "security."},
});

bool IsAcl(const DiskKey& key) {
  return key.index == kXattrAccessAcl || key.index == kXattrDefaultAcl;
}

// An entry of an ACL on disk: the id is there for kUser and kGroup only.
struct DiskAclEntry {
  std::uint16_t tag;
  std::uint16_t permissions;
};
bool HasId(AclTag tag) { return tag == AclTag::kUser || tag == AclTag::kGroup; }

template <typename Record>
void Append(std::string* out, const Record& record) {
  out->append(reinterpret_cast<const char*>(&record), sizeof(record));
}

// Both places of one inode.
struct Places {
  std::vector<Attribute> inode;
  std::vector<Attribute> block;
  bool has_block = false;
};

Result<Places> Load(const OpContext& op, Volume& volume, const Inode& inode) {
  Places places;
  Result<std::vector<Attribute>> near = ParseXattrs(inode.xattr_area(), XattrPlace::kInode);
  if (!near.ok()) return near.error();
  places.inode = *std::move(near);
  if (inode.disk.xattr_block == 0) return places;
  if (!volume.allocator.IsFileRange(inode.disk.xattr_block, 1)) return Errno::kUClean;
  Result<Bytes> block = volume.cache.Read(op, inode.disk.xattr_block);
  if (!block.ok()) return block.error();
  Result<std::vector<Attribute>> far = ParseXattrs(*block, XattrPlace::kBlock);
  if (!far.ok()) return far.error();
  places.block = *std::move(far);
  places.has_block = true;
  return places;
}

auto Locate(std::vector<Attribute>& list, const DiskKey& key) {
  return std::find_if(list.begin(), list.end(),
                      [&](const Attribute& each) { return each.key == key; });
}

bool Erase(std::vector<Attribute>& list, const DiskKey& key) {
  const auto found = Locate(list, key);
  if (found == list.end()) return false;
  list.erase(found);
  return true;
}

// Writes the block's list: to a new block when others use the old one too.
Result<void> StoreBlock(const OpContext& op, Volume& volume, Inode& inode,
                        const std::vector<Attribute>& list, Reserve reserve) {
  if (list.empty()) return FreeXattrBlock(op, volume, inode);
  if (!FitXattrs(list, volume.geometry.block_bytes, XattrPlace::kBlock)) {
    return Errno::kUClean;  // values that overlapped
  }
  bool shared = false;
  if (inode.disk.xattr_block != 0) {
    Result<Bytes> bytes = volume.cache.Read(op, inode.disk.xattr_block);
    if (!bytes.ok()) return bytes.error();
    shared = ReadRecord<DiskXattrHeader>(*bytes).references > 1;
  }
  if (shared || inode.disk.xattr_block == 0) {
    if (Result<void> freed = FreeXattrBlock(op, volume, inode); !freed.ok()) return freed;
    Result<std::uint32_t> made = TakeMapBlock(op, volume, inode, reserve);
    if (!made.ok()) return made.error();
    inode.disk.xattr_block = *made;
  }
  Result<MutableBytes> block =
      volume.cache.Edit(op, inode.disk.xattr_block, 0, volume.geometry.block_bytes);
  if (!block.ok()) return block.error();
  FormatXattrs(*block, list, XattrPlace::kBlock);
  return {};
}

}  // namespace

// ── Keys and ACLs ────────────────────────────────────────────────────────────────────────────────

std::optional<DiskKey> DiskKeyOf(std::string_view key) {
  if (key == kAccessAclKey) return DiskKey{kXattrAccessAcl, {}};
  if (key == kDefaultAclKey) return DiskKey{kXattrDefaultAcl, {}};
  for (const Namespace& each : kNamespaces) {
    if (!key.starts_with(each.prefix)) continue;
    return DiskKey{each.index, std::string(key.substr(each.prefix.size()))};
  }
  return std::nullopt;
}

std::string KeyOf(const DiskKey& key) {
  if (key.index == kXattrAccessAcl) return std::string(kAccessAclKey);
  if (key.index == kXattrDefaultAcl) return std::string(kDefaultAclKey);
  for (const Namespace& each : kNamespaces) {
    if (each.index == key.index) return std::string(each.prefix).append(key.name);
  }
  return {};
}

Result<std::string> AclToDisk(std::string_view value) {
  Result<PosixAcl> acl = DecodePosixAcl(value);
  if (!acl.ok()) return acl.error();
  std::string disk;
  Append(&disk, kAclVersion);
  for (const AclEntry& entry : acl->entries) {
    Append(&disk, DiskAclEntry{static_cast<std::uint16_t>(entry.tag), entry.permissions});
    if (HasId(entry.tag)) Append(&disk, entry.id);
  }
  return disk;
}

Result<std::string> AclFromDisk(std::string_view disk) {
  const Bytes bytes = AsBytes(disk);
  if (bytes.size() < 4 || ReadRecord<std::uint32_t>(bytes) != kAclVersion) return Errno::kUClean;
  PosixAcl acl;
  std::size_t offset = 4;
  while (offset < bytes.size()) {
    if (bytes.size() - offset < sizeof(DiskAclEntry)) return Errno::kUClean;
    const auto entry = ReadRecord<DiskAclEntry>(bytes, offset);
    offset += sizeof(DiskAclEntry);
    AclEntry made{static_cast<AclTag>(entry.tag), entry.permissions, kNoAclId};
    if (HasId(made.tag)) {
      if (bytes.size() - offset < 4) return Errno::kUClean;
      made.id = ReadRecord<std::uint32_t>(bytes, offset);
      offset += 4;
    }
    acl.entries.push_back(made);
  }
  if (acl.empty() || !IsValidAcl(acl)) return Errno::kUClean;
  return FormatPosixAcl(acl);
}

// ── Calls ────────────────────────────────────────────────────────────────────────────────────────

Result<std::optional<std::string>> FindXattr(const OpContext& op, Volume& volume,
                                             const Inode& inode, std::string_view key) {
  const std::optional<DiskKey> wanted = DiskKeyOf(key);
  if (!wanted.has_value()) return std::optional<std::string>();
  Result<Places> places = Load(op, volume, inode);
  if (!places.ok()) return places.error();
  for (std::vector<Attribute>* list : {&places->inode, &places->block}) {
    const auto found = Locate(*list, *wanted);
    if (found == list->end()) continue;
    if (!IsAcl(*wanted)) return std::optional<std::string>(std::move(found->value));
    Result<std::string> acl = AclFromDisk(found->value);
    if (!acl.ok()) return acl.error();
    return std::optional<std::string>(*std::move(acl));
  }
  return std::optional<std::string>();
}

Result<std::vector<std::string>> ListXattrs(const OpContext& op, Volume& volume,
                                            const Inode& inode) {
  Result<Places> places = Load(op, volume, inode);
  if (!places.ok()) return places.error();
  std::vector<std::string> keys;
  for (const std::vector<Attribute>* list : {&places->inode, &places->block}) {
    for (const Attribute& each : *list) {
      std::string key = KeyOf(each.key);
      if (!key.empty()) keys.push_back(std::move(key));
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

Result<void> ChangeXattr(const OpContext& op, Volume& volume, Inode& inode, std::string_view key,
                         std::optional<std::string_view> value, Reserve reserve) {
  const std::optional<DiskKey> wanted = DiskKeyOf(key);
  if (!wanted.has_value()) return Errno::kOpNotSupp;
  Result<Places> places = Load(op, volume, inode);
  if (!places.ok()) return places.error();
  bool near_changed = Erase(places->inode, *wanted);
  bool far_changed = Erase(places->block, *wanted);
  if (value.has_value()) {
    Attribute made{*wanted, std::string(*value)};
    if (IsAcl(*wanted)) {
      Result<std::string> disk = AclToDisk(*value);
      if (!disk.ok()) return disk.error();
      made.value = *std::move(disk);
    }
    places->inode.push_back(made);
    const MutableBytes area = inode.xattr_area();
    if (FitXattrs(places->inode, area.size(), XattrPlace::kInode)) {
      near_changed = true;
    } else {
      places->inode.pop_back();
      places->block.push_back(std::move(made));
      far_changed = true;
      const std::size_t block_bytes = volume.geometry.block_bytes;
      if (!FitXattrs(places->block, block_bytes, XattrPlace::kBlock)) return Errno::kNoSpc;
    }
  }
  if (near_changed) {
    const MutableBytes area = inode.xattr_area();
    if (places->inode.empty()) {
      std::fill(area.begin(), area.end(), std::byte{0});
    } else if (!FitXattrs(places->inode, area.size(), XattrPlace::kInode)) {
      return Errno::kUClean;  // values that overlapped
    } else {
      FormatXattrs(area, places->inode, XattrPlace::kInode);
    }
  }
  if (!far_changed) return {};
  return StoreBlock(op, volume, inode, places->block, reserve);
}

Result<void> FreeXattrBlock(const OpContext& op, Volume& volume, Inode& inode) {
  const std::uint32_t block = inode.disk.xattr_block;
  if (block == 0) return {};
  if (!volume.allocator.IsFileRange(block, 1)) return Errno::kUClean;
  Result<Bytes> bytes = volume.cache.Read(op, block);
  if (!bytes.ok()) return bytes.error();
  auto header = ReadRecord<DiskXattrHeader>(*bytes);
  if (header.magic != kXattrMagic || header.references == 0) return Errno::kUClean;
  inode.disk.xattr_block = 0;
  if (header.references == 1) return FreeMapped(op, volume, inode, {block, 1}, BlockUse::kMetadata);
  Result<MutableBytes> part = volume.cache.Edit(op, block, 0, sizeof(header));
  if (!part.ok()) return part.error();
  --header.references;
  WriteRecord(*part, header);
  if (!inode.AddBlocks(volume.geometry, -1)) return Errno::kUClean;
  return {};
}

}  // namespace lamina::ext
