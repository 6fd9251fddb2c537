// ModelEntry: one line of a dump: a path and all that is seen of it. Two dumps are compared entry
// by entry.
//
// Threads: plain values, pure functions.
#ifndef LAMINA_SIM_MODEL_ENTRY_H_
#define LAMINA_SIM_MODEL_ENTRY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sim/model/inode.h"
#include "sim/model/view.h"

namespace lamina::sim {

struct ModelEntry {
  std::string path;
  bool found = true;  // false: readdir lists it, lstat does not find it
  ModelInode inode;   // extended attributes as root sees them; every time from 10^9 s on: kModelNow
  std::uint32_t links = 0;
  std::uint64_t identity = 0;

  // PATH TYPE MODE UID:GID [size=N] nlink=N [rdev=..] [target=".."] [content=".."] mtime=T [xattrs]
  std::string Show() const;
};

// Depth first, children in byte order.
std::vector<ModelEntry> DumpView(const ModelView& view);

// Attributes as the dump writes them: {user.a="1",user.b="2"}; "" when there are none.
std::string ShowXattrs(const std::map<std::string, std::string>& xattrs);

// The first difference between two dumps, or "" when there is none. Identities are compared by
// equality within each dump.
std::string CompareDumps(const std::vector<ModelEntry>& want, const std::vector<ModelEntry>& got);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_ENTRY_H_
