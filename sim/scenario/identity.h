// IdentityClasses: names for inodes and devices that do not depend on their numbers: classes of
// equal identity, numbered in order of first appearance in the whole output.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_SCENARIO_IDENTITY_H_
#define LAMINA_SIM_SCENARIO_IDENTITY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace lamina::sim::internal {

class IdentityClasses {
 public:
  // A device that keeps its name for the whole run (a file system of layers).
  void NameForever(std::uint64_t device, std::string name) { lasting_[device] = std::move(name); }
  // The set of mounts changed: names of mounts and of other devices start again.
  void BeginEpoch() {
    aliases_.clear();
    pseudo_count_ = 0;
  }
  void NameInEpoch(std::uint64_t device, std::string name) { aliases_[device] = std::move(name); }

  // "d1", "i1", "u1": the class, made if new.
  std::string DeviceClass(std::uint64_t device);
  std::string InodeClass(std::uint64_t device, std::uint64_t ino);
  std::string HardLinkClass(std::uint64_t ino);

  // Forgets the inode and hard-link classes, not the devices.
  void ForgetInodes() {
    inodes_.clear();
    hard_links_.clear();
  }

 private:
  const std::string& DeviceName(std::uint64_t device);

  std::map<std::uint64_t, std::string> lasting_;
  std::map<std::uint64_t, std::string> aliases_;
  std::size_t pseudo_count_ = 0;
  std::map<std::string, std::size_t> devices_;
  std::map<std::pair<std::string, std::uint64_t>, std::size_t> inodes_;
  std::map<std::uint64_t, std::size_t> hard_links_;
};

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_IDENTITY_H_
