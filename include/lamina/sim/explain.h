// Explain: why an operation gives what it gives, and what it would cost, without doing it. The
// answer comes from the real walk, the real permission checks and the real plans of the union; only
// the steps of the plans are not applied.
//
//   absl::StatusOr<Statement> operation = ParseOperation({"unlink", "/etc/hosts"}, {});
//   absl::StatusOr<Explanation> why = ExplainNext(run, *operation);
//   std::string text = ExplanationText(*why, {});
//
// Of an AUFS union a branch is named by its index: b0 rw w1, b1 ro+wh base. Each step says which
// branch it changes, each change why that one: the policy's reason.
//
// Not foreseen: what a branch finds out only when it is written (no space, too many links), and
// fifos that a handle holds open. A figure of free space that a policy asks for (mfs) is remembered
// as by the operation itself.
//
// Threads: plain values; the run belongs to one thread.
#ifndef LAMINA_SIM_EXPLAIN_H_
#define LAMINA_SIM_EXPLAIN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/base/errno.h"
#include "lamina/sim/scenario.h"
#include "lamina/sim/text_style.h"

namespace lamina::sim {

// What one branch holds under a name, and what follows from that.
struct ExplainedBranch {
  std::string label;      // U; L1 is the bottom lower; D1 the bottom data-only one; AUFS: b0, b1
  std::string layer;      // its name
  std::string outcome;    // "no entry", "regular, 20 B", "whiteout (char 0:0)", "not searched"
  std::string decision;   // "found, stop"; may be empty
  std::string mode = {};  // AUFS: "rw", "ro+wh"
};

struct ExplainedLookup {
  std::string path;                       // as the walk reached it, symlinks resolved
  std::vector<ExplainedBranch> branches;  // topmost first
  std::string refused = {};               // why no branch is asked
};

struct ExplainedStep {
  std::string text;
  bool commit = false;    // makes its part of the change visible
  bool clean_up = false;  // after the commit; may fail without harm
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::string label = {};  // AUFS: the branch it changes
};

// One call on the file system that changes something.
struct ExplainedChange {
  std::string title;
  std::string decision;  // may be empty
  std::vector<ExplainedStep> steps;
};

// A block of a device that the operation touches: virtual block, chunk, who shares it, what a write
// does.
struct ExplainedBlock {
  std::string device;
  std::uint64_t block = 0;                    // of the device
  std::uint64_t block_bytes = 0;              // its length
  std::string place;                          // "chunk 3, mapped at time 0", "no chunk", "the disk"
  std::optional<std::uint64_t> chunk;         // of the pool, or of the COW device
  std::vector<std::string> shared_with = {};  // "base block 0", by device
  std::string sharing = {};                   // why it counts as shared, or not; may be empty
  std::string effect = {};                    // "break sharing: allocate a chunk, copy 64 KiB, …"
};

struct ExplainedCost {
  std::uint64_t steps = 0;  // of plans
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;  // copied and asked
  std::uint64_t bytes_asked = 0;    // that the operation itself writes

  friend bool operator==(const ExplainedCost&, const ExplainedCost&) = default;
};

struct Explanation {
  std::string operation;
  std::vector<ExplainedLookup> lookups;  // those that matter
  std::vector<ExplainedBlock> blocks;    // of an operation on a device; a note counts the rest
  std::vector<ExplainedChange> changes;
  std::string answer;  // "OK", a value or the name of an errno, as the operation prints it
  std::optional<Errno> error;
  ExplainedCost cost;
  std::vector<std::string> notes;
  // The operation works on an open handle or on a device, or changes a mount: it was run to learn
  // answer and cost.
  bool was_run = false;
  // Of ExplainMode::kAnalyze: what really happened.
  std::optional<std::string> actual_answer;
  std::optional<ExplainedCost> actual_cost;
};

enum class ExplainMode : std::uint8_t {
  kPlan,     // nothing is changed
  kAnalyze,  // and then the operation runs, for comparison
};

// One file operation of the scenario language, or a `remount`. A single word may hold the whole
// operation as a line of a scenario; several are its arguments, taken as they are.
// Errors: kInvalidArgument, as ParseScenario.
absl::StatusOr<Statement> ParseOperation(const std::vector<std::string>& words,
                                         const ScenarioLimits& limits);

inline constexpr std::size_t kMostBlocks = 16;

struct ExplainedBlocks {
  std::vector<ExplainedBlock> shown;  // of each device the first kMostBlocks, and where it ends
  std::uint64_t left_out = 0;
  bool refused = false;  // a block or a note says that the operation waits or fails there
  std::vector<std::string> notes = {};
};

// What lies where `operation` (dd, discard) works, in the current state of `run`, and what it would
// do to each block. Nothing changes. Empty for another operation; a note tells of devices that are
// not there. Past the end of a device there is one block, which says so.
// Errors: kDataLoss  the metadata of a pool cannot be read.
absl::StatusOr<ExplainedBlocks> ExplainBlocks(const ScenarioRun& run, const Statement& operation);

// Explains a file operation on paths in the current state of `run`, which does not change.
// Errors: kFailedPrecondition the target is not a mounted tree, or the operation works on an open
// handle.
absl::StatusOr<Explanation> ExplainNext(ScenarioRun& run, const Statement& operation);

// Runs `scenario` up to `operations` file operations (absent: all) and explains `operation` there.
// One that works on an open handle or on a device, and a `remount`, is run for its answer.
// Errors: those of ExplainNext; kOutOfRange there are fewer operations; those of running.
absl::StatusOr<Explanation> ExplainAfter(const Scenario& scenario,
                                         std::optional<std::size_t> operations,
                                         const Statement& operation, ExplainMode mode);

// For people, several lines.
std::string ExplanationText(const Explanation& explanation, const TextStyle& style);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_EXPLAIN_H_
