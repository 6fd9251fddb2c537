// Version 2 of the language: what lamina adds to the oracle's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kStack[] = R"(scenario 2
title "A small stack"
layer base
  mkdir /etc 0755
  put /etc/hosts 0644 "hosts"
  put /log 0644 fill:b:38KiB
  mkdir /gone 0755
  put /gone/x 0644 x
layer app
  whiteout /log
  put /db 0644 pat:7:192KiB
  mkdir /gone 0755
  opaque /gone
stack app base upper
driver overlay2
mount
)";

Ran RunOnStack(const std::string& operations) { return RunText(kStack + operations); }

struct HeldCase {
  std::string name;
  std::string line;
};

class OverlayExpectationHeld : public testing::TestWithParam<HeldCase> {};

TEST_P(OverlayExpectationHeld, Holds) {
  const Ran ran = RunOnStack(GetParam().line + "\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.failures, IsEmpty());
  EXPECT_EQ(ran.expectations, 1u);
}

INSTANTIATE_TEST_SUITE_P(
    , OverlayExpectationHeld,
    testing::Values(HeldCase{"Errno", "read /log -> ENOENT"},
                    HeldCase{"Value", "read /etc/hosts -> \"hosts\""},
                    HeldCase{"ValueWithoutQuotes", "read /etc/hosts -> hosts"},
                    HeldCase{"Ok", "unlink /db -> OK"}, HeldCase{"SmallOk", "unlink /db -> ok"},
                    HeldCase{"Count", "append /db xyz -> 3"},
                    HeldCase{"CountAsPrinted", "append /db xyz -> OK 3"},
                    HeldCase{"CountAsSize", "pwrite /db 64KiB fill:x:4096 -> 4KiB"},
                    HeldCase{"SeveralWords", "readdir / -> [db:f etc:d gone:d]"},
                    HeldCase{"OpaqueHides", "readdir /gone -> []"},
                    HeldCase{"UpperIsImplied", "put /new 0644 x -> layer upper"},
                    HeldCase{"LayerOfAFile", "stat /etc/hosts -> layer base"},
                    HeldCase{"LayerOfTheTop", "stat /db -> layer app"},
                    HeldCase{"LayerAfterCopyUp", "append /db x -> layer upper"},
                    HeldCase{"Mount", "umount -> OK"}),
    [](const auto& parameter) { return parameter.param.name; });

struct BrokenCase {
  std::string name;
  std::string line;
  std::string expected;
  std::string got;
};

class OverlayExpectationBroken : public testing::TestWithParam<BrokenCase> {};

TEST_P(OverlayExpectationBroken, IsAFailureWithItsLine) {
  const Ran ran = RunOnStack(GetParam().line + "\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  ASSERT_THAT(ran.failures, SizeIs(1));
  EXPECT_EQ(ran.failures[0].line, 17);
  EXPECT_EQ(ran.failures[0].expected, GetParam().expected);
  EXPECT_EQ(ran.failures[0].got, GetParam().got);
}

INSTANTIATE_TEST_SUITE_P(
    , OverlayExpectationBroken,
    testing::Values(BrokenCase{"Errno", "read /log -> EIO", "EIO", "ENOENT"},
                    BrokenCase{"Count", "append /db xyz -> 4", "4", "OK 3"},
                    BrokenCase{"QuotedErrnoIsAValue", "read /log -> \"ENOENT\"", "\"ENOENT\"",
                               "ENOENT"},
                    BrokenCase{"Layer", "stat /db -> layer base", "layer base", "layer app"},
                    BrokenCase{"LayerOfNothing", "stat /log -> layer base", "layer base", "ENOENT"},
                    BrokenCase{"Counter", "expect copy_ups > 3", "copy_ups > 3", "0"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(OverlayScenarioTwo, ExpectationsAreNotPartOfTheText) {
  const Ran ran = RunOnStack("read /log -> ENOENT\n");
  EXPECT_THAT(ran.lines, Contains("L17 read /log = ENOENT"));
}

TEST(OverlayScenarioTwo, CountsWhatOneSmallWriteCosts) {
  const Ran ran = RunOnStack(
      "pwrite /db 64KiB fill:x:4096\nread /db 0 10\nstat /none\n"
      "expect copy_ups == 1\nexpect bytes_copied == 192KiB\nexpect bytes_asked == 4KiB\n"
      "expect bytes_written == 196KiB\nexpect bytes_read == 10\nexpect operations == 3\n"
      "expect errors == 1\nexpect branch_probes >= 1\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.failures, IsEmpty());
  EXPECT_EQ(ran.expectations, 8u);
}

TEST(OverlayScenarioTwo, KeepsQuestionsForTheAsker) {
  const Ran ran = RunOnStack("ask \"How many KiB?\" -> 192 KiB\n");
  ASSERT_THAT(ran.questions, SizeIs(1));
  EXPECT_EQ(ran.questions[0].question, "How many KiB?");
  EXPECT_EQ(ran.questions[0].answer, "192 KiB");
  EXPECT_EQ(ran.expectations, 0u);
}

TEST(OverlayScenarioTwo, UsesMarksOfTheUserNamespaceWhenTheMountDoes) {
  const Ran ran = RunText(
      "scenario 2\nlayer low\nmkdir /d 0755\nput /d/x 0644 x\nlayer top\nmkdir /d 0755\nopaque /d\n"
      "rawmount m lowerdir=/no,userxattr\nlayer top\nlistxattr /d -> [user.overlay.opaque]\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.failures, IsEmpty());
}

TEST(OverlayScenarioTwo, WritesMarksOnlyOnLayers) {
  const Ran ran = RunOnStack("whiteout /db\n");
  EXPECT_THAT(std::string(ran.status.message()), HasSubstr("`whiteout` needs a layer as target"));
}

TEST(ScenarioTwo, RepeatsABlock) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(
      "scenario 2\nlayer a\nrepeat 2\n mkdir /a 0755\n repeat 3\n  rmdir /a\n end\nend\n"
      "repeat 0\n stat /x\nend\n",
      {});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(ExpandedText(*scenario),
            "scenario 2\nlayer a\nmkdir /a 0755\nrmdir /a\nrmdir /a\nrmdir /a\n"
            "mkdir /a 0755\nrmdir /a\nrmdir /a\nrmdir /a\n");
}

constexpr char kRandom[] =
    "rand ops=60 mix=create:10,put:30,write:20,unlink:10,rename:20,read:10,mkdir:5 size=64\n"
    "repeat 2\nread /db 0 1KiB\nend\nstat /db -> layer app\n";

TEST(OverlayScenarioTwo, DrawsTheSameOperationsFromTheSameSeed) {
  const auto expanded = [](std::uint64_t seed) {
    return ExpandedText(*ParseScenario(std::string(kStack) + kRandom, {.seed = seed}));
  };
  EXPECT_EQ(expanded(5), expanded(5));
  EXPECT_NE(expanded(5), expanded(6));
}

// The results and the dump, without line numbers.
std::vector<std::string> WithoutLineNumbers(std::vector<std::string> lines) {
  for (std::string& line : lines) {
    if (line.starts_with('L')) line.erase(0, line.find(' '));
  }
  return lines;
}

TEST(OverlayScenarioTwo, ExpandsToAFileWithTheSameResult) {
  const std::string text = std::string(kStack) + kRandom;
  const absl::StatusOr<Scenario> scenario = ParseScenario(text, {.seed = 3});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  const Ran before = RunText(text, 3);
  const Ran after = RunText(ExpandedText(*scenario), 99);
  ASSERT_TRUE(before.status.ok()) << before.status;
  ASSERT_TRUE(after.status.ok()) << after.status;
  EXPECT_EQ(WithoutLineNumbers(before.lines), WithoutLineNumbers(after.lines));
  EXPECT_EQ(before.expectations, after.expectations);
}

TEST(ScenarioTwo, DrawsOnlyWhatTheMixNames) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario("scenario 2\nlayer a\nput /f 0644 x\nrand ops=30 mix=read:1\n", {});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  ASSERT_THAT(scenario->statements, SizeIs(33));
  const std::vector<Statement> drawn(scenario->statements.begin() + 3, scenario->statements.end());
  EXPECT_THAT(drawn, testing::Each(testing::Field(&Statement::name, "read")));
}

TEST(ScenarioTwo, ReadsALayerFromADirectoryOfTheHost) {
  const std::filesystem::path source =
      std::filesystem::path(testing::TempDir()) / "lamina_scenario_source";
  std::filesystem::remove_all(source);
  std::filesystem::create_directories(source / "sub");
  std::ofstream(source / "sub/file") << "from the host";
  const Ran ran = RunText("scenario 2\nlayer a from \"dir:" + source.string() +
                          "\"\nrawmount m lowerdir=/no\nlayer a\nread /sub/file -> "
                          "\"from the host\"\n");
  std::filesystem::remove_all(source);
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.failures, IsEmpty());
}

TEST(ScenarioTwo, NamesASourceThatIsNotThere) {
  const Ran ran = RunText("scenario 2\nlayer a from dir:/no/such/directory\n");
  EXPECT_THAT(std::string(ran.status.message()), HasSubstr("/no/such/directory"));
}

TEST(ScenarioTwo, HasATitle) { EXPECT_EQ(ParseScenario(kStack, {})->title, "A small stack"); }

}  // namespace
}  // namespace lamina::sim
