// HostContent: the body of one file of a host directory, loaded when somebody wants it.
//
// Threads: Load may be called from any thread.
// Lifetime: contents share one HostRoot, which holds the descriptor of the directory.
#ifndef LAMINA_IMAGE_HOST_CONTENT_H_
#define LAMINA_IMAGE_HOST_CONTENT_H_

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/fs/mem_fs.h"

namespace lamina {

// A descriptor of the host, closed at the end.
class HostFd {
 public:
  HostFd() = default;
  explicit HostFd(int fd) : fd_(fd) {}
  HostFd(HostFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HostFd& operator=(HostFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~HostFd();

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// openat without touching access times, where the kernel lets us. Never follows a symlink as `name`
// and never waits (for the writer of a fifo). Sets errno.
HostFd OpenHostRead(int dir, const char* name, int extra_flags);

// The directory everything was read from, and who hears of files that changed since.
class HostRoot {
 public:
  HostRoot(HostFd fd, std::string path, std::function<void(std::string_view)> on_message)
      : fd_(std::move(fd)), path_(std::move(path)), on_message_(std::move(on_message)) {}

  int fd() const { return fd_.get(); }
  void Report(std::string_view file, std::string_view reason);

 private:
  HostFd fd_;
  std::string path_;
  std::mutex mutex_;
  std::function<void(std::string_view)> on_message_;
};

// What a file was when its directory was read.
struct HostIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size_bytes = 0;
  timespec mtime{};
};

class HostContent final : public LazyContent {
 public:
  // `path`: components from the root, without "." and "..".
  HostContent(std::shared_ptr<HostRoot> root, std::string path, const HostIdentity& identity)
      : root_(std::move(root)), path_(std::move(path)), identity_(identity) {}

  Result<std::shared_ptr<const PagedBytes>> Load() override;

 private:
  Errno Fail(std::string_view reason) const;
  // One component at a time, never through a symlink. Not valid: errno says why.
  HostFd OpenFile() const;
  // Why the open file is not the one that was recorded; "" when it is.
  std::string Difference(const struct stat& now) const;

  std::shared_ptr<HostRoot> root_;
  std::string path_;
  HostIdentity identity_;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_CONTENT_H_
