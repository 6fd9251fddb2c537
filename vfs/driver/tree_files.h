// Small calls on a FileSystem by directory and name, for drivers that keep books: a whole file, a
// directory that should be there, a tree that should not. No symlink is followed.
//
// Threads: as the FileSystem.
#ifndef LAMINA_VFS_DRIVER_TREE_FILES_H_
#define LAMINA_VFS_DRIVER_TREE_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"

namespace lamina::internal {

// The daemon is root, whoever calls.
OpContext AsDaemon(const OpContext& op);

// An open handle, closed at the end.
class OpenNode {
 public:
  OpenNode(FileSystem& fs, HandleId handle) : fs_(fs), handle_(handle) {}
  ~OpenNode() { fs_.Close(handle_); }
  OpenNode(const OpenNode&) = delete;
  OpenNode& operator=(const OpenNode&) = delete;
  HandleId handle() const { return handle_; }

 private:
  FileSystem& fs_;
  HandleId handle_;
};

// Lookup and GetAttr. Errors: those of both.
Result<Stat> StatAt(const OpContext& op, FileSystem& fs, Place place);
// The node at `path` ("/" is `top`). Errors: kNoEnt; kNotDir; those of Lookup.
Result<Stat> StatBelow(const OpContext& op, FileSystem& fs, NodeId top, std::string_view path);

// The names in a directory, sorted. Errors: those of Open and ReadDir.
Result<std::vector<std::string>> NamesIn(const OpContext& op, FileSystem& fs, NodeId dir);

// The directory at `place`, made when nothing is there. Errors: kNotDir something else is there.
Result<NodeId> EnsureDirectory(const OpContext& op, FileSystem& fs, Place place,
                               std::uint16_t mode);
// The same for every component of `path` below `top`.
Result<NodeId> EnsureDirectories(const OpContext& op, FileSystem& fs, NodeId top,
                                 std::string_view path, std::uint16_t mode);

// Removes what is at `place` with all that is in it; nothing when nothing is there.
Result<void> RemoveTree(const OpContext& op, FileSystem& fs, Place place);

// The whole of a regular file; its holes stay holes.
Result<std::shared_ptr<const PagedBytes>> ReadBody(const OpContext& op, FileSystem& fs,
                                                   NodeId node);
Result<std::string> ReadText(const OpContext& op, FileSystem& fs, NodeId node);
// Makes the body of an empty file that is open for writing. Errors: those of Write.
Result<void> WriteBody(const OpContext& op, FileSystem& fs, Opened file,
                       const std::shared_ptr<const PagedBytes>& content);
// write(2), all of it. Errors: those of Write; kNoSpc not all of it fits.
Result<void> WriteText(const OpContext& op, FileSystem& fs, HandleId file, std::uint64_t offset,
                       std::string_view text);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_TREE_FILES_H_
