// ChangesOf: what the writable branch of a union changes, as `docker diff` tells it: A, C, D.
//
//   lower   /etc/hosts  /etc/motd  /srv/        upper   /etc/hosts  /etc/motd (whiteout)  /new
//
//   C /etc          a directory that changed itself, or has a change below it
//   C /etc/hosts    in the writable branch, and its name exists below
//   D /etc/motd     exists below, and is shown no more (what was below it is not listed)
//   A /new          shown, and nothing has that name below; everything in it is listed
//
// "Below" is what the read-only branches show without the writable one. The root is not listed. A
// copied-up file counts as changed also when it holds the old bytes: bodies are not read.
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

// The read-only branches of an overlay as one tree: what it would show if nothing had been written.
//
// Lifetime: the branches' file systems must outlive it.
struct LowerView {
  std::unique_ptr<MemFs> floor;  // an empty branch below: an overlay needs a pair of them
  std::unique_ptr<UnionFs> fs;
  BranchIndex first = 0;  // branch i of `fs` is branch first + i of the union
};

// `options` are those the union was mounted with. Errors: as MountOverlay.
Result<LowerView> MountLowerView(const UnionFs& fs, const OverlayOptions& options = {});

// Sorted by path, hence parents first. Empty when no branch is writable. `options` as above.
// Errors: as MountOverlay, and what reading the branches gives.
Result<std::vector<LayerChange>> ChangesOf(UnionFs& fs, const OverlayOptions& options = {});

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHANGES_H_
