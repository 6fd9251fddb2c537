#include "sim/model/resolver.h"

#include "sim/model/tree.h"

namespace lamina::sim {
namespace {

std::string SkipSlashes(const std::string& text) {
  const std::size_t start = text.find_first_not_of('/');
  return start == std::string::npos ? "" : text.substr(start);
}

// One step into a component that is not the last. Returns the directory reached, or changes `rest`
// when the component is a symlink.
Result<std::string> Enter(const ModelView& view, const std::string& dir, const std::string& name,
                          std::string& rest, int& links) {
  if (name == ".") return dir;
  if (name == "..") return ParentPath(dir);
  const std::string path = JoinPath(dir, name);
  if (Result<void> may = view.CheckLookUp(path); !may.ok()) return may.error();
  const ModelInode* inode = view.Find(path);
  if (inode == nullptr) return Errno::kNoEnt;
  if (inode->type == ModelType::kSymlink) {
    if (++links > kModelSymlinkLimit) return Errno::kLoop;
    rest = inode->target + "/" + rest;
    return std::string(inode->target.starts_with('/') ? "/" : dir);
  }
  if (!inode->is_directory()) return Errno::kNotDir;
  return path;
}

}  // namespace

std::string Located::path() const {
  switch (last) {
    case Last::kName:
      return JoinPath(parent, name);
    case Last::kRoot:
      return "/";
    case Last::kDot:
      return parent;
    case Last::kDotDot:
      return ParentPath(parent);
  }
  return parent;
}

Result<Located> Locate(const ModelView& view, const ModelCaller& caller, const std::string& from,
                       const std::string& path, int& links) {
  if (path.size() > kModelPathLimit) return Errno::kNameTooLong;
  if (path.empty()) return Errno::kNoEnt;
  std::string dir = path.starts_with('/') ? "/" : from;
  std::string rest = SkipSlashes(path);
  while (!rest.empty()) {
    if (Result<void> may = view.Permits(caller, dir, kModelExecute); !may.ok()) return may.error();
    const std::size_t end = rest.find('/');
    const std::string name = rest.substr(0, end);
    const bool slash = end != std::string::npos;
    rest = slash ? SkipSlashes(rest.substr(end)) : "";
    if (rest.empty()) {
      Located::Last last = Located::Last::kName;
      if (name == ".") last = Located::Last::kDot;
      if (name == "..") last = Located::Last::kDotDot;
      return Located{dir, last, name, slash};
    }
    Result<std::string> entered = Enter(view, dir, name, rest, links);
    if (!entered.ok()) return entered.error();
    dir = *entered;
    rest = SkipSlashes(rest);
  }
  return Located{"/", Located::Last::kRoot, "", false};
}

Result<std::string> Resolve(const ModelView& view, const ModelCaller& caller,
                            const std::string& path, FinalLink final_link) {
  int links = 0;
  std::string from = "/";
  std::string rest = path;
  bool follow = final_link == FinalLink::kFollow;
  bool want_directory = false;
  while (true) {
    Result<Located> located = Locate(view, caller, from, rest, links);
    if (!located.ok()) return located.error();
    const std::string at = located->path();
    if (Result<void> may = view.CheckLookUp(at); !may.ok()) return may.error();
    follow = follow || located->trailing_slash;
    want_directory = want_directory || located->trailing_slash;
    const ModelInode* inode = view.Find(at);
    if (inode == nullptr) return Errno::kNoEnt;
    if (inode->type != ModelType::kSymlink || !follow) {
      if (want_directory && !inode->is_directory()) return Errno::kNotDir;
      return at;
    }
    if (++links > kModelSymlinkLimit) return Errno::kLoop;
    from = located->parent;
    rest = inode->target;
  }
}

}  // namespace lamina::sim
