// lamina explain: its text, and that it says what really happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lamina/sim/explain.h"
#include "lamina/sim/scenario.h"
#include "tests/golden/golden_file.h"
#include "tests/sim/explained.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kStack[] = R"(scenario 2
layer base
  mkdir /etc 0755
  put   /etc/hosts 0644 "127.0.0.1 localhost\n"
  mkdir /bin 0755
  put   /bin/sh 0755 fill:s:123KiB
  mkdir /var 0755
  put   /var/boot.log 0644 fill:b:38KiB
  symlink /etc/hosts /hosts
layer nginx
  mkdir /etc 0755
  put   /etc/hosts 0644 "::1 localhost\n"
  mkdir /var 0755
  whiteout /var/boot.log
layer app
  mkdir /srv 0755
  put   /srv/app.db 0644 pat:7:192KiB
stack app nginx base upper
mount
stat /etc/hosts
read /bin/sh 0 4
)";

struct TextCase {
  std::string name;
  std::string operation;
};

class OverlayExplainText : public ::testing::TestWithParam<TextCase> {};

TEST_P(OverlayExplainText, IsAsRecorded) {
  const Explanation why = Explained(kStack, GetParam().operation, ExplainMode::kAnalyze);
  ExpectGolden("explain_" + GetParam().name + ".txt", ExplanationText(why, {}));
}

INSTANTIATE_TEST_SUITE_P(, OverlayExplainText,
                         ::testing::Values(TextCase{"copy_up",
                                                    "pwrite /srv/app.db 64KiB fill:x:4096"},
                                           TextCase{"whiteout", "unlink /etc/hosts"},
                                           TextCase{"hidden_by_whiteout", "read /var/boot.log"},
                                           TextCase{"through_symlink", "read /hosts"},
                                           TextCase{"over_whiteout", "mkdir /var/boot.log 0755"},
                                           TextCase{"chmod", "chmod /bin/sh 0700"},
                                           TextCase{"rename", "rename /bin/sh /bin/bash"},
                                           TextCase{"rename_directory", "rename /srv /data"},
                                           TextCase{"new_file", "put /new 0644 abc"}),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(OverlayExplain, ChangesNothing) {
  const Scenario scenario = Parsed(kStack);
  LineList plain;
  ScenarioRun run(scenario, {.sink = &plain});
  ASSERT_TRUE(run.RunAll().ok());
  LineList explained;
  ScenarioRun other(scenario, {.sink = &explained});
  ASSERT_TRUE(other.RunToOperation(2).ok());
  const absl::StatusOr<Statement> write = ParseOperation({"put /srv/app.db 0644 abc"}, {});
  ASSERT_TRUE(ExplainNext(other, *write).ok());
  other.Finish();
  EXPECT_EQ(explained.lines, plain.lines);
}

TEST(OverlayExplain, AWriteCostsTheWholeFile) {
  const Explanation why = Explained(kStack, "pwrite /srv/app.db 64KiB fill:x:4096");
  EXPECT_EQ(why.cost.bytes_read, 192u << 10);
  EXPECT_EQ(why.cost.bytes_written, 196u << 10);
  EXPECT_EQ(why.cost.bytes_asked, 4096u);
}

TEST(OverlayExplain, ATruncatingOpenCopiesNoData) {
  const Explanation why = Explained(kStack, "put /srv/app.db 0644 abc");
  EXPECT_EQ(why.cost.bytes_read, 0u);
  EXPECT_EQ(why.cost.bytes_written, 3u);
}

TEST(OverlayExplain, AnOperationOnAHandleIsRun) {
  const Explanation why =
      Explained(std::string(kStack) + "open H /srv/app.db rdwr\n", "hwrite H 0 abc");
  EXPECT_TRUE(why.was_run);
  EXPECT_EQ(why.answer, "OK 3");
  EXPECT_EQ(why.cost.bytes_asked, 3u);
}

TEST(OverlayExplain, OpeningLeavesNoHandle) {
  const Scenario scenario = Parsed(kStack);
  ScenarioRun run(scenario, {});
  ASSERT_TRUE(run.RunToOperation(2).ok());
  const absl::StatusOr<Statement> open = ParseOperation({"open H /srv/app.db rdwr"}, {});
  ASSERT_TRUE(ExplainNext(run, *open).ok());
  const absl::StatusOr<StepReport> really = run.RunExtra(*open);
  ASSERT_TRUE(really.ok()) << really.status();
  EXPECT_EQ(really->result, "OK");
}

TEST(OverlayExplain, WordsAreTakenAsTheyAre) {
  const absl::StatusOr<Statement> operation =
      ParseOperation({"put", "/a b", "0644", "say \"hi\" # loud"}, {});
  ASSERT_TRUE(operation.ok()) << operation.status();
  EXPECT_THAT(operation->args, ElementsAre(Field(&ScenarioArgument::text, "/a b"),
                                           Field(&ScenarioArgument::text, "0644"),
                                           Field(&ScenarioArgument::text, "say \"hi\" # loud")));
}

TEST(OverlayExplain, OnlyFileOperationsAreExplained) {
  EXPECT_EQ(ParseOperation({"mount"}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseOperation({"stat /a\nstat /b"}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseOperation({"stat"}, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OverlayExplain, MoreOperationsThanThereAre) {
  const Scenario scenario = Parsed(kStack);
  const absl::StatusOr<Statement> stat = ParseOperation({"stat /"}, {});
  EXPECT_EQ(ExplainAfter(scenario, 9, *stat, ExplainMode::kPlan).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(OverlayExplain, ALayerIsNoMountedTree) {
  const Scenario scenario = Parsed("scenario 2\nlayer base\nput /a 0644 x\n");
  const absl::StatusOr<Statement> stat = ParseOperation({"stat /a"}, {});
  EXPECT_EQ(ExplainAfter(scenario, std::nullopt, *stat, ExplainMode::kPlan).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(OverlayExplain, ColourOnlyAddsEscapeSequences) {
  const Explanation why = Explained(kStack, "stat /etc/hosts");
  std::string coloured = ExplanationText(why, {.colour = true, .ascii = false});
  EXPECT_THAT(coloured, HasSubstr("\x1b[33mU"));
  for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, ExplanationText(why, {}));
}

// ── Explained before it is done, every operation of the recorded scenarios ───────────────────────

namespace fs = std::filesystem;

fs::path RecordingDirectory() { return fs::path(LAMINA_SOURCE_DIR) / "tests/oracle/overlay"; }

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> Recordings() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(RecordingDirectory())) {
    if (entry.path().extension() == ".scn") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class OverlayExplainOracle : public ::testing::TestWithParam<std::string> {};

TEST_P(OverlayExplainOracle, SaysWhatThenHappens) {
  const fs::path file = RecordingDirectory() / (GetParam() + ".scn");
  const Scenario scenario = Parsed(ReadWhole(file));
  if (const auto unsupported = FindUnsupported(scenario)) {
    GTEST_SKIP() << "UNSUPPORTED " << *unsupported;
  }
  const Agreement agreement = ExplainEverything(scenario);
  EXPECT_THAT(agreement.wrong, IsEmpty());
  EXPECT_EQ(agreement.text, ReadWhole(RecordingDirectory() / (GetParam() + ".expected")));
}

INSTANTIATE_TEST_SUITE_P(, OverlayExplainOracle, ::testing::ValuesIn(Recordings()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(OverlayExplainRandom, SaysWhatThenHappens) {
  const std::string text = std::string(kStack) + "rand ops=300\n";
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const absl::StatusOr<Scenario> scenario =
        ParseScenario(text, {.file = "t.scn", .seed = seed, .limits = {}});
    ASSERT_TRUE(scenario.ok()) << scenario.status();
    const Agreement agreement = ExplainEverything(*scenario);
    EXPECT_THAT(agreement.wrong, IsEmpty()) << "seed " << seed;
    EXPECT_GE(agreement.explained, 300u);
  }
}

}  // namespace
}  // namespace lamina::sim
