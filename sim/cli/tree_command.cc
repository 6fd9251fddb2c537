// `lamina tree`: the mounted tree with the layers its entries come from, or any tree in the form of
// the kernel oracle's dumps.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/sim/source_tree.h"
#include "lamina/sim/tree.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/style.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

std::string_view TypeWord(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return "file";
    case FileType::kDirectory:
      return "directory";
    case FileType::kSymlink:
      return "symlink";
    case FileType::kCharDevice:
      return "char";
    case FileType::kBlockDevice:
      return "block";
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "";
}

Json EntryJson(const sim::TreeEntry& entry, sim::TreeSelection selection) {
  Json out = {{"path", entry.path}};
  if (entry.stat) out["type"] = TypeWord(entry.stat->type);
  if (entry.stat && entry.stat->type == FileType::kRegular) out["size"] = entry.stat->size_bytes;
  if (!entry.target.empty()) out["target"] = entry.target;
  if (entry.whiteout) out["whiteout"] = true;
  if (entry.error) out["errno"] = std::string(ErrnoName(*entry.error));
  if (entry.path != "/") out["layers"] = entry.labels;
  if (!entry.change.empty()) out["change"] = entry.change;
  if (!entry.notes.empty()) out["notes"] = entry.notes;
  if (selection == sim::TreeSelection::kVisible || entry.hidden.empty()) return out;
  out["hides"] = Json::array();
  for (const sim::HiddenCopy& copy : entry.hidden) {
    out["hides"].push_back({{"layer", copy.label},
                            {"type", TypeWord(copy.type)},
                            {"files", copy.files},
                            {"bytes", copy.bytes}});
  }
  return out;
}

bool IsAufs(const sim::ScenarioMount& mount) { return mount.fs->dialect_name() == "aufs"; }

Json TotalsJson(const sim::ScenarioMount& mount, const sim::TreeTotals& totals) {
  Json out = {{"files", totals.files},
              {"directories", totals.directories},
              {"others", totals.others},
              {"whiteouts", totals.whiteouts},
              {"hidden_files", totals.hidden_files},
              {"visible_bytes", totals.visible_bytes},
              {"stored_bytes", totals.stored_bytes},
              {"hidden_bytes", totals.hidden_bytes}};
  if (!IsAufs(mount)) return out;
  out["opaque_marks"] = totals.opaque_marks;
  out["base_entries"] = totals.base_entries;
  return out;
}

// "layers   3 read-only and the upper\n"; of AUFS its branches, and what it keeps in them.
std::string BranchesText(const sim::ScenarioMount& mount, const sim::TreeTotals& totals) {
  if (!IsAufs(mount)) {
    return absl::StrFormat("layers   %d read-only%s\n", mount.setup.lowers.size(),
                           mount.setup.upper ? " and the upper" : "");
  }
  const std::vector<Branch>& branches = mount.fs->branches();
  const auto writable =
      static_cast<std::size_t>(std::count_if(branches.begin(), branches.end(), [](const auto& b) {
        return b.mode == BranchMode::kReadWrite;
      }));
  return absl::StrFormat(
      "aufs     %d opaque marks, %d base entries\n"
      "branches %d writable, %d read-only\n",
      totals.opaque_marks, totals.base_entries, writable, branches.size() - writable);
}

class TreeCommand final : public Command {
 public:
  std::string_view name() const override { return "tree"; }
  std::string_view summary() const override { return "the tree, and which layer shows what"; }
  std::string_view examples() const override {
    return "  lamina tree --hidden copy-up.scn         with whiteouts and hidden copies\n"
           "  lamina tree --dump tar:base.tar,app.tar  two layers as the kernel would show them\n"
           "  lamina tree --dump ext4:disk.img         what a mount of the image shows\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("SOURCE", source_,
                   "a scenario; - is standard input; with --dump also dir:DIR, tar:A,B (bottom "
                   "first), ext4:FILE (an image of ext2, ext3 or ext4)")
        ->required();
    CLI::Option* hidden =
        app.add_flag("--hidden", hidden_, "show whiteouts and hidden copies, too");
    CLI::Option* changes =
        app.add_flag("--changes", changes_,
                     "show only what the upper, or AUFS's writable branches, change")
            ->excludes(hidden);
    CLI::Option* totals =
        app.add_flag("--totals", totals_, "show only the sums")->excludes(hidden, changes);
    app.add_flag("--dump", dump_, "print the lines of the kernel oracle's dump")
        ->excludes(hidden, changes, totals);
    app.add_option("--after", after_, "run this many file operations first (default: all)")
        ->transform(WholeNumber());
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
    style_.AddTo(app);
  }

  int Run() override {
    if (sim::IsHostSource(source_)) {
      if (dump_) return Dump(sim::CanonicalTree(source_));
      return answer_.Complain(
          absl::InvalidArgumentError("lamina tree: dir:, tar: and ext4: need --dump; only a "
                                     "scenario has a mount with layers"),
          kExitUsage);
    }
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(source_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    if (dump_) return Dump(sim::CanonicalTreeOf(*scenario));
    sim::ScenarioRun run(*scenario, {});
    const absl::Status ran = run.RunToOperation(after_.value_or(scenario->statements.size()));
    if (!ran.ok()) return answer_.Complain(ran, kExitUnreadable);
    const sim::ScenarioMount* mount = run.mount();
    if (mount == nullptr) {
      return answer_.Complain(
          absl::FailedPreconditionError(source_ + ": nothing is mounted at this point"),
          kExitUnreadable);
    }
    const absl::StatusOr<sim::LayeredTree> tree = sim::ReadLayeredTree(*mount);
    if (!tree.ok()) return answer_.Complain(tree.status(), kExitUnreadable);
    Show(run, *mount, *tree);
    const sim::TreeTotals& totals = tree->totals;
    if (totals.visible_bytes + totals.hidden_bytes == totals.stored_bytes) return kExitDone;
    std::fprintf(stderr, "visible + hidden is not stored; replay: lamina tree --seed=%llu %s\n",
                 static_cast<unsigned long long>(seed_), source_.c_str());
    return kExitInvariant;
  }

 private:
  int Dump(const absl::StatusOr<std::vector<std::string>>& lines) const {
    if (!lines.ok()) return answer_.Complain(lines.status(), kExitUnreadable);
    if (answer_.json) {
      answer_.PrintJson({{"source", source_}, {"lines", *lines}});
      return kExitDone;
    }
    for (const std::string& line : *lines) answer_.Print(line + '\n');
    return kExitDone;
  }

  sim::TreeSelection selection() const {
    if (changes_) return sim::TreeSelection::kChanges;
    return hidden_ ? sim::TreeSelection::kHidden : sim::TreeSelection::kVisible;
  }

  void Show(const sim::ScenarioRun& run, const sim::ScenarioMount& mount,
            const sim::LayeredTree& tree) const {
    if (answer_.json) {
      ShowJson(run, mount, tree);
    } else if (totals_) {
      ShowTotals(run, mount, tree.totals);
    } else {
      answer_.Print(sim::LayeredTreeText(tree, selection(), style_.style()));
    }
  }

  void ShowJson(const sim::ScenarioRun& run, const sim::ScenarioMount& mount,
                const sim::LayeredTree& tree) const {
    Json document = {{"file", source_}};
    if (!totals_) {
      document["entries"] = Json::array();
      for (const sim::TreeEntry& entry : sim::SelectEntries(tree, selection())) {
        document["entries"].push_back(EntryJson(entry, selection()));
      }
    }
    document["totals"] = TotalsJson(mount, tree.totals);
    document["totals"]["copied_files"] = run.counters().copy_ups;
    document["totals"]["copied_bytes"] = run.counters().bytes_copied;
    answer_.PrintJson(document);
  }

  void ShowTotals(const sim::ScenarioRun& run, const sim::ScenarioMount& mount,
                  const sim::TreeTotals& totals) const {
    answer_.Print(absl::StrFormat(
        "files    %d visible, %d hidden; %d directories, %d others, %d whiteouts\n%s"
        "copied   %d files, %s\n",
        totals.files, totals.hidden_files, totals.directories, totals.others, totals.whiteouts,
        BranchesText(mount, totals), run.counters().copy_ups,
        ShowSize(run.counters().bytes_copied)));
    answer_.Print(absl::StrFormat(
        "visible  %s (%d bytes)\nhidden   %s (%d bytes)\n"
        "stored   %s (%d bytes) = visible + hidden\n",
        ShowSize(totals.visible_bytes), totals.visible_bytes, ShowSize(totals.hidden_bytes),
        totals.hidden_bytes, ShowSize(totals.stored_bytes), totals.stored_bytes));
  }

  Answer answer_{"lamina-tree/1"};
  StyleOptions style_;
  std::string source_;
  std::optional<std::size_t> after_;
  bool hidden_ = false;
  bool changes_ = false;
  bool totals_ = false;
  bool dump_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kTree([] { return std::unique_ptr<Command>(new TreeCommand); });

}  // namespace
}  // namespace lamina::cli
