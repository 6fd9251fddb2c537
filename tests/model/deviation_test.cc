// The table of deviations: complete, and the same in README.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "sim/model/entry.h"
#include "sim/model/overlay_view.h"
#include "sim/model/plain_view.h"
#include "tests/model/drawing.h"

namespace lamina::sim {
namespace {

constexpr int kCases = 150;
constexpr int kCallsPerCase = 40;

bool IsByPath(OperationKind kind) { return kind < OperationKind::kOpen; }

// A dump without link counts: what a union says of those is a rule of its own at every stat.
std::vector<ModelEntry> DumpWithoutLinks(const ModelTree& tree) {
  std::vector<ModelEntry> dump = DumpView(PlainView(tree));
  for (ModelEntry& entry : dump) entry.links = 0;
  return dump;
}

struct Comparison {
  std::map<DeviationRule, int> used;     // rules that explained a difference
  std::vector<std::string> unexplained;  // differences of no rule
};

// Carries out one call on the overlay and on a plain tree that shows the same.
void CompareOneCall(PosixModel& overlay, const ModelOperation& call, Comparison& comparison) {
  const auto& view = dynamic_cast<const OverlayView&>(overlay.view());
  PosixModel plain(std::make_unique<PlainView>(view.Flatten()));
  plain.Become(overlay.caller().uid, overlay.caller().gid);
  plain.SetUmask(overlay.caller().umask);
  overlay.view().TakeDeviations();
  const ModelOutcome want = ApplyOperation(plain, call);
  const ModelOutcome got = ApplyOperation(overlay, call);
  const std::set<DeviationRule> rules = overlay.view().TakeDeviations();
  std::string difference;
  if (want.Show() != got.Show()) difference = want.Show() + " against " + got.Show();
  const ModelTree& plain_tree = dynamic_cast<const PlainView&>(plain.view()).tree();
  difference += CompareDumps(DumpWithoutLinks(plain_tree), DumpWithoutLinks(view.Flatten()));
  if (difference.empty()) return;
  if (rules.empty()) comparison.unexplained.push_back(call.Show() + ": " + difference);
  for (const DeviationRule rule : rules) ++comparison.used[rule];
}

Comparison CompareManyCalls() {
  std::mt19937 random(20261124);
  const Choose choose = [&](int count) { return static_cast<int>(random() % count); };
  Comparison comparison;
  for (int i = 0; i < kCases; ++i) {
    std::vector<ModelTree> lowers;
    const int layers = 1 + choose(3);
    for (int layer = 0; layer < layers; ++layer) {
      lowers.push_back(BuildLayer(DrawLayer(choose, Marks::kOverlay)));
    }
    PosixModel overlay(std::make_unique<OverlayView>(BuildLayer(DrawLayer(choose, Marks::kOverlay)),
                                                     std::move(lowers), KernelQuirks::kOn));
    const std::vector<OperationKind> swarm = DrawSwarm(choose);
    for (int j = 0; j < kCallsPerCase; ++j) {
      const ModelOperation call = DrawOperation(overlay, swarm, choose);
      if (!IsSettled(overlay, call)) continue;
      if (IsByPath(call.kind)) {
        CompareOneCall(overlay, call, comparison);
      } else {
        ApplyOperation(overlay, call);
      }
    }
  }
  return comparison;
}

TEST(Deviation, EveryDifferenceFromPosixIsARuleOfTheTable) {
  const Comparison comparison = CompareManyCalls();
  EXPECT_THAT(comparison.unexplained, testing::IsEmpty());
  for (const auto& [rule, count] : comparison.used) {
    std::cout << DeviationOf(rule).id << " explains " << count << "\n";
  }
  EXPECT_GE(comparison.used.size(), 6U);
}

TEST(Deviation, RowsAreInTheOrderOfTheRules) {
  for (std::size_t i = 0; i < Deviations().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(Deviations()[i].rule), i);
  }
}

TEST(Deviation, TableIsThatOfTheReadme) {
  std::ifstream file(LAMINA_SOURCE_DIR "/sim/model/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), testing::HasSubstr(DeviationTable()));
}

}  // namespace
}  // namespace lamina::sim
