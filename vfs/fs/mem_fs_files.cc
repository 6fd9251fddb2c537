// MemFs: open files, directory reading, data.
#include <algorithm>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/store/page.h"
#include "vfs/fs/mem_body.h"
#include "vfs/fs/mem_content.h"

namespace lamina {

using internal::HandleTable;
using internal::NameEntry;
using internal::Node;
using internal::OpenFile;
using internal::Storage;

namespace {

constexpr std::uint64_t kMaxFileBytes = ~std::uint64_t{0} >> 1U;

// An allocation is real memory: beyond 16 GiB in one call there is no space, whatever the capacity.
constexpr std::uint64_t kMaxPagesAtOnce = std::uint64_t{1} << 22U;

bool PassesMaximum(std::uint64_t offset, std::uint64_t length) {
  return offset > kMaxFileBytes || length > kMaxFileBytes - offset;
}

bool WantsWrite(Access access) { return access == Access::kWrite || access == Access::kReadWrite; }

// What a copy of the whole content moves: its pages, or less when it is shorter.
std::uint64_t CopiedBytes(const Node& node) {
  return std::min(node.size_or_rdev, internal::ContentPages(node) * kPageBytes);
}

}  // namespace

void MemFs::Body::EmitData(const OpContext& op, EventKind kind, NodeId id, std::uint64_t offset,
                           std::uint64_t bytes) const {
  op.probe.Emit([&] {
    return Event{.kind = kind,
                 .source = static_cast<std::uint32_t>(device),
                 .subject = id.value,
                 .amount = bytes,
                 .detail = offset,
                 .name = {}};
  });
}

// ── Open files ───────────────────────────────────────────────────────────────────────────────────

Result<HandleId> MemFs::Open(const OpContext& op, NodeId id, OpenFlags flags) {
  const Node* node = body_->Find(id);
  if (node == nullptr) return Errno::kStale;
  const bool writes = WantsWrite(flags.access);
  if (body_->frozen) {
    if (writes || flags.truncate) return Errno::kRoFs;
    return HandleId{id.value};
  }
  if (node->is_directory() && (writes || flags.truncate)) return Errno::kIsDir;
  if (node->is_regular() && flags.truncate) {
    if (Result<void> done = body_->Truncate(op, id, 0); !done.ok()) return done.error();
  } else if (node->storage == Storage::kLazy && writes) {
    if (Result<void> loaded = body_->Materialize(id); !loaded.ok()) return loaded.error();
  }
  return body_->OpenNode(id, flags);
}

void MemFs::Close(HandleId handle) {
  if (!HandleTable::Owns(handle)) {
    LAMINA_CHECK(body_->FindOpen(handle).ok());
    return;
  }
  const NodeId id = body_->handles.Remove(handle);
  const Node* node = body_->Find(id);
  if (node == nullptr || node->nlink != 0) return;
  if (body_->frozen || body_->handles.IsOpen(id)) return;
  body_->live.orphans.Erase(id.value);
  body_->EraseNode(id);
}

Result<HandleId> MemFs::Map(const OpContext& op, HandleId handle, MapMode mode) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  if (!open->file.may_read()) return Errno::kAccess;
  if (mode == MapMode::kSharedWrite && !open->file.may_write()) return Errno::kAccess;
  if (!open->node->is_regular()) return Errno::kNoDev;
  body_->Accessed(op, open->id);
  if (body_->frozen) return HandleId{open->id.value};
  const bool writes = mode == MapMode::kSharedWrite;
  return body_->OpenNode(open->id, {.access = writes ? Access::kReadWrite : Access::kRead});
}

Result<DirCookie> MemFs::ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                 absl::FunctionRef<bool(const DirEntry&)> visit) {
  Result<MemOpen> open = body_->FindOpen(dir);
  if (!open.ok()) return open.error();
  if (!open->node->is_directory()) return Errno::kNotDir;
  if (!open->file.may_read()) return Errno::kBadF;
  if (open->node->nlink == 0) return Errno::kNoEnt;
  std::uint64_t taken = 0;
  DirCookie next = kDirEnd;
  open->node->names().VisitFrom(from.value, [&](const NameEntry& entry) {
    if (!visit({entry.name(), entry.node, entry.type, entry.node.value, entry.zero_device})) {
      next = DirCookie{entry.sequence};
      return false;
    }
    ++taken;
    return true;
  });
  body_->EmitData(op, EventKind::kDirRead, open->id, from.value, taken);
  body_->Accessed(op, open->id);
  return next;
}

// ── Data ─────────────────────────────────────────────────────────────────────────────────────────

Result<void> MemFs::Body::Materialize(NodeId id) {
  Node& node = Writable(id);
  if (node.storage != Storage::kLazy) return {};
  if (Result<void> loaded = internal::LoadContent(node); !loaded.ok()) return loaded;
  if (internal::ContentPages(node) > free_bytes() / kPageBytes) return Errno::kNoSpc;
  Result<void> made;
  Charged(node, [&] { made = internal::MakeWritable(node); });
  return made;
}

Result<std::size_t> MemFs::Body::FittingBytes(const Node& node, std::uint64_t offset,
                                              std::size_t length) const {
  const std::uint64_t free_pages = free_bytes() / kPageBytes;
  if (options.capacity_bytes == ~std::uint64_t{0}) return length;
  if (internal::PagesMissing(node, offset, length) <= free_pages) return length;
  std::size_t fits = 0;
  std::size_t too_long = length;
  while (fits + 1 < too_long) {
    const std::size_t middle = fits + (too_long - fits) / 2;
    const bool fitting = internal::PagesMissing(node, offset, middle) <= free_pages;
    (fitting ? fits : too_long) = middle;
  }
  if (fits == 0) return Errno::kNoSpc;
  return fits;
}

void MemFs::Body::Written(const OpContext& op, Node& node) {
  DropPrivileges(op, node);
  node.mtime = op.now;
  Bump(node, op.now);
}

Result<std::size_t> MemFs::Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                                MutableBytes into) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  if (!open->file.may_read()) return Errno::kBadF;
  if (open->node->is_directory()) return Errno::kIsDir;
  if (!open->node->is_regular()) return Errno::kInval;
  if (into.empty()) return std::size_t{0};
  if (Result<void> loaded = internal::LoadContent(*open->node); !loaded.ok()) {
    return loaded.error();
  }
  const std::size_t bytes = internal::ReadContent(*open->node, offset, into);
  if (bytes != 0) body_->EmitData(op, EventKind::kDataRead, open->id, offset, bytes);
  body_->Accessed(op, open->id);
  return bytes;
}

Result<std::size_t> MemFs::Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                 Bytes from) {
  Result<MemOpen> open = body_->FindOpenToWrite(handle, Errno::kInval);
  if (!open.ok()) return open.error();
  if (from.empty()) return std::size_t{0};
  if (open->file.append) offset = open->node->size_or_rdev;
  if (PassesMaximum(offset, from.size())) return Errno::kFBig;
  if (Result<void> loaded = body_->Materialize(open->id); !loaded.ok()) return loaded.error();
  Node& node = body_->Writable(open->id);
  Result<std::size_t> bytes = body_->FittingBytes(node, offset, from.size());
  if (!bytes.ok()) return bytes;
  body_->Charged(node, [&] { internal::WriteContent(node, offset, from.first(*bytes)); });
  body_->Written(op, node);
  body_->EmitData(op, EventKind::kDataWrite, open->id, offset, *bytes);
  return bytes;
}

Result<void> MemFs::Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                             std::uint64_t length, AllocateMode mode) {
  Result<MemOpen> open = body_->FindOpenToWrite(handle, Errno::kNoDev);
  if (!open.ok()) return open.error();
  if (length == 0) return Errno::kInval;
  if (PassesMaximum(offset, length)) return Errno::kFBig;
  if (Result<void> loaded = body_->Materialize(open->id); !loaded.ok()) return loaded;
  Node& node = body_->Writable(open->id);
  const std::uint64_t end = offset + length;
  const bool fills = mode != AllocateMode::kPunch;
  const std::uint64_t room = std::min(body_->free_bytes() / kPageBytes, kMaxPagesAtOnce);
  if (fills && internal::PagesMissing(node, offset, length) > room) return Errno::kNoSpc;
  body_->Charged(node, [&] {
    if (mode == AllocateMode::kPunch || mode == AllocateMode::kZero) {
      internal::PunchContent(node, offset, length);
    }
    if (fills && mode != AllocateMode::kKeepSize && end > node.size_or_rdev) {
      internal::ResizeContent(node, end);
    }
    if (fills) internal::ProvisionContent(node, offset, length);
  });
  body_->Written(op, node);
  return {};
}

Result<std::uint64_t> MemFs::Seek(const OpContext&, HandleId handle, std::uint64_t offset,
                                  SeekKind kind) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  if (!open->node->is_regular()) return Errno::kInval;
  if (offset >= open->node->size_or_rdev) return Errno::kNxIo;
  if (Result<void> loaded = internal::LoadContent(*open->node); !loaded.ok()) {
    return loaded.error();
  }
  const std::optional<std::uint64_t> found = kind == SeekKind::kData
                                                 ? internal::NextContentData(*open->node, offset)
                                                 : internal::NextContentHole(*open->node, offset);
  if (!found.has_value()) return Errno::kNxIo;
  return *found;
}

Result<std::shared_ptr<const PagedBytes>> MemFs::ShareContent(const OpContext& op,
                                                              HandleId handle) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  if (!open->file.may_read()) return Errno::kBadF;
  if (!open->node->is_regular()) return Errno::kOpNotSupp;
  if (Result<void> loaded = internal::LoadContent(*open->node); !loaded.ok()) {
    return loaded.error();
  }
  body_->EmitData(op, EventKind::kDataRead, open->id, 0, CopiedBytes(*open->node));
  body_->Accessed(op, open->id);
  return std::make_shared<const PagedBytes>(internal::CloneContent(*open->node));
}

Result<void> MemFs::AdoptContent(const OpContext& op, HandleId handle,
                                 std::shared_ptr<const PagedBytes> content) {
  Result<MemOpen> open = body_->FindOpenToWrite(handle, Errno::kOpNotSupp);
  if (!open.ok()) return open.error();
  const std::uint64_t before = Body::ChargedBytes(*open->node);
  if (content->page_count() > (body_->free_bytes() + before) / kPageBytes) return Errno::kNoSpc;
  Node& node = body_->Writable(open->id);
  body_->Charged(node, [&] { internal::ReplaceContent(node, content->Clone()); });
  body_->Written(op, node);
  body_->EmitData(op, EventKind::kDataWrite, open->id, 0, CopiedBytes(node));
  return {};
}

}  // namespace lamina
