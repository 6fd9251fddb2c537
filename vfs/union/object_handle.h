// ObjectHandle: the durable name of a branch object, as the marks `origin` and `upper` and the
// names of index entries hold it (struct ovl_fh in fs/overlayfs/overlayfs.h). It stays valid over
// renames and mounts and names nothing once the object is gone.
#ifndef LAMINA_VFS_UNION_OBJECT_HANDLE_H_
#define LAMINA_VFS_UNION_OBJECT_HANDLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/fs/file_system.h"

namespace lamina {

struct ObjectHandle {
  std::uint64_t dev = 0;
  NodeId node;
  bool of_writable = false;
};

enum class HandleOf : std::uint8_t { kLower, kWritable };

bool HasHandles(const FileSystem& fs);
// The handle of the object that answered `stat`; "" when its file system has none.
std::string EncodeHandle(const OpContext& op, FileSystem& fs, const Stat& stat, HandleOf of);
// Nothing: not a handle.
std::optional<ObjectHandle> ParseHandle(std::string_view value);
// The object a handle of `fs` names. Errors: kStale gone, or a handle of another file system.
Result<Stat> DecodeHandle(const OpContext& op, FileSystem& fs, const ObjectHandle& handle);

// An index entry is called like the handle of its lower object, in hexadecimal.
std::string IndexName(std::string_view handle);
std::optional<std::string> ParseIndexName(std::string_view name);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_OBJECT_HANDLE_H_
