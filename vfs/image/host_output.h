// HostOutput: new names in host directories: made, filled, given their attributes. What the host
// does not let us do is an error, or left out and counted.
//
// Every name must be new. It is made for its owner only (0600, 0700) and gets its mode at the end,
// so nobody else sees it half done.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_HOST_OUTPUT_H_
#define LAMINA_IMAGE_HOST_OUTPUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/image/host_export.h"
#include "vfs/image/host_content.h"
#include "vfs/image/node_attributes.h"

namespace lamina {

// A name in an open host directory; `path` is for messages.
struct HostPlace {
  int dir = -1;
  const std::string& name;
  std::string_view path;
};

class HostOutput {
 public:
  // `report` counts what is left out.
  HostOutput(Unpermitted unpermitted, HostExportReport& report)
      : unpermitted_(unpermitted), report_(report) {}

  // The directory at `path`: made, or there and empty. It becomes ours alone, without a default
  // ACL. Errors: as WriteHostDirectory.
  absl::StatusOr<HostFd> OpenTop(const std::string& path) const;

  // Each makes the name and returns it open: a directory for reading, a file for writing, the rest
  // without access (O_PATH). Errors: as HostError.
  absl::StatusOr<HostFd> MakeDirectory(const HostPlace& place) const;
  absl::StatusOr<HostFd> MakeFile(const HostPlace& place) const;
  absl::StatusOr<HostFd> MakeSymlink(const HostPlace& place, const std::string& target) const;
  // Not valid: a device that was left out.
  absl::StatusOr<HostFd> MakeSpecial(const HostPlace& place, FileType type, std::uint64_t rdev);

  // Gives an open entry its owner, xattrs, mode and times, in this order: an owner takes set-id
  // bits away, an ACL changes the mode. Errors: as HostError.
  absl::Status SetAttributes(int fd, FileType type, const NodeAttributes& attributes,
                             std::string_view path);

 private:
  bool MayLeaveOut(int error) const;
  absl::Status SetXattrs(const std::string& own, const NodeAttributes& attributes,
                         std::string_view path);

  const Unpermitted unpermitted_;
  HostExportReport& report_;
};

// Writes `from` at `offset`, all of it. Errors: as HostError.
absl::Status WriteHostBytes(int fd, std::uint64_t offset, Bytes from, std::string_view path);

}  // namespace lamina
#endif  // LAMINA_IMAGE_HOST_OUTPUT_H_
