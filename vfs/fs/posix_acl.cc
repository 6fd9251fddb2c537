#include "lamina/fs/posix_acl.h"

#include <cstddef>

namespace lamina {
namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kEntryBytes = 8;
constexpr unsigned kAllPermissions = 7;

std::uint32_t ReadLittleEndian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = (value << 8U) | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

void AppendLittleEndian(std::string& out, std::uint32_t value, int width_bytes) {
  for (int i = 0; i < width_bytes; ++i, value >>= 8U) {
    out.push_back(static_cast<char>(value & 0xffU));
  }
}

Result<AclEntry> ParseEntry(std::string_view bytes) {
  AclEntry entry;
  entry.tag = static_cast<AclTag>(ReadLittleEndian(bytes.substr(0, 2)));
  entry.permissions = static_cast<std::uint16_t>(ReadLittleEndian(bytes.substr(2, 2)));
  switch (entry.tag) {
    case AclTag::kUserObj:
    case AclTag::kGroupObj:
    case AclTag::kMask:
    case AclTag::kOther:
      return entry;
    case AclTag::kUser:
    case AclTag::kGroup:
      entry.id = ReadLittleEndian(bytes.substr(4, 4));
      if (entry.id == kNoAclId) return Errno::kInval;
      return entry;
  }
  return Errno::kInval;
}

// The entry the group bits of a mode stand for: the mask, or the group when there is no mask.
AclEntry* FindGroupClass(PosixAcl& acl) {
  AclEntry* found = nullptr;
  for (AclEntry& entry : acl.entries) {
    if (entry.tag == AclTag::kMask) return &entry;
    if (entry.tag == AclTag::kGroupObj) found = &entry;
  }
  return found;
}

// The mask that limits entries of users and groups; everything when there is none.
unsigned MaskOf(const PosixAcl& acl) {
  for (const AclEntry& entry : acl.entries) {
    if (entry.tag == AclTag::kMask) return entry.permissions;
  }
  return kAllPermissions;
}

Result<void> Grant(unsigned permissions, unsigned wanted) {
  if ((permissions & wanted) == wanted) return {};
  return Errno::kAccess;
}

}  // namespace

Result<PosixAcl> DecodePosixAcl(std::string_view value) {
  PosixAcl acl;
  if (value.empty()) return acl;
  if (value.size() < kHeaderBytes) return Errno::kInval;
  if (ReadLittleEndian(value.substr(0, kHeaderBytes)) != kVersion) return Errno::kOpNotSupp;
  value.remove_prefix(kHeaderBytes);
  if (value.size() % kEntryBytes != 0) return Errno::kInval;
  acl.entries.reserve(value.size() / kEntryBytes);
  for (; !value.empty(); value.remove_prefix(kEntryBytes)) {
    Result<AclEntry> entry = ParseEntry(value.substr(0, kEntryBytes));
    if (!entry.ok()) return entry.error();
    acl.entries.push_back(*entry);
  }
  return acl;
}

// `expect` is the next tag that may stand alone; kNone once the entry for others is seen.
bool IsValidAcl(const PosixAcl& acl) {
  enum class Expect : std::uint8_t { kUserObj, kUsers, kGroups, kOther, kNone };
  Expect expect = Expect::kUserObj;
  bool needs_mask = false;
  for (const AclEntry& entry : acl.entries) {
    if (entry.permissions > kAllPermissions) return false;
    switch (entry.tag) {
      case AclTag::kUserObj:
        if (expect != Expect::kUserObj) return false;
        expect = Expect::kUsers;
        break;
      case AclTag::kUser:
        if (expect != Expect::kUsers) return false;
        needs_mask = true;
        break;
      case AclTag::kGroupObj:
        if (expect != Expect::kUsers) return false;
        expect = Expect::kGroups;
        break;
      case AclTag::kGroup:
        if (expect != Expect::kGroups) return false;
        needs_mask = true;
        break;
      case AclTag::kMask:
        if (expect != Expect::kGroups) return false;
        expect = Expect::kOther;
        break;
      case AclTag::kOther:
        if (expect != Expect::kOther && (expect != Expect::kGroups || needs_mask)) return false;
        expect = Expect::kNone;
        break;
    }
  }
  return expect == Expect::kNone;
}

Result<PosixAcl> ParsePosixAcl(std::string_view value) {
  Result<PosixAcl> acl = DecodePosixAcl(value);
  if (!acl.ok() || acl->empty() || IsValidAcl(*acl)) return acl;
  return Errno::kInval;
}

std::string FormatPosixAcl(const PosixAcl& acl) {
  std::string out;
  out.reserve(kHeaderBytes + acl.entries.size() * kEntryBytes);
  AppendLittleEndian(out, kVersion, 4);
  for (const AclEntry& entry : acl.entries) {
    AppendLittleEndian(out, static_cast<std::uint16_t>(entry.tag), 2);
    AppendLittleEndian(out, entry.permissions, 2);
    AppendLittleEndian(out, entry.id, 4);
  }
  return out;
}

std::uint16_t ModeFromAcl(const PosixAcl& acl) {
  unsigned user = 0;
  unsigned group = 0;
  unsigned other = 0;
  for (const AclEntry& entry : acl.entries) {
    switch (entry.tag) {
      case AclTag::kUserObj:
        user = entry.permissions;
        break;
      case AclTag::kGroupObj:
      case AclTag::kMask:  // stands after the group
        group = entry.permissions;
        break;
      case AclTag::kOther:
        other = entry.permissions;
        break;
      case AclTag::kUser:
      case AclTag::kGroup:
        break;
    }
  }
  return static_cast<std::uint16_t>((user << 6U) | (group << 3U) | other);
}

bool IsEquivalentToMode(const PosixAcl& acl) {
  for (const AclEntry& entry : acl.entries) {
    if (entry.tag == AclTag::kUser || entry.tag == AclTag::kGroup || entry.tag == AclTag::kMask) {
      return false;
    }
  }
  return true;
}

PosixAcl ApplyModeToAcl(const PosixAcl& acl, std::uint16_t mode) {
  PosixAcl result = acl;
  for (AclEntry& entry : result.entries) {
    if (entry.tag == AclTag::kUserObj) entry.permissions = (mode >> 6U) & kAllPermissions;
    if (entry.tag == AclTag::kOther) entry.permissions = mode & kAllPermissions;
  }
  AclEntry* group = FindGroupClass(result);
  if (group != nullptr) group->permissions = (mode >> 3U) & kAllPermissions;
  return result;
}

InheritedAcl InheritAcl(const PosixAcl& parent_default, std::uint16_t mode) {
  PosixAcl acl = parent_default;
  for (AclEntry& entry : acl.entries) {
    if (entry.tag == AclTag::kUserObj) entry.permissions &= (mode >> 6U) & kAllPermissions;
    if (entry.tag == AclTag::kOther) entry.permissions &= mode & kAllPermissions;
  }
  AclEntry* group = FindGroupClass(acl);
  if (group != nullptr) group->permissions &= (mode >> 3U) & kAllPermissions;

  constexpr unsigned kModeBits = 0777;
  InheritedAcl result;
  result.mode = static_cast<std::uint16_t>((mode & ~kModeBits) | ModeFromAcl(acl));
  if (!IsEquivalentToMode(acl)) result.access = std::move(acl);
  return result;
}

Result<void> CheckAcl(const PosixAcl& acl, const Credentials& cred, std::uint32_t uid,
                      std::uint32_t gid, unsigned wanted) {
  wanted &= kAllPermissions;
  bool in_some_group = false;
  for (const AclEntry& entry : acl.entries) {
    switch (entry.tag) {
      case AclTag::kUserObj:
        if (cred.uid == uid) return Grant(entry.permissions, wanted);
        break;
      case AclTag::kUser:
        if (cred.uid == entry.id) return Grant(entry.permissions & MaskOf(acl), wanted);
        break;
      case AclTag::kGroupObj:
      case AclTag::kGroup:
        if (!cred.InGroup(entry.tag == AclTag::kGroup ? entry.id : gid)) break;
        in_some_group = true;
        // The first group that grants decides; only then the mask has its say.
        if (Grant(entry.permissions, wanted).ok()) {
          return Grant(entry.permissions & MaskOf(acl), wanted);
        }
        break;
      case AclTag::kMask:
        break;
      case AclTag::kOther:
        if (in_some_group) return Errno::kAccess;
        return Grant(entry.permissions, wanted);
    }
  }
  return Errno::kIo;
}

}  // namespace lamina
