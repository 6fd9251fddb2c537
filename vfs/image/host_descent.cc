#include "vfs/image/host_descent.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "vfs/image/host_entry.h"

namespace lamina {

std::string HostDescent::FullPath() const {
  return path_.empty() ? root_path_ : absl::StrFormat("%s/%s", root_path_, path_);
}

absl::Status HostDescent::AtPath(const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrFormat("%s: %s", absl::CEscape(FullPath()),
                                                     std::string(status.message())));
}

void HostDescent::Enter(Directory directory, HostFd fd) {
  frames_.push_back({std::move(directory), 0, path_.size()});
  fd_ = std::move(fd);
}

const std::string* HostDescent::Next() {
  Frame& frame = frames_.back();
  if (frame.next == frame.directory.names.size()) return nullptr;
  const std::string& name = frame.directory.names[frame.next++];
  path_.resize(frame.path_bytes);
  if (!path_.empty()) path_ += '/';
  path_ += name;
  return &name;
}

absl::StatusOr<HostDescent::Left> HostDescent::Leave() {
  Left left{std::move(frames_.back().directory), std::move(fd_)};
  path_.resize(frames_.back().path_bytes);
  frames_.pop_back();
  if (frames_.empty()) return left;
  fd_ = HostFd(::openat(left.fd.get(), "..", access_ | O_DIRECTORY | O_CLOEXEC));
  struct stat above {};
  if (!fd_.valid() || ::fstat(fd_.get(), &above) != 0) {
    return HostError(errno, FullPath(), "the way back up is lost");
  }
  if (above.st_dev != directory().dev || above.st_ino != directory().ino) {
    return AtPath(absl::AbortedError("the directory was moved meanwhile"));
  }
  return left;
}

}  // namespace lamina
