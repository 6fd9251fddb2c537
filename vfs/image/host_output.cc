#include "vfs/image/host_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "lamina/fs/posix_acl.h"
#include "vfs/image/host_entry.h"

namespace lamina {
namespace {

constexpr mode_t kOwnDirectory = 0700;
constexpr mode_t kOwnFile = 0600;
constexpr std::uint16_t kSetIdBits = kModeSetUid | kModeSetGid;

// Most calls take no O_PATH descriptor; its name in /proc leads to the same inode, a symlink too.
std::string NameOf(int fd) { return absl::StrFormat("/proc/self/fd/%d", fd); }

timespec ToTimespec(Instant time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = time.virtual_ns / kSecond;
  std::int64_t nanoseconds = time.virtual_ns % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

mode_t FormatOf(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return S_IFREG;
    case FileType::kDirectory:
      return S_IFDIR;
    case FileType::kSymlink:
      return S_IFLNK;
    case FileType::kCharDevice:
      return S_IFCHR;
    case FileType::kBlockDevice:
      return S_IFBLK;
    case FileType::kFifo:
      return S_IFIFO;
    case FileType::kSocket:
      return S_IFSOCK;
  }
  return S_IFREG;
}

absl::Status Located(absl::StatusCode code, std::string_view path, std::string_view what) {
  return absl::Status(
      code,
      absl::StrFormat("%s: %s", absl::CEscape(absl::string_view(path.data(), path.size())), what));
}

absl::StatusOr<HostFd> OpenEntry(const HostPlace& place) {
  HostFd fd(::openat(place.dir, place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return HostError(errno, place.path, "cannot be opened");
  return fd;
}

// A default ACL of the directory above would be handed down to everything made here.
void DropDefaultAcl(int dir) { ::fremovexattr(dir, std::string(kDefaultAclKey).c_str()); }

}  // namespace

absl::StatusOr<HostFd> HostOutput::OpenTop(const std::string& path) const {
  const bool made = ::mkdir(path.c_str(), kOwnDirectory) == 0;
  if (!made && errno != EEXIST) return HostError(errno, path, "cannot be made");
  HostEntry top;
  top.fd = HostFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.fd.valid()) return HostError(errno, path, "cannot be opened");
  if (!made) {
    const absl::StatusOr<std::vector<std::string>> names = ListHostDirectory(top, path, 1);
    const bool many = absl::IsResourceExhausted(names.status());
    if (!names.ok() && !many) return names.status();
    if (many || !names->empty()) {
      return Located(absl::StatusCode::kFailedPrecondition, path, "the directory is not empty");
    }
  }
  if (::fstat(top.fd.get(), &top.stat) != 0) return HostError(errno, path, "cannot be looked at");
  const bool own = top.stat.st_uid == ::geteuid() ||
                   ::fchown(top.fd.get(), ::geteuid(), static_cast<gid_t>(-1)) == 0;
  if (!own || ::fchmod(top.fd.get(), kOwnDirectory) != 0) {
    return HostError(errno, path, "cannot be taken over");
  }
  DropDefaultAcl(top.fd.get());
  return std::move(top.fd);
}

absl::StatusOr<HostFd> HostOutput::MakeDirectory(const HostPlace& place) const {
  if (::mkdirat(place.dir, place.name.c_str(), kOwnDirectory) != 0) {
    return HostError(errno, place.path, "cannot be made");
  }
  HostFd fd(
      ::openat(place.dir, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return HostError(errno, place.path, "cannot be opened");
  return fd;
}

absl::StatusOr<HostFd> HostOutput::MakeFile(const HostPlace& place) const {
  HostFd fd(::openat(place.dir, place.name.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnFile));
  if (!fd.valid()) return HostError(errno, place.path, "cannot be made");
  return fd;
}

absl::StatusOr<HostFd> HostOutput::MakeSymlink(const HostPlace& place,
                                               const std::string& target) const {
  if (::symlinkat(target.c_str(), place.dir, place.name.c_str()) != 0) {
    return HostError(errno, place.path, "cannot be made");
  }
  return OpenEntry(place);
}

absl::StatusOr<HostFd> HostOutput::MakeSpecial(const HostPlace& place, FileType type,
                                               std::uint64_t rdev) {
  const dev_t device = ::makedev(DeviceMajor(rdev), DeviceMinor(rdev));
  if (::mknodat(place.dir, place.name.c_str(), FormatOf(type) | kOwnFile, device) == 0) {
    return OpenEntry(place);
  }
  if (!MayLeaveOut(errno)) return HostError(errno, place.path, "cannot be made");
  ++report_.devices_left_out;
  return HostFd();
}

bool HostOutput::MayLeaveOut(int error) const {
  if (unpermitted_ == Unpermitted::kError) return false;
  return error == EPERM || error == EACCES || error == ENOTSUP || error == EINVAL;
}

absl::Status HostOutput::SetXattrs(const std::string& own, const NodeAttributes& attributes,
                                   std::string_view path) {
  for (const auto& [key, value] : attributes.xattrs) {
    if (::setxattr(own.c_str(), key.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (!MayLeaveOut(errno)) {
      return HostError(errno, path,
                       absl::StrFormat("its xattr \"%s\" cannot be set", absl::CEscape(key)));
    }
    ++report_.xattrs_left_out;
  }
  return absl::OkStatus();
}

absl::Status HostOutput::SetAttributes(int fd, FileType type, const NodeAttributes& attributes,
                                       std::string_view path) {
  std::uint16_t mode = attributes.mode;
  if (::fchownat(fd, "", attributes.uid, attributes.gid, AT_EMPTY_PATH) != 0) {
    if (!MayLeaveOut(errno)) return HostError(errno, path, "its owner cannot be set");
    ++report_.owners_left_out;
    // The set-id bits were meant for another owner.
    if (type != FileType::kDirectory) mode &= static_cast<std::uint16_t>(~kSetIdBits);
  }
  const std::string own = NameOf(fd);
  if (absl::Status set = SetXattrs(own, attributes, path); !set.ok()) return set;
  if (type != FileType::kSymlink && ::chmod(own.c_str(), mode) != 0) {
    return HostError(errno, path, "its mode cannot be set");
  }
  const timespec times[2] = {ToTimespec(attributes.atime), ToTimespec(attributes.mtime)};
  if (::utimensat(AT_FDCWD, own.c_str(), times, 0) != 0) {
    return HostError(errno, path, "its times cannot be set");
  }
  return absl::OkStatus();
}

absl::Status WriteHostBytes(int fd, std::uint64_t offset, Bytes from, std::string_view path) {
  while (!from.empty()) {
    const ssize_t size = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return HostError(errno, path, "cannot be written");
    offset += static_cast<std::uint64_t>(size);
    from = from.subspan(static_cast<std::size_t>(size));
  }
  return absl::OkStatus();
}

}  // namespace lamina
