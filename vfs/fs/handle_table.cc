#include "lamina/fs/handle_table.h"

#include "lamina/base/check.h"

namespace lamina::internal {
namespace {

constexpr std::uint64_t kHandleBit = std::uint64_t{1} << 63U;
constexpr std::uint32_t kGenerationMask = 0x7fffffff;

}  // namespace

HandleId HandleTable::Add(const OpenFile& file) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.file = file;
  slot.open = true;
  slot.generation = (slot.generation + 1) & kGenerationMask;
  ++open_counts_[file.node.value];
  return HandleId{kHandleBit | std::uint64_t{slot.generation} << 32U | index};
}

const OpenFile* HandleTable::Find(HandleId handle) const {
  const auto index = static_cast<std::uint32_t>(handle.value);
  if (!Owns(handle) || index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  const auto generation = static_cast<std::uint32_t>(handle.value >> 32U) & kGenerationMask;
  return slot.open && slot.generation == generation ? &slot.file : nullptr;
}

NodeId HandleTable::Remove(HandleId handle) {
  const OpenFile* file = Find(handle);
  LAMINA_CHECK(file != nullptr);
  const NodeId node = file->node;
  const auto index = static_cast<std::uint32_t>(handle.value);
  slots_[index].open = false;
  free_slots_.push_back(index);
  const auto count = open_counts_.find(node.value);
  if (--count->second == 0) open_counts_.erase(count);
  return node;
}

void HandleTable::Clear() {
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    if (!slots_[index].open) continue;
    slots_[index].open = false;
    free_slots_.push_back(index);
  }
  open_counts_.clear();
}

}  // namespace lamina::internal
