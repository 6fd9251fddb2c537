// lamina explain, tree and diff on the command line: what they print where, and how they end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/golden/golden_file.h"
#include "tests/sim/command_line.h"

namespace lamina {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class OverlayCommandLine : public CommandLineTest {
 protected:
  OverlayCommandLine() {
    Write(
        "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"abc\"\n"
        "stack base upper\nmount\nappend /d/f x\n");
  }

  // `arguments`: @ stands for the scenario.
  Ended Run(std::string arguments) const {
    const std::size_t at = arguments.find('@');
    if (at != std::string::npos) arguments.replace(at, 1, file_.string());
    return CommandLineTest::Run(arguments);
  }
};

TEST_F(OverlayCommandLine, ExplainAnswers) {
  const Ended ended = Run("explain @ unlink /d/f");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, StartsWith("lookup /d/f\n"));
  EXPECT_THAT(ended.out, HasSubstr("\nanswer  OK\n"));
}

class DeviceCommandLine : public OverlayCommandLine {
 protected:
  DeviceCommandLine() {
    Write(
        "scenario 2\npool p data=1MiB\nthin a p 0 1MiB\ndd of=a fill:a:64KiB\nsnap b a\n"
        "dd of=b fill:b:4KiB\n");
  }
};

TEST_F(DeviceCommandLine, ExplainsWhatADdDoes) {
  const Ended ended = Run("explain @ dd of=a fill:x:4KiB");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("break sharing: allocate a chunk, copy 64 KiB, write 4 KiB"));
  EXPECT_THAT(Run("explain @ --json dd if=b count=512").out, HasSubstr("\"blocks\": ["));
}

TEST_F(DeviceCommandLine, OptionsStandBeforeInAndBehindTheOperation) {
  const Ended before = Run("explain --json --after 1 @ dd of=a fill:x:4KiB");
  EXPECT_EQ(before.status, 0);
  EXPECT_THAT(before.out, StartsWith("{\n  \"format\": \"lamina-explain/1\""));
  const Ended behind = Run("explain @ dd of=a fill:x:4KiB --json --after=1");
  EXPECT_EQ(behind.status, 0);
  EXPECT_EQ(behind.out, before.out);
  EXPECT_EQ(Run("explain @ dd --after 1 of=a --json fill:x:4KiB").out, before.out);
  EXPECT_EQ(Run("explain @ 'dd of=a fill:x:4KiB' --after 1 --json").out, before.out);
  EXPECT_THAT(Run("explain @ dd of=a fill:x:4KiB --help").out, HasSubstr("OPERATION follows FILE"));
}

TEST_F(DeviceCommandLine, WrongOptionsBehindTheOperationAre2) {
  EXPECT_EQ(Run("explain @ dd of=a fill:x:4KiB --after").status, 2);
  EXPECT_EQ(Run("explain @ dd of=a fill:x:4KiB --after -1").status, 2);
  EXPECT_EQ(Run("explain @ dd of=a fill:x:4KiB --color=mauve").status, 2);
  EXPECT_EQ(Run("explain @ dd of=a fill:x:4KiB --bogus").status, 2);
  EXPECT_THAT(CommandLineTest::Run("explain " + file_.string() + " dd of=a fill:x:4KiB --bogus",
                                   "2>&1 >/dev/null")
                  .out,
              HasSubstr("lamina explain has no option --bogus"));
  EXPECT_EQ(Run("chunks @ --after -1").status, 2);
  EXPECT_EQ(Run("chunks @ --after 3").status, 0);
  EXPECT_EQ(Run("chunks @ --after 4").status, 2);
}

TEST_F(OverlayCommandLine, WhatFollowsTwoDashesIsNoOption) {
  EXPECT_THAT(Run("explain @ --json append /d/f -- --json").out, HasSubstr("\"bytes_asked\": 6"));
  EXPECT_THAT(Run("explain @ append -- /d/f -s").out, HasSubstr("answer  OK 2\n"));
}

TEST_F(DeviceCommandLine, ChunksAreDrawnAndListed) {
  const Ended ended = Run("chunks @");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, StartsWith("p: 16 chunks of 64 KiB, 2 used = 0 shared + 2 exclusive\n"));
  EXPECT_THAT(Run("chunks @ --after 2").out, HasSubstr("1 used = 1 shared + 0 exclusive"));
  EXPECT_THAT(Run("chunks --users @").out, HasSubstr("chunk 1  b block 0 (time 1)"));
  EXPECT_THAT(Run("chunks --json @").out, StartsWith("{\n  \"format\": \"lamina-chunks/1\""));
  EXPECT_EQ(Run("chunks --pool none @").status, 4);
}

TEST_F(OverlayCommandLine, ExplainTakesNegativeNumbers) {
  EXPECT_THAT(Run("explain @ chown /d/f -1 5").out, HasSubstr("answer  OK"));
}

TEST_F(OverlayCommandLine, ExplainAfterNone) {
  EXPECT_THAT(Run("explain @ --after 0 stat /d/f").out, HasSubstr("size=3 "));
  EXPECT_THAT(Run("explain @ stat /d/f").out, HasSubstr("size=4 "));
}

TEST_F(OverlayCommandLine, AnalyzeAgrees) {
  const Ended ended = Run("explain --analyze @ append /d/f yz");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, Not(HasSubstr("DIFFERENT")));
}

TEST_F(OverlayCommandLine, WrongUsageIs2) {
  EXPECT_EQ(Run("explain @").status, 2);
  EXPECT_EQ(Run("explain @ frobnicate /").status, 2);
  EXPECT_EQ(Run("explain @ --after 9 stat /").status, 2);
  EXPECT_EQ(Run("tree --hidden --changes @").status, 2);
  EXPECT_EQ(Run("tree").status, 2);
  EXPECT_EQ(Run("diff @ base").status, 2);
  EXPECT_EQ(Run("diff @ --layer none").status, 2);
}

TEST_F(OverlayCommandLine, TreesOfTheHostNeedDump) {
  EXPECT_EQ(Run("tree dir:/").status, 2);
  EXPECT_EQ(Run("tree --totals ext4:/nonexistent").status, 2);
}

TEST_F(OverlayCommandLine, UnreadableIs3) {
  EXPECT_EQ(Run("explain /nonexistent stat /").status, 3);
  EXPECT_EQ(Run("tree /nonexistent").status, 3);
  EXPECT_EQ(Run("tree --dump dir:/nonexistent").status, 3);
  EXPECT_EQ(Run("tree --dump tar:/nonexistent").status, 3);
  EXPECT_EQ(Run("diff /nonexistent").status, 3);
}

TEST_F(OverlayCommandLine, ErrorsGoToStderrOrIntoTheDocument) {
  EXPECT_THAT(Run("tree /nonexistent").out, IsEmpty());
  EXPECT_THAT(Run("tree --json /nonexistent").out,
              StartsWith("{\n  \"format\": \"lamina-tree/1\",\n  \"error\": {"));
}

TEST_F(OverlayCommandLine, JsonNamesItsFormat) {
  EXPECT_THAT(Run("explain @ --json stat /").out, HasSubstr("\"format\": \"lamina-explain/1\""));
  EXPECT_THAT(Run("tree --json @").out, HasSubstr("\"format\": \"lamina-tree/1\""));
  EXPECT_THAT(Run("diff --json @").out, HasSubstr("\"format\": \"lamina-diff/1\""));
}

TEST_F(OverlayCommandLine, DiffSaysWhetherThereIsOne) {
  const Ended ended = Run("diff --exit-code @");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out, "C /d\nC /d/f\n");
  EXPECT_EQ(Run("diff --exit-code --after 0 @").status, 0);
}

TEST_F(OverlayCommandLine, DumpHasNoHeadLine) {
  EXPECT_THAT(Run("tree --dump @").out, StartsWith("  / d 0755 0:0 nlink=1 "));
}

TEST_F(OverlayCommandLine, NoColourInAPipe) {
  EXPECT_THAT(Run("tree @").out, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(Run("tree --color always @").out, HasSubstr("\x1b["));
}

TEST_F(OverlayCommandLine, TwoRunsAreTheSame) {
  EXPECT_EQ(Run("tree --hidden @").out, Run("tree --hidden @").out);
}

// ── AUFS ─────────────────────────────────────────────────────────────────────────────────────────

class AufsCommandLine : public CommandLineTest {
 protected:
  AufsCommandLine() {
    Write(
        "scenario 2\nlayer base\nmkdir /d 0755\nput /d/f 0644 \"abc\"\nput /g 0644 \"g\"\n"
        "layer w2\nmkdir /d 0755\nlayer w1\n"
        "driver aufs\nrawmount M br:@w1@=rw:@w2@=rw:@base@=ro+wh\nmerged M\n"
        "append /d/f x\nunlink /g\n");
  }

  Ended Run(const std::string& arguments) const {
    return CommandLineTest::Run(arguments + ' ' + file_.string());
  }
  Ended Explain(const std::string& arguments, const std::string& operation) const {
    return CommandLineTest::Run("explain " + arguments + ' ' + file_.string() + ' ' + operation);
  }
};

TEST_F(AufsCommandLine, ExplainNamesBranchesByIndex) {
  const Ended ended = Explain("--analyze", "append /d/f y");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("  b1  rw     w2    regular, 4 B              found, stop\n"));
  EXPECT_THAT(ended.out, HasSubstr("open /d/f to write: b1 is writable\n"));
}

TEST_F(AufsCommandLine, ExplainsARemount) {
  const Ended ended = Explain("", "remount M del:@w1@");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("branches now: b0 rw w2, b1 ro+wh base\n"));
}

TEST_F(AufsCommandLine, ExplainJsonHasTheModesAndTheBranchOfAStep) {
  const Ended ended = Explain("--json", "unlink /d/f");
  EXPECT_THAT(ended.out, HasSubstr("\"mode\": \"ro+wh\""));
  EXPECT_THAT(ended.out, HasSubstr("\"step\": \"create whiteout .wh.f\",\n          "
                                   "\"bytes_read\": 0,\n          \"bytes_written\": 0,\n"
                                   "          \"branch\": \"b1\""));
}

TEST_F(AufsCommandLine, RunShowsTheBranchOfACopyUp) {
  EXPECT_THAT(Run("run").out, HasSubstr("b0·  b1·  b2●  ⇒b1\n"));
}

TEST_F(AufsCommandLine, TreeTotals) {
  const Ended ended = Run("tree --totals");
  EXPECT_EQ(ended.status, 0);
  lamina::testing::ExpectGolden("tree_aufs_totals.txt", ended.out);
}

TEST_F(AufsCommandLine, TreeJsonCountsMarks) {
  EXPECT_THAT(Run("tree --json").out, HasSubstr("\"base_entries\": 6"));
}

TEST_F(AufsCommandLine, DiffOfTheTopmostWritableBranch) {
  const Ended ended = Run("diff");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "D /g\n");
}

TEST_F(AufsCommandLine, DiffOfANamedBranch) {
  EXPECT_EQ(Run("diff --layer w2").out, "C /d\nC /d/f\n");
  EXPECT_EQ(Run("diff --layer none").status, 2);
}

}  // namespace
}  // namespace lamina
