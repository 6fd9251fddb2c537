// lamina diff: what a layer changes, and how layers differ.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lamina/sim/layer_diff.h"
#include "lamina/sim/scenario.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kStack[] = R"(scenario 2
layer base
  mkdir /etc 0755
  put   /etc/hosts 0644 "old"
  put   /etc/motd 0644 "hi"
  put   /same 0644 "same"
  mkdir /gone 0755
  put   /gone/x 0644 x
layer app
  mkdir /etc 0755
  put   /etc/hosts 0644 "new"
  whiteout /etc/motd
  put   /same 0644 "same"
  mkdir /srv 0755
  put   /srv/db 0644 db
stack app base upper
mount
)";

std::vector<std::string> Text(const absl::StatusOr<std::vector<LayerChange>>& changes) {
  EXPECT_TRUE(changes.ok()) << changes.status();
  std::vector<std::string> out;
  if (!changes.ok()) return out;
  for (const LayerChange& change : *changes) {
    out.push_back(std::string(ChangeLetter(change.kind)) + ' ' + change.path);
  }
  return out;
}

class OverlayDiff : public ::testing::Test {
 protected:
  void Run(const std::string& operations) {
    absl::StatusOr<Scenario> scenario =
        ParseScenario(kStack + operations, {.file = "t.scn", .seed = 0, .limits = {}});
    ASSERT_TRUE(scenario.ok()) << scenario.status();
    scenario_ = *std::move(scenario);
    run_ = std::make_unique<ScenarioRun>(scenario_, ScenarioRunOptions{});
    ASSERT_TRUE(run_->RunToOperation(scenario_.statements.size()).ok());
  }

  Scenario scenario_;
  std::unique_ptr<ScenarioRun> run_;
};

TEST_F(OverlayDiff, OfTheUpper) {
  Run("put /etc/new 0644 x\nunlink /srv/db\nappend /same x\n");
  EXPECT_THAT(Text(ChangesOfLayer(*run_, "upper")),
              ElementsAre("C /etc", "A /etc/new", "C /same", "C /srv", "D /srv/db"));
}

TEST_F(OverlayDiff, OfAnUntouchedUpperIsEmpty) {
  Run("stat /etc/hosts\n");
  EXPECT_THAT(Text(ChangesOfLayer(*run_, "upper")), IsEmpty());
}

TEST_F(OverlayDiff, OfALayerInTheMiddle) {
  Run("");
  EXPECT_THAT(
      Text(ChangesOfLayer(*run_, "app")),
      ElementsAre("C /etc", "C /etc/hosts", "D /etc/motd", "C /same", "A /srv", "A /srv/db"));
}

TEST_F(OverlayDiff, OfTheBottomLayerIsEverything) {
  Run("");
  EXPECT_THAT(
      Text(ChangesOfLayer(*run_, "base")),
      ElementsAre("A /etc", "A /etc/hosts", "A /etc/motd", "A /gone", "A /gone/x", "A /same"));
}

TEST_F(OverlayDiff, OfTwoTreesReadsContents) {
  Run("");
  EXPECT_THAT(
      Text(CompareLayers(*run_, "base", "app")),
      ElementsAre("C /etc", "C /etc/hosts", "C /etc/motd", "D /gone", "A /srv", "A /srv/db"));
}

TEST_F(OverlayDiff, OfALayerWithItselfIsEmpty) {
  Run("");
  EXPECT_THAT(Text(CompareLayers(*run_, "app", "app")), IsEmpty());
}

TEST_F(OverlayDiff, UnknownLayersAreErrors) {
  Run("");
  EXPECT_EQ(ChangesOfLayer(*run_, "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(CompareLayers(*run_, "base", "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OverlayDiff, WithoutAMountIsAnError) {
  Run("umount\n");
  EXPECT_EQ(ChangesOfLayer(*run_, "app").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace lamina::sim
