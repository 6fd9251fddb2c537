#include "lamina/fs/forwarding.h"

#include <utility>

namespace lamina {

NodeId ForwardingFileSystem::root() const { return target_.root(); }

FsLimits ForwardingFileSystem::limits() const { return target_.limits(); }

bool ForwardingFileSystem::frozen() const { return target_.frozen(); }

std::uint64_t ForwardingFileSystem::change_count() const { return target_.change_count(); }

Result<NodeId> ForwardingFileSystem::Lookup(const OpContext& op, Place place) {
  return target_.Lookup(op, place);
}

Result<NodeId> ForwardingFileSystem::Create(const OpContext& op, Place place, const NewNode& node) {
  return target_.Create(op, place, node);
}

Result<Opened> ForwardingFileSystem::CreateOpen(const OpContext& op, Place place,
                                                const NewNode& node, OpenFlags flags) {
  return target_.CreateOpen(op, place, node, flags);
}

Result<Opened> ForwardingFileSystem::CreateUnnamed(const OpContext& op, NodeId dir,
                                                   const NewNode& node, OpenFlags flags) {
  return target_.CreateUnnamed(op, dir, node, flags);
}

Result<void> ForwardingFileSystem::Link(const OpContext& op, NodeId node, Place place) {
  return target_.Link(op, node, place);
}

Result<void> ForwardingFileSystem::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  return target_.LinkHandle(op, handle, place);
}

Result<void> ForwardingFileSystem::Remove(const OpContext& op, Place place, FileType expected) {
  return target_.Remove(op, place, expected);
}

Result<void> ForwardingFileSystem::Rename(const OpContext& op, Place from, Place to,
                                          RenameMode mode) {
  return target_.Rename(op, from, to, mode);
}

Result<Stat> ForwardingFileSystem::GetAttr(const OpContext& op, NodeId node) {
  return target_.GetAttr(op, node);
}

Result<void> ForwardingFileSystem::SetAttr(const OpContext& op, NodeId node,
                                           const AttrChange& change) {
  return target_.SetAttr(op, node, change);
}

Result<std::string> ForwardingFileSystem::ReadLink(const OpContext& op, NodeId node) {
  return target_.ReadLink(op, node);
}

Result<std::string> ForwardingFileSystem::GetXattr(const OpContext& op, NodeId node,
                                                   std::string_view key) {
  return target_.GetXattr(op, node, key);
}

Result<void> ForwardingFileSystem::SetXattr(const OpContext& op, NodeId node, std::string_view key,
                                            std::string_view value, XattrMode mode) {
  return target_.SetXattr(op, node, key, value, mode);
}

Result<void> ForwardingFileSystem::RemoveXattr(const OpContext& op, NodeId node,
                                               std::string_view key) {
  return target_.RemoveXattr(op, node, key);
}

Result<std::vector<std::string>> ForwardingFileSystem::ListXattr(const OpContext& op, NodeId node) {
  return target_.ListXattr(op, node);
}

Result<HandleId> ForwardingFileSystem::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  return target_.Open(op, node, flags);
}

void ForwardingFileSystem::Close(HandleId handle) { target_.Close(handle); }

Result<DirCookie> ForwardingFileSystem::ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                                absl::FunctionRef<bool(const DirEntry&)> visit) {
  return target_.ReadDir(op, dir, from, visit);
}

Result<std::size_t> ForwardingFileSystem::Read(const OpContext& op, HandleId handle,
                                               std::uint64_t offset, MutableBytes into) {
  return target_.Read(op, handle, offset, into);
}

Result<std::size_t> ForwardingFileSystem::Write(const OpContext& op, HandleId handle,
                                                std::uint64_t offset, Bytes from) {
  return target_.Write(op, handle, offset, from);
}

Result<void> ForwardingFileSystem::Allocate(const OpContext& op, HandleId handle,
                                            std::uint64_t offset, std::uint64_t length,
                                            AllocateMode mode) {
  return target_.Allocate(op, handle, offset, length, mode);
}

Result<std::uint64_t> ForwardingFileSystem::Seek(const OpContext& op, HandleId handle,
                                                 std::uint64_t offset, SeekKind kind) {
  return target_.Seek(op, handle, offset, kind);
}

Result<std::uint64_t> ForwardingFileSystem::Clone(const OpContext& op, HandleId source,
                                                  std::uint64_t source_offset, HandleId target,
                                                  std::uint64_t target_offset,
                                                  std::uint64_t length) {
  return target_.Clone(op, source, source_offset, target, target_offset, length);
}

Result<std::shared_ptr<const PagedBytes>> ForwardingFileSystem::ShareContent(const OpContext& op,
                                                                             HandleId handle) {
  return target_.ShareContent(op, handle);
}

Result<void> ForwardingFileSystem::AdoptContent(const OpContext& op, HandleId handle,
                                                std::shared_ptr<const PagedBytes> content) {
  return target_.AdoptContent(op, handle, std::move(content));
}

Result<HandleId> ForwardingFileSystem::Map(const OpContext& op, HandleId handle, MapMode mode) {
  return target_.Map(op, handle, mode);
}

Result<void> ForwardingFileSystem::Sync(const OpContext& op, HandleId handle, SyncMode mode) {
  return target_.Sync(op, handle, mode);
}

Result<void> ForwardingFileSystem::SyncAll(const OpContext& op) { return target_.SyncAll(op); }

Result<FsSpace> ForwardingFileSystem::GetSpace(const OpContext& op) { return target_.GetSpace(op); }

Result<void> ForwardingFileSystem::CheckAccess(const OpContext& op, NodeId node, unsigned wanted) {
  return target_.CheckAccess(op, node, wanted);
}

PipeHome ForwardingFileSystem::HomeOfPipe(NodeId node) { return target_.HomeOfPipe(node); }

}  // namespace lamina
