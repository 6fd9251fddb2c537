// `lamina check`: what is odd about a stack of layers, and what a real kernel does with it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "lamina/sim/check.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"

namespace lamina::cli {
namespace {

Json FindingJson(const sim::StackFinding& finding) {
  return {{"kind", std::string(sim::FindingId(finding.kind))},
          {"severity", std::string(sim::SeverityWord(finding.severity))},
          {"branch", finding.label},
          {"layer", finding.layer},
          {"path", finding.path},
          {"what", finding.what},
          {"kernel", finding.kernel}};
}

class CheckCommand final : public Command {
 public:
  std::string_view name() const override { return "check"; }
  std::string_view summary() const override {
    return "what is odd about the layers, and what a kernel does with it";
  }
  std::string_view examples() const override {
    return "  lamina check copy-up.scn                  the stack as it is when it has run\n"
           "  lamina check --json tar:base.tar,app.tar  two layers, bottom first\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("SOURCE", source_,
                   "a scenario; - is standard input; or dir:DIR, tar:A,B (bottom first)")
        ->required();
    app.add_flag("--userxattr", userxattr_,
                 "marks are user.overlay.* (dir: and tar: only; a scenario says it itself)");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")->capture_default_str();
    app.footer("Exit status: 0 nothing found, 1 something found.");
  }

  int Run() override {
    const bool layers = source_.starts_with("dir:") || source_.starts_with("tar:");
    if (userxattr_ && !layers) {
      return answer_.Complain(
          absl::InvalidArgumentError("lamina check: --userxattr is for dir: and tar:"), kExitUsage);
    }
    const absl::StatusOr<std::vector<sim::StackFinding>> findings =
        layers ? OfLayers() : OfScenario();
    if (!findings.ok()) return answer_.Complain(findings.status(), kExitUnreadable);
    Show(*findings);
    const bool fault = std::any_of(
        findings->begin(), findings->end(),
        [](const sim::StackFinding& finding) { return sim::IsFaultOfLamina(finding.kind); });
    if (fault) {
      std::fprintf(stderr,
                   "the mounted tree is not consistent; replay: lamina check --seed=%llu %s\n",
                   static_cast<unsigned long long>(seed_), source_.c_str());
      return kExitInvariant;
    }
    return findings->empty() ? kExitDone : kExitFailed;
  }

 private:
  absl::StatusOr<std::vector<sim::StackFinding>> OfLayers() const {
    OverlayOptions options;
    options.userxattr = userxattr_;
    return sim::CheckLayers(source_, options);
  }

  absl::StatusOr<std::vector<sim::StackFinding>> OfScenario() const {
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(source_, seed_);
    if (!scenario.ok()) return scenario.status();
    return sim::CheckScenario(*scenario);
  }

  void Show(const std::vector<sim::StackFinding>& findings) const {
    if (!answer_.json) {
      answer_.Print(sim::FindingsText(findings));
      return;
    }
    Json list = Json::array();
    for (const sim::StackFinding& finding : findings) list.push_back(FindingJson(finding));
    answer_.PrintJson({{"source", source_}, {"findings", std::move(list)}});
  }

  Answer answer_{"lamina-check/1"};
  std::string source_;
  bool userxattr_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kCheck([] { return std::unique_ptr<Command>(new CheckCommand); });

}  // namespace
}  // namespace lamina::cli
