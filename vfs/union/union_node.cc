#include "vfs/union/union_node.h"

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "lamina/base/check.h"

namespace lamina {

UnionNode* NodeTable::FindByKey(const NodeKey& key) const {
  auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

UnionNode& NodeTable::Add(FileType type) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.node = std::make_unique<UnionNode>();
  slot.node->id = NodeId{(std::uint64_t{slot.generation++} << 32U) | (index + 1U)};
  slot.node->type = type;
  return *slot.node;
}

void NodeTable::SetKey(const UnionNode& node, const NodeKey& key) {
  auto [entry, inserted] = by_key_.emplace(key, Find(node.id));
  if (inserted) keys_[node.id.value].push_back(key);
}

void NodeTable::Erase(UnionNode& node) {
  LAMINA_CHECK(node.handles == 0);
  if (auto keys = keys_.find(node.id.value); keys != keys_.end()) {
    for (const NodeKey& key : keys->second) by_key_.erase(key);
    keys_.erase(keys);
  }
  const auto index = static_cast<std::uint32_t>((node.id.value & 0xffffffffU) - 1);
  slots_[index].node.reset();
  free_slots_.push_back(index);
}

std::size_t NameCache::Hash::operator()(const View& view) const {
  return absl::HashOf(view.dir, absl::string_view(view.name.data(), view.name.size()));
}

UnionNode* NameCache::Find(NodeId dir, std::string_view name) const {
  auto found = names_.find(View{dir, name});
  return found == names_.end() ? nullptr : found->second;
}

void NameCache::Insert(NodeId dir, std::string_view name, UnionNode& node) {
  auto [entry, inserted] = names_.try_emplace(Key{dir, std::string(name)}, &node);
  if (!inserted) {
    --entry->second->names;
    entry->second = &node;
  }
  ++node.names;
}

void NameCache::Erase(NodeId dir, std::string_view name) {
  auto found = names_.find(View{dir, name});
  if (found == names_.end()) return;
  --found->second->names;
  names_.erase(found);
}

}  // namespace lamina
