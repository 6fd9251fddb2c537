// ChangesOf: what the writable branches of a union change, as `docker diff` tells it: A, C, D.
//
//   lower   /etc/hosts  /etc/motd  /srv/        upper   /etc/hosts  /etc/motd (whiteout)  /new
//
//   C /etc          a directory that changed itself, or has a change below it
//   C /etc/hosts    in a writable branch, and its name exists below
//   D /etc/motd     exists below, and is shown no more (what was below it is not listed)
//   A /new          shown, and nothing has that name below; everything in it is listed
//
// "Below" is what the read-only branches show without the writable ones. The root is not listed. A
// copied-up file counts as changed also when it holds the old bytes: bodies are not read. Marks and
// what AUFS keeps for itself (.wh..wh.*) are no names, so they are never listed.
//
// Threads: pure functions of the union, which must not be used meanwhile.
#ifndef LAMINA_SIM_CHANGES_H_
#define LAMINA_SIM_CHANGES_H_

#include <memory>
#include <vector>

#include "lamina/base/result.h"
#include "lamina/driver/change_set.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/union/overlay.h"
#include "lamina/union/union_fs.h"

namespace lamina::sim {

using lamina::ChangeKind;
using lamina::ChangeLetter;
using lamina::LayerChange;

// The read-only branches of a union as one tree: what it would show if nothing had been written.
//
// Lifetime: the branches' file systems must outlive it.
struct LowerView {
  std::unique_ptr<MemFs> floor;  // an empty branch below: an overlay needs two, an AUFS one
  std::unique_ptr<UnionFs> fs;
  std::vector<BranchIndex> origins;  // branch i of `fs` is that one of the union; kNoBranch: floor
};

// `options` are those an overlay was mounted with; an AUFS knows its own. Errors: as MountOverlay
// and MountAufs.
Result<LowerView> MountLowerView(const UnionFs& fs, const OverlayOptions& options = {});

// Sorted by path, hence parents first. Empty when no branch is writable. `options` as above.
// Errors: as MountLowerView, and what reading the branches gives.
Result<std::vector<LayerChange>> ChangesOf(UnionFs& fs, const OverlayOptions& options = {});

// The same for any branch of an AUFS union against those below it, as a mount of these would show
// them: what only the live union remembers (pseudo-links) does not count.
Result<std::vector<LayerChange>> ChangesOfAufsBranch(const UnionFs& fs, BranchIndex branch);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHANGES_H_
