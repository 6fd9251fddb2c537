// AufsStack: the branches of a union in their order: which names they show together, and on which
// of them a change is made. Pseudo-links and open files are not its business (aufs_view.h).
//
//   0  rw     /d/.wh.x                 LookUp("/d")   = on branches 0, 1, 2
//   1  ro+wh  /d/y                     LookUp("/d/x") = absent, hidden by 0
//   2  ro     /d/x  /f                 Target("/f")   = 0
//
// Source: aufs.md §2.3 (a mark ends the search, as the manual says in §2.4), §2.5, §3.4 to §3.7,
// §5.3 (create=tdp, cpup=tdp), §6.3.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_AUFS_STACK_H_
#define LAMINA_SIM_MODEL_AUFS_STACK_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/aufs_branch.h"
#include "sim/model/view.h"

namespace lamina::sim {

// What a look-up found. Branch numbers are indices, 0 is the topmost.
struct AufsFound {
  std::vector<std::size_t> parts;       // branches it is on, topmost first; empty: absent
  std::optional<std::size_t> whiteout;  // the branch whose whiteout ended the search
  std::optional<std::size_t> opaque;    // the branch whose opaque mark did
  // A whiteout that is no file, or one beside its victim on the branch looked at first: EIO.
  bool broken = false;

  bool is_there() const { return !broken && !parts.empty(); }
  std::size_t top() const { return parts.front(); }
  bool is_on(std::size_t branch) const;
};

class AufsStack {
 public:
  std::size_t size() const { return branches_.size(); }
  const ModelBranch& at(std::size_t index) const { return branches_.at(index); }
  ModelBranch& at(std::size_t index) { return branches_.at(index); }
  std::optional<std::size_t> IndexOf(int id) const;  // nothing: no longer there
  void Insert(std::size_t index, ModelBranch branch);
  void Erase(std::size_t index);

  // ── What is seen ─────────────────────────────────────────────────────────────────────────────
  // The root is on every branch; a mark in it hides nothing, for nobody looks the root up.
  AufsFound LookUp(const std::string& path) const;
  std::vector<ListedName> List(const std::string& dir) const;
  // In the sense of rmdir: here the whiteouts of every branch count.
  bool IsEmpty(const std::string& dir) const;
  // Would a name of any type be seen if the branches down to `branch` had none?
  bool Reappears(const std::string& path, std::size_t branch) const;
  // Would that search meet a whiteout that is no file? EIO.
  bool IsBrokenBelow(const std::string& path, std::size_t branch) const;
  // Is every name in the lower parts of the directory hidden by its topmost part?
  bool IsHiddenByTop(const std::string& dir) const;
  // Would a file that is put here on this branch be seen?
  bool IsSeenAt(const std::string& path, std::size_t branch) const;

  // ── Where changes go. Nothing: no branch may be written (EROFS) ──────────────────────────────
  // The branch looked at first: of a name that is absent, that of its directory.
  std::size_t TopOf(const std::string& path) const;
  bool IsWritableAtOrAbove(std::size_t branch) const;
  // top-down-parent, for a name whose topmost part is on `branch`.
  std::optional<std::size_t> Target(const std::string& path, std::size_t branch) const;
  // Of a link of a file whose content is on `source`.
  std::optional<std::size_t> LinkTarget(const std::string& from, const std::string& to,
                                        std::size_t source) const;
  std::optional<std::size_t> RenameTarget(const std::string& from, const std::string& to) const;

 private:
  AufsFound LookUpIn(const AufsFound& parent, const std::string& path) const;
  // `wanted`, unless it cannot be written or something above hides `to` there.
  std::optional<std::size_t> TargetOr(std::size_t wanted, const std::string& from,
                                      const std::string& to) const;

  std::vector<ModelBranch> branches_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_AUFS_STACK_H_
