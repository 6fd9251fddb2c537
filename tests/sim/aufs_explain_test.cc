// lamina explain for AUFS: its text, and that it says what really happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lamina/sim/explain.h"
#include "tests/golden/golden_file.h"
#include "tests/sim/explained.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// w1 and w2 are writable; ro is plain, so that its whiteouts do not count.
constexpr char kStack[] = R"(scenario 2
layer base
  mkdir /etc 0755
  put   /etc/hosts 0644 "127.0.0.1 localhost\n"
  put   /etc/hidden 0644 "hidden\n"
  put   /etc/two 0644 "linked\n"
  link  /etc/two /etc/three
  mkdir /bin 0755
  put   /bin/sh 0755 fill:s:123KiB
  mkdir /var 0755
  put   /var/boot.log 0644 fill:b:38KiB
  mkdir /gone 0755
  put   /gone/x 0644 "x"
  mkdir /kind 0755
  put   /kind/below 0644 "below"
  put   /only 0644 "base only\n"
layer image
  mkdir /etc 0755
  put   /etc/hosts 0644 "::1 localhost\n"
  mkdir /var 0755
  whiteout /var/boot.log
  put   /kind 0644 "a file here"
  mkdir /gone 0755
  opaque /gone
  put   /gone/y 0644 "y"
layer plain
  whiteout /only
  mkdir /etc 0755
  whiteout /etc/hidden
layer w2
  mkdir /srv 0755
  put   /srv/own 0644 "in w2\n"
  mkdir /etc 0755
layer w1
  mkdir /kind 0755
  mkdir /old 0755
  whiteout /old/a
  whiteout /old/b
  whiteout /old/c
  whiteout /old/d
  whiteout /clash
  put   /clash 0644 "clash"
  mkdir /srv 0755
layer bottom
  mkdir /old 0755
  put   /old/a 0644 "a"
  put   /srv.conf 0644 "conf\n"
driver aufs
rawmount M br:@w1@=rw:@w2@=rw:@plain@=ro:@image@=ro+wh:@base@=ro+wh:@bottom@=ro
merged M
stat /srv.conf
)";

struct TextCase {
  std::string name;
  std::string operation;
};

class AufsExplainText : public ::testing::TestWithParam<TextCase> {};

TEST_P(AufsExplainText, IsAsRecorded) {
  const Explanation why = Explained(kStack, GetParam().operation, ExplainMode::kAnalyze);
  EXPECT_EQ(why.answer, why.actual_answer.value_or(why.answer));
  ExpectGolden("explain_aufs_" + GetParam().name + ".txt", ExplanationText(why, {}));
}

std::string LongName(std::size_t length) { return '/' + std::string(length, 'n'); }

INSTANTIATE_TEST_SUITE_P(
    , AufsExplainText,
    ::testing::Values(
        TextCase{"hidden_by_whiteout", "read /var/boot.log"},
        TextCase{"not_honoured", "read /etc/hidden"}, TextCase{"other_type", "read /kind/below"},
        TextCase{"below_opaque", "read /gone/x"}, TextCase{"clash", "read /clash"},
        TextCase{"whiteout_name", "stat /.wh.only"},
        TextCase{"long_name", "create " + LongName(243) + " 0644"},
        TextCase{"first_write", "pwrite /etc/hosts 4 \"x\""},
        TextCase{"open_to_write", "open H /bin/sh rdwr"},
        TextCase{"truncate", "put /etc/hosts 0644 \"new\""},
        TextCase{"chmod", "chmod /bin/sh 0700"}, TextCase{"create", "put /etc/new 0644 \"new\""},
        TextCase{"over_whiteout", "mkdir /old/a 0755"},
        TextCase{"unlink_below", "unlink /etc/hosts"}, TextCase{"unlink_own", "unlink /srv/own"},
        TextCase{"rmdir_deferred", "rmdir /old"}, TextCase{"rename", "rename /only /renamed"},
        TextCase{"rename_directory", "rename /bin /sbin"}, TextCase{"link", "link /only /linked"},
        TextCase{"pseudo_link", "append /etc/two \"more\""}),
    [](const auto& parameter) { return parameter.param.name; });

// A scenario of two branches, of which `modes` are the lower's and the upper's.
std::string Two(const std::string& upper, const std::string& lower, const std::string& contents) {
  return "scenario 2\nlayer low\n" + contents +
         "layer up\ndriver aufs\nrawmount M br:@up@=" + upper + ":@low@=" + lower +
         "\nmerged M\nstat /\n";
}

TEST(AufsExplain, TheBranchIsNamedByIndexPermissionAndLayer) {
  const Explanation why = Explained(Two("rw", "ro+wh", "put /f 0644 f\n"), "read /f");
  ASSERT_EQ(why.lookups.size(), 1u);
  EXPECT_EQ(why.lookups[0].branches[1].label, "b1");
  EXPECT_EQ(why.lookups[0].branches[1].mode, "ro+wh");
  EXPECT_EQ(why.lookups[0].branches[1].layer, "low");
}

TEST(AufsExplain, ThePolicySaysWhyThatBranch) {
  const Explanation why = Explained(Two("rw", "rw,create=mfs,cpup=bu", ""), "put /f 0644 f");
  ASSERT_FALSE(why.changes.empty());
  EXPECT_THAT(why.changes[0].decision, HasSubstr("mfs: most free space"));
  const Explanation copy = Explained(
      "scenario 2\nlayer low\nput /f 0644 f\nlayer mid\nlayer up\ndriver aufs\n"
      "rawmount M br:@up@=rw:@mid@=rw:@low@=ro,cpup=bu\nmerged M\nstat /\n",
      "chmod /f 0600");
  ASSERT_FALSE(copy.changes.empty());
  EXPECT_THAT(copy.changes[0].decision,
              HasSubstr("copy it up to b1 (bu: nearest writable branch)"));
}

TEST(AufsExplain, WithOneWritableBranchThereIsNoChoice) {
  const Explanation why = Explained(Two("rw", "ro", "put /f 0644 f\n"), "chmod /f 0600");
  ASSERT_FALSE(why.changes.empty());
  EXPECT_EQ(why.changes[0].decision,
            "b1 is read-only: copy it up to b0 (the only writable branch)");
}

TEST(AufsExplain, WithoutAWritableBranchAboveItIsErofs) {
  const Explanation why = Explained(Two("ro", "rw", ""), "put /f 0644 f");
  EXPECT_EQ(why.answer, "EROFS");
  EXPECT_THAT(why.notes,
              Contains("no writable branch at or above b0; AUFS never goes further down"));
}

TEST(AufsExplain, AReadOnlyMountSaysSo) {
  const Explanation why = Explained(Two("rw", "ro,ro", "put /f 0644 f\n"), "chmod /f 0600");
  EXPECT_EQ(why.answer, "EROFS");
  EXPECT_THAT(why.notes, Contains("the union is mounted read-only"));
}

TEST(AufsExplain, ACopyAtOpenIsPlannedAndNotDone) {
  const std::string stack = Two("rw", "ro+coo_reg", "put /f 0644 abc\n");
  const Explanation why = Explained(stack, "read /f", ExplainMode::kAnalyze);
  ASSERT_EQ(why.changes.size(), 1u);
  EXPECT_THAT(why.changes[0].decision, HasSubstr("copy it up to b0"));
  EXPECT_EQ(why.cost, *why.actual_cost);
  EXPECT_EQ(why.cost.bytes_read, 3u);
}

TEST(AufsExplain, ReadingAPseudoLinkedNameMakesItsHardLink) {
  const Explanation why =
      Explained(Two("rw", "ro", "put /a 0644 a\nlink /a /b\n") + "append /a x\n", "read /b",
                ExplainMode::kAnalyze);
  EXPECT_EQ(why.answer, "\"ax\"");
  ASSERT_EQ(why.changes.size(), 1u);
  EXPECT_EQ(why.changes[0].decision, "a pseudo-linked name gets its hard link in b0");
  EXPECT_EQ(why.cost, *why.actual_cost);
}

TEST(AufsExplain, WithoutPseudoLinksTheOtherNamesKeepTheOldData) {
  const Explanation why =
      Explained(Two("rw", "ro,noplink", "put /a 0644 a\nlink /a /b\n"), "append /a x");
  EXPECT_THAT(why.notes, Contains("noplink: the file's other names keep the old data"));
}

TEST(AufsExplain, TimesOfAFifoBelowAreDropped) {
  const Explanation why =
      Explained(Two("rw", "ro", "fifo /p 0644\n"), "utimens /p 5 5", ExplainMode::kAnalyze);
  EXPECT_EQ(why.answer, "OK");
  ASSERT_EQ(why.changes.size(), 1u);
  EXPECT_THAT(why.changes[0].decision, HasSubstr("dropped"));
  EXPECT_EQ(why.cost, *why.actual_cost);
}

TEST(AufsExplain, AnXattrThatIsNotThereCostsACopyUp) {
  const Explanation why = Explained(Two("rw", "ro", "put /f 0644 abc\n"),
                                    "removexattr /f user.none", ExplainMode::kAnalyze);
  EXPECT_EQ(why.answer, "ENODATA");
  EXPECT_EQ(why.cost.bytes_read, 3u);
  EXPECT_EQ(why.cost, *why.actual_cost);
}

TEST(AufsExplain, ZerosAreNotCopied) {
  const Explanation why = Explained(Two("rw", "ro", "put /f 0644 fill:\"\\x00\":8192\n"),
                                    "chmod /f 0600", ExplainMode::kAnalyze);
  EXPECT_EQ(why.cost.bytes_read, 0u);
  EXPECT_EQ(why.cost, *why.actual_cost);
}

TEST(AufsExplain, TheLowestMarkWinsOnRequest) {
  const std::string stack =
      "scenario 2\nlayer low\nmkdir /d 0755\nput /d/c 0644 c\nlayer mid\nmkdir /d 0755\n"
      "opaque /d\nput /d/b 0644 b\nlayer up\nmkdir /d 0755\nopaque /d\ndriver aufs\n"
      "rawmount M br:@up@=rw:@mid@=ro+wh:@low@=ro+wh\nmerged M\nstat /\n";
  const Explanation why = Explained(stack, "readdir /d");
  ASSERT_FALSE(why.lookups.empty());
  EXPECT_EQ(why.lookups[0].branches[0].decision, "found, stop");
  EXPECT_EQ(why.answer, "[]");
}

// ── remount ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsExplain, ABranchInUseIsNamedWithItsHolder) {
  const Explanation why =
      Explained(Two("rw", "ro", "mkdir /d 0755\nput /d/f 0644 f\n") + "open H /d/f rdonly\n",
                "remount M del:@low@");
  EXPECT_TRUE(why.was_run);
  EXPECT_EQ(why.answer, "EBUSY");
  EXPECT_THAT(why.notes, Contains("b1 low is in use: /d/f is open"));
  EXPECT_THAT(why.notes, Contains("branches now: b0 rw up, b1 ro low"));
}

TEST(AufsExplain, TheOnlyBranchStays) {
  const Explanation why =
      Explained(Two("rw", "ro", "") + "remount M del:@low@\n", "remount M del:@up@");
  EXPECT_EQ(why.answer, "EBUSY");
  EXPECT_THAT(why.notes, Contains("b0 up is in use: it is the only branch"));
}

TEST(AufsExplain, AVerbThatWorksShowsTheBranchesAfterwards) {
  const Explanation why = Explained(Two("rw", "ro", "put /f 0644 f\n"), "remount M del:@low@");
  EXPECT_EQ(why.answer, "OK");
  EXPECT_THAT(why.notes, ::testing::ElementsAre("branches now: b0 rw up"));
}

TEST(AufsExplain, FollowsAVerbBeforeTheOperation) {
  const Explanation why = Explained(
      Two("rw", "ro", "put /f 0644 f\n") + "remount M mod:@up@=ro,append:@low@\n", "chmod /f 0600");
  EXPECT_EQ(why.answer, "EROFS");
  EXPECT_EQ(why.lookups.at(0).branches.at(0).mode, "ro");
}

// ── Explained before it is done ──────────────────────────────────────────────────────────────────

TEST(AufsExplain, ChangesNothing) {
  const Scenario scenario = Parsed(kStack);
  LineList plain;
  ScenarioRun run(scenario, {.sink = &plain});
  ASSERT_TRUE(run.RunAll().ok());
  LineList explained;
  ScenarioRun other(scenario, {.sink = &explained});
  ASSERT_TRUE(other.RunToOperation(1).ok());
  for (const char* text : {"append /etc/two x", "read /etc/three", "rmdir /old", "unlink /only"}) {
    const absl::StatusOr<Statement> operation = ParseOperation({text}, {});
    ASSERT_TRUE(operation.ok()) << operation.status();
    ASSERT_TRUE(ExplainNext(other, *operation).ok());
  }
  other.Finish();
  EXPECT_EQ(explained.lines, plain.lines);
}

struct RandomCase {
  std::string name;
  std::string mount;
};

class AufsExplainRandom : public ::testing::TestWithParam<RandomCase> {};

TEST_P(AufsExplainRandom, SaysWhatThenHappens) {
  std::string text = kStack;
  text.resize(text.find("rawmount "));
  text += "rawmount M " + GetParam().mount + "\nmerged M\nrand ops=300\n";
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const Agreement agreement = ExplainEverything(Parsed(text, seed));
    EXPECT_THAT(agreement.wrong, IsEmpty()) << "seed " << seed;
    EXPECT_GE(agreement.explained, 300u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , AufsExplainRandom,
    ::testing::Values(
        RandomCase{"tdp", "br:@w1@=rw:@w2@=rw:@plain@=ro:@image@=ro+wh:@base@=ro+wh:@bottom@=ro"},
        RandomCase{"bup", "br:@w1@=rw:@image@=ro+wh:@w2@=rw:@base@=ro+wh,cpup=bup,create=rr"},
        RandomCase{"noplink", "br:@w1@=rw+nolwh:@base@=ro+wh,noplink,create=mfs,dirwh=0"},
        RandomCase{"coo", "br:@w1@=rw:@base@=ro+wh+coo_reg,diropq=always"},
        RandomCase{"dirren", "br:@w1@=rw:@image@=ro+wh:@base@=ro+wh,dirren"},
        RandomCase{"reversed", "br:@image@=ro+wh:@w1@=rw:@base@=ro+wh"}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace lamina::sim
