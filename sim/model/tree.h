// ModelTree: one directory tree as a map from path to inode number. Paths on purpose: nothing here
// is shared with the library, not even the splitting of a path.
//
//   "/"      -> 1      1: directory 0755
//   "/a"     -> 2      2: directory
//   "/a/x"   -> 3      3: file "hello", two names: nlink 2
//   "/y"     -> 3
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_TREE_H_
#define LAMINA_SIM_MODEL_TREE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/model/inode.h"

namespace lamina::sim {

// "/a" and "b" give "/a/b"; "/" and "b" give "/b".
std::string JoinPath(std::string_view dir, std::string_view name);
// The directory of a path that is not "/"; "/" for "/".
std::string ParentPath(std::string_view path);
// The last component; "" for "/".
std::string LastName(std::string_view path);
// "/a/b" gives "/a" and "/a/b"; "/" gives nothing.
std::vector<std::string> Prefixes(const std::string& path);
// Is `path` equal to `top` or below it?
bool IsAtOrBelow(std::string_view path, std::string_view top);

class ModelTree {
 public:
  ModelTree();  // a root directory, 0755, owned by 0:0

  // Null when there is no such name. The pointer is valid until the tree changes.
  const ModelInode* Find(const std::string& path) const;
  ModelInode* Find(const std::string& path);
  ModelIno InoOf(const std::string& path) const;  // 0: no such name
  // An inode by number, with or without a name; null when it is gone.
  const ModelInode* ByIno(ModelIno ino) const;
  ModelInode* ByIno(ModelIno ino);
  // Names directly in the directory, in byte order.
  std::vector<std::string> NamesIn(const std::string& dir) const;
  // Names of a file; 2 and one for each subdirectory for a directory; 0 without a name.
  std::uint32_t Links(ModelIno ino) const;
  // Every path, in byte order of the paths.
  std::vector<std::string> Paths() const;

  // Changes of names; none of them touches a time stamp. Names must be free, or exist, as needed.
  ModelIno Add(const std::string& path, const ModelInode& inode);
  void AddName(const std::string& path, ModelIno ino);
  void Drop(const std::string& path);                         // one name
  void DropAll(const std::string& path);                      // a name and everything below
  void Move(const std::string& from, const std::string& to);  // with everything below
  void Swap(const std::string& one, const std::string& other);

  // A pinned inode outlives its last name.
  void Pin(ModelIno ino);
  void Unpin(ModelIno ino);

 private:
  void Forget(ModelIno ino);

  std::map<std::string, ModelIno> names_;
  std::map<ModelIno, ModelInode> inodes_;
  std::map<ModelIno, int> pins_;
  ModelIno next_ = 1;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_TREE_H_
