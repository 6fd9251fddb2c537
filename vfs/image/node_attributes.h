// NodeAttributes: everything about a node but its names and its content, and the one way to give it
// to a node of a MemFs so that nothing is inherited and nothing is dropped on the way.
//
// Threads: as the MemFs.
#ifndef LAMINA_IMAGE_NODE_ATTRIBUTES_H_
#define LAMINA_IMAGE_NODE_ATTRIBUTES_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "lamina/base/ids.h"
#include "lamina/base/time.h"
#include "lamina/fs/mem_fs.h"

namespace lamina {

struct NodeAttributes {
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Instant atime;
  Instant mtime;
  Instant ctime;
  std::map<std::string, std::string, std::less<>> xattrs;
};

// Makes `node` have just these attributes and xattrs. A kind of xattr that `fs` cannot hold (an
// unknown namespace, a user key on a symlink) is left out and counted in `dropped`.
// Errors: InvalidArgument an xattr that is too long or an ACL that is malformed;
// ResourceExhausted no space; Internal anything else.
absl::Status SetAttributes(MemFs& fs, NodeId node, const NodeAttributes& attributes,
                           std::uint64_t& dropped);

// What `node` has now. `node` must be valid.
NodeAttributes GetAttributes(MemFs& fs, NodeId node);

// The status for an error of a MemFs while `doing` something ("creating", "writing").
absl::Status MemFsError(Errno error, std::string_view doing);

}  // namespace lamina
#endif  // LAMINA_IMAGE_NODE_ATTRIBUTES_H_
