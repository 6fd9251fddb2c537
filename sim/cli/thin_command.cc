// `lamina thin`: thin pools as thin_dump XML and as binary metadata.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/block/thin_counts.h"
#include "lamina/block/thin_delta.h"
#include "lamina/image/thin_tool_text.h"
#include "lamina/image/thin_xml.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_pool.h"
#include "sim/cli/thin_answers.h"
#include "sim/cli/thin_restore.h"
#include "sim/cli/thin_source.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

class ThinCommand final : public Command {
 public:
  std::string_view name() const override { return "thin"; }
  std::string_view summary() const override {
    return "thin pools: thin_dump XML and metadata, as the thin tools read and write them";
  }
  std::string_view examples() const override {
    return "  lamina thin ls pool.xml                          what each device maps, alone and "
           "shared\n"
           "  lamina thin delta --snap1 0 --snap2 1 pool.xml   what two devices have in common\n";
  }

  void AddOptions(CLI::App& app) override {
    app.require_subcommand(0, 1);  // Run says better what is missing
    AddShared(app);
    AddFormat(app, "the thin tool");
    AddFormat(*AddPart(app, "dump", "print canonical thin_dump XML"), "thin_dump");
    restore_ = AddPart(app, "restore", "write binary metadata that thin_check accepts");
    restore_->add_option("OUTPUT,-o,--output", output_,
                         "a file, made as long as needed, or a disk; must be given");
    check_ = AddPart(app, "check", "what is wrong, or what no kernel would write");
    check_->footer("Exit status: 0 nothing found, 1 something found.");
    ls_ = AddPart(app, "ls",
                  "a line a device: DEV MAPPED EXCLUSIVE SHARED TRANSACTION CREATE_TIME SNAP_TIME");
    AddFormat(*ls_, "thin_ls");
    CLI::App* delta = AddPart(app, "delta", "a line a run: KIND BEGIN LENGTH");
    delta->add_option("--snap1,--thin1", left_, "the left device")
        ->transform(WholeNumber("device number"))
        ->required();
    delta->add_option("--snap2,--thin2", right_, "the right device")
        ->transform(WholeNumber("device number"))
        ->required();
    AddFormat(*delta, "thin_delta");
    delta->add_flag("--verbose", verbose_, "data blocks too (with --format=tool)");
    delta_ = delta;
    app_ = &app;
    app.allow_extras();  // of itself, not of the parts
    app.footer(
        "Blocks are the pool's data blocks. Exit status: 0 done, 1 something found (check),\n"
        "2 wrong usage, 3 unreadable input, 4 no such device or nothing written.");
  }

  int Run() override {
    if (const std::string wrong = WrongUsage(); !wrong.empty()) {
      return answer_.Complain(absl::InvalidArgumentError("lamina thin: " + wrong), kExitUsage);
    }
    const absl::StatusOr<ThinSource> source = Source();
    if (!source.ok()) {
      const bool no_pool = source.status().code() == absl::StatusCode::kFailedPrecondition;
      return answer_.Complain(source.status(), no_pool ? kExitErrno : kExitUnreadable);
    }
    if (check_->parsed()) return Check(*source);
    const absl::StatusOr<ThinDump> dump = source->Dump();
    if (!dump.ok()) return answer_.Complain(dump.status(), kExitUnreadable);
    if (restore_->parsed()) return Restore(*dump);
    if (ls_->parsed()) return List(*dump);
    if (delta_->parsed()) return Delta(*dump);
    return Print(*dump);  // dump
  }

 private:
  CLI::App* AddPart(CLI::App& app, const std::string& name, const std::string& summary) {
    CLI::App* part = app.add_subcommand(name, summary);
    part->add_option("FILE,-i,--input", file_,
                     "thin_dump XML or binary metadata, - is standard input; or a scenario, "
                     "*.scn; must be given");
    AddShared(*part);
    parts_.push_back(part);
    return part;
  }

  // Before the name of the part or behind it.
  void AddShared(CLI::App& app) {
    app.add_option("--pool", pool_, "of a scenario that leaves several pools");
    app.add_flag("--json", answer_.json, "print one JSON document");
  }

  void AddFormat(CLI::App& part, const std::string& tool) {
    part.add_option("--format", format_, "lines, or tool: as " + tool + " prints by default")
        ->check(CLI::IsMember({"lines", "tool"}))
        ->capture_default_str();
  }

  bool IsScenario() const { return file_.ends_with(".scn"); }

  absl::StatusOr<ThinSource> Source() const {
    if (!IsScenario()) return ThinSource::Open(file_);
    absl::StatusOr<std::string> text = ScenarioPoolXml(file_, pool_);
    if (!text.ok()) return text.status();
    return ThinSource::OfXml(file_, *std::move(text));
  }

  std::string WrongUsage() const {
    const std::vector<std::string> extras = app_->remaining();
    if (!extras.empty()) {
      return "'" + extras.front() + "' is none of dump, restore, check, ls, delta";
    }
    if (PartName().empty()) return "dump, restore, check, ls or delta? (lamina help thin)";
    if (file_.empty()) return "which FILE? (lamina thin " + PartName() + " --help)";
    if (pool_ && !IsScenario()) return "--pool is for a scenario, a file *.scn";
    if (answer_.json && format_ == "tool") return "--json and --format=tool exclude each other";
    if (verbose_ && format_ != "tool") return "--verbose needs --format=tool";
    if (format_ == "tool" && (restore_->parsed() || check_->parsed())) {
      return PartName() + " has no --format=tool";
    }
    if (restore_->parsed() && (output_.empty() || output_ == "-")) {
      return "which OUTPUT? It is a file or a disk";
    }
    return "";
  }

  std::string PartName() const {
    const auto parsed = std::find_if(parts_.begin(), parts_.end(),
                                     [](const CLI::App* part) { return part->parsed(); });
    return parsed == parts_.end() ? "" : (*parsed)->get_name();
  }

  int Print(const ThinDump& dump) const {
    if (answer_.json) {
      answer_.PrintJson(DumpJson(dump));
    } else {
      WriteThinXml(dump, Answer::Print);
    }
    return kExitDone;
  }

  int Restore(const ThinDump& dump) const {
    const absl::StatusOr<std::uint64_t> blocks = RestoreToHost(dump, output_);
    if (!blocks.ok()) return answer_.Complain(blocks.status(), kExitErrno);
    std::uint64_t mapped = 0;
    for (const ThinDumpDevice& device : dump.devices) mapped += device.mapped_blocks;
    if (answer_.json) {
      answer_.PrintJson({{"file", file_},
                         {"output", output_},
                         {"metadata_blocks", *blocks},
                         {"devices", dump.devices.size()},
                         {"mapped_blocks", mapped}});
    } else {
      answer_.Print(absl::StrFormat("%s: %d devices, %d mapped blocks, %d metadata blocks\n",
                                    output_, dump.devices.size(), mapped, *blocks));
    }
    return kExitDone;
  }

  int Check(const ThinSource& source) const {
    const absl::StatusOr<std::vector<ThinFinding>> findings = source.Check();
    if (!findings.ok()) return answer_.Complain(findings.status(), kExitUnreadable);
    if (answer_.json) {
      answer_.PrintJson({{"file", file_}, {"findings", FindingsJson(*findings)}});
    } else {
      answer_.Print(FindingsText(*findings));
    }
    return findings->empty() ? kExitDone : kExitFailed;
  }

  int List(const ThinDump& dump) const {
    const std::vector<ThinDeviceCounts> counts = CountThinBlocks(dump);
    if (answer_.json) {
      answer_.PrintJson({{"file", file_}, {"devices", CountsJson(counts)}});
    } else if (format_ == "tool") {
      answer_.Print(ThinLsTable(counts, dump.data_block_size));
    } else {
      answer_.Print(CountsText(counts));
    }
    return kExitDone;
  }

  int Delta(const ThinDump& dump) const {
    const ThinDumpDevice* left = Find(dump, left_);
    const ThinDumpDevice* right = Find(dump, right_);
    if (left == nullptr || right == nullptr) return NoDevice(left == nullptr ? left_ : right_);
    const std::vector<ThinDeltaRange> ranges = DiffThinDevices(*left, *right);
    if (answer_.json) {
      answer_.PrintJson({{"file", file_},
                         {"left", left_},
                         {"right", right_},
                         {"runs", DeltaJson(RunsOfThinDelta(ranges))}});
    } else if (format_ == "tool") {
      WriteThinDeltaXml(dump, left_, right_, ranges,
                        verbose_ ? ThinDeltaDetail::kRanges : ThinDeltaDetail::kRuns,
                        Answer::Print);
    } else {
      answer_.Print(DeltaText(RunsOfThinDelta(ranges)));
    }
    return kExitDone;
  }

  static const ThinDumpDevice* Find(const ThinDump& dump, std::uint64_t id) {
    const auto found =
        std::find_if(dump.devices.begin(), dump.devices.end(),
                     [&](const ThinDumpDevice& device) { return device.dev_id == id; });
    return found == dump.devices.end() ? nullptr : &*found;
  }

  int NoDevice(std::uint64_t id) const {
    const std::string message = absl::StrFormat("%s: no device %d [ENODATA]", file_, id);
    if (answer_.json) {
      answer_.PrintJson({{"error", {{"errno", "ENODATA"}, {"message", message}}}});
      return kExitErrno;
    }
    return answer_.Complain(absl::NotFoundError(message), kExitErrno);
  }

  Answer answer_{"lamina-thin/1"};
  std::vector<CLI::App*> parts_;
  CLI::App* app_ = nullptr;
  CLI::App* restore_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* ls_ = nullptr;
  CLI::App* delta_ = nullptr;
  std::string file_;
  std::optional<std::string> pool_;
  std::string output_;
  std::string format_ = "lines";
  std::uint64_t left_ = 0;
  std::uint64_t right_ = 0;
  bool verbose_ = false;
};

const CommandRegistration kThin([] { return std::unique_ptr<Command>(new ThinCommand); });

}  // namespace
}  // namespace lamina::cli
