// Version 1 of the language, on layers and on mounts. Expected texts are the kernel's (made with
// kernel_overlay.py), unless a test says otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// A failed mount, and then work on a layer: everything without a union.
constexpr char kOffline[] = R"(layer lower1
layer upper
rawmount merged lowerdir=/nowhere
layer lower1
)";

std::vector<std::string> OfflineResults(const std::string& operations) {
  const Ran ran = RunText(kOffline + operations);
  EXPECT_TRUE(ran.status.ok()) << ran.status;
  std::vector<std::string> results;
  for (const std::string& line : ran.lines) {
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('L') && equals != std::string::npos) {
      results.push_back(line.substr(equals + 3));
    }
  }
  return results;
}

TEST(OverlayScenarioRun, PrintsTheDumpOfAScenarioWithoutMount) {
  const Ran ran = RunText("layer upper\nmkdir /d 0700\nput /d/f 0644 abc\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.lines,
              ElementsAre("== upper (none)", "== merged (not mounted)", "== lowers unchanged"));
}

TEST(OverlayScenarioRun, RunsNothingWithoutATarget) {
  const Ran ran = RunText("layer a\nrawmount merged lowerdir=/nowhere\nstat /\nhstat h\n");
  EXPECT_THAT(ran.lines,
              ElementsAre("L2 rawmount merged lowerdir=/nowhere = ENOENT", "L3 stat / = NOTARGET",
                          "L4 hstat h = EBADF", "== upper (none)", "== merged (not mounted)",
                          "== lowers unchanged"));
}

TEST(OverlayScenarioRun, PrintsOperationsOnALayerAfterTheFirstMount) {
  EXPECT_THAT(OfflineResults("put /f 0644 abc\nread /f\nread /f 1 1\nappend /f d\nread /f\n"
                             "truncate /f 2\nread /f\nread /g\n"),
              ElementsAre("ENOENT", "OK 3", "\"abc\"", "\"b\"", "OK 1", "\"abcd\"", "OK", "\"ab\"",
                          "ENOENT"));
}

TEST(OverlayScenarioRun, WritesAtAnOffsetOnlyForwards) {
  EXPECT_THAT(OfflineResults("put /f 0644 abc\nwrite /f -1 x\nwrite /f -1 \"\"\nwrite /f 5 x\n"
                             "read /f\nread /f -1 2\ntruncate /f -1\n"),
              ElementsAre("ENOENT", "OK 3", "EINVAL", "OK 0", "OK 1", R"("abc\x00\x00x")", "EINVAL",
                          "EINVAL"));
}

TEST(OverlayScenarioRun, StampsLayersAtTheFirstMount) {
  const Ran ran = RunText(
      "layer a\nput /f 0644 x\nutimens /f 5 6.5\nmkdir /d 0755\nrawmount m lowerdir=/no\n"
      "layer a\nstat /f\nstat /d\nput /d/n 0600 y\nstat /d\n");
  EXPECT_THAT(ran.lines, Contains("L7 stat /f = f 0644 0:0 size=1 nlink=1 mtime=6.500000000 "
                                  "dev=d1 ino=i1"));
  EXPECT_THAT(ran.lines, Contains("L8 stat /d = d 0755 0:0 nlink=2 mtime=1000 dev=d1 ino=i2"));
  EXPECT_THAT(ran.lines, Contains("L10 stat /d = d 0755 0:0 nlink=2 mtime=now dev=d1 ino=i2"));
}

TEST(OverlayScenarioRun, KeepsHandlesWhenTheTargetChanges) {
  EXPECT_THAT(OfflineResults("put /f 0644 abc\nopen h /f rdwr\nlayer upper\nhread h 0 9\n"
                             "hwrite h 1 X\nhread h 0 9\nclose h\nhread h 0 9\n"),
              ElementsAre("ENOENT", "OK 3", "OK", "\"abc\"", "OK 1", "\"aXc\"", "OK", "EBADF"));
}

TEST(OverlayScenarioRun, TakesRawEntriesOneAtATime) {
  EXPECT_THAT(OfflineResults("put /a 0644 x\nopen h / rdonly,directory\nhreaddir h 3\nhreaddir h\n"
                             "hrewind h\nhreaddir h\n"),
              ElementsAre("ENOENT", "OK 1", "OK", "OK", "[a:f]", "OK", "[a:f]"));
}

TEST(OverlayScenarioRun, HasNoRoomForALongNameInARawEntry) {
  EXPECT_THAT(OfflineResults("put /twelvechars1 0644 x\nopen h / rdonly\nhreaddir h 3\nclose h\n"
                             "rename /twelvechars1 /thirteenchars\nopen h / rdonly\nhreaddir h 2\n"
                             "hreaddir h 1\nhreaddir h\n"),
              ElementsAre("ENOENT", "OK 1", "OK", "OK", "OK", "OK", "OK", "OK", "EINVAL",
                          "[thirteenchars:f]"));
}

TEST(OverlayScenarioRun, SlicesMappingsAsTheOracleDoes) {
  EXPECT_THAT(OfflineResults("put /f 0644 abcdef\nopen h /f rdwr\nmmap m h 0 shared rw\n"
                             "mread m 2 2\nmread m -2 9\nmread m 4 99\nmread m 9 2\n"
                             "mwrite m 1 XY\nhread h 0 9\nmunmap m\n"),
              ElementsAre("ENOENT", "OK 6", "OK", "OK", "\"cd\"", "\"ef\"", "\"ef\"", "\"\"", "OK",
                          "\"aXYdef\"", "OK"));
}

TEST(OverlayScenarioRun, ActsForTheCallerUntilTheDump) {
  EXPECT_THAT(OfflineResults("mkdir /d 0700\nput /f 0600 x\nas 1000 1000\nread /f\nstat /d/x\n"
                             "access /f r\nas 0 0\nread /f\n"),
              ElementsAre("ENOENT", "OK", "OK 1", "EACCES", "EACCES", "EACCES", "\"x\""));
}

TEST(OverlayScenarioRun, AppliesTheUmask) {
  EXPECT_THAT(OfflineResults("umask 077\nmkdir /d 0777\nstat /d\n"),
              ElementsAre("ENOENT", "OK", HasSubstr("d 0700 0:0")));
}

TEST(OverlayScenarioRun, RefusesRenameFlagsThatExcludeEachOther) {
  EXPECT_THAT(OfflineResults("put /a 0644 x\nput /b 0644 y\nrename /a /b noreplace,exchange\n"
                             "rename /a /b noreplace\nrename /a /b exchange\nread /a\n"
                             "rename /a /c noreplace,whiteout\nstat /a\n"),
              ElementsAre("ENOENT", "OK 1", "OK 1", "EINVAL", "EEXIST", "OK", "\"y\"", "OK",
                          HasSubstr("c 0000 0:0 nlink=1 rdev=0:0")));
}

TEST(OverlayScenarioRun, LinksAHandleWithinItsFileSystem) {
  EXPECT_THAT(OfflineResults("put /f 0644 x\nopen h /f\nhlink h /g\nlayer upper\nhlink h /g\n"
                             "hlink h /g\nhlink h /no/g\nlayer far fs=1\nhlink h /g\n"),
              ElementsAre("ENOENT", "OK 1", "OK", "OK", "OK", "EEXIST", "ENOENT", "EXDEV"));
}

TEST(OverlayScenarioRun, NotesAndDumpsInTheMiddle) {
  const Ran ran = RunText("layer a\nnote hello  \"w orld\"\ndump\n");
  EXPECT_THAT(ran.lines,
              ElementsAre("# hello w orld", "L3 dump", "== upper (none)", "== merged (not mounted)",
                          "== upper (none)", "== merged (not mounted)", "== lowers unchanged"));
}

struct MalformedCase {
  std::string name;
  std::string text;
  std::string message;
};

class OverlayScenarioMalformed : public testing::TestWithParam<MalformedCase> {};

TEST_P(OverlayScenarioMalformed, StopsTheRun) {
  const Ran ran = RunText(GetParam().text);
  ASSERT_FALSE(ran.status.ok());
  EXPECT_EQ(std::string(ran.status.message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    WhileRunning, OverlayScenarioMalformed,
    testing::Values(MalformedCase{"SetUpFails", "layer a\nput /d/f 0644 x",
                                  "t.scn:2:1: put /d/f 0644 x: set-up operation failed: ENOENT"},
                    MalformedCase{"MountWithoutStack", "layer a\nmount",
                                  "t.scn:2:1: mount: mount without "
                                  "stack"},
                    MalformedCase{"UnknownLayer", "layer a\nstack b\nmount",
                                  "t.scn:3:1: mount: unknown layer 'b'"},
                    MalformedCase{"UnknownUpper", "layer a\nstack a upper\nmount",
                                  "t.scn:3:1: mount: unknown layer 'upper'"},
                    MalformedCase{"UnknownRawLayer", "rawmount m lowerdir=@b@",
                                  "t.scn:1:1: rawmount m lowerdir=@b@: unknown layer 'b'"},
                    MalformedCase{"NotMounted", "merged x",
                                  "t.scn:1:1: merged x: 'x' is not mounted"},
                    MalformedCase{"OpenTwice", "layer a\nopen h /\nopen h /",
                                  "t.scn:3:1: open h /: handle 'h' is open"},
                    MalformedCase{"NoMapping", "layer a\nmread m 0 1",
                                  "t.scn:2:1: mread m 0 1: no mapping 'm'"},
                    MalformedCase{"MappingTooLong", "layer a\nput /f 0644 x\nopen h /f\nmmap m h 2",
                                  "t.scn:4:1: mmap m h 2: a mapping longer than the file"},
                    MalformedCase{"WorkdirWithoutUpper", "workdir",
                                  "t.scn:1:1: workdir: workdir without an upper"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(OverlayScenarioRun, NamesOptionStringsThatAreTooLong) {
  std::string text = "layer a\nrawmount m ";
  text += "lowerdir=/" + std::string(4086, 'x') + "\nrawmount m lowerdir=/" +
          std::string(4085, 'x') + "\n";
  const Ran ran = RunText(text);
  ASSERT_THAT(ran.lines, testing::SizeIs(testing::Ge(2u)));
  EXPECT_THAT(ran.lines[0], testing::EndsWith(" = DATA-TOO-LONG"));
  EXPECT_THAT(ran.lines[1], testing::Not(testing::EndsWith(" = DATA-TOO-LONG")));
}

TEST(OverlayScenarioRun, SaysEinvalOrEnoentForAPointWithoutMount) {
  const Ran ran = RunText("layer a\nrawmount m lowerdir=/no\numount m\numount n\n");
  EXPECT_THAT(ran.lines, Contains("L3 umount m = EINVAL"));
  EXPECT_THAT(ran.lines, Contains("L4 umount n = ENOENT"));
}

// ── With mounts ──────────────────────────────────────────────────────────────────────────────────

TEST(OverlayScenarioMounts, TellWhichLowersChanged) {
  const Ran ran = RunText(
      "layer l1\nput /f 0644 x\nlayer l2\nlayer upper\nstack l1 l2 upper\nmount\n"
      "layer l2\nput /g 0644 y\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  // A layer that is made the target after the mount counts as changed on purpose.
  EXPECT_EQ(ran.lines.back(), "== lowers unchanged");
}

TEST(OverlayScenarioMounts, AreBusyWhileAHandleIsOpen) {
  const Ran ran = RunText(
      "layer l\nput /f 0644 x\nlayer upper\nstack l upper\nmount\nopen h /f\numount\nclose h\n"
      "umount\n");
  EXPECT_THAT(ran.lines, Contains("L7 umount = EBUSY"));
  EXPECT_THAT(ran.lines, Contains("L9 umount = OK"));
}

TEST(OverlayScenarioMounts, HideEachOtherOnOnePoint) {
  const Ran ran = RunText(
      "layer l1\nput /one 0644 x\nlayer l2\nput /two 0644 x\nlayer u\nlayer upper\n"
      "stack l1 l2\nmount\nreaddir /\nstack l2 upper\nmount\nreaddir /\numount\nstat /one\n"
      "merged\nreaddir /\numount\numount\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.lines, Contains("L9 readdir / = [one:f two:f]"));
  EXPECT_THAT(ran.lines, Contains("L12 readdir / = [two:f]"));
  EXPECT_THAT(ran.lines, Contains("L14 stat /one = NOTARGET"));
  EXPECT_THAT(ran.lines, Contains("L16 readdir / = [one:f two:f]"));
  EXPECT_THAT(ran.lines, Contains("L17 umount = OK"));
  EXPECT_THAT(ran.lines, Contains("L18 umount = EINVAL"));
}

// The kernel lets go of a mount point whose file system another overlay has as a lower.
TEST(OverlayScenarioMounts, CanBeUnmountedBelowAnotherOverlay) {
  const Ran ran = RunText(
      "layer l1\nput /f 0644 x\nlayer l2\nlayer upper\nlayer upper2\nstack l1 upper\nmount one\n"
      "stack mnt:one l2 upper2\nmount two\numount one\nmerged two\nread /f\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  EXPECT_THAT(ran.lines, Contains("L10 umount one = OK"));
  EXPECT_THAT(ran.lines, Contains("L12 read /f = \"x\""));
}

TEST(OverlayScenarioMounts, KeepInodeClassesOverRemounts) {
  const Ran ran = RunText(
      "layer l\nput /f 0644 x\nlayer upper\nstack l upper\nmount\nstat /f\numount\nmount\n"
      "stat /f\n");
  ASSERT_TRUE(ran.status.ok()) << ran.status;
  const std::string text = "f 0644 0:0 size=1 nlink=1 mtime=1000 dev=d1 ino=i1";
  EXPECT_THAT(ran.lines, Contains("L6 stat /f = " + text));
  EXPECT_THAT(ran.lines, Contains("L9 stat /f = " + text));
}

// ── The run as an object ─────────────────────────────────────────────────────────────────────────

constexpr char kMounted[] = R"(layer l
put /f 0644 x
layer upper
stack l upper
mount
stat /f
unlink /f
dump
stat /f
)";

TEST(OverlayScenarioRun, StopsBeforeAGivenOperation) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(kMounted, {});
  ASSERT_TRUE(scenario.ok());
  ScenarioRun run(*scenario, {});
  ASSERT_TRUE(run.RunToOperation(0).ok());
  EXPECT_EQ(run.next().line, 6);
  ASSERT_TRUE(run.RunToOperation(2).ok());
  EXPECT_EQ(run.next().line, 9);
  EXPECT_EQ(run.counters().operations, 2u);
}

TEST(OverlayScenarioRun, ShowsTheWorldBetweenSteps) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(kMounted, {});
  ASSERT_TRUE(scenario.ok());
  ScenarioRun run(*scenario, {});
  ASSERT_TRUE(run.RunToOperation(1).ok());
  ASSERT_THAT(run.layers(), testing::SizeIs(2));
  EXPECT_EQ(run.layers()[0]->name, "l");
  ASSERT_NE(run.mount(), nullptr);
  EXPECT_EQ(run.mount()->point, "merged");
  EXPECT_THAT(run.mount()->lower_names, ElementsAre("l"));
  EXPECT_EQ(run.mount()->upper_name, "upper");
  ASSERT_NE(run.target(), nullptr);
  EXPECT_TRUE(run.target()->GetStat("/f", LastLink::kKeep).ok());
}

TEST(OverlayScenarioRun, ReportsWhatAStepDid) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(kMounted, {});
  ASSERT_TRUE(scenario.ok());
  ScenarioRun run(*scenario, {.columns = true});
  ASSERT_TRUE(run.RunToOperation(2).ok());
  const absl::StatusOr<StepReport> step = run.Step();
  ASSERT_TRUE(step.ok());
  EXPECT_TRUE(step->operation);
  EXPECT_EQ(step->error, Errno::kNoEnt);
  EXPECT_EQ(step->result, "ENOENT");
  EXPECT_EQ(step->provenance, "U⊘");
  EXPECT_TRUE(run.AtEnd());
}

}  // namespace
}  // namespace lamina::sim
