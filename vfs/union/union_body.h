// The inside of UnionFs: state, dialect, open files.
#ifndef LAMINA_VFS_UNION_UNION_BODY_H_
#define LAMINA_VFS_UNION_UNION_BODY_H_

#include <memory>
#include <string_view>
#include <vector>

#include "lamina/union/union_fs.h"
#include "vfs/union/apply.h"
#include "vfs/union/dialect.h"
#include "vfs/union/union_state.h"

namespace lamina {

struct UnionHandle {
  enum class Kind : std::uint8_t { kClosed, kPath, kFile, kDirectory, kMap };
  Kind kind = Kind::kClosed;
  std::uint32_t generation = 0;  // of the slot: a stale HandleId is kBadF
  UnionNode* node = nullptr;
  NodeId dir;  // the name it was opened by
  std::string name;
  bool name_is_gone = false;  // removed, or replaced
  OpenFlags flags;
  BranchIndex branch = 0;  // of the branch file behind it
  FileSystem* fs = nullptr;
  HandleId real;
  std::uint64_t copy_ups = 0;  // of the node when `real` was opened
  bool direct = false;         // a directory whose only branch is passed through
  bool looks_only = false;     // its uses change no branch
  std::shared_ptr<MergedListing> listing;
};

struct UnionFs::Body {
  std::unique_ptr<UnionState> state;
  std::unique_ptr<const Dialect> dialect;
  std::uint64_t device = 0;
  FsLimits limits;
  std::uint64_t next_temporary = 0;
  std::uint64_t next_private_ino = 1;
  std::uint64_t changes = 0;
  std::vector<UnionHandle> handles;
  std::vector<std::uint32_t> free_handles;

  // ── Nodes and names ──
  Result<UnionNode*> FindNode(NodeId id) const;
  Result<UnionNode*> FindDirectory(NodeId id) const;
  // The directory and component of `place`, with what the name means now.
  // Errors: kStale, kNotDir, kNoEnt the directory is removed, kNameTooLong, what Resolve gives.
  Result<NamedNode> FindName(const OpContext& op, Place place);
  Result<UnionNode*> Instantiate(const OpContext& op, UnionNode& dir, std::string_view name,
                                 const Resolution& found);
  // What a lookup found becomes what the node knows.
  void Learn(UnionNode& node, const Resolution& found);
  UnionNode& AddNode(FileType type);
  // No branch has the name: known without asking them.
  bool KnownMissing(const OpContext& op, UnionNode& dir, std::string_view name);
  void NoteMissed(const UnionNode& dir, std::string_view name);
  // After a name was looked for in every branch in vain: too often, and the names are read.
  void CountMissing(const OpContext& op, UnionNode& dir);
  // What is remembered of a directory, if it still holds; else null.
  DirectoryCache* ValidCache(const OpContext& op, UnionNode& dir);
  BranchStamp StampOf(const OpContext& op, const UnionNode& dir) const;
  void SetOrphan(UnionNode& node, bool orphan);
  // A change of an orphan put it back under a name that was found missing: it stays missing.
  void HidePutBack(const Plan& plan);
  // The union itself gives the name a new object.
  void ShowAgain(NodeId dir, std::string_view name);
  Result<std::shared_ptr<MergedListing>> TakeListing(const OpContext& op, UnionNode& dir);
  // The name is gone from the union; the node goes too unless something keeps it.
  void ForgetName(const OpContext& op, const NamedNode& named);
  void EraseIfUnused(UnionNode& node);
  // Branches may have been changed directly: what is known of a cached name still holds. If not,
  // the name is forgotten.
  bool StillHolds(const OpContext& op, const NamedNode& named);
  void NoticeEdits();
  void SeeOwnChanges();

  // ── Changes ──
  Result<void> CheckWritable() const {
    return state->read_only ? Result<void>(Errno::kRoFs) : Result<void>();
  }
  // The copy-up a change of `node` needs, and the branch where it is changed then. kStale for a
  // lower-only node that lost its name, unless the dialect imitates the kernel.
  Result<BranchIndex> PlanWrite(const OpContext& op, UnionNode& node, BodyNeed need,
                                Plan& plan) const;
  Result<BranchIndex> PlanXattr(const OpContext& op, UnionNode& node, Plan& plan) const;
  // The branch file that a regular file's body is in.
  Result<Hit> FindBody(const OpContext& op, UnionNode& node) const;
  Result<void> Apply(const OpContext& op, const Plan& plan);
  // Carries a plan out and keeps what is remembered of the directories it changes.
  Result<void> Run(const OpContext& op, const Plan& plan, Application& application);
  Result<UnionNode*> MakeNode(const OpContext& op, const NamedNode& place, const NewNode& node);
  Result<void> CheckRename(const NamedNode& from, const NamedNode& to, RenameMode mode) const;
  bool IsAncestor(const UnionNode& above, const UnionNode& below) const;
  void MoveName(const OpContext& op, const NamedNode& from, const NamedNode& to, RenameMode mode);

  // ── Open files ──
  HandleId NewHandle(UnionNode& node, UnionHandle::Kind kind, OpenFlags flags, FileSystem* fs,
                     HandleId real);
  Result<UnionHandle*> FindHandle(HandleId id);
  // A call that came through a handle uses the name the file was opened by.
  void UseHandleName(const OpContext& op, UnionNode& node);
  void UseName(const UnionHandle& handle);
  void MoveHandleNames(const UnionNode& node, const NamedNode& from, const NamedNode& to);
  // Some open file's directory is `dir`, which is gone.
  bool IsParentOfOpen(const UnionNode& dir) const;
  // The handle, with a branch file that follows a copy-up made since.
  Result<UnionHandle*> FindFile(const OpContext& op, HandleId id);
  // The same for a call that changes the file, which is copied up first where that is not done at
  // open. Errors also: those of a copy-up.
  Result<UnionHandle*> FindFileToWrite(const OpContext& op, HandleId id);
  // The copy-up, or the name in the writable branch, that a use of the open file needs.
  Result<void> CopyUpForUse(const OpContext& op, UnionHandle& handle, BodyNeed need);
  Result<DirCookie> ReadMerged(const OpContext& op, UnionHandle& handle, DirCookie from,
                               absl::FunctionRef<bool(const DirEntry&)> visit);
  Result<DirCookie> ReadDirect(const OpContext& op, UnionHandle& handle, DirCookie from,
                               absl::FunctionRef<bool(const DirEntry&)> visit);
  // Looks a listed name up as the kernel's readdir does, to learn its inode number or to drop it.
  Result<void> CheckListed(const OpContext& op, UnionNode& dir, const MergedListing& listing,
                           ListedEntry& entry);
  Result<void> DropNeedlessImpure(const OpContext& op, UnionNode& dir);
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_UNION_BODY_H_
