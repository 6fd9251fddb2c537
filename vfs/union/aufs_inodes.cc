#include "vfs/union/aufs_inodes.h"

namespace lamina {

std::uint64_t AufsInodes::New() {
  if (free_.empty()) return next_++;
  return free_.extract(free_.begin()).value();
}

std::uint64_t AufsInodes::Of(const NodeKey& object) {
  const auto [entry, inserted] = numbers_.try_emplace(object, 0);
  if (inserted) entry->second = New();
  return entry->second;
}

void AufsInodes::Release(std::uint64_t ino) {
  if (ino < kFirst || ino >= next_) return;
  free_.insert(ino);
}

}  // namespace lamina
