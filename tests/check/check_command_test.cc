// lamina check on the command line: what it prints where, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/image/tar_builder.h"
#include "tests/sim/command_line.h"

namespace lamina {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kClean[] =
    "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"1\"\nstack base upper\nmount\n"
    "unlink /d/f\n";
constexpr char kOdd[] =
    "scenario 2\nlayer base\nmkdir /d 0755\nlayer app\nmkdir /d 0755\nwhiteout /d/f\n"
    "stack app base\nmount\n";

class CheckCommandLine : public CommandLineTest {
 protected:
  static Ended Run(const std::string& arguments, const std::string& errors = "2>/dev/null") {
    return CommandLineTest::Run("check " + arguments, errors);
  }

  // Checks the scenario `text`.
  Ended RunOn(const std::string& text, const std::string& options = "") const {
    Write(text);
    return Run(options + ' ' + file_.string());
  }
};

TEST_F(CheckCommandLine, NothingFoundIs0) {
  const Ended ended = RunOn(kClean);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "no findings\n");
}

TEST_F(CheckCommandLine, SomethingFoundIs1) {
  const Ended ended = RunOn(kOdd);
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out,
            "note     dead-whiteout  L2 app  /d/f\n"
            "         whiteout of a name that no layer below has\n"
            "         the kernel shows the same tree with the whiteout and without it\n"
            "1 finding: 0 errors, 0 warnings, 1 note\n");
}

TEST_F(CheckCommandLine, JsonOfAFinding) {
  const Ended ended = RunOn(kOdd, "--json");
  EXPECT_EQ(ended.status, 1);
  const nlohmann::json document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document["format"], "lamina-check/1");
  EXPECT_EQ(document["source"], file_.string());
  EXPECT_EQ(document["findings"],
            nlohmann::json::parse(
                R"([{"kind": "dead-whiteout", "severity": "note", "branch": "L2", "layer": "app",
                     "path": "/d/f", "what": "whiteout of a name that no layer below has",
                     "kernel": "the kernel shows the same tree with the whiteout and without it"}])"));
}

TEST_F(CheckCommandLine, JsonOfNothing) {
  const Ended ended = RunOn(kClean, "--json");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(nlohmann::json::parse(ended.out)["findings"], IsEmpty());
}

TEST_F(CheckCommandLine, WrongUsageIs2) {
  EXPECT_EQ(Run("").status, 2);
  EXPECT_EQ(Run("--frobnicate x").status, 2);
  EXPECT_EQ(RunOn(kClean, "--userxattr").status, 2);
}

TEST_F(CheckCommandLine, UnreadableIs3) {
  EXPECT_EQ(Run("/nonexistent").status, 3);
  EXPECT_EQ(Run("dir:/nonexistent").status, 3);
  EXPECT_EQ(Run("tar:/nonexistent").status, 3);
  EXPECT_EQ(Run("tar:").status, 3);
  EXPECT_EQ(Run("dir:").status, 3);
  EXPECT_EQ(RunOn("scenario 2\nfrobnicate /\n").status, 3);
  EXPECT_EQ(RunOn("scenario 2\nlayer base\n").status, 3);
  EXPECT_EQ(RunOn("scenario 2\nlayer base\nrmdir /d\nstack base upper\nmount\n").status, 3);
}

TEST_F(CheckCommandLine, ErrorsGoToStderrOrIntoTheDocument) {
  EXPECT_THAT(Run("/nonexistent").out, IsEmpty());
  EXPECT_THAT(Run("/nonexistent", "2>&1").out, StartsWith("/nonexistent: "));
  EXPECT_THAT(Run("--json /nonexistent").out,
              StartsWith("{\n  \"format\": \"lamina-check/1\",\n  \"error\": {"));
}

TEST_F(CheckCommandLine, ReadsStandardInput) {
  RunOn(kOdd);
  EXPECT_EQ(Run("- < " + file_.string()).status, 1);
}

TEST_F(CheckCommandLine, ChecksLayersOfTheHost) {
  Write(test::TarBuilder().Dir("d").File("d/.wh.x", "").Done());
  const Ended ended = Run("tar:" + file_.string());
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.out,
              StartsWith("warning  whiteout-in-pure-directory  L1 " + file_.string() + "  /d/x\n"));
}

TEST_F(CheckCommandLine, UserxattrChoosesTheMarks) {
  Write(test::TarBuilder().Dir("d").File("d/.wh..wh..opq", "").File("d/.wh.x", "").Done());
  EXPECT_THAT(Run("--userxattr tar:" + file_.string()).out, HasSubstr("whiteout-in-opaque"));
}

constexpr char kAufs[] =
    "scenario 2\nlayer base\nput /f 0644 \"1\"\nlayer up\nwhiteout /f\ndriver aufs\n"
    "rawmount M br:@up@=rw:@base@=ro+wh\nmerged M\n";

TEST_F(CheckCommandLine, OfAufsNothingFoundIs0) {
  const Ended ended = RunOn(kAufs);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "no findings\n");
}

TEST_F(CheckCommandLine, OfAufsSomethingFoundIs1) {
  const Ended ended = RunOn(std::string(kAufs) + "remount M mod:@up@=ro\n", "--json");
  EXPECT_EQ(ended.status, 1);
  const nlohmann::json document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document["findings"],
            nlohmann::json::parse(
                R"([{"kind": "unhonoured-mark", "severity": "warning", "branch": "b0",
                     "layer": "up", "path": "/.wh.f",
                     "what": "whiteout of \"f\" on a branch that is ro without +wh",
                     "kernel": "AUFS does not honour it: the name is visible from b1"}])"));
}

TEST_F(CheckCommandLine, SeedDrawsTheOperations) {
  const std::string text = std::string(kClean) + "rand ops=40\n";
  EXPECT_EQ(RunOn(text, "--seed 7").status, 0);
  EXPECT_EQ(RunOn(text, "--seed 7").out, RunOn(text, "--seed 7").out);
}

}  // namespace
}  // namespace lamina
