// Reading nodes of any FileSystem, for whoever writes them somewhere else.
//
// Threads: as the FileSystem.
#ifndef LAMINA_IMAGE_SOURCE_NODE_H_
#define LAMINA_IMAGE_SOURCE_NODE_H_

#include <string>
#include <vector>

#include "lamina/fs/file_system.h"
#include "vfs/image/node_attributes.h"

namespace lamina {

// An open handle, closed at the end.
class SourceHandle {
 public:
  SourceHandle(FileSystem& fs, HandleId id) : fs_(fs), id_(id) {}
  ~SourceHandle() { fs_.Close(id_); }
  SourceHandle(const SourceHandle&) = delete;
  SourceHandle& operator=(const SourceHandle&) = delete;

  HandleId id() const { return id_; }

 private:
  FileSystem& fs_;
  HandleId id_;
};

// The attributes in `stat` and the xattrs of its node; none where there are no xattrs.
// Errors: those of ListXattr and GetXattr.
Result<NodeAttributes> ReadAttributes(const OpContext& op, FileSystem& fs, const Stat& stat);

// The names in the directory, sorted. Errors: those of Open and ReadDir.
Result<std::vector<std::string>> ReadNames(const OpContext& op, FileSystem& fs, NodeId dir);

}  // namespace lamina
#endif  // LAMINA_IMAGE_SOURCE_NODE_H_
