// `lamina explain`: why an operation gives what it gives and what it costs, without doing it.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lamina/sim/explain.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/style.h"

namespace lamina::cli {
namespace {

Json LookupsJson(const sim::Explanation& why) {
  Json lookups = Json::array();
  for (const sim::ExplainedLookup& lookup : why.lookups) {
    Json branches = Json::array();
    for (const sim::ExplainedBranch& branch : lookup.branches) {
      Json line = {{"branch", branch.label},
                   {"layer", branch.layer},
                   {"outcome", branch.outcome},
                   {"decision", branch.decision}};
      if (!branch.mode.empty()) line["mode"] = branch.mode;
      branches.push_back(std::move(line));
    }
    Json shown = {{"path", lookup.path}, {"branches", std::move(branches)}};
    if (!lookup.refused.empty()) shown["refused"] = lookup.refused;
    lookups.push_back(std::move(shown));
  }
  return lookups;
}

Json ChangesJson(const sim::Explanation& why) {
  Json changes = Json::array();
  for (const sim::ExplainedChange& change : why.changes) {
    Json steps = Json::array();
    for (const sim::ExplainedStep& step : change.steps) {
      Json line = {{"step", step.text},
                   {"bytes_read", step.bytes_read},
                   {"bytes_written", step.bytes_written}};
      if (!step.label.empty()) line["branch"] = step.label;
      if (step.commit) line["commit"] = true;
      if (step.clean_up) line["clean_up"] = true;
      steps.push_back(std::move(line));
    }
    changes.push_back(
        {{"change", change.title}, {"decision", change.decision}, {"steps", std::move(steps)}});
  }
  return changes;
}

Json BlocksJson(const sim::Explanation& why) {
  Json blocks = Json::array();
  for (const sim::ExplainedBlock& block : why.blocks) {
    Json line = {{"device", block.device},
                 {"block", block.block},
                 {"block_bytes", block.block_bytes},
                 {"place", block.place}};
    if (block.chunk) line["chunk"] = *block.chunk;
    line["shared_with"] = block.shared_with;
    if (!block.sharing.empty()) line["sharing"] = block.sharing;
    line["effect"] = block.effect;
    blocks.push_back(std::move(line));
  }
  return blocks;
}

Json CostJson(const sim::ExplainedCost& cost) {
  Json out = {{"steps", cost.steps},
              {"bytes_read", cost.bytes_read},
              {"bytes_written", cost.bytes_written},
              {"bytes_asked", cost.bytes_asked}};
  if (cost.bytes_asked > 0) {
    out["write_amplification"] =
        static_cast<double>(cost.bytes_written) / static_cast<double>(cost.bytes_asked);
  }
  return out;
}

class ExplainCommand final : public Command {
 public:
  std::string_view name() const override { return "explain"; }
  std::string_view summary() const override { return "why an operation gives what it gives"; }
  std::string_view examples() const override {
    return "  lamina explain copy-up.scn --after 2 unlink /etc/hosts   after two operations\n"
           "  lamina explain --analyze copy-up.scn append /srv/db x    planned against actual\n";
  }

  void AddOptions(CLI::App& app) override {
    app_ = &app;
    app.add_option("FILE", file_, "a scenario; - is standard input")->required();
    app.add_option("--after", after_, "run this many file operations first (default: all)");
    app.add_flag("--analyze", analyze_, "then run it, and compare");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")->capture_default_str();
    style_.AddTo(app);
    app.prefix_command();
    app.footer(
        "OPERATION follows the options: one on files or on a device, or a remount, as in a "
        "scenario.");
  }

  int Run() override {
    const std::vector<std::string> words = app_->remaining();
    if (words.empty()) {
      return answer_.Complain(
          absl::InvalidArgumentError("lamina explain: which OPERATION? (lamina help explain)"),
          kExitUsage);
    }
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(file_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    const absl::StatusOr<sim::Statement> operation = sim::ParseOperation(words, scenario->limits);
    if (!operation.ok()) return answer_.Complain(operation.status(), kExitUsage);
    const sim::ExplainMode mode = analyze_ ? sim::ExplainMode::kAnalyze : sim::ExplainMode::kPlan;
    const absl::StatusOr<sim::Explanation> why =
        sim::ExplainAfter(*scenario, after_, *operation, mode);
    if (!why.ok()) {
      const bool usage = why.status().code() == absl::StatusCode::kOutOfRange;
      return answer_.Complain(why.status(), usage ? kExitUsage : kExitUnreadable);
    }
    Show(*why);
    const bool differs = why->actual_answer &&
                         (*why->actual_answer != why->answer || *why->actual_cost != why->cost);
    return differs ? kExitFailed : kExitDone;
  }

 private:
  void Show(const sim::Explanation& why) const {
    if (!answer_.json) {
      answer_.Print(sim::ExplanationText(why, style_.style()));
      return;
    }
    Json document = {{"file", file_},
                     {"operation", why.operation},
                     {"lookups", LookupsJson(why)},
                     {"changes", ChangesJson(why)},
                     {"cost", CostJson(why.cost)},
                     {"answer", why.answer}};
    if (!why.blocks.empty()) document["blocks"] = BlocksJson(why);
    if (why.error) document["errno"] = std::string(ErrnoName(*why.error));
    document["notes"] = why.notes;
    if (why.was_run) document["was_run"] = true;
    if (why.actual_answer) {
      document["actual"] = {{"answer", *why.actual_answer}, {"cost", CostJson(*why.actual_cost)}};
    }
    answer_.PrintJson(document);
  }

  CLI::App* app_ = nullptr;
  Answer answer_{"lamina-explain/1"};
  StyleOptions style_;
  std::string file_;
  std::optional<std::size_t> after_;
  bool analyze_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kExplain([] { return std::unique_ptr<Command>(new ExplainCommand); });

}  // namespace
}  // namespace lamina::cli
