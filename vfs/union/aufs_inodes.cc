#include "vfs/union/aufs_inodes.h"

#include <algorithm>

namespace lamina {

std::uint64_t AufsInodes::New() {
  if (free_.empty()) return next_++;
  return free_.extract(free_.begin()).value();
}

std::uint64_t AufsInodes::Of(const NodeKey& object) {
  const auto known = numbers_.find(object);
  if (known != numbers_.end()) return known->second;
  const std::uint64_t ino = New();
  Set(object, ino);
  return ino;
}

void AufsInodes::Set(const NodeKey& object, std::uint64_t ino) {
  const auto [entry, inserted] = numbers_.try_emplace(object, ino);
  if (!inserted) {
    if (entry->second == ino) return;
    Objects& others = objects_[entry->second];
    others.erase(std::remove(others.begin(), others.end(), object), others.end());
    entry->second = ino;
  }
  objects_[ino].push_back(object);
}

void AufsInodes::SetOnly(const NodeKey& object, std::uint64_t ino) {
  Objects& objects = objects_[ino];
  for (const NodeKey& each : objects) {
    if (!(each == object)) numbers_.erase(each);
  }
  numbers_[object] = ino;
  objects.assign(1, object);
}

void AufsInodes::Release(std::uint64_t ino) {
  const auto objects = objects_.find(ino);
  if (objects != objects_.end()) {
    for (const NodeKey& object : objects->second) numbers_.erase(object);
    objects_.erase(objects);
  }
  if (ino >= kFirst && ino < next_) free_.insert(ino);
}

void AufsInodes::ForgetObjects() {
  numbers_.clear();
  objects_.clear();
}

}  // namespace lamina
