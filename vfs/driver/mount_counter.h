// MountCounter: how many users a path has. Docker's RefCounter.
//
// A path that is mounted when it is counted for the first time was mounted by an earlier daemon: it
// has one user more than anybody here knows, so the last Put does not unmount it.
//
// Threads: belongs to its driver, under the driver's lock.
#ifndef LAMINA_VFS_DRIVER_MOUNT_COUNTER_H_
#define LAMINA_VFS_DRIVER_MOUNT_COUNTER_H_

#include <map>
#include <string>

#include "lamina/driver/mount_table.h"

namespace lamina::internal {

class MountCounter {
 public:
  explicit MountCounter(const MountTable& mounts) : mounts_(mounts) {}

  // The count after it.
  int Increment(const std::string& path) { return ++CountOf(path); }
  int Decrement(const std::string& path) { return --CountOf(path); }

 private:
  int& CountOf(const std::string& path) {
    const auto [count, is_new] = counts_.try_emplace(path, 0);
    if (is_new && mounts_.IsMounted(path)) ++count->second;
    return count->second;
  }

  const MountTable& mounts_;
  std::map<std::string, int> counts_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_MOUNT_COUNTER_H_
