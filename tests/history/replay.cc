#include "tests/history/replay.h"

#include <gtest/gtest.h>

#include <vector>

namespace lamina::testing {
namespace {

// Keeps the line about the lowers, the last one.
class LastLine final : public sim::LineSink {
 public:
  void OnLine(std::string_view line) override { text = std::string(line); }
  std::string text;
};

}  // namespace

Replay::Replay(std::string_view text) : nothing_(std::make_unique<MemFs>()) {
  // The first line of a raw string is empty, so the numbers of the lines stay what they are.
  const std::string whole = "scenario 2 " + std::string(text);
  absl::StatusOr<sim::Scenario> scenario = sim::ParseScenario(whole, {.file = "history"});
  if (!scenario.ok()) {
    Complain(std::string(scenario.status().message()));
    return;
  }
  scenario_ = *std::move(scenario);
  Run();
}

Replay::~Replay() = default;

void Replay::Run() {
  LastLine last;
  run_ = std::make_unique<sim::ScenarioRun>(scenario_, sim::ScenarioRunOptions{.sink = &last});
  while (!run_->AtEnd()) {
    const absl::StatusOr<sim::StepReport> step = run_->Step();
    if (!step.ok()) return Complain(std::string(step.status().message()));
    if (step->operation && !step->expectation_held.has_value()) {
      Complain(step->statement->text + ": nothing is expected of it");
    }
  }
  for (const sim::ScenarioFailure& failure : run_->failures()) {
    Complain("line " + std::to_string(failure.line) + ": expected " + failure.expected + ", got " +
             failure.got);
  }
  for (const sim::ScenarioMount* mount : run_->mounts()) LookForTemporaries(*mount);
  run_->Finish();
  if (last.text != "== lowers unchanged") Complain(last.text);
}

void Replay::Complain(std::string_view what) { broken_ += std::string(what) + '\n'; }

void Replay::LookForTemporaries(const sim::ScenarioMount& mount) {
  if (!mount.setup.work.has_value()) return;
  const TreeView work(*mount.setup.work->fs, mount.setup.work->node, "work");
  const absl::StatusOr<std::vector<std::string>> paths = work.AllPaths();
  if (!paths.ok()) return Complain(std::string(paths.status().message()));
  for (const std::string& path : *paths) {
    if (path.find("/#") != std::string::npos) Complain("left in the work directory: " + path);
  }
}

TreeView Replay::Merged() const {
  const sim::ScenarioMount* mount = run_ == nullptr ? nullptr : run_->mount();
  if (mount == nullptr) {
    ADD_FAILURE() << "nothing is mounted at the end\n" << broken_;
    return {*nothing_, nothing_->root(), "merged"};
  }
  return {*mount->fs, mount->fs->root(), "merged"};
}

TreeView Replay::Layer(std::string_view name) const {
  if (run_ != nullptr) {
    for (const sim::ScenarioLayer* layer : run_->layers()) {
      if (layer->name == name) return {*layer->fs, layer->root, name};
    }
  }
  ADD_FAILURE() << "no layer " << name << '\n' << broken_;
  return {*nothing_, nothing_->root(), name};
}

}  // namespace lamina::testing
