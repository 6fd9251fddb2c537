// What explain and tree say of redirects, metacopy files, data-only layers and the index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "lamina/sim/explain.h"
#include "lamina/sim/tree.h"
#include "tests/golden/golden_file.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;

constexpr char kMarked[] = R"(scenario 2
layer blobs
  put    /blob 0644 "blobdata"
  put    /unused 0644 "nobody reads this"
layer base
  put    /file 0644 "hello"
  put    /one 0644 "linked"
  link   /one /two
  mkdir  /old 0755
  put    /old/x 0644 "x"
  create /big 0640
  truncate /big 8
  setxattr /big trusted.overlay.metacopy ""
  setxattr /big trusted.overlay.redirect "/blob"
layer upper
stack base :: blobs upper
options metacopy=on,index=on
mount
chmod /file 0600
rename /old /new
chmod /one 0600
)";

Scenario Parsed(const std::string& text) {
  absl::StatusOr<Scenario> scenario =
      ParseScenario(text, {.file = "t.scn", .seed = 0, .limits = {}});
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *std::move(scenario) : Scenario();
}

LayeredTree Marked() {
  const Scenario scenario = Parsed(kMarked);
  ScenarioRun run(scenario, {});
  EXPECT_TRUE(run.RunAll().ok());
  EXPECT_EQ(run.mounts().size(), 1U);
  absl::StatusOr<LayeredTree> tree = ReadLayeredTree(*run.mounts().front());
  EXPECT_TRUE(tree.ok()) << tree.status();
  return tree.ok() ? *std::move(tree) : LayeredTree();
}

struct Question {
  std::string name;
  std::string operation;
};

class OverlayMarksExplained : public ::testing::TestWithParam<Question> {};

TEST_P(OverlayMarksExplained, AsInTheGoldenFile) {
  const absl::StatusOr<Statement> operation = ParseOperation({GetParam().operation}, {});
  ASSERT_TRUE(operation.ok()) << operation.status();
  const absl::StatusOr<Explanation> why =
      ExplainAfter(Parsed(kMarked), std::nullopt, *operation, ExplainMode::kAnalyze);
  ASSERT_TRUE(why.ok()) << why.status();
  ExpectGolden("explain_" + GetParam().name + ".txt", ExplanationText(*why, {}));
}

INSTANTIATE_TEST_SUITE_P(Overlay, OverlayMarksExplained,
                         ::testing::Values(Question{"metacopy", "read /file"},
                                           Question{"metacopy_write", "append /file \"!\""},
                                           Question{"body_below", "read /big"},
                                           Question{"index", "stat /two"},
                                           Question{"index_link_up", "chmod /two 0644"},
                                           Question{"redirect", "read /new/x"}),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(OverlayMarksTree, AsInTheGoldenFile) {
  ExpectGolden("tree_marks.txt", LayeredTreeText(Marked(), TreeSelection::kHidden, {}));
}

TEST(OverlayMarksTree, VisibleAndHiddenAreWhatIsStored) {
  const TreeTotals totals = Marked().totals;
  EXPECT_EQ(totals.stored_bytes, 8U + 17U + 5U + 6U + 1U);
  EXPECT_EQ(totals.visible_bytes, 8U + 5U + 6U + 1U);
  EXPECT_EQ(totals.hidden_bytes, 17U);
}

}  // namespace
}  // namespace lamina::sim
