// The marks that fuse-overlayfs reads beside the kernel's, when an overlay is mounted with
// OverlayOptions::fuse_whiteouts (containers/fuse-overlayfs):
//
//   .wh.NAME        in any layer: NAME is absent in the layers below; in the same layer an object
//                   called NAME wins and nothing below is merged with it
//   .wh..wh..opq    in a directory: it is opaque; so are directories whose xattr
//                   trusted.overlay.opaque, user.overlay.opaque or user.fuseoverlayfs.opaque begins
//                   with y
//
// Names that begin with .wh. are neither shown nor found, and cannot be made. What the union itself
// writes are the kernel's marks, which fuse-overlayfs reads too.
#ifndef LAMINA_VFS_UNION_FUSE_WHITEOUTS_H_
#define LAMINA_VFS_UNION_FUSE_WHITEOUTS_H_

#include <array>
#include <string>
#include <string_view>

#include "lamina/fs/file_system.h"

namespace lamina {

inline constexpr std::string_view kDotWh = ".wh.";
inline constexpr std::string_view kDotWhOpaque = ".wh..wh..opq";
inline constexpr std::array<std::string_view, 3> kFusePrefixes = {
    "trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."};

inline bool IsDotWhName(std::string_view name) { return name.starts_with(kDotWh); }
// The marker of `name` in a directory. Errors: kNoEnt there is none, what the branch gives.
Result<NodeId> FindDotWh(const OpContext& op, FileSystem& fs, NodeId dir, std::string_view name);
bool IsFuseOpaque(const OpContext& op, FileSystem& fs, NodeId dir);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_FUSE_WHITEOUTS_H_
