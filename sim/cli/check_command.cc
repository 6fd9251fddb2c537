// `lamina check`: what is odd about a stack of layers, and what a real kernel does with it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/sim/check.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/ext_source.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/whole_number.h"

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

Json FindingJson(const ExtFinding& finding) {
  Json json = {{"kind", std::string(FindingId(finding.kind))},
               {"severity", finding.severity == ExtSeverity::kError ? "error" : "note"}};
  if (finding.group.has_value()) json["group"] = *finding.group;
  if (finding.inode != 0) json["inode"] = finding.inode;
  if (finding.block != 0) json["block"] = finding.block;
  json["what"] = finding.text;
  return json;
}

// A finding a line, and the sums.
std::string ReportText(const ExtReport& report) {
  std::string text;
  for (const ExtFinding& finding : report.findings) {
    absl::StrAppendFormat(&text, "%-5s %-16s %s\n",
                          finding.severity == ExtSeverity::kError ? "error" : "note",
                          FindingId(finding.kind), FindingText(finding));
  }
  absl::StrAppendFormat(&text,
                        "%d errors, %d notes; %d inodes, %d of them directories, and %d blocks "
                        "in use\n",
                        report.errors, report.notes, report.used_inodes, report.directories,
                        report.used_blocks);
  return text;
}

class CheckCommand final : public Command {
 public:
  std::string_view name() const override { return "check"; }
  std::string_view summary() const override {
    return "what is odd about the layers, and what a kernel does with it";
  }
  std::string_view examples() const override {
    return "  lamina check copy-up.scn                  the stack as it is when it has run\n"
           "  lamina check --json tar:base.tar,app.tar  two layers, bottom first\n"
           "  lamina check ext4:disk.img                a file system, as e2fsck -fn does\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("SOURCE", source_,
                   "a scenario; - is standard input; or dir:DIR, tar:A,B (bottom first), "
                   "ext4:FILE (an image of ext2, ext3 or ext4)")
        ->required();
    app.add_flag("--userxattr", userxattr_,
                 "marks are user.overlay.* (dir: and tar: only; a scenario says it itself)");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
    app.footer("Exit status: 0 nothing found (an image: no error), 1 something found.");
  }

  int Run() override {
    if (IsExtSource(source_) && !userxattr_) return RunOnImage();
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
  int RunOnImage() const {
    const absl::StatusOr<ExtReport> report = CheckExtSource(source_);
    if (!report.ok()) return answer_.Complain(report.status(), kExitUnreadable);
    if (answer_.json) {
      Json list = Json::array();
      for (const ExtFinding& finding : report->findings) list.push_back(FindingJson(finding));
      answer_.PrintJson({{"source", source_},
                         {"findings", std::move(list)},
                         {"errors", report->errors},
                         {"notes", report->notes},
                         {"inodes", report->used_inodes},
                         {"directories", report->directories},
                         {"blocks", report->used_blocks}});
    } else {
      answer_.Print(ReportText(*report));
    }
    return report->clean() ? kExitDone : kExitFailed;
  }

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
