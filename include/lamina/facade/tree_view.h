// TreeView: one tree, looked at without leaving a trace: no counter moves, no time stamp, no event.
// The merged tree of a mount, one layer as it is stored, or any FileSystem.
//
//   fs->Layer("upper").Lstat("/etc/hosts")     the whiteout itself (overlay: a device 0:0)
//   fs->Layer("upper").Lstat("/etc/.wh.hosts") the same of an AUFS: a file
//   fs->Merged().Lstat("/etc/hosts")           ENOENT
//
// A writable branch of an AUFS also holds its base entries, .wh..wh.aufs and two directories. (To
// list a directory is to open it, so under the AUFS attribute coo_all that copies it up, here too.)
//
// Reads as root. Symlinks on the way are followed, inside the view.
//
// Threads: the rule of the file system it shows.
// Lifetime: keeps the mount it was taken from alive; a view of a plain FileSystem does not.
#ifndef LAMINA_FACADE_TREE_VIEW_H_
#define LAMINA_FACADE_TREE_VIEW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/facade/union_dialect.h"
#include "lamina/fs/file_system.h"
#include "lamina/fs/walk.h"

namespace lamina {

namespace internal {
struct FacadeMount;
}  // namespace internal

struct Call;

// One name in a directory.
struct Entry {
  std::string name;
  FileType type{};
  std::uint64_t ino = 0;  // as readdir reports it
  friend bool operator==(const Entry&, const Entry&) = default;
};

class TreeView {
 public:
  TreeView(FileSystem& fs, NodeId root, std::string_view name)
      : fs_(&fs), root_(root), name_(name) {}

  const std::string& name() const { return name_; }  // of the layer; "merged" for a mount
  FileSystem& fs() const { return *fs_; }
  NodeId root() const { return root_; }
  // Of the mount it was taken from: the form of the marks. A plain FileSystem: kOverlay.
  UnionDialect dialect() const;

  // Errors of all: what the POSIX call of that name gives to root.
  absl::StatusOr<lamina::Stat> Lstat(std::string_view path) const;
  absl::StatusOr<lamina::Stat> Stat(std::string_view path) const;  // follows a symlink
  absl::StatusOr<std::string> Readlink(std::string_view path) const;
  absl::StatusOr<std::string> ReadFile(std::string_view path) const;  // follows a symlink
  // Sorted by name, without "." and "..".
  absl::StatusOr<std::vector<Entry>> ReadDir(std::string_view path) const;
  // Of `path` itself when it is a symlink. Keys are sorted.
  absl::StatusOr<std::string> Getxattr(std::string_view path, std::string_view key) const;
  absl::StatusOr<std::vector<std::string>> Listxattr(std::string_view path) const;

  // Every path, parents first, without the root. A directory that cannot be read is an error.
  absl::StatusOr<std::vector<std::string>> AllPaths() const;

  // The latest successful call on its mount that names `path` or a directory above it; null when
  // none does, and for a plain FileSystem.
  const Call* MadeBy(std::string_view path) const;

 private:
  friend class LayeredFs;
  TreeView(std::shared_ptr<const internal::FacadeMount> mount, FileSystem& fs, NodeId root,
           std::string_view name)
      : mount_(std::move(mount)), fs_(&fs), root_(root), name_(name) {}
  Result<lamina::Stat> Find(std::string_view path, LastLink last_link) const;

  std::shared_ptr<const internal::FacadeMount> mount_;
  FileSystem* fs_;
  NodeId root_;
  std::string name_;
};

}  // namespace lamina
#endif  // LAMINA_FACADE_TREE_VIEW_H_
