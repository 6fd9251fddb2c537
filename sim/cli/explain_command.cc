// `lamina explain`: why an operation gives what it gives and what it costs, without doing it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/sim/explain.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/style.h"
#include "sim/cli/whole_number.h"

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
    AddSettings(app);
    app.prefix_command();
    app.footer(
        "OPERATION follows FILE: one on files or on a device, or a remount, as in a scenario.\n"
        "Options may stand before it, in it and behind it; what follows -- is no option.");
  }

  int Run() override {
    try {
      TakeOperation();
    } catch (const CLI::CallForHelp&) {
      answer_.Print(app_->help());
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      return answer_.Complain(absl::InvalidArgumentError(error.what()), kExitUsage);
    }
    if (words_.empty()) {
      return answer_.Complain(
          absl::InvalidArgumentError("lamina explain: which OPERATION? (lamina help explain)"),
          kExitUsage);
    }
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(file_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    const absl::StatusOr<sim::Statement> operation = sim::ParseOperation(words_, scenario->limits);
    if (!operation.ok()) {
      return answer_.Complain(WithUnknownOption(operation.status()), kExitUsage);
    }
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
  void AddSettings(CLI::App& app) {
    app.add_option("--after", after_, "run this many file operations first (default: all)")
        ->transform(WholeNumber());
    app.add_flag("--analyze", analyze_, "then run it, and compare");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
    style_.AddTo(app);
  }

  // CLI11 stops at the first word of the operation; options among the others are found here. What
  // it does not know is the operation's: "-1" of a chown. Throws CLI::ParseError.
  void TakeOperation() {
    std::vector<std::string> words = app_->remaining();
    const auto mark = std::find(words.begin(), words.end(), "--");
    const bool marked = mark != words.end();
    CLI::App behind;
    behind.allow_extras();
    AddSettings(behind);
    behind.parse(std::vector<std::string>(std::make_reverse_iterator(mark), words.rend()));
    words_ = behind.remaining();
    if (marked) words_.insert(words_.end(), mark + 1, words.end());
  }

  // A word that only looks like an option may be the reason.
  absl::Status WithUnknownOption(const absl::Status& status) const {
    const auto word = std::find_if(words_.begin(), words_.end(),
                                   [](const std::string& each) { return each.starts_with("--"); });
    if (word == words_.end()) return status;
    return {status.code(), absl::StrFormat("%s; lamina explain has no option %s",
                                           std::string(status.message()), *word)};
  }

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
  std::vector<std::string> words_;  // of the operation
  std::optional<std::size_t> after_;
  bool analyze_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kExplain([] { return std::unique_ptr<Command>(new ExplainCommand); });

}  // namespace
}  // namespace lamina::cli
