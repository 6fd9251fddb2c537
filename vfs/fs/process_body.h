// What a Process is made of, and the steps its calls share.
//
//   Process ── Body ──┬─ fds ───────► OpenFile (a description: position, lock, lease, pipe end)
//                     ├─ mappings ──► MappedFile ──► OpenFile (a mapping keeps the description)
//                     └─ pipes ─────► Pipe (while a fifo is open)
//
// The bodies are grouped by idea: process_names.cc, process_attributes.cc, process_xattrs.cc,
// process_open.cc, process_files.cc, process_mappings.cc.
#ifndef LAMINA_VFS_FS_PROCESS_BODY_H_
#define LAMINA_VFS_FS_PROCESS_BODY_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lamina/fs/permission.h"
#include "lamina/fs/process.h"
#include "vfs/fs/process_pipe.h"

namespace lamina {

using Fd = Process::Fd;

namespace internal {

// Offsets and sizes are signed in the system calls: what is larger was a negative number.
inline constexpr std::uint64_t kMaxOffset = (std::uint64_t{1} << 63U) - 1;

// An open file description. Ends with the last descriptor and the last mapping of it.
struct OpenFile {
  OpenFile(FileSystem& file_system, LockTable& lock_table) : fs(file_system), locks(lock_table) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool reads() const { return access == Access::kRead || access == Access::kReadWrite; }
  bool writes() const { return access == Access::kWrite || access == Access::kReadWrite; }

  FileSystem& fs;
  LockTable& locks;
  NodeId node;
  HandleId handle;
  FileType type{};
  Access access = Access::kRead;
  bool append = false;
  bool may_get_name = true;  // false: O_TMPFILE with O_EXCL
  OpenFileId id;             // 0 for kPath
  std::uint64_t opener = 0;  // Body::cred_change when opened: who may give it a name
  std::uint64_t position = 0;
  std::shared_ptr<Pipe> pipe;

  // Of a directory being read.
  NodeId parent;
  unsigned dots_given = 0;  // of "." and ".."
  DirCookie cookie;
};

struct MappedFile {
  std::shared_ptr<OpenFile> file;
  HandleId handle;  // of FileSystem::Map
  std::uint64_t length = 0;
  MapSharing sharing = MapSharing::kShared;
  bool writable = false;
  std::map<std::uint64_t, std::string> private_pages;  // by index
};

enum class NewNameSlash : std::uint8_t { kAllowed, kRefused };

}  // namespace internal

struct Process::Body {
  Body(FileSystem& file_system, NodeId root, const ProcessOptions& process_options);
  ~Body();

  // Every call of the Process goes through here: one tick, one OpContext, two events.
  template <typename Action>
  auto Run(std::string_view call, Action&& action) {
    clock->Advance(options.tick);
    const OpContext op{cred, clock->now(), Probe(options.sink)};
    op.probe.Emit([&] { return Event{.kind = EventKind::kCallBegin, .name = call}; });
    auto result = std::forward<Action>(action)(op);
    op.probe.Emit([&] {
      const std::uint64_t error = result.ok() ? 0 : static_cast<std::uint64_t>(result.error());
      return Event{.kind = EventKind::kCallEnd, .detail = error, .name = call};
    });
    return result;
  }

  // ── Paths ──────────────────────────────────────────────────────────────────────────────────
  // The node a path names. Errors: those of Walk, and why there is none.
  Result<WalkResult> WalkToNode(const OpContext& op, std::string_view path, LastLink last_link);
  // A name that can be made (filename_create).
  // Errors: those of Walk; kExist also "/", "." and ".."; kNameTooLong; kNoEnt a trailing slash
  // that is refused; kRoFs.
  Result<WalkResult> WalkToNewName(const OpContext& op, std::string_view path,
                                   internal::NewNameSlash slash);
  // The directory, when op.cred may make a name in it. Errors: kNoEnt it is removed; those of
  // CheckAccess.
  Result<Stat> CheckMayCreate(const OpContext& op, NodeId dir);
  // The mode a new node gets: set-gid rule of the directory, then the umask unless the directory
  // has a default ACL.
  std::uint16_t ModeOfNew(const OpContext& op, const Stat& dir, FileType type, std::uint16_t mode);
  // Gives a name to an existing node (vfs_link without its last step).
  // Errors: kPerm protected_hardlinks; those of CheckMayCreate; kPerm a directory.
  Result<void> CheckMayLink(const OpContext& op, const Stat& source, NodeId dir);
  // The permission half of vfs_rename, for two names that may be exchanged or replaced.
  Result<void> CheckMayRename(const OpContext& op, const WalkResult& from, const WalkResult& to,
                              RenameMode mode);
  Result<void> RequireWritable() const;
  // Keeps the chain of the working directory right when a directory on it is renamed.
  void FollowRename(NodeId moved, const std::vector<NodeId>& new_parents);

  // ── Attributes of a node, whoever found it ─────────────────────────────────────────────────
  Result<void> ChangeMode(const OpContext& op, const Stat& stat, std::uint16_t mode);
  Result<void> ChangeOwner(const OpContext& op, const Stat& stat, std::optional<std::uint32_t> uid,
                           std::optional<std::uint32_t> gid);
  Result<void> ChangeTimes(const OpContext& op, const Stat& stat, TimeChange atime,
                           TimeChange mtime);
  Result<void> SetXattrOf(const OpContext& op, const Stat& stat, std::string_view key,
                          std::string_view value, XattrMode mode);
  Result<std::string> GetXattrOf(const OpContext& op, const Stat& stat, std::string_view key);
  Result<void> RemoveXattrOf(const OpContext& op, const Stat& stat, std::string_view key);

  // ── Opening ────────────────────────────────────────────────────────────────────────────────
  using OpenResult = Result<std::shared_ptr<internal::OpenFile>>;
  OpenResult OpenAsPath(const OpContext& op, std::string_view path, const OpenHow& how);
  OpenResult OpenUnnamed(const OpContext& op, std::string_view path, const OpenHow& how,
                         std::uint16_t mode);
  OpenResult OpenNamed(const OpContext& op, std::string_view path, const OpenHow& how,
                       std::uint16_t mode);
  OpenResult CreateAndOpen(const OpContext& op, const WalkResult& walk, const OpenHow& how,
                           std::uint16_t mode);
  Result<void> CheckCreateInSticky(const OpContext& op, const WalkResult& walk);
  Result<void> CheckMayOpen(const OpContext& op, const WalkResult& walk, const OpenHow& how);
  OpenResult OpenExisting(const OpContext& op, const WalkResult& walk, const OpenHow& how);
  Result<void> JoinPipe(internal::OpenFile& file);
  std::shared_ptr<internal::OpenFile> NewFile(const OpenHow& how, FileType type, Opened opened);
  Fd Install(std::shared_ptr<internal::OpenFile> file);

  // ── Descriptors ────────────────────────────────────────────────────────────────────────────
  // Nothing when `fd` is not open.
  std::shared_ptr<internal::OpenFile> FindAny(Fd fd) const;
  // Nothing when `fd` is not open, or is open with kPath only.
  std::shared_ptr<internal::OpenFile> Find(Fd fd) const;
  // Attributes of an open file. Errors: kBadF not open, or with kPath only.
  // The same call, told that it comes through an open file.
  OpContext Through(const OpContext& op, Fd fd) const;
  Result<Stat> StatOf(const OpContext& op, Fd fd) const;

  FileSystem& fs;
  ProcessOptions options;
  Clock own_clock;
  LockTable own_locks;
  Clock* clock;
  LockTable* locks;
  Credentials cred;
  std::uint64_t cred_change = 0;  // counts set_credentials; Linux compares the object, not the ids
  std::uint16_t umask = 022;
  WalkStart start;
  HandleId cwd_handle;  // 0: the root
  std::vector<std::shared_ptr<internal::OpenFile>> files;
  std::map<Mapping, internal::MappedFile> mappings;
  std::uint64_t last_mapping = 0;
  std::map<PipeHome, std::weak_ptr<internal::Pipe>> pipes;
};

}  // namespace lamina
#endif  // LAMINA_VFS_FS_PROCESS_BODY_H_
