// HandleTable: the open files of a file system that keeps no more of them than how they were
// opened: MemFs, ExtFs.
//
//   HandleTable table;
//   HandleId handle = table.Add({node, Access::kRead});
//   table.Find(handle)->may_read();                     // true, until table.Remove(handle)
//
//   HandleId   1 | generation 31 | slot 32     bit 63 tells it from a node id (frozen trees)
//
// Threads: thread-compatible.
#ifndef LAMINA_FS_HANDLE_TABLE_H_
#define LAMINA_FS_HANDLE_TABLE_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lamina/fs/file_system.h"

namespace lamina::internal {

struct OpenFile {
  NodeId node;
  Access access = Access::kPath;
  bool append = false;

  bool may_read() const { return access == Access::kRead || access == Access::kReadWrite; }
  bool may_write() const { return access == Access::kWrite || access == Access::kReadWrite; }
};

class HandleTable {
 public:
  static bool Owns(HandleId handle) { return (handle.value >> 63U) != 0; }

  HandleId Add(const OpenFile& file);
  // Null when it is not open.
  const OpenFile* Find(HandleId handle) const;
  // Must be open. Says which node it was.
  NodeId Remove(HandleId handle);
  bool IsOpen(NodeId node) const { return open_counts_.contains(node.value); }
  // Closes all of them; the handles stay invalid.
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

}  // namespace lamina::internal
#endif  // LAMINA_FS_HANDLE_TABLE_H_
