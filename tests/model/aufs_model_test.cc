// Random calls on a union of AUFS and on the model, with branches that come and go in between;
// after every step result, visible tree, numbers and the content of every branch must agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/state.h>

#include "lamina/fs/forwarding.h"
#include "tests/model/aufs_drawing.h"
#include "tests/model/aufs_subject.h"
#include "tests/model/drawing.h"
#include "tests/model/random_cases.h"

namespace lamina::sim {

std::ostream& operator<<(std::ostream& os, const DrawnUnion& drawn) { return os << drawn.Show(); }

namespace {

struct State {
  PosixModel model;
  Branches changes = Branches::kStay;
  std::shared_ptr<const std::vector<OperationKind>> swarm;
};

// What a sequence runs on.
struct Bench {
  std::unique_ptr<AufsSubject> subject;
  Tally* tally = nullptr;
};

class Step : public rc::state::Command<State, Bench> {
 public:
  explicit Step(const State& state)
      : step_(DrawStep(state.model, *state.swarm, state.changes, ChooseByRapidcheck)) {
    RC_PRE(IsSettled(state.model, step_));
  }

  void checkPreconditions(const State& state) const override {
    RC_PRE(IsSettled(state.model, step_));
  }

  void apply(State& state) const override { ApplyStep(state.model, step_); }

  void run(const State& before, Bench& bench) const override {
    State state = before;
    state.model.view().TakeDeviations();
    const ModelOutcome want = ApplyStep(state.model, step_);
    bench.tally->CountDeviations(state.model.view().TakeDeviations());
    const ModelOutcome got = bench.subject->ExecuteStep(step_);
    bench.tally->Count(step_.Word(), want);
    const std::string difference = bench.subject->CompareStep(state.model, step_, want, got);
    if (!difference.empty()) {
      RC_FAIL(step_.Show() + "\n" + difference + "\n\nthe whole scenario:\n" +
              bench.subject->scenario());
    }
  }

  void show(std::ostream& os) const override { os << step_.Show(); }

 private:
  AufsStep step_;
};

DrawnUnion DrawUnion() {
  DrawnUnion drawn;
  drawn.branches = DrawBranches(ChooseByRapidcheck);
  drawn.one_fs = ChooseByRapidcheck(2) != 1;
  drawn.changes = ChooseByRapidcheck(3) == 1 ? Branches::kChange : Branches::kStay;
  drawn.swarm = DrawSwarm(ChooseByRapidcheck);
  return drawn;
}

State StateOf(const DrawnUnion& drawn) {
  PosixModel model(std::make_unique<AufsView>(ContentsOf(drawn.branches)));
  model.SetHardLinks(HardLinks::kProtected);
  return State{model, drawn.changes,
               std::make_shared<const std::vector<OperationKind>>(drawn.swarm)};
}

// One case: draws branches and a sequence, and runs it.
void RunCase(const AufsFaults& faults, Tally& tally) {
  const DrawnUnion drawn = *rc::gen::exec(&DrawUnion).as("branches");
  Bench bench{std::make_unique<AufsSubject>(drawn, faults), &tally};
  // By value: the search for a smaller case calls it after this function has returned.
  rc::state::check([drawn] { return StateOf(drawn); }, bench,
                   rc::state::gen::execOneOfWithArgs<Step>());
}

TEST(AufsModel, AgreesWithTheModel) {
  Tally tally;
  const std::string failure = RunRandomCases([&] { RunCase({}, tally); });
  ASSERT_TRUE(failure.empty()) << failure;
  ExpectGoodMixture(tally);
  for (const Deviation& row : Deviations()) {
    // Rare calls after rare calls: tests of their own are in tests/union.
    const bool too_rare =
        row.rule == DeviationRule::kAufsForeignWhiteout || row.rule == DeviationRule::kAufsOldFifo;
    if (row.dialect != "aufs" || too_rare) continue;
    EXPECT_GE(tally.uses_of(row.rule), CallsWanted() / 100'000) << row.id;
  }
  const int few = CallsWanted() / 2000;
  for (const char* word : {"add branch", "delete branch", "modify branch"}) {
    EXPECT_GE(tally.successes_of(word), few) << word;
  }
  EXPECT_GE(tally.failures_of("delete branch"), few);
  EXPECT_GE(tally.successes_of("flush"), few);
  EXPECT_GE(tally.successes_of("forget names"), few);
}

// ── Negative controls: a planted fault must be found ──────────────────────────────────────────

// A branch that makes no whiteouts and says it did.
class BranchWithoutWhiteouts final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<void> Link(const OpContext& op, NodeId node, Place place) override {
    const bool whiteout = place.name.starts_with(".wh.") && !place.name.starts_with(".wh..wh.");
    return whiteout ? Result<void>() : ForwardingFileSystem::Link(op, node, place);
  }
};

// A union that confuses two errors of rename.
class ConfusedUnion final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override {
    const Result<void> renamed = ForwardingFileSystem::Rename(op, from, to, mode);
    if (!renamed.ok() && renamed.error() == Errno::kXDev) return Errno::kBusy;
    return renamed;
  }
};

template <typename Faulty>
std::unique_ptr<FileSystem> Plant(FileSystem& fs) {
  return std::make_unique<Faulty>(fs);
}

std::string FindFaultIn(const AufsFaults& faults) {
  Tally tally;
  return FindFault(400, [&] { RunCase(faults, tally); });
}

TEST(AufsModel, FindsAForgottenWhiteout) {
  EXPECT_THAT(FindFaultIn({.in_union = nullptr, .in_branches = &Plant<BranchWithoutWhiteouts>}),
              testing::HasSubstr(".wh."));
}

TEST(AufsModel, FindsAWrongErrno) {
  EXPECT_THAT(FindFaultIn({.in_union = &Plant<ConfusedUnion>, .in_branches = nullptr}),
              testing::HasSubstr("want EXDEV\ngot  EBUSY"));
}

}  // namespace
}  // namespace lamina::sim
