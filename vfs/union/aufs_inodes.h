// AufsInodes: the inode numbers an AUFS union shows (its xino and xib files). A number belongs to a
// real object, so hard links share it; a copy keeps it.
//
// Threads: belongs to one union.
#ifndef LAMINA_VFS_UNION_AUFS_INODES_H_
#define LAMINA_VFS_UNION_AUFS_INODES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "vfs/union/union_node.h"

namespace lamina {

class AufsInodes {
 public:
  static constexpr std::uint64_t kRoot = 2;
  static constexpr std::uint64_t kFirst = 11;

  // The numbers of one file system's objects (a xino file).
  using Map = absl::flat_hash_map<NodeId, std::uint64_t>;
  // Stays where it is until ForgetObjects.
  Map& MapOf(const FileSystem* fs) {
    std::unique_ptr<Map>& map = maps_[fs];
    if (map == nullptr) map = std::make_unique<Map>();
    return *map;
  }

  // The number of a real object; a new one, the lowest that is free, when it has none.
  std::uint64_t Of(const NodeKey& object) { return Of(MapOf(object.fs), object.node); }
  std::uint64_t Of(Map& map, NodeId node) {
    const auto [entry, inserted] = map.try_emplace(node, 0);
    if (inserted) entry->second = New();
    return entry->second;
  }
  std::uint64_t New();
  // From now on the object has that number.
  void Set(const NodeKey& object, std::uint64_t ino) { MapOf(object.fs)[object.node] = ino; }
  // The object goes, or gets another number when it is seen again.
  void Forget(const NodeKey& object) { MapOf(object.fs).erase(object.node); }
  // Two objects that are independent show the number: it is never given to a third.
  void Share(std::uint64_t ino) { shared_.insert(ino); }
  // Nothing has the number any more; it is free.
  void Release(std::uint64_t ino);
  // Forgets every object; the numbers in use stay so.
  void ForgetObjects() { maps_.clear(); }

 private:
  absl::flat_hash_map<const FileSystem*, std::unique_ptr<Map>> maps_;
  absl::flat_hash_set<std::uint64_t> shared_;
  std::vector<std::uint64_t> free_;  // a heap, the lowest first
  std::uint64_t next_ = kFirst;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_AUFS_INODES_H_
