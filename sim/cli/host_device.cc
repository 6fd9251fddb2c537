#include "sim/cli/host_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "lamina/block/sector_range.h"

namespace lamina::cli {

absl::StatusOr<std::unique_ptr<HostDevice>> HostDevice::Open(const std::string& path,
                                                             Access access) {
  const int flags = (access == Access::kRead ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  const int descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0) {
    return absl::NotFoundError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  }
  std::unique_ptr<HostDevice> device(new HostDevice(descriptor, access));
  if (!device->Measure()) {
    return absl::NotFoundError(absl::StrFormat("%s: neither a file nor a disk", path));
  }
  return device;
}

HostDevice::~HostDevice() { ::close(descriptor_); }

bool HostDevice::Measure() {
  struct stat attributes {};
  if (::fstat(descriptor_, &attributes) != 0) return false;
  is_file_ = S_ISREG(attributes.st_mode);
  if (!is_file_ && !S_ISBLK(attributes.st_mode)) return false;
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);  // of a disk, too
  if (end < 0) return false;
  size_sectors_ = static_cast<std::uint64_t>(end) / kSectorBytes;
  return true;
}

Result<void> HostDevice::Read(const OpContext&, Sector first, MutableBytes into) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors_, first, into.size());
  if (!range.ok()) return range.error();
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done,
                                static_cast<off_t>(first.value * kSectorBytes + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Errno::kIo;
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<void> HostDevice::Write(const OpContext&, Sector first, Bytes from) {
  const Result<SectorRange> range = SectorsOfTransfer(size_sectors_, first, from.size());
  if (!range.ok()) return range.error();
  if (access_ == Access::kRead) return Errno::kRoFs;
  std::size_t done = 0;
  while (done < from.size()) {
    const ssize_t wrote = ::pwrite(descriptor_, from.data() + done, from.size() - done,
                                   static_cast<off_t>(first.value * kSectorBytes + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return Errno::kIo;
    done += static_cast<std::size_t>(wrote);
  }
  return {};
}

Result<void> HostDevice::Flush(const OpContext&) {
  if (access_ == Access::kWrite && ::fdatasync(descriptor_) != 0) return Errno::kIo;
  return {};
}

Result<void> HostDevice::Discard(const OpContext&, SectorRange) { return Errno::kOpNotSupp; }

Result<void> HostDevice::Clear(std::uint64_t size_sectors) {
  if (!is_file_) return Errno::kInval;
  if (::ftruncate(descriptor_, 0) != 0) return Errno::kIo;
  if (::ftruncate(descriptor_, static_cast<off_t>(size_sectors * kSectorBytes)) != 0) {
    return Errno::kIo;
  }
  size_sectors_ = size_sectors;
  return {};
}

}  // namespace lamina::cli
