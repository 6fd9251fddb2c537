#include "lamina/image/host_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "absl/strings/str_format.h"
#include "lamina/block/sector_range.h"

namespace lamina {
namespace {

absl::Status HostError(std::string_view path, int error) {
  const std::string text = absl::StrFormat("%s: %s", path, std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    default:
      return absl::UnavailableError(text);
  }
}

bool HoldsNothing(int descriptor) {
  struct stat stat {};
  if (::fstat(descriptor, &stat) != 0 || !S_ISREG(stat.st_mode)) return false;
  return ::lseek(descriptor, 0, SEEK_DATA) < 0 && errno == ENXIO;
}

Errno WriteError(int error) {
  return error == ENOSPC || error == EDQUOT ? Errno::kNoSpc : Errno::kIo;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostDisk>> HostDisk::Open(std::string_view path, HostAccess access) {
  const int mode = access == HostAccess::kReadOnly ? O_RDONLY : O_RDWR;
  // Without O_NONBLOCK the opening of a FIFO waits for somebody to write.
  const int descriptor = ::open(std::string(path).c_str(), mode | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return HostError(path, errno);
  std::unique_ptr<HostDisk> disk(new HostDisk(descriptor, 0, access));
  struct stat stat {};
  if (::fstat(descriptor, &stat) != 0) return HostError(path, errno);
  if (!S_ISREG(stat.st_mode) && !S_ISBLK(stat.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: neither a regular file nor a block device", path));
  }
  const off_t end = ::lseek(descriptor, 0, SEEK_END);
  if (end < 0) return HostError(path, errno);
  disk->size_sectors_ = static_cast<std::uint64_t>(end) / kSectorBytes;
  return disk;
}

absl::StatusOr<std::unique_ptr<HostDisk>> HostDisk::Create(std::string_view path,
                                                           std::uint64_t size_bytes) {
  const std::uint64_t sectors =
      size_bytes / kSectorBytes + (size_bytes % kSectorBytes != 0 ? 1 : 0);
  if (sectors > std::numeric_limits<off_t>::max() / kSectorBytes) return HostError(path, EFBIG);
  const int descriptor =
      ::open(std::string(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (descriptor < 0) return HostError(path, errno == EISDIR || errno == ENXIO ? EEXIST : errno);
  std::unique_ptr<HostDisk> disk(new HostDisk(descriptor, sectors, HostAccess::kReadWrite));
  if (!HoldsNothing(descriptor)) return HostError(path, EEXIST);
  if (::ftruncate(descriptor, static_cast<off_t>(sectors * kSectorBytes)) != 0) {
    return HostError(path, errno);
  }
  return disk;
}

HostDisk::~HostDisk() { ::close(descriptor_); }

Result<void> HostDisk::Read(const OpContext&, Sector first, MutableBytes into) {
  if (const auto range = SectorsOfTransfer(size_sectors_, first, into.size()); !range.ok()) {
    return range.error();
  }
  off_t at = static_cast<off_t>(first.value * kSectorBytes);
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), into.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Errno::kIo;  // none: somebody made the file shorter
    into = into.subspan(static_cast<std::size_t>(got));
    at += got;
  }
  return {};
}

Result<void> HostDisk::Write(const OpContext&, Sector first, Bytes from) {
  if (const auto range = SectorsOfTransfer(size_sectors_, first, from.size()); !range.ok()) {
    return range.error();
  }
  if (access_ == HostAccess::kReadOnly) return Errno::kRoFs;
  off_t at = static_cast<off_t>(first.value * kSectorBytes);
  while (!from.empty()) {
    const ssize_t put = ::pwrite(descriptor_, from.data(), from.size(), at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? WriteError(errno) : Errno::kIo;
    from = from.subspan(static_cast<std::size_t>(put));
    at += put;
  }
  return {};
}

Result<void> HostDisk::Flush(const OpContext&) {
  if (access_ == HostAccess::kReadOnly) return {};
  if (::fdatasync(descriptor_) != 0) return WriteError(errno);
  return {};
}

Result<void> HostDisk::Discard(const OpContext&, SectorRange range) {
  if (!Contains(size_sectors_, range)) return Errno::kInval;
  if (access_ == HostAccess::kReadOnly) return Errno::kRoFs;
  if (range.count == 0) return {};
  const auto offset = static_cast<off_t>(range.first.value * kSectorBytes);
  const auto length = static_cast<off_t>(range.count * kSectorBytes);
  if (::fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0) {
    return {};
  }
  return errno == EOPNOTSUPP ? Errno::kOpNotSupp : WriteError(errno);
}

Result<void> HostDisk::Clear(std::uint64_t size_sectors) {
  if (access_ == HostAccess::kReadOnly) return Errno::kRoFs;
  struct stat stat {};
  if (::fstat(descriptor_, &stat) != 0 || !S_ISREG(stat.st_mode)) return Errno::kInval;
  if (size_sectors > std::numeric_limits<off_t>::max() / kSectorBytes) return Errno::kInval;
  if (::ftruncate(descriptor_, 0) != 0) return WriteError(errno);
  size_sectors_ = 0;
  const auto length = static_cast<off_t>(size_sectors * kSectorBytes);
  if (::ftruncate(descriptor_, length) != 0) return WriteError(errno);
  size_sectors_ = size_sectors;
  return {};
}

}  // namespace lamina
