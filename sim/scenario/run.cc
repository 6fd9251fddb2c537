#include <algorithm>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"
#include "lamina/sim/scenario.h"
#include "sim/scenario/lexer.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim {

using internal::Call;
using internal::Operation;
using internal::OperationClass;
using internal::Outcome;
using internal::World;

namespace {

// The first path an operation names; empty when it names none.
std::string_view PathOf(const Statement& statement) {
  for (std::size_t i = 0; i < statement.args.size(); ++i) {
    if (statement.operation->signature.kind(i) == internal::ArgumentKind::kPath) {
      return statement.args[i].text;
    }
  }
  return "";
}

// Whether `result` is what `wanted` says: as printed, the N of "OK N", or the text of a quoted
// value.
bool ResultMatches(const Expectation& wanted, const std::string& result) {
  if (wanted.quoted) return result == internal::QuoteText(wanted.text);
  if (result == wanted.text || (wanted.text == "ok" && result == "OK")) return true;
  if (result.starts_with("OK ")) {
    const auto number = internal::ParseNumber(wanted.text, true);
    return number && result == absl::StrFormat("OK %d", *number);
  }
  return !ErrnoFromName(wanted.text) && result == internal::QuoteText(wanted.text);
}

}  // namespace

struct ScenarioRun::Body {
  Body(const Scenario& scenario, const ScenarioRunOptions& options) : world(scenario, options) {
    provenance = options.provenance == nullptr ? &own_provenance : options.provenance;
  }

  World world;
  std::size_t next = 0;
  BranchSearch own_provenance;
  ProvenanceSource* provenance;
};

ScenarioRun::ScenarioRun(const Scenario& scenario, const ScenarioRunOptions& options)
    : body_(std::make_unique<Body>(scenario, options)) {}

ScenarioRun::~ScenarioRun() = default;

bool ScenarioRun::AtEnd() const { return body_->next >= body_->world.scenario.statements.size(); }

const Statement& ScenarioRun::next() const {
  LAMINA_CHECK(!AtEnd());
  return body_->world.scenario.statements[body_->next];
}

absl::StatusOr<StepReport> ScenarioRun::Step() {
  const Statement& statement = next();
  body_->world.position = body_->next++;
  return RunExtra(statement);
}

absl::StatusOr<StepReport> ScenarioRun::RunExtra(const Statement& statement) {
  World& world = body_->world;
  const Operation& operation = *statement.operation;
  const auto error = [&](std::string_view what) {
    return absl::FailedPreconditionError(absl::StrFormat("%s:%d:%d: %s: %s", world.scenario.file,
                                                         statement.line, statement.column,
                                                         statement.text, what));
  };
  StepReport report;
  report.statement = &statement;
  const bool is_file = operation.kind == OperationClass::kFile;
  const bool set_up = is_file && world.IsSetUp();
  const bool on_devices = internal::WorksOnDevices(operation);
  report.on_devices = on_devices;
  report.operation = operation.kind == OperationClass::kDevice || (is_file && !set_up);
  Process* target = world.Target();
  if (world.options.columns && report.operation &&
      world.target_kind() == internal::TargetKind::kMount && !PathOf(statement).empty()) {
    report.provenance = body_->provenance->Column(*this, PathOf(statement));
  }
  if (is_file && target == nullptr && !operation.without_target) {
    report.result = "NOTARGET";
  } else {
    if (target != nullptr) world.AsCaller(*target);
    ScenarioCounters& counters = world.counter.counters;
    const std::uint64_t copied_before = counters.bytes_copied;
    world.counter.open = report.operation || on_devices;
    const Outcome outcome = operation.run(Call{world, statement, target});
    world.counter.open = false;
    if (!outcome.malformed().ok()) {
      return error(std::string(outcome.malformed().message()));
    }
    report.result = outcome.text();
    report.error = outcome.error();
    report.bytes_copied = counters.bytes_copied - copied_before;
    if (set_up && report.error) return error("set-up operation failed: " + report.result);
  }
  if (report.operation) ++world.counter.counters.operations;
  if (report.operation && report.error) ++world.counter.counters.errors;
  if (report.operation || operation.kind == OperationClass::kPrinted) {
    world.Say(absl::StrFormat("L%d %s = %s", statement.line, statement.text, report.result));
  }
  CheckExpectation(report);
  if (!report.operation && operation.kind != OperationClass::kPrinted) report.result.clear();
  return report;
}

absl::StatusOr<StepReport> ScenarioRun::Rehearse(const Statement& statement, FileSystem& instead) {
  World& world = body_->world;
  const Operation& operation = *statement.operation;
  const bool on_handle = operation.signature.most > 0 && operation.name != "open" &&
                         operation.signature.kind(0) == internal::ArgumentKind::kName;
  if (operation.kind != OperationClass::kFile || on_handle || world.Target() == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("`%s` cannot be rehearsed here", statement.text));
  }
  Clock clock(world.clock.now());
  ProcessOptions options{.clock = &clock};
  for (const auto& mount : world.mounts) {
    if (mount->process.get() != world.Target()) continue;
    options.locks = &mount->locks;
    options.no_device_open = mount->no_device_open;
  }
  Process process(instead, instead.root(), options);
  StepReport report;
  report.statement = &statement;
  const Outcome outcome = operation.run(Call{world, statement, &world.AsCaller(process)});
  std::erase_if(world.handles, [&](const auto& each) { return each.second.process == &process; });
  if (!outcome.malformed().ok()) return outcome.malformed();
  report.result = outcome.text();
  report.error = outcome.error();
  return report;
}

void ScenarioRun::CheckExpectation(StepReport& report) {
  const Statement& statement = *report.statement;
  if (!statement.expectation || statement.name == "ask") return;
  World& world = body_->world;
  const Expectation& wanted = *statement.expectation;
  ++world.expectations;
  std::string got = report.result;
  if (wanted.kind == Expectation::Kind::kResult) {
    report.expectation_held = ResultMatches(wanted, got);
  } else if (report.error) {
    report.expectation_held = false;
  } else {
    const auto layer = body_->provenance->LayerOf(*this, PathOf(statement));
    report.expectation_held = layer == wanted.text;
    got = layer ? "layer " + *layer : "no layer";
  }
  if (!*report.expectation_held) {
    world.failures.push_back({statement.line, wanted.shown, std::move(got)});
  }
}

absl::Status ScenarioRun::RunToOperation(std::size_t count) {
  while (!AtEnd()) {
    const OperationClass kind = next().operation->kind;
    const bool operation = kind == OperationClass::kDevice ||
                           (kind == OperationClass::kFile && !body_->world.IsSetUp());
    if (operation && counters().operations >= count) break;
    if (absl::StatusOr<StepReport> step = Step(); !step.ok()) return step.status();
  }
  return absl::OkStatus();
}

absl::Status ScenarioRun::RunAll() {
  while (!AtEnd()) {
    if (absl::StatusOr<StepReport> step = Step(); !step.ok()) return step.status();
  }
  Finish();
  return absl::OkStatus();
}

void ScenarioRun::Finish() {
  body_->world.SetCaller(0, 0);
  body_->world.Dump();
  body_->world.SayLowers();
}

Process* ScenarioRun::target() const { return body_->world.Target(); }

const ScenarioMount* ScenarioRun::mount() const {
  const internal::MountRecord* record = body_->world.FindMount(body_->world.current_point);
  return record == nullptr || record->shown.fs == nullptr ? nullptr : &record->shown;
}

FileSystem* ScenarioRun::mounted_tree() const {
  const internal::MountRecord* record = body_->world.FindMount(body_->world.current_point);
  return record == nullptr ? nullptr : record->shown.tree;
}

std::vector<const ScenarioLayer*> ScenarioRun::layers() const {
  std::vector<const ScenarioLayer*> out;
  for (const auto& layer : body_->world.layers) out.push_back(&layer->shown);
  return out;
}

std::vector<const ScenarioMount*> ScenarioRun::mounts() const {
  std::vector<const ScenarioMount*> out;
  for (const auto& mount : body_->world.mounts) out.push_back(&mount->shown);
  return out;
}

std::vector<ScenarioDevice> ScenarioRun::devices() const {
  std::vector<ScenarioDevice> out;
  for (const auto& record : body_->world.devices.records()) {
    ScenarioDevice& shown = out.emplace_back();
    shown.name = record->name;
    shown.device = record->base.present() ? &record->front : nullptr;
    shown.pool = record->pool.get();
    shown.snapshot = record->snapshot.get();
    if (record->thin == nullptr) continue;
    shown.thin = record->thin->id();
    shown.pool_name = record->thin_table()->pool_device;
  }
  return out;
}

OpContext ScenarioRun::Observer() const { return body_->world.Observer(); }

const ScenarioCounters& ScenarioRun::counters() const { return body_->world.counter.counters; }

std::size_t ScenarioRun::expectations() const { return body_->world.expectations; }

const std::vector<ScenarioFailure>& ScenarioRun::failures() const { return body_->world.failures; }

const std::vector<ScenarioQuestion>& ScenarioRun::questions() const {
  return body_->world.questions;
}

}  // namespace lamina::sim
