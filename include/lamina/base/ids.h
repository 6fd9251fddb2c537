// Typed identifiers: a NodeId is never a HandleId by accident.
//
// Threads: plain values.
#ifndef LAMINA_BASE_IDS_H_
#define LAMINA_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace lamina {

template <typename Tag>
struct Id {
  std::uint64_t value = 0;
  friend auto operator<=>(const Id&, const Id&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Id& id) {
    return H::combine(std::move(state), id.value);
  }
};

// An inode of one FileSystem. Never reused by it: a stale id gives kStale, never a wrong file.
// 0 is no node.
using NodeId = Id<struct NodeTag>;
// An open file of one FileSystem. 0 is no handle.
using HandleId = Id<struct HandleTag>;
// A position on a block device in units of 512 bytes.
using Sector = Id<struct SectorTag>;
// A thin device of a pool (24 bits on the real device).
using ThinId = Id<struct ThinTag>;
// A mountable tree of a snapshot store.
using VolumeId = Id<struct VolumeTag>;

// A layer's name, as an image or a driver calls it.
struct LayerId {
  std::string value;
  friend auto operator<=>(const LayerId&, const LayerId&) = default;
};

}  // namespace lamina

template <typename Tag>
struct std::hash<lamina::Id<Tag>> {
  std::size_t operator()(const lamina::Id<Tag>& id) const noexcept {
    return std::hash<std::uint64_t>()(id.value);
  }
};

#endif  // LAMINA_BASE_IDS_H_
