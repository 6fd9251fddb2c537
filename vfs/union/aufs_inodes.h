// AufsInodes: the inode numbers an AUFS union shows (its xino and xib files). A number belongs to a
// real object, so hard links share it; a copy keeps it.
//
// Threads: belongs to one union.
#ifndef LAMINA_VFS_UNION_AUFS_INODES_H_
#define LAMINA_VFS_UNION_AUFS_INODES_H_

#include <cstdint>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "vfs/union/union_node.h"

namespace lamina {

class AufsInodes {
 public:
  static constexpr std::uint64_t kRoot = 2;
  static constexpr std::uint64_t kFirst = 11;

  // The number of a real object; a new one, the lowest that is free, when it has none.
  std::uint64_t Of(const NodeKey& object);
  std::uint64_t New();
  // From now on the object has that number.
  void Set(const NodeKey& object, std::uint64_t ino);
  // No other object has that number: those that had it get another one when they are seen again.
  void SetOnly(const NodeKey& object, std::uint64_t ino);
  // Nothing has the number any more; it is free.
  void Release(std::uint64_t ino);
  // Forgets every object; the numbers in use stay so.
  void ForgetObjects();

 private:
  using Objects = absl::InlinedVector<NodeKey, 1>;
  absl::flat_hash_map<NodeKey, std::uint64_t> numbers_;
  absl::flat_hash_map<std::uint64_t, Objects> objects_;  // of a number
  std::set<std::uint64_t> free_;                         // below next_
  std::uint64_t next_ = kFirst;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_INODES_H_
