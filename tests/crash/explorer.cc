#include "tests/crash/explorer.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/base/check.h"

namespace lamina::testing {
namespace {

std::vector<std::string> LowerTexts(const CrashState& state, Instant start) {
  std::vector<std::string> texts;
  for (const CrashState::Lower& lower : state.lowers) {
    texts.push_back(TreeText(ReadPlainTree(*lower.fs, lower.fs->root(), start)));
  }
  return texts;
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

// ── Exploration ────────────────────────────────────────────────────────────────────────────────

void Exploration::Add(const Exploration& other) {
  runs += other.runs;
  states += other.states;
  recoveries += other.recoveries;
  swallowed += other.swallowed;
  for (const auto& [row, count] : other.deviations) deviations[row] += count;
  for (const auto& [row, count] : other.tolerated) tolerated[row] += count;
  findings.insert(findings.end(), other.findings.begin(), other.findings.end());
}

std::string Exploration::Summary() const {
  const auto row = [](std::string* out,
                      const std::pair<const std::string_view, std::uint64_t>& each) {
    absl::StrAppendFormat(out, "%s %d", each.first, each.second);
  };
  return absl::StrFormat(
      "%d runs broken, %d states, %d broken mounts, %d failures swallowed; deviations: %s; "
      "tolerated: %s",
      runs, states, recoveries, swallowed, absl::StrJoin(deviations, ", ", row),
      absl::StrJoin(tolerated, ", ", row));
}

std::string Exploration::FindingsText() const {
  constexpr std::size_t kShown = 100;
  std::string text;
  for (std::size_t i = 0; i < std::min(findings.size(), kShown); ++i) text += findings[i] + '\n';
  if (findings.size() > kShown) absl::StrAppendFormat(&text, "… %d in all\n", findings.size());
  return text;
}

// ── The run without faults ─────────────────────────────────────────────────────────────────────

Explorer::Explorer(const Scene& scene, const Operation& operation, std::vector<Fault> planted)
    : scene_(scene),
      operation_(operation),
      planted_(std::move(planted)),
      lowers_(LowerTexts(scene.image.state(), scene.start)) {
  PerformReference();
}

void Explorer::PerformReference() {
  std::vector<CrashState> states = {scene_.image.state()};
  {
    Machine machine(scene_.image.state(), scene_.start);
    LAMINA_CHECK(machine.Mount().ok());
    live_before_ = machine.Merged();
  }
  {
    Machine machine(scene_.image.state(), scene_.start);
    LAMINA_CHECK(machine.Mount().ok());
    OpenHands hands;
    for (const OperationCall& call : operation_.calls) {
      outcomes_.push_back(machine.PerformCall(call, hands));
      states.push_back(machine.State());
      if (outcomes_.back()) break;
    }
    live_after_ = machine.Merged();
  }
  for (const CrashState& state : states) {
    Machine machine(state, scene_.start);
    LAMINA_CHECK(machine.Mount().ok());
    trees_.push_back(machine.Merged());
  }
}

Machine Explorer::Start() const {
  Machine machine(scene_.image.state(), scene_.start);
  LAMINA_CHECK(machine.Mount().ok());
  for (const Fault& fault : planted_) machine.Inject(fault);
  return machine;
}

void Explorer::Report(const std::string& place, const std::string& what) {
  exploration_.findings.push_back(
      absl::StrFormat("%s: %s: %s: %s", scene_.name, operation_.name, place, what));
}

void Explorer::CheckLowers(const Machine& machine, const std::string& place) {
  if (!machine.LeftLowersAlone()) Report(place, "a change was tried in a lower layer");
}

void Explorer::CheckLowerTexts() {
  if (LowerTexts(scene_.image.state(), scene_.start) == lowers_) return;
  Report("at the end", "a lower layer has changed");
}

std::vector<std::string> Explorer::Judge(const std::vector<PlainTree>& allowed,
                                         const Machine& machine, const PlainTree& seen) {
  const bool litter = !machine.Leftovers().empty();
  return JudgeTree({operation_, trees_.front(), trees_.back(), litter}, allowed, seen,
                   exploration_.deviations);
}

std::vector<PlainTree> Explorer::AllowedAfter(const Outcomes& outcomes) const {
  const std::size_t call = outcomes.size() - 1;
  return {trees_[call], trees_[call + 1]};
}

// ── Crashes ────────────────────────────────────────────────────────────────────────────────────

std::string Explorer::StoredText(const CrashState& state) const {
  const Machine machine(state, scene_.start);
  return TreeText(machine.Upper()) + absl::StrJoin(machine.Leftovers(), "\n");
}

bool Explorer::IsNew(const CrashState& state, std::string_view expected) {
  return seen_.insert(absl::StrFormat("%s\n%s", expected, StoredText(state))).second;
}

void Explorer::Crashes() {
  for (std::uint64_t k = 0;; ++k) {
    Outcomes outcomes;
    std::optional<CrashState> state;
    std::string place = "at the end";
    bool crashed = false;
    {
      Machine machine = Start();
      machine.Inject(Fault::On(Op::kAnyChange).AtBranch("upper").After(k).Crash());
      outcomes = machine.Perform(operation_);
      crashed = machine.crashed();
      if (crashed) {
        place =
            absl::StrFormat("crash before change %d, %s", k + 1, machine.fired().back().ToString());
      }
      state = machine.State();
      CheckLowers(machine, place);
    }
    ++exploration_.runs;
    if (!crashed) {
      CheckMount(*state, {trees_.back()}, place);
      CheckLowerTexts();
      return;
    }
    if (!IsNew(*state, absl::StrFormat("in call %d", outcomes.size()))) continue;
    ++exploration_.states;
    CheckRecovery(*state, AllowedAfter(outcomes), place);
  }
}

PlainTree Explorer::CheckMount(const CrashState& state, const std::vector<PlainTree>& allowed,
                               const std::string& place) {
  std::optional<CrashState> mounted;
  std::string upper;
  PlainTree merged;
  {
    Machine machine(state, scene_.start);
    for (const Fault& fault : planted_) machine.Inject(fault);
    const PlainTree stored = machine.Upper();
    if (const absl::Status status = machine.Mount(); !status.ok()) {
      Report(place, "the next mount fails: " + Text(status));
      return merged;
    }
    mounted = machine.State();
    const PlainTree cleaned = machine.Upper();
    for (const TreeDifference& difference : Compare(stored, cleaned)) {
      // A link in the work directory was one of the file's.
      if (difference.field == TreeField::kLinks) continue;
      Report(place, "the next mount changes the upper: " + difference.ToString());
    }
    upper = TreeText(cleaned);
    if (const auto litter = machine.Leftovers(); !litter.empty()) {
      Report(place, "the next mount leaves " + absl::StrJoin(litter, ", "));
    }
    merged = machine.Merged();
    for (const std::string& what : Judge(allowed, machine, merged)) Report(place, what);
    for (const std::string& what :
         UnexplainedFindings(operation_, machine.CheckInvariants(), exploration_.deviations)) {
      Report(place, what);
    }
    CheckLowers(machine, place);
  }
  Machine again(*mounted, scene_.start);
  if (!again.Mount().ok()) {
    Report(place, "a second mount fails");
  } else if (TreeText(again.Upper()) != upper || TreeText(again.Merged()) != TreeText(merged)) {
    Report(place, "a second mount changes something");
  }
  return merged;
}

void Explorer::CheckRecovery(const CrashState& state, const std::vector<PlainTree>& allowed,
                             const std::string& place) {
  const PlainTree merged = CheckMount(state, allowed, place);
  if (Machine(state, scene_.start).Leftovers().empty()) return;
  for (std::uint64_t k = 0;; ++k) {
    std::optional<CrashState> cut;
    {
      Machine machine(state, scene_.start);
      machine.Inject(Fault::On(Op::kAnyChange).AtBranch("upper").After(k).Crash());
      if (machine.Mount().ok()) return;
      cut = machine.State();
    }
    ++exploration_.recoveries;
    CheckMount(*cut, {merged},
               absl::StrFormat("%s; crash in the next mount, change %d", place, k + 1));
  }
}

// ── Faults ─────────────────────────────────────────────────────────────────────────────────────

void Explorer::Faults(Op op, FaultLength length) {
  for (std::uint64_t k = 0;; ++k) {
    FaultCalls calls = Fault::On(op).AtBranch("upper").After(k);
    if (length == FaultLength::kOnce) calls.Times(1);
    const std::string place =
        absl::StrFormat("%s failing %s from number %d on", OpName(op),
                        length == FaultLength::kOnce ? "once" : "ever", k + 1);
    if (!BreakAt(calls, length, place)) break;
  }
  CheckLowerTexts();
}

bool Explorer::BreakAt(const FaultCalls& calls, FaultLength length, const std::string& where) {
  std::optional<CrashState> broken;
  std::optional<CrashState> retried;
  std::string place;
  Outcomes outcomes;
  {
    Machine machine = Start();
    machine.Inject(calls.Fail(Errno::kIo));
    outcomes = machine.Perform(operation_);
    const auto& fired = machine.fired();
    const auto failed = std::find_if(fired.begin(), fired.end(), [](const sim::FiredFault& step) {
      return step.error.has_value();
    });
    if (failed == fired.end()) return false;
    ++exploration_.runs;
    place = absl::StrFormat("%s, %s", where, failed->ToString());
    broken = machine.State();
    if (outcomes == outcomes_) {
      CheckSwallowed(machine, place);
      CheckLive(machine, {live_after_, trees_.back()}, true, place);
      retried = broken;
    } else {
      CheckFailed(machine, outcomes, length, place);
      CheckRetry(machine, place);
      retried = machine.State();
    }
    CheckLowers(machine, place);
  }
  const std::string stored = StoredText(*broken);
  if (outcomes != outcomes_ &&
      IsNew(*broken, absl::StrFormat("failed in call %d", outcomes.size()))) {
    ++exploration_.states;
    CheckMount(*broken, AllowedAfter(outcomes), place);
  }
  if (IsNew(*retried, "done")) CheckMount(*retried, {trees_.back()}, place + "; at last");
  if (length == FaultLength::kFromThenOn) return true;
  for (const Errno error : {Errno::kNoSpc, Errno::kDQuot, Errno::kRoFs}) {
    BreakAlike(calls, error, outcomes, stored, place);
  }
  return true;
}

void Explorer::BreakAlike(const FaultCalls& calls, Errno error, const Outcomes& with_eio,
                          const std::string& stored, const std::string& place) {
  std::optional<CrashState> state;
  Outcomes expected = with_eio;
  if (expected.back() == Errno::kIo) expected.back() = error;
  {
    Machine machine = Start();
    machine.Inject(calls.Fail(error));
    const Outcomes outcomes = machine.Perform(operation_);
    ++exploration_.runs;
    if (outcomes != expected) {
      Report(place, absl::StrFormat("gives %s, expected %s as with EIO", OutcomesText(outcomes),
                                    OutcomesText(expected)));
    }
    state = machine.State();
  }
  if (StoredText(*state) != stored) {
    Report(place, absl::StrFormat("%s leaves something else than EIO", ErrnoName(error)));
  }
}

void Explorer::CheckSwallowed(const Machine& machine, const std::string& place) {
  // An operation that fails anyway may fail before what was hit mattered.
  if (outcomes_.back()) return;
  ++exploration_.swallowed;
  for (const sim::FiredFault& step : machine.fired()) {
    if (!step.error) continue;
    if (const ToleratedStep* row = FindTolerated(step); row != nullptr) {
      ++exploration_.tolerated[row->name];
    } else {
      Report(place, "succeeds all the same");
    }
  }
}

void Explorer::CheckFailed(const Machine& machine, const Outcomes& outcomes, FaultLength length,
                           const std::string& place) {
  if (outcomes.back() != Errno::kIo) {
    Report(place, absl::StrFormat("gives %s, expected EIO or %s", OutcomesText(outcomes),
                                  OutcomesText(outcomes_)));
  }
  std::vector<PlainTree> allowed = AllowedAfter(outcomes);
  if (outcomes.size() == 1) allowed.push_back(live_before_);
  if (outcomes.size() == outcomes_.size()) allowed.push_back(live_after_);
  const std::vector<sim::FiredFault>& fired = machine.fired();
  const bool removal = std::any_of(fired.begin(), fired.end(), [](const sim::FiredFault& step) {
    const ToleratedStep* row = FindTolerated(step);
    return step.error && row != nullptr && row->name == "litter";
  });
  CheckLive(machine, allowed, removal || length == FaultLength::kFromThenOn, place);
}

void Explorer::CheckLive(const Machine& machine, const std::vector<PlainTree>& allowed,
                         bool may_leave_litter, const std::string& place) {
  for (const std::string& what : Judge(allowed, machine, machine.Merged())) {
    Report(place, "before a restart: " + what);
  }
  for (const std::string& what :
       UnexplainedFindings(operation_, machine.CheckInvariants(), exploration_.deviations)) {
    const bool litter = what.starts_with("the work directory still holds");
    if (!litter || !may_leave_litter) Report(place, "before a restart: " + what);
  }
}

void Explorer::CheckRetry(Machine& machine, const std::string& place) {
  machine.ClearFaults();
  for (const Fault& fault : planted_) machine.Inject(fault);
  const Outcomes again = machine.Perform(operation_);
  if (again != outcomes_) {
    Report(place, absl::StrFormat("gives %s when tried again, expected %s", OutcomesText(again),
                                  OutcomesText(outcomes_)));
    return;
  }
  for (const std::string& what : Judge({live_after_, trees_.back()}, machine, machine.Merged())) {
    Report(place, "tried again: " + what);
  }
}

}  // namespace lamina::testing
