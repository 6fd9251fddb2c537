// Dialect: the rules of one union file system. UnionFs owns the machinery (nodes, names, handles,
// applying plans); a Dialect decides what a name means and which steps a call needs. Every method
// is pure: it reads branches and state and changes neither. What a dialect must remember (inode
// numbers, whose turn it is) it keeps in books of its own, which change when the union tells it
// that something happened.
//
// Threads: belongs to one union.
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

class Application;

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;
  // Node ids of the union may serve as durable names.
  virtual bool HasHandles() const = 0;
  // A name that nobody may use. Asked before anything else is done with it.
  virtual Result<void> CheckName(std::string_view) const { return {}; }

  // What `name` in `dir` is. Emits kBranchProbe, kWhiteoutSeen, kOpaqueSeen, kRedirectFollowed.
  // Errors: what the branches give; kInval a malformed mark; kPerm, kIo a mark refused.
  virtual Result<Resolution> Resolve(const OpContext& op, const UnionState& state,
                                     const UnionNode& dir, std::string_view name) const = 0;
  // Which branch object decides the identity of what was resolved; nothing: a new node each time.
  virtual Result<std::optional<NodeKey>> IdentityKey(const OpContext& op, const UnionState& state,
                                                     const Resolution& found) const = 0;
  // What was resolved has the key of a node that is known: it is that node. Else two names claim
  // one origin.
  virtual bool Joins(const UnionNode& known, bool has_writable, const Hits& found) const = 0;
  // Its objects are what was found now.
  virtual bool LearnsAnew(const UnionNode& known) const {
    return known.names == 0 && known.handles == 0;
  }
  // What is known of a name still holds, although a branch was changed directly.
  virtual bool StillHolds(const OpContext&, const UnionState&, const UnionNode& /*dir*/,
                          std::string_view /*name*/, const UnionNode&) const {
    return true;
  }
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
  // An open for writing copies the file up; else its first write does.
  virtual bool CopiesUpAtOpen() const = 0;
  // A name of a copied-up object that the writable branch lacks is made there when the object is
  // used, not only when it is written.
  virtual bool LinksUpAtUse() const { return false; }

  // A fifo is that of the branch: one end that was opened before a copy-up does not meet one that
  // is opened after it.
  virtual bool LeavesFifosBehind() const { return false; }

  // The removal of an attribute that a file of a lower branch does not have copies nothing up.
  virtual bool SparesMissingXattr() const { return true; }

  // The body of a file whose data-only branch was not looked at yet, and the check of its digest.
  // Errors: kNoEnt, kIo there is none, what the branches give; kIo the digest is missing or wrong.
  virtual Result<Hit> FindBody(const OpContext& op, const UnionState& state,
                               const UnionNode& node) const = 0;
  // Appends what is missing of `node` in the writable branch: the copy-up of every directory above
  // it, its own, its body, its name in use. The branch where it is then.
  virtual Result<BranchIndex> PlanCopyUp(const OpContext& op, const UnionState& state,
                                         UnionNode& node, BodyNeed need, Plan& plan) const = 0;
  // copy_file_range works between files of different branches.
  virtual bool CopiesAcross() const { return true; }
  // A change of attributes that is dropped without an error.
  virtual bool Ignores(const UnionNode&, const AttrChange&) const { return false; }
  // Whether a file may be opened for direct I/O.
  virtual bool AllowsDirect() const { return true; }
  // What an open does that writes nothing; asked for where ActsAtOpen.
  virtual bool ActsAtOpen(const UnionNode&) const { return false; }
  virtual Result<void> PlanOpen(const OpContext&, const UnionState&, UnionNode&, Plan&) const {
    return {};
  }
  // What must be there before a file without a name is made below `dir`, and the branch for it.
  virtual Result<BranchIndex> PlanUnnamed(const OpContext& op, const UnionState& state,
                                          UnionNode& dir, Plan& plan) const = 0;
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

  // A plan was carried out, or failed on its way: what it committed before that stays.
  virtual void Applied(const OpContext&, UnionState&, const Plan&, const Application&,
                       bool /*whole*/) const {}
  // A node was made for an object; its key, if it has one.
  virtual void Instantiated(UnionState&, UnionNode&) const {}
  // A node without names and handles goes.
  virtual void Forgotten(UnionState&, const UnionNode&) const {}

  // True: nothing is written back on request (volatile).
  virtual bool SkipsSync() const = 0;
  virtual Result<FsSpace> Space(const OpContext& op, const UnionState& state) const = 0;
  // Permission is asked of more than the topmost object (FsLimits::checks_access).
  virtual bool ChecksAccess() const { return false; }
  virtual Result<void> CheckAccess(const OpContext&, const UnionState&, const UnionNode&,
                                   unsigned /*wanted*/) const {
    return {};
  }

  // Work that is left for later (Deferred).
  virtual std::optional<Instant> NextDeadline() const { return std::nullopt; }
  virtual Result<void> RunUntil(const OpContext&, UnionState&, Instant) const { return {}; }

  // The key under which branches store the xattr a user calls `key`; "": no key (kInval).
  virtual std::string StoredXattr(std::string_view key) const = 0;
  // What a user sees of a stored key; nothing: it is private.
  virtual std::optional<std::string> ShownXattr(std::string_view stored) const = 0;

  // A whiteout also hides an entry of its name in its own branch.
  virtual bool WhiteoutsPrecede() const { return false; }
  // A whiteout that is a file of another name. kNoEnt: none.
  virtual Result<NodeId> FindWhiteoutFile(const OpContext& op, const UnionState& state,
                                          BranchIndex branch, NodeId dir,
                                          std::string_view name) const = 0;
  // How much shorter than a branch's names the union's must be.
  virtual std::uint32_t ReservedNameBytes() const = 0;
  // What only the dialect knows of a name in the branches; `findings` hold the rest.
  virtual void DescribeName(const OpContext&, const UnionState&, const UnionNode& /*dir*/,
                            std::string_view /*name*/, NameFindings&) const {}
  // The marks of one branch's object, for explanations: whiteout (as outcome), opaque, redirect.
  virtual void DescribeMarks(const OpContext& op, const UnionState& state, BranchFinding& finding,
                             NodeId node, const Stat& stat) const = 0;

  // st_nlink of a directory whose topmost object answered `stat`.
  virtual std::uint32_t DirectoryLinks(const OpContext& op, const UnionState& state,
                                       const UnionNode& node, const Stat& stat) const = 0;
  // st_ino and st_dev of a node whose topmost object answered `stat`.
  virtual Result<StatIdentity> Identity(const OpContext& op, const UnionState& state,
                                        const UnionNode& node, const Stat& stat) const = 0;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_DIALECT_H_
