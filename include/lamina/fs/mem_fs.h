// MemFs: a POSIX file system in memory. Frozen it is a layer; writable it is an upper directory.
//
//   MemFs fs;                                    // empty, root 0755 owned by 0:0
//   MemFs::Image image = fs.Capture();           // O(1)
//   ... changes ...
//   fs.Restore(image);                           // O(1); node ids made since are stale
//   fs.Freeze();                                 // from now on read-only and shared without a lock
//
// Threads: thread-compatible while writable. Once frozen, every const-in-spirit call (Lookup,
// GetAttr, ReadLink, xattr reads, Open, ReadDir, Read, Seek, ShareContent) is safe from any thread
// without a lock, and Open keeps no state: the handle is the node.
#ifndef LAMINA_FS_MEM_FS_H_
#define LAMINA_FS_MEM_FS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

enum class AtimePolicy : std::uint8_t { kRelative, kNever };  // mount's relatime, noatime

struct MemFsOptions {
  std::uint64_t device = 0;  // Stat::dev; 0 takes the next free number of this process
  std::uint64_t capacity_bytes = ~std::uint64_t{0};  // data pages, xattr values, long targets
  std::uint64_t capacity_nodes = ~std::uint64_t{0};
  std::uint32_t name_max = 255;
  std::uint32_t link_max = 65000;
  AtimePolicy atime = AtimePolicy::kRelative;
  Instant root_time = kSimulationStart;  // times of the root directory
};

// Where the bytes of a file come from that was not loaded yet (a host directory). Loaded whole at
// the first read; the same answer, or the same error, ever after.
class LazyContent {
 public:
  virtual ~LazyContent() = default;
  // kIo when the content is no longer what it was when it was recorded.
  virtual Result<std::shared_ptr<const PagedBytes>> Load() = 0;
};

class MemFs final : public FileSystem {
 public:
  class State;  // everything Capture keeps
  // A captured state; copy it freely.
  class Image {
   public:
    Image() = default;

   private:
    friend class MemFs;
    std::shared_ptr<const State> state_;
  };

  explicit MemFs(const MemFsOptions& options = {});
  ~MemFs() override;
  MemFs(const MemFs&) = delete;
  MemFs& operator=(const MemFs&) = delete;

  // O(1). Open handles are not part of an image: the handles of nodes that still exist after
  // Restore stay valid, the others give kStale.
  Image Capture() const;
  void Restore(const Image& image);

  // No change from now on; every modification is kRoFs.
  void Freeze();

  // A regular file at `place` whose content is loaded at its first read, open for writing or
  // ShareContent; until then it has `size_bytes` and no pages. Errors as Create.
  Result<NodeId> CreateLazy(const OpContext& op, Place place, const NewNode& node,
                            std::uint64_t size_bytes, std::shared_ptr<LazyContent> content);

  // Sets what SetAttr cannot: ctime. For importers and tests.
  Result<void> SetChangeTime(NodeId node, Instant ctime);

  // Bytes of host memory a node, its name and its small content take (for the W9 benchmark).
  std::uint64_t memory_bytes() const;

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

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace lamina
#endif  // LAMINA_FS_MEM_FS_H_
