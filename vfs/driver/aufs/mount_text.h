// The option texts with which Docker mounts a layer of the aufs driver.
//
//   mount      br:/…/diff/3=rw:/…/diff/2=ro+wh,dio,xino=/dev/shm/aufs.xino,dirperm1
//   remount    append:/…/diff/1=ro+wh,append:/…/diff/0=ro+wh,
//
// The kernel takes one page of text. Branches that do not fit into the first text are appended, in
// their order, by as many remounts as it takes.
//
// Threads: pure functions.
#ifndef LAMINA_VFS_DRIVER_AUFS_MOUNT_TEXT_H_
#define LAMINA_VFS_DRIVER_AUFS_MOUNT_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/result.h"

namespace lamina::internal {

struct AufsMountRequest {
  std::string writable;                // path of the topmost branch
  std::vector<std::string> read_only;  // paths of the others, topmost first
  std::string label;                   // SELinux context, which takes room
  bool dirperm1 = false;
  std::size_t page_bytes = 4096;
};

struct AufsMountTexts {
  std::string mount;
  std::vector<std::string> remounts;
};

// Without the label. Errors: kNameTooLong a branch that does not fit by itself (Docker cuts it off,
// or never comes to an end).
Result<AufsMountTexts> MakeAufsMountTexts(const AufsMountRequest& request);

// What mount(2) is called with. SELinux takes the label out before AUFS sees the text.
std::string WithMountLabel(std::string_view text, std::string_view label);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_AUFS_MOUNT_TEXT_H_
