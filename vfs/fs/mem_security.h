// The rules of node_rules.h, asked of the nodes of a MemFs.
//
// Threads: as the Node.
#ifndef LAMINA_VFS_FS_MEM_SECURITY_H_
#define LAMINA_VFS_FS_MEM_SECURITY_H_

#include <cstdint>
#include <string_view>

#include "lamina/fs/node_rules.h"
#include "vfs/fs/mem_node.h"

namespace lamina::internal {

// Pages a link target takes: short ones live in the inode (tmpfs: up to 128 bytes).
std::uint64_t TargetPages(std::uint64_t target_bytes);

// The table of this node alone; made when there is none.
XattrTable& WritableXattrs(Node& node);
// The ACL kept under `key`; empty when there is none.
PosixAcl FindAcl(const Node& node, std::string_view key);

inline RuledNode Ruled(const Node& node) { return {node.type, node.mode, node.gid}; }

// What a node made below `dir` inherits from its default ACL.
AclOfNew InheritedFrom(const Node& dir, FileType type, std::uint16_t mode);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_SECURITY_H_
