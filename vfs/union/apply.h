// Apply: carries a plan out, one branch call a step.
//
// Until a transaction's commit step has run, a failure takes its prepare steps back and gives the
// errno; afterwards failures of clean-up steps are left to the next mount. Emits kStep,
// kCommitStep, kUndo and kBytesCopied.
#ifndef LAMINA_VFS_UNION_APPLY_H_
#define LAMINA_VFS_UNION_APPLY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "vfs/union/plan.h"
#include "vfs/union/union_state.h"

namespace lamina {

class Application {
 public:
  // `next_temporary` numbers the names in the work directory and is advanced.
  Application(const OpContext& caller, UnionState& state, const Plan& plan,
              std::uint64_t& next_temporary);
  ~Application();  // closes the handles of slots that nobody took
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  Result<void> Run();

  // What a slot holds after Run.
  NodeId slot_node(int slot) const { return slots_[static_cast<std::size_t>(slot)].node; }
  // The slot's open handle, which the caller closes from now on.
  HandleId TakeHandle(int slot);
  // Keys under which union nodes are no longer found.
  const std::vector<std::pair<NodeId, NodeKey>>& dropped_keys() const { return dropped_keys_; }
  // Where a slot's temporary name is.
  Place slot_place(int slot) const {
    const Slot& made = slots_[static_cast<std::size_t>(slot)];
    return {made.dir, made.temporary};
  }

 private:
  struct Slot {
    NodeId node;
    HandleId handle;
    BranchIndex branch = 0;
    NodeId dir;  // where its temporary name is
    std::string temporary;
  };
  // How to take a finished prepare step back.
  struct Undo {
    const Step* step = nullptr;
    std::optional<std::string> old_value;
  };
  // The times of a directory before the transaction changed it.
  struct OldTimes {
    BranchIndex branch = 0;
    NodeId dir;
    Instant atime, mtime;
  };

  Result<void> RunStep(const Step& step);
  Result<void> Make(const OpContext& op, const Step& step);
  Result<void> CopyData(const Step& step);
  Result<void> SetMark(const OpContext& op, const Step& step);
  Result<void> LinkStep(const OpContext& op, const Step& step);
  Result<void> RenameStep(const OpContext& op, const Step& step);
  void TakeBack();
  void TakeBackOne(const Undo& undo);
  // Directories outside the work directory that a prepare step is going to change.
  void KeepTimes(const Step& step);
  void Committed(const Step& step);

  Result<NodeId> Resolve(const StepNode& node, BranchIndex branch) const;
  Result<Place> ResolvePlace(const StepPlace& place, BranchIndex branch) const;
  Slot& slot(const StepNode& node) { return slots_[static_cast<std::size_t>(node.slot)]; }
  std::string NextTemporary();
  // A temporary name in `dir` for something called `name`: .wh..wh.NAME.HHHH
  Result<std::string> NextBeside(FileSystem& fs, NodeId dir, std::string_view name);

  const OpContext caller_;
  const OpContext mounter_;
  UnionState& state_;
  const Plan& plan_;
  std::uint64_t& next_temporary_;
  std::vector<Slot> slots_;
  std::vector<Undo> undo_;
  std::vector<OldTimes> times_;
  std::vector<std::pair<NodeId, NodeKey>> dropped_keys_;
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_APPLY_H_
