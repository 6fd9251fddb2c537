// Calls on open files. Order of errors: Linux fs/read_write.c, fs/open.c, fs/locks.c, fs/readdir.c.
#include <algorithm>
#include <array>

#include "vfs/fs/process_body.h"

namespace lamina {
namespace {

using internal::kMaxOffset;
using internal::OpenFile;

constexpr std::size_t kCopyBytes = 65536;

bool IsDirectory(const OpenFile& file) { return file.type == FileType::kDirectory; }
bool IsRegular(const OpenFile& file) { return file.type == FileType::kRegular; }

// vfs_read of a seekable file.
Result<std::size_t> ReadAt(const OpContext& op, OpenFile& file, std::uint64_t offset,
                           MutableBytes into) {
  if (!file.reads()) return Errno::kBadF;
  if (IsDirectory(file)) return Errno::kIsDir;
  return file.fs.Read(op, file.handle, offset, into);
}

// vfs_write of a seekable file.
Result<std::size_t> WriteAt(const OpContext& op, OpenFile& file, std::uint64_t offset, Bytes from) {
  if (!file.writes()) return Errno::kBadF;
  if (from.empty()) return std::size_t{0};
  return file.fs.Write(op, file.handle, offset, from);
}

// What copy_file_range says before it copies (generic_copy_file_checks). Gives the length clipped
// to the end of the source.
Result<std::uint64_t> CheckCopy(const OpContext& op, const OpenFile& from,
                                std::uint64_t from_offset, const OpenFile& to,
                                std::uint64_t to_offset, std::uint64_t length) {
  if (IsDirectory(from) || IsDirectory(to)) return Errno::kIsDir;
  if (!IsRegular(from) || !IsRegular(to)) return Errno::kInval;
  if (!from.reads() || !to.writes() || to.append) return Errno::kBadF;
  if (length > kMaxOffset - from_offset || length > kMaxOffset - to_offset) {
    return Errno::kOverflow;
  }
  Result<Stat> stat = from.fs.GetAttr(op, from.node);
  if (!stat.ok()) return stat.error();
  const std::uint64_t left = from_offset < stat->size_bytes ? stat->size_bytes - from_offset : 0;
  length = std::min(length, left);
  const bool overlaps =
      from.node == to.node && to_offset + length > from_offset && to_offset < from_offset + length;
  if (overlaps) return Errno::kInval;
  return length;
}

// Copies [position, end) of the source, which is data.
Result<void> CopyData(const OpContext& op, OpenFile& from, std::uint64_t from_offset, OpenFile& to,
                      std::uint64_t to_offset, std::uint64_t length) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(length, kCopyBytes));
  for (std::uint64_t done = 0; done < length;) {
    const MutableBytes into =
        MutableBytes(buffer).first(std::min<std::uint64_t>(length - done, kCopyBytes));
    Result<std::size_t> read = from.fs.Read(op, from.handle, from_offset + done, into);
    if (!read.ok()) return read.error();
    if (*read == 0) return {};
    Result<std::size_t> written = to.fs.Write(op, to.handle, to_offset + done, into.first(*read));
    if (!written.ok()) return written.error();
    done += *written;
    if (*written < *read) return Errno::kNoSpc;
  }
  return {};
}

// Makes [offset, offset + length) of the target read as zeros, without storage where it can.
Result<void> CopyHole(const OpContext& op, OpenFile& to, std::uint64_t offset,
                      std::uint64_t length) {
  Result<Stat> stat = to.fs.GetAttr(op, to.node);
  if (!stat.ok()) return stat.error();
  if (offset < stat->size_bytes) {
    const std::uint64_t inside = std::min(length, stat->size_bytes - offset);
    Result<void> punched = to.fs.Allocate(op, to.handle, offset, inside, AllocateMode::kPunch);
    if (!punched.ok()) return punched;
  }
  if (offset + length <= stat->size_bytes) return {};
  AttrChange change;
  change.size_bytes = offset + length;
  return to.fs.SetAttr(op, to.node, change);
}

// A run of bytes that are all data or all hole.
struct Run {
  std::uint64_t end = 0;
  bool hole = false;
};

// The run that begins at `offset`, cut at `end`. A file system that cannot tell has data only.
Run FindRun(const OpContext& op, OpenFile& from, std::uint64_t offset, std::uint64_t end) {
  Result<std::uint64_t> data = from.fs.Seek(op, from.handle, offset, SeekKind::kData);
  if (!data.ok()) return {end, data.error() == Errno::kNxIo};
  if (*data > offset) return {std::min(*data, end), true};
  Result<std::uint64_t> hole = from.fs.Seek(op, from.handle, offset, SeekKind::kHole);
  return {hole.ok() ? std::min(*hole, end) : end, false};
}

}  // namespace

Result<std::size_t> Process::Pread(Fd fd, MutableBytes into, std::uint64_t offset) {
  return body_->Run("pread", [&](const OpContext& op) -> Result<std::size_t> {
    if (offset > kMaxOffset) return Errno::kInval;
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kSPipe;
    return ReadAt(op, *file, offset, into);
  });
}

Result<std::size_t> Process::Read(Fd fd, MutableBytes into) {
  return body_->Run("read", [&](const OpContext& op) -> Result<std::size_t> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) {
      if (!file->reads()) return Errno::kBadF;
      return file->pipe->Read(into);
    }
    Result<std::size_t> count = ReadAt(op, *file, file->position, into);
    if (count.ok()) file->position += *count;
    return count;
  });
}

Result<std::size_t> Process::Pwrite(Fd fd, Bytes from, std::uint64_t offset) {
  return body_->Run("pwrite", [&](const OpContext& op) -> Result<std::size_t> {
    if (offset > kMaxOffset) return Errno::kInval;
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kSPipe;
    return WriteAt(op, *file, offset, from);
  });
}

Result<std::size_t> Process::Write(Fd fd, Bytes from) {
  return body_->Run("write", [&](const OpContext& op) -> Result<std::size_t> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) {
      if (!file->writes()) return Errno::kBadF;
      return file->pipe->Write(from);
    }
    Result<std::size_t> count = WriteAt(op, *file, file->position, from);
    if (!count.ok() || *count == 0) return count;
    file->position += *count;
    if (!file->append) return count;
    Result<Stat> stat = body_->fs.GetAttr(op, file->node);
    if (stat.ok()) file->position = stat->size_bytes;
    return count;
  });
}

Result<std::uint64_t> Process::SeekTo(Fd fd, std::uint64_t offset) {
  return body_->Run("lseek", [&](const OpContext&) -> Result<std::uint64_t> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kSPipe;
    if (offset > kMaxOffset) return Errno::kInval;
    // Positions in a directory are not shown to anybody, so only its start can be meant.
    if (IsDirectory(*file)) {
      if (offset != 0) return Errno::kInval;
      file->dots_given = 0;
      file->cookie = DirCookie{};
    }
    file->position = offset;
    return offset;
  });
}

Result<std::uint64_t> Process::SeekNext(Fd fd, std::uint64_t offset, SeekKind kind) {
  return body_->Run("lseek", [&](const OpContext& op) -> Result<std::uint64_t> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kSPipe;
    if (IsDirectory(*file)) return Errno::kInval;
    if (offset > kMaxOffset) return Errno::kNxIo;
    Result<std::uint64_t> found = body_->fs.Seek(op, file->handle, offset, kind);
    if (found.ok()) file->position = *found;
    return found;
  });
}

Result<void> Process::Fsync(Fd fd, SyncMode mode) {
  return body_->Run("fsync", [&](const OpContext& op) -> Result<void> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kInval;
    return body_->fs.Sync(op, file->handle, mode);
  });
}

// vfs_fallocate
Result<void> Process::Fallocate(Fd fd, std::uint64_t offset, std::uint64_t length,
                                AllocateMode mode) {
  return body_->Run("fallocate", [&](const OpContext& op) -> Result<void> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (offset > kMaxOffset || length == 0 || length > kMaxOffset) return Errno::kInval;
    if (!file->writes()) return Errno::kBadF;
    if (file->pipe != nullptr) return Errno::kSPipe;
    if (length > kMaxOffset - offset) return Errno::kFBig;
    return body_->fs.Allocate(op, file->handle, offset, length, mode);
  });
}

Result<std::uint64_t> Process::CopyRange(Fd from_fd, std::uint64_t from_offset, Fd to_fd,
                                         std::uint64_t to_offset, std::uint64_t length) {
  return body_->Run("copy_file_range", [&](const OpContext& op) -> Result<std::uint64_t> {
    std::shared_ptr<OpenFile> from = body_->Find(from_fd);
    std::shared_ptr<OpenFile> to = body_->Find(to_fd);
    if (from == nullptr || to == nullptr) return Errno::kBadF;
    if (from_offset > kMaxOffset || to_offset > kMaxOffset) return Errno::kInval;
    Result<std::uint64_t> count = CheckCopy(op, *from, from_offset, *to, to_offset, length);
    if (!count.ok() || *count == 0) return count;
    const FsLimits limits = body_->fs.limits();
    if (limits.clone || !limits.copies_across) {
      Result<std::uint64_t> cloned =
          body_->fs.Clone(op, from->handle, from_offset, to->handle, to_offset, *count);
      if (cloned.ok() && *cloned > 0) return cloned;
      if (!limits.copies_across && !cloned.ok() && cloned.error() == Errno::kXDev) return cloned;
    }
    std::uint64_t done = 0;
    while (done < *count) {
      const std::uint64_t at = from_offset + done;
      const Run run = FindRun(op, *from, at, from_offset + *count);
      const std::uint64_t bytes = run.end - at;
      Result<void> copied = run.hole ? CopyHole(op, *to, to_offset + done, bytes)
                                     : CopyData(op, *from, at, *to, to_offset + done, bytes);
      if (!copied.ok() && done == 0) return copied.error();
      if (!copied.ok()) break;
      done += bytes;
    }
    return done;
  });
}

Result<void> Process::Flock(Fd fd, LockKind kind) {
  return body_->Run("flock", [&](const OpContext&) -> Result<void> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    return body_->locks->Lock(file->node, file->id, kind);
  });
}

// generic_setlease
Result<void> Process::SetLease(Fd fd, LeaseKind kind) {
  return body_->Run("setlease", [&](const OpContext& op) -> Result<void> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    Result<Stat> stat = body_->fs.GetAttr(op, file->node);
    if (!stat.ok()) return stat.error();
    if (op.cred.uid != stat->uid && !op.cred.Has(Capability::kLease)) return Errno::kAccess;
    if (!IsRegular(*file)) return Errno::kInval;
    return body_->locks->SetLease(file->node, file->id, kind);
  });
}

Result<std::vector<ProcessEntry>> Process::ReadEntries(Fd fd, std::size_t max_entries) {
  using Entries = std::vector<ProcessEntry>;
  return body_->Run("getdents", [&](const OpContext& op) -> Result<Entries> {
    std::shared_ptr<OpenFile> file = body_->Find(fd);
    if (file == nullptr) return Errno::kBadF;
    if (!IsDirectory(*file)) return Errno::kNotDir;
    Result<Stat> own = body_->fs.GetAttr(op, file->node);
    if (!own.ok()) return own.error();
    if (own->nlink == 0) return Errno::kNoEnt;
    Entries entries;
    constexpr std::array<std::string_view, 2> kDots{".", ".."};
    while (file->dots_given < kDots.size() && entries.size() < max_entries) {
      std::uint64_t ino = own->ino;
      if (file->dots_given == 1) {
        Result<Stat> parent = body_->fs.GetAttr(op, file->parent);
        if (parent.ok()) ino = parent->ino;
      }
      entries.push_back({std::string(kDots[file->dots_given]), FileType::kDirectory, ino});
      ++file->dots_given;
    }
    if (file->cookie == kDirEnd) return entries;
    // Asked even when the dots filled the buffer: a union takes its listing at the first read.
    Result<DirCookie> next =
        body_->fs.ReadDir(op, file->handle, file->cookie, [&](const DirEntry& entry) {
          if (entries.size() >= max_entries) return false;
          entries.push_back({std::string(entry.name), entry.type, entry.ino});
          return true;
        });
    if (!next.ok()) return next.error();
    file->cookie = *next;
    return entries;
  });
}

Result<void> Process::RewindDirectory(Fd fd) {
  Result<std::uint64_t> position = SeekTo(fd, 0);
  if (!position.ok()) return position.error();
  return {};
}

}  // namespace lamina
