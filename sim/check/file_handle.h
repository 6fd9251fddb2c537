// The file handles in origin marks and in the names of index entries (struct ovl_fb of the kernel):
//
//   byte 0      version, 0
//   byte 1      magic, 0xfb
//   byte 2      length of the whole
//   byte 3      flags
//   byte 4      type
//   from 5 on   16 bytes uuid of the file system, then its own id of the inode
//
// Those of lamina's file systems have type 0x4c and 21 bytes: device number and node id stand in
// place of the uuid. The length tells them from a kernel's, which are longer.
//
// Threads: plain values and pure functions.
#ifndef LAMINA_SIM_CHECK_FILE_HANDLE_H_
#define LAMINA_SIM_CHECK_FILE_HANDLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/base/ids.h"

namespace lamina::sim::internal {

struct FileHandle {
  bool ours = false;  // else only its maker can read the rest
  std::uint64_t device = 0;
  NodeId node;
};

// Nothing: not a handle.
std::optional<FileHandle> ParseFileHandle(std::string_view bytes);

// "00fb15…" to bytes; nothing when it is not a whole number of hex bytes.
std::optional<std::string> BytesOfHex(std::string_view hex);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_CHECK_FILE_HANDLE_H_
