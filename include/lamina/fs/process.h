// Process: POSIX calls by path and by file descriptor: a working directory, a umask, credentials,
// open files, mappings. What the system-call layer and the VFS do in a kernel is here: path walks,
// permission, the order of errors. Sources: Linux fs/namei.c, fs/open.c, fs/xattr.c; POSIX.1-2017.
//
//   Process process(fs, fs.root(), {.clock = &clock});
//   process.Mkdir("/a", 0755);
//   Result<Process::Fd> fd = process.Open("/a/f", {.create = true}, 0644);
//
// Threads: thread-compatible; one Process a thread.
#ifndef LAMINA_FS_PROCESS_H_
#define LAMINA_FS_PROCESS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/fs/lock_table.h"
#include "lamina/fs/walk.h"

namespace lamina {

using Mapping = Id<struct MappingTag>;

struct OpenHow {
  Access access = Access::kRead;
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool append = false;
  bool directory = false;  // O_DIRECTORY
  bool no_follow = false;  // O_NOFOLLOW
  bool unnamed = false;    // O_TMPFILE: the path names the directory
  bool direct = false;     // O_DIRECT
};

// Times for Utimens: a point, now, or kept.
struct TimeChange {
  enum class Kind : std::uint8_t { kAt, kNow, kKeep };
  Kind kind = Kind::kKeep;
  Instant at;
};

enum class MapSharing : std::uint8_t { kShared, kPrivate };

struct ProcessEntry {  // one entry of a directory, as getdents gives it
  std::string name;
  FileType type{};
  std::uint64_t ino = 0;
};

struct ProcessSpace {  // statvfs
  FsSpace space;
  std::uint32_t name_max = 0;
  bool read_only = false;
};

// The surroundings of a process. The clock advances by `tick` at each call (0 when a simulator owns
// the clock). Not owned; `locks` may be shared by the processes of one mount, absent: an own one.
struct ProcessOptions {
  Clock* clock = nullptr;
  Duration tick{1000};
  EventSink* sink = nullptr;
  LockTable* locks = nullptr;
  bool no_device_open = false;  // mount option nodev: opening a device node is kAccess
  // The sysctl of this name: who does not own a file may link it only when it is a regular file
  // that the caller may read and write and that has no set-id bit; else kPerm. On as on every
  // common system; protected_symlinks, protected_fifos and protected_regular are not modelled (0).
  bool protected_hardlinks = true;
};

class Process {
 public:
  using Fd = Id<struct FdTag>;  // index of an open file of one Process, from 0

  Process(FileSystem& fs, NodeId root, const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  FileSystem& fs() const;
  void set_credentials(const Credentials& credentials);
  const Credentials& credentials() const;
  void set_umask(std::uint16_t mask);  // initially 022
  void set_sink(EventSink* sink);
  std::size_t open_count() const;  // descriptors and mappings that keep the mount busy

  // ── By path ──────────────────────────────────────────────────────────────────────────────────
  Result<void> Mkdir(std::string_view path, std::uint16_t mode);
  // Regular files, devices, fifos, sockets. kPerm: a device by a caller without CAP_MKNOD.
  Result<void> Mknod(std::string_view path, FileType type, std::uint16_t mode, std::uint64_t rdev);
  Result<void> Symlink(std::string_view target, std::string_view path);
  Result<void> Link(std::string_view from, std::string_view to, LastLink last_link);
  Result<void> Unlink(std::string_view path);
  Result<void> Rmdir(std::string_view path);
  Result<void> Rename(std::string_view from, std::string_view to, RenameMode mode);
  Result<Stat> GetStat(std::string_view path, LastLink last_link);
  Result<std::string> Readlink(std::string_view path);
  Result<void> Chmod(std::string_view path, std::uint16_t mode);  // follows
  // Absent ids are kept (-1), which still is a change of owner.
  Result<void> Chown(std::string_view path, std::optional<std::uint32_t> uid,
                     std::optional<std::uint32_t> gid, LastLink last_link);
  Result<void> Utimens(std::string_view path, TimeChange atime, TimeChange mtime,
                       LastLink last_link);
  Result<void> Truncate(std::string_view path, std::uint64_t size_bytes);
  // `wanted`: kMayRead | kMayWrite | kMayExecute, 0 asks for existence (effective ids).
  Result<void> CheckPath(std::string_view path, unsigned wanted, LastLink last_link);
  Result<std::string> Getxattr(std::string_view path, std::string_view key, LastLink last_link);
  Result<void> Setxattr(std::string_view path, std::string_view key, std::string_view value,
                        XattrMode mode, LastLink last_link);
  Result<void> Removexattr(std::string_view path, std::string_view key, LastLink last_link);
  Result<std::vector<std::string>> Listxattr(std::string_view path, LastLink last_link);
  Result<ProcessSpace> Statfs(std::string_view path);
  Result<void> Chdir(std::string_view path);

  // ── Open files ───────────────────────────────────────────────────────────────────────────────
  // Fifos open as with O_NONBLOCK (write without reader: kNxIo); device and socket nodes: kNxIo.
  Result<Fd> Open(std::string_view path, const OpenHow& how, std::uint16_t mode);
  Result<void> Close(Fd fd);
  Result<std::size_t> Pread(Fd fd, MutableBytes into, std::uint64_t offset);
  Result<std::size_t> Read(Fd fd, MutableBytes into);  // at the file position; fifos too
  Result<std::size_t> Pwrite(Fd fd, Bytes from, std::uint64_t offset);
  Result<std::size_t> Write(Fd fd, Bytes from);               // at the file position; fifos too
  Result<std::uint64_t> SeekTo(Fd fd, std::uint64_t offset);  // lseek SEEK_SET
  Result<std::uint64_t> SeekNext(Fd fd, std::uint64_t offset, SeekKind kind);
  Result<void> Ftruncate(Fd fd, std::uint64_t size_bytes);
  Result<Stat> Fstat(Fd fd);
  Result<void> Fchmod(Fd fd, std::uint16_t mode);
  Result<void> Fchown(Fd fd, std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid);
  Result<void> Futimens(Fd fd, TimeChange atime, TimeChange mtime);
  Result<void> Fsetxattr(Fd fd, std::string_view key, std::string_view value, XattrMode mode);
  Result<std::string> Fgetxattr(Fd fd, std::string_view key);
  Result<void> Fsync(Fd fd, SyncMode mode);
  Result<void> LinkOpenFile(Fd fd, std::string_view to);  // linkat AT_EMPTY_PATH
  Result<void> Fallocate(Fd fd, std::uint64_t offset, std::uint64_t length, AllocateMode mode);
  // copy_file_range; holes stay holes. Bytes copied.
  Result<std::uint64_t> CopyRange(Fd from, std::uint64_t from_offset, Fd to,
                                  std::uint64_t to_offset, std::uint64_t length);
  Result<void> Flock(Fd fd, LockKind kind);
  Result<void> SetLease(Fd fd, LeaseKind kind);
  // Up to `max_entries` next entries with "." and ".." first; empty at the end.
  Result<std::vector<ProcessEntry>> ReadEntries(Fd fd, std::size_t max_entries);
  Result<void> RewindDirectory(Fd fd);

  // ── Mappings ─────────────────────────────────────────────────────────────────────────────────
  Result<Mapping> Mmap(Fd fd, std::uint64_t length, MapSharing sharing, bool writable);
  // Bytes past the end of the file but inside the mapping read as zeros (really: SIGBUS beyond the
  // last page). Clipped to the mapping.
  Result<std::string> ReadMapping(Mapping mapping, std::uint64_t offset, std::uint64_t length);
  Result<void> WriteMapping(Mapping mapping, std::uint64_t offset, Bytes from);
  Result<void> Munmap(Mapping mapping);

  // ── Listed sequences of the calls above ──────────────────────────────────────────────────────
  Result<std::string> ReadFile(std::string_view path);                     // Open, Pread…, Close
  Result<std::vector<ProcessEntry>> ListDirectory(std::string_view path);  // without "." and ".."

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace lamina
#endif  // LAMINA_FS_PROCESS_H_
