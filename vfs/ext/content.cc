// ExtFs: changing content: write, truncate, allocate, punch.
#include <algorithm>
#include <utility>

#include "vfs/ext/body.h"

namespace lamina {

using namespace ext;  // NOLINT: the module's own words

namespace {

constexpr std::uint64_t kMaxBytes = ~std::uint64_t{0} >> 1U;
constexpr std::uint64_t kLargeFileBytes = 0x7fffffff;

bool PassesMaximum(std::uint64_t offset, std::uint64_t length) {
  return offset > kMaxBytes || length > kMaxBytes - offset;
}

}  // namespace

// ── Size ─────────────────────────────────────────────────────────────────────────────────────────

Result<void> ExtFs::Body::SetSize(const OpContext& op, Inode& inode, std::uint64_t size_bytes) {
  inode.set_size(size_bytes);
  if (size_bytes <= kLargeFileBytes || geometry.has_ro_compat(kRoCompatLargeFile)) return {};
  Result<void> edited =
      EditSuper(op, [](DiskSuperblock& super) { super.feature_ro_compat |= kRoCompatLargeFile; });
  return edited;
}

Result<void> ExtFs::Body::ZeroInBlock(const OpContext& op, const Inode& inode, std::uint64_t begin,
                                      std::uint64_t end) {
  if (begin >= end) return {};
  const std::uint64_t block_bytes = geometry.block_bytes;
  if (begin / block_bytes >= MaxFileBlocks(volume, inode)) return {};
  const auto logical = static_cast<std::uint32_t>(begin / block_bytes);
  Result<Mapping> mapping = FindBlocks(op, volume, inode, logical);
  if (!mapping.ok()) return mapping.error();
  if (mapping->state != BlockState::kWritten) return {};
  std::vector<std::byte> block(block_bytes);
  Result<void> read = cache.ReadData(op, {mapping->physical, 1}, block);
  if (!read.ok()) return read;
  const Bytes part = Bytes(block).subspan(begin % block_bytes, end - begin);
  const bool zero =
      std::all_of(part.begin(), part.end(), [](std::byte byte) { return byte == std::byte{0}; });
  if (zero) return {};
  Result<MutableBytes> bytes =
      cache.EditData(op, mapping->physical, begin % block_bytes, end - begin);
  if (!bytes.ok()) return bytes.error();
  std::fill(bytes->begin(), bytes->end(), std::byte{0});
  return {};
}

Result<void> ExtFs::Body::ZeroTail(const OpContext& op, const Inode& inode, std::uint64_t size) {
  const std::uint64_t block_bytes = geometry.block_bytes;
  if (size % block_bytes == 0) return {};
  return ZeroInBlock(op, inode, size, size - size % block_bytes + block_bytes);
}

Result<void> ExtFs::Body::Truncate(const OpContext& op, Inode& inode, std::uint64_t size_bytes) {
  if (size_bytes > MaxFileBytes(inode)) return Errno::kFBig;
  if (size_bytes > inode.size()) {
    if (Result<void> zeroed = ZeroTail(op, inode, inode.size()); !zeroed.ok()) return zeroed;
    return SetSize(op, inode, size_bytes);
  }
  if (Result<void> zeroed = ZeroTail(op, inode, size_bytes); !zeroed.ok()) return zeroed;
  if (Result<void> set = SetSize(op, inode, size_bytes); !set.ok()) return set;
  if (inode.sectors(geometry) == 0) return {};
  // While it is on the orphan list, a mount after a crash goes on with this.
  const bool has_name = inode.disk.links_count != 0;
  if (has_name) {
    if (Result<void> added = AddOrphan(op, inode); !added.ok()) return added;
  }
  const std::uint64_t block_bytes = geometry.block_bytes;
  const std::uint64_t first = size_bytes / block_bytes + (size_bytes % block_bytes != 0 ? 1 : 0);
  if (Result<void> freed = FreeBlocksFrom(op, inode, first); !freed.ok()) return freed;
  return has_name ? RemoveOrphan(op, inode) : Result<void>();
}

// ── Write ────────────────────────────────────────────────────────────────────────────────────────

Result<std::size_t> ExtFs::Body::WriteRun(const OpContext& op, Inode& inode, std::uint64_t offset,
                                          Bytes from) {
  const std::uint64_t block_bytes = geometry.block_bytes;
  const auto logical = static_cast<std::uint32_t>(offset / block_bytes);
  const auto last = static_cast<std::uint32_t>((offset + from.size() - 1) / block_bytes);
  const std::uint32_t wanted = last - logical + 1;
  Result<Mapping> mapping = FindBlocks(op, volume, inode, logical);
  if (!mapping.ok()) return mapping.error();
  const BlockState before = mapping->state;
  const std::uint32_t found = std::min(wanted, mapping->count);
  if (before == BlockState::kHole) {
    mapping = AddBlocks(op, volume, inode, logical, found, {.reserve = ReserveFor(op)});
    if (!mapping.ok()) return mapping.error();
  } else if (before == BlockState::kUnwritten) {
    Result<void> changed = ChangeState(op, volume, inode, logical, found, BlockState::kWritten);
    if (!changed.ok()) return changed.error();
  }
  const std::uint32_t count = std::min(found, mapping->count);
  std::size_t done = 0;
  for (std::uint32_t index = 0; index < count; ++index) {
    const std::uint64_t within = (offset + done) % block_bytes;
    const std::size_t length = std::min<std::uint64_t>(from.size() - done, block_bytes - within);
    const std::uint32_t block = mapping->physical + index;
    MutableBytes part;
    if (before == BlockState::kWritten) {
      Result<MutableBytes> edited = cache.EditData(op, block, within, length);
      if (!edited.ok()) return edited.error();
      part = *edited;
    } else {
      part = cache.CreateData(block).subspan(within, length);
    }
    std::memcpy(part.data(), from.data() + done, length);
    done += length;
  }
  return done;
}

Result<std::size_t> ExtFs::Body::WriteContent(const OpContext& op, Inode& inode,
                                              std::uint64_t offset, Bytes from) {
  if (offset > inode.size()) {
    if (Result<void> zeroed = ZeroTail(op, inode, inode.size()); !zeroed.ok()) {
      return zeroed.error();
    }
  }
  std::size_t done = 0;
  while (done < from.size() && (done == 0 || !IsLarge())) {
    const BlockCache::Mark mark = cache.Now();
    const Allocator::Mark allocator_mark = allocator.Now();
    const Inode before = inode;
    Result<std::size_t> bytes = WriteRun(op, inode, offset + done, from.subspan(done));
    if (!bytes.ok()) {
      if (done == 0) return bytes;
      cache.RollBackTo(mark);
      allocator.RollBackTo(allocator_mark);
      inode = before;
      break;
    }
    done += *bytes;
  }
  if (offset + done > inode.size()) {
    if (Result<void> set = SetSize(op, inode, offset + done); !set.ok()) return set.error();
  }
  return done;
}

// ── Allocate ─────────────────────────────────────────────────────────────────────────────────────

// Keeps a call that changes very many blocks within the journal: what it did so far is committed.
Result<void> ExtFs::Body::StepIfLarge(const OpContext& op, const Inode& inode) {
  if (!IsLarge()) return {};
  if (Result<void> stored = Store(op, inode); !stored.ok()) return stored;
  return CommitStep(op);
}

Result<std::uint64_t> ExtFs::Body::CountHoles(const OpContext& op, const Inode& inode,
                                              std::uint64_t first, std::uint64_t end) {
  std::uint64_t holes = 0;
  while (first < end) {
    Result<Mapping> mapping = FindBlocks(op, volume, inode, static_cast<std::uint32_t>(first));
    if (!mapping.ok()) return mapping.error();
    const std::uint64_t count = std::min<std::uint64_t>(mapping->count, end - first);
    if (mapping->state == BlockState::kHole) holes += count;
    first += count;
  }
  return holes;
}

Result<void> ExtFs::Body::Provision(const OpContext& op, Inode& inode, std::uint64_t first,
                                    std::uint64_t end) {
  const Reserve reserve = ReserveFor(op);
  Result<std::uint64_t> holes = CountHoles(op, inode, first, end);
  if (!holes.ok()) return holes.error();
  Result<Allocator::Counts> counts = allocator.Count(op);
  if (!counts.ok()) return counts.error();
  const std::uint64_t kept = reserve == Reserve::kKeep ? counts->reserved_blocks : 0;
  if (*holes > counts->free_blocks - std::min(counts->free_blocks, kept)) return Errno::kNoSpc;
  while (first < end) {
    const auto logical = static_cast<std::uint32_t>(first);
    Result<Mapping> mapping = FindBlocks(op, volume, inode, logical);
    if (!mapping.ok()) return mapping.error();
    auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(mapping->count, end - first));
    if (mapping->state == BlockState::kHole) {
      Result<Mapping> added = AddBlocks(op, volume, inode, logical, count,
                                        {.reserve = reserve, .state = BlockState::kUnwritten});
      if (!added.ok()) return added.error();
      count = added->count;
    }
    first += count;
    if (Result<void> done = StepIfLarge(op, inode); !done.ok()) return done;
  }
  return {};
}

// Written blocks of [first, end) become unwritten, which reads as zeros.
Result<void> ExtFs::Body::Unwrite(const OpContext& op, Inode& inode, std::uint64_t first,
                                  std::uint64_t end) {
  while (first < end) {
    const auto logical = static_cast<std::uint32_t>(first);
    Result<Mapping> mapping = FindBlocks(op, volume, inode, logical);
    if (!mapping.ok()) return mapping.error();
    const auto count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(mapping->count, end - first));
    if (mapping->state == BlockState::kWritten) {
      cache.ForgetData({mapping->physical, count});
      Result<void> changed = ChangeState(op, volume, inode, logical, count, BlockState::kUnwritten);
      if (!changed.ok()) return changed;
    }
    first += count;
    if (Result<void> done = StepIfLarge(op, inode); !done.ok()) return done;
  }
  return {};
}

// Zeros in the blocks that the range covers in part; [first, end) becomes the whole ones.
Result<void> ExtFs::Body::ZeroEdges(const OpContext& op, const Inode& inode, std::uint64_t begin,
                                    std::uint64_t end, ExtBlockRange* whole) {
  const std::uint64_t block_bytes = geometry.block_bytes;
  const std::uint64_t after_begin = begin - begin % block_bytes + block_bytes;
  const std::uint64_t last_begin = end - end % block_bytes;
  whole->first = begin % block_bytes == 0 ? begin / block_bytes : after_begin / block_bytes;
  whole->end = end / block_bytes;
  if (begin % block_bytes != 0) {
    Result<void> zeroed = ZeroInBlock(op, inode, begin, std::min(end, after_begin));
    if (!zeroed.ok()) return zeroed;
    if (end <= after_begin) return {};
  }
  return end % block_bytes == 0 ? Result<void>() : ZeroInBlock(op, inode, last_begin, end);
}

Result<void> ExtFs::Body::Punch(const OpContext& op, Inode& inode, std::uint64_t offset,
                                std::uint64_t length) {
  const std::uint64_t block_bytes = geometry.block_bytes;
  std::uint64_t end = std::min(offset + length, MaxFileBytes(inode));
  if (offset >= end) return {};
  // Nothing is behind the end of the file, so its last block goes whole.
  if (end >= inode.size()) end += (block_bytes - end % block_bytes) % block_bytes;
  ExtBlockRange whole;
  if (Result<void> zeroed = ZeroEdges(op, inode, offset, end, &whole); !zeroed.ok()) return zeroed;
  while (whole.first < whole.end) {
    Result<std::uint64_t> left =
        RemoveBlocks(op, volume, inode, whole.first, whole.end, BlockUse::kData);
    if (!left.ok()) return left.error();
    if (*left <= whole.first) return {};
    whole.end = *left;
    if (Result<void> stored = Store(op, inode); !stored.ok()) return stored;
    if (Result<void> committed = CommitStep(op); !committed.ok()) return committed;
  }
  return {};
}

Result<void> ExtFs::Body::ZeroRange(const OpContext& op, Inode& inode, std::uint64_t begin,
                                    std::uint64_t end) {
  ExtBlockRange whole;
  if (Result<void> zeroed = ZeroEdges(op, inode, begin, end, &whole); !zeroed.ok()) return zeroed;
  if (whole.first >= whole.end) return {};
  return Unwrite(op, inode, whole.first, whole.end);
}

Result<void> ExtFs::Body::AllocateRange(const OpContext& op, NodeId node, std::uint64_t offset,
                                        std::uint64_t length, AllocateMode mode) {
  Result<Inode> found = Find(op, node);
  if (!found.ok()) return found.error();
  Inode& inode = *found;
  const std::uint64_t end = offset + length;
  if (mode == AllocateMode::kPunch) {
    if (Result<void> done = Punch(op, inode, offset, length); !done.ok()) return done;
    return Written(op, inode);
  }
  // ext4_fallocate: only files with extents
  if (!inode.has_extents()) return Errno::kOpNotSupp;
  if (end > MaxFileBytes(inode)) return Errno::kFBig;
  const std::uint64_t block_bytes = geometry.block_bytes;
  const bool grows = mode != AllocateMode::kKeepSize && end > inode.size();
  if (grows || mode == AllocateMode::kZero) {
    if (Result<void> zeroed = ZeroTail(op, inode, inode.size()); !zeroed.ok()) return zeroed;
  }
  Result<void> done = Provision(op, inode, offset / block_bytes,
                                end / block_bytes + (end % block_bytes != 0 ? 1 : 0));
  if (!done.ok()) return done;
  if (mode == AllocateMode::kZero) {
    if (done = ZeroRange(op, inode, offset, end); !done.ok()) return done;
  }
  if (grows) {
    if (done = SetSize(op, inode, end); !done.ok()) return done;
  }
  return Written(op, inode);
}

Result<void> ExtFs::Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                             std::uint64_t length, AllocateMode mode) {
  Result<ExtOpen> open = body_->FindOpenToWrite(op, handle, Errno::kNoDev);
  if (!open.ok()) return open.error();
  if (length == 0) return Errno::kInval;
  if (PassesMaximum(offset, length)) return Errno::kFBig;
  const NodeId node = open->file.node;
  return body_->Change(op, [&] { return body_->AllocateRange(op, node, offset, length, mode); });
}

}  // namespace lamina
