// OverlayDialect: the rules of Linux's overlayfs (6.18). The order of checks and steps follows
// fs/overlayfs of the kernel (namei.c, copy_up.c, dir.c, readdir.c, inode.c), because errors, marks
// left behind by refused calls, and crash states depend on it.
#ifndef LAMINA_VFS_UNION_OVERLAY_DIALECT_H_
#define LAMINA_VFS_UNION_OVERLAY_DIALECT_H_

#include <string>
#include <string_view>
#include <vector>

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
        uuid(std::string(prefix) + "uuid") {}
  std::string whiteout, opaque, redirect, origin, impure, metacopy, uuid;
};

// The mount options after defaults and conflicts were settled.
struct OverlayConfig {
  std::string prefix = "trusted.overlay.";  // of the private marks
  OverlayMarks marks{prefix};
  bool redirect_follow = true;
  bool redirect_create = false;
  bool metacopy = false;
  bool sync = true;  // false: volatile
  bool allow_offline_changes = true;
  bool kernel_quirks = true;
  bool same_fs = true;                        // all layers on one file system
  std::uint64_t device = 0;                   // st_dev of the union
  std::vector<std::uint64_t> pseudo_devices;  // one a branch; equal for branches on one fs
  std::size_t data_only_count = 0;
};

// A mark's value in a branch. Empty: no such mark.
std::optional<std::string> ReadMark(const OpContext& op, FileSystem& fs, NodeId node,
                                    std::string_view key);
// char 0:0, or (any layer) an empty regular file with the whiteout mark.
bool IsWhiteout(const OpContext& op, const OverlayConfig& config, FileSystem& fs, NodeId node,
                const Stat& stat);

class OverlayDialect final : public Dialect {
 public:
  explicit OverlayDialect(OverlayConfig config) : config_(std::move(config)) {}

  const OverlayConfig& config() const { return config_; }

  std::string_view name() const override { return "overlay"; }
  Result<Resolution> Resolve(const OpContext& op, const UnionState& state, const UnionNode& dir,
                             std::string_view name) const override;
  Result<std::optional<NodeKey>> IdentityKey(const OpContext& op, const UnionState& state,
                                             const Resolution& found) const override;
  void PlanRepair(const OpContext& op, const UnionState& state, const UnionNode& dir,
                  const Resolution& found, Plan& plan) const override;
  Result<std::vector<ListedEntry>> List(const OpContext& op, const UnionState& state,
                                        const UnionNode& dir) const override;
  bool ListsBranchDirectly(const UnionNode& dir) const override;
  bool AdjustsListedInodes() const override { return config_.same_fs; }
  void PlanPure(const UnionNode& dir, Plan& plan) const override;
  bool CopiesUpUnnamed() const override { return config_.kernel_quirks; }
  Result<void> PlanCopyUp(const OpContext& op, const UnionState& state, UnionNode& node,
                          std::uint64_t limit_bytes, Plan& plan) const override;
  Result<void> PlanCreate(const OpContext& op, const UnionState& state, const NamedNode& place,
                          const NewNode& node, Plan& plan) const override;
  Result<void> PlanLink(const OpContext& op, const UnionState& state, UnionNode& node,
                        HandleId unnamed, const NamedNode& place, Plan& plan) const override;
  Result<void> PlanHide(const OpContext& op, const UnionState& state, const NamedNode& victim,
                        Plan& plan) const override;
  Result<void> PlanRename(const OpContext& op, const UnionState& state, const NamedNode& from,
                          const NamedNode& to, RenameMode mode, Plan& plan) const override;
  std::string StoredXattr(std::string_view key) const override;
  std::optional<std::string> ShownXattr(std::string_view stored) const override;
  void DescribeMarks(const OpContext& op, const UnionState& state, BranchFinding& finding,
                     NodeId node, const Stat& stat) const override;
  Result<StatIdentity> Identity(const OpContext& op, const UnionState& state, const UnionNode& node,
                                const Stat& stat) const override;

  // The root's resolution: every branch's root, merged.
  Result<Resolution> ResolveRoot(const OpContext& op, const UnionState& state) const;
  // The handle of a lower object as the origin mark stores it; "" when its file system has none.
  static std::string EncodeOrigin(const FileSystem& fs, const Stat& stat);

 private:
  Result<void> PlanCopyUpOne(const OpContext& op, const UnionState& state, UnionNode& node,
                             UnionNode& parent, std::uint64_t limit_bytes, Plan& plan) const;
  void PlanImpure(const UnionNode& dir, Plan& plan) const;
  Result<bool> LowerPositive(const OpContext& op, const UnionState& state,
                             const NamedNode& named) const;
  // The whiteouts of the writable part of an empty directory; kNotEmpty when it is not empty.
  Result<std::vector<ListedEntry>> EmptyDirectoryWhiteouts(const OpContext& op,
                                                           const UnionState& state,
                                                           const UnionNode& dir) const;
  // Swaps the writable part of an empty directory that holds whiteouts for a fresh opaque one.
  // The slot of the fresh directory.
  Result<int> PlanClearEmpty(const OpContext& op, const UnionState& state, const NamedNode& victim,
                             const std::vector<ListedEntry>& whiteouts, Plan& plan) const;
  Result<void> PlanMove(const UnionState& state, const NamedNode& moved, const NamedNode& target,
                        Plan& plan) const;
  Result<void> PlanRedirect(const UnionState& state, const NamedNode& moved, bool same_dir,
                            Plan& plan) const;
  Result<std::string> AbsoluteRedirect(const UnionState& state, const UnionNode& node) const;

  OverlayConfig config_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_OVERLAY_DIALECT_H_
