#include "sim/engine/node_names.h"

namespace lamina::sim::internal {
namespace {

constexpr std::size_t kMaxDepth = 4096;  // names that were moved behind our back may form a ring

}  // namespace

void NodeNames::Learn(NodeId node, Place place) {
  const auto known = names_.find(node);
  if (known != names_.end() && known->second.first == place.dir &&
      known->second.second == place.name) {
    nodes_[known->second] = node;
    return;
  }
  Name name(place.dir, std::string(place.name));
  nodes_[name] = node;
  names_[node] = std::move(name);
}

void NodeNames::Move(Place from, Place to, RenameMode mode) {
  const auto moved = nodes_.find(Name(from.dir, std::string(from.name)));
  const NodeId source = moved == nodes_.end() ? NodeId{} : moved->second;
  const auto covered = nodes_.find(Name(to.dir, std::string(to.name)));
  const NodeId target = covered == nodes_.end() ? NodeId{} : covered->second;
  if (moved != nodes_.end()) nodes_.erase(moved);
  if (source.value != 0) Learn(source, to);
  if (mode == RenameMode::kExchange && target.value != 0) Learn(target, from);
}

std::string NodeNames::PathOf(NodeId node) const {
  if (node == top_) return "/";
  std::string path;
  for (std::size_t depth = 0; depth < kMaxDepth; ++depth) {
    const auto found = names_.find(node);
    if (found == names_.end()) return path;
    const auto& [dir, name] = found->second;
    if (!path.empty()) path.insert(0, 1, '/');
    path.insert(0, name);
    if (dir == top_) return '/' + path;
    node = dir;
  }
  return path;
}

std::string NodeNames::PathOf(Place place) const {
  std::string path = PathOf(place.dir);
  if (!path.empty() && !path.ends_with('/')) path += '/';
  return path += place.name;
}

}  // namespace lamina::sim::internal
