// The explorer must find what is planted: a checker that cannot fail checks nothing.
#include "lamina/testing/matchers.h"
#include "tests/crash/explorer.h"

namespace lamina::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FaultCalls InUpper(Op op) { return Fault::On(op).AtBranch("upper"); }

std::vector<std::string> CrashFindings(const Scene& scene, std::string_view name,
                                       const std::vector<Fault>& planted) {
  const Operation operation = OperationCalled(scene, name);
  Explorer explorer(scene, operation, planted);
  explorer.Crashes();
  return explorer.exploration().findings;
}

std::vector<std::string> FaultFindings(const Scene& scene, std::string_view name,
                                       const std::vector<Fault>& planted) {
  const Operation operation = OperationCalled(scene, name);
  Explorer explorer(scene, operation, planted);
  explorer.Faults(Op::kAnyChange, FaultLength::kOnce);
  return explorer.exploration().findings;
}

// ── Crashes ────────────────────────────────────────────────────────────────────────────────────

TEST(CrashControl, ALostOpaqueMarkLetsTheLowerFilesThrough) {
  const Scene scene = MakeScene(Presence::kWhitedOut, TargetKind::kDirectory, {});
  EXPECT_THAT(CrashFindings(scene, "mkdir t", {InUpper(Op::kSetxattr).Path("work/#*").Drop()}),
              Contains(HasSubstr("at the end: /d/t/c: type 0, expected no entry")));
}

TEST(CrashControl, ALostRenameIsNotACallThatWasDone) {
  const Scene scene = MakeScene(Presence::kUpperOnly, TargetKind::kFile, {});
  EXPECT_THAT(CrashFindings(scene, "rename t -> u", {InUpper(Op::kRename).Drop()}),
              Contains(HasSubstr("at the end: /d/t: type 0, expected no entry")));
}

// The copy gets its name before its owner.
TEST(CrashControl, ALostChangeOfOwnerIsSeen) {
  const Scene scene = MakeScene(Presence::kLowerOnly, TargetKind::kFile, {});
  EXPECT_THAT(CrashFindings(scene, "chmod t", {InUpper(Op::kChown).Drop()}),
              Contains(HasSubstr("/d/t: owner 0:0, expected owner 1000:100")));
}

TEST(CrashControl, AWorkDirectoryThatCannotBeCleanedFailsTheNextMount) {
  const Scene scene = MakeScene(Presence::kBoth, TargetKind::kFile, {});
  EXPECT_THAT(CrashFindings(scene, "unlink t", {InUpper(Op::kUnlink).Path("work/#*").Drop()}),
              Contains(HasSubstr("the next mount fails")));
}

TEST(CrashControl, NothingIsFoundWhereNothingIsPlanted) {
  const Scene scene = MakeScene(Presence::kLowerOnly, TargetKind::kFile, {});
  EXPECT_THAT(CrashFindings(scene, "unlink t", {}), IsEmpty());
}

// ── Faults ─────────────────────────────────────────────────────────────────────────────────────

TEST(FaultControl, AnUndoThatIsLostLeavesLitter) {
  const Scene scene = MakeScene(Presence::kBoth, TargetKind::kFile, {});
  EXPECT_THAT(FaultFindings(scene, "unlink t", {InUpper(Op::kUnlink).Path("work/#*").Drop()}),
              Contains(HasSubstr("the work directory still holds \"/work/#0\"")));
}

TEST(FaultControl, ASecondAttemptThatDoesNothingIsFound) {
  const Scene scene = MakeScene(Presence::kUpperOnly, TargetKind::kFile, {});
  EXPECT_THAT(FaultFindings(scene, "unlink t", {InUpper(Op::kUnlink).Drop()}),
              Contains(HasSubstr("tried again: /d/t: type 0, expected no entry")));
}

// ── Lower layers ───────────────────────────────────────────────────────────────────────────────

TEST(LowerControl, EvenAnAttemptToChangeALowerIsSeen) {
  const Scene scene = MakeScene(Presence::kLowerOnly, TargetKind::kFile, {});
  Machine machine(scene.image.state(), scene.start);
  ASSERT_THAT(machine.Mount(), IsOk());
  EXPECT_TRUE(machine.LeftLowersAlone());
  const Credentials root = RootCredentials();
  const OpContext op{root, scene.start, Probe()};
  FileSystem& lower = machine.Branch(1);
  EXPECT_EQ(lower.SetAttr(op, lower.root(), {.mode = 0700}).error(), Errno::kRoFs);
  EXPECT_FALSE(machine.LeftLowersAlone());
}

// ── Trees ──────────────────────────────────────────────────────────────────────────────────────

class TreeControl : public ::testing::Test {
 protected:
  TreeControl() {
    before_["/"].type = before_["/d"].type = before_["/e"].type = FileType::kDirectory;
    before_["/d/t"].content = "old";
    after_ = before_;
    after_["/d/t"].content = "new";
  }
  std::vector<std::string> Judge(const PlainTree& seen) {
    return JudgeTree({operation_, before_, after_}, {before_, after_}, seen, counts_);
  }

  Operation operation_{.name = "pwrite t", .calls = {}, .paths = {"/d/t"}};
  PlainTree before_;
  PlainTree after_;
  RowCounts counts_;
};

TEST_F(TreeControl, BeforeAndAfterAreAllowed) {
  EXPECT_THAT(Judge(before_), IsEmpty());
  EXPECT_THAT(Judge(after_), IsEmpty());
  EXPECT_THAT(counts_, IsEmpty());
}

TEST_F(TreeControl, AThirdTreeIsNot) {
  PlainTree seen = after_;
  seen["/d/t"].content = "mixed";
  EXPECT_THAT(Judge(seen), ElementsAre("/d/t: 5 B \"mixed\", expected 3 B \"old\""));
}

TEST_F(TreeControl, AnEntryTooManyIsNot) {
  PlainTree seen = before_;
  seen["/d/#1"].content = "old";
  EXPECT_THAT(Judge(seen), ElementsAre("/d/#1: type 0, expected no entry"));
}

TEST_F(TreeControl, ADeviationCoversItsOwnDirectoryOnly) {
  PlainTree seen = before_;
  seen["/d"].mtime = kRecently;
  EXPECT_THAT(Judge(seen), IsEmpty());
  EXPECT_EQ(counts_["time of a parent"], 1u);
  seen["/e"].mtime = kRecently;
  EXPECT_THAT(Judge(seen), ElementsAre("/e: mtime recently, expected mtime 0"));
}

TEST_F(TreeControl, EveryFieldCounts) {
  const std::vector<void (*)(PlainEntry&)> changes = {
      [](PlainEntry& entry) { entry.mode = 1; },
      [](PlainEntry& entry) { entry.uid = 1; },
      [](PlainEntry& entry) { entry.gid = 1; },
      [](PlainEntry& entry) { entry.nlink = 1; },
      [](PlainEntry& entry) { entry.content = "x"; },
      [](PlainEntry& entry) { entry.atime.virtual_ns = 1; },
      [](PlainEntry& entry) { entry.mtime.virtual_ns = 1; },
      [](PlainEntry& entry) { entry.xattrs["user.k"] = "v"; },
      [](PlainEntry& entry) { entry.same_as = "/e"; },
      [](PlainEntry& entry) { entry.type = FileType::kFifo; },
      [](PlainEntry& entry) { entry.error = Errno::kIo; },
  };
  for (const auto& change : changes) {
    PlainTree seen = before_;
    change(seen["/d/t"]);
    EXPECT_EQ(Judge(seen).size(), 1u);
    EXPECT_NE(TreeText(seen), TreeText(before_));
  }
}

// ── Scenes ─────────────────────────────────────────────────────────────────────────────────────

TEST(Scenes, HoldTheInvariantsAndShowTheirTarget) {
  for (const Presence presence : kEveryPresence) {
    for (const Scene& scene : MakeScenes(presence, {})) {
      Machine machine(scene.image.state(), scene.start);
      ASSERT_THAT(machine.Mount(), IsOk()) << scene.name;
      EXPECT_THAT(machine.CheckInvariants(), IsOk()) << scene.name;
      const PlainTree merged = machine.Merged();
      EXPECT_EQ(merged.contains(scene.target), presence != Presence::kWhitedOut) << scene.name;
      EXPECT_FALSE(merged.contains(scene.beside)) << scene.name;
    }
  }
}

}  // namespace
}  // namespace lamina::testing
