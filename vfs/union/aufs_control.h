// AufsControl: what changes a mounted AUFS union from outside: branches that come and go, their
// modes, options, pseudo-links, and forgetting what is cached.
//
// After every change of the branches the nodes that are in use learn their objects anew, and every
// cached name is looked up again; nodes that nothing holds go.
//
// Threads: as the union.
#ifndef LAMINA_VFS_UNION_AUFS_CONTROL_H_
#define LAMINA_VFS_UNION_AUFS_CONTROL_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "vfs/union/aufs_dialect.h"
#include "vfs/union/union_body.h"

namespace lamina {

// What a new branch is checked against.
struct AufsCheck {
  std::span<const DirectoryRef> directories;  // the branches there are, topmost first
  std::uint32_t max_branches = 0;
  std::int64_t index = 0;  // where it goes
};

// Errors, in this order: kNoSpc too many; kDom the index; kInval deleted, not a directory, a union,
// rw on something read-only, inside or around a branch.
Result<void> CheckAufsBranch(const OpContext& op, const AufsCheck& check,
                             const DirectoryRef& directory, const AufsMode& mode);
// The base entries of a branch, made where they are missing. Errors: kInval one of another type.
Result<AufsBaseEntries> MakeAufsBase(const OpContext& op, const DirectoryRef& directory,
                                     const AufsMode& mode, const AufsOptions& options);
void RemoveAufsBase(const OpContext& op, FileSystem& fs, NodeId root);
AufsMode DefaultAufsMode(std::int64_t index, bool read_only);
BranchMode BranchModeOf(const AufsMode& mode);

class AufsControl {
 public:
  // `fs` must be an AUFS union.
  explicit AufsControl(UnionFs& fs);
  static bool IsAufs(const UnionFs& fs);

  const AufsBooks& books() const { return dialect_.books(); }

  // ── Verbs; errors as RemountAufs says ──
  Result<void> Add(const OpContext& op, std::int64_t index, const AufsBranch& branch);
  Result<void> Delete(const OpContext& op, const DirectoryRef& directory);
  Result<void> Modify(const OpContext& op, const DirectoryRef& directory, const AufsMode& mode);
  Result<void> Set(const OpContext& op, std::string_view option);
  void MakeReadOnly() { state_.read_only = true; }
  // As AufsStillUses says.
  bool StillUses(const OpContext& op, BranchIndex branch, Place place) const;
  // Why the branch cannot go; why none can lose its write mode. As AufsHolders says.
  std::vector<std::string> Holders(BranchIndex branch) const;
  std::vector<std::string> Mappings() const;
  std::int64_t count() const { return static_cast<std::int64_t>(state_.branches.size()); }

  Result<void> FlushPseudoLinks(const OpContext& op);
  void DropUnused();
  // After the branches or what counts in them changed.
  void BranchesChanged(const OpContext& op);

 private:
  std::optional<BranchIndex> Find(const DirectoryRef& directory) const;
  bool IsBusy(BranchIndex branch) const { return !Holders(branch).empty(); }
  std::string PathOf(const UnionNode& node) const;
  void ForgetNames();
  // The object of a node that is in use, looked up anew; its parent first.
  void Refresh(const OpContext& op, UnionNode& node, absl::flat_hash_set<std::uint64_t>& done);
  // Renumbers what nodes, handles and books know of the branches.
  template <typename Renumber>
  void Shift(Renumber renumber);
  Result<void> LinkAll(const OpContext& op, UnionNode& dir);

  UnionFs::Body& body_;
  UnionState& state_;
  AufsDialect& dialect_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_CONTROL_H_
