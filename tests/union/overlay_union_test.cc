#include <algorithm>

#include "tests/union/allocation_count.h"
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(OverlayMounting, OneLowerWithoutUpperIsRefused) {
  OverlayStack stack(1);
  OverlayMount mount = stack.Request();
  mount.upper.reset();
  mount.work.reset();
  Result<std::unique_ptr<UnionFs>> mounted = stack.TryMount(mount);
  ASSERT_FALSE(mounted.ok());
  EXPECT_EQ(mounted.error(), Errno::kInval);
}

TEST(OverlayMounting, OptionsThatExcludeEachOtherAreRefused) {
  OverlayStack stack(1);
  OverlayMount mount = stack.Request();
  mount.options.metacopy = Toggle::kOn;
  mount.options.redirect_dir = RedirectDir::kNoFollow;
  Result<std::unique_ptr<UnionFs>> mounted = stack.TryMount(mount);
  ASSERT_FALSE(mounted.ok());
  EXPECT_EQ(mounted.error(), Errno::kInval);
}

TEST(OverlayMounting, FiveHundredLowersMountAndTheLowestIsSeen) {
  OverlayStack stack(500);
  PutFile(*stack.OnLower(499), "/f", "deep");
  stack.Mount();
  EXPECT_EQ(*stack.process().ReadFile("/f"), "deep");
}

TEST(OverlayMounting, AUnionOfUnionsMountsAndAThirdLevelDoesNot) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "below");
  stack.Mount();
  OverlayStack second(1);
  OverlayMount mount = second.Request();
  mount.lowers = {{&stack.fs(), stack.fs().root(), {}, "inner"}};
  Result<std::unique_ptr<UnionFs>> outer = second.TryMount(mount);
  ASSERT_TRUE(outer.ok());
  Process process(**outer, (*outer)->root(), {.clock = &second.clock()});
  EXPECT_EQ(*process.ReadFile("/f"), "below");
  OverlayStack third(1);
  mount = third.Request();
  mount.lowers = {{outer->get(), (*outer)->root(), {}, "outer"}};
  Result<std::unique_ptr<UnionFs>> refused = third.TryMount(mount);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Errno::kInval);
}

TEST(OverlayMounting, LeftoversInTheWorkDirectoryAreRemoved) {
  OverlayStack stack(1);
  std::unique_ptr<Process> home = stack.OnHome();
  ASSERT_TRUE(home->Mkdir("/work/work", 0755).ok());
  ASSERT_TRUE(home->Mkdir("/work/work/#7", 0755).ok());
  PutFile(*home, "/work/work/#7/half", "copied");
  stack.Mount();
  EXPECT_THAT(NamesIn(*home, "/work/work"), IsEmpty());
}

TEST(OverlayLookup, AMissAllocatesNothing) {
  OverlayStack stack(8);
  for (int i = 0; i < 8; ++i) PutFile(*stack.OnLower(i), "/there", "x");
  stack.Mount();
  const OpContext op = stack.Op();
  const Place place{stack.fs().root(), "a-name-that-is-longer-than-a-small-string"};
  ASSERT_FALSE(stack.fs().Lookup(op, place).ok());
  const std::uint64_t before = AllocationCount();
  for (int i = 0; i < 100; ++i) {
    const Result<NodeId> found = stack.fs().Lookup(op, place);
    ASSERT_FALSE(found.ok());
  }
  EXPECT_EQ(AllocationCount(), before);
}

TEST(OverlayLookup, AHitThatIsCachedAllocatesNothing) {
  OverlayStack stack(8);
  PutFile(*stack.OnLower(7), "/there", "x");
  stack.Mount();
  const OpContext op = stack.Op();
  const Place place{stack.fs().root(), "there"};
  ASSERT_TRUE(stack.fs().Lookup(op, place).ok());
  const std::uint64_t before = AllocationCount();
  ASSERT_TRUE(stack.fs().Lookup(op, place).ok());
  EXPECT_EQ(AllocationCount(), before);
}

// Every branch call of a copy-up fails once: the union is as before and a retry works.
class OverlayFailingCopyUp : public testing::TestWithParam<int> {};

TEST_P(OverlayFailingCopyUp, IsTakenBack) {
  OverlayStack stack(1);
  std::unique_ptr<Process> lower = stack.OnLower(0);
  PutFile(*lower, "/f", "data", 0640);
  ASSERT_TRUE(lower->Setxattr("/f", "user.k", "v", XattrMode::kSet, LastLink::kKeep).ok());
  stack.Mount();
  stack.failing().calls = 0;
  stack.failing().fail_at = GetParam();
  stack.failing().error = Errno::kNoSpc;
  const Result<void> failed = stack.process().Chmod("/f", 0600);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error(), Errno::kNoSpc);
  stack.failing().fail_at = 0;
  EXPECT_EQ(stack.process().GetStat("/f", LastLink::kKeep)->mode, 0640);
  EXPECT_EQ(*stack.process().ReadFile("/f"), "data");
  std::unique_ptr<Process> home = stack.OnHome();
  EXPECT_THAT(NamesIn(*home, "/upper"), IsEmpty());
  EXPECT_THAT(NamesIn(*home, "/work/work"), IsEmpty());
  EXPECT_TRUE(stack.process().Chmod("/f", 0600).ok());
  EXPECT_EQ(stack.process().GetStat("/f", LastLink::kKeep)->mode, 0600);
}

// impure mark, temporary, body, xattr, origin, mode and times, link: seven calls before the commit
// has happened.
INSTANTIATE_TEST_SUITE_P(Call, OverlayFailingCopyUp, testing::Range(1, 8),
                         testing::PrintToStringParamName());

TEST(OverlayFailure, AWhiteoutThatCannotBePlacedLeavesTheFile) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "below");
  stack.Mount();
  PutFile(stack.process(), "/f", "data");
  stack.failing().calls = 0;
  stack.failing().fail_at = 2;  // the rename over the copy
  const Result<void> failed = stack.process().Unlink("/f");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error(), Errno::kIo);
  EXPECT_EQ(*stack.process().ReadFile("/f"), "data");
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/work/work"), IsEmpty());
}

TEST(OverlayFailure, AWhiteoutWhereNothingStandsIsOneStep) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "data");
  stack.Mount();
  stack.failing().calls = 0;
  stack.failing().fail_at = 1;
  const Result<void> failed = stack.process().Unlink("/f");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error(), Errno::kIo);
  EXPECT_EQ(*stack.process().ReadFile("/f"), "data");
  stack.failing().calls = 0;
  stack.failing().fail_at = 2;
  EXPECT_TRUE(stack.process().Unlink("/f").ok());
  EXPECT_EQ(stack.failing().calls, 1);
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/work/work"), IsEmpty());
}

TEST(OverlayFailure, ParentsStayCopiedUpWhenTheFileFails) {
  OverlayStack stack(1);
  std::unique_ptr<Process> lower = stack.OnLower(0);
  ASSERT_TRUE(lower->Mkdir("/d", 0755).ok());
  PutFile(*lower, "/d/f", "data");
  stack.Mount();
  ASSERT_TRUE(stack.process().Chmod("/d", 0700).ok());
  stack.failing().calls = 0;
  stack.failing().fail_at = 2;
  ASSERT_FALSE(stack.process().Chmod("/d/f", 0600).ok());
  std::unique_ptr<Process> home = stack.OnHome();
  EXPECT_THAT(NamesIn(*home, "/upper"), ElementsAre("d"));
  EXPECT_THAT(NamesIn(*home, "/upper/d"), IsEmpty());
}

TEST(OverlayQuirks, ChangingAnUnlinkedLowerFileByHandleIsEexistOrEstale) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "data");
  stack.Mount();
  Result<Process::Fd> fd = stack.process().Open("/f", {}, 0);
  ASSERT_TRUE(stack.process().Unlink("/f").ok());
  EXPECT_EQ(stack.process().Fchmod(*fd, 0600).error(), Errno::kExist);
  ASSERT_TRUE(stack.process().Close(*fd).ok());

  OverlayStack plain(1);
  PutFile(*plain.OnLower(0), "/f", "data");
  OverlayMount mount = plain.Request();
  mount.options.kernel_quirks = false;
  Result<std::unique_ptr<UnionFs>> fs = plain.TryMount(mount);
  ASSERT_TRUE(fs.ok());
  Process process(**fs, (*fs)->root(), {.clock = &plain.clock()});
  fd = process.Open("/f", {}, 0);
  ASSERT_TRUE(process.Unlink("/f").ok());
  EXPECT_EQ(process.Fchmod(*fd, 0600).error(), Errno::kStale);
}

TEST(OverlayQuirks, WhiteoutsOfASingleLayerAreListedOnlyAsAQuirk) {
  OverlayStack stack(1);
  std::unique_ptr<Process> lower = stack.OnLower(0);
  ASSERT_TRUE(lower->Mkdir("/d", 0755).ok());
  ASSERT_TRUE(lower->Mknod("/d/w", FileType::kCharDevice, 0, 0).ok());
  OverlayMount mount = stack.Request();
  mount.options.kernel_quirks = false;
  Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(mount);
  ASSERT_TRUE(fs.ok());
  Process process(**fs, (*fs)->root(), {.clock = &stack.clock()});
  EXPECT_THAT(NamesIn(process, "/d"), IsEmpty());
  stack.Mount();
  EXPECT_THAT(NamesIn(stack.process(), "/d"), ElementsAre("w"));
}

TEST(OverlayExplain, FindingsTellWhereANameWasHidden) {
  OverlayStack stack(2);
  PutFile(*stack.OnLower(0), "/f", "top");
  PutFile(*stack.OnLower(1), "/f", "bottom");
  stack.Mount();
  ASSERT_TRUE(stack.process().Unlink("/f").ok());
  Result<NameFindings> findings = stack.fs().FindInBranches(stack.Op(), {stack.fs().root(), "f"});
  ASSERT_TRUE(findings.ok());
  ASSERT_EQ(findings->branches.size(), 3u);
  EXPECT_EQ(findings->branches[0].outcome, BranchFinding::Outcome::kWhiteout);
  EXPECT_EQ(findings->branches[1].outcome, BranchFinding::Outcome::kHidden);
  EXPECT_EQ(findings->branches[2].outcome, BranchFinding::Outcome::kHidden);
  EXPECT_EQ(findings->answer.error(), Errno::kNoEnt);
}

TEST(OverlayExplain, ThePlanOfACopyUpChangesNothingAndIsWhatHappens) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "data");
  stack.Mount();
  Result<NodeId> node = stack.fs().Lookup(stack.Op(), {stack.fs().root(), "f"});
  Result<std::vector<PlannedStep>> plan =
      stack.fs().PlanOfCopyUp(stack.Op(), *node, {.data = true});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->front().text, "set xattr trusted.overlay.impure");
  const auto commits = std::count_if(plan->begin(), plan->end(),
                                     [](const PlannedStep& step) { return step.commit; });
  EXPECT_EQ(commits, 2);
  EXPECT_EQ(*stack.fs().SourceBranch(*node), 1);
  ASSERT_TRUE(stack.process().Chmod("/f", 0600).ok());
  EXPECT_EQ(*stack.fs().SourceBranch(*node), 0);
  EXPECT_THAT(*stack.fs().PlanOfCopyUp(stack.Op(), *node, {.data = true}), IsEmpty());
}

// The body is shared, the event charges the whole copy.
class CopiedBytes final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind == EventKind::kBytesCopied) bytes += event.amount;
  }
  std::uint64_t bytes = 0;
};

TEST(OverlayCopyUp, ChargesTheDataButNotTheHoles) {
  OverlayStack stack(1);
  std::unique_ptr<Process> lower = stack.OnLower(0);
  PutFile(*lower, "/f", std::string(8192, 'x'));
  ASSERT_TRUE(lower->Truncate("/f", 1 << 30).ok());
  stack.Mount();
  CopiedBytes copied;
  stack.process().set_sink(&copied);
  ASSERT_TRUE(stack.process().Chmod("/f", 0600).ok());
  EXPECT_EQ(copied.bytes, 8192u);
}

TEST(OverlayCopyUp, AHandleOpenedBeforeFollowsEvenWhenTheNameIsGone) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "hello");
  stack.Mount();
  Result<Process::Fd> reader = stack.process().Open("/f", {}, 0);
  Result<Process::Fd> writer = stack.process().Open("/f", {.access = Access::kWrite}, 0);
  ASSERT_TRUE(stack.process().Pwrite(*writer, AsBytes("J"), 0).ok());
  ASSERT_TRUE(stack.process().Close(*writer).ok());
  ASSERT_TRUE(stack.process().Unlink("/f").ok());
  std::string text(5, '\0');
  ASSERT_TRUE(
      stack.process().Pread(*reader, std::as_writable_bytes(std::span<char>(text)), 0).ok());
  EXPECT_EQ(text, "Jello");
}

}  // namespace
}  // namespace lamina
