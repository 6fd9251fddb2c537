// Memory mappings. A shared mapping has no pages of its own: it reads and writes the file through
// the handle of FileSystem::Map, so it sees every change made there (and none made to a copy-up).
// A private one keeps the pages it has written. A write past the end of the file changes nothing.
//
// Not modelled: SIGBUS past the last page of the file.
#include <algorithm>

#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

using internal::MappedFile;

constexpr std::uint64_t kPageBytes = 4096;

// The bytes of the file itself, zeros past its end.
Result<std::string> ReadUnder(const OpContext& op, const MappedFile& mapped, std::uint64_t offset,
                              std::uint64_t length) {
  std::string bytes(length, '\0');
  const MutableBytes into = std::as_writable_bytes(std::span(bytes));
  for (std::uint64_t done = 0; done < length;) {
    Result<std::size_t> count =
        mapped.file->fs.Read(op, mapped.handle, offset + done, into.subspan(done));
    if (!count.ok()) return count.error();
    if (*count == 0) break;
    done += *count;
  }
  return bytes;
}

Result<void> WriteShared(const OpContext& op, const MappedFile& mapped, std::uint64_t offset,
                         Bytes from) {
  Result<Stat> stat = mapped.file->fs.GetAttr(op, mapped.file->node);
  if (!stat.ok()) return stat.error();
  if (offset >= stat->size_bytes) return {};
  from = from.first(std::min<std::uint64_t>(from.size(), stat->size_bytes - offset));
  Result<std::size_t> written = mapped.file->fs.Write(op, mapped.handle, offset, from);
  if (!written.ok()) return written.error();
  return {};
}

Result<void> WritePrivate(const OpContext& op, MappedFile& mapped, std::uint64_t offset,
                          Bytes from) {
  while (!from.empty()) {
    const std::uint64_t index = offset / kPageBytes;
    const std::uint64_t in_page = offset % kPageBytes;
    auto page = mapped.private_pages.find(index);
    if (page == mapped.private_pages.end()) {
      Result<std::string> under = ReadUnder(op, mapped, index * kPageBytes, kPageBytes);
      if (!under.ok()) return under.error();
      page = mapped.private_pages.emplace(index, std::move(*under)).first;
    }
    const std::size_t count = std::min<std::uint64_t>(from.size(), kPageBytes - in_page);
    page->second.replace(in_page, count, AsText(from.first(count)));
    from = from.subspan(count);
    offset += count;
  }
  return {};
}

}  // namespace

// do_mmap
Result<Mapping> Process::Mmap(Fd fd, std::uint64_t length, MapSharing sharing, bool writable) {
  return body_->Run("mmap", [&](const OpContext& op) -> Result<Mapping> {
    std::shared_ptr<internal::OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (length == 0) return Errno::kInval;
    const bool shared = sharing == MapSharing::kShared;
    if (shared && writable && !file->writes()) return Errno::kAccess;
    if (!file->reads()) return Errno::kAccess;
    if (file->type != FileType::kRegular) return Errno::kNoDev;
    const MapMode written = writable ? MapMode::kSharedWrite : MapMode::kSharedRead;
    Result<HandleId> handle = body_->fs.Map(op, file->handle, shared ? written : MapMode::kPrivate);
    if (!handle.ok()) return handle.error();
    const Mapping mapping{++body_->last_mapping};
    MappedFile& mapped = body_->mappings[mapping];
    mapped.file = std::move(file);
    mapped.handle = *handle;
    mapped.length = length;
    mapped.sharing = sharing;
    mapped.writable = writable;
    return mapping;
  });
}

Result<std::string> Process::ReadMapping(Mapping mapping, std::uint64_t offset,
                                         std::uint64_t length) {
  return body_->Run("load", [&](const OpContext& op) -> Result<std::string> {
    auto found = body_->mappings.find(mapping);
    if (found == body_->mappings.end()) return Errno::kFault;
    const MappedFile& mapped = found->second;
    if (offset >= mapped.length) return std::string();
    length = std::min(length, mapped.length - offset);
    Result<std::string> bytes = ReadUnder(op, mapped, offset, length);
    if (!bytes.ok()) return bytes;
    const std::uint64_t end = offset + length;
    for (auto page = mapped.private_pages.lower_bound(offset / kPageBytes);
         page != mapped.private_pages.end() && page->first * kPageBytes < end; ++page) {
      const std::uint64_t page_begin = page->first * kPageBytes;
      const std::uint64_t from = std::max(offset, page_begin);
      const std::uint64_t to = std::min(end, page_begin + kPageBytes);
      bytes->replace(from - offset, to - from, page->second, from - page_begin, to - from);
    }
    return bytes;
  });
}

Result<void> Process::WriteMapping(Mapping mapping, std::uint64_t offset, Bytes from) {
  return body_->Run("store", [&](const OpContext& op) -> Result<void> {
    auto found = body_->mappings.find(mapping);
    if (found == body_->mappings.end()) return Errno::kFault;
    MappedFile& mapped = found->second;
    if (!mapped.writable) return Errno::kFault;
    if (offset >= mapped.length) return {};
    from = from.first(std::min<std::uint64_t>(from.size(), mapped.length - offset));
    if (from.empty()) return {};
    if (mapped.sharing == MapSharing::kPrivate) return WritePrivate(op, mapped, offset, from);
    return WriteShared(op, mapped, offset, from);
  });
}

Result<void> Process::Munmap(Mapping mapping) {
  return body_->Run("munmap", [&](const OpContext&) -> Result<void> {
    auto found = body_->mappings.find(mapping);
    if (found == body_->mappings.end()) return Errno::kInval;
    body_->fs.Close(found->second.handle);
    body_->mappings.erase(found);
    return {};
  });
}

}  // namespace lamina
