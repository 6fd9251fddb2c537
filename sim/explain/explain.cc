#include "lamina/sim/explain.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_pool.h"
#include "sim/explain/aufs_remount.h"
#include "sim/explain/aufs_words.h"
#include "sim/explain/branch_names.h"
#include "sim/explain/findings_text.h"
#include "sim/explain/planning_fs.h"
#include "sim/explain/pool_refusal.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim {

using internal::BranchName;
using internal::PlannedChange;
using internal::PlanningFs;
using internal::SeenName;

namespace {

// What really happens, counted as plans are.
class CostMeter final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (!open) return;
    if (event.kind == EventKind::kStep || event.kind == EventKind::kCommitStep) {
      ++steps;
      branch = event.branch;
    }
    if (event.kind == EventKind::kBytesCopied) copied += event.amount;
  }

  bool open = false;
  std::uint64_t steps = 0;
  std::uint64_t copied = 0;
  std::uint16_t branch = 0;  // of the last step
};

// A name is worth a line unless it is a plain directory on the way to another name.
bool Matters(const SeenName& name, const std::vector<SeenName>& all) {
  using Outcome = BranchFinding::Outcome;
  const NameFindings& findings = name.findings;
  const bool on_the_way =
      findings.answer.ok() && std::any_of(all.begin(), all.end(), [&](const SeenName& other) {
        return other.dir == *findings.answer;
      });
  if (!on_the_way) return true;
  return std::any_of(
      findings.branches.begin(), findings.branches.end(), [](const BranchFinding& branch) {
        return branch.outcome == Outcome::kWhiteout || branch.outcome == Outcome::kHidden ||
               branch.opaque || branch.opaque_ignored || branch.whiteout_ignored ||
               !branch.redirect.empty();
      });
}

bool IsCopied(const PlannedStep& step) {
  return step.commit &&
         (step.text.starts_with("link into place") || step.text.starts_with("rename workdir to"));
}

bool Holds(const std::vector<PlannedStep>& steps, std::string_view part) {
  return std::any_of(steps.begin(), steps.end(), [&](const PlannedStep& step) {
    return step.text.find(part) != std::string::npos;
  });
}

std::string DecisionOf(const PlannedChange& change, const std::vector<BranchName>& names) {
  using Kind = PlannedChange::Kind;
  if (change.kind == Kind::kWrite) return "";
  if (change.kind == Kind::kRemove) {
    if (Holds(change.steps, "create whiteout")) {
      return "the name exists below U: leave a whiteout";
    }
    return "the name is in U only: remove it there";
  }
  if (change.kind == Kind::kRename) {
    if (Holds(change.steps, "(whiteout)")) return "the old name exists below U: leave a whiteout";
    if (Holds(change.steps, "(exchange)")) return "both names stay taken";
    return "the old name is in U only";
  }
  if (change.kind == Kind::kMake) {
    const bool over = Holds(change.steps, "create in workdir") &&
                      IsCopied(change.steps.back().clean_up && change.steps.size() > 1
                                   ? change.steps[change.steps.size() - 2]
                                   : change.steps.back());
    return over ? "U holds a whiteout there: replace it" : "nothing of that name is visible";
  }
  const bool copies = std::any_of(change.steps.begin(), change.steps.end(), IsCopied);
  if (copies && change.source) {
    return names[*change.source].label + " is read-only: copy up first";
  }
  const auto brings_body = [](const PlannedStep& step) { return step.bytes_copied > 0; };
  if (std::any_of(change.steps.begin(), change.steps.end(), brings_body)) {
    return "U has its attributes only: copy the body";
  }
  return "it is in U already";
}

ExplainedChange ChangeText(const PlannedChange& change, const std::vector<BranchName>& names) {
  ExplainedChange out;
  out.title = change.title;
  for (const PlannedStep& step : change.steps) {
    ExplainedStep& line = out.steps.emplace_back();
    line.text = step.text;
    line.commit = step.commit;
    line.clean_up = step.clean_up;
    line.bytes_read = line.bytes_written = step.bytes_copied;
    if (step.bytes_copied == 0) continue;
    line.text += ' ' + SizeText(step.bytes_copied);
    if (change.source) line.text += " from " + names[*change.source].label;
  }
  if (change.kind == PlannedChange::Kind::kWrite) {
    ExplainedStep& line = out.steps.emplace_back();
    line.text = SizeText(change.bytes_written) + " into U";
    line.bytes_written = change.bytes_written;
  }
  if (change.refused) {
    out.steps.push_back({absl::StrFormat("refused: %s", ErrnoName(*change.refused))});
  }
  return out;
}

// The same of an AUFS union: every step says where.
ExplainedChange AufsChangeText(const PlannedChange& change, const std::vector<BranchName>& names) {
  ExplainedChange out = ChangeText(change, names);
  for (std::size_t i = 0; i < change.steps.size(); ++i) {
    ExplainedStep& step = out.steps[i];
    step.label = names[change.steps[i].branch].label;
    // Only a pseudo-link's name ends in what the plan does not know.
    if (step.text.starts_with("link as ") && step.text.ends_with('*')) {
      step.text.insert(std::string_view("link as ").size(), ".wh..wh.plnk/");
    }
  }
  if (change.kind != PlannedChange::Kind::kWrite) return out;
  out.steps.front().text = "write " + SizeText(change.bytes_written);
  if (change.target) out.steps.front().label = names[*change.target].label;
  return out;
}

ExplainedCost CostOf(const PlanningFs& plan) {
  ExplainedCost cost;
  for (const PlannedChange& change : plan.changes()) {
    cost.steps += change.steps.size();
    cost.bytes_asked += change.bytes_written;
    for (const PlannedStep& step : change.steps) cost.bytes_read += step.bytes_copied;
  }
  cost.bytes_written = cost.bytes_read + cost.bytes_asked;
  return cost;
}

// Bytes of the objects below the writable branch that a removal leaves stored.
std::uint64_t BytesLeftBelow(const std::vector<SeenName>& names, const ScenarioMount& mount) {
  if (names.empty() || !mount.setup.upper) return 0;
  std::uint64_t bytes = 0;
  for (const BranchFinding& branch : names.back().findings.branches) {
    const bool regular = branch.stat && branch.stat->type == FileType::kRegular;
    if (branch.branch > 0 && regular) bytes += branch.stat->size_bytes;
  }
  return bytes;
}

std::vector<std::string> NotesOn(const Explanation& why, const PlanningFs& plan,
                                 const Statement& operation, const ScenarioMount& mount) {
  std::vector<std::string> notes;
  if (why.error == Errno::kRoFs)
    notes.push_back("the mount is read-only: it has no upper to write to");
  if (why.error == Errno::kXDev && operation.name == "rename") {
    notes.push_back("a directory that exists below U moves only with redirect_dir=on");
  }
  if (why.cost.bytes_read > 0) {
    const bool attributes = operation.name == "chmod" || operation.name == "chown" ||
                            operation.name == "utimens" || operation.name == "setxattr" ||
                            operation.name == "removexattr";
    const bool on = mount.setup.options.metacopy == Toggle::kOn;
    if (attributes && !on) notes.push_back("metacopy=on would copy the attributes only");
    if (why.cost.bytes_asked > 0 && !on) {
      notes.push_back("metacopy=on would not help here: data changes");
    }
  }
  const bool whiteout =
      std::any_of(plan.changes().begin(), plan.changes().end(), [](const PlannedChange& change) {
        return change.kind == PlannedChange::Kind::kRemove &&
               Holds(change.steps, "create whiteout");
      });
  const std::uint64_t left = whiteout ? BytesLeftBelow(plan.names(), mount) : 0;
  if (left > 0) notes.push_back(SizeText(left) + " below U stay stored: a whiteout frees nothing");
  return notes;
}

// Only running it tells the answer.
bool MustRun(const Statement& operation) {
  const internal::Operation& row = *operation.operation;
  if (row.name == "remount") return true;
  return row.kind == internal::OperationClass::kFile && row.signature.most > 0 &&
         row.name != "open" && row.signature.kind(0) == internal::ArgumentKind::kName;
}

// Runs the operation and gives its answer and cost.
absl::Status Measure(ScenarioRun& run, CostMeter& meter, const Statement& operation,
                     std::string& answer, std::optional<Errno>& error, ExplainedCost& cost) {
  const ScenarioCounters before = run.counters();
  meter.open = true;
  absl::StatusOr<StepReport> step = run.RunExtra(operation);
  meter.open = false;
  if (!step.ok()) return step.status();
  answer = step->result;
  error = step->error;
  cost.steps = meter.steps;
  cost.bytes_asked = run.counters().bytes_asked - before.bytes_asked;
  cost.bytes_read = meter.copied;
  cost.bytes_written = cost.bytes_asked + meter.copied;
  return absl::OkStatus();
}

absl::StatusOr<Explanation> ExplainByRunning(ScenarioRun& run, CostMeter& meter,
                                             const Statement& operation) {
  Explanation why;
  why.operation = operation.text;
  why.was_run = true;
  const bool remount = operation.name == "remount";
  if (remount) why.notes = internal::RemountNotes(run, operation);
  const ScenarioMount* mount = internal::TargetMount(run);
  const bool aufs = mount != nullptr && internal::IsAufs(*mount);
  absl::Status done = Measure(run, meter, operation, why.answer, why.error, why.cost);
  if (!done.ok()) return done;
  if (remount) {
    if (why.error != Errno::kBusy) why.notes.clear();
    why.notes.push_back(internal::BranchesNow(run, operation));
    return why;
  }
  if (why.cost.bytes_read > 0) {
    ExplainedChange& change = why.changes.emplace_back();
    change.title = "copy-up of the open file";
    change.steps.push_back({"copy data " + SizeText(why.cost.bytes_read), false, false,
                            why.cost.bytes_read, why.cost.bytes_read});
    if (aufs) change.steps.back().label = 'b' + std::to_string(meter.branch);
  }
  if (why.cost.bytes_asked > 0) {
    ExplainedChange& change = why.changes.emplace_back();
    change.title = "write";
    change.steps.push_back({SizeText(why.cost.bytes_asked) + (aufs ? "" : " into U"), false, false,
                            0, why.cost.bytes_asked});
  }
  return why;
}

using PoolModes = std::map<std::string, ThinPoolMode>;

PoolModes ModesOf(const ScenarioRun& run) {
  PoolModes modes;
  for (const ScenarioDevice& device : run.devices()) {
    if (device.pool != nullptr) modes[device.name] = device.pool->mode();
  }
  return modes;
}

// What the operation did to pools, and, when no block says why it failed, that.
void AddDeviceNotes(const ScenarioRun& run, const PoolModes& before, bool told, Explanation& why) {
  for (const ScenarioDevice& device : run.devices()) {
    const auto mode = before.find(device.name);
    if (device.pool == nullptr || mode == before.end()) continue;
    if (device.pool->mode() == mode->second) continue;
    why.notes.push_back(internal::ModeChangeText(*device.pool, device.name, mode->second));
    told = true;
  }
  if (!why.error || told || why.blocks.empty()) return;
  why.notes.push_back(
      absl::StrFormat("the operation ends with %s: what is above may be done in part, or not",
                      ErrnoName(*why.error)));
}

absl::StatusOr<Explanation> ExplainOnDevices(ScenarioRun& run, const Statement& operation) {
  Explanation why;
  why.operation = operation.text;
  why.was_run = true;
  absl::StatusOr<ExplainedBlocks> blocks = ExplainBlocks(run, operation);
  if (!blocks.ok()) return blocks.status();
  why.blocks = std::move(blocks->shown);
  why.notes = std::move(blocks->notes);
  if (blocks->left_out > 0) {
    why.notes.push_back(absl::StrFormat("%d more blocks are not shown", blocks->left_out));
  }
  const ScenarioCounters before = run.counters();
  const PoolModes modes = ModesOf(run);
  absl::StatusOr<StepReport> step = run.RunExtra(operation);
  if (!step.ok()) return step.status();
  why.answer = step->result;
  why.error = step->error;
  AddDeviceNotes(run, modes, blocks->refused, why);
  const ScenarioCounters& after = run.counters();
  const std::uint64_t copied = after.bytes_copied - before.bytes_copied;
  why.cost.bytes_asked = after.bytes_asked - before.bytes_asked;
  why.cost.bytes_read = copied + (after.bytes_read - before.bytes_read);
  why.cost.bytes_written = copied + why.cost.bytes_asked;
  if (copied > 0) {
    why.changes.push_back({"copy of chunks", "", {{"whole chunks", false, false, copied, copied}}});
  }
  if (why.cost.bytes_asked > 0) {
    why.changes.push_back({"write", "", {{"the data", false, false, 0, why.cost.bytes_asked}}});
  }
  return why;
}

}  // namespace

absl::StatusOr<Statement> ParseOperation(const std::vector<std::string>& words,
                                         const ScenarioLimits& limits) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += words.size() == 1 ? word : internal::ShowArgument(word);
  }
  ParseOptions options;
  options.file = "operation";
  options.limits = limits;
  absl::StatusOr<Scenario> parsed = ParseScenario("scenario 2\n" + line + '\n', options);
  if (!parsed.ok()) {  // without the place, which is of the text made here
    const std::string_view message(parsed.status().message().data(),
                                   parsed.status().message().size());
    const std::size_t what = std::min(message.find(": "), message.size() - 2) + 2;
    return absl::InvalidArgumentError(absl::StrFormat("'%s': %s", line, message.substr(what)));
  }
  const bool one = parsed->statements.size() == 2;
  const bool explained =
      one && (parsed->statements[1].operation->kind == internal::OperationClass::kFile ||
              parsed->statements[1].operation->kind == internal::OperationClass::kDevice ||
              parsed->statements[1].name == "remount");
  if (!explained) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s' is not one operation on files or devices", line));
  }
  return std::move(parsed->statements[1]);
}

absl::StatusOr<Explanation> ExplainNext(ScenarioRun& run, const Statement& operation) {
  const ScenarioMount* mount = internal::TargetMount(run);
  if (mount == nullptr) {
    return absl::FailedPreconditionError(
        "operations work on a layer here, or on nothing: there is no mounted tree to explain");
  }
  PlanningFs plan(*mount->fs);
  absl::StatusOr<StepReport> step = run.Rehearse(operation, plan);
  if (!step.ok()) return step.status();
  const std::vector<BranchName> names = internal::BranchNamesOf(*mount);
  Explanation why;
  why.operation = operation.text;
  why.answer = step->result;
  why.error = step->error;
  why.cost = CostOf(plan);
  const bool aufs = internal::IsAufs(*mount);
  for (const SeenName& name : plan.names()) {
    if (!Matters(name, plan.names())) continue;
    why.lookups.push_back(
        aufs ? internal::AufsLookupText(*mount->fs, name, names)
             : ExplainedLookup{name.path, internal::FindingsText(name.findings, names)});
  }
  for (const PlannedChange& change : plan.changes()) {
    ExplainedChange& text =
        why.changes.emplace_back(aufs ? AufsChangeText(change, names) : ChangeText(change, names));
    text.decision = aufs ? internal::AufsDecision(change, plan, names) : DecisionOf(change, names);
  }
  why.notes = aufs ? internal::AufsNotes(why, plan, *mount->fs, names)
                   : NotesOn(why, plan, operation, *mount);
  return why;
}

absl::StatusOr<Explanation> ExplainAfter(const Scenario& scenario,
                                         std::optional<std::size_t> operations,
                                         const Statement& operation, ExplainMode mode) {
  CostMeter meter;
  ScenarioRun run(scenario, {.events = &meter});
  const std::size_t wanted = operations.value_or(scenario.statements.size());
  if (absl::Status ran = run.RunToOperation(wanted); !ran.ok()) return ran;
  if (operations && run.counters().operations < *operations) {
    return absl::OutOfRangeError(absl::StrFormat("%s has %d operations, not %d", scenario.file,
                                                 run.counters().operations, *operations));
  }
  if (operation.operation->kind == internal::OperationClass::kDevice) {
    return ExplainOnDevices(run, operation);
  }
  if (MustRun(operation)) return ExplainByRunning(run, meter, operation);
  absl::StatusOr<Explanation> why = ExplainNext(run, operation);
  if (!why.ok() || mode == ExplainMode::kPlan) return why;
  ExplainedCost cost;
  std::string answer;
  std::optional<Errno> error;
  absl::Status done = Measure(run, meter, operation, answer, error, cost);
  if (!done.ok()) return done;
  why->actual_answer = std::move(answer);
  why->actual_cost = cost;
  return why;
}

}  // namespace lamina::sim
