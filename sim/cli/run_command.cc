// `lamina run`: runs scenarios and prints what happened: for people, as the canonical text of the
// kernel oracle (--dump), as JSON, or the scenario itself with random parts spelled out (--expand).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "lamina/sim/scenario.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

using Json = nlohmann::ordered_json;

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void Complain(std::string_view message) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
}

class StandardOutput final : public sim::LineSink {
 public:
  void OnLine(std::string_view line) override {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
  }
};

// "OK" is "ok", "OK 5" is "5".
std::string ShortResult(const std::string& result) {
  if (result == "OK") return "ok";
  if (result.starts_with("OK ")) return result.substr(3);
  return result;
}

std::string FailureText(const sim::Scenario& scenario, const sim::ScenarioFailure& failure) {
  return absl::StrFormat("%s:%d: expected %s, got %s", scenario.file, failure.line,
                         failure.expected, failure.got);
}

Json CountersJson(const sim::ScenarioCounters& counters) {
  Json out;
  for (const char* name :
       {"operations", "errors", "copy_ups", "bytes_copied", "bytes_asked", "bytes_read",
        "bytes_written", "branch_probes", "whiteouts_seen", "chunks_provisioned", "sharing_broken",
        "exceptions", "commits", "device_bytes_read", "device_bytes_written"}) {
    out[name] = sim::CounterByName(counters, name).value_or(0);
  }
  return out;
}

// Which branch the last change of a union went to.
class LastBranch final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind == EventKind::kStep || event.kind == EventKind::kCommitStep) {
      branch_ = event.branch;
    }
  }
  // U, or b1 of AUFS.
  std::string Label(const sim::ScenarioRun& run) const {
    const sim::ScenarioMount* mount = run.mount();
    const bool aufs = mount != nullptr && mount->fs->dialect_name() == "aufs";
    return aufs ? 'b' + std::to_string(branch_) : "U";
  }

 private:
  std::uint16_t branch_ = 0;
};

class RunCommand final : public Command {
 public:
  std::string_view name() const override { return "run"; }
  std::string_view summary() const override { return "run a scenario and show what happened"; }
  std::string_view examples() const override {
    return "  lamina run copy-up.scn                 one line an operation\n"
           "  lamina run --dump copy-up.scn          the text the real kernel would give\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("FILE", files_, "scenario files; - is standard input")->required();
    app.add_flag("--dump", dump_, "print the canonical text of the run");
    app.add_flag("--expand", expand_, "print the scenario with repeat and rand spelled out");
    app.add_flag("--json", json_, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
    app.add_flag("-c,--compute", compute_, "show the answers of questions");
    app.add_flag("-q,--quiet", quiet_, "print failures only");
    app.add_flag("-v,--verbose", verbose_, "print long values whole");
    app.add_flag("--ascii", ascii_, "no characters outside ASCII");
  }

  int Run() override {
    if (dump_ + expand_ + json_ > 1) {
      Complain("lamina run: choose one of --dump, --expand, --json");
      return kExitUsage;
    }
    if (json_ && files_.size() > 1) {
      Complain("lamina run: --json takes one file");
      return kExitUsage;
    }
    int worst = kExitDone;
    for (const std::string& file : files_) {
      const bool several = files_.size() > 1;
      if (several) Print("==== " + file + '\n');
      const int status = RunFile(file);
      if (several) Print(absl::StrFormat("==== exit %d\n", status));
      worst = std::max(worst, status);
    }
    std::fflush(stdout);
    return worst;
  }

 private:
  int RunFile(const std::string& file) {
    const absl::StatusOr<sim::Scenario> scenario = LoadScenario(file, seed_);
    if (!scenario.ok()) return Unreadable(scenario.status());
    if (expand_) {
      Print(sim::ExpandedText(*scenario));
      return kExitDone;
    }
    if (const auto unsupported = sim::FindUnsupported(*scenario)) {
      if (json_) {
        PrintJson({{"format", "lamina-run/1"}, {"unsupported", *unsupported}});
      } else {
        Print("UNSUPPORTED " + *unsupported + '\n');
      }
      return kExitUnreadable;
    }
    if (dump_) return RunDump(*scenario);
    return json_ ? RunJson(*scenario) : RunForPeople(*scenario);
  }

  int Unreadable(const absl::Status& status) {
    const std::string message(status.message());
    if (json_) {
      PrintJson({{"format", "lamina-run/1"}, {"error", {{"message", message}}}});
    } else {
      Complain(message);
    }
    return kExitUnreadable;
  }

  static void PrintJson(const Json& document) {
    Print(document.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }

  int RunDump(const sim::Scenario& scenario) {
    StandardOutput output;
    sim::ScenarioRun run(scenario, {.sink = &output});
    if (absl::Status done = run.RunAll(); !done.ok()) return Unreadable(done);
    for (const sim::ScenarioFailure& failure : run.failures()) {
      Complain(FailureText(scenario, failure));
    }
    return run.failures().empty() ? kExitDone : kExitFailed;
  }

  int RunJson(const sim::Scenario& scenario) {
    sim::ScenarioRun run(scenario, {.columns = true});
    Json operations = Json::array();
    while (!run.AtEnd()) {
      const absl::StatusOr<sim::StepReport> step = run.Step();
      if (!step.ok()) return Unreadable(step.status());
      if (step->result.empty()) continue;
      operations.push_back(StepJson(*step));
    }
    Json document = {{"format", "lamina-run/1"},
                     {"file", scenario.file},
                     {"title", scenario.title},
                     {"seed", scenario.seed},
                     {"operations", std::move(operations)},
                     {"counters", CountersJson(run.counters())},
                     {"expectations", run.expectations()},
                     {"failures", Json::array()},
                     {"questions", Json::array()}};
    for (const sim::ScenarioFailure& failure : run.failures()) {
      document["failures"].push_back(
          {{"line", failure.line}, {"expected", failure.expected}, {"got", failure.got}});
    }
    for (const sim::ScenarioQuestion& question : run.questions()) {
      Json shown = {{"line", question.line}, {"question", question.question}};
      if (compute_) shown["answer"] = question.answer;
      document["questions"].push_back(std::move(shown));
    }
    PrintJson(document);
    return run.failures().empty() ? kExitDone : kExitFailed;
  }

  static Json StepJson(const sim::StepReport& step) {
    Json out = {{"line", step.statement->line},
                {"operation", step.statement->text},
                {"result", step.result}};
    if (step.error) out["errno"] = std::string(ErrnoName(*step.error));
    if (step.bytes_copied > 0) out["bytes_copied"] = step.bytes_copied;
    if (!step.provenance.empty()) out["provenance"] = step.provenance;
    if (step.expectation_held) {
      out["expected"] = step.statement->expectation->shown;
      out["held"] = *step.expectation_held;
    }
    return out;
  }

  int RunForPeople(const sim::Scenario& scenario) {
    LastBranch last;
    sim::ScenarioRun run(scenario, {.events = &last, .columns = true});
    if (!scenario.title.empty() && !quiet_) Print(scenario.title + '\n');
    std::size_t shown_failures = 0;
    while (!run.AtEnd()) {
      const absl::StatusOr<sim::StepReport> step = run.Step();
      if (!step.ok()) return Unreadable(step.status());
      if (!quiet_) PrintStep(run, *step, last.Label(run));
      for (; shown_failures < run.failures().size(); ++shown_failures) {
        Print(FailureText(scenario, run.failures()[shown_failures]) + '\n');
      }
    }
    if (compute_) {
      for (const sim::ScenarioQuestion& question : run.questions()) {
        Print(absl::StrFormat("  ? %s  %s\n", question.question, question.answer));
      }
    }
    if (!quiet_) PrintSummary(run);
    return run.failures().empty() ? kExitDone : kExitFailed;
  }

  // `target`: the branch that a copy-up went to.
  void PrintStep(const sim::ScenarioRun& run, const sim::StepReport& step,
                 const std::string& target) const {
    const std::string result = Shortened(ShortResult(step.result), 40);
    if (!step.operation) {
      // Mounts that work are no news.
      if (!step.result.empty() && step.result != "OK") {
        Print(absl::StrFormat("     %s  %s\n", step.statement->text, ShortResult(step.result)));
      }
      return;
    }
    std::string outcome = result;
    const bool copied = step.bytes_copied > 0;
    if (copied && !step.on_devices) outcome += "  copy-up " + ShowSize(step.bytes_copied);
    if (copied && step.on_devices) outcome += "  copied " + ShowSize(step.bytes_copied);
    std::string line = absl::StrFormat("%3d  %-40s  %-28s", run.counters().operations,
                                       Shortened(step.statement->text, 60), outcome);
    if (!step.provenance.empty()) {
      std::string column = step.provenance;
      if (step.bytes_copied > 0) column += "  ⇒" + target;
      if (ascii_) {
        column = absl::StrReplaceAll(column,
                                     {{"·", "."}, {"●", "*"}, {"⊘", "x"}, {"✕", "#"}, {"⇒", "=>"}});
      }
      line += "  " + column;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    Print(line + '\n');
  }

  std::string Shortened(const std::string& text, std::size_t most) const {
    if (verbose_ || text.size() <= most) return text;
    return text.substr(0, most - 3) + "...";
  }

  void PrintSummary(const sim::ScenarioRun& run) const {
    const sim::ScenarioCounters& counters = run.counters();
    std::string line =
        absl::StrFormat("%d operation%s", counters.operations, counters.operations == 1 ? "" : "s");
    if (run.expectations() > 0) {
      absl::StrAppendFormat(&line, ", %d of %d expectations held",
                            run.expectations() - run.failures().size(), run.expectations());
    }
    if (!run.questions().empty()) {
      absl::StrAppendFormat(&line, ", %d question%s %s", run.questions().size(),
                            run.questions().size() == 1 ? "" : "s",
                            compute_ ? "answered" : "not asked");
    }
    line += '.';
    if (counters.bytes_written > 0) {
      absl::StrAppendFormat(&line, "  written %s for %s asked", ShowSize(counters.bytes_written),
                            ShowSize(counters.bytes_asked));
      if (counters.bytes_asked > 0) {
        absl::StrAppendFormat(&line, " (%.1fx)",
                              static_cast<double>(counters.bytes_written) /
                                  static_cast<double>(counters.bytes_asked));
      }
    }
    Print(line + '\n');
  }

  std::vector<std::string> files_;
  std::uint64_t seed_ = 0;
  bool dump_ = false;
  bool expand_ = false;
  bool json_ = false;
  bool compute_ = false;
  bool quiet_ = false;
  bool verbose_ = false;
  bool ascii_ = false;
};

const CommandRegistration kRun([] { return std::unique_ptr<Command>(new RunCommand); });

}  // namespace
}  // namespace lamina::cli
