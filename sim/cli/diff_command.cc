// `lamina diff`: what a layer changes, as `docker diff` tells it, or how two trees differ.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/sim/layer_diff.h"
#include "lamina/sim/source_tree.h"
#include "lamina/sim/text_style.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

class DiffCommand final : public Command {
 public:
  std::string_view name() const override { return "diff"; }
  std::string_view summary() const override { return "what a layer changes: A, C or D and a path"; }
  std::string_view examples() const override {
    return "  lamina diff copy-up.scn                 what the upper, or topmost rw branch, "
           "changes\n"
           "  lamina diff copy-up.scn --layer app     what the layer app changes\n"
           "  lamina diff ext4:old.img ext4:new.img   what turns one tree into the other\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("SOURCE", file_,
                   "a scenario; - is standard input; with a second SOURCE also dir:DIR, "
                   "tar:A,B (bottom first), ext4:FILE")
        ->required();
    CLI::Option* layers = app.add_option(
        "OTHER", layers_, "two layers of the scenario to compare as trees, or the second SOURCE");
    layers->expected(1, 2);
    app.add_option("--layer", layer_, "what this layer changes against those below")
        ->excludes(layers);
    app.add_option("--after", after_, "run this many file operations first (default: all)")
        ->transform(WholeNumber());
    app.add_flag("--exit-code", exit_code_, "exit with 1 when there is a change");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
  }

  int Run() override {
    if (AreTrees()) return RunOnTrees();
    if (layers_.size() == 1) {
      return answer_.Complain(
          absl::InvalidArgumentError(absl::StrFormat(
              "lamina diff: '%s' alone: two layers, or two SOURCEs, are compared", layers_[0])),
          kExitUsage);
    }
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(file_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    sim::ScenarioRun run(*scenario, {});
    const absl::Status ran = run.RunToOperation(after_.value_or(scenario->statements.size()));
    if (!ran.ok()) return answer_.Complain(ran, kExitUnreadable);
    const absl::StatusOr<std::vector<sim::LayerChange>> changes = Changes(run);
    if (!changes.ok()) {
      const bool unknown = changes.status().code() == absl::StatusCode::kNotFound;
      return answer_.Complain(changes.status(), unknown ? kExitUsage : kExitUnreadable);
    }
    return Answered(*changes);
  }

 private:
  // A tree of the host is named: then there are two trees, and no layers.
  bool AreTrees() const {
    if (sim::IsHostSource(file_)) return true;
    return layers_.size() == 1 && sim::IsHostSource(layers_[0]);
  }

  int RunOnTrees() {
    std::string_view wrong;
    if (layers_.size() != 1) wrong = "two SOURCEs are compared, no more, no less";
    if (after_ || seed_ != 0) wrong = "--after and --seed are for a scenario alone";
    if (!wrong.empty()) {
      return answer_.Complain(absl::InvalidArgumentError(absl::StrFormat("lamina diff: %s", wrong)),
                              kExitUsage);
    }
    const auto before = sim::SourceTree::Open(file_);
    if (!before.ok()) return answer_.Complain(before.status(), kExitUnreadable);
    const auto result = sim::SourceTree::Open(layers_[0]);
    if (!result.ok()) return answer_.Complain(result.status(), kExitUnreadable);
    const Result<std::vector<sim::LayerChange>> changes =
        sim::CompareTrees((*before)->fs(), (*before)->root(), (*result)->fs(), (*result)->root());
    if (!changes.ok()) {
      return answer_.Complain(
          absl::DataLossError(absl::StrFormat("%s and %s cannot be compared: %s", file_, layers_[0],
                                              ErrnoName(changes.error()))),
          kExitUnreadable);
    }
    return Answered(*changes);
  }

  int Answered(const std::vector<sim::LayerChange>& changes) const {
    Show(changes);
    return exit_code_ && !changes.empty() ? kExitFailed : kExitDone;
  }

  absl::StatusOr<std::vector<sim::LayerChange>> Changes(const sim::ScenarioRun& run) const {
    if (layers_.size() == 2) return sim::CompareLayers(run, layers_[0], layers_[1]);
    if (!layer_.empty()) return sim::ChangesOfLayer(run, layer_);
    const sim::ScenarioMount* mount = run.mount();
    if (mount == nullptr) {
      return absl::FailedPreconditionError(file_ + ": nothing is mounted at this point");
    }
    const std::optional<std::string> upper = sim::WritableLayer(*mount);
    if (!upper) return std::vector<sim::LayerChange>();
    return sim::ChangesOfLayer(run, *upper);
  }

  void Show(const std::vector<sim::LayerChange>& changes) const {
    if (!answer_.json) {
      for (const sim::LayerChange& change : changes) {
        answer_.Print(std::string(ChangeLetter(change.kind)) + ' ' + sim::OneLine(change.path) +
                      '\n');
      }
      return;
    }
    Json list = Json::array();
    for (const sim::LayerChange& change : changes) {
      list.push_back({{"kind", ChangeLetter(change.kind)}, {"path", change.path}});
    }
    Json document = {{"file", file_}};
    if (AreTrees()) document["other"] = layers_[0];
    document["changes"] = std::move(list);
    answer_.PrintJson(document);
  }

  Answer answer_{"lamina-diff/1"};
  std::string file_;
  std::vector<std::string> layers_;
  std::string layer_;
  std::optional<std::size_t> after_;
  bool exit_code_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kDiff([] { return std::unique_ptr<Command>(new DiffCommand); });

}  // namespace
}  // namespace lamina::cli
