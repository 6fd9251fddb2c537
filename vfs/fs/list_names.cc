#include "lamina/fs/list_names.h"

namespace lamina {

Result<std::vector<std::string>> ListNames(const OpContext& op, FileSystem& fs, NodeId dir) {
  const Result<HandleId> handle = fs.Open(op, dir, {});
  if (!handle.ok()) return handle.error();
  std::vector<std::string> names;
  const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  });
  fs.Close(*handle);
  if (!end.ok()) return end.error();
  return names;
}

}  // namespace lamina
