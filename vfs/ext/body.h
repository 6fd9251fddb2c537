// The inside of ExtFs. A call reads what it needs into Inode values, changes them and the blocks of
// the cache, and stores them; Change takes all of it back when the call fails.
//
//   mount.cc        the superblock, the journal, the orphans, and the way back
//   transaction.cc  Change, Commit, what follows a commit
//   nodes.cc        finding, making and dropping inodes; the orphan list
//   names.cc rename.cc attributes.cc files.cc content.cc    the calls
//
// Threads: as ExtFs; `reading` is taken by the calls of a read-only mount.
#ifndef LAMINA_VFS_EXT_BODY_H_
#define LAMINA_VFS_EXT_BODY_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/fs/handle_table.h"
#include "lamina/fs/node_rules.h"
#include "vfs/ext/directory.h"
#include "vfs/ext/ram_overlay.h"

namespace lamina {

// A directory, a name, and what the name means there.
struct ExtSpot {
  ext::Inode dir;
  std::string_view name;
  std::optional<ext::Entry> entry;  // nothing: no such name
};

// An open file whose inode is still there.
struct ExtOpen {
  ext::Inode inode;
  internal::OpenFile file;
};

// A rename: both places, and the inodes that the names mean.
struct ExtRename {
  ExtSpot source;
  ExtSpot target;
  std::optional<ext::Inode> moved;
  std::optional<ext::Inode> replaced;

  // Both names mean one inode: nothing to do.
  bool same_node() const {
    return moved.has_value() && replaced.has_value() && moved->number == replaced->number;
  }
};

// An entry of a listing, with a name of its own.
struct ExtListed {
  std::uint32_t inode = 0;
  FileType type{};
  std::string name;
  std::uint64_t cookie = 0;
};

// File blocks [first, end).
struct ExtBlockRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

struct ExtFs::Body {
  Body(BlockDevice& wanted, std::unique_ptr<ext::RamOverlay> overlay, const ext::Geometry& known,
       const ExtMountOptions& options);

  // ── Mount ────────────────────────────────────────────────────────────────────────────────────
  // Everything behind the geometry. Errors: those of Mount.
  std::optional<ExtError> Prepare(const OpContext& op);
  std::optional<ExtError> OpenJournal(const OpContext& op);
  std::optional<ExtError> CheckRoot(const OpContext& op);
  std::optional<ExtError> BeginWriting(const OpContext& op);
  std::optional<ExtError> FinishOrphans(const OpContext& op);
  // Changes the superblock in the running transaction. Errors: kIo …
  template <typename Edit>
  Result<void> EditSuper(const OpContext& op, Edit edit) {
    Result<MutableBytes> part = cache.Edit(op, geometry.super_block(), geometry.super_offset(),
                                           sizeof(ext::DiskSuperblock));
    if (!part.ok()) return part.error();
    auto super = ext::ReadRecord<ext::DiskSuperblock>(*part);
    edit(super);
    ext::WriteRecord(*part, super);
    return {};
  }
  Result<ext::DiskSuperblock> ReadSuper(const OpContext& op);

  // ── Calls and transactions ───────────────────────────────────────────────────────────────────
  // Runs `call` as one step: all of it or nothing. When there is no space but some of it waits for
  // a commit, it is run again after one.
  template <typename Call>
  auto Change(const OpContext& op, Call call) -> decltype(call()) {
    if (Result<void> ready = BeginChange(op); !ready.ok()) return ready.error();
    auto result = call();
    if (!result.ok() && result.error() == Errno::kNoSpc && allocator.has_pending()) {
      RollBack();
      if (Result<void> committed = Commit(op); !committed.ok()) return committed.error();
      result = call();
    }
    if (result.ok()) {
      EndChange(op);
    } else {
      RollBack();
    }
    return result;
  }
  // Errors: kRoFs an earlier commit failed; those of Commit.
  Result<void> BeginChange(const OpContext& op);
  void EndChange(const OpContext& op);
  void RollBack();
  // Inside a call, where what it did so far may become durable: what follows is a new step.
  Result<void> CommitStep(const OpContext& op);
  Result<void> Commit(const OpContext& op);
  void DiscardFreed(const OpContext& op, const std::vector<ext::BlockRun>& freed);
  bool IsLarge() const;

  // Clean blocks go when there are many; between calls only.
  void TrimForReading() { cache.Trim(); }
  // The handle of a read-only mount is its node.
  bool frozen_handles() const { return overlay != nullptr; }

  // ── Finding ──────────────────────────────────────────────────────────────────────────────────
  // A node with a name or an open handle. Errors: kStale; kUClean; kIo …
  Result<ext::Inode> Find(const OpContext& op, NodeId node);
  // To be changed. Errors: those, kRoFs.
  Result<ext::Inode> FindToChange(const OpContext& op, NodeId node);
  // Errors: kStale; kNotDir; kNameTooLong; kUClean; kIo …
  Result<ExtSpot> FindSpot(const OpContext& op, Place place);
  // Errors: kStale; kRoFs; kNotDir; kNameTooLong …
  Result<ExtSpot> FindSpotToChange(const OpContext& op, Place place);
  // A spot for a new name. Errors: those; kNoEnt dir is removed; kExist.
  Result<ExtSpot> FindSpotToAdd(const OpContext& op, Place place);
  // What a name in `dir` leads to. A directory must be below it. Errors: kUClean; kIo …
  Result<ext::Inode> Child(const OpContext& op, const ext::Inode& dir, const ext::Entry& entry);
  // Errors: kBadF; kStale …
  Result<ExtOpen> FindOpen(const OpContext& op, HandleId handle);
  // A regular file open for writing. Errors: kBadF; kStale; kRoFs; `other_type` not a regular file.
  Result<ExtOpen> FindOpenToWrite(const OpContext& op, HandleId handle, Errno other_type);

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────
  Result<void> Store(const OpContext& op, const ext::Inode& inode) {
    return ext::StoreInode(op, volume, inode);
  }
  // Every change of a node passes here.
  static void Bump(ext::Inode& inode, Instant now);
  // A change of a directory's names.
  static void TouchDirectory(ext::Inode& dir, Instant now);
  // relatime; not an edit of the node, so its `change` stays.
  void Accessed(const OpContext& op, const ext::Inode& inode);
  ext::Reserve ReserveFor(const OpContext& op) const;
  // An inode without a name, with owner, mode and ACLs as below `dir`; not stored.
  // Errors: kInval; kNameTooLong; kPerm a device number that does not fit; kNoSpc …
  Result<ext::Inode> MakeInode(const OpContext& op, const ext::Inode& dir, const NewNode& node);
  Result<void> SetTarget(const OpContext& op, ext::Inode& inode, std::string_view target);
  Result<PosixAcl> FindAcl(const OpContext& op, const ext::Inode& inode, std::string_view key);
  Result<void> EraseXattr(const OpContext& op, ext::Inode& inode, std::string_view key);
  // Set-id bits and security.capability go, as a write by this caller makes them.
  Result<void> DropPrivileges(const OpContext& op, ext::Inode& inode);
  // Times and privileges after a change of content.
  Result<void> Written(const OpContext& op, ext::Inode& inode);

  // One name fewer; without a name the inode goes on the orphan list. Stores it.
  Result<void> DropName(const OpContext& op, ext::Inode& inode);
  // The inode goes when nobody has it open. May commit what was done before.
  Result<void> EvictUnlessOpen(const OpContext& op, std::uint32_t number);
  Result<void> Evict(const OpContext& op, ext::Inode& inode);
  // Frees the blocks from `first` on, in as many transactions as it takes. Stores the inode.
  Result<void> FreeBlocksFrom(const OpContext& op, ext::Inode& inode, std::uint64_t first);
  Result<void> AddOrphan(const OpContext& op, ext::Inode& inode);
  Result<void> RemoveOrphan(const OpContext& op, ext::Inode& inode);

  // The calls, inside a Change.
  Result<NodeId> CreateNamed(const OpContext& op, Place place, const NewNode& node);
  Result<void> RemoveName(const OpContext& op, Place place, FileType expected);
  // One subdirectory more or fewer. Errors: kMLink.
  static Result<void> AddSubdirectory(ext::Inode& dir);
  static void DropSubdirectory(ext::Inode& dir);
  Result<void> AddLink(const OpContext& op, NodeId node, Place place, bool by_handle);
  Result<bool> IsSelfOrAncestor(const OpContext& op, std::uint32_t inode, std::uint32_t below);

  // ── Content ──────────────────────────────────────────────────────────────────────────────────
  std::uint64_t MaxFileBytes(const ext::Inode& inode) const;
  Result<void> ReadContent(const OpContext& op, const ext::Inode& inode, std::uint64_t offset,
                           MutableBytes into);
  // Changes blocks and size; the inode is not stored. Gives how much was written: all, or what
  // there was room for, or what fits in a transaction. Errors: kNoSpc …
  Result<std::size_t> WriteContent(const OpContext& op, ext::Inode& inode, std::uint64_t offset,
                                   Bytes from);
  // The first blocks of it, which are alike.
  Result<std::size_t> WriteRun(const OpContext& op, ext::Inode& inode, std::uint64_t offset,
                               Bytes from);
  Result<void> WriteStep(const OpContext& op, NodeId node, std::uint64_t offset, Bytes from,
                         std::size_t* written);
  // Zeros from `begin` to `end` of one block, where that is written.
  Result<void> ZeroInBlock(const OpContext& op, const ext::Inode& inode, std::uint64_t begin,
                           std::uint64_t end);
  // Zeros from `size` to the end of its block.
  Result<void> ZeroTail(const OpContext& op, const ext::Inode& inode, std::uint64_t size);
  // The size alone, and the feature that long files need.
  Result<void> SetSize(const OpContext& op, ext::Inode& inode, std::uint64_t size_bytes);
  // Errors: kFBig …
  Result<void> Truncate(const OpContext& op, ext::Inode& inode, std::uint64_t size_bytes);
  Result<void> AllocateRange(const OpContext& op, NodeId node, std::uint64_t offset,
                             std::uint64_t length, AllocateMode mode);
  Result<void> StepIfLarge(const OpContext& op, const ext::Inode& inode);
  Result<std::uint64_t> CountHoles(const OpContext& op, const ext::Inode& inode,
                                   std::uint64_t first, std::uint64_t end);
  // Unwritten blocks in the holes of [first, end). Errors: kNoSpc …
  Result<void> Provision(const OpContext& op, ext::Inode& inode, std::uint64_t first,
                         std::uint64_t end);
  Result<void> Unwrite(const OpContext& op, ext::Inode& inode, std::uint64_t first,
                       std::uint64_t end);
  Result<void> ZeroEdges(const OpContext& op, const ext::Inode& inode, std::uint64_t begin,
                         std::uint64_t end, ExtBlockRange* whole);
  Result<void> ZeroRange(const OpContext& op, ext::Inode& inode, std::uint64_t begin,
                         std::uint64_t end);
  Result<void> Punch(const OpContext& op, ext::Inode& inode, std::uint64_t offset,
                     std::uint64_t length);

  // ── The rest of the calls ────────────────────────────────────────────────────────────────────
  Result<void> ChangeAttributes(const OpContext& op, NodeId node, const AttrChange& change);
  // chmod: an access ACL follows.
  Result<void> SetMode(const OpContext& op, ext::Inode& inode, std::uint16_t mode);
  Result<std::string> TargetOf(const OpContext& op, const ext::Inode& inode);
  Result<void> SetAcl(const OpContext& op, ext::Inode& inode, std::string_view key,
                      std::string_view value);
  Result<void> PutXattr(const OpContext& op, ext::Inode& inode, std::string_view key,
                        std::string_view value, XattrMode mode);
  Result<ExtRename> FindRename(const OpContext& op, Place from, Place to);
  // Errors: those of Rename.
  Result<ExtRename> CheckRename(const OpContext& op, Place from, Place to, RenameMode mode);
  Result<void> RenameName(const OpContext& op, Place from, Place to, RenameMode mode);
  Result<void> MoveInto(const OpContext& op, ext::Inode& inode, ext::Inode& from_dir,
                        ext::Inode& to_dir);
  // `to_dir` is the source's directory itself when both are one.
  Result<void> Exchange(const OpContext& op, ExtRename& plan, ext::Inode& to_dir);
  Result<void> Move(const OpContext& op, ExtRename& plan, ext::Inode& to_dir, RenameMode mode);
  Result<std::vector<ExtListed>> ListStep(const OpContext& op, const ext::Inode& dir,
                                          std::uint64_t from);
  void EmitData(const OpContext& op, EventKind kind, NodeId node, std::uint64_t offset,
                std::uint64_t bytes) const;

  HandleId OpenNode(NodeId node, OpenFlags flags);

  std::unique_ptr<ext::RamOverlay> overlay;  // of a read-only mount
  BlockDevice& device;
  const ExtMountOptions options;
  const std::uint64_t device_number;
  ext::Geometry geometry;
  ext::BlockCache cache;
  ext::Allocator allocator;
  ext::Volume volume;
  ext::Directories directories;
  std::unique_ptr<Journal> journal;
  internal::HandleTable handles;
  absl::flat_hash_set<std::uint64_t> never_named;  // nodes of CreateUnnamed
  NodeId root;
  std::string label;
  std::vector<std::string> features;
  std::uint32_t reserve_uid = 0;
  bool read_only = false;
  bool failed = false;  // a commit failed
  bool unmounted = false;
  bool discards = false;
  std::uint64_t changes = 0;
  std::uint64_t commits = 0;
  std::optional<Instant> dirty_since;
  Instant last_change;
  ext::BlockCache::Mark step;
  ext::Allocator::Mark allocator_step;
  std::mutex reading;
};

// Held by a reading call when the mount is read-only, so that many threads may read.
class ExtReadLock {
 public:
  explicit ExtReadLock(std::mutex* mutex) : mutex_(mutex) {
    if (mutex_ != nullptr) mutex_->lock();
  }
  ~ExtReadLock() {
    if (mutex_ != nullptr) mutex_->unlock();
  }
  ExtReadLock(const ExtReadLock&) = delete;
  ExtReadLock& operator=(const ExtReadLock&) = delete;

 private:
  std::mutex* mutex_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_EXT_BODY_H_
