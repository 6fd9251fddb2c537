#include "vfs/image/host_entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "vfs/image/tar_header.h"

namespace lamina {
namespace {

constexpr std::size_t kMaxLinkBytes = 4096;
constexpr int kGrowAttempts = 8;

struct CloseDirectory {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Instant ToInstant(const timespec& time) { return ClampedInstant(time.tv_sec, time.tv_nsec); }

bool MayDrop(int error) { return error == EPERM || error == ENOTSUP || error == EACCES; }

// Calls `read(buffer, size)` (listxattr, getxattr) until the buffer was large enough.
// Nothing when the host has nothing to give (errno says why).
template <typename ReadInto>
std::optional<std::string> ReadGrowing(ReadInto read) {
  for (int attempt = 0; attempt < kGrowAttempts; ++attempt) {
    const ssize_t needed = read(nullptr, 0);
    if (needed < 0) return std::nullopt;
    if (needed == 0) return std::string();
    std::string buffer(static_cast<std::size_t>(needed), '\0');
    const ssize_t size = read(buffer.data(), buffer.size());
    if (size >= 0) {
      buffer.resize(static_cast<std::size_t>(size));
      return buffer;
    }
    if (errno != ERANGE) return std::nullopt;  // ERANGE: it grew between the two calls
  }
  errno = EAGAIN;
  return std::nullopt;
}

}  // namespace

absl::Status HostError(int error, std::string_view path, std::string_view doing) {
  const std::string message =
      absl::StrFormat("%s: %s: %s", absl::CEscape(absl::string_view(path.data(), path.size())),
                      doing, std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case ENOTDIR:
      return absl::InvalidArgumentError(message);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

FileType HostEntry::type() const {
  switch (stat.st_mode & S_IFMT) {
    case S_IFDIR:
      return FileType::kDirectory;
    case S_IFLNK:
      return FileType::kSymlink;
    case S_IFCHR:
      return FileType::kCharDevice;
    case S_IFBLK:
      return FileType::kBlockDevice;
    case S_IFIFO:
      return FileType::kFifo;
    case S_IFSOCK:
      return FileType::kSocket;
    default:
      return FileType::kRegular;
  }
}

absl::StatusOr<HostEntry> OpenHostEntry(int dir, const std::string& name, std::string_view path) {
  HostEntry entry;
  entry.fd = HostFd(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!entry.fd.valid()) return HostError(errno, path, "cannot be looked up");
  if (::fstat(entry.fd.get(), &entry.stat) != 0) {
    return HostError(errno, path, "cannot be looked at");
  }
  return entry;
}

NodeAttributes HostAttributes(const struct stat& stat) {
  NodeAttributes attributes;
  attributes.mode = static_cast<std::uint16_t>(stat.st_mode & 07777U);
  attributes.uid = stat.st_uid;
  attributes.gid = stat.st_gid;
  attributes.atime = ToInstant(stat.st_atim);
  attributes.mtime = ToInstant(stat.st_mtim);
  attributes.ctime = ToInstant(stat.st_ctim);
  return attributes;
}

absl::Status ReadHostXattrs(const HostEntry& entry, std::string_view path, std::uint64_t max_bytes,
                            NodeAttributes& attributes, std::uint64_t& dropped) {
  // The xattr calls take no O_PATH descriptor; its name in /proc leads to the same inode.
  const std::string own = absl::StrFormat("/proc/self/fd/%d", entry.fd.get());
  const std::optional<std::string> list = ReadGrowing(
      [&](char* into, std::size_t size) { return ::listxattr(own.c_str(), into, size); });
  if (!list.has_value()) {
    if (MayDrop(errno)) return absl::OkStatus();
    return HostError(errno, path, "its xattrs cannot be listed");
  }
  std::uint64_t total = 0;
  for (std::size_t at = 0; at < list->size();) {
    const std::string key = list->c_str() + at;
    at += key.size() + 1;
    std::optional<std::string> value = ReadGrowing([&](char* into, std::size_t size) {
      return ::getxattr(own.c_str(), key.c_str(), into, size);
    });
    if (!value.has_value()) {
      if (errno == ENODATA) continue;  // gone since it was listed
      if (!MayDrop(errno)) return HostError(errno, path, "an xattr cannot be read");
      ++dropped;
      continue;
    }
    total += key.size() + value->size();
    if (total > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%s: xattrs of more than %d bytes (max_xattr_bytes)",
                          absl::CEscape(absl::string_view(path.data(), path.size())), max_bytes));
    }
    attributes.xattrs[key] = *std::move(value);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadHostLink(const HostEntry& entry, std::string_view path) {
  std::string target(kMaxLinkBytes, '\0');
  const ssize_t size = ::readlinkat(entry.fd.get(), "", target.data(), target.size());
  if (size < 0) return HostError(errno, path, "its target cannot be read");
  target.resize(static_cast<std::size_t>(size));
  return target;
}

absl::StatusOr<std::vector<std::string>> ListHostDirectory(const HostEntry& entry,
                                                           std::string_view path,
                                                           std::uint64_t max_names) {
  HostFd readable = OpenHostRead(entry.fd.get(), ".", O_DIRECTORY);
  if (!readable.valid()) return HostError(errno, path, "cannot be opened");
  const std::unique_ptr<DIR, CloseDirectory> dir(::fdopendir(readable.get()));
  if (dir == nullptr) return HostError(errno, path, "cannot be opened");
  readable.Release();  // closed with `dir`
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(dir.get());
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= max_names) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%s: more entries than allowed (max_entries)",
                          absl::CEscape(absl::string_view(path.data(), path.size()))));
    }
    names.emplace_back(name);
  }
  if (errno != 0) return HostError(errno, path, "cannot be listed");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lamina
