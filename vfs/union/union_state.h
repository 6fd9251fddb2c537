// What a dialect may look at to decide: the branches, the nodes known so far, the scratch
// directory.
#ifndef LAMINA_VFS_UNION_UNION_STATE_H_
#define LAMINA_VFS_UNION_UNION_STATE_H_

#include <cstdint>
#include <vector>

#include "lamina/base/check.h"
#include "vfs/union/union_node.h"

namespace lamina {

struct UnionState {
  std::vector<Branch> branches;  // topmost first
  bool has_writable = false;     // branch 0 takes the writes
  bool read_only = false;        // nothing may be changed
  NodeId work;                   // on branch 0: where new objects are prepared
  NodeId root;                   // the union's root node
  NodeTable nodes;
  NameCache names;

  FileSystem& fs(BranchIndex branch) const { return *branches[branch].fs; }
  UnionNode& node(NodeId id) const {
    UnionNode* found = nodes.Find(id);
    LAMINA_CHECK(found != nullptr);
    return *found;
  }
};

// The mounter's view of a call: the branches are always used with its credentials.
OpContext AsMounter(const OpContext& op);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_UNION_STATE_H_
