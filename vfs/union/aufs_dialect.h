// AufsDialect: the rules of AUFS (aufs5.x). The order of checks and steps follows fs/aufs, because
// errors and crash states depend on it: an entry is made before its whiteout goes, a whiteout is
// made before its entry goes.
//
// Threads: belongs to one union.
#ifndef LAMINA_VFS_UNION_AUFS_DIALECT_H_
#define LAMINA_VFS_UNION_AUFS_DIALECT_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "lamina/union/aufs.h"
#include "vfs/union/aufs_inodes.h"
#include "vfs/union/aufs_policy.h"
#include "vfs/union/dialect.h"

namespace lamina {

// The base entries of a writable branch; 0: not there.
struct AufsBaseEntries {
  NodeId whiteout;                    // .wh..wh.aufs, whose hard links are the whiteouts
  NodeId plinks;                      // .wh..wh.plnk/
  NodeId orphans;                     // .wh..wh.orph/
  std::optional<Instant> full_since;  // the first has as many links as it can have
};

// A directory that was renamed aside and is emptied later.
struct AufsRemoval {
  FileSystem* fs = nullptr;
  BranchIndex branch = 0;
  NodeId parent;
  std::string name;
  Instant due;
};

// What a mount remembers, one entry a branch where that is said.
struct AufsBooks {
  AufsOptions options;
  std::vector<DirectoryRef> directories;  // one a branch
  std::vector<AufsMode> modes;            // one a branch
  std::vector<AufsBaseEntries> base;      // one a branch
  std::uint64_t device = 0;
  AufsInodes inodes;
  PolicyBooks policy;
  std::vector<AufsRemoval> removals;
};

class AufsDialect final : public Dialect {
 public:
  explicit AufsDialect(AufsBooks books) : books_(std::make_unique<AufsBooks>(std::move(books))) {}

  // Changed by the branch verbs (aufs_control.h).
  AufsBooks& books() const { return *books_; }

  std::string_view name() const override { return "aufs"; }
  bool HasHandles() const override { return true; }
  Result<void> CheckName(std::string_view name) const override;

  // ── Lookup (aufs_lookup.cc) ──
  Result<Resolution> Resolve(const OpContext& op, const UnionState& state, const UnionNode& dir,
                             std::string_view name) const override;
  Result<std::optional<NodeKey>> IdentityKey(const OpContext& op, const UnionState& state,
                                             const Resolution& found) const override;
  bool Joins(const UnionNode& known, bool has_writable, const Hits& found) const override;
  bool LearnsAnew(const UnionNode& known) const override;
  bool StillHolds(const OpContext& op, const UnionState& state, const UnionNode& dir,
                  std::string_view name, const UnionNode& node) const override;
  bool WhiteoutsPrecede() const override { return true; }
  bool ChecksAccess() const override { return true; }
  Result<void> CheckAccess(const OpContext& op, const UnionState& state, const UnionNode& node,
                           unsigned wanted) const override;
  Result<NodeId> FindWhiteoutFile(const OpContext& op, const UnionState& state, BranchIndex branch,
                                  NodeId dir, std::string_view name) const override;
  void DescribeMarks(const OpContext& op, const UnionState& state, BranchFinding& finding,
                     NodeId node, const Stat& stat) const override;
  void DescribeName(const OpContext& op, const UnionState& state, const UnionNode& dir,
                    std::string_view name, NameFindings& findings) const override;

  // ── Listing and attributes (aufs_list.cc) ──
  Result<MergedListing> List(const OpContext& op, const UnionState& state,
                             const UnionNode& dir) const override;
  bool ListsBranchDirectly(const UnionNode&) const override { return false; }
  bool AdjustsListedInodes() const override { return false; }
  bool LooksUpListed() const override { return false; }
  std::uint64_t ListedIno(BranchIndex, std::uint64_t ino) const override { return ino; }
  void PlanPure(const UnionNode&, Plan&) const override {}
  void PlanRepair(const OpContext&, const UnionState&, const UnionNode&, const Resolution&,
                  Plan&) const override {}
  std::uint32_t DirectoryLinks(const OpContext& op, const UnionState& state, const UnionNode& node,
                               const Stat& stat) const override;
  Result<StatIdentity> Identity(const OpContext&, const UnionState&, const UnionNode& node,
                                const Stat&) const override {
    return StatIdentity{node.private_ino, books_->device};
  }
  Result<FsSpace> Space(const OpContext& op, const UnionState& state) const override;
  bool SkipsSync() const override { return false; }
  std::string StoredXattr(std::string_view key) const override { return std::string(key); }
  std::optional<std::string> ShownXattr(std::string_view stored) const override {
    return std::string(stored);
  }
  std::uint32_t ReservedNameBytes() const override { return 255 - kAufsNameMax; }

  // ── Inode numbers (aufs_list.cc) ──
  void Instantiated(UnionState& state, UnionNode& node) const override;
  void Forgotten(UnionState& state, const UnionNode& node) const override;

  // ── Copy-up (aufs_copy_up.cc) ──
  bool CopiesUpUnnamed() const override { return true; }
  bool CopiesUpAtOpen() const override { return false; }
  bool LinksUpAtUse() const override { return true; }
  bool LeavesFifosBehind() const override { return true; }
  bool SparesMissingXattr() const override { return false; }
  bool CopiesAcross() const override { return false; }
  bool Ignores(const UnionNode& node, const AttrChange& change) const override;
  bool AllowsDirect() const override { return options().dio; }
  Result<Hit> FindBody(const OpContext&, const UnionState&, const UnionNode& node) const override {
    return node.top();
  }
  Result<BranchIndex> PlanCopyUp(const OpContext& op, const UnionState& state, UnionNode& node,
                                 BodyNeed need, Plan& plan) const override;
  bool ActsAtOpen(const UnionNode& node) const override {
    return books_->modes[node.top().branch].on_open != AufsOnOpen::kNothing;
  }
  Result<void> PlanOpen(const OpContext& op, const UnionState& state, UnionNode& node,
                        Plan& plan) const override;
  Result<BranchIndex> PlanUnnamed(const OpContext& op, const UnionState& state, UnionNode& dir,
                                  Plan& plan) const override;

  // ── Names (aufs_create.cc, aufs_hide.cc, aufs_link.cc, aufs_rename.cc) ──
  Result<void> PlanCreate(const OpContext& op, const UnionState& state, const NamedNode& place,
                          const NewNode& node, Plan& plan) const override;
  Result<void> PlanLink(const OpContext& op, const UnionState& state, UnionNode& node,
                        HandleId unnamed, const NamedNode& place, Plan& plan) const override;
  Result<void> PlanHide(const OpContext& op, const UnionState& state, const NamedNode& victim,
                        Plan& plan) const override;
  Result<void> PlanRename(const OpContext& op, const UnionState& state, const NamedNode& from,
                          const NamedNode& to, RenameMode mode, Plan& plan) const override;

  // ── What is left for later (aufs_hide.cc) ──
  void Applied(const OpContext& op, UnionState& state, const Plan& plan,
               const Application& application, bool whole) const override;
  // Copies have the numbers of what they were copied from.
  void NumberCopies(const UnionState& state, const Plan& plan,
                    const Application& application) const;
  std::optional<Instant> NextDeadline() const override;
  Result<void> RunUntil(const OpContext& op, UnionState& state, Instant until) const override;

  // The entry of one branch, as a lookup judges it: the whiteout comes first.
  struct BranchEntry {
    bool whiteout = false;
    NodeId node;  // 0: none
    FileType type{};
    std::uint32_t nlink = 0;
  };
  Result<BranchEntry> LookUpEntry(const OpContext& op, const UnionState& state, const Hit& dir,
                                  std::string_view name) const;
  const AufsOptions& options() const { return books_->options; }

 private:
  bool whable(BranchIndex branch) const { return books_->modes[branch].whable(); }
  bool IsOpaque(const OpContext& op, const UnionState& state, const Hit& dir) const;

  // ── Branches for changes (aufs_copy_up.cc) ──
  // The branch a new name goes to: the create policy's, else the copy-up policy's. kRoFs.
  Result<PolicyChoice> ChooseForNew(const OpContext& op, const UnionState& state,
                                    const UnionNode& dir, BranchIndex whiteout,
                                    bool directory) const;
  // The branch a copy of what is in `top` goes to. kRoFs.
  Result<PolicyChoice> ChooseForCopy(const OpContext& op, const UnionState& state,
                                     const UnionNode& dir, BranchIndex top) const;
  // The lowest branch whose part of a directory shows: marks of it or above it end the search
  // there. kNoBranch: nothing ends it.
  BranchIndex LowestVisible(const UnionState& state, const UnionNode& dir) const;
  // The branch where a name in `target_dir` is made for an object in `source` (link, rename).
  Result<PolicyChoice> ChooseForTarget(const OpContext& op, const UnionState& state,
                                       BranchIndex source, const UnionNode& target_dir,
                                       BranchIndex target_top, BranchIndex target_whiteout) const;
  // Appends the directories that `branch` lacks, from the root down to `dir`.
  Result<void> PlanDirectories(const OpContext& op, const UnionState& state, UnionNode& dir,
                               BranchIndex branch, Plan& plan) const;
  // Appends the copy of the node's topmost object to `branch`, under `place`.
  struct CopyTarget {
    BranchIndex branch = 0;
    UnionNode* dir = nullptr;
    std::string_view name;
  };
  Result<void> PlanCopy(const OpContext& op, const UnionState& state, UnionNode& node,
                        const CopyTarget& target, BodyNeed need, Plan& plan) const;
  // The same under a new name: the names so far stay where they are, as pseudo-links.
  Result<void> PlanCopyAs(const OpContext& op, const UnionState& state, UnionNode& node,
                          const CopyTarget& target, Plan& plan) const;
  Result<void> PlanCopyOfUnnamed(const OpContext& op, const UnionState& state, UnionNode& node,
                                 BranchIndex branch, BodyNeed need, Plan& plan) const;
  Result<int> AddCopy(const OpContext& op, const UnionState& state, const UnionNode& node,
                      const Stat& stat, BranchIndex branch, const StepPlace& beside, BodyNeed need,
                      Plan& plan) const;
  Result<void> AddXattrs(const OpContext& op, const UnionState& state, const Hit& source,
                         BranchIndex branch, StepNode target, Plan& plan) const;
  Result<void> PlanCopyDown(const OpContext& op, const UnionState& state, UnionNode& dir,
                            UnionNode& parent, BranchIndex branch, Plan& plan) const;
  void AddPseudoLink(const UnionNode& node, BranchIndex branch, int slot, StepPhase phase,
                     Plan& plan) const;
  Result<void> PlanLinkUp(const OpContext& op, const UnionState& state, UnionNode& node,
                          Plan& plan) const;
  // Sets the times of a directory back that a copy-up changed.
  void AddTimes(const OpContext& op, const UnionState& state, const UnionNode& dir,
                BranchIndex branch, Plan& plan) const;

  // ── Whiteouts (aufs_create.cc) ──
  // A file that hides `name`, or marks its directory as opaque: a link to the branch's base file.
  void AddWhiteout(const OpContext& op, const UnionState& state, BranchIndex branch,
                   StepPlace place, StepPhase phase, Plan& plan) const;
  void AddWhiteoutRemoval(BranchIndex branch, StepNode dir, std::string_view name, StepPhase phase,
                          Plan& plan) const;
  bool HasWhiteout(const OpContext& op, const UnionState& state, const UnionNode& dir,
                   BranchIndex branch, std::string_view name) const;
  // The topmost object's mtime follows a change that was made further down.
  void AddTopTimes(const OpContext& op, const UnionState& state, const UnionNode& dir,
                   BranchIndex branch, Plan& plan) const;

  // May the caller take names out of the branch's own directory, which is not what the union shows?
  // Errors: kAccess. Source: aufs.md §2.7.
  Result<void> CheckRealParent(const OpContext& op, const UnionState& state, const UnionNode& dir,
                               BranchIndex branch) const;

  // ── Moves (aufs_rename.cc) ──
  // Errors: kXDev the directory shows something of a lower branch.
  Result<void> CheckMovable(const OpContext& op, const UnionState& state, const UnionNode& node,
                            BranchIndex branch) const;
  // Brings the moved object to the branch; true when it was not there.
  Result<bool> PlanMoved(const OpContext& op, const UnionState& state, const NamedNode& moved,
                         BranchIndex branch, Plan& plan) const;
  // The mark that keeps what lies below the new name from showing in the moved directory.
  Result<void> AddOpaqueWhereNeeded(const OpContext& op, const UnionState& state,
                                    const UnionNode& moved, const NamedNode& target,
                                    const Resolution& there, BranchIndex branch, Plan& plan) const;

  // ── Renamed directories of lower branches (aufs_dirren.cc) ──
  // Parts that keep their old name: the branch, and the directory there (0: it is gone).
  using Renamed = absl::InlinedVector<Hit, 2>;
  Renamed FindRenamed(const OpContext& op, const UnionState& state, const Hit& dir) const;
  std::optional<std::string> OldPath(const OpContext& op, const UnionState& state, const Hit& dir,
                                     BranchIndex below) const;
  // The path that a directory's part has in a branch.
  std::string PathBelow(const OpContext& op, const UnionState& state, const UnionNode& dir,
                        BranchIndex below) const;
  void AddOldNames(const OpContext& op, const UnionState& state, const UnionNode& moved,
                   BranchIndex branch, Plan& plan) const;

  // ── Emptiness (aufs_hide.cc) ──
  // Nothing of the directory can be seen. Errors: kNotEmpty.
  Result<void> CheckEmpty(const OpContext& op, const UnionState& state, const UnionNode& dir) const;
  // Everything that instances below the topmost hold is hidden by the topmost itself.
  Result<bool> HidesAllBelow(const OpContext& op, const UnionState& state,
                             const UnionNode& dir) const;
  // Without the entry in `branch` another one would show.
  Result<bool> Reappears(const OpContext& op, const UnionState& state, const UnionNode& dir,
                         BranchIndex branch, std::string_view name) const;
  // Empties a directory that stands aside under the slot's temporary name, now or later.
  Result<void> PlanEmptying(const OpContext& op, const UnionState& state, BranchIndex branch,
                            NodeId dir, int slot, Plan& plan) const;

  std::unique_ptr<AufsBooks> books_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_DIALECT_H_
