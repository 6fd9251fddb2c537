// ExtFs: the real ext2, ext3 and ext4 on-disk format as a FileSystem on any BlockDevice.
//
//   calls ──► ExtFs ──► metadata cache ──► journal ──► device
//                  └──► data blocks ─────────────────► device     (before the commit: ordered)
//
//   MemDisk disk(MemDisk::SectorsOf(8 << 20));
//   MakeExt(op, disk, {.version = ExtVersion::kExt4});           // mkfs.h
//   auto mounted = ExtFs::Mount(op, disk, {});
//   if (!mounted.ok()) … mounted.error().text …
//   ExtFs& fs = **mounted;
//   …
//   fs.Unmount(op);                                              // clean; destroying it is a crash
//
// Every call is all or nothing; one that writes, frees or allocates more than a transaction holds
// is several of them, one after the other. Changes are durable after Sync, SyncAll, Unmount, or a
// commit: at most 5 s later when somebody pumps NextDeadline and RunUntil. A device that fails
// while a commit is written makes the file system read-only (kRoFs), as errors=remount-ro does.
//
// Refused at mount, with the feature's name: 64bit, metadata_csum, flex_bg, meta_bg, inline_data,
// encrypt, casefold, ea_inode and every unknown incompatible bit. An unknown ro_compat bit makes
// the mount read-only. Source: design.md D8; the kernel's filesystems/ext4/.
//
// Threads: thread-compatible while writable; a read-only mount is used by any number of threads.
// Lifetime: does not own the device.
#ifndef LAMINA_EXT_EXT_FS_H_
#define LAMINA_EXT_EXT_FS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/block/block_device.h"
#include "lamina/fs/file_system.h"
#include "lamina/trace/deferred.h"

namespace lamina {

// Why an image cannot be mounted or made. `text` names the feature or the field.
struct ExtError {
  Errno code = Errno::kInval;
  std::string text;
};

template <typename T>
class [[nodiscard]] ExtOutcome {
 public:
  ExtOutcome(T value) : value_(std::move(value)) {}
  ExtOutcome(ExtError error) : error_(std::move(error)), failed_(true) {}

  bool ok() const { return !failed_; }
  T& operator*() & { return value_; }
  T&& operator*() && { return std::move(value_); }
  T* operator->() { return &value_; }
  const ExtError& error() const { return error_; }

 private:
  T value_{};
  ExtError error_;
  bool failed_ = false;
};

enum class ExtAccess : std::uint8_t {
  kReadWrite,  // falls back to kReadOnly below an unknown ro_compat feature
  kReadOnly,   // nothing is written; a journal that needs replay is replayed in memory
};
enum class ExtDiscard : std::uint8_t { kOff, kOn };
enum class ExtAtime : std::uint8_t { kRelative, kNever };

struct ExtMountOptions {
  ExtAccess access = ExtAccess::kReadWrite;
  ExtDiscard discard = ExtDiscard::kOff;  // freed blocks are discarded after their commit
  ExtAtime atime = ExtAtime::kRelative;
  Duration commit_interval{5 * kNanosecondsPerSecond};
  std::uint64_t device = 0;  // Stat::dev; 0 takes the next free number of this process
};

class ExtFs final : public FileSystem, public Deferred {
 public:
  // Reads and checks the superblock and the group descriptors, replays the journal, finishes what
  // the orphan list names.
  //
  // Errors, in the order they are checked (ExtError::code):
  //   kIo …       the device
  //   kInval      not an ext file system
  //   kOpNotSupp  a feature, block size or inode size that is not supported
  //   kUClean     a field that cannot be, or a journal that cannot be read
  static ExtOutcome<std::unique_ptr<ExtFs>> Mount(const OpContext& op, BlockDevice& device,
                                                  const ExtMountOptions& options = {});
  ~ExtFs() override;
  ExtFs(const ExtFs&) = delete;
  ExtFs& operator=(const ExtFs&) = delete;

  // Commits, writes everything to its place and marks the image clean. Open handles are closed
  // first, and files without a name go. Every later call is kRoFs or kStale.
  // Errors: kIo …; kRoFs after an earlier failure.
  Result<void> Unmount(const OpContext& op);

  std::uint32_t block_bytes() const;
  std::string label() const;
  // Names of the features, as `dumpe2fs -h` prints them.
  std::vector<std::string> features() const;
  // Transactions committed since the mount.
  std::uint64_t commits() const;

  std::optional<Instant> NextDeadline() const override;
  Result<void> RunUntil(const OpContext& op, Instant until) override;

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
  Result<HandleId> Map(const OpContext& op, HandleId handle, MapMode mode) override;
  Result<void> Sync(const OpContext& op, HandleId handle, SyncMode mode) override;
  Result<void> SyncAll(const OpContext& op) override;
  Result<FsSpace> GetSpace(const OpContext& op) override;

 private:
  struct Body;
  explicit ExtFs(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace lamina
#endif  // LAMINA_EXT_EXT_FS_H_
