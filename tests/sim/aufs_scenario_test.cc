// AUFS in the scenario language: mounts, verbs, dumps, marks.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> Lines(std::string_view text) {
  const Ran ran = RunText(text);
  EXPECT_TRUE(ran.status.ok()) << ran.status;
  return ran.lines;
}

// The heads of a dump and the paths below them.
std::vector<std::string> Outline(const std::vector<std::string>& lines) {
  std::vector<std::string> outline;
  for (const std::string& line : lines) {
    if (line.starts_with("== ")) outline.push_back(line);
    if (line.starts_with("  /")) outline.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return outline;
}

TEST(AufsScenario, AStackIsRwOverRoWithWhiteouts) {
  EXPECT_THAT(Outline(Lines("scenario 2\n"
                            "driver aufs\n"
                            "layer base\n"
                            "put /f 0644 old\n"
                            "put /g 0644 old\n"
                            "layer app\n"
                            "whiteout /g\n"
                            "stack app base upper\n"
                            "mount\n"
                            "unlink /f\n")),
              ElementsAre("== branch upper", "/", "/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk",
                          "/.wh.f", "== merged", "/", "== lowers unchanged"));
}

TEST(AufsScenario, ARawMountNamesItsBranchesAndEveryWritableOneIsDumped) {
  const std::vector<std::string> lines = Lines(
      "scenario 2\n"
      "driver aufs\n"
      "layer l1\n"
      "mkdir /d 0755\n"
      "layer w1\n"
      "layer w2\n"
      "mkdir /d 0755\n"
      "rawmount M br:@w1@=rw:@w2@=rw:@l1@=ro+wh\n"
      "create /d/x 0644\n"
      "create /y 0644\n");
  EXPECT_THAT(
      Outline(lines),
      ElementsAre("== branch w1", "/", "/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk", "/y",
                  "== branch w2", "/", "/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk", "/d",
                  "/d/x", "== merged", "/", "/d", "/d/x", "/y", "== lowers unchanged"));
}

TEST(AufsScenario, VerbsComeAndGoOnALiveUnion) {
  EXPECT_THAT(Lines("scenario 2\n"
                    "driver aufs\n"
                    "layer l1\n"
                    "put /f 0644 one\n"
                    "layer l2\n"
                    "put /f 0644 two\n"
                    "put /g 0644 two\n"
                    "layer w\n"
                    "rawmount M br:@w@=rw:@l1@=ro\n"
                    "read /g\n"
                    "remount M add:1:@l2@=ro\n"
                    "read /f\n"
                    "remount M del:@l1@,del:@l2@\n"
                    "read /f\n"
                    "remount M del:@w@\n"
                    "remount M add:9:@l1@=ro\n"
                    "remount M bogus\n"),
              IsSupersetOf({"L10 read /g = ENOENT", "L11 remount M add:1:@l2@=ro = OK",
                            "L12 read /f = \"two\"", "L13 remount M del:@l1@,del:@l2@ = OK",
                            "L14 read /f = ENOENT", "L15 remount M del:@w@ = EBUSY",
                            "L16 remount M add:9:@l1@=ro = EDOM", "L17 remount M bogus = EINVAL"}));
}

TEST(AufsScenario, ADirectoryWithManyWhiteoutsIsEmptiedWhenTimePasses) {
  const std::string scenario =
      "scenario 2\n"
      "driver aufs\n"
      "options dirwh=1\n"
      "layer base\n"
      "stack base upper\n"
      "mount\n";
  EXPECT_THAT(Outline(Lines(scenario + "mkdir /e 0755\nrmdir /e\n")),
              Contains(StartsWith("/.wh..wh.e.")));
  EXPECT_THAT(Outline(Lines(scenario + "mkdir /e 0755\nrmdir /e\nsleep 1\n")),
              Not(Contains(StartsWith("/.wh..wh.e."))));
}

TEST(AufsScenario, AnOverlayHasNoVerbs) {
  EXPECT_THAT(Lines("scenario 2\n"
                    "layer base\n"
                    "stack base upper\n"
                    "mount\n"
                    "remount merged add:1:@base@=ro\n"),
              Contains("L5 remount merged add:1:@base@=ro = EINVAL"));
}

TEST(AufsScenario, MarksHaveTheFormOfTheNextMount) {
  EXPECT_THAT(Outline(Lines("scenario 2\n"
                            "layer base\n"
                            "put /f 0644 old\n"
                            "mkdir /d 0755\n"
                            "layer upper\n"
                            "whiteout /f\n"
                            "mkdir /d 0755\n"
                            "opaque /d\n"
                            "stack base upper\n"
                            "driver aufs\n"
                            "mount\n")),
              IsSupersetOf({"/.wh.f", "/d/.wh..wh..opq"}));
}

TEST(AufsScenario, AnUpperOfOverlayAndOneOfAufsInOneScenario) {
  EXPECT_THAT(Outline(Lines("scenario 2\n"
                            "layer base\n"
                            "put /f 0644 old\n"
                            "layer upper1\n"
                            "layer upper2\n"
                            "stack base upper1\n"
                            "mount O\n"
                            "unlink /f\n"
                            "dump\n"
                            "driver aufs\n"
                            "stack base upper2\n"
                            "mount A\n"
                            "unlink /f\n")),
              ElementsAre("== upper", "/", "/f", "== merged", "/", "== branch upper2", "/",
                          "/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk", "/.wh.f", "== merged",
                          "/", "== lowers unchanged"));
}

}  // namespace
}  // namespace lamina::sim
