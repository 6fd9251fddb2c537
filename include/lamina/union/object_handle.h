// ObjectHandle: the durable name of a branch object, as the marks `origin` and `upper` and the
// names of index entries hold it (struct ovl_fb in fs/overlayfs/overlayfs.h). It stays valid over
// renames and mounts and names nothing once the object is gone.
//
//   byte 0      version, 0
//   byte 1      magic, 0xfb
//   byte 2      length of the whole
//   byte 3      flags: 1 big-endian, 2 of any endianness, 4 an object of the writable branch
//   byte 4      type
//   from 5 on   what only the maker reads
//
// Those made here have type 0x4c and 21 bytes: device number and node id stand at the end. A
// kernel's hold a uuid and the file system's own handle, and are longer.
//
// Threads: plain values and pure functions.
#ifndef LAMINA_UNION_OBJECT_HANDLE_H_
#define LAMINA_UNION_OBJECT_HANDLE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "lamina/fs/file_system.h"

namespace lamina {

struct ObjectHandle {
  bool ours = false;  // else only its maker can read the rest, and it names nothing here
  bool of_writable = false;
  std::uint64_t dev = 0;
  NodeId node;
};

enum class HandleOf : std::uint8_t { kLower, kWritable };

bool HasHandles(const FileSystem& fs);
// The handle of the object that answered `stat`; "" when its file system has none.
std::string EncodeHandle(const OpContext& op, FileSystem& fs, const Stat& stat, HandleOf of);
// Errors (ovl_check_fb_len): kInval not a handle; kNoData a version, a flag or an endianness that
// is not known.
Result<ObjectHandle> ParseHandle(std::string_view value);
// The object a handle of `fs` names. Errors: kStale gone, or a handle of another file system.
Result<Stat> DecodeHandle(const OpContext& op, FileSystem& fs, const ObjectHandle& handle);

// An index entry is called like the handle of its lower object, in hexadecimal.
std::string IndexName(std::string_view handle);
// The handle that a name stands for. Errors (ovl_verify_index): kInval not hexadecimal; those of
// ParseHandle.
Result<std::string> ParseIndexName(std::string_view name);

}  // namespace lamina
#endif  // LAMINA_UNION_OBJECT_HANDLE_H_
