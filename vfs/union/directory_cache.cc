#include "vfs/union/directory_cache.h"

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "vfs/union/union_node.h"

namespace lamina {

std::uint64_t DirectoryCache::Hash(std::string_view name) {
  return absl::HashOf(absl::string_view(name.data(), name.size()));
}

std::size_t DirectoryCache::entries() const {
  return names.size() + (listing == nullptr ? 0 : listing->entries.size());
}

DirectoryCache& DirectoryCaches::Of(UnionNode& dir) {
  if (dir.cache == nullptr) {
    dir.cache = std::make_unique<DirectoryCache>();
    recent_.push_front(&dir);
    dir.cache->recent = recent_.begin();
  } else if (dir.cache->recent != recent_.begin()) {
    recent_.splice(recent_.begin(), recent_, dir.cache->recent);
  }
  return *dir.cache;
}

void DirectoryCaches::Charge(UnionNode& dir) {
  DirectoryCache& cache = *dir.cache;
  entries_ += cache.entries() - cache.charged;
  cache.charged = cache.entries();
  while (entries_ > kBudgetEntries && recent_.back() != &dir) Drop(*recent_.back());
}

void DirectoryCaches::Drop(UnionNode& dir) {
  if (dir.cache == nullptr) return;
  entries_ -= dir.cache->charged;
  recent_.erase(dir.cache->recent);
  dir.cache.reset();
}

}  // namespace lamina
