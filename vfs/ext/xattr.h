// Extended attributes: in the inode behind its fields, and in one block of their own.
//
//   entries  [len index offset size hash | name]…  0000      … values, packed from the end
//
// The call sees keys with their namespace ("user.a"); the disk has a number for it. An ACL has
// another form on disk (version 1, ids only where they mean something).
//
// Source: the kernel's filesystems/ext4/attributes.rst. Threads: as the cache.
#ifndef LAMINA_VFS_EXT_XATTR_H_
#define LAMINA_VFS_EXT_XATTR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/ext/block_map.h"

namespace lamina::ext {

// A key as the disk has it.
struct DiskKey {
  std::uint8_t index = 0;
  std::string name;
  friend bool operator==(const DiskKey&, const DiskKey&) = default;
};
struct Attribute {
  DiskKey key;
  std::string value;
};

// Nothing: a namespace that is not kept here.
std::optional<DiskKey> DiskKeyOf(std::string_view key);
// Empty: a namespace that nobody sees.
std::string KeyOf(const DiskKey& key);

// Errors: kInval an id that is missing, another version.
Result<std::string> AclToDisk(std::string_view value);
// Errors: kUClean.
Result<std::string> AclFromDisk(std::string_view disk);

// The value as the caller sees it; nothing: no such key. Errors: kUClean; kIo …
Result<std::optional<std::string>> FindXattr(const OpContext& op, Volume& volume,
                                             const Inode& inode, std::string_view key);
// Sorted by byte order.
Result<std::vector<std::string>> ListXattrs(const OpContext& op, Volume& volume,
                                            const Inode& inode);
// Sets, or with no value removes. The caller stores `inode`. Errors: kNoSpc; kUClean; kIo …
Result<void> ChangeXattr(const OpContext& op, Volume& volume, Inode& inode, std::string_view key,
                         std::optional<std::string_view> value, Reserve reserve);
// Gives back the block, when the inode goes.
Result<void> FreeXattrBlock(const OpContext& op, Volume& volume, Inode& inode);

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_XATTR_H_
