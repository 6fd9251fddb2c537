// Plan: the branch operations that carry out one union call, decided before the first one runs.
//
// A Step is exactly one call on one branch FileSystem, so a crash point lies between any two.
// Steps run in order. Each transaction of a plan is: prepare steps (undone when one of them or the
// commit fails), one commit step (after it that transaction has happened), clean-up steps (failures
// are left to the next mount). A copy-up of three parents and a whiteout is four transactions: a
// failure in the fourth leaves the parents copied up, as in the kernel.
#ifndef LAMINA_VFS_UNION_PLAN_H_
#define LAMINA_VFS_UNION_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/file_system.h"
#include "lamina/union/branch.h"
#include "lamina/union/union_fs.h"

namespace lamina {

enum class StepKind : std::uint8_t {
  kCreate,         // a node at its final place
  kCreateTemp,     // a node under a temporary name in the work directory
  kCreateUnnamed,  // an unnamed regular file (O_TMPFILE)
  kCopyData,       // body of a lower file into a new one
  kSetAttr,
  kSetXattr,
  kDropXattr,
  kSyncNode,
  kLinkNode,     // one more name for a node
  kLinkUnnamed,  // the first name for an unnamed file
  kRemove,
  kRename,
};
std::string_view StepKindName(StepKind kind);

enum class StepPhase : std::uint8_t { kPrepare, kCommit, kCleanUp };

// What a step works on: a node known now, the object a union node has in the step's branch when the
// step runs, or a node that an earlier step of the plan makes.
struct StepNode {
  enum class Kind : std::uint8_t { kNone, kFixed, kWritableOf, kSlot };
  Kind kind = Kind::kNone;
  NodeId node;    // of the branch (kFixed) or of the union (kWritableOf)
  int slot = -1;  // kSlot

  static StepNode Fixed(NodeId branch_node) { return {Kind::kFixed, branch_node, -1}; }
  static StepNode WritableOf(NodeId union_node) { return {Kind::kWritableOf, union_node, -1}; }
  static StepNode Slot(int slot) { return {Kind::kSlot, {}, slot}; }
  friend bool operator==(const StepNode&, const StepNode&) = default;
};

// A directory and a name; with a slot as directory: the temporary place of that slot.
struct StepPlace {
  StepNode dir;
  std::string name;
};

struct Step {
  StepKind kind{};
  StepPhase phase = StepPhase::kPrepare;
  BranchIndex branch = 0;
  bool as_mounter = true;    // with the mounter's credentials, else the caller's
  bool best_effort = false;  // a failure is ignored
  bool minds_quota = false;  // … but not kDQuot and kNoMem
  StepNode node;
  StepPlace place;
  StepPlace to;  // kRename; a slot: a temporary name beside `place`
  bool beside =
      false;  // kCreateTemp: under a temporary name in place.dir, not in the work directory
  RenameMode rename_mode = RenameMode::kReplace;
  FileType type = FileType::kRegular;  // of what is made or removed
  std::uint16_t mode = 0;
  std::uint64_t rdev = 0;
  std::string target;  // of a symlink
  AttrChange change;
  std::string key;
  std::string value;
  int handle_slot = -1;  // kSetXattr: the value is the handle of that slot's object
  int number_slot = -1;  // kLinkNode: the new name ends with the inode number of that slot's object
  XattrMode xattr_mode = XattrMode::kSet;
  BranchIndex source_branch = 0;  // kCopyData
  NodeId source;
  std::uint64_t length_bytes = 0;  // kCopyData: how much of the source at most
  bool drops_zeros = false;        // kCopyData: pages of zeros become holes
  int result_slot = -1;            // where the made node is remembered
  OpenFlags open_flags;            // kCreateUnnamed
  HandleId handle;                 // kLinkUnnamed of a file the union holds open; 0: the slot's
  bool reversible = false;         // kRename: taken back when a later step fails
  NodeId copied_up;                // union node that has an object in the branch from now on
  int made_slot = -1;              // … the object of that slot; else the one of `node`
  bool sheds_lower = false;        // … and no other
  bool elsewhere = false;          // … under a name that is not the one in use
  bool rekeys = false;             // … by which it is found from now on
  bool metacopy = false;           // … without its body
  bool indexed = false;            // … under its name in the index
  std::uint32_t nlink = 0;  // … and counts its names in the union from this on; 0: as before
  NodeId supplants;         // union node whose name means another object from now on
  NodeId body_copied;       // union node whose body is in the writable branch from now on
  NodeId linked;            // union node whose name in use this commit makes there
  NodeId redirects;         // union node whose redirect this mark is
};

// A directory that is only one branch's after it moved.
struct MovedDirectory {
  NodeId node;
  BranchIndex branch = 0;
  bool opaque = false;
};

struct Plan {
  Plan() { steps.reserve(kUsualSteps); }

  static constexpr std::size_t kUsualSteps = 2;
  std::vector<Step> steps;
  int slots = 0;
  int made = -1;  // the slot of the object the call is about
  BranchIndex made_branch = 0;
  bool buries = false;           // the directory it removes ends in the work directory
  bool made_opaque = false;      // it bears the opaque mark
  std::string_view reason = {};  // why that branch; static text
  std::optional<std::int64_t> turn = std::nullopt;  // where a round robin is afterwards
  int left_for_later = -1;  // the slot of a directory that stands aside to be emptied
  BranchIndex left_branch = 0;
  std::vector<MovedDirectory> moved;
  BranchIndex renews_base = kNoBranch;  // its base file of whiteouts has all the links it can
  // The call fails with this after its steps: what the kernel finds out too late to have done
  // nothing.
  std::optional<Errno> refusal;

  int NewSlot() { return slots++; }
  Step& Add(StepKind kind, StepPhase phase) {
    Step& step = steps.emplace_back();
    step.kind = kind;
    step.phase = phase;
    return step;
  }
};

}  // namespace lamina
#endif  // LAMINA_VFS_UNION_PLAN_H_
