#include "sim/cli/pending_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"

namespace lamina::cli {
namespace {

constexpr mode_t kModeBits = 07777;

absl::Status Refused(const std::string& path, int reason) {
  return absl::UnavailableError(absl::StrFormat("%s: %s", path, std::strerror(reason)));
}

// Mode and owner as `path` has them, or as a new file gets them. The owner stays ours where the
// host does not let us give files away.
bool TakeAttributes(const std::string& path, const struct stat* of) {
  mode_t mode = 0;
  if (of != nullptr) {
    mode = of->st_mode & kModeBits;
    [[maybe_unused]] const int given = ::chown(path.c_str(), of->st_uid, of->st_gid);
  } else {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    mode = 0666 & ~mask;
  }
  return ::chmod(path.c_str(), mode) == 0;
}

}  // namespace

absl::StatusOr<PendingFile> PendingFile::Create(const std::string& target) {
  struct stat present {};
  const bool replaces = ::stat(target.c_str(), &present) == 0;
  if (!replaces && errno != ENOENT) return Refused(target, errno);
  std::string real = target;
  if (replaces) {
    if (!S_ISREG(present.st_mode)) {
      return absl::UnavailableError(absl::StrFormat("%s: neither a file nor a disk", target));
    }
    const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(target.c_str(), nullptr),
                                                          std::free);
    if (resolved == nullptr) return Refused(target, errno);
    if (::access(target.c_str(), W_OK) != 0) return Refused(target, errno);
    real = resolved.get();
  }
  std::string path = real + ".XXXXXX";
  const int descriptor = ::mkstemp(path.data());
  if (descriptor < 0) return Refused(target, errno);
  ::close(descriptor);
  PendingFile file(std::move(real), std::move(path));
  file.replaced_bytes_ = replaces ? static_cast<std::uint64_t>(present.st_size) : 0;
  if (!TakeAttributes(file.path_, replaces ? &present : nullptr)) return Refused(target, errno);
  return file;
}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::exchange(other.path_, "")),
      replaced_bytes_(other.replaced_bytes_) {}

PendingFile::~PendingFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

absl::Status PendingFile::Keep() {
  if (std::rename(path_.c_str(), target_.c_str()) != 0) return Refused(target_, errno);
  path_.clear();
  return absl::OkStatus();
}

}  // namespace lamina::cli
