#include "vfs/union/copy_body.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "lamina/store/page.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

inline constexpr std::size_t kChunkBytes = 1 << 20;  // as the kernel's copy loop

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Bytes that lie in pages with data, below `length_bytes`.
std::uint64_t DataBytes(const PagedBytes& content, std::uint64_t length_bytes) {
  if (length_bytes >= content.size_bytes()) {
    return std::min(content.size_bytes(), content.page_count() * kPageBytes);
  }
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> at = content.NextData(0);
  while (at.has_value() && *at < length_bytes) {
    const std::uint64_t end = std::min(content.NextHole(*at).value_or(length_bytes), length_bytes);
    bytes += end - *at;
    at = content.NextData(end);
  }
  return bytes;
}

// Writes `bytes` at `offset`. Blocks of zeros are left out when `drop_zeros`. The bytes written.
Result<std::uint64_t> WriteAll(const OpContext& op, FileSystem& fs, HandleId target,
                               std::uint64_t offset, Bytes bytes, bool drop_zeros) {
  std::uint64_t moved = 0;
  while (!bytes.empty()) {
    const std::size_t block = std::min(kPageBytes - offset % kPageBytes, bytes.size());
    std::size_t count = drop_zeros ? block : bytes.size();
    if (!drop_zeros || !IsZero(bytes.first(block))) {
      Result<std::size_t> put = fs.Write(op, target, offset, bytes.first(count));
      if (!put.ok()) return put.error();
      if (*put == 0) return Errno::kNoSpc;
      count = *put;
      moved += count;
    }
    offset += count;
    bytes = bytes.subspan(count);
  }
  return moved;
}

Result<std::uint64_t> CopyRange(const OpContext& op, FileSystem& source_fs, HandleId source,
                                FileSystem& target_fs, HandleId target, std::uint64_t begin,
                                std::uint64_t end, bool drop_zeros) {
  std::vector<std::byte> chunk(std::min<std::uint64_t>(kChunkBytes, end - begin));
  std::uint64_t at = begin;
  std::uint64_t moved = 0;
  while (at < end) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), end - at);
    Result<std::size_t> got = source_fs.Read(op, source, at, MutableBytes(chunk).first(wanted));
    if (!got.ok()) return got.error();
    if (*got == 0) return moved;  // shorter than the attributes say: the rest is a hole
    Result<std::uint64_t> put =
        WriteAll(op, target_fs, target, at, Bytes(chunk).first(*got), drop_zeros);
    if (!put.ok()) return put.error();
    moved += *put;
    at += *got;
  }
  return moved;
}

Result<std::uint64_t> CopyByBytes(const OpContext& op, FileSystem& source_fs, HandleId source,
                                  FileSystem& target_fs, HandleId handle, NodeId target,
                                  std::uint64_t length_bytes, bool drop_zeros) {
  std::uint64_t copied = 0;
  std::uint64_t at = 0;
  while (at < length_bytes) {
    Result<std::uint64_t> data = source_fs.Seek(op, source, at, SeekKind::kData);
    if (!data.ok() && data.error() != Errno::kNxIo) return data.error();
    if (!data.ok() || *data >= length_bytes) break;
    Result<std::uint64_t> hole = source_fs.Seek(op, source, *data, SeekKind::kHole);
    if (!hole.ok()) return hole.error();
    const std::uint64_t end = std::min(*hole, length_bytes);
    Result<std::uint64_t> bytes =
        CopyRange(op, source_fs, source, target_fs, handle, *data, end, drop_zeros);
    if (!bytes.ok()) return bytes.error();
    copied += *bytes;
    at = end;
  }
  if (Result<void> sized = target_fs.SetAttr(op, target, {.size_bytes = length_bytes});
      !sized.ok()) {
    return sized.error();
  }
  return copied;
}

}  // namespace

Result<std::uint64_t> CopyBody(const OpContext& op, FileSystem& source_fs, NodeId source,
                               FileSystem& target_fs, HandleId handle, NodeId target,
                               std::uint64_t length_bytes, bool drop_zeros) {
  Result<HandleId> opened = source_fs.Open(op, source, {.access = Access::kRead});
  if (!opened.ok()) return opened.error();
  const auto copy = [&]() -> Result<std::uint64_t> {
    Result<std::shared_ptr<const PagedBytes>> content = source_fs.ShareContent(op, *opened);
    if (!content.ok() && content.error() != Errno::kOpNotSupp) return content.error();
    if (content.ok()) {
      if (drop_zeros || length_bytes < (*content)->size_bytes()) {
        // No more than what stays is ever in the target.
        PagedBytes kept = (*content)->Clone();
        kept.Resize(std::min(length_bytes, kept.size_bytes()));
        if (drop_zeros) kept.DropZeroPages();
        content = std::make_shared<const PagedBytes>(std::move(kept));
      }
      const std::uint64_t bytes = DataBytes(**content, length_bytes);
      const bool resized = length_bytes != (*content)->size_bytes();
      Result<void> adopted = target_fs.AdoptContent(op, handle, *std::move(content));
      if (!adopted.ok() && adopted.error() != Errno::kOpNotSupp) return adopted.error();
      if (adopted.ok() && resized) {
        adopted = target_fs.SetAttr(op, target, {.size_bytes = length_bytes});
        if (!adopted.ok()) return adopted.error();
      }
      if (adopted.ok()) return bytes;
    }
    return CopyByBytes(op, source_fs, *opened, target_fs, handle, target, length_bytes, drop_zeros);
  };
  Result<std::uint64_t> copied = copy();
  source_fs.Close(*opened);
  return copied;
}

}  // namespace lamina
