// FileSystem: the inode contract (seam 1). Everything that stores files implements it: a MemFs, a
// union, an ext file system on a device, a subvolume.
//
// Identity is an inode, never a path: a call names a node, or a Place (directory node + one
// component). Paths exist in Walk only. Permission is checked by Process at the door, not here:
// a FileSystem does what it is told, like a kernel file system below the VFS. What depends on the
// caller all the same (owner of new nodes, set-id bits dropped by a write) uses `op.cred`.
//
// A NodeId is valid while the node has a name or an open handle; whoever keeps one beyond a call
// (working directory, O_PATH) holds a kPath handle. Otherwise kStale, never a wrong file. Every
// call that takes a NodeId or HandleId may give kStale or kBadF for one that is not valid, before
// every other error.
//
// Threads: thread-compatible, unless the implementation says more. A frozen file system is read by
// any number of threads without a lock.
#ifndef LAMINA_FS_FILE_SYSTEM_H_
#define LAMINA_FS_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "lamina/base/bytes.h"
#include "lamina/base/ids.h"
#include "lamina/base/result.h"
#include "lamina/base/time.h"
#include "lamina/trace/op_context.h"

namespace lamina {

class PagedBytes;

enum class FileType : std::uint8_t {
  kRegular,
  kDirectory,
  kSymlink,
  kCharDevice,
  kBlockDevice,
  kFifo,
  kSocket,
};
// DT_UNKNOWN: of an entry of a listing whose object cannot be looked up.
inline constexpr auto kUnknownType = static_cast<FileType>(0xff);

// Device numbers as the dumps show them: major and minor packed into 64 bits.
constexpr std::uint64_t MakeDevice(std::uint32_t major, std::uint32_t minor) {
  return (std::uint64_t{major} << 32U) | minor;
}
constexpr std::uint32_t DeviceMajor(std::uint64_t device) {
  return static_cast<std::uint32_t>(device >> 32U);
}
constexpr std::uint32_t DeviceMinor(std::uint64_t device) {
  return static_cast<std::uint32_t>(device);
}

// Mode bits (the low 12 bits of st_mode).
inline constexpr std::uint16_t kModeSetUid = 04000;
inline constexpr std::uint16_t kModeSetGid = 02000;
inline constexpr std::uint16_t kModeSticky = 01000;
inline constexpr std::uint16_t kModePermissions = 0777;
inline constexpr std::uint16_t kModeAll = 07777;

struct Stat {
  NodeId node;
  std::uint64_t ino = 0;  // what the user sees; may change on copy-up, `node` does not
  std::uint64_t dev = 0;  // unique per file system (and per layer where a union shows that)
  FileType type{};
  std::uint16_t mode = 0;  // 12 bits, no type
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint64_t size_bytes = 0;         // of a directory: implementation-defined
  std::uint64_t allocated_sectors = 0;  // 512 bytes each
  std::uint64_t rdev = 0;               // MakeDevice
  Instant atime;
  Instant mtime;
  Instant ctime;
  std::uint64_t change = 0;  // bumped by every change of this node: how a union notices edits
};

// A directory and one component: no '/', never "", "." or "..".
struct Place {
  NodeId dir;
  std::string_view name;
};

struct NewNode {
  FileType type{};
  std::uint16_t mode = 0;  // umask already applied; a default ACL of the parent is applied below
  std::uint64_t rdev = 0;
  std::string_view symlink_target = {};
};

// What SetAttr changes; absent = keep. ctime becomes op.now whatever is set (also when nothing is).
struct AttrChange {
  std::optional<std::uint16_t> mode = std::nullopt;
  std::optional<std::uint32_t> uid = std::nullopt;
  std::optional<std::uint32_t> gid = std::nullopt;
  std::optional<std::uint64_t> size_bytes = std::nullopt;
  std::optional<Instant> atime = std::nullopt;
  std::optional<Instant> mtime = std::nullopt;
};

struct DirEntry {
  std::string_view name;
  NodeId node;  // 0: the file system would have to look it up
  FileType type{};
  std::uint64_t ino = 0;  // d_ino: what readdir reports, which need not be Stat::ino in a union
  // Whether it is a character device 0:0, overlayfs' whiteout; nothing: has to be looked at.
  std::optional<bool> zero_device = std::nullopt;
};

enum class Access : std::uint8_t { kPath, kRead, kWrite, kReadWrite };
struct OpenFlags {
  Access access = Access::kRead;
  bool append = false;
  bool truncate = false;  // truncate at open: 0 bytes copied up
  bool direct = false;    // O_DIRECT; kInval where that is not supported
};
struct Opened {
  NodeId node;
  HandleId handle;
};

enum class RenameMode : std::uint8_t { kReplace, kNoReplace, kExchange, kLeaveWhiteout };
enum class XattrMode : std::uint8_t { kSet, kCreate, kReplace };
enum class AllocateMode : std::uint8_t {
  kExtend,    // allocate; the size grows when the range passes it
  kKeepSize,  // allocate; the size stays
  kPunch,     // make a hole; the size stays
  kZero,      // zero the range; the size grows when the range passes it
};
enum class SeekKind : std::uint8_t { kData, kHole };
enum class SyncMode : std::uint8_t { kData, kAll };
enum class MapMode : std::uint8_t { kPrivate, kSharedRead, kSharedWrite };

// A position in a directory: 0 is the start, kDirEnd means nothing follows. Stable: an entry that
// is present for the whole scan is returned exactly once, one added or removed meanwhile at most
// once.
struct DirCookie {
  std::uint64_t value = 0;
  friend auto operator<=>(const DirCookie&, const DirCookie&) = default;
};
inline constexpr DirCookie kDirEnd{~std::uint64_t{0}};

struct FsSpace {
  std::uint64_t type = 0;  // statfs' f_type where it matters to somebody; else 0
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t total_nodes = 0;
  std::uint64_t free_nodes = 0;
};

struct FsLimits {
  std::uint32_t name_max = 255;
  std::uint32_t link_max = 65000;
  std::uint32_t xattr_value_max = 65536;
  bool xattrs = true;
  bool device_nodes = true;
  bool clone = false;
  bool read_only = false;    // every modification is kRoFs
  bool file_handles = true;  // node ids may be kept as durable names (a union: when exported)
  std::uint8_t stacking_depth = 0;  // 0: holds its own data; a union: 1 + the deepest branch
  bool checks_access = false;       // CheckAccess has something to say
  bool copies_across = true;        // false: copy_file_range is kXDev where Clone is (AUFS)
  std::uint64_t file_bytes_max = ~std::uint64_t{0} >> 1U;  // beyond: kFBig
  bool allocates = true;  // false: Allocate is kOpNotSupp but for kPunch (ext2)
};

class FileSystem;

// Whose fifo is it: the two ends of a pipe meet where this is equal.
struct PipeHome {
  const FileSystem* fs = nullptr;
  NodeId node;
  friend auto operator<=>(const PipeHome&, const PipeHome&) = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual NodeId root() const = 0;
  virtual FsLimits limits() const = 0;
  // Can never change again: read without a lock, cached without a check.
  virtual bool frozen() const = 0;
  // Grows with every change anywhere in this file system.
  virtual std::uint64_t change_count() const = 0;

  // ── Names ────────────────────────────────────────────────────────────────────────────────────

  // The node called `place`.
  // Errors: kNotDir dir is not a directory; kNameTooLong; kNoEnt no such name.
  virtual Result<NodeId> Lookup(const OpContext& op, Place place) = 0;

  // Makes a regular file, directory, symlink or special node. Owner op.cred (the directory's
  // group, and for a directory its set-gid bit, below a set-gid directory); a default ACL of the
  // directory is inherited. Directory mtime and ctime become op.now.
  // Errors: kRoFs; kNotDir; kNoEnt dir is removed; kNameTooLong; kExist; kMLink too many
  // subdirectories; kPerm a type the file system cannot hold; kInval a symlink target that is
  // empty; kNameTooLong a target over 4095 bytes; kNoSpc.
  virtual Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) = 0;

  // Create of a regular file and Open in one step: never seen unopened. Errors of both.
  virtual Result<Opened> CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                    OpenFlags flags) = 0;

  // O_TMPFILE: a regular file without a name, nlink 0, gone when the last handle closes.
  // Errors as CreateOpen.
  virtual Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                       OpenFlags flags) = 0;

  // One more name for `node`. ctime of the node and times of the directory become op.now.
  // Errors: kRoFs; kNotDir; kNoEnt dir is removed; kNameTooLong; kExist; kPerm a directory;
  // kNoEnt the node has no name left (use LinkHandle); kMLink; kNoSpc.
  virtual Result<void> Link(const OpContext& op, NodeId node, Place place) = 0;

  // A name for an open file made by CreateUnnamed. Errors as Link; kNoEnt a handle of a file that
  // was unlinked.
  virtual Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) = 0;

  // unlink (expected: anything but kDirectory) and rmdir (expected: kDirectory).
  // Errors: kRoFs; kNotDir dir is not a directory; kNameTooLong; kNoEnt; kIsDir the name is a
  // directory and expected != kDirectory; kNotDir the reverse; kNotEmpty.
  virtual Result<void> Remove(const OpContext& op, Place place, FileType expected) = 0;

  // Moves a name. Both names one inode: success, nothing changes.
  // Errors: kRoFs; kNotDir a parent is not a directory; kNameTooLong; kNoEnt no source, or
  // exchange without target; kExist kNoReplace and a target; kInval a directory into its own
  // subtree (exchange: either way round), or a mode that is not supported; kNotEmpty the target is
  // an ancestor of the source (kReplace); kNotDir a directory over something else; kIsDir something
  // else over a directory; kNotEmpty over a directory with entries; kMLink; kXDev; kNoSpc.
  virtual Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) = 0;

  // ── Attributes ───────────────────────────────────────────────────────────────────────────────

  virtual Result<Stat> GetAttr(const OpContext& op, NodeId node) = 0;

  // Changes attributes in one step. A change of owner drops set-uid, set-gid (when group-execute is
  // set) and security.capability of anything but a directory; so does a change of size by a caller
  // without CAP_FSETID, which also drops the capability for every caller. A change of mode rewrites
  // the mask of an access ACL. A size sets mtime to op.now unless mtime is given or the size is
  // what it was and the file holds no page (tmpfs).
  // Errors: kRoFs; kIsDir size of a directory; kInval size of something else that is not regular;
  // kFBig; kNoSpc.
  virtual Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) = 0;

  // Errors: kInval not a symlink.
  virtual Result<std::string> ReadLink(const OpContext& op, NodeId node) = 0;

  // Keys carry their namespace: "user.a", "trusted.b", "security.c", "system.posix_acl_access".
  // Errors: kOpNotSupp unknown namespace, or no xattrs here; kNoData no such key.
  virtual Result<std::string> GetXattr(const OpContext& op, NodeId node, std::string_view key) = 0;
  // Errors: kRoFs; kOpNotSupp; kRange empty key or over 255 bytes; k2Big value over the limit;
  // kPerm a user key on anything but a regular file or directory; kExist kCreate and present;
  // kNoData kReplace and absent; kInval an ACL that is not well-formed; kNoSpc.
  virtual Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                                std::string_view value, XattrMode mode) = 0;
  // Errors: kRoFs; kOpNotSupp; kPerm as SetXattr; kNoData.
  virtual Result<void> RemoveXattr(const OpContext& op, NodeId node, std::string_view key) = 0;
  // Sorted by byte order.
  virtual Result<std::vector<std::string>> ListXattr(const OpContext& op, NodeId node) = 0;

  // ── Data ─────────────────────────────────────────────────────────────────────────────────────

  // Any type of node. Errors: kRoFs truncate or write access here; kIsDir write access to a
  // directory.
  virtual Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) = 0;
  // Must name an open handle. A node without names goes with its last handle.
  virtual void Close(HandleId handle) = 0;

  // Calls `visit` for each entry from `from` on until it returns false, and returns the cookie of
  // the entry after the last one taken (an entry for which `visit` returned false is not taken).
  // "." and ".." are not listed. The visitor must not call into the same FileSystem.
  // Errors: kNotDir; kNoEnt the directory was removed.
  virtual Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                    absl::FunctionRef<bool(const DirEntry&)> visit) = 0;

  // Bytes read; less than asked only at the end of the file; 0 at or past the end.
  // Errors: kBadF not open for reading; kIsDir; kInval not a regular file.
  virtual Result<std::size_t> Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                                   MutableBytes into) = 0;
  // Bytes written: all of them, or fewer when space ran out after the first. A handle opened with
  // append ignores `offset`. mtime and ctime become op.now; set-id bits (without CAP_FSETID) and
  // security.capability are dropped when at least one byte is asked.
  // Errors: kBadF not open for writing; kInval; kFBig the range passes 2^63-1; kNoSpc.
  virtual Result<std::size_t> Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                    Bytes from) = 0;
  // fallocate. Errors: kBadF; kNoDev not a regular file; kInval length 0; kFBig; kNoSpc.
  virtual Result<void> Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                                std::uint64_t length, AllocateMode mode) = 0;
  // The next byte at or after `offset` that is data (or hole; the end of the file is a hole).
  // Errors: kBadF; kNxIo offset at or past the end, or no data from there on.
  virtual Result<std::uint64_t> Seek(const OpContext& op, HandleId handle, std::uint64_t offset,
                                     SeekKind kind) = 0;
  // Makes two ranges share storage (reflink). Bytes cloned.
  virtual Result<std::uint64_t> Clone(const OpContext&, HandleId /*source*/,
                                      std::uint64_t /*source_offset*/, HandleId /*target*/,
                                      std::uint64_t /*target_offset*/, std::uint64_t /*length*/) {
    return Errno::kOpNotSupp;
  }
  // Host-level sharing: an O(1) copy-up between two file systems in RAM. Events still charge the
  // full copy. ShareContent of a handle open for reading; AdoptContent replaces content and size of
  // a regular file open for writing (mtime and ctime become op.now). Errors: kOpNotSupp; kBadF;
  // kNoSpc.
  virtual Result<std::shared_ptr<const PagedBytes>> ShareContent(const OpContext&, HandleId) {
    return Errno::kOpNotSupp;
  }
  virtual Result<void> AdoptContent(const OpContext&, HandleId, std::shared_ptr<const PagedBytes>) {
    return Errno::kOpNotSupp;
  }
  // A handle for a memory mapping of an open file: it never follows a copy-up.
  // Errors: kBadF; kAccess not open for reading, or kSharedWrite without write access; kNoDev not
  // a regular file.
  virtual Result<HandleId> Map(const OpContext& op, HandleId handle, MapMode mode) = 0;
  // fdatasync, fsync. Errors: kIo.
  virtual Result<void> Sync(const OpContext& op, HandleId handle, SyncMode mode) = 0;

  // ── The whole ────────────────────────────────────────────────────────────────────────────────

  virtual Result<void> SyncAll(const OpContext& op) = 0;
  virtual Result<FsSpace> GetSpace(const OpContext& op) = 0;

  // What must be granted besides the mode and the ACL that the node shows: kMayExecute, kMayWrite,
  // kMayRead (permission.h). Called where FsLimits::checks_access says so.
  // Errors: kAccess; kRoFs the object cannot be changed.
  virtual Result<void> CheckAccess(const OpContext& /*op*/, NodeId /*node*/, unsigned /*wanted*/) {
    return {};
  }

  // Who has the bytes of the fifo `node`: the node itself, or in a union whose fifos stay those of
  // a branch (AUFS), the object there. It may change when the node does; an open end stays.
  virtual PipeHome HomeOfPipe(NodeId node) { return {this, node}; }
};

}  // namespace lamina
#endif  // LAMINA_FS_FILE_SYSTEM_H_
