// The two unions beside each other: the same calls on the same layers. Where no rule of the tables
// of sim/model says otherwise, overlayfs and AUFS give the same results and the same merged tree;
// and each row of the table of contrasts is what the two unions do.
//
//   LAMINA_MODEL_OPS=200000      how many calls the random test makes (default 20000)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/contrast.h"
#include "sim/model/overlay_view.h"
#include "tests/model/aufs_subject.h"
#include "tests/model/recording_words.h"
#include "tests/model/subject.h"

namespace lamina::sim {

void PrintTo(const Contrast& row, std::ostream* os) { *os << row.what; }

namespace {

constexpr int kCallsPerCase = 50;

// Layers without marks, topmost first; the first one is the writable one.
using Layers = std::vector<std::vector<ModelOperation>>;

// A union of each dialect on the same layers, and what the models say of them.
class Pair {
 public:
  explicit Pair(const Layers& layers)
      : overlay(OverlayOf(layers), nullptr),
        aufs(AufsOf(layers), {}),
        overlay_model(OverlayModelOf(layers)),
        aufs_model(std::make_unique<AufsView>(ContentsOf(AufsOf(layers).branches))) {
    overlay_model.SetHardLinks(HardLinks::kProtected);
    aufs_model.SetHardLinks(HardLinks::kProtected);
  }

  OverlaySubject overlay;
  AufsSubject aufs;
  PosixModel overlay_model;
  PosixModel aufs_model;

 private:
  static DrawnCase OverlayOf(const Layers& layers) {
    DrawnCase drawn;
    drawn.upper = layers.front();
    drawn.lowers.assign(layers.begin() + 1, layers.end());
    return drawn;
  }

  static DrawnUnion AufsOf(const Layers& layers) {
    DrawnUnion drawn;
    for (const auto& layer : layers) {
      const bool top = drawn.branches.empty();
      const auto mode = top ? ModelBranchMode::kReadWrite : ModelBranchMode::kReadOnlyWhiteout;
      drawn.branches.push_back({mode, layer});
    }
    return drawn;
  }

  static PosixModel OverlayModelOf(const Layers& layers) {
    std::vector<ModelTree> lowers;
    for (std::size_t i = 1; i < layers.size(); ++i) lowers.push_back(BuildLayer(layers[i]));
    return PosixModel(std::make_unique<OverlayView>(BuildLayer(layers.front()), std::move(lowers),
                                                    KernelQuirks::kOn));
  }
};

AufsStep StepOf(const ModelOperation& call) { return {AufsStep::Kind::kCall, call, {}}; }

// ── The table of contrasts ────────────────────────────────────────────────────────────────────

// Calls separated by "; "; "{243}" is a name of 243 bytes.
std::vector<ModelOperation> CallsOf(std::string text) {
  const std::string long_name = "{243}";
  if (const std::size_t at = text.find(long_name); at != std::string::npos) {
    text.replace(at, long_name.size(), std::string(243, 'n'));
  }
  std::vector<ModelOperation> calls;
  std::map<std::string, int> slots;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find("; ", from), text.size());
    const auto call = ReadCall(SplitWords(text.substr(from, end - from)), slots);
    LAMINA_CHECK(call.has_value());
    calls.push_back(*call);
    from = end + 2;
  }
  return calls;
}

// An empty layer above those of a row.
Layers LayersOf(const std::string& below) {
  const std::string border = " / ";
  Layers layers(1);
  for (std::size_t from = 0; from < below.size();) {
    const std::size_t end = std::min(below.find(border, from), below.size());
    layers.push_back(CallsOf(below.substr(from, end - from)));
    from = end + border.size();
  }
  return layers;
}

class UnionsOfContrast : public testing::TestWithParam<Contrast> {
 protected:
  Pair pair_{LayersOf(std::string(GetParam().below))};
  std::vector<ModelOperation> calls_ = CallsOf(std::string(GetParam().calls));
};

TEST_P(UnionsOfContrast, DoAsTheRowSays) {
  ModelOutcome overlay;
  ModelOutcome aufs;
  for (const ModelOperation& call : calls_) {
    overlay = pair_.overlay.Execute(call);
    aufs = pair_.aufs.ExecuteStep(StepOf(call));
  }
  EXPECT_EQ(overlay.Show(), GetParam().overlay) << pair_.overlay.scenario();
  EXPECT_EQ(aufs.Show(), GetParam().aufs) << pair_.aufs.scenario();
}

INSTANTIATE_TEST_SUITE_P(Table, UnionsOfContrast, testing::ValuesIn(Contrasts()));

// ── Random calls ──────────────────────────────────────────────────────────────────────────────

// What both promise: everything but how many names a file has, and its number.
std::vector<ModelEntry> Promised(std::vector<ModelEntry> dump) {
  std::uint64_t number = 0;
  for (ModelEntry& entry : dump) {
    entry.links = 0;
    entry.identity = ++number;
  }
  return dump;
}

// Rules that speak of numbers of names only.
bool CountsLinks(DeviationRule rule) {
  switch (rule) {
    case DeviationRule::kLowerLinkCount:
    case DeviationRule::kMergedLinkCount:
    case DeviationRule::kAufsDirectoryLinks:
    case DeviationRule::kAufsLinkCount:
      return true;
    default:
      return false;
  }
}

int CallsWanted() {
  const char* text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? 20'000 : std::atoi(text);
}

struct Totals {
  int calls = 0;
  int failed = 0;
  int left_out = 0;  // a rule says that the dialects differ, or that one of them is not POSIX
  std::map<DeviationRule, int> rules;
};

// The rules that a call would use in either dialect; it is not carried out.
std::set<DeviationRule> RulesOf(const Pair& pair, const ModelOperation& call) {
  std::set<DeviationRule> rules;
  for (const PosixModel* before : {&pair.overlay_model, &pair.aufs_model}) {
    PosixModel model = *before;
    model.view().TakeDeviations();
    ApplyOperation(model, call);
    for (const DeviationRule rule : model.view().TakeDeviations()) {
      if (!CountsLinks(rule)) rules.insert(rule);
    }
  }
  return rules;
}

// The difference of the two unions after a call, or of one of them from its model; "" for none.
std::string CarryOut(Pair& pair, const ModelOperation& call, Totals& totals) {
  const ModelOutcome overlay_want = ApplyOperation(pair.overlay_model, call);
  const ModelOutcome aufs_want = ApplyOperation(pair.aufs_model, call);
  const ModelOutcome overlay = pair.overlay.Execute(call);
  const ModelOutcome aufs = pair.aufs.ExecuteStep(StepOf(call));
  ++totals.calls;
  if (!overlay.ok()) ++totals.failed;
  const std::string of_overlay =
      pair.overlay.Compare(pair.overlay_model, call, overlay_want, overlay);
  if (!of_overlay.empty()) return "overlay and its model: " + of_overlay;
  const std::string of_aufs = pair.aufs.CompareStep(pair.aufs_model, StepOf(call), aufs_want, aufs);
  if (!of_aufs.empty()) return "aufs and its model: " + of_aufs;
  if (WithoutLinks(overlay.Show()) != WithoutLinks(aufs.Show())) {
    return "overlay: " + overlay.Show() + "\naufs:    " + aufs.Show();
  }
  // Both trees are those of the models by now.
  return CompareDumps(Promised(DumpView(pair.overlay_model.view())),
                      Promised(DumpView(pair.aufs_model.view())));
}

// A directory, below it a file of the same name, below that a directory: AUFS merges the two.
bool HasFileBetweenDirectories(const Layers& layers) {
  enum class Seen : std::uint8_t { kDirectory, kFileBelow };
  std::map<std::string, Seen> seen;
  for (const auto& layer : layers) {
    const ModelTree tree = BuildLayer(layer);
    for (const std::string& path : tree.Paths()) {
      const bool directory = tree.Find(path)->is_directory();
      const auto known = seen.find(path);
      if (known == seen.end()) {
        if (directory) seen.emplace(path, Seen::kDirectory);
      } else if (!directory) {
        known->second = Seen::kFileBelow;
      } else if (known->second == Seen::kFileBelow) {
        return true;
      }
    }
  }
  return false;
}

Layers DrawLayersOnce(const Choose& choose) {
  Layers layers(2 + static_cast<std::size_t>(choose(3)));
  for (auto& layer : layers) {
    if (&layer == &layers.front() && choose(2) == 1) continue;  // most uppers begin empty
    layer = DrawLayer(choose, Marks::kNone);
    // A mark of one dialect is an attribute like any other in the other one.
    std::erase_if(layer,
                  [](const auto& call) { return call.other.starts_with("trusted.overlay."); });
  }
  return layers;
}

Layers DrawLayers(const Choose& choose) {
  Layers layers = DrawLayersOnce(choose);
  while (HasFileBetweenDirectories(layers)) layers = DrawLayersOnce(choose);
  return layers;
}

// One history; its text and the difference at its end, "" when there is none.
std::string RunHistory(const Choose& choose, Totals& totals) {
  Pair pair(DrawLayers(choose));
  // AUFS made entries in the root when it was mounted.
  for (const ModelOperation& call : CallsOf("utimens / 1000 1000")) {
    CarryOut(pair, call, totals);
  }
  const std::vector<OperationKind> swarm = DrawSwarm(choose);
  for (int i = 0; i < kCallsPerCase; ++i) {
    const ModelOperation call =
        WithOddName(DrawOperation(pair.overlay_model, swarm, choose), choose);
    const bool settled = call.kind < OperationKind::kOpen && IsSettled(pair.overlay_model, call) &&
                         IsSettled(pair.aufs_model, StepOf(call));
    if (!settled) continue;
    const std::set<DeviationRule> rules = RulesOf(pair, call);
    for (const DeviationRule rule : rules) ++totals.rules[rule];
    if (!rules.empty()) {
      ++totals.left_out;
      continue;
    }
    const std::string difference = CarryOut(pair, call, totals);
    if (!difference.empty()) {
      return call.Show() + "\n" + difference + "\n\n" + pair.overlay.scenario() + "\n" +
             pair.aufs.scenario();
    }
  }
  return "";
}

TEST(Dialects, AgreeWhereNoRuleSaysOtherwise) {
  std::mt19937 random(20261124);
  const Choose choose = [&](int count) { return static_cast<int>(random() % count); };
  Totals totals;
  while (totals.calls < CallsWanted()) {
    const std::string failure = RunHistory(choose, totals);
    ASSERT_EQ(failure, "");
  }
  std::cout << totals.calls << " calls, " << totals.failed << " failed; left out "
            << totals.left_out << "\n";
  for (const auto& [rule, count] : totals.rules) {
    std::cout << "  " << DeviationOf(rule).id << " " << count << "\n";
  }
  EXPECT_GT(totals.failed * 10, totals.calls);
  EXPECT_LT(totals.left_out, totals.calls);
}

}  // namespace
}  // namespace lamina::sim
