// Every scn block of README.md and of the language's own README runs, and what it expects holds;
// and so do the labs about devices.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim {
namespace {

std::vector<std::string> ScenarioBlocks(std::istream& markdown) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(markdown, line);) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```scn";
      if (inside) blocks.emplace_back();
    } else if (inside) {
      blocks.back() += line + '\n';
    }
  }
  return blocks;
}

TEST(ReadmeScenarioOverlay, BlocksAreFoundByTheirMark) {
  std::istringstream text("```scn\nmount\n```\n```\nother\n```\n");
  EXPECT_THAT(ScenarioBlocks(text), testing::ElementsAre("mount\n"));
}

void ExpectRunsAndHolds(const std::string& text) {
  absl::StatusOr<Scenario> scenario = ParseScenario(text, {.file = "README.md"});
  ASSERT_TRUE(scenario.ok()) << scenario.status().message();
  ASSERT_EQ(FindUnsupported(*scenario), std::nullopt);
  ScenarioRun run(*scenario, {});
  const absl::Status ran = run.RunAll();
  ASSERT_TRUE(ran.ok()) << ran.message();
  EXPECT_GT(run.expectations(), 0u);
  for (const ScenarioFailure& failure : run.failures()) {
    ADD_FAILURE() << "line " << failure.line << " of the block: expected " << failure.expected
                  << ", got " << failure.got;
  }
}

TEST(ReadmeScenarioOverlay, EveryBlockRunsAndHolds) {
  std::ifstream readme(std::string(LAMINA_SOURCE_DIR "/README.md"));
  ASSERT_TRUE(readme.is_open());
  const std::vector<std::string> blocks = ScenarioBlocks(readme);
  ASSERT_FALSE(blocks.empty());
  for (const std::string& block : blocks) ExpectRunsAndHolds(block);
}

TEST(ReadmeScenarioDevices, EveryBlockOfTheLanguageRunsAndHolds) {
  std::ifstream readme(std::string(LAMINA_SOURCE_DIR "/sim/scenario/README.md"));
  ASSERT_TRUE(readme.is_open());
  const std::vector<std::string> blocks = ScenarioBlocks(readme);
  ASSERT_FALSE(blocks.empty());
  for (const std::string& block : blocks) ExpectRunsAndHolds("scenario 2\n" + block);
}

class LabScenario : public testing::TestWithParam<const char*> {};

TEST_P(LabScenario, RunsAndHolds) {
  std::ifstream lab(std::string(LAMINA_SOURCE_DIR "/sim/labs/") + GetParam());
  ASSERT_TRUE(lab.is_open());
  std::ostringstream text;
  text << lab.rdbuf();
  ExpectRunsAndHolds(text.str());
}

INSTANTIATE_TEST_SUITE_P(Devices, LabScenario,
                         testing::Values("break-sharing.scn", "file-system-on-thin.scn"));

}  // namespace
}  // namespace lamina::sim
