// ExtFs: open files, directory reading, data.
#include <algorithm>
#include <utility>
#include <vector>

#include "lamina/base/check.h"
#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

constexpr std::uint64_t kMaxBytes = ~std::uint64_t{0} >> 1U;
constexpr std::size_t kWriteStepBytes = std::size_t{1} << 20U;
constexpr std::size_t kListStep = 256;  // entries read before the visitor sees them

bool PassesMaximum(std::uint64_t offset, std::uint64_t length) {
  return offset > kMaxBytes || length > kMaxBytes - offset;
}
bool WantsWrite(Access access) { return access == Access::kWrite || access == Access::kReadWrite; }

}  // namespace

void ExtFs::Body::EmitData(const OpContext& op, EventKind kind, NodeId node, std::uint64_t offset,
                           std::uint64_t bytes) const {
  op.probe.Emit([&] {
    return Event{.kind = kind,
                 .source = static_cast<std::uint32_t>(device_number),
                 .subject = node.value,
                 .amount = bytes,
                 .detail = offset,
                 .name = {}};
  });
}

// ── Open files ───────────────────────────────────────────────────────────────────────────────────

Result<HandleId> ExtFs::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  Result<Inode> inode = body_->Find(op, node);
  if (!inode.ok()) return inode.error();
  const bool writes = WantsWrite(flags.access);
  if (body_->read_only || body_->failed) {
    if (writes || flags.truncate) return Errno::kRoFs;
    if (body_->frozen_handles()) return HandleId{node.value};
  }
  if (inode->is_directory() && (writes || flags.truncate)) return Errno::kIsDir;
  if (inode->is_regular() && flags.truncate) {
    Result<void> done = body_->Change(op, [&]() -> Result<void> {
      Inode changed = *inode;
      if (Result<void> cut = body_->Truncate(op, changed, 0); !cut.ok()) return cut;
      return body_->Written(op, changed);
    });
    if (!done.ok()) return done.error();
  }
  return body_->OpenNode(node, flags);
}

void ExtFs::Close(HandleId handle) {
  if (body_->unmounted || body_->frozen_handles()) return;
  const NodeId node = body_->handles.Remove(handle);
  if (body_->handles.IsOpen(node) || body_->failed) return;
  // The time of a deletion is that of the last change: Close has no time of its own.
  const Credentials nobody;
  const OpContext op{nobody, body_->last_change, Probe()};
  Result<Inode> inode = LoadInode(op, body_->volume, InodeOf(node));
  if (!inode.ok() || inode->disk.links_count != 0) return;
  if (inode->disk.generation != GenerationOf(node)) return;
  body_->never_named.erase(node.value);
  // What cannot be freed stays on the orphan list, for the next mount.
  (void)body_->Change(op, [&] { return body_->EvictUnlessOpen(op, inode->number); });
}

Result<HandleId> ExtFs::Map(const OpContext& op, HandleId handle, MapMode mode) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  Result<ExtOpen> open = body_->FindOpen(op, handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  if (!open->file.may_read()) return Errno::kAccess;
  if (mode == MapMode::kSharedWrite && !open->file.may_write()) return Errno::kAccess;
  if (!open->inode.is_regular()) return Errno::kNoDev;
  body_->Accessed(op, open->inode);
  if (body_->frozen_handles()) return handle;
  const bool writes = mode == MapMode::kSharedWrite;
  return body_->OpenNode(open->file.node, {.access = writes ? Access::kReadWrite : Access::kRead});
}

// ── Directory reading ────────────────────────────────────────────────────────────────────────────

// Up to kListStep entries from `from` on, with names of their own.
Result<std::vector<ExtListed>> ExtFs::Body::ListStep(const OpContext& op, const Inode& dir,
                                                     std::uint64_t from) {
  std::vector<ExtListed> listed;
  Result<void> done = directories.List(op, dir, from, [&](const ListedEntry& entry) {
    listed.push_back(
        {entry.inode, TypeOfEntry(entry.file_type), std::string(entry.name), entry.cookie});
    return listed.size() < kListStep;
  });
  if (!done.ok()) return done.error();
  for (ExtListed& each : listed) {
    if (each.type != kUnknownType) continue;
    Result<Inode> inode = LoadInode(op, volume, each.inode);
    if (inode.ok() && inode->disk.mode != 0) each.type = inode->type();
  }
  return listed;
}

Result<DirCookie> ExtFs::ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                 absl::FunctionRef<bool(const DirEntry&)> visit) {
  std::uint64_t taken = 0;
  std::uint64_t next = from.value;
  std::optional<DirCookie> stopped;
  std::optional<ExtOpen> open;
  while (!stopped.has_value()) {
    std::vector<ExtListed> listed;
    {
      const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
      Result<ExtOpen> found = body_->FindOpen(op, dir);
      if (!found.ok()) return found.error();
      if (!found->inode.is_directory()) return Errno::kNotDir;
      if (!found->file.may_read()) return Errno::kBadF;
      if (found->inode.disk.links_count == 0) return Errno::kNoEnt;
      open = *found;
      Result<std::vector<ExtListed>> step_list = body_->ListStep(op, found->inode, next);
      if (!step_list.ok()) return step_list.error();
      listed = *std::move(step_list);
    }
    for (const ExtListed& each : listed) {
      if (!visit({each.name, NodeId{}, each.type, each.inode, std::nullopt})) {
        stopped = DirCookie{each.cookie};
        break;
      }
      ++taken;
    }
    if (listed.size() < kListStep && !stopped.has_value()) stopped = kDirEnd;
    if (!listed.empty()) next = listed.back().cookie + 1;
  }
  body_->EmitData(op, EventKind::kDirRead, open->file.node, from.value, taken);
  body_->Accessed(op, open->inode);
  return *stopped;
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

std::uint64_t ExtFs::Body::MaxFileBytes(const Inode& inode) const {
  return MaxFileBlocks(volume, inode) * geometry.block_bytes;
}

Result<void> ExtFs::Body::ReadContent(const OpContext& op, const Inode& inode, std::uint64_t offset,
                                      MutableBytes into) {
  const std::uint64_t block_bytes = geometry.block_bytes;
  std::vector<std::byte> block;
  while (!into.empty()) {
    if (offset / block_bytes >= MaxFileBlocks(volume, inode)) {
      std::fill(into.begin(), into.end(), std::byte{0});
      return {};
    }
    const auto logical = static_cast<std::uint32_t>(offset / block_bytes);
    const std::uint64_t within = offset % block_bytes;
    Result<Mapping> mapping = FindBlocks(op, volume, inode, logical);
    if (!mapping.ok()) return mapping.error();
    std::uint64_t length =
        std::min<std::uint64_t>(into.size(), mapping->count * block_bytes - within);
    if (mapping->state != BlockState::kWritten) {
      std::fill_n(into.begin(), length, std::byte{0});
    } else if (within == 0 && length >= block_bytes) {
      const auto count = static_cast<std::uint32_t>(length / block_bytes);
      length = count * block_bytes;
      Result<void> read = cache.ReadData(op, {mapping->physical, count}, into.first(length));
      if (!read.ok()) return read;
    } else {
      length = std::min(length, block_bytes - within);
      block.resize(block_bytes);
      Result<void> read = cache.ReadData(op, {mapping->physical, 1}, block);
      if (!read.ok()) return read;
      std::memcpy(into.data(), block.data() + within, length);
    }
    into = into.subspan(length);
    offset += length;
  }
  return {};
}

Result<std::size_t> ExtFs::Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                                MutableBytes into) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<ExtOpen> open = body_->FindOpen(op, handle);
  if (!open.ok()) return open.error();
  if (!open->file.may_read()) return Errno::kBadF;
  if (open->inode.is_directory()) return Errno::kIsDir;
  if (!open->inode.is_regular()) return Errno::kInval;
  if (into.empty()) return std::size_t{0};
  const std::uint64_t size = open->inode.size();
  const std::size_t bytes =
      offset >= size ? 0 : std::min<std::uint64_t>(into.size(), size - offset);
  if (bytes != 0) {
    Result<void> read = body_->ReadContent(op, open->inode, offset, into.first(bytes));
    if (!read.ok()) return read.error();
    body_->EmitData(op, EventKind::kDataRead, open->file.node, offset, bytes);
  }
  body_->Accessed(op, open->inode);
  return bytes;
}

Result<std::uint64_t> ExtFs::Seek(const OpContext& op, HandleId handle, std::uint64_t offset,
                                  SeekKind kind) {
  const ExtReadLock lock(body_->read_only ? &body_->reading : nullptr);
  body_->TrimForReading();
  Result<ExtOpen> open = body_->FindOpen(op, handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  if (!open->inode.is_regular()) return Errno::kInval;
  const std::uint64_t size = open->inode.size();
  if (offset >= size) return Errno::kNxIo;
  const std::uint64_t block_bytes = body_->geometry.block_bytes;
  std::uint64_t blocks_left =
      open->inode.sectors(body_->geometry);  // a pointer may lead in circles
  while (offset < size) {
    const std::uint64_t logical = offset / block_bytes;
    if (logical >= MaxFileBlocks(body_->volume, open->inode)) break;
    Result<Mapping> mapping =
        FindBlocks(op, body_->volume, open->inode, static_cast<std::uint32_t>(logical));
    if (!mapping.ok()) return mapping.error();
    const bool is_data = mapping->state == BlockState::kWritten;
    if (is_data == (kind == SeekKind::kData)) return offset;
    if (is_data && mapping->count > blocks_left) return Errno::kUClean;
    if (is_data) blocks_left -= mapping->count;
    offset = (logical + mapping->count) * block_bytes;
  }
  if (kind == SeekKind::kData) return Errno::kNxIo;
  return std::min(offset, size);
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtFs::Body::WriteStep(const OpContext& op, NodeId node, std::uint64_t offset,
                                    Bytes from, std::size_t* written) {
  Result<Inode> inode = Find(op, node);
  if (!inode.ok()) return inode.error();
  Result<std::size_t> bytes = WriteContent(op, *inode, offset, from);
  if (!bytes.ok()) return bytes.error();
  *written = *bytes;
  return Written(op, *inode);
}

Result<std::size_t> ExtFs::Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                 Bytes from) {
  Result<ExtOpen> open = body_->FindOpenToWrite(op, handle, Errno::kInval);
  if (!open.ok()) return open.error();
  if (from.empty()) return std::size_t{0};
  if (open->file.append) offset = open->inode.size();
  if (PassesMaximum(offset, from.size())) return Errno::kFBig;
  const std::uint64_t most = body_->MaxFileBytes(open->inode);
  if (offset >= most) return Errno::kFBig;
  from = from.first(std::min<std::uint64_t>(from.size(), most - offset));
  std::size_t done = 0;
  while (done < from.size()) {
    const Bytes part = from.subspan(done, std::min(kWriteStepBytes, from.size() - done));
    std::size_t written = 0;
    Result<void> stepped = body_->Change(
        op, [&] { return body_->WriteStep(op, open->file.node, offset + done, part, &written); });
    if (!stepped.ok()) {
      if (done == 0) return stepped.error();
      break;
    }
    done += written;
  }
  body_->EmitData(op, EventKind::kDataWrite, open->file.node, offset, done);
  return done;
}

}  // namespace lamina
