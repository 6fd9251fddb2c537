// Goal: every recorded scenario gives the text the kernel gave, byte for byte; one that uses what
// is not modelled says so before it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "lamina/sim/scenario.h"

namespace lamina::sim {
namespace {

namespace fs = std::filesystem;

fs::path RecordingDirectory() { return fs::path(LAMINA_SOURCE_DIR) / "tests/oracle/overlay"; }

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Recordings() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(RecordingDirectory())) {
    if (entry.path().extension() == ".scn") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Text final : public LineSink {
 public:
  void OnLine(std::string_view line) override {
    text_ += line;
    text_ += '\n';
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class OverlayOracle : public testing::TestWithParam<std::string> {};

TEST_P(OverlayOracle, EqualsTheKernel) {
  const fs::path file = RecordingDirectory() / (GetParam() + ".scn");
  const absl::StatusOr<Scenario> scenario =
      ParseScenario(ReadWhole(file), {.file = file.filename().string()});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  if (const auto unsupported = FindUnsupported(*scenario)) {
    EXPECT_THAT(*unsupported, testing::Not(testing::IsEmpty()));
    GTEST_SKIP() << "UNSUPPORTED " << *unsupported;
  }
  Text text;
  ScenarioRun run(*scenario, {.sink = &text});
  const absl::Status done = run.RunAll();
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(text.text(), ReadWhole(RecordingDirectory() / (GetParam() + ".expected")));
}

std::string TestName(const testing::TestParamInfo<std::string>& parameter) {
  std::string name = parameter.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, OverlayOracle, testing::ValuesIn(Recordings()), TestName);

TEST(OverlayOracleRecordings, AreThere) { EXPECT_THAT(Recordings(), testing::SizeIs(140)); }

}  // namespace
}  // namespace lamina::sim
