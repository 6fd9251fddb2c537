// Dialect: the rules of one union file system. UnionFs owns the machinery (nodes, names, handles,
// applying plans); a Dialect decides what a name means and which steps a call needs. Every method
// is pure: it reads branches and state and changes neither.
//
// Threads: stateless after construction; safe from any thread.
#ifndef LAMINA_VFS_UNION_DIALECT_H_
#define LAMINA_VFS_UNION_DIALECT_H_

#include <optional>
#include <string>
#include <string_view>

#include "lamina/base/result.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/plan.h"
#include "vfs/union/union_state.h"

namespace lamina {

// One name of a call: the directory, the component, and what it resolves to now.
struct NamedNode {
  UnionNode* dir = nullptr;
  std::string_view name;
  UnionNode* node = nullptr;          // null: no such name
  bool whiteout_in_writable = false;  // only when node is null
};

struct StatIdentity {
  std::uint64_t ino = 0;
  std::uint64_t dev = 0;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;
  // Node ids of the union may serve as durable names.
  virtual bool HasHandles() const = 0;

  // What `name` in `dir` is. Emits kBranchProbe, kWhiteoutSeen, kOpaqueSeen, kRedirectFollowed.
  // Errors: what the branches give; kInval a malformed mark; kPerm, kIo a mark refused.
  virtual Result<Resolution> Resolve(const OpContext& op, const UnionState& state,
                                     const UnionNode& dir, std::string_view name) const = 0;
  // Which branch object decides the identity of what was resolved; nothing: a new node each time.
  virtual Result<std::optional<NodeKey>> IdentityKey(const OpContext& op, const UnionState& state,
                                                     const Resolution& found) const = 0;
  // Marks that a lookup writes (a missing origin of a merged directory).
  virtual void PlanRepair(const OpContext& op, const UnionState& state, const UnionNode& dir,
                          const Resolution& found, Plan& plan) const = 0;

  // The merged listing of a directory, topmost branch first in precedence.
  virtual Result<MergedListing> List(const OpContext& op, const UnionState& state,
                                     const UnionNode& dir) const = 0;
  // True when the directory's only branch is passed through as it is.
  virtual bool ListsBranchDirectly(const UnionNode& dir) const = 0;

  // Readdir looks entries of an impure directory up to show the inode number stat shows.
  virtual bool AdjustsListedInodes() const = 0;
  // Every entry of a merged listing is looked up, not only those of an impure writable part.
  virtual bool LooksUpListed() const = 0;
  // The inode number shown for an entry of a read-only branch that lists it with `ino`.
  virtual std::uint64_t ListedIno(BranchIndex branch, std::uint64_t ino) const = 0;
  // The removal of a directory's impure mark.
  virtual void PlanPure(const UnionNode& dir, Plan& plan) const = 0;
  // A change through a handle of a lower-only file that lost its name tries to copy it up.
  virtual bool CopiesUpUnnamed() const = 0;

  // The body of a file whose data-only branch was not looked at yet, and the check of its digest.
  // Errors: kNoEnt, kIo there is none, what the branches give; kIo the digest is missing or wrong.
  virtual Result<Hit> FindBody(const OpContext& op, const UnionState& state,
                               const UnionNode& node) const = 0;
  // Appends what is missing of `node` in the writable branch: the copy-up of every directory above
  // it, its own, its body, its name in use.
  virtual Result<void> PlanCopyUp(const OpContext& op, const UnionState& state, UnionNode& node,
                                  BodyNeed need, Plan& plan) const = 0;
  virtual Result<void> PlanCreate(const OpContext& op, const UnionState& state,
                                  const NamedNode& place, const NewNode& node,
                                  Plan& plan) const = 0;
  virtual Result<void> PlanLink(const OpContext& op, const UnionState& state, UnionNode& node,
                                HandleId unnamed, const NamedNode& place, Plan& plan) const = 0;
  virtual Result<void> PlanHide(const OpContext& op, const UnionState& state,
                                const NamedNode& victim, Plan& plan) const = 0;
  virtual Result<void> PlanRename(const OpContext& op, const UnionState& state,
                                  const NamedNode& from, const NamedNode& to, RenameMode mode,
                                  Plan& plan) const = 0;

  // True: nothing is written back on request (volatile).
  virtual bool SkipsSync() const = 0;

  // The key under which branches store the xattr a user calls `key`; "": no key (kInval).
  virtual std::string StoredXattr(std::string_view key) const = 0;
  // What a user sees of a stored key; nothing: it is private.
  virtual std::optional<std::string> ShownXattr(std::string_view stored) const = 0;

  // A whiteout that is a file of another name. kNoEnt: none.
  virtual Result<NodeId> FindWhiteoutFile(const OpContext& op, const UnionState& state,
                                          BranchIndex branch, NodeId dir,
                                          std::string_view name) const = 0;
  // How much shorter than a branch's names the union's must be.
  virtual std::uint32_t ReservedNameBytes() const = 0;
  // The marks of one branch's object, for explanations: whiteout (as outcome), opaque, redirect.
  virtual void DescribeMarks(const OpContext& op, const UnionState& state, BranchFinding& finding,
                             NodeId node, const Stat& stat) const = 0;

  // st_ino and st_dev of a node whose topmost object answered `stat`.
  virtual Result<StatIdentity> Identity(const OpContext& op, const UnionState& state,
                                        const UnionNode& node, const Stat& stat) const = 0;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_DIALECT_H_
