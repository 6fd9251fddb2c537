// HostEntry: one name of a host directory, opened without access (O_PATH), so that its attributes,
// link target and xattrs are those of one inode, whatever happens to the name meanwhile.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_HOST_ENTRY_H_
#define LAMINA_IMAGE_HOST_ENTRY_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/fs/file_system.h"
#include "vfs/image/host_content.h"
#include "vfs/image/node_attributes.h"

namespace lamina {

// The status for `error` of the host while `doing` something with `path`: NotFound,
// PermissionDenied, ResourceExhausted (too many descriptors, no memory), Unavailable.
absl::Status HostError(int error, std::string_view path, std::string_view doing);

struct HostEntry {
  HostFd fd;  // O_PATH
  struct stat stat {};

  FileType type() const;
};

// Opens `name` in `dir`; `path` is for messages. Errors as HostError.
absl::StatusOr<HostEntry> OpenHostEntry(int dir, const std::string& name, std::string_view path);

// Without xattrs.
NodeAttributes HostAttributes(const struct stat& stat);

// Adds the xattrs of the entry to `xattrs`. Those that we may not read or that the host cannot hold
// are counted in `dropped`. Errors as HostError; ResourceExhausted over `max_bytes`.
absl::Status ReadHostXattrs(const HostEntry& entry, std::string_view path, std::uint64_t max_bytes,
                            NodeAttributes& attributes, std::uint64_t& dropped);

absl::StatusOr<std::string> ReadHostLink(const HostEntry& entry, std::string_view path);

// The names in the directory, sorted, without "." and "..". Errors as HostError.
absl::StatusOr<std::vector<std::string>> ListHostDirectory(const HostEntry& entry,
                                                           std::string_view path,
                                                           std::uint64_t max_names);

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_ENTRY_H_
