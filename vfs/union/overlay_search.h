// OverlaySearch: one lookup on its way through the branches (ovl_lookup_single and
// ovl_lookup_layer in fs/overlayfs/namei.c), and the marks it reads.
#ifndef LAMINA_VFS_UNION_OVERLAY_SEARCH_H_
#define LAMINA_VFS_UNION_OVERLAY_SEARCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vfs/union/overlay_dialect.h"

namespace lamina {

// The state one lookup carries from branch to branch.
struct OverlaySearch {
  const OpContext& op;
  const OverlayConfig& config;
  const UnionState& state;
  std::string_view path;      // a component, or an absolute redirect to walk from each root
  std::string followed = {};  // what `path` views once a redirect was followed
  bool is_dir = false;        // a directory was found
  bool opaque = false;
  bool stop = false;  // nothing below counts
  bool last = false;  // no branch below needs an answer: marks are not read
  bool redirected = false;
  bool absolute_redirect = false;
  bool metacopy = false;         // the last regular file found has its body below
  std::uint32_t nlink_here = 0;  // of the last object found
  bool digest_here = false;      // … and its mark holds a digest
  bool digest = false;           // that of the topmost lower metacopy file does
  bool xattr_whiteouts = false;
};

// Looks the searched path up in one branch, starting at `base`: one component, or every component
// of an absolute redirect. Nothing: absent or hidden here.
// Errors: what the branch gives; kInval a malformed redirect; kIo a malformed metacopy mark; kLoop
// another layer's root.
Result<std::optional<Hit>> LookUpInBranch(OverlaySearch& search, FileSystem& fs, BranchIndex branch,
                                          NodeId base);

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_OVERLAY_SEARCH_H_
