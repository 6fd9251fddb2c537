// What a dialect may look at to decide: the branches, the nodes known so far, the scratch
// directory.
#ifndef LAMINA_VFS_UNION_UNION_STATE_H_
#define LAMINA_VFS_UNION_UNION_STATE_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "lamina/base/check.h"
#include "vfs/union/union_node.h"

namespace lamina {

struct UnionState {
  std::vector<Branch> branches;           // topmost first
  bool has_writable = false;              // some branch takes the writes (overlay: branch 0)
  BranchIndex sole_writable = kNoBranch;  // the only one; kNoBranch: none or several
  bool read_only = false;                 // nothing may be changed
  NodeId work;                            // on branch 0: where new objects are prepared
  NodeId root;                            // the union's root node
  absl::flat_hash_set<NodeKey> traps;     // roots of layers and work directories: not to be entered
  NodeTable nodes;
  NameCache names;
  DirectoryCaches directories;
  std::vector<FileSystem*> changing;  // the branches' file systems that are not frozen, each once
  bool cache_names = true;            // a missing name is missing for good: no branch is a union

  // Names are looked at again after a branch was changed by somebody else.
  bool follows_edits = false;
  std::uint64_t seen_changes = 0;  // change counts of `changing` after the union's last own change
  std::uint32_t epoch = 0;         // grows when they are found to be different

  // Lower-only files that are open without a name. The kernel lets a change of one put it back
  // under its name, but a name that was found missing in between stays missing (its dcache).
  std::int64_t orphans = 0;
  absl::flat_hash_set<std::uint64_t> missed;  // names found missing while there were orphans
  absl::flat_hash_set<std::uint64_t> hidden;  // names put back after that

  FileSystem& fs(BranchIndex branch) const { return *branches[branch].fs; }
  // Changes may be made there.
  bool writable(BranchIndex branch) const {
    return branches[branch].mode == BranchMode::kReadWrite;
  }
  UnionNode& node(NodeId id) const {
    UnionNode* found = nodes.Find(id);
    LAMINA_CHECK(found != nullptr);
    return *found;
  }
};

// About how many entries the branches of a directory hold.
std::size_t ExpectedEntries(const OpContext& op, const UnionState& state, const UnionNode& dir);

// The mounter's view of a call: the branches are always used with its credentials.
OpContext AsMounter(const OpContext& op);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_UNION_STATE_H_
