// The inside of MemFs: the captured part (State) and everything around it (Body).
//
//   State   node map, counters, orphans          copied O(1) by Capture and Restore
//   Body    options, open files, next node id    not part of an image
//
// Orphans are nodes without a name that were open when they lost it. An image may hold some whose
// handles are closed by the time it is restored; Restore drops them.
//
// Threads: as MemFs.
#ifndef LAMINA_VFS_FS_MEM_BODY_H_
#define LAMINA_VFS_FS_MEM_BODY_H_

#include <cstdint>

#include "lamina/fs/handle_table.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/store/radix_map.h"
#include "vfs/fs/mem_node.h"

namespace lamina {

// Why a node has no name.
enum class Orphan : std::uint8_t { kRemoved, kNeverNamed };

class MemFs::State {
 public:
  State() = default;
  // O(1).
  State(const State& other);
  State& operator=(State&& other) = default;

  RadixMap<internal::Node> nodes;
  RadixMap<Orphan> orphans;
  std::uint64_t used_bytes = 0;
};

// A directory, a name, and what the name means there.
struct MemSpot {
  NodeId dir;
  const internal::Node* dir_node;
  internal::HashedName name;
  const internal::NameEntry* entry;  // null: no such name
};

// A rename that was checked.
struct MemRename {
  MemSpot source;
  MemSpot target;
  bool same_node = false;  // both names mean one node: nothing to do
};

// An open file whose node still exists.
struct MemOpen {
  NodeId id;
  const internal::Node* node;
  internal::OpenFile file;
};

struct MemFs::Body {
  explicit Body(const MemFsOptions& wanted);

  // ── Finding ──────────────────────────────────────────────────────────────────────────────────
  // Null when there is no such node.
  const internal::Node* Find(NodeId id) const { return live.nodes.Find(id.value); }
  // To be changed; must exist.
  internal::Node& Writable(NodeId id) { return live.nodes.FindOrInsert(id.value); }
  // Errors: kStale; kRoFs the tree is frozen.
  Result<internal::Node*> FindToChange(NodeId id);
  // Errors: kStale; kNotDir; kNameTooLong.
  Result<MemSpot> FindSpot(Place place) const;
  // Errors: kStale; kRoFs; kNotDir; kNameTooLong.
  Result<MemSpot> FindSpotToChange(Place place) const;
  // A spot for a new name. Errors: kStale; kRoFs; kNotDir; kNoEnt dir is removed; kNameTooLong;
  // kExist.
  Result<MemSpot> FindSpotToAdd(Place place) const;
  // Errors: kBadF; kStale the node went away by Restore.
  Result<MemOpen> FindOpen(HandleId handle) const;
  // A regular file open for writing. Errors: kBadF; kStale; kRoFs; `other_type` not a regular file.
  Result<MemOpen> FindOpenToWrite(HandleId handle, Errno other_type) const;

  // ── Changing ─────────────────────────────────────────────────────────────────────────────────
  // Every change of a node passes here.
  void Bump(internal::Node& node, Instant now);
  // A change of a directory's names.
  void TouchDirectory(NodeId dir, Instant now);
  // relatime; not an edit of the node, so its `change` stays.
  void Accessed(const OpContext& op, NodeId id);
  // Set-id bits and security.capability go, as a write by this caller makes them.
  void DropPrivileges(const OpContext& op, internal::Node& node);
  // Removes one xattr, when it is there.
  void EraseXattr(internal::Node& node, std::string_view key);
  void PutXattr(internal::Node& node, std::string_view key, std::string_view value);
  // chmod: an access ACL follows.
  void SetMode(internal::Node& node, std::uint16_t mode);
  // Errors: kInval; kOpNotSupp; kAccess a default ACL of something else than a directory; kNoSpc.
  Result<void> SetAcl(const OpContext& op, NodeId id, std::string_view key, std::string_view value);
  // Loads lazy content for good. Errors: those of loading; kNoSpc.
  Result<void> Materialize(NodeId id);
  // What every change of content does to the attributes.
  void Written(const OpContext& op, internal::Node& node);
  // Sets the size of a regular file. Errors: kFBig; those of Materialize.
  Result<void> Truncate(const OpContext& op, NodeId id, std::uint64_t size_bytes);

  // ── Space ────────────────────────────────────────────────────────────────────────────────────
  std::uint64_t free_bytes() const;
  std::uint64_t free_nodes() const;
  // How many of `length` bytes there is room for. Errors: kNoSpc none.
  Result<std::size_t> FittingBytes(const internal::Node& node, std::uint64_t offset,
                                   std::size_t length) const;
  // What a node takes of the capacity.
  static std::uint64_t ChargedBytes(const internal::Node& node);
  // Calls change() and books what it added to or took from the node.
  template <typename Change>
  void Charged(const internal::Node& node, Change change) {
    const std::uint64_t before = ChargedBytes(node);
    change();
    live.used_bytes += ChargedBytes(node) - before;
  }

  // ── Nodes and names ──────────────────────────────────────────────────────────────────────────
  // May `node` be made in `dir`? Errors: kMLink; kInval; kNameTooLong; kNoSpc.
  Result<void> CheckNew(const internal::Node& dir, const NewNode& node) const;
  // A node without a name, with owner, mode and ACLs as below `dir`.
  NodeId MakeNode(const OpContext& op, NodeId dir, const NewNode& node);
  // One name fewer for the node; it goes with its last name and handle.
  void DropName(const OpContext& op, NodeId id);
  void EraseNode(NodeId id);
  // One subdirectory more or fewer.
  void AddSubdirectory(NodeId dir) { ++Writable(dir).nlink; }
  void DropSubdirectory(NodeId dir) { --Writable(dir).nlink; }
  internal::NameTable& WritableNames(NodeId dir);
  // Is `node` the directory `below` or one of those above it?
  bool IsSelfOrAncestor(NodeId node, NodeId below) const;
  // A further name; the first one of an unnamed file. Errors: those of Link.
  Result<void> AddLink(const OpContext& op, NodeId id, Place place);

  // ── Rename ───────────────────────────────────────────────────────────────────────────────────
  // Errors: those of Rename; kMLink.
  Result<MemRename> CheckRename(Place from, Place to, RenameMode mode) const;
  Result<MemRename> CheckRenameLimits(const MemRename& plan, RenameMode mode) const;
  void Exchange(const OpContext& op, const MemRename& plan);
  void Move(const OpContext& op, const MemRename& plan, RenameMode mode);
  // The node's part of a move: its times, its parent, the link counts of the directories.
  void MoveInto(const OpContext& op, NodeId id, NodeId from_dir, NodeId to_dir);

  HandleId OpenNode(NodeId id, OpenFlags flags);

  void EmitData(const OpContext& op, EventKind kind, NodeId id, std::uint64_t offset,
                std::uint64_t bytes) const;

  const MemFsOptions options;
  const std::uint64_t device;
  bool frozen = false;
  std::uint64_t next_node = 1;
  std::uint64_t changes = 0;
  NodeId root;
  State live;
  internal::HandleTable handles;
};

}  // namespace lamina
#endif  // LAMINA_VFS_FS_MEM_BODY_H_
