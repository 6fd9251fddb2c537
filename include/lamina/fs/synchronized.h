// SynchronizedFileSystem: one lock around a whole tree, so that several threads may use it.
//
//   thread 1 ─┐
//   thread 2 ─┼─► one shared mutex ─► target (a writable MemFs, a union with all its branches, ...)
//   thread 3 ─┘
//
// A frozen target is called without the lock. Freezing, capturing and restoring are not calls of
// FileSystem: who does that makes sure that nobody else is in.
//
// The lock is held while a ReadDir visitor, an event sink or lazy content runs: none of them may
// call into the same file system.
//
// Threads: any. Lifetime: does not own the target.
#ifndef LAMINA_FS_SYNCHRONIZED_H_
#define LAMINA_FS_SYNCHRONIZED_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

// Which calls may be in the target at the same time.
enum class LockSharing : std::uint8_t {
  kExclusive,    // one call at a time; right for every target
  kSharedReads,  // Lookup, GetAttr, GetXattr, ListXattr and GetSpace together; for a target that
                 // changes nothing in them (MemFs). Reading data or directories moves atime.
};

class SynchronizedFileSystem final : public FileSystem {
 public:
  explicit SynchronizedFileSystem(FileSystem& target,
                                  LockSharing sharing = LockSharing::kExclusive);
  ~SynchronizedFileSystem() override;
  SynchronizedFileSystem(const SynchronizedFileSystem&) = delete;
  SynchronizedFileSystem& operator=(const SynchronizedFileSystem&) = delete;

  // The errors are those of the target.
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

  // Runs `work` with nobody else in the target: for what is no call of FileSystem.
  void Exclusively(absl::FunctionRef<void()> work);

 private:
  struct Guard;  // the mutex
  class Lock;
  enum class Way : std::uint8_t { kRead, kWrite };

  FileSystem& target_;
  const LockSharing sharing_;
  const std::unique_ptr<Guard> guard_;
};

}  // namespace lamina
#endif  // LAMINA_FS_SYNCHRONIZED_H_
