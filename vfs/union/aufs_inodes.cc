#include "vfs/union/aufs_inodes.h"

#include <algorithm>
#include <functional>

namespace lamina {

std::uint64_t AufsInodes::New() {
  if (free_.empty()) return next_++;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const std::uint64_t ino = free_.back();
  free_.pop_back();
  return ino;
}

void AufsInodes::Release(std::uint64_t ino) {
  if (ino < kFirst || shared_.contains(ino)) return;
  free_.push_back(ino);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

}  // namespace lamina
