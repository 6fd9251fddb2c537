// LayeredFs: a mounted stack of layers, with the calls of POSIX. Names are POSIX names in
// CamelCase; flags and modes are the host's constants; errors are absl::Status with the errno kept
// (facade/status.h). No call adds semantics of its own: what Linux's overlayfs, or AUFS, gives is
// what one gets.
//
// Made by Stack (facade/stack.h).
//
// Threads: thread-compatible; views made by As and Layer belong to the same mount.
// Lifetime: an Fd, a TreeView and an As view keep the mount alive.
#ifndef LAMINA_FACADE_LAYERED_FS_H_
#define LAMINA_FACADE_LAYERED_FS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/base/credentials.h"
#include "lamina/base/time.h"
#include "lamina/driver/change_set.h"
#include "lamina/facade/crash_image.h"
#include "lamina/facade/explanation.h"
#include "lamina/facade/layer.h"
#include "lamina/facade/tree_view.h"
#include "lamina/facade/union_dialect.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/sim/changes.h"
#include "lamina/sim/fault.h"
#include "lamina/union/aufs.h"
#include "lamina/union/overlay.h"

namespace lamina {

namespace internal {
struct Caller;
}  // namespace internal

using sim::Fault;
using sim::FaultCalls;
using sim::Op;

struct MountOptions {
  UnionDialect dialect = UnionDialect::kOverlay;
  std::uint64_t capacity = ~std::uint64_t{0};  // bytes a writable layer can hold; then ENOSPC
  OverlayOptions overlay = {};                 // of UnionDialect::kOverlay only
  // Of UnionDialect::kAufs only, like the next two. The upper is branch 0.
  AufsOptions aufs = {};
  std::string aufs_text = {};  // more options, as mount(2) takes them: "create=rr,noplink"
  // Modes of layers, as a branch list writes them: {{"app", "ro"}, {"spare", "rw"}}. The upper is
  // rw and every other layer ro+wh where nothing is said. A rw layer can be written.
  std::map<std::string, std::string, std::less<>> aufs_modes = {};
  bool read_only = false;                      // mount flag ro: every change is EROFS
  AtimePolicy atime = AtimePolicy::kRelative;  // mount flags relatime, noatime
  std::uint16_t umask = 022;
};

// What a mount did so far, whoever called. Looking through a TreeView is not counted.
struct FsCounters {
  std::uint64_t copy_ups = 0;        // copies of a file's content to a writable layer
  std::uint64_t bytes_copied = 0;    // by those
  std::uint64_t bytes_asked = 0;     // that calls wrote
  std::uint64_t bytes_read = 0;      // that calls read
  std::uint64_t branch_probes = 0;   // names looked up in a layer
  std::uint64_t whiteouts_seen = 0;  // by those

  std::uint64_t bytes_written() const { return bytes_asked + bytes_copied; }
  // bytes_written / bytes_asked; 1 when nothing was asked.
  double WriteAmplification() const;
};

// A call that changes something, as it was made.
struct Call {
  std::size_t number = 0;          // from 1
  std::string text;                // Unlink("/etc/hosts")
  std::vector<std::string> paths;  // those it names
  int error = 0;                   // errno; 0 when it succeeded
};

// An open file; closes itself. Belongs to the caller that opened it.
class Fd {
 public:
  Fd(Fd&& other) noexcept;
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  bool is_open() const { return caller_ != nullptr; }
  const std::string& path() const { return path_; }  // as Open was given it
  // Errors: EBADF when it is closed already.
  absl::Status Close();

 private:
  friend class LayeredFs;
  Fd(std::shared_ptr<internal::Caller> caller, Process::Fd number, std::string_view path);

  std::shared_ptr<internal::Caller> caller_;
  Process::Fd number_;
  std::string path_;
};

class LayeredFs {
 public:
  explicit LayeredFs(std::shared_ptr<internal::Caller> caller);
  LayeredFs(LayeredFs&&) noexcept;
  LayeredFs& operator=(LayeredFs&&) noexcept;
  ~LayeredFs();

  // The same mount for another caller; the default is root. A uid other than 0 whose capabilities
  // were left at "all" has none: a plain aggregate `{.uid = 1000}` is a plain user.
  LayeredFs As(const Credentials& credentials) const;

  // ── Open files ───────────────────────────────────────────────────────────────────────────────
  // Calls on a closed Fd give EBADF.
  absl::StatusOr<Fd> Open(std::string_view path, int flags, std::uint16_t mode = 0644);
  // Up to `length` bytes; fewer at the end of the file.
  absl::StatusOr<std::string> Pread(const Fd& fd, std::size_t length, std::uint64_t offset) const;
  absl::StatusOr<std::size_t> Pwrite(const Fd& fd, std::string_view bytes, std::uint64_t offset);
  absl::Status Ftruncate(const Fd& fd, std::uint64_t size_bytes);
  absl::Status Fsync(const Fd& fd);
  absl::StatusOr<lamina::Stat> Fstat(const Fd& fd) const;
  // `mode`: 0 or the host's FALLOC_FL_KEEP_SIZE, PUNCH_HOLE (with KEEP_SIZE), ZERO_RANGE; another
  // one is EOPNOTSUPP.
  absl::Status Fallocate(const Fd& fd, int mode, std::uint64_t offset, std::uint64_t length);

  // ── By path ──────────────────────────────────────────────────────────────────────────────────
  absl::StatusOr<lamina::Stat> Lstat(std::string_view path) const;
  absl::StatusOr<lamina::Stat> Stat(std::string_view path) const;
  absl::StatusOr<std::string> Readlink(std::string_view path) const;
  // Sorted by name, without "." and "..".
  absl::StatusOr<std::vector<Entry>> ReadDir(std::string_view path) const;
  absl::Status Mkdir(std::string_view path, std::uint16_t mode = 0777);
  absl::Status Rmdir(std::string_view path);
  absl::Status Unlink(std::string_view path);
  // `flags`: 0 or the host's RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT; else EINVAL.
  absl::Status Rename(std::string_view from, std::string_view to, unsigned flags = 0);
  absl::Status Link(std::string_view from, std::string_view to);  // keeps a symlink, as link(2)
  absl::Status Symlink(std::string_view target, std::string_view path);
  absl::Status Mkfifo(std::string_view path, std::uint16_t mode = 0666);
  absl::Status Truncate(std::string_view path, std::uint64_t size_bytes);
  absl::Status Chmod(std::string_view path, std::uint16_t mode);
  // Absent ids are kept. Follows a symlink.
  absl::Status Chown(std::string_view path, std::optional<std::uint32_t> uid,
                     std::optional<std::uint32_t> gid);
  absl::Status Utimens(std::string_view path, TimeChange atime, TimeChange mtime);
  absl::StatusOr<std::string> Getxattr(std::string_view path, std::string_view key) const;
  absl::Status Setxattr(std::string_view path, std::string_view key, std::string_view value,
                        XattrMode mode = XattrMode::kSet);
  absl::StatusOr<std::vector<std::string>> Listxattr(std::string_view path) const;
  absl::Status Removexattr(std::string_view path, std::string_view key);
  absl::StatusOr<ProcessSpace> Statfs(std::string_view path) const;
  // `cp --reflink=always`: Open both, clone the whole file. EXDEV when the bytes are in a lower
  // layer, which is another file system; an empty target stays then.
  absl::Status Reflink(std::string_view from, std::string_view to);

  // ── Listed sequences of the calls above ──────────────────────────────────────────────────────
  absl::StatusOr<std::string> ReadFile(std::string_view path) const;  // Open, Pread …, Close
  // Open with O_WRONLY | O_CREAT | O_TRUNC, Pwrite …, Close. A missing directory is ENOENT.
  absl::Status WriteFile(std::string_view path, std::string_view content,
                         std::uint16_t mode = 0644);
  // Open with O_WRONLY | O_CREAT | O_APPEND, Pwrite …, Close.
  absl::Status AppendFile(std::string_view path, std::string_view content);
  // Lstat; ReadDir, Unlink and Rmdir from the bottom up. ENOENT when there is nothing.
  absl::Status RemoveAll(std::string_view path);

  // ── Questions ────────────────────────────────────────────────────────────────────────────────
  UnionDialect dialect() const;
  // Layers by name, topmost first, the writable one included.
  std::vector<std::string> LayerNames() const;
  // One layer as it is stored. A name of LayerNames, or of a layer that a Remount took away;
  // another ends the program.
  TreeView Layer(std::string_view name) const;
  TreeView Merged() const;
  // What the writable layers change, in the words of `docker diff`. Errors: see sim/changes.h.
  absl::StatusOr<std::vector<LayerChange>> Diff() const;
  const FsCounters& counters() const;
  // Calls that change something, oldest first; the latest 1000.
  const std::vector<Call>& calls() const;
  // The latest successful call that names `path` or a directory above it; null when none does.
  const Call* MadeBy(std::string_view path) const;
  UnionFs& union_fs() const;

  // ── While it is mounted ──────────────────────────────────────────────────────────────────────
  // Lets time pass, and does what falls due: AUFS empties some removed directories later.
  absl::Status Sleep(Duration time);
  // Does what is due now; nothing in lamina runs by itself.
  absl::Status RunDeferred();
  // `mount -o remount,TEXT` of an AUFS: verbs for branches and options, from left to right. The
  // path of a branch is the name of its layer:
  //
  //   fs->Remount("add:1:patch=ro+wh", {NamedLayer("patch").File("/a", "1")})
  //   fs->Remount("mod:upper=ro,del:base,create=mfs")
  //
  // `layers` are made first; one that the text adds as rw can be written. What came before a verb
  // that fails stays.
  // Errors: Unimplemented an overlay, `rw` of a read-only mount; InvalidArgument a name of
  // `layers` that is taken; any: a verb of a layer; with an errno: what mount(2) gives, EBUSY a
  // layer in use.
  absl::Status Remount(std::string_view text, const std::vector<NamedLayer>& layers = {});
  // `auplink MOUNT flush`: every name of a pseudo-linked file gets its hard link. An AUFS forgets
  // its pseudo-links when it ends. Errors: Unimplemented an overlay; with an errno: as written.
  absl::Status FlushPseudoLinks();

  // ── Faults ───────────────────────────────────────────────────────────────────────────────────
  // Puts a fault in place, for every caller of the mount (sim/fault.h says what a fault is). A
  // branch is a layer by name. Calls of this class meet faults; views, questions and
  // CheckInvariants do not. A fault that cannot be meant, or at a layer that the mount does not
  // have, ends the program.
  void Inject(const Fault& fault);
  // A fault that never hit a call tests nothing. FailedPrecondition: there are such; it names them.
  absl::Status VerifyAllFaultsFired() const;
  // Stops the machine, unless a Crash fault has done so already: from now on every change is EIO.
  // The image is what was stored at that moment: all changes before it, none after.
  CrashImage Crash();
  // The machine has stopped.
  bool crashed() const;

  // ── Questions about the whole ────────────────────────────────────────────────────────────────
  // What must hold whatever was called, each broken rule in a line of the message (Internal). In
  // both dialects:
  //   a layer that cannot be written is what it was at the mount
  //   a whiteout in a writable layer hides something below (AUFS: if its directory merges with one
  //     below, for a directory that moves takes its whiteouts along, and until a Remount changes
  //     the branches)
  //   each directory lists the names that can be looked up, with their types, and no others
  // of an overlay:
  //   no whiteout stands in an opaque directory of the writable layer
  //   the work directory holds nothing
  // of an AUFS, in its writable layers:
  //   no whiteout stands beside an entry of its name (a lookup gives EIO)
  //   no temporary .wh..wh.NAME.HHHH is left but those that RunDeferred would remove
  //   .wh..wh.plnk holds no pseudo-link of an earlier mount, .wh..wh.orph nothing
  absl::Status CheckInvariants() const;

  // Why the path is, or is not, what Lstat says. A dry run; never an error for a path that does
  // not exist: that is the answer.
  absl::StatusOr<Explanation> Explain(std::string_view path) const;
  // Why each name of a directory is, or is not, listed: every name of every layer.
  absl::StatusOr<Explanation> ExplainDir(std::string_view path) const;
  // What a write would copy and write. Changes nothing.
  absl::StatusOr<Explanation> ExplainWrite(std::string_view path, std::uint64_t offset,
                                           std::uint64_t length) const;

 private:
  std::shared_ptr<internal::Caller> caller_;
};

using FsPtr = std::unique_ptr<LayeredFs>;

// Mounts what a crash left, as the next start of the machine does, with the branches and options
// that there were. As often as one likes: each mount has the image for itself. The clock goes on,
// the log of calls and the counters begin anew.
// Errors: what mount(2) gives; EINVAL after a crash of a volatile mount.
absl::StatusOr<FsPtr> Reopen(const CrashImage& image);

}  // namespace lamina
#endif  // LAMINA_FACADE_LAYERED_FS_H_
