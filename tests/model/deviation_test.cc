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
#include "sim/model/flatten.h"
#include "sim/model/overlay_view.h"
#include "sim/model/plain_view.h"
#include "tests/model/aufs_drawing.h"
#include "tests/model/drawing.h"

namespace lamina::sim {
namespace {

constexpr int kCases = 150;
constexpr int kCallsPerCase = 40;

bool IsByPath(OperationKind kind) { return kind < OperationKind::kOpen; }

// The plain tree has no open files: there the other end of a fifo is missing.
bool LeadsToOpenFifo(const PosixModel& model, const std::string& path) {
  const Result<std::string> at = Resolve(model.view(), model.caller(), path, FinalLink::kFollow);
  if (!at.ok() || model.view().Find(*at)->type != ModelType::kFifo) return false;
  const std::vector<int> slots = model.OpenSlots();
  return std::any_of(slots.begin(), slots.end(),
                     [&](int slot) { return model.view().IsSlotOf(slot, *at); });
}

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

// Carries out one call on the union and on a plain tree that shows the same.
void CompareOneCall(PosixModel& layered, const ModelOperation& call, Comparison& comparison) {
  PosixModel plain(std::make_unique<PlainView>(FlattenView(layered.view())));
  plain.Become(layered.caller().uid, layered.caller().gid);
  plain.SetUmask(layered.caller().umask);
  layered.view().TakeDeviations();
  const ModelOutcome want = ApplyOperation(plain, call);
  const ModelOutcome got = ApplyOperation(layered, call);
  const std::set<DeviationRule> rules = layered.view().TakeDeviations();
  std::string difference;
  if (want.Show() != got.Show()) difference = want.Show() + " against " + got.Show();
  const ModelTree& plain_tree = dynamic_cast<const PlainView&>(plain.view()).tree();
  difference +=
      CompareDumps(DumpWithoutLinks(plain_tree), DumpWithoutLinks(FlattenView(layered.view())));
  if (difference.empty()) return;
  if (rules.empty()) comparison.unexplained.push_back(call.Show() + ": " + difference);
  for (const DeviationRule rule : rules) ++comparison.used[rule];
}

std::unique_ptr<ModelView> DrawOverlay(const Choose& choose) {
  std::vector<ModelTree> lowers;
  const int layers = 1 + choose(3);
  for (int layer = 0; layer < layers; ++layer) {
    lowers.push_back(BuildLayer(DrawLayer(choose, Marks::kOverlay)));
  }
  return std::make_unique<OverlayView>(BuildLayer(DrawLayer(choose, Marks::kOverlay)),
                                       std::move(lowers), KernelQuirks::kOn);
}

std::unique_ptr<ModelView> DrawAufs(const Choose& choose) {
  return std::make_unique<AufsView>(ContentsOf(DrawBranches(choose)));
}

using DrawView = std::unique_ptr<ModelView> (*)(const Choose& choose);

Comparison CompareManyCalls(DrawView draw_view) {
  std::mt19937 random(20261124);
  const Choose choose = [&](int count) { return static_cast<int>(random() % count); };
  Comparison comparison;
  for (int i = 0; i < kCases; ++i) {
    PosixModel layered(draw_view(choose));
    const std::vector<OperationKind> swarm = DrawSwarm(choose);
    for (int j = 0; j < kCallsPerCase; ++j) {
      const ModelOperation call = DrawOperation(layered, swarm, choose);
      if (!IsSettled(layered, call)) continue;
      if (IsByPath(call.kind) && !LeadsToOpenFifo(layered, call.path)) {
        CompareOneCall(layered, call, comparison);
      } else {
        ApplyOperation(layered, call);
      }
    }
  }
  return comparison;
}

void ExpectOnlyRulesOfTheTable(DrawView draw_view, std::size_t rules) {
  const Comparison comparison = CompareManyCalls(draw_view);
  EXPECT_THAT(comparison.unexplained, testing::IsEmpty());
  for (const auto& [rule, count] : comparison.used) {
    std::cout << DeviationOf(rule).id << " explains " << count << "\n";
  }
  EXPECT_GE(comparison.used.size(), rules);
}

TEST(Deviation, EveryDifferenceOfTheOverlayIsARuleOfTheTable) {
  ExpectOnlyRulesOfTheTable(&DrawOverlay, 6);
}

TEST(Deviation, EveryDifferenceOfAufsIsARuleOfTheTable) { ExpectOnlyRulesOfTheTable(&DrawAufs, 6); }

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
