#include "vfs/ext/handles.h"

#include "lamina/base/check.h"

namespace lamina::ext {

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
  ++slot.generation;
  ++open_counts_[file.node.value];
  return HandleId{std::uint64_t{slot.generation} << 32U | (std::uint64_t{index} + 1)};
}

const OpenFile* HandleTable::Find(HandleId handle) const {
  const std::uint64_t index = (handle.value & 0xffffffffU) - 1;
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.open && slot.generation == handle.value >> 32U ? &slot.file : nullptr;
}

NodeId HandleTable::Remove(HandleId handle) {
  const OpenFile* file = Find(handle);
  LAMINA_CHECK(file != nullptr);
  const NodeId node = file->node;
  const auto index = static_cast<std::uint32_t>((handle.value & 0xffffffffU) - 1);
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

}  // namespace lamina::ext
