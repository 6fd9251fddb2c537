// Drawing for AUFS: branches, changes of the branches, and names that only AUFS knows.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_AUFS_DRAWING_H_
#define LAMINA_TESTS_MODEL_AUFS_DRAWING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sim/model/aufs_view.h"
#include "tests/model/drawing.h"

namespace lamina::sim {

// Topmost first: one to four, at least one of them writable, most often the topmost.
std::vector<AufsView::Content> DrawBranches(const Choose& choose);

struct BranchChange {
  enum class Kind : std::uint8_t { kAdd, kDelete, kSetMode };
  Kind kind = Kind::kSetMode;
  std::size_t index = 0;
  ModelBranchMode mode = ModelBranchMode::kReadOnly;
  std::vector<ModelOperation> content;  // kAdd

  std::string Show() const;
};

BranchChange DrawBranchChange(const AufsView& view, const Choose& choose);
Result<void> ApplyBranchChange(AufsView& view, const BranchChange& change);

// Now and then makes a path of the call end in a reserved or a long name.
ModelOperation WithOddName(ModelOperation call, const Choose& choose);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_AUFS_DRAWING_H_
