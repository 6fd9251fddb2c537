// NameHash: the hash by which an indexed directory orders names. Source: the kernel's
// filesystems/ext4/directory.rst, "Hash Tree Directories"; the functions as in fs/ext4/hash.c.
#ifndef LAMINA_VFS_EXT_NAME_HASH_H_
#define LAMINA_VFS_EXT_NAME_HASH_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace lamina::internal {

// As the root of an index names them. Three more are the same for bytes that have no sign.
enum class NameHashVersion : std::uint8_t { kLegacy = 0, kHalfMd4 = 1, kTea = 2 };
enum class NameBytes : bool { kSigned, kUnsigned };

// Even: the lowest bit of a hash in an index has another meaning. `seed` all zero: the usual one.
std::uint32_t NameHash(NameHashVersion version, NameBytes bytes,
                       const std::array<std::uint32_t, 4>& seed, std::string_view name);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_EXT_NAME_HASH_H_
