// BlockTable: what is kept of a device's blocks, found by number in two steps. Numbers lie close
// together, as the allocation goes on from the cursor, so that a hash would only scatter them.
//
//   number / 512 ─► group of 512 places, made when the first is taken ─► the block, or null
//
// Threads: one caller at a time.
#ifndef LAMINA_VFS_BLOCK_BLOCK_TABLE_H_
#define LAMINA_VFS_BLOCK_BLOCK_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lamina::internal {

template <typename Block>
class BlockTable {
 public:
  // Null: none is kept. Any number may be asked for.
  Block* Find(std::uint64_t number) const {
    const std::uint64_t group = number / kGroupBlocks;
    if (group >= groups_.size() || groups_[group] == nullptr) return nullptr;
    return (*groups_[group])[number % kGroupBlocks].get();
  }
  // A number with none; memory is proportional to the largest one.
  Block* Add(std::uint64_t number, std::unique_ptr<Block> block) {
    const std::uint64_t group = number / kGroupBlocks;
    if (group >= groups_.size()) groups_.resize(group + 1);
    if (groups_[group] == nullptr) groups_[group] = std::make_unique<Group>();
    ++size_;
    std::unique_ptr<Block>& place = (*groups_[group])[number % kGroupBlocks];
    place = std::move(block);
    return place.get();
  }
  // A number with one.
  void Erase(std::uint64_t number) {
    (*groups_[number / kGroupBlocks])[number % kGroupBlocks].reset();
    --size_;
  }
  void Clear() {
    groups_.clear();
    size_ = 0;
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kGroupBlocks = 512;
  using Group = std::array<std::unique_ptr<Block>, kGroupBlocks>;

  std::vector<std::unique_ptr<Group>> groups_;
  std::size_t size_ = 0;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_BLOCK_BLOCK_TABLE_H_
