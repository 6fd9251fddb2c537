#include "sim/model/flatten.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lamina::sim {

ModelTree FlattenView(const ModelView& view) {
  ModelTree flat;
  *flat.Find("/") = *view.Find("/");
  std::map<std::uint64_t, ModelIno> known;
  std::vector<std::string> pending = {"/"};
  while (!pending.empty()) {
    const std::string dir = pending.back();
    pending.pop_back();
    for (const ListedName& listed : view.List(dir)) {
      const std::string path = JoinPath(dir, listed.name);
      const ModelInode* inode = view.Find(path);
      if (inode == nullptr) continue;
      ModelIno& ino = known[view.Identity(path)];
      if (ino != 0) {
        flat.AddName(path, ino);
      } else {
        ino = flat.Add(path, *inode);
      }
      if (inode->is_directory()) pending.push_back(path);
    }
  }
  for (const std::string& path : flat.Paths()) {
    std::map<std::string, std::string> shown;
    for (const auto& [key, value] : view.Find(path)->xattrs) {
      if (const auto name = view.ShownKey(key); name.has_value()) shown[*name] = value;
    }
    flat.Find(path)->xattrs = std::move(shown);
  }
  return flat;
}

}  // namespace lamina::sim
