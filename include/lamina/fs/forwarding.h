// ForwardingFileSystem: every call passes to target(). A decorator derives from it and overrides
// what it is about.
//
//   class SlowReads : public ForwardingFileSystem {
//     Result<std::size_t> Read(...) override { Wait(); return ForwardingFileSystem::Read(...); }
//   };
//
// Errors: those of the target. Threads: the rule of the target. Lifetime: does not own the target.
#ifndef LAMINA_FS_FORWARDING_H_
#define LAMINA_FS_FORWARDING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina {

class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& target) : target_(target) {}

  // Where calls go. Any thread.
  FileSystem& target() const { return target_; }

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

 private:
  FileSystem& target_;
};

}  // namespace lamina
#endif  // LAMINA_FS_FORWARDING_H_
