#include "vfs/union/fuse_whiteouts.h"

namespace lamina {

Result<NodeId> FindDotWh(const OpContext& op, FileSystem& fs, NodeId dir, std::string_view name) {
  Result<NodeId> marker = fs.Lookup(op, {dir, std::string(kDotWh) + std::string(name)});
  if (!marker.ok() && marker.error() == Errno::kNameTooLong) return Errno::kNoEnt;
  return marker;
}

bool IsFuseOpaque(const OpContext& op, FileSystem& fs, NodeId dir) {
  for (const std::string_view prefix : kFusePrefixes) {
    Result<std::string> value = fs.GetXattr(op, dir, std::string(prefix) + "opaque");
    if (value.ok() && value->starts_with('y')) return true;
  }
  return fs.Lookup(op, {dir, kDotWhOpaque}).ok();
}

}  // namespace lamina
