#include "vfs/union/copy_body.h"

#include <algorithm>
#include <vector>

#include "lamina/store/page.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

inline constexpr std::size_t kChunkBytes = 1 << 20;  // as the kernel's copy loop

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

Result<std::uint64_t> CopyRange(const OpContext& op, FileSystem& source_fs, HandleId source,
                                FileSystem& target_fs, HandleId target, std::uint64_t begin,
                                std::uint64_t end) {
  std::vector<std::byte> chunk(std::min<std::uint64_t>(kChunkBytes, end - begin));
  std::uint64_t at = begin;
  while (at < end) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), end - at);
    Result<std::size_t> got = source_fs.Read(op, source, at, MutableBytes(chunk).first(wanted));
    if (!got.ok()) return got.error();
    if (*got == 0) return at - begin;  // shorter than the attributes say: the rest is a hole
    std::size_t written = 0;
    while (written < *got) {
      Result<std::size_t> put =
          target_fs.Write(op, target, at + written, Bytes(chunk).subspan(written, *got - written));
      if (!put.ok()) return put.error();
      if (*put == 0) return Errno::kNoSpc;
      written += *put;
    }
    at += *got;
  }
  return end - begin;
}

Result<std::uint64_t> CopyByBytes(const OpContext& op, FileSystem& source_fs, HandleId source,
                                  FileSystem& target_fs, HandleId handle, NodeId target,
                                  std::uint64_t length_bytes) {
  std::uint64_t copied = 0;
  std::uint64_t at = 0;
  while (at < length_bytes) {
    Result<std::uint64_t> data = source_fs.Seek(op, source, at, SeekKind::kData);
    if (!data.ok() && data.error() != Errno::kNxIo) return data.error();
    if (!data.ok() || *data >= length_bytes) break;
    Result<std::uint64_t> hole = source_fs.Seek(op, source, *data, SeekKind::kHole);
    if (!hole.ok()) return hole.error();
    const std::uint64_t end = std::min(*hole, length_bytes);
    Result<std::uint64_t> bytes = CopyRange(op, source_fs, source, target_fs, handle, *data, end);
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
                               std::uint64_t length_bytes) {
  Result<HandleId> opened = source_fs.Open(op, source, {.access = Access::kRead});
  if (!opened.ok()) return opened.error();
  const auto copy = [&]() -> Result<std::uint64_t> {
    Result<std::shared_ptr<const PagedBytes>> content = source_fs.ShareContent(op, *opened);
    if (!content.ok() && content.error() != Errno::kOpNotSupp) return content.error();
    if (content.ok()) {
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
    return CopyByBytes(op, source_fs, *opened, target_fs, handle, target, length_bytes);
  };
  Result<std::uint64_t> copied = copy();
  source_fs.Close(*opened);
  return copied;
}

}  // namespace lamina
