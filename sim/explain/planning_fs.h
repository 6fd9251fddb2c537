// PlanningFs: stands in front of a union, answers what reads ask, and plans what changes ask
// without doing it. A Process over it runs an operation as the real one does, with the real order
// of errors, and nothing has happened afterwards.
//
//   Process ── PlanningFs ──┬─ reads ───► UnionFs
//                           └─ changes ─► UnionFs::PlanOf…, remembered
//
// A file that AUFS opens to write is copied at the first write; what it does when a file is read
// (coo_reg, pseudo-links) is planned, too.
//
// Not foreseen: what a branch finds out only when it is written (no space, too many links).
//
// Threads: belongs to one explanation.
// Lifetime: does not own the union.
#ifndef LAMINA_SIM_EXPLAIN_PLANNING_FS_H_
#define LAMINA_SIM_EXPLAIN_PLANNING_FS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lamina/fs/forwarding.h"
#include "lamina/union/union_fs.h"

namespace lamina::sim::internal {

// A name the operation looked up.
struct SeenName {
  NodeId dir;
  std::string path;  // as the walk reached it, symlinks resolved
  NameFindings findings;
};

// A change the operation asks for.
struct PlannedChange {
  enum class Kind : std::uint8_t {
    kMake,
    kRemove,
    kRename,
    kLink,
    kChange,      // attributes, xattrs, the size
    kOpen,        // to write; of AUFS also one to read that copies up
    kFirstWrite,  // what it copies (AUFS)
    kFirstRead,   // what it links (AUFS)
    kWrite,
  };
  Kind kind = Kind::kChange;
  std::string title;                  // "remove /etc/hosts"
  std::string path;                   // what it is about: the old name of a rename or link
  std::vector<PlannedStep> steps;     // none: the branch call alone
  std::optional<BranchIndex> source;  // of a body that is copied
  std::optional<BranchIndex> target;  // the branch that is changed
  std::uint64_t bytes_written = 0;    // by the call itself
  std::optional<Errno> refused;       // it fails with this, after its steps
};

class PlanningFs final : public ForwardingFileSystem {
 public:
  explicit PlanningFs(UnionFs& fs);

  // In the order of the first look.
  const std::vector<SeenName>& names() const { return names_; }
  const std::vector<PlannedChange>& changes() const { return changes_; }

  Result<NodeId> Lookup(const OpContext& op, Place place) override;
  Result<Stat> GetAttr(const OpContext& op, NodeId node) override;
  Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) override;
  Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                            OpenFlags flags) override;
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override;
  Result<void> Link(const OpContext& op, NodeId node, Place place) override;
  Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) override;
  Result<void> Remove(const OpContext& op, Place place, FileType expected) override;
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override;
  Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) override;
  Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                        std::string_view value, XattrMode mode) override;
  Result<void> RemoveXattr(const OpContext& op, NodeId node, std::string_view key) override;
  Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) override;
  void Close(HandleId handle) override;
  Result<std::size_t> Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                           MutableBytes into) override;
  Result<std::size_t> Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                            Bytes from) override;

 private:
  struct Draft {  // an open file that is not really open
    NodeId node;
    std::uint64_t size_bytes = 0;
    bool append = false;
    std::optional<BranchIndex> branch = std::nullopt;  // where it is written
    bool copies_at_write = false;                      // the first one copies the file up
  };

  std::string PathOf(Place place) const;
  std::string PathOf(NodeId node) const;
  HandleId NewDraft(const Draft& draft);
  // Remembers a change of the node that begins with `steps`.
  PlannedChange& AddChange(const OpContext& op, PlannedChange::Kind kind, std::string title,
                           NodeId node, std::vector<PlannedStep> steps);
  // Remembers the copy-up that a change of the node needs. Errors: those of the plan.
  Result<PlannedChange*> PlanChange(const OpContext& op, PlannedChange::Kind kind,
                                    std::string title, NodeId node, BodyNeed need);
  // Adds the step that the call itself takes, in the branch of the change.
  static void AddOwnStep(PlannedChange& change, std::string text);
  // AUFS: times of a device, fifo or socket in a branch that cannot be written.
  bool DropsTimes(NodeId node, const Stat& stat, const AttrChange& change) const;
  Result<HandleId> OpenToRead(const OpContext& op, NodeId node);
  // Of AUFS: opens without a copy-up, or with that of coo_reg.
  Result<HandleId> OpenToWriteLater(const OpContext& op, NodeId node, const Stat& stat,
                                    bool append);
  // Sets how much the copies in `steps` really move: of a sparse file its data.
  void MeasureCopies(const OpContext& op, std::vector<PlannedStep>& steps) const;
  std::uint64_t DataBytes(const OpContext& op, const PlannedStep& copy) const;
  // Whether the object of the writable branch behind a directory holds anything.
  bool HoldsAnything(const OpContext& op, NodeId dir) const;

  UnionFs& union_;
  const bool aufs_;
  std::vector<SeenName> names_;
  std::vector<PlannedChange> changes_;
  std::map<NodeId, std::string> paths_;
  std::map<NodeId, Stat> made_;  // nodes that exist in the plan only
  std::map<HandleId, Draft> drafts_;
  std::map<HandleId, NodeId> looks_;  // files open to read (AUFS), until their first read
  std::uint64_t next_ = 0;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_EXPLAIN_PLANNING_FS_H_
