#include "vfs/driver/tree_walk.h"

#include <utility>
#include <vector>

#include "vfs/driver/tree_files.h"

namespace lamina::internal {
namespace {

struct Frame {
  NodeId dir;
  std::vector<std::string> names;
  std::size_t next = 0;
  std::size_t path_bytes = 0;  // of the directory's path
};

bool IsGone(Errno error) { return error == Errno::kNoEnt || error == Errno::kStale; }

}  // namespace

Result<void> WalkTree(const OpContext& op, FileSystem& fs, NodeId top, TreeVisitor visit) {
  std::string path;
  std::vector<Frame> frames;
  Result<std::vector<std::string>> names = NamesIn(op, fs, top);
  if (!names.ok()) return names.error();
  frames.push_back({top, *std::move(names)});
  while (!frames.empty()) {
    Frame& frame = frames.back();
    path.resize(frame.path_bytes);
    if (frame.next == frame.names.size()) {
      frames.pop_back();
      continue;
    }
    const std::string& name = frame.names[frame.next++];
    path += '/';
    path += name;
    const Result<Stat> stat = StatAt(op, fs, {frame.dir, name});
    if (!stat.ok() && IsGone(stat.error())) continue;
    if (!stat.ok()) return stat.error();
    const Result<WalkOn> next = visit(path, *stat);
    if (!next.ok()) return next.error();
    if (*next == WalkOn::kPast || stat->type != FileType::kDirectory) continue;
    names = NamesIn(op, fs, stat->node);
    if (!names.ok() && IsGone(names.error())) continue;
    if (!names.ok()) return names.error();
    frames.push_back({stat->node, *std::move(names), 0, path.size()});
  }
  return {};
}

}  // namespace lamina::internal
