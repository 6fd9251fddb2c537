// The labs run, what they expect holds, and what they print stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/golden/golden_file.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;

Ran RunLab(const std::string& name) {
  std::ifstream file(std::filesystem::path(LAMINA_SOURCE_DIR) / "sim/labs" / name);
  EXPECT_TRUE(file.is_open()) << name;
  return RunText(std::string(std::istreambuf_iterator<char>(file), {}));
}

// What the run prints, then each question with its answer.
std::string Page(const Ran& ran) {
  std::string page;
  for (const std::string& line : ran.lines) page += line + '\n';
  for (const ScenarioQuestion& question : ran.questions) {
    page += "? " + question.question + "  " + question.answer + '\n';
  }
  return page;
}

TEST(Lab, WhiteoutsInTwoDialects) {
  const Ran ran = RunLab("02-whiteout.scn");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_GT(ran.expectations, 20u);
  EXPECT_THAT(ran.failures, IsEmpty());
  EXPECT_THAT(ran.questions, Each(Field(&ScenarioQuestion::answer, Not(IsEmpty()))));
  ExpectGolden("lab_02_whiteout.txt", Page(ran));
}

}  // namespace
}  // namespace lamina::sim
