#include "vfs/image/host_content.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "lamina/base/bytes.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;

// Where the next data begins at or after `offset`, and where it ends. A host without SEEK_DATA has
// no holes.
struct ByteRange {
  off_t begin = 0;
  off_t end = 0;
};
ByteRange NextData(int fd, off_t offset, off_t size) {
  const off_t begin = ::lseek(fd, offset, SEEK_DATA);
  if (begin < 0) return errno == ENXIO ? ByteRange{size, size} : ByteRange{offset, size};
  const off_t end = ::lseek(fd, begin, SEEK_HOLE);
  return {begin, end < 0 ? size : std::min(end, size)};
}

// Copies [range.begin, range.end). "" or why not.
std::string CopyRange(int fd, ByteRange range, std::vector<char>& buffer, PagedBytes& content) {
  off_t at = range.begin;
  while (at < range.end) {
    const std::size_t part =
        std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(range.end - at));
    const ssize_t size = ::pread(fd, buffer.data(), part, at);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::StrFormat("cannot be read: %s", std::strerror(errno));
    if (size == 0) return "became shorter while it was read";
    content.Write(static_cast<std::uint64_t>(at),
                  AsBytes({buffer.data(), static_cast<std::size_t>(size)}));
    at += size;
  }
  return "";
}

std::string CopyBody(int fd, off_t size, PagedBytes& content) {
  std::vector<char> buffer(std::min<std::size_t>(kCopyBytes, static_cast<std::size_t>(size)));
  off_t at = 0;
  while (at < size) {
    const ByteRange range = NextData(fd, at, size);
    std::string problem = CopyRange(fd, range, buffer, content);
    if (!problem.empty()) return problem;
    at = std::max(range.end, range.begin);
  }
  content.Resize(static_cast<std::uint64_t>(size));
  return "";
}

}  // namespace

HostFd::~HostFd() {
  if (fd_ >= 0) ::close(fd_);
}

HostFd OpenHostRead(int dir, const char* name, int extra_flags) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | extra_flags;
  const int fd = ::openat(dir, name, flags | O_NOATIME);
  if (fd >= 0 || errno != EPERM) return HostFd(fd);
  return HostFd(::openat(dir, name, flags));  // not ours: the kernel may note the access
}

void HostRoot::Report(std::string_view file, std::string_view reason) {
  const std::string message = absl::StrFormat(
      "%s/%s: %s", path_, absl::CEscape(absl::string_view(file.data(), file.size())), reason);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (on_message_) on_message_(message);
}

Errno HostContent::Fail(std::string_view reason) const {
  root_->Report(path_, reason);
  return Errno::kIo;
}

HostFd HostContent::OpenFile() const {
  HostFd dir;
  std::string_view rest = path_;
  while (true) {
    const int above = dir.valid() ? dir.get() : root_->fd();
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    if (slash == std::string_view::npos) {
      // Looked at before it is opened: opening a device can have effects.
      struct stat now {};
      if (::fstatat(above, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return HostFd();
      if (S_ISREG(now.st_mode)) return OpenHostRead(above, name.c_str(), 0);
      errno = S_ISLNK(now.st_mode) ? ELOOP : EINVAL;
      return HostFd();
    }
    rest.remove_prefix(slash + 1);
    dir = HostFd(::openat(above, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!dir.valid()) return HostFd();
  }
}

std::string HostContent::Difference(const struct stat& now) const {
  if (!S_ISREG(now.st_mode) || now.st_dev != identity_.device || now.st_ino != identity_.inode) {
    return "is another file than the one that was recorded";
  }
  if (now.st_size != identity_.size_bytes) {
    return absl::StrFormat("changed since it was recorded: %d bytes then, %d now",
                           identity_.size_bytes, now.st_size);
  }
  if (now.st_mtim.tv_sec != identity_.mtime.tv_sec ||
      now.st_mtim.tv_nsec != identity_.mtime.tv_nsec) {
    return "changed since it was recorded: its mtime is another one";
  }
  return "";
}

Result<std::shared_ptr<const PagedBytes>> HostContent::Load() {
  const HostFd file = OpenFile();
  if (!file.valid()) {
    return Fail(absl::StrFormat("cannot be opened any more: %s", std::strerror(errno)));
  }
  struct stat now {};
  if (::fstat(file.get(), &now) != 0) {
    return Fail(absl::StrFormat("cannot be read: %s", std::strerror(errno)));
  }
  if (const std::string difference = Difference(now); !difference.empty()) {
    return Fail(difference);
  }
  auto content = std::make_shared<PagedBytes>();
  const std::string problem = CopyBody(file.get(), identity_.size_bytes, *content);
  if (!problem.empty()) return Fail(problem);
  if (::fstat(file.get(), &now) != 0) {
    return Fail(absl::StrFormat("cannot be read: %s", std::strerror(errno)));
  }
  if (const std::string difference = Difference(now); !difference.empty()) {
    return Fail(difference);
  }
  return std::shared_ptr<const PagedBytes>(std::move(content));
}

}  // namespace lamina
