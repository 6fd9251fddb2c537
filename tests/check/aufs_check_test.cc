// Findings about the branches of an AUFS union, each with its counter-example; what histories
// leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/check/aufs_search.h"
#include "tests/check/layer_stack.h"
#include "tests/golden/golden_file.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<StackFinding> Check(const std::string& layers, const std::string& mount,
                                const std::string& operations = "", std::uint64_t seed = 0) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(
      "scenario 2\n" + layers + "driver aufs\nrawmount M " + mount + "\nmerged M\n" + operations,
      {.file = "t.scn", .seed = seed, .limits = {}});
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  if (!scenario.ok()) return {};
  absl::StatusOr<std::vector<StackFinding>> findings = CheckScenario(*scenario);
  EXPECT_TRUE(findings.ok()) << findings.status();
  return findings.ok() ? *std::move(findings) : std::vector<StackFinding>();
}

// What AUFS does with the only finding.
std::string Then(const std::vector<StackFinding>& findings) {
  EXPECT_EQ(findings.size(), 1u);
  return findings.size() == 1 ? findings.front().kernel : "";
}

constexpr char kRwOverWh[] = "br:@up@=rw:@base@=ro+wh";
constexpr char kRoOverWh[] = "br:@w@=rw:@up@=ro+wh:@base@=ro+wh";

constexpr char kBase[] = "layer base\nput /f 0644 f\nmkdir /d 0755\nput /d/x 0644 x\n";

TEST(AufsCheck, TextForPeople) {
  const std::string odd = std::string(kBase) +
                          "mkdir /o 0755\nput /o/c 0644 c\nlayer mid\nmkdir /o 0755\nopaque /o\n"
                          "mkdir /.wh..wh.plnk 0700\nlayer plain\nwhiteout /f\n"
                          "layer up\nwhiteout /f\nput /f 0644 up\nmkdir /.wh.g 0755\n"
                          "mkdir /d 0755\nopaque /d\nwhiteout /d/x\nwhiteout /nothing\n"
                          "mkdir /o 0755\nopaque /o\nput /.wh..wh.big.00ff 0600 fill:b:5000\n"
                          "mkdir /.wh..wh.plnk 0700\nput /.wh..wh.plnk/12.34 0644 p\n"
                          "mkdir /.wh..wh.orph 0700\nput /.wh..wh.orph/q 0644 q\n";
  ExpectGolden("check_aufs.txt",
               FindingsText(Check(odd, "br:@up@=rw:@plain@=ro:@mid@=ro+wh:@base@=ro+wh")));
}

TEST(AufsCheck, WhatAufsMakesItselfIsNotOdd) {
  EXPECT_THAT(Check(std::string(kBase) + "layer up\n", kRwOverWh,
                    "unlink /f\nunlink /d/x\nrmdir /d\nmkdir /d 0755\nput /g 0644 g\n"),
              IsEmpty());
}

// ── Whiteouts ────────────────────────────────────────────────────────────────────────────────────

TEST(AufsWhiteoutAndEntry, InTheFirstBranchIsEio) {
  const auto findings =
      Check(std::string(kBase) + "layer up\nwhiteout /f\nput /f 0644 up\n", kRwOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /.wh.f whiteout-and-entry"));
  EXPECT_EQ(findings.at(0).severity, Severity::kError);
  EXPECT_THAT(Then(findings), HasSubstr("EIO"));
}

TEST(AufsWhiteoutAndEntry, FurtherDownTheWhiteoutWins) {
  const auto findings =
      Check(std::string(kBase) + "layer up\nwhiteout /f\nput /f 0644 up\nlayer w\n", kRoOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b1 /.wh.f whiteout-and-entry"));
  EXPECT_EQ(findings.at(0).severity, Severity::kWarning);
  EXPECT_THAT(Then(findings), HasSubstr("finds the whiteout first"));
}

TEST(AufsWhiteoutAndEntry, WithoutUdbaItIsNotNoticed) {
  const auto findings = Check(std::string(kBase) + "layer up\nwhiteout /f\nput /f 0644 up\n",
                              std::string(kRwOverWh) + ",udba=none");
  EXPECT_THAT(Then(findings), HasSubstr("udba=none"));
}

// AUFS lists an entry of the lowest branch that stands beside its whiteout.
TEST(AufsWhiteoutAndEntry, InTheLowestBranchIsNoFaultOfTheListing) {
  EXPECT_THAT(Lines(Check("layer base\nput /f 0644 f\nwhiteout /f\nlayer up\n", kRwOverWh)),
              ElementsAre("b1 /.wh.f whiteout-and-entry"));
}

TEST(AufsOddWhiteout, IsNoRegularFile) {
  const auto findings = Check(std::string(kBase) + "layer up\nsymlink x /.wh.f\n", kRwOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /.wh.f odd-whiteout"));
  EXPECT_THAT(findings.at(0).what, HasSubstr("a symlink"));
}

TEST(AufsDeadWhiteout, HidesNothing) {
  EXPECT_THAT(Lines(Check(std::string(kBase) + "layer up\nwhiteout /g\n", kRwOverWh)),
              ElementsAre("b0 /.wh.g dead-whiteout"));
}

TEST(AufsDeadWhiteout, OfANameThatIsWhitedOutBelow) {
  const auto findings =
      Check(std::string(kBase) + "layer up\nwhiteout /f\nlayer w\nwhiteout /f\n", kRoOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /.wh.f dead-whiteout"));
  EXPECT_THAT(findings.at(0).what, HasSubstr("b1 whites out already"));
}

TEST(AufsDeadWhiteout, IsNoneOverAPlainWhiteout) {
  const auto findings = Check(std::string(kBase) + "layer up\nwhiteout /f\nlayer w\nwhiteout /f\n",
                              "br:@w@=rw:@up@=ro:@base@=ro+wh");
  EXPECT_THAT(Lines(findings), ElementsAre("b1 /.wh.f unhonoured-mark"));
}

TEST(AufsWhiteoutInOpaque, IsNeedless) {
  EXPECT_THAT(
      Lines(Check(std::string(kBase) + "layer up\nmkdir /d 0755\nopaque /d\nwhiteout /d/x\n",
                  kRwOverWh)),
      ElementsAre("b0 /d/.wh.x whiteout-in-opaque"));
}

TEST(AufsWhiteoutInPureDirectory, HidesNothing) {
  EXPECT_THAT(
      Lines(Check(std::string(kBase) + "layer up\nmkdir /e 0755\nwhiteout /e/x\n", kRwOverWh)),
      ElementsAre("b0 /e/.wh.x whiteout-in-pure-directory"));
}

TEST(AufsUnhonouredMark, SaysFromWhereTheNameShows) {
  const auto findings =
      Check(std::string(kBase) + "layer up\nwhiteout /f\n", "br:@up@=ro:@base@=ro");
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /.wh.f unhonoured-mark"));
  EXPECT_THAT(Then(findings), HasSubstr("visible from b1"));
}

TEST(AufsUnhonouredMark, OfAnOpaqueDirectory) {
  EXPECT_THAT(Lines(Check(std::string(kBase) + "layer up\nmkdir /d 0755\nopaque /d\n",
                          "br:@up@=ro:@base@=ro")),
              ElementsAre("b0 /d/.wh..wh..opq unhonoured-mark"));
}

// ── Opaque marks ─────────────────────────────────────────────────────────────────────────────────

constexpr char kTwoMarks[] =
    "layer base\nmkdir /d 0755\nput /d/x 0644 x\nlayer up\nmkdir /d 0755\nopaque /d\n"
    "put /d/y 0644 y\nlayer w\nmkdir /d 0755\nopaque /d\n";

TEST(AufsTwoOpaqueMarks, TheTopmostHoldsByDefault) {
  const auto findings = Check(kTwoMarks, kRoOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /d two-opaque-marks"));
  EXPECT_THAT(findings.at(0).what, HasSubstr("and in b1"));
  EXPECT_THAT(Then(findings), HasSubstr("at the topmost mark"));
}

TEST(AufsTwoOpaqueMarks, OneOfThemOnAPlainBranchIsNone) {
  EXPECT_THAT(Lines(Check(kTwoMarks, "br:@w@=rw:@up@=ro:@base@=ro+wh")),
              ElementsAre("b1 /d/.wh..wh..opq unhonoured-mark"));
}

TEST(AufsOpaqueRoot, IsIgnored) {
  EXPECT_THAT(
      Lines(Check(std::string(kBase) + "layer up\nput /.wh..wh..opq 0444 \"\"\n", kRwOverWh)),
      ElementsAre("b0 /.wh..wh..opq opaque-root"));
}

// ── What AUFS keeps for itself ───────────────────────────────────────────────────────────────────

TEST(AufsPseudoLink, InUseIsNone) {
  const std::string linked = "layer base\nput /a 0644 a\nlink /a /b\nlayer up\n";
  EXPECT_THAT(Check(linked, kRwOverWh, "append /a x\n"), IsEmpty());
}

TEST(AufsPseudoLink, OfAFileWithoutANameKeepsItsBytes) {
  const auto findings = Check("layer base\nput /a 0644 a\nlink /a /b\nlayer up\n", kRwOverWh,
                              "append /a x\nunlink /a\nunlink /b\n");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kLeftPseudoLink);
  EXPECT_EQ(findings[0].severity, Severity::kNote);
  EXPECT_THAT(findings[0].kernel, HasSubstr("2 B are freed"));
}

TEST(AufsPseudoLink, IsLeftByAnUnmount) {
  const std::string linked = "layer base\nput /a 0644 a\nlink /a /b\nlayer up\n";
  const auto findings = Check(linked, kRwOverWh, "append /a x\numount M\n");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kLeftPseudoLink);
  EXPECT_THAT(findings[0].path, ::testing::StartsWith("/.wh..wh.plnk/"));
}

TEST(AufsTemporary, OfACrashIsLeft) {
  const auto findings =
      Check(std::string(kBase) + "layer up\nput /.wh..wh.f.0001 0600 abc\n", kRwOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("b0 /.wh..wh.f.0001 leftover-temporary"));
  EXPECT_THAT(Then(findings), HasSubstr("it takes 3 B"));
}

TEST(AufsTemporary, ThatWaitsToBeEmptiedIsNone) {
  const std::string layers =
      "layer base\nmkdir /d 0755\nput /d/a 0644 a\nlayer up\nmkdir /d 0755\nwhiteout /d/a\n";
  EXPECT_THAT(Check(layers, std::string(kRwOverWh) + ",dirwh=0", "rmdir /d\n"), IsEmpty());
}

TEST(AufsBaseEntry, OfABranchThatBecameReadOnlyIsLeft) {
  EXPECT_THAT(Lines(Check(std::string(kBase) + "layer up\nlayer w\n", "br:@w@=rw:@up@=rw:@base@=ro",
                          "remount M del:@up@\nremount M add:1:@up@=ro\n")),
              ElementsAre("b1 /.wh..wh.aufs left-base-entry", "b1 /.wh..wh.orph left-base-entry",
                          "b1 /.wh..wh.plnk left-base-entry"));
}

TEST(AufsMarksOfOverlay, AreOrdinaryFiles) {
  EXPECT_THAT(Lines(Check(std::string(kBase) + "layer up\nmknod /f 0600 c 0 0\nmkdir /d 0755\n"
                                               "setxattr /d trusted.overlay.opaque y\n",
                          kRwOverWh)),
              ElementsAre("b0 /d unconverted-whiteout", "b0 /f unconverted-whiteout"));
}

TEST(AufsListing, ATooLongNameIsListedOnly) {
  const std::string name(250, 'n');
  const auto findings = Check("layer base\nput /" + name + " 0644 n\nlayer up\n", kRwOverWh);
  EXPECT_THAT(Lines(findings), ElementsAre("M /" + name + " listed-only"));
  EXPECT_THAT(findings.at(0).what, HasSubstr("ENAMETOOLONG"));
  EXPECT_THAT(Then(findings), HasSubstr("AUFS lists the name, too"));
}

// ── Histories ────────────────────────────────────────────────────────────────────────────────────

class AufsHistories : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr char kLayers[] =
      "layer base\nmkdir /a 0755\nput /a/b 0644 \"1\"\nmkdir /a/c 0755\nput /a/c/d 0644 \"1\"\n"
      "mkdir /b 0755\nput /c 0644 \"1\"\nlink /c /d\nlayer app\nmkdir /a 0755\nput /a/e 0644 "
      "\"1\"\n"
      "whiteout /a/b\nmkdir /b 0755\nopaque /b\nput /b/a 0644 \"1\"\nlayer w1\nlayer w2\n";
};

// Of harm; a directory that moved may hold whiteouts that have nothing to hide at the new place.
std::vector<std::string> Harmful(const std::vector<StackFinding>& findings) {
  std::vector<std::string> harmful;
  for (const StackFinding& finding : findings) {
    if (finding.severity == Severity::kNote) continue;
    // A directory made again over one that is opaque below.
    if (finding.kind == FindingKind::kTwoOpaqueMarks) continue;
    harmful.push_back(finding.label + ' ' + finding.path + ' ' + finding.what);
  }
  return harmful;
}

TEST_P(AufsHistories, OfTwoWritableBranchesLeaveNoHarm) {
  EXPECT_THAT(Harmful(Check(kLayers, "br:@w1@=rw:@w2@=rw:@app@=ro+wh:@base@=ro+wh",
                            "rand ops=150\n", GetParam())),
              IsEmpty());
}

TEST_P(AufsHistories, OfOneWritableBranchLeaveNoHarm) {
  EXPECT_THAT(Harmful(Check(kLayers, "br:@w1@=rw:@app@=ro+wh:@base@=ro+wh,create=mfs",
                            "rand ops=150\n", GetParam())),
              IsEmpty());
}

// By branch object: which part it is of its directory, as the union merges them.
std::map<internal::Part, std::size_t> PartsOf(UnionFs& fs) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  std::map<internal::Part, std::size_t> parts;
  std::vector<NodeId> pending = {fs.root()};
  while (!pending.empty()) {
    const NodeId dir = pending.back();
    pending.pop_back();
    const auto nodes = fs.BranchNodes(dir);
    if (!nodes.ok()) continue;
    for (std::size_t i = 0; i < nodes->size(); ++i) {
      parts[{(*nodes)[i].first, (*nodes)[i].second}] = i;
    }
    const Result<HandleId> handle = fs.OpenToLook(op, dir);
    if (!handle.ok()) continue;
    std::vector<std::string> names;
    const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
      if (entry.type == FileType::kDirectory) names.emplace_back(entry.name);
      return true;
    });
    EXPECT_TRUE(end.ok());
    fs.Close(*handle);
    for (const std::string& name : names) {
      const Result<NodeId> child = fs.Lookup(op, {dir, name});
      if (child.ok()) pending.push_back(*child);
    }
  }
  return parts;
}

TEST_P(AufsHistories, OfRenamedDirectoriesLeaveNoHarm) {
  EXPECT_THAT(
      Harmful(Check(kLayers, "br:@w1@=rw:@app@=ro+wh:@base@=ro+wh,dirren",
                    "rand ops=150 mix=mkdir:5,put:5,unlink:5,rename:40,rmdir:5\n", GetParam())),
      IsEmpty());
}

// The search without a mount finds the directories that the union shows.
TEST_P(AufsHistories, SearchAgreesWithTheUnion) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(
      std::string("scenario 2\n") + kLayers +
          "driver aufs\nrawmount M br:@w1@=rw:@w2@=rw:@app@=ro+wh:@base@=ro,dirren\nmerged M\n"
          "rand ops=150\n",
      {.file = "t.scn", .seed = GetParam(), .limits = {}});
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  ScenarioRun run(*scenario, {});
  ASSERT_TRUE(run.RunToOperation(scenario->statements.size()).ok());
  DropUnusedNames(*run.mount()->fs);  // directories as a first lookup finds them
  CheckedStack stack;
  stack.branches = run.mount()->fs->branches();
  stack.aufs = AufsOptionsOf(*run.mount()->fs);
  const internal::StackReader reader(stack);
  const auto shown = internal::AufsSearch(reader).ShownParts();
  ASSERT_TRUE(shown.ok());
  EXPECT_EQ(*shown, PartsOf(*run.mount()->fs));
}

INSTANTIATE_TEST_SUITE_P(Seeds, AufsHistories,
                         ::testing::Range(std::uint64_t{0}, std::uint64_t{20}));

}  // namespace
}  // namespace lamina::sim
