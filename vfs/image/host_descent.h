// HostDescent: where a walk through a directory of the host stands. It goes depth first with one
// open directory: the way up is "..", checked to be the directory that we came from. So the depth
// of the tree needs no descriptors and no recursion.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_HOST_DESCENT_H_
#define LAMINA_IMAGE_HOST_DESCENT_H_

#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "vfs/image/host_content.h"
#include "vfs/image/node_attributes.h"

namespace lamina {

class HostDescent {
 public:
  // A directory whose entries are being read or written; `node` is our side of it. Its attributes
  // are set when it is left, since they may lock us out.
  struct Directory {
    NodeId node;
    dev_t dev = 0;
    ino_t ino = 0;
    NodeAttributes attributes;
    std::vector<std::string> names;
  };
  struct Left {
    Directory directory;
    HostFd fd;
  };

  // `access`: O_PATH or O_RDONLY, how the directories are opened.
  HostDescent(std::string_view root_path, int access) : root_path_(root_path), access_(access) {}

  bool at_end() const { return frames_.empty(); }
  // Not at the end.
  const Directory& directory() const { return frames_.back().directory; }
  int fd() const { return fd_.get(); }

  // The entry at hand: from the root ("" is the root), and as the host knows it.
  const std::string& path() const { return path_; }
  std::string FullPath() const;
  // `status` with the entry's path in front of its message.
  absl::Status AtPath(const absl::Status& status) const;

  // Makes the entry at hand, a directory that `fd` has open, the one that is walked.
  void Enter(Directory directory, HostFd fd);
  // The next name of the directory, which becomes the entry at hand; null: there is none.
  const std::string* Next();
  // Ends the directory, which becomes the entry at hand. Errors: as HostError; Aborted: it is not
  // any more in the directory that we came from.
  absl::StatusOr<Left> Leave();

 private:
  struct Frame {
    Directory directory;
    std::size_t next = 0;
    std::size_t path_bytes = 0;  // length of `path_` for this directory
  };

  const std::string root_path_;
  const int access_;
  std::vector<Frame> frames_;
  HostFd fd_;  // the directory of the last frame
  std::string path_;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_DESCENT_H_
