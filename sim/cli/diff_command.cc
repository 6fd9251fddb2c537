// `lamina diff`: what a layer changes, as `docker diff` tells it.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lamina/sim/layer_diff.h"
#include "lamina/sim/text_style.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"

namespace lamina::cli {
namespace {

class DiffCommand final : public Command {
 public:
  std::string_view name() const override { return "diff"; }
  std::string_view summary() const override { return "what a layer changes: A, C or D and a path"; }
  std::string_view examples() const override {
    return "  lamina diff copy-up.scn                 what the upper, or topmost rw branch, "
           "changes\n"
           "  lamina diff copy-up.scn --layer app     what the layer app changes\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("FILE", file_, "a scenario; - is standard input")->required();
    CLI::Option* layers = app.add_option("LAYERS", layers_, "two layers to compare as trees");
    layers->expected(2);
    app.add_option("--layer", layer_, "what this layer changes against those below")
        ->excludes(layers);
    app.add_option("--after", after_, "run this many file operations first (default: all)");
    app.add_flag("--exit-code", exit_code_, "exit with 1 when there is a change");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")->capture_default_str();
  }

  int Run() override {
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
    Show(*changes);
    return exit_code_ && !changes->empty() ? kExitFailed : kExitDone;
  }

 private:
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
    answer_.PrintJson({{"file", file_}, {"changes", std::move(list)}});
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
