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

void NodeTable::SetKey(UnionNode& node, const NodeKey& key) {
  auto [entry, inserted] = by_key_.emplace(key, &node);
  if (inserted) node.keys.push_back(key);
}

void NodeTable::Rekey(UnionNode& node, const NodeKey& key, bool keeps_others) {
  if (!keeps_others) {
    for (const NodeKey& old : node.keys) by_key_.erase(old);
    node.keys.clear();
  }
  SetKey(node, key);
}

void NodeTable::Erase(UnionNode& node) {
  LAMINA_CHECK(node.handles == 0);
  for (const NodeKey& key : node.keys) by_key_.erase(key);
  const auto index = static_cast<std::uint32_t>((node.id.value & 0xffffffffU) - 1);
  slots_[index].node.reset();
  free_slots_.push_back(index);
}

std::uint32_t NlinkAfterRemoval(const UnionNode& node) {
  const std::uint32_t least = node.names > 1 ? 1 : 0;
  return node.nlink > least ? node.nlink - 1 : node.nlink;
}

std::size_t NameCache::Hash::operator()(const View& view) const {
  return absl::HashOf(view.dir, absl::string_view(view.name.data(), view.name.size()));
}

CachedName* NameCache::Find(NodeId dir, std::string_view name) {
  auto found = names_.find(View{dir, name});
  return found == names_.end() ? nullptr : &found->second;
}

void NameCache::Insert(NodeId dir, std::string_view name, CachedName cached) {
  auto [entry, inserted] = names_.try_emplace(Key{dir, std::string(name)}, cached);
  if (!inserted) {
    --entry->second.node->names;
    entry->second = cached;
  }
  if (++cached.node->names > 1) cached.node->aliased = true;
}

void NameCache::Erase(NodeId dir, std::string_view name) {
  auto found = names_.find(View{dir, name});
  if (found == names_.end()) return;
  --found->second.node->names;
  names_.erase(found);
}

void NameCache::LeaveBranch(const UnionNode& node) {
  for (auto& [key, cached] : names_) {
    if (cached.node == &node) cached.in_writable = false;
  }
}

void NameCache::Clear() {
  for (auto& [key, cached] : names_) --cached.node->names;
  names_.clear();
}

}  // namespace lamina
