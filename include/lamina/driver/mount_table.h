// MountTable: what is mounted where on one machine, as its kernel knows it. A driver has one of its
// own unless it is given one; a table that outlives a driver keeps its mounts, as a kernel keeps
// those of a daemon that crashed.
//
// A mounted tree counts its open handles: while there is one, Unmount gives kBusy.
//
// Threads: safe from any thread. The trees have the rule of their file systems.
// Lifetime: a tree stays while somebody holds it, mounted or not.
#ifndef LAMINA_DRIVER_MOUNT_TABLE_H_
#define LAMINA_DRIVER_MOUNT_TABLE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/fs/file_system.h"
#include "lamina/union/union_fs.h"

namespace lamina {

// One call of mount(2).
struct MountCall {
  std::string source;  // "none", a device
  std::string target;
  std::string type;  // "aufs"
  std::string data;  // the option text
  bool remount = false;
  friend bool operator==(const MountCall&, const MountCall&) = default;
};

class MountTable {
 public:
  MountTable();
  ~MountTable();
  MountTable(const MountTable&) = delete;
  MountTable& operator=(const MountTable&) = delete;

  // Puts `fs` at call.target. Errors: kBusy something is mounted there.
  Result<void> Add(MountCall call, std::unique_ptr<FileSystem> fs);
  Result<void> Add(MountCall call, std::unique_ptr<UnionFs> fs);
  // Remembers a remount that was done. Its target must be mounted.
  void AddRemount(MountCall call);

  // umount(2). Errors: kInval nothing is mounted there; kBusy an open handle.
  Result<void> Unmount(std::string_view target);
  // umount2(MNT_DETACH): out of the table, busy or not. Nothing when nothing is mounted there.
  void Detach(std::string_view target);

  bool IsMounted(std::string_view target) const;
  // What is mounted there; null when nothing is.
  std::shared_ptr<FileSystem> Find(std::string_view target) const;
  // The union behind it; null when it is none. Changes made through it are not counted as use.
  UnionFs* FindUnion(std::string_view target) const;
  // The calls that made the mount, in order.
  std::vector<MountCall> CallsOf(std::string_view target) const;
  // Every target that lies below the directory `path`, sorted.
  std::vector<std::string> TargetsBelow(std::string_view path) const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace lamina
#endif  // LAMINA_DRIVER_MOUNT_TABLE_H_
