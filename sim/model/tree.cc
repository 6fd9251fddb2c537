#include "sim/model/tree.h"

#include <algorithm>
#include <utility>

#include "lamina/base/check.h"

namespace lamina::sim {

std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string path(dir == "/" ? "" : dir);
  path += '/';
  path += name;
  return path;
}

std::string ParentPath(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string LastName(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::vector<std::string> Prefixes(const std::string& path) {
  std::vector<std::string> prefixes;
  for (std::string at = path; at != "/"; at = ParentPath(at)) prefixes.push_back(at);
  std::reverse(prefixes.begin(), prefixes.end());
  return prefixes;
}

bool IsAtOrBelow(std::string_view path, std::string_view top) {
  if (top == "/" || path == top) return true;
  return path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/';
}

ModelTree::ModelTree() {
  ModelInode root;
  root.type = ModelType::kDirectory;
  root.mode = 0755;
  Add("/", root);
}

const ModelInode* ModelTree::Find(const std::string& path) const { return ByIno(InoOf(path)); }

ModelInode* ModelTree::Find(const std::string& path) { return ByIno(InoOf(path)); }

ModelIno ModelTree::InoOf(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? 0 : found->second;
}

const ModelInode* ModelTree::ByIno(ModelIno ino) const {
  const auto found = inodes_.find(ino);
  return found == inodes_.end() ? nullptr : &found->second;
}

ModelInode* ModelTree::ByIno(ModelIno ino) {
  const auto found = inodes_.find(ino);
  return found == inodes_.end() ? nullptr : &found->second;
}

std::vector<std::string> ModelTree::NamesIn(const std::string& dir) const {
  std::vector<std::string> names;
  const std::string below = dir == "/" ? "/" : dir + "/";
  for (auto at = names_.lower_bound(below); at != names_.end(); ++at) {
    const std::string_view path = at->first;
    if (!path.starts_with(below)) break;
    const std::string_view name = path.substr(below.size());
    if (!name.empty() && name.find('/') == std::string_view::npos) names.emplace_back(name);
  }
  return names;
}

std::uint32_t ModelTree::Links(ModelIno ino) const {
  std::uint32_t names = 0;
  std::string last;
  for (const auto& [path, other] : names_) {
    if (other != ino) continue;
    ++names;
    last = path;
  }
  if (names == 0 || !inodes_.at(ino).is_directory()) return names;
  std::uint32_t links = 2;
  for (const std::string& name : NamesIn(last)) {
    if (Find(JoinPath(last, name))->is_directory()) ++links;
  }
  return links;
}

std::vector<std::string> ModelTree::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, ino] : names_) paths.push_back(path);
  return paths;
}

ModelIno ModelTree::Add(const std::string& path, const ModelInode& inode) {
  const ModelIno ino = next_++;
  inodes_[ino] = inode;
  AddName(path, ino);
  return ino;
}

void ModelTree::AddName(const std::string& path, ModelIno ino) {
  LAMINA_CHECK(names_.emplace(path, ino).second);
}

void ModelTree::Drop(const std::string& path) {
  const ModelIno ino = InoOf(path);
  LAMINA_CHECK(ino != 0);
  names_.erase(path);
  Forget(ino);
}

void ModelTree::DropAll(const std::string& path) {
  for (const std::string& other : Paths()) {
    if (IsAtOrBelow(other, path)) Drop(other);
  }
}

void ModelTree::Move(const std::string& from, const std::string& to) {
  std::map<std::string, ModelIno> names;
  for (const auto& [path, ino] : names_) {
    names[IsAtOrBelow(path, from) ? to + path.substr(from.size()) : path] = ino;
  }
  LAMINA_CHECK(names.size() == names_.size());
  names_ = std::move(names);
}

void ModelTree::Swap(const std::string& one, const std::string& other) {
  const std::string aside = "/\x01 aside";
  Move(one, aside);
  Move(other, one);
  Move(aside, other);
}

void ModelTree::Pin(ModelIno ino) { ++pins_[ino]; }

void ModelTree::Unpin(ModelIno ino) {
  if (--pins_[ino] == 0) pins_.erase(ino);
  Forget(ino);
}

void ModelTree::Forget(ModelIno ino) {
  if (pins_.contains(ino)) return;
  for (const auto& [path, other] : names_) {
    if (other == ino) return;
  }
  inodes_.erase(ino);
}

}  // namespace lamina::sim
