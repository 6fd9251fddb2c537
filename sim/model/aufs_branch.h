// ModelBranch: one directory tree of an AUFS union, with the marks that are files in it.
//
//   .wh.NAME       hides NAME in the branches below
//   .wh..wh..opq   in a directory: what the branches below hold does not belong to it
//   .wh..wh.aufs   in the root of a writable branch: every mark is a hard link to it
//   .wh..wh.plnk/  names of the files that carry pseudo-links
//   .wh..wh.orph/  for copies of files without a directory; the model makes them without a name
//
// Source: aufs.md §1.2, §2.2, §2.5.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_AUFS_BRANCH_H_
#define LAMINA_SIM_MODEL_AUFS_BRANCH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/base/result.h"
#include "sim/model/tree.h"

namespace lamina::sim {

enum class ModelBranchMode : std::uint8_t {
  kReadWrite,         // rw
  kReadOnly,          // ro: its marks do not count
  kReadOnlyWhiteout,  // ro+wh
};

// Names that a user of the union can neither make nor ask for.
bool IsReservedName(std::string_view name);
// ".wh.x" hides a name "x"; ".wh." hides nothing.
bool IsWhiteoutName(std::string_view name);
// "/d/x" gives "/d/.wh.x".
std::string WhiteoutOf(const std::string& path);

class ModelBranch {
 public:
  // Numbers of branches are never used twice in a union.
  ModelBranch(int id, ModelTree tree) : id_(id), tree_(std::move(tree)) {}

  int id() const { return id_; }
  ModelBranchMode mode() const { return mode_; }
  const ModelTree& tree() const { return tree_; }
  ModelTree& tree() { return tree_; }
  bool is_writable() const { return mode_ == ModelBranchMode::kReadWrite; }
  bool honours_marks() const { return mode_ != ModelBranchMode::kReadOnly; }

  // Makes or takes away the base entries.
  // Errors: kInval a base entry is there and has another type.
  Result<void> SetMode(ModelBranchMode mode);

  // Whether the mark counts is the question of honours_marks.
  bool HasWhiteout(const std::string& path) const { return tree_.InoOf(WhiteoutOf(path)) != 0; }
  bool IsOpaque(const std::string& dir) const;
  void AddWhiteout(const std::string& path);
  void DropWhiteout(const std::string& path);  // if it is there
  void MarkOpaque(const std::string& dir);
  // Keeps a file with a pseudo-link under a name of its own.
  void KeepForPseudoLink(std::uint64_t number, ModelIno ino);
  void DropPseudoLinkNames();
  // A file without a name; the caller unpins it.
  ModelIno AddPinned(const ModelInode& inode);

 private:
  Result<void> AddBaseEntries();
  void DropBaseEntries();
  void AddMark(const std::string& path);

  int id_ = 0;
  ModelBranchMode mode_ = ModelBranchMode::kReadOnly;
  ModelTree tree_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_AUFS_BRANCH_H_
