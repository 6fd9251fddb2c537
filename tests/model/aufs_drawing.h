// Drawing for AUFS: branches, changes of the branches, and names that only AUFS knows.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_AUFS_DRAWING_H_
#define LAMINA_TESTS_MODEL_AUFS_DRAWING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/model/aufs_view.h"
#include "tests/model/drawing.h"

namespace lamina::sim {

// "rw", "ro", "ro+wh"
std::string_view WordOf(ModelBranchMode mode);

struct DrawnBranch {
  ModelBranchMode mode = ModelBranchMode::kReadOnly;
  std::vector<ModelOperation> content;
};

// Topmost first: one to four, at least one of them writable, most often the topmost.
std::vector<DrawnBranch> DrawBranches(const Choose& choose);
// The same for the model.
std::vector<AufsView::Content> ContentsOf(const std::vector<DrawnBranch>& branches);

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

// Anything that is done to a union: a call, or what an administrator does.
struct AufsStep {
  enum class Kind : std::uint8_t {
    kCall,
    kBranches,     // a branch comes, goes or changes its mode; a flush first, as mount(8) does
    kFlush,        // auplink flush
    kForgetNames,  // what the union remembers and nobody uses goes, as drop_caches does
  };
  Kind kind = Kind::kCall;
  ModelOperation call;
  BranchChange change;

  std::string_view Word() const;
  std::string Show() const;
};

enum class Branches : std::uint8_t { kStay, kChange };

// `model` has an AufsView.
AufsStep DrawStep(const PosixModel& model, const std::vector<OperationKind>& swarm,
                  Branches branches, const Choose& choose);
bool IsSettled(const PosixModel& model, const AufsStep& step);
ModelOutcome ApplyStep(PosixModel& model, const AufsStep& step);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_AUFS_DRAWING_H_
