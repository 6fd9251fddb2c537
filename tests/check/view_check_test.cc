// What a mounted tree shows against itself. The faults are made by a file system that lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "lamina/fs/forwarding.h"
#include "sim/check/view_check.h"
#include "tests/check/layer_stack.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tells something else about the name `f`.
class LyingFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;

  Result<NodeId> Lookup(const OpContext& op, Place place) override {
    if (place.name == "f" && lookup_error) return *lookup_error;
    return ForwardingFileSystem::Lookup(op, place);
  }

  Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                            absl::FunctionRef<bool(const DirEntry&)> visit) override {
    return ForwardingFileSystem::ReadDir(op, dir, from, [&](const DirEntry& entry) {
      if (entry.name != "f") return visit(entry);
      DirEntry told = entry;
      told.type = listed_type.value_or(entry.type);
      for (int i = 0; i < listed_times; ++i) {
        if (!visit(told)) return false;
      }
      return true;
    });
  }

  std::optional<Errno> lookup_error;
  std::optional<FileType> listed_type;
  int listed_times = 1;
};

class View : public ::testing::Test {
 protected:
  // Runs `text`, which mounts something, and checks the mount.
  std::vector<StackFinding> Check(const std::string& text,
                                  const std::vector<StackFinding>& known = {}) {
    scenario_ = *ParseScenario("scenario 2\n" + text, {.file = "t.scn", .seed = 0, .limits = {}});
    run_ = std::make_unique<ScenarioRun>(scenario_, ScenarioRunOptions{});
    EXPECT_TRUE(run_->RunToOperation(scenario_.statements.size()).ok());
    if (run_->mount() == nullptr) return {};
    UnionFs& fs = *run_->mount()->fs;
    LyingFs view(fs);
    view.lookup_error = lie_lookup_;
    view.listed_type = lie_type_;
    view.listed_times = lie_times_;
    const OpContext op{root_, kSimulationStart, Probe()};
    Result<std::vector<StackFinding>> findings = internal::CheckView(op, view, fs, options_, known);
    EXPECT_TRUE(findings.ok());
    return findings.ok() ? *std::move(findings) : std::vector<StackFinding>();
  }

  std::optional<Errno> lie_lookup_;
  std::optional<FileType> lie_type_;
  int lie_times_ = 1;
  OverlayOptions options_;

 private:
  Credentials root_ = RootCredentials();
  Scenario scenario_;
  std::unique_ptr<ScenarioRun> run_;
};

constexpr char kMounted[] =
    "layer base\nmkdir /d 0755\nput /d/f 0644 \"1\"\nput /d/g 0644 \"1\"\nstack base upper\nmount\n"
    "unlink /d/g\nmkdir /d/e 0755\n";

TEST_F(View, OfAnHonestUnionIsFine) { EXPECT_THAT(Check(kMounted), IsEmpty()); }

TEST_F(View, NotFound) {
  lie_lookup_ = Errno::kNoEnt;
  const std::vector<StackFinding> findings = Check(kMounted);
  EXPECT_THAT(Lines(findings), ElementsAre("M /d/f not-found"));
  EXPECT_TRUE(IsFaultOfLamina(findings.at(0).kind));
  EXPECT_THAT(findings.at(0).kernel, HasSubstr("a fault of lamina"));
}

TEST_F(View, NotListed) {
  lie_times_ = 0;
  EXPECT_THAT(Lines(Check(kMounted)), ElementsAre("M /d/f not-listed"));
}

TEST_F(View, ListedTwice) {
  lie_times_ = 2;
  EXPECT_THAT(Lines(Check(kMounted)), ElementsAre("M /d/f listed-twice"));
}

TEST_F(View, ListedWithAnotherType) {
  lie_type_ = FileType::kFifo;
  EXPECT_THAT(Lines(Check(kMounted)), ElementsAre("M /d/f listed-type"));
}

TEST_F(View, ListedOnly) {
  lie_lookup_ = Errno::kIo;
  const std::vector<StackFinding> findings = Check(kMounted);
  EXPECT_THAT(Lines(findings), ElementsAre("M /d/f listed-only"));
  EXPECT_FALSE(IsFaultOfLamina(findings.at(0).kind));
  EXPECT_EQ(findings.at(0).what, "listed, but a lookup gives EIO");
}

constexpr char kBadRedirect[] =
    "layer base\nlayer app\nmkdir /d 0755\nsetxattr /d trusted.overlay.redirect \"a/b\"\n"
    "stack app base\nmount\n";

TEST_F(View, ListedOnlyOfABadMark) {
  EXPECT_THAT(Lines(Check(kBadRedirect)), ElementsAre("M /d listed-only"));
}

// One cause is one finding.
TEST_F(View, WhatALayerFindingExplainsIsNotSaidAgain) {
  const Scenario scenario = *ParseScenario(std::string("scenario 2\n") + kBadRedirect,
                                           {.file = "t.scn", .seed = 0, .limits = {}});
  const absl::StatusOr<std::vector<StackFinding>> findings = CheckScenario(scenario);
  ASSERT_TRUE(findings.ok()) << findings.status();
  EXPECT_THAT(Lines(*findings), ElementsAre("L2 /d malformed-redirect"));
}

constexpr char kListedWhiteout[] =
    "layer base\nmkdir /d 0755\nwhiteout /d/w\nlayer app\nstack app base\nmount\n";

TEST_F(View, AWhiteoutThatIsListedIsTheKernelsQuirk) {
  EXPECT_THAT(Check(kListedWhiteout), IsEmpty());
}

TEST_F(View, AWhiteoutThatIsListedIsAFaultWithoutTheQuirks) {
  options_.kernel_quirks = false;
  EXPECT_THAT(Lines(Check(kListedWhiteout)), ElementsAre("M /d/w not-found"));
}

constexpr char kMarked[] =
    "layer base\nmkdir /d 0755\nsetxattr /d user.overlay.k \"v\"\nlayer app\nstack app "
    "base\nmount\n";

TEST_F(View, AKeyOfTheOtherPrefixIsAnOrdinaryOne) { EXPECT_THAT(Check(kMarked), IsEmpty()); }

TEST_F(View, ShownMark) {
  options_.userxattr = true;  // but it is mounted without
  const std::vector<StackFinding> findings = Check(kMarked);
  EXPECT_THAT(Lines(findings), ElementsAre("M /d shown-mark"));
  EXPECT_THAT(findings.at(0).what, HasSubstr("user.overlay.k"));
}

TEST_F(View, AKeyThatIsStoredWithAnEscapeMayBeShown) {
  EXPECT_THAT(Check("layer base\nput /f 0644 \"1\"\nstack base upper\nmount\n"
                    "setxattr /f trusted.overlay.k \"v\"\n"),
              IsEmpty());
}

}  // namespace
}  // namespace lamina::sim
