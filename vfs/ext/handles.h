// HandleTable: the open files of a writable ExtFs. A handle of a read-only one is its node.
//
//   HandleId   generation 32 | slot + 1 (32)
//
// Threads: thread-compatible.
#ifndef LAMINA_VFS_EXT_HANDLES_H_
#define LAMINA_VFS_EXT_HANDLES_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/fs/file_system.h"

namespace lamina::ext {

struct OpenFile {
  NodeId node;
  Access access = Access::kPath;
  bool append = false;

  bool may_read() const { return access == Access::kRead || access == Access::kReadWrite; }
  bool may_write() const { return access == Access::kWrite || access == Access::kReadWrite; }
};

class HandleTable {
 public:
  HandleId Add(const OpenFile& file);
  // Null when it is not open.
  const OpenFile* Find(HandleId handle) const;
  // Must be open. Says which node it was.
  NodeId Remove(HandleId handle);
  bool IsOpen(NodeId node) const { return open_counts_.contains(node.value); }
  bool empty() const { return open_counts_.empty(); }
  // Closes all of them.
  void Clear();

 private:
  struct Slot {
    OpenFile file;
    std::uint32_t generation = 0;
    bool open = false;
  };

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> open_counts_;  // by node
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_HANDLES_H_
