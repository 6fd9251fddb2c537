// `lamina export`: layers or the mounted tree of a scenario, or another tree, written to
// directories of the host or into an image of a file system.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/image/ext_image.h"
#include "lamina/image/host_export.h"
#include "lamina/sim/layer_diff.h"
#include "lamina/sim/source_tree.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/export_target.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

// A tree to be written, and where.
struct Export {
  std::string name;
  FileSystem* fs = nullptr;
  NodeId root;
  std::string target;
};

std::string ReportText(const HostExportReport& report) {
  std::string text =
      absl::StrFormat("%d files, %d directories, %d symlinks, %d others, %d hard links, %s",
                      report.files, report.directories, report.symlinks, report.special,
                      report.hard_links, ShowSize(report.bytes));
  if (report.owners_left_out + report.xattrs_left_out + report.devices_left_out > 0) {
    absl::StrAppendFormat(&text, "; left out: %d owners, %d xattrs, %d devices",
                          report.owners_left_out, report.xattrs_left_out, report.devices_left_out);
  }
  return text;
}

Json ReportJson(const Export& part, const HostExportReport& report) {
  return {{"layer", part.name},
          {"directory", part.target},
          {"files", report.files},
          {"directories", report.directories},
          {"symlinks", report.symlinks},
          {"others", report.special},
          {"hard_links", report.hard_links},
          {"bytes", report.bytes},
          {"owners_left_out", report.owners_left_out},
          {"xattrs_left_out", report.xattrs_left_out},
          {"devices_left_out", report.devices_left_out}};
}

std::string ImageText(const ExtImageReport& report) {
  const TreeCopyReport& tree = report.tree;
  std::string text = absl::StrFormat(
      "%d files, %d directories, %d symlinks, %d others, %d hard links, %s; an image of %s",
      tree.files, tree.directories, tree.symlinks, tree.special, tree.hard_links,
      ShowSize(tree.bytes), ShowSize(report.size_bytes));
  if (tree.xattrs_dropped != 0) {
    absl::StrAppendFormat(&text, "; left out: %d xattrs", tree.xattrs_dropped);
  }
  return text;
}

Json ImageJson(const std::string& name, const ExportTarget& target, const ExtImageReport& report) {
  return {{"layer", name},
          {"image", target.path},
          {"size_bytes", report.size_bytes},
          {"files", report.tree.files},
          {"directories", report.tree.directories},
          {"symlinks", report.tree.symlinks},
          {"others", report.tree.special},
          {"hard_links", report.tree.hard_links},
          {"bytes", report.tree.bytes},
          {"xattrs_left_out", report.tree.xattrs_dropped}};
}

class ExportCommand final : public Command {
 public:
  std::string_view name() const override { return "export"; }
  std::string_view summary() const override {
    return "write a layer or a tree to a directory or an ext4 image of this machine";
  }
  std::string_view examples() const override {
    return "  lamina export copy-up.scn dir:upper           the upper, as a kernel would mount it\n"
           "  lamina export --merged copy-up.scn dir:tree   the tree that a process sees\n"
           "  lamina export tar:base.tar ext4:disk.img:64M  a file system that a kernel mounts\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("SOURCE", file_,
                   "a scenario; - is standard input; or dir:DIR, tar:A,B (bottom first), ext4:FILE")
        ->required();
    app.add_option(
           "TARGET", target_,
           "dir:DIR, a directory that is missing or empty; or ext4:FILE[:SIZE], a file that "
           "is missing or holds nothing (SIZE as 64M; default: that of the file, else what "
           "the tree needs)")
        ->required();
    CLI::Option* layer = app.add_option(
        "--layer", layer_, "this layer (default: the upper, or AUFS's topmost writable branch)");
    CLI::Option* merged =
        app.add_flag("--merged", merged_, "the mounted tree, without marks")->excludes(layer);
    app.add_flag("--all", all_, "every layer, each in a directory of its name below DIR")
        ->excludes(layer, merged);
    app.add_flag("--leave-out", leave_out_,
                 "leave out owners, devices and xattrs that this user may not write");
    app.add_option("--after", after_, "run this many file operations first (default: all)")
        ->transform(WholeNumber());
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
  }

  int Run() override {
    const absl::StatusOr<ExportTarget> target = ParseExportTarget(target_);
    if (!target.ok()) return answer_.Complain(target.status(), kExitUsage);
    if (sim::IsHostSource(file_)) return RunOnHostSource(*target);
    if (all_ && target->form == ExportForm::kExt) {
      return answer_.Complain(
          absl::InvalidArgumentError("lamina export: --all needs dir:DIR: an image holds one tree"),
          kExitUsage);
    }
    const std::string directory = target->path;
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(file_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    sim::ScenarioRun run(*scenario, {});
    const absl::Status ran = run.RunToOperation(after_.value_or(scenario->statements.size()));
    if (!ran.ok()) return answer_.Complain(ran, kExitUnreadable);
    const absl::StatusOr<std::vector<Export>> parts = Choose(run, directory);
    if (!parts.ok()) return answer_.Complain(parts.status(), kExitUsage);
    if (all_ && ::mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) {
      return answer_.Complain(
          absl::UnavailableError(absl::StrFormat("%s: %s", directory, std::strerror(errno))),
          kExitErrno);
    }
    return Write(*parts, *target);
  }

 private:
  // Layers of the host are one tree: the options that choose a layer mean nothing there.
  int RunOnHostSource(const ExportTarget& target) {
    if (all_ || merged_ || !layer_.empty() || after_.has_value()) {
      return answer_.Complain(
          absl::InvalidArgumentError("lamina export: --layer, --merged, --all and --after are for "
                                     "a scenario"),
          kExitUsage);
    }
    const absl::StatusOr<std::unique_ptr<sim::SourceTree>> tree = sim::SourceTree::Open(file_);
    if (!tree.ok()) return answer_.Complain(tree.status(), kExitUnreadable);
    return Write({{"tree", &(*tree)->fs(), (*tree)->root(), target.path}}, target);
  }

  static Export PartOf(const sim::ScenarioLayer& layer, const std::string& target) {
    return {layer.name, layer.fs, layer.root, target};
  }

  // Errors: NotFound no such layer; FailedPrecondition nothing is mounted.
  absl::StatusOr<std::vector<Export>> Choose(const sim::ScenarioRun& run,
                                             const std::string& directory) const {
    std::vector<Export> parts;
    if (all_) {
      for (const sim::ScenarioLayer* layer : run.layers()) {
        parts.push_back(PartOf(*layer, directory + '/' + layer->name));
      }
      return parts;
    }
    std::string wanted = layer_;
    if (wanted.empty()) {
      const sim::ScenarioMount* mount = run.mount();
      if (mount == nullptr) {
        return absl::FailedPreconditionError(file_ + ": nothing is mounted at this point");
      }
      if (merged_) {
        parts.push_back({"merged", mount->fs, mount->fs->root(), directory});
        return parts;
      }
      const std::optional<std::string> upper = sim::WritableLayer(*mount);
      if (!upper) {
        return absl::FailedPreconditionError(file_ + ": the mount has no upper; name a --layer");
      }
      wanted = *upper;
    }
    for (const sim::ScenarioLayer* layer : run.layers()) {
      if (layer->name == wanted) parts.push_back(PartOf(*layer, directory));
    }
    if (parts.empty()) {
      return absl::NotFoundError(absl::StrFormat("%s: no layer '%s'", file_, wanted));
    }
    return parts;
  }

  int WriteImage(const Export& part, const ExportTarget& target) const {
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    const absl::StatusOr<ExtImageReport> report =
        WriteExtImage(op, *part.fs, part.root, target.path, {.size_bytes = target.size_bytes});
    if (!report.ok()) return answer_.Complain(report.status(), StatusOf(report.status()));
    if (answer_.json) {
      answer_.PrintJson(
          {{"file", file_}, {"exports", Json::array({ImageJson(part.name, target, *report)})}});
    } else {
      answer_.Print(absl::StrFormat("%-10s %s\n", part.name, ImageText(*report)));
    }
    return kExitDone;
  }

  int Write(const std::vector<Export>& parts, const ExportTarget& target) const {
    if (target.form == ExportForm::kExt) return WriteImage(parts.front(), target);
    HostExportOptions options;
    if (leave_out_) options.unpermitted = Unpermitted::kLeaveOut;
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    Json list = Json::array();
    std::string text;
    for (const Export& part : parts) {
      const absl::StatusOr<HostExportReport> report =
          WriteHostDirectory(op, *part.fs, part.root, part.target, options);
      if (!report.ok()) return answer_.Complain(report.status(), StatusOf(report.status()));
      list.push_back(ReportJson(part, *report));
      text += absl::StrFormat("%-10s %s\n", part.name, ReportText(*report));
    }
    if (answer_.json) {
      answer_.PrintJson({{"file", file_}, {"exports", std::move(list)}});
    } else {
      answer_.Print(text);
    }
    return kExitDone;
  }

  // A wrong directory is wrong usage; the rest is the host that would not.
  static int StatusOf(const absl::Status& status) {
    const bool usage = absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status) ||
                       absl::IsAlreadyExists(status);
    return usage ? kExitUsage : kExitErrno;
  }

  Answer answer_{"lamina-export/1"};
  std::string file_;
  std::string target_;
  std::string layer_;
  std::optional<std::size_t> after_;
  bool merged_ = false;
  bool all_ = false;
  bool leave_out_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kExport([] { return std::unique_ptr<Command>(new ExportCommand); });

}  // namespace
}  // namespace lamina::cli
