// UnionFs: several directory trees shown as one. The dialect (overlay, later aufs) decides what a
// name means and which branch operations a change needs; UnionFs carries them out.
//
//   resolve   which branches hold a name, and whether it is visible        pure
//   plan      the branch operations that carry out the call                pure
//   apply     one call on one branch each, with undo until the commit step
//
// Made by MountOverlay (union/overlay.h).
//
// Threads: thread-compatible; SynchronizedFileSystem wraps one that is shared.
// Lifetime: does not own the branches' file systems.
#ifndef LAMINA_UNION_UNION_FS_H_
#define LAMINA_UNION_UNION_FS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/trace/deferred.h"
#include "lamina/union/branch.h"

namespace lamina {

class Dialect;
struct Plan;
struct UnionState;

// What one branch holds under a name, seen from the union.
struct BranchFinding {
  enum class Outcome : std::uint8_t {
    kNoDirectory,  // the directory is not in this branch
    kNoEntry,      // looked for, not there
    kFound,        // the answer, or a part of a merged directory
    kWhiteout,     // hides the name in every branch below
    kHidden,       // something is there, but a branch above ended the search
  };
  BranchIndex branch = 0;
  Outcome outcome = Outcome::kNoEntry;
  std::optional<Stat> stat;     // of the object there (kFound, kWhiteout, kHidden)
  std::optional<Stat> beside;   // of an entry of the name beside its whiteout (AUFS)
  bool opaque = false;          // a directory that hides everything below it
  bool xattr_whiteout = false;  // a whiteout in the xattr form
  std::string redirect;         // where the search goes on below
  bool metacopy = false;        // a file that holds attributes only
  bool body = false;            // where the body of such a file is read
  bool through_index = false;   // found by its index entry: the name is not in this branch
  // Of AUFS.
  bool lone_whiteout = false;     // .wh.NAME stands there and no entry: `stat` is the whiteout's
  bool whiteout_ignored = false;  // .wh.NAME in a branch whose whiteouts do not count
  bool opaque_ignored = false;    // an opaque mark there
  bool other_type = false;        // kHidden, but no part of what is above: the search goes on
  bool below_tail = false;        // kNoDirectory: the directory's parts end above this branch
  std::string old_path = {};      // of a directory that dirren renamed: where this branch has it
};

struct NameFindings {
  std::vector<BranchFinding> branches;  // topmost first, every branch
  Result<NodeId> answer = Errno::kNoEnt;
};

// How much of a file's body a change needs in the writable branch.
struct BodyNeed {
  bool data = false;  // false: attributes are enough, where the dialect can do without the body
  std::uint64_t limit_bytes = ~std::uint64_t{0};
};

// One step of a change, as a plan holds it.
struct PlannedStep {
  std::string text;  // "rename #0 to /etc/hosts"
  BranchIndex branch = 0;
  bool commit = false;
  bool clean_up = false;
  std::uint64_t bytes_copied = 0;  // at most; holes of the source are left out when it is done
  BranchIndex source_branch = 0;   // where they are read, when any are
  NodeId source;
  std::string_view reason = {};  // why a policy chose the branch (AUFS); static text
  bool drops_zeros = false;      // blocks of zeros are not copied
  bool left_for_later = false;   // what it moves aside is emptied after the call (AUFS)
};

class UnionFs final : public FileSystem, public Deferred {
 public:
  UnionFs(std::unique_ptr<UnionState> state, std::unique_ptr<const Dialect> dialect,
          std::uint64_t device);
  ~UnionFs() override;
  UnionFs(const UnionFs&) = delete;
  UnionFs& operator=(const UnionFs&) = delete;

  // ── What explain, tree and the matchers ask ──────────────────────────────────────────────────
  const std::vector<Branch>& branches() const;
  std::string_view dialect_name() const;
  // The branch whose object is shown for the node (of a file: whose body is read).
  // Errors: kStale.
  Result<BranchIndex> SourceBranch(NodeId node) const;
  // The object that a regular file's body is read from. Errors: kStale; kInval not a regular file;
  // those of reading a body that is in no data-only branch.
  Result<std::pair<BranchIndex, NodeId>> BodyNode(const OpContext& op, NodeId node);
  // Every branch's object that takes part in a node, topmost first.
  Result<std::vector<std::pair<BranchIndex, NodeId>>> BranchNodes(NodeId node) const;
  // What each branch says about a name. Changes nothing, caches nothing.
  // Errors: kStale, kNotDir.
  Result<NameFindings> FindInBranches(const OpContext& op, Place place);
  // The steps that a change of the node would take first: its copy-up, or what is missing of it.
  // None when the writable branch has all of it.
  Result<std::vector<PlannedStep>> PlanOfCopyUp(const OpContext& op, NodeId node, BodyNeed need);
  // The steps an open would take that writes nothing at once (AUFS: coo_reg, coo_all, moo), and the
  // first read of what is open (AUFS: the hard link of a pseudo-linked name). Errors: as the call.
  Result<std::vector<PlannedStep>> PlanOfOpen(const OpContext& op, NodeId node);
  Result<std::vector<PlannedStep>> PlanOfRead(const OpContext& op, NodeId node);
  // Opens for reading without any of these steps; reads through the handle take none either.
  // Errors: those of Open.
  Result<HandleId> OpenToLook(const OpContext& op, NodeId node);
  // What must be made before a file without a name can be made in a directory. Errors: kStale,
  // kNotDir, kNoEnt it is removed, those of CreateUnnamed.
  Result<std::vector<PlannedStep>> PlanOfUnnamed(const OpContext& op, NodeId dir);
  // The steps an unlink or rmdir would take. Errors as Remove.
  Result<std::vector<PlannedStep>> PlanOfRemove(const OpContext& op, Place place,
                                                FileType expected);
  // The steps the call of that name would take. What only a branch finds out when it is written (no
  // space, a directory that is not empty) is not an error here.
  // Errors: otherwise those of Create, Link and Rename.
  Result<std::vector<PlannedStep>> PlanOfCreate(const OpContext& op, Place place,
                                                const NewNode& node);
  Result<std::vector<PlannedStep>> PlanOfLink(const OpContext& op, NodeId node, Place place);
  Result<std::vector<PlannedStep>> PlanOfRename(const OpContext& op, Place from, Place to,
                                                RenameMode mode);

  // ── FileSystem ───────────────────────────────────────────────────────────────────────────────
  NodeId root() const override;
  FsLimits limits() const override;
  bool frozen() const override;
  std::uint64_t change_count() const override;
  Result<NodeId> Lookup(const OpContext& op, Place place) override;
  Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) override;
  Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                            OpenFlags flags) override;
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override;
  Result<void> Link(const OpContext& op, NodeId node, Place place) override;
  Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) override;
  Result<void> Remove(const OpContext& op, Place place, FileType expected) override;
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override;
  Result<Stat> GetAttr(const OpContext& op, NodeId node) override;
  Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) override;
  Result<std::string> ReadLink(const OpContext& op, NodeId node) override;
  Result<std::string> GetXattr(const OpContext& op, NodeId node, std::string_view key) override;
  Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                        std::string_view value, XattrMode mode) override;
  Result<void> RemoveXattr(const OpContext& op, NodeId node, std::string_view key) override;
  Result<std::vector<std::string>> ListXattr(const OpContext& op, NodeId node) override;
  Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) override;
  void Close(HandleId handle) override;
  Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                            absl::FunctionRef<bool(const DirEntry&)> visit) override;
  Result<std::size_t> Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                           MutableBytes into) override;
  Result<std::size_t> Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                            Bytes from) override;
  Result<void> Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                        std::uint64_t length, AllocateMode mode) override;
  Result<std::uint64_t> Seek(const OpContext& op, HandleId handle, std::uint64_t offset,
                             SeekKind kind) override;
  Result<std::uint64_t> Clone(const OpContext& op, HandleId source, std::uint64_t source_offset,
                              HandleId target, std::uint64_t target_offset,
                              std::uint64_t length) override;
  Result<std::shared_ptr<const PagedBytes>> ShareContent(const OpContext& op,
                                                         HandleId handle) override;
  Result<void> AdoptContent(const OpContext& op, HandleId handle,
                            std::shared_ptr<const PagedBytes> content) override;
  Result<HandleId> Map(const OpContext& op, HandleId handle, MapMode mode) override;
  Result<void> Sync(const OpContext& op, HandleId handle, SyncMode mode) override;
  Result<void> SyncAll(const OpContext& op) override;
  Result<FsSpace> GetSpace(const OpContext& op) override;
  Result<void> CheckAccess(const OpContext& op, NodeId node, unsigned wanted) override;
  PipeHome HomeOfPipe(NodeId node) override;

  // ── Deferred: directories that are emptied later (AUFS) ──────────────────────────────────────
  std::optional<Instant> NextDeadline() const override;
  Result<void> RunUntil(const OpContext& op, Instant until) override;

 private:
  friend class AufsControl;  // vfs/union/aufs_control.h: branch verbs

  // Which branch holds the body of the answer.
  void MarkBody(const OpContext& op, NameFindings& findings);

  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace lamina
#endif  // LAMINA_UNION_UNION_FS_H_
