#include "tests/model/drawn_paths.h"

#include <algorithm>

#include "sim/model/tree.h"

namespace lamina::sim {
namespace {

// Paths with more than plain components.
std::string DrawOddPath(const Shown& shown, const Choose& choose) {
  const std::string path = OneOf(shown.all, choose);
  switch (choose(12)) {
    case 0:
    case 1:
    case 2:
      return path + "/";
    case 3:
      return path + "/.";
    case 4:
      return path + "/..";
    case 5:
      return "/" + DrawName(choose) + "/../" + DrawName(choose);
    case 6:
      return "/";
    case 7:
      return JoinPath(OneOf(shown.directories, choose), std::string(256, 'n'));
    case 8:
      return JoinPath(OneOf(shown.directories, choose), "new/");
    case 9:
      return "";
    case 10:
      return "//" + DrawName(choose) + "//" + DrawName(choose);
    default:
      return path + "/" + DrawName(choose) + "/" + DrawName(choose);
  }
}

}  // namespace

const std::string& OneOf(const std::vector<std::string>& values, const Choose& choose) {
  return values.at(static_cast<std::size_t>(choose(static_cast<int>(values.size()))));
}

std::string DrawName(const Choose& choose) {
  static const std::array<std::string, 4> kNames = {"a", "b", "c", "d"};
  return OneOf(kNames, choose);
}

Shown ShownBy(const ModelView& view) {
  Shown shown;
  std::vector<std::string> pending = {"/"};
  while (!pending.empty()) {
    const std::string path = pending.back();
    pending.pop_back();
    const ModelInode* inode = view.Find(path);
    if (inode == nullptr) continue;
    if (path != "/") shown.all.push_back(path);
    if (inode->type == ModelType::kFile) shown.files.push_back(path);
    if (inode->type == ModelType::kSymlink) shown.symlinks.push_back(path);
    if (!inode->is_directory()) {
      shown.others.push_back(path);
      continue;
    }
    shown.directories.push_back(path);
    for (const ListedName& entry : view.List(path)) pending.push_back(JoinPath(path, entry.name));
  }
  if (shown.all.empty()) shown.all.push_back("/");
  return shown;
}

std::string DrawFreePath(const Shown& shown, const Choose& choose) {
  std::string path = JoinPath(OneOf(shown.directories, choose), DrawName(choose));
  const bool too_deep = std::count(path.begin(), path.end(), '/') > 3;
  return too_deep ? "/" + DrawName(choose) : path;
}

std::string DrawPath(const Shown& shown, const Choose& choose) {
  const int choice = choose(20);
  if (choice < 15) return OneOf(shown.all, choose);
  if (choice < 18) return DrawFreePath(shown, choose);
  return DrawOddPath(shown, choose);
}

std::string DrawNewPath(const Shown& shown, const Choose& choose) {
  if (choose(10) == 1) return DrawPath(shown, choose);
  std::string path = DrawFreePath(shown, choose);
  const bool taken = std::find(shown.all.begin(), shown.all.end(), path) != shown.all.end();
  return taken ? DrawFreePath(shown, choose) : path;
}

std::string DrawPathLike(const std::vector<std::string>& wanted, const Shown& shown,
                         const Choose& choose) {
  if (wanted.empty() || choose(10) > 6) return DrawPath(shown, choose);
  return OneOf(wanted, choose);
}

}  // namespace lamina::sim
