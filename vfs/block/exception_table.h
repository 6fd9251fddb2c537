// ExceptionTable: the chunks of a snapshot that lie on its COW device.
//
// Threads: as the snapshot.
#ifndef LAMINA_VFS_BLOCK_EXCEPTION_TABLE_H_
#define LAMINA_VFS_BLOCK_EXCEPTION_TABLE_H_

#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "vfs/block/exception_store.h"

namespace lamina::internal {

class ExceptionTable {
 public:
  // False: the chunk is one already.
  bool Add(const Exception& exception) {
    return cow_chunk_of_.try_emplace(exception.origin_chunk, exception.cow_chunk).second;
  }
  void Remove(std::uint64_t origin_chunk) { cow_chunk_of_.erase(origin_chunk); }
  std::optional<std::uint64_t> Find(std::uint64_t origin_chunk) const {
    const auto found = cow_chunk_of_.find(origin_chunk);
    if (found == cow_chunk_of_.end()) return std::nullopt;
    return found->second;
  }
  std::uint64_t size() const { return cow_chunk_of_.size(); }

 private:
  absl::flat_hash_map<std::uint64_t, std::uint64_t> cow_chunk_of_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_EXCEPTION_TABLE_H_
