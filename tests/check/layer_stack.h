// LayerStack: layers written in the scenario language, stacked for CheckStack without a mount; and
// the ways tests tamper with them.
//
//   LayerStack stack("layer base\nmkdir /d 0755\nlayer app\nmkdir /d 0755\nwhiteout /d/x\n",
//                    {"app", "base"});
//   stack.Findings()     "L2 /d/x dead-whiteout"
//
// A name that starts with "upper" is the writable layer, one that starts with "data" a data-only
// one.
#ifndef LAMINA_TESTS_CHECK_LAYER_STACK_H_
#define LAMINA_TESTS_CHECK_LAYER_STACK_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/fs/walk.h"
#include "lamina/sim/check.h"

namespace lamina::sim {

// "L2 /d/x dead-whiteout", one a finding.
inline std::vector<std::string> Lines(const std::vector<StackFinding>& findings) {
  std::vector<std::string> lines;
  for (const StackFinding& finding : findings) {
    lines.push_back(finding.label + ' ' + finding.path + ' ' +
                    std::string(FindingId(finding.kind)));
  }
  return lines;
}

// The handle of an object as an origin mark stores it.
inline std::string HandleOf(std::uint64_t device, NodeId node) {
  std::string bytes("\x00\xfb\x15\x00\x4c", 5);
  for (const std::uint64_t word : {device, node.value}) {
    bytes.append(reinterpret_cast<const char*>(&word), 8);
  }
  return bytes;
}

inline std::string HexOf(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kDigits[static_cast<unsigned char>(c) & 0xfU];
  }
  return hex;
}

class LayerStack {
 public:
  LayerStack(const std::string& layers, const std::vector<std::string>& names) {
    absl::StatusOr<Scenario> parsed =
        ParseScenario("scenario 2\n" + layers, {.file = "t.scn", .seed = 0, .limits = {}});
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    scenario_ = *std::move(parsed);
    run_ = std::make_unique<ScenarioRun>(scenario_, ScenarioRunOptions{});
    const absl::Status ran = run_->RunToOperation(0);
    EXPECT_TRUE(ran.ok()) << ran;
    for (const std::string& name : names) AddBranch(name);
  }

  MemFs& fs() const { return *run_->layers().front()->fs; }
  OpContext op() const { return {root_, kSimulationStart, Probe()}; }

  // The object at a path of a layer; "upper.work" is a layer here.
  NodeId Find(std::string_view layer, std::string_view path) const {
    const std::string whole = '/' + std::string(layer) + std::string(path);
    const Result<WalkResult> walked =
        Walk(op(), WalkStart{&fs(), fs().root(), {}}, whole, LastLink::kKeep);
    const bool found = walked.ok() && walked->stat.has_value();
    EXPECT_TRUE(found) << whole;
    return found ? walked->stat->node : NodeId();
  }

  std::string Handle(std::string_view layer, std::string_view path) const {
    const NodeId node = Find(layer, path);
    return HandleOf(fs().GetAttr(op(), node)->dev, node);
  }

  void Mark(NodeId node, std::string_view mark, std::string_view value) const {
    const std::string key = "trusted.overlay." + std::string(mark);
    EXPECT_TRUE(fs().SetXattr(op(), node, key, value, XattrMode::kSet).ok());
  }

  NodeId Make(NodeId dir, std::string_view name, const NewNode& node) const {
    const Result<NodeId> made = fs().Create(op(), {dir, name}, node);
    EXPECT_TRUE(made.ok()) << name;
    return made.ok() ? *made : NodeId();
  }

  // Gives `node` the name `name` in the directory `dir`.
  void Link(NodeId node, NodeId dir, std::string_view name) const {
    EXPECT_TRUE(fs().Link(op(), node, {dir, name}).ok()) << name;
  }

  void Remove(std::string_view layer, std::string_view name, FileType type) const {
    EXPECT_TRUE(fs().Remove(op(), {Find(layer, ""), name}, type).ok()) << name;
  }

  std::vector<StackFinding> Check() const {
    Result<std::vector<StackFinding>> findings = CheckStack(stack);
    EXPECT_TRUE(findings.ok());
    return findings.ok() ? *std::move(findings) : std::vector<StackFinding>();
  }

  std::vector<std::string> Findings() const { return Lines(Check()); }

  // Both sentences of the only finding.
  std::string Sentences() const {
    const std::vector<StackFinding> findings = Check();
    EXPECT_EQ(findings.size(), 1u);
    return findings.empty() ? "" : findings[0].what + '\n' + findings[0].kernel;
  }

  CheckedStack stack;

 private:
  void AddBranch(const std::string& name) {
    Branch branch{&fs(), Find(name, ""), BranchMode::kReadOnly, name.starts_with("data"), name};
    if (name.starts_with("upper")) {
      branch.mode = BranchMode::kReadWrite;
      stack.work = DirectoryRef{&fs(), Find(name + ".work", ""), {}, name + ".work"};
    }
    stack.branches.push_back(branch);
  }

  Credentials root_ = RootCredentials();
  Scenario scenario_;
  std::unique_ptr<ScenarioRun> run_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_CHECK_LAYER_STACK_H_
