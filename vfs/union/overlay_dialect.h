// OverlayDialect: the rules of Linux's overlayfs (6.18). The order of checks and steps follows
// fs/overlayfs of the kernel (namei.c, copy_up.c, dir.c, readdir.c, inode.c), because errors, marks
// left behind by refused calls, and crash states depend on it.
#ifndef LAMINA_VFS_UNION_OVERLAY_DIALECT_H_
#define LAMINA_VFS_UNION_OVERLAY_DIALECT_H_

#include <string>
#include <string_view>
#include <vector>

#include "lamina/union/object_handle.h"
#include "lamina/union/overlay.h"
#include "vfs/union/dialect.h"

namespace lamina {

// The names of the private marks.
struct OverlayMarks {
  explicit OverlayMarks(std::string_view prefix)
      : whiteout(std::string(prefix) + "whiteout"),
        opaque(std::string(prefix) + "opaque"),
        redirect(std::string(prefix) + "redirect"),
        origin(std::string(prefix) + "origin"),
        impure(std::string(prefix) + "impure"),
        metacopy(std::string(prefix) + "metacopy"),
        nlink(std::string(prefix) + "nlink"),
        upper(std::string(prefix) + "upper"),
        uuid(std::string(prefix) + "uuid") {}
  std::string whiteout, opaque, redirect, origin, impure, metacopy, nlink, upper, uuid;
};

// The mount options after defaults and conflicts were settled.
struct OverlayConfig {
  std::string prefix = "trusted.overlay.";  // of the private marks
  OverlayMarks marks{prefix};
  bool redirect_follow = true;
  bool redirect_create = false;
  bool metacopy = false;
  bool index = false;       // hard links stay together: the work directory holds an index
  bool nfs_export = false;  // every copied-up object is indexed, origins are verified
  VerityMode verity = VerityMode::kOff;
  bool sync = true;  // false: volatile
  bool allow_offline_changes = true;
  bool kernel_quirks = true;
  bool fuse_whiteouts = false;                // fuse_whiteouts.h
  bool same_fs = true;                        // all layers on one file system
  unsigned xino_bits = 0;                     // high bits of st_ino that tell the file system
  std::vector<std::uint64_t> fs_numbers;      // one a branch: 0 is the writable branch's fs
  std::uint64_t device = 0;                   // st_dev of the union
  std::vector<std::uint64_t> pseudo_devices;  // one a branch; equal for branches on one fs
  std::size_t data_only_count = 0;

  // All inode numbers shown are on the union's device (ovl_same_dev).
  bool same_dev() const { return same_fs || xino_bits > 0; }
  // nfs_export: every copy has an index entry (ovl_index_all, ovl_verify_lower).
  bool index_all() const { return index && nfs_export; }
};

class OverlayDialect;

// The configuration of a mount: defaults, and what depends on them, settled as the kernel does.
OverlayConfig MakeOverlayConfig(const OverlayMount& mount, const std::vector<Branch>& branches);
// The directory work/ or index/ of the work directory, made or cleaned.
// Errors: kInval left by a volatile mount; what the branch gives.
Result<NodeId> PrepareWork(const OpContext& op, FileSystem& fs, NodeId workdir);
// index/: the upper root must belong to this lower root, the index to this upper root; stale and
// orphaned entries go (ovl_get_indexdir). Errors: kStale other layers than recorded; kInval, kIo a
// bad entry; what the branches give.
Result<NodeId> PrepareIndex(const OpContext& op, const OverlayDialect& dialect,
                            const UnionState& state, NodeId workdir);
// A mark's value in a branch. Empty: no such mark.
std::optional<std::string> ReadMark(const OpContext& op, FileSystem& fs, NodeId node,
                                    std::string_view key);
// The size of a metacopy mark, counted as the kernel does: 0 no mark, kMetacopyHeadBytes one
// without a digest, more one with it. Errors: kIo a malformed one.
inline constexpr std::size_t kMetacopyHeadBytes = 4;
Result<std::size_t> ReadMetacopyMark(const OpContext& op, FileSystem& fs, NodeId node,
                                     std::string_view key);
// char 0:0, or (any layer) an empty regular file with the whiteout mark.
bool IsWhiteout(const OpContext& op, const OverlayConfig& config, FileSystem& fs, NodeId node,
                const Stat& stat);

struct OverlaySearch;  // the state of one lookup (overlay_lookup.cc)

class OverlayDialect final : public Dialect {
 public:
  explicit OverlayDialect(OverlayConfig config) : config_(std::move(config)) {}

  const OverlayConfig& config() const { return config_; }

  std::string_view name() const override { return "overlay"; }
  bool HasHandles() const override { return config_.nfs_export; }
  bool Joins(const UnionNode& known, bool has_writable, const Hits& found) const override;
  Result<Resolution> Resolve(const OpContext& op, const UnionState& state, const UnionNode& dir,
                             std::string_view name) const override;
  Result<std::optional<NodeKey>> IdentityKey(const OpContext& op, const UnionState& state,
                                             const Resolution& found) const override;
  void PlanRepair(const OpContext& op, const UnionState& state, const UnionNode& dir,
                  const Resolution& found, Plan& plan) const override;
  Result<MergedListing> List(const OpContext& op, const UnionState& state,
                             const UnionNode& dir) const override;
  bool ListsBranchDirectly(const UnionNode& dir) const override;
  bool AdjustsListedInodes() const override { return config_.same_dev(); }
  bool LooksUpListed() const override { return config_.xino_bits > 0; }
  std::uint64_t ListedIno(BranchIndex branch, std::uint64_t ino) const override;
  void PlanPure(const UnionNode& dir, Plan& plan) const override;
  bool CopiesUpUnnamed() const override { return config_.kernel_quirks; }
  bool CopiesUpAtOpen() const override { return true; }
  Result<Hit> FindBody(const OpContext& op, const UnionState& state,
                       const UnionNode& node) const override;
  Result<BranchIndex> PlanCopyUp(const OpContext& op, const UnionState& state, UnionNode& node,
                                 BodyNeed need, Plan& plan) const override;
  Result<BranchIndex> PlanUnnamed(const OpContext& op, const UnionState& state, UnionNode& dir,
                                  Plan& plan) const override {
    return PlanCopyUp(op, state, dir, {}, plan);
  }
  Result<void> PlanCreate(const OpContext& op, const UnionState& state, const NamedNode& place,
                          const NewNode& node, Plan& plan) const override;
  Result<void> PlanLink(const OpContext& op, const UnionState& state, UnionNode& node,
                        HandleId unnamed, const NamedNode& place, Plan& plan) const override;
  Result<void> PlanHide(const OpContext& op, const UnionState& state, const NamedNode& victim,
                        Plan& plan) const override;
  Result<void> PlanRename(const OpContext& op, const UnionState& state, const NamedNode& from,
                          const NamedNode& to, RenameMode mode, Plan& plan) const override;
  bool SkipsSync() const override { return !config_.sync; }
  Result<FsSpace> Space(const OpContext& op, const UnionState& state) const override {
    return state.fs(0).GetSpace(op);
  }
  std::string StoredXattr(std::string_view key) const override;
  std::optional<std::string> ShownXattr(std::string_view stored) const override;
  Result<NodeId> FindWhiteoutFile(const OpContext& op, const UnionState& state, BranchIndex branch,
                                  NodeId dir, std::string_view name) const override;
  std::uint32_t ReservedNameBytes() const override;
  void DescribeMarks(const OpContext& op, const UnionState& state, BranchFinding& finding,
                     NodeId node, const Stat& stat) const override;
  std::uint32_t DirectoryLinks(const OpContext& op, const UnionState& state, const UnionNode& node,
                               const Stat& stat) const override;
  Result<StatIdentity> Identity(const OpContext& op, const UnionState& state, const UnionNode& node,
                                const Stat& stat) const override;

  // The union's count of an index entry that has no other link. 0: nothing shows it any more.
  std::uint32_t IndexNlink(const OpContext& op, const UnionState& state, NodeId entry,
                           std::uint32_t lower_nlink) const;
  // The root's resolution: every branch's root, merged.
  Result<Resolution> ResolveRoot(const OpContext& op, const UnionState& state) const;

 private:
  Result<void> ResolveWritable(const UnionState& state, const UnionNode& dir, OverlaySearch& search,
                               Resolution& found) const;
  Result<void> ResolveIndex(const OpContext& op, const UnionState& state, const Hit& origin,
                            Resolution& found) const;
  Result<std::uint32_t> CountNames(const OpContext& op, const UnionState& state,
                                   const Resolution& found) const;
  Result<void> PlanCopyUpOne(const OpContext& op, const UnionState& state, UnionNode& node,
                             UnionNode& parent, BodyNeed need, Plan& plan) const;
  Result<void> PlanBody(const OpContext& op, const UnionState& state, UnionNode& node,
                        BodyNeed need, Plan& plan) const;

  Result<void> PlanDirectoryIndex(const OpContext& op, const UnionState& state,
                                  const UnionNode& node, int copy_slot, Plan& plan) const;
  void AddParentTimes(const UnionNode& parent, const Stat& stat, Plan& plan) const;
  // A body by its path in the data-only branches.
  Result<Hit> FindInDataBranches(const OpContext& op, const UnionState& state,
                                 std::string_view path) const;

  // ── The index (overlay_index.cc) ──
  // A copy-up of the node makes, or has made, an index entry.
  Result<bool> NeedsIndex(const OpContext& op, const UnionState& state,
                          const UnionNode& node) const;
  // The index entry of a lower object. Errors: kIo an entry that cannot be its own.
  Result<std::optional<Hit>> FindIndex(const OpContext& op, const UnionState& state,
                                       const std::optional<Hit>& writable, const Hit& origin) const;
  std::uint32_t UnionNlink(const OpContext& op, const UnionState& state, std::uint32_t lower_nlink,
                           NodeId writable, std::uint32_t fallback) const;
  // The name of the node's index entry.
  Result<std::string> IndexNameOf(const OpContext& op, const UnionState& state,
                                  const UnionNode& node) const;
  // The link that gives an indexed copy its name in use.
  Result<void> PlanLinkUp(const OpContext& op, const UnionState& state, UnionNode& node,
                          UnionNode& parent, std::uint32_t writable_nlink, Plan& plan) const;
  // Before a name of the node comes or goes: its copy-up where an index wants it, and the mark that
  // keeps the union's count (ovl_nlink_start). The count of the writable object then.
  Result<std::uint32_t> PlanNlinkStart(const OpContext& op, const UnionState& state,
                                       UnionNode& node, Plan& plan) const;
  // After a name went: the index entry of a node without names goes too (ovl_nlink_end).
  Result<void> PlanNlinkEnd(const OpContext& op, const UnionState& state, const UnionNode& node,
                            std::uint32_t writable_nlink, Plan& plan) const;
  void AddNlinkMark(StepNode node, char base, std::uint32_t nlink, std::uint32_t real_nlink,
                    Plan& plan) const;

  // A name that only a marker hides in the writable branch: no object stands there.
  bool IsMarkedOnly(const OpContext& op, const UnionState& state, const NamedNode& place) const;
  void PlanImpure(const UnionNode& dir, Plan& plan) const;
  Result<bool> LowerPositive(const OpContext& op, const UnionState& state,
                             const NamedNode& named) const;
  // The whiteouts of the writable part of an empty directory, by the names they have there;
  // kNotEmpty when it is not empty.
  struct WhiteoutName {
    std::string name;
    FileType type{};
  };
  Result<std::vector<WhiteoutName>> EmptyDirectoryWhiteouts(const OpContext& op,
                                                            const UnionState& state,
                                                            const UnionNode& dir) const;
  // Swaps the writable part of an empty directory that holds whiteouts for a fresh opaque one.
  // The slot of the fresh directory.
  Result<int> PlanClearEmpty(const OpContext& op, const UnionState& state, const NamedNode& victim,
                             const std::vector<WhiteoutName>& whiteouts, Plan& plan) const;
  Result<void> PlanMove(const OpContext& op, const UnionState& state, const NamedNode& moved,
                        const NamedNode& target, Plan& plan) const;
  Result<void> PlanRedirect(const OpContext& op, const UnionState& state, UnionNode& node,
                            bool same_dir, Plan& plan) const;
  bool IsMetacopy(const UnionNode& node) const;
  // After the copy-up that comes first.
  bool WillBeMetacopy(const UnionNode& node) const;
  Result<std::string> AbsoluteRedirect(const UnionState& state, const UnionNode& node) const;

  OverlayConfig config_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_OVERLAY_DIALECT_H_
