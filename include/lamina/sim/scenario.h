// Scenario: a text file of layers, mounts and file operations, parsed to a value; ScenarioRun: its
// execution, one statement at a time, on a world of RAM file systems and overlay mounts.
//
//   absl::StatusOr<Scenario> scenario = ParseScenario(text, {.file = "a.scn"});
//   ScenarioRun run(*scenario, {.sink = &lines});      // lines: the canonical text of the run
//   absl::Status done = run.RunAll();
//
// The language is described in sim/scenario/README.md; version 1 of it is the language of the
// kernel oracle (tests/oracle/SCENARIO.md), and the text of a run equals the kernel's.
//
// Errors of the text are kInvalidArgument with a message "FILE:LINE:COLUMN: what"; errors that
// show only while it runs (a set-up operation that fails, an unknown layer) are
// kFailedPrecondition with "FILE:LINE:COLUMN: what".
//
// Threads: Scenario is a plain value; a ScenarioRun belongs to one thread.
// Lifetime: a ScenarioRun keeps a reference to its Scenario.
#ifndef LAMINA_SIM_SCENARIO_H_
#define LAMINA_SIM_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/base/ids.h"
#include "lamina/block/block_device.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/trace/probe.h"
#include "lamina/union/overlay.h"

namespace lamina {
class SnapshotDevice;
class ThinPool;
}  // namespace lamina

namespace lamina::sim {

namespace internal {
struct Operation;  // a row of the operation table
}  // namespace internal

// What a scenario from a stranger may use up, and whether it may read files of the host.
struct ScenarioLimits {
  std::size_t statements = 200'000;            // after `repeat` and `rand`
  std::uint64_t content_bytes = 256ULL << 20;  // one data argument, one read
  std::uint64_t digest_bytes = 1ULL << 30;     // a file in a dump; larger: ERR:EFBIG
  bool host_files = true;                      // layer NAME from dir:, tar: or ext4:
};

struct ParseOptions {
  std::string file = "-";  // named in messages
  std::uint64_t seed = 0;  // draws the operations of `rand`
  ScenarioLimits limits = {};
};

// One argument, as bytes after quotes and escapes. `number` is its meaning where the kind has one:
// a number, a mode, a time in ns, the index of a word in its list.
struct ScenarioArgument {
  std::string text;
  int column = 1;
  std::int64_t number = 0;
};

// What follows `->`: the expected result of the operation, or the layer that answers.
struct Expectation {
  enum class Kind : std::uint8_t { kResult, kLayer };
  Kind kind = Kind::kResult;
  std::string text;
  std::string shown;  // as a file writes it
  bool quoted = false;
  int column = 1;
};

struct Statement {
  int line = 1;  // from 1; of the `rand` or of the body of the `repeat` it comes from
  int column = 1;
  const internal::Operation* operation = nullptr;
  std::string name;  // of the operation
  std::vector<ScenarioArgument> args;
  std::optional<Expectation> expectation;
  std::string text;  // canonical: name and arguments, without the expectation
};

struct Scenario {
  std::string file;
  int version = 1;
  std::string title;
  std::uint64_t seed = 0;
  ScenarioLimits limits = {};
  std::vector<Statement> statements;  // `repeat` and `rand` expanded
  // A statement of the language that is not supported here ("workload"); found while parsing.
  std::optional<std::string> unsupported;
};

// Reads a whole scenario. Nothing runs. Errors: see the top.
absl::StatusOr<Scenario> ParseScenario(std::string_view text, const ParseOptions& options);

// The scenario as a plain file: `repeat` and `rand` replaced by the statements they stand for. It
// runs to the same result.
std::string ExpandedText(const Scenario& scenario);

// The first statement or mount option of a well-formed scenario that is not supported yet, as a
// user writes it; nothing when the scenario can run.
std::optional<std::string> FindUnsupported(const Scenario& scenario);

// ── Running ──────────────────────────────────────────────────────────────────────────────────────

// Receives the canonical text of a run, line by line (without '\n').
class LineSink {
 public:
  virtual ~LineSink() = default;
  virtual void OnLine(std::string_view line) = 0;
};

struct ScenarioLayer {
  std::string name;
  std::string fs_name;  // argument of fs=
  std::string path;     // as the option string of a mount names it
  MemFs* fs = nullptr;
  NodeId root;
};

struct ScenarioMount {
  std::string point;
  UnionFs* fs = nullptr;       // null: `mount dev:…`, a file system on a device
  FileSystem* tree = nullptr;  // what is mounted
  Process* process = nullptr;
  std::string device;                    // of `mount dev:…`
  OverlayMount setup;                    // what was mounted
  std::vector<std::string> lower_names;  // layer names (or "mnt:M", or paths), topmost first
  std::vector<std::string> data_only_names;
  std::optional<std::string> upper_name;
};

// A block device of the scenario, or a thin pool.
struct ScenarioDevice {
  std::string name;
  BlockDevice* device = nullptr;       // as users write it; null for a pool, and for what is gone
  ThinPool* pool = nullptr;            // when it is one
  SnapshotDevice* snapshot = nullptr;  // when it is one of dm-snapshot
  std::optional<ThinId> thin = {};     // when it is one of `pool_name`
  std::string pool_name = {};
};

// Counted during operations on mounted trees and on devices, and readable by `expect`.
struct ScenarioCounters {
  std::uint64_t operations = 0;     // file operations that were not set-up
  std::uint64_t errors = 0;         // of those, how many gave an errno
  std::uint64_t copy_ups = 0;       // copies of file content from a lower to the upper
  std::uint64_t bytes_copied = 0;   // by those, and of chunks
  std::uint64_t bytes_asked = 0;    // that operations wrote
  std::uint64_t bytes_read = 0;     // that operations read
  std::uint64_t bytes_written = 0;  // bytes_asked + bytes_copied
  std::uint64_t branch_probes = 0;  // names looked up in a branch
  std::uint64_t whiteouts_seen = 0;
  std::uint64_t chunks_provisioned = 0;    // of thin devices
  std::uint64_t sharing_broken = 0;        // chunks of thin devices that moved
  std::uint64_t exceptions = 0;            // chunks of dm-snapshots that moved
  std::uint64_t commits = 0;               // of pools, that had something to write
  std::uint64_t device_bytes_read = 0;     // by disks, their metadata included
  std::uint64_t device_bytes_written = 0;  // by disks, their metadata included
};

// The value of the counter called `name`; nothing when there is none.
std::optional<std::uint64_t> CounterByName(const ScenarioCounters& counters, std::string_view name);

class ScenarioRun;

// Says which layers take part in an answer.
//
// Threads: called from the thread of the run.
class ProvenanceSource {
 public:
  virtual ~ProvenanceSource() = default;
  // The name of the layer that shows `path` in the current mount; nothing when no layer does.
  virtual std::optional<std::string> LayerOf(const ScenarioRun& run, std::string_view path) = 0;
  // One short column of text for the human form, for example "U·  L3⊘". May be empty. Asked before
  // each operation on a mounted tree that names a path.
  virtual std::string Column(const ScenarioRun& run, std::string_view path) = 0;
};

// Searches the branches of the current mount from the top for the path itself. Exact unless the
// path leads through a redirect or a symlink.
class BranchSearch final : public ProvenanceSource {
 public:
  std::optional<std::string> LayerOf(const ScenarioRun& run, std::string_view path) override;
  std::string Column(const ScenarioRun& run, std::string_view path) override;
};

struct ScenarioRunOptions {
  LineSink* sink = nullptr;                // canonical text; absent: none
  EventSink* events = nullptr;             // events of file operations; absent: none
  ProvenanceSource* provenance = nullptr;  // absent: a BranchSearch of its own
  bool columns = false;                    // fill StepReport::provenance
};

struct ScenarioFailure {
  int line = 1;
  std::string expected;
  std::string got;
};

struct ScenarioQuestion {
  int line = 1;
  std::string question;
  std::string answer;
};

// What one statement did.
struct StepReport {
  const Statement* statement = nullptr;
  bool operation = false;   // one on files that was not set-up, or on a device
  bool on_devices = false;  // a statement about devices
  std::string result;       // "OK", an errno name or a value; empty: prints none
  std::optional<Errno> error;
  std::optional<bool> expectation_held;
  std::uint64_t bytes_copied = 0;  // copied up by it, or of chunks
  std::string provenance;          // ProvenanceSource::Column before it
};

class ScenarioRun {
 public:
  ScenarioRun(const Scenario& scenario, const ScenarioRunOptions& options);
  ~ScenarioRun();
  ScenarioRun(const ScenarioRun&) = delete;
  ScenarioRun& operator=(const ScenarioRun&) = delete;

  bool AtEnd() const;
  // The statement Step would run. Only when !AtEnd().
  const Statement& next() const;
  // Runs one statement. Only when !AtEnd(). Errors: see the top; the run cannot go on then.
  absl::StatusOr<StepReport> Step();
  // Runs `statement`, which need not be of the scenario, on the current state, as Step would.
  absl::StatusOr<StepReport> RunExtra(const Statement& statement);
  // Runs a file operation of the current caller against `instead`, which stands in for the file
  // system of the current target. Nothing is counted or said; a handle it opens is closed again.
  // Errors: kFailedPrecondition no target, or it works on open handles; those of Step.
  absl::StatusOr<StepReport> Rehearse(const Statement& statement, FileSystem& instead);
  // Steps until `count` file operations (not set-up) have run and the next statement is a further
  // one, or to the end.
  absl::Status RunToOperation(std::size_t count);
  // Steps to the end, then Finish.
  absl::Status RunAll();
  // The dump at the end and the line about lowers, to the sink.
  void Finish();

  // The tree file operations work on: a layer or a mount. Null after a mount that failed.
  Process* target() const;
  // The union `dump` shows; null when nothing is mounted there, or a file system on a device.
  const ScenarioMount* mount() const;
  // The tree `dump` shows, whatever it is; null when nothing is mounted there.
  FileSystem* mounted_tree() const;
  // In order of creation; mounts below others on the same point included, topmost last.
  std::vector<const ScenarioLayer*> layers() const;
  std::vector<const ScenarioMount*> mounts() const;
  // In order of making.
  std::vector<ScenarioDevice> devices() const;
  // A caller that looks at devices and changes nothing: root, now, nobody listens.
  OpContext Observer() const;
  const ScenarioCounters& counters() const;
  std::size_t expectations() const;  // checked so far
  const std::vector<ScenarioFailure>& failures() const;
  const std::vector<ScenarioQuestion>& questions() const;

 private:
  struct Body;
  void CheckExpectation(StepReport& report);
  std::unique_ptr<Body> body_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_SCENARIO_H_
