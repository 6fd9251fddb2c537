#include "sim/scenario/identity.h"

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {

const std::string& IdentityClasses::DeviceName(std::uint64_t device) {
  const auto lasting = lasting_.find(device);
  if (lasting != lasting_.end()) return lasting->second;
  const auto alias = aliases_.find(device);
  if (alias != aliases_.end()) return alias->second;
  return aliases_[device] = absl::StrFormat("pseudo:%d", ++pseudo_count_);
}

std::string IdentityClasses::DeviceClass(std::uint64_t device) {
  const auto entry = devices_.try_emplace(DeviceName(device), devices_.size() + 1).first;
  return absl::StrFormat("d%d", entry->second);
}

std::string IdentityClasses::InodeClass(std::uint64_t device, std::uint64_t ino) {
  const auto entry = inodes_.try_emplace({DeviceName(device), ino}, inodes_.size() + 1).first;
  return absl::StrFormat("i%d", entry->second);
}

std::string IdentityClasses::HardLinkClass(std::uint64_t ino) {
  const auto entry = hard_links_.try_emplace(ino, hard_links_.size() + 1).first;
  return absl::StrFormat("u%d", entry->second);
}

}  // namespace lamina::sim::internal
