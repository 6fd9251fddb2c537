// Random sequences of calls on a file system and on the model; after every call result, visible
// tree, identities, layers and work directory must agree. Two suites in one file because rapidcheck
// is slow to compile.
//
//   LAMINA_MODEL_OPS=200000      how many calls, roughly (default 20000 a suite)
//   RC_PARAMS="seed=1"           the seed of the second half; a failure prints the one to use
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/state.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "lamina/fs/forwarding.h"
#include "sim/model/plain_view.h"
#include "tests/model/drawing.h"
#include "tests/model/subject.h"

namespace lamina::sim {

std::ostream& operator<<(std::ostream& os, const DrawnCase& drawn) { return os << drawn.Show(); }

namespace {

constexpr int kCallsByDefault = 20'000;
constexpr int kLongestSequence = 200;  // the average is a quarter of it
constexpr std::uint64_t kFixedSeed = 20261124;

int ChooseByRapidcheck(int count) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, count));
}

struct State {
  PosixModel model;
  std::shared_ptr<const std::vector<OperationKind>> swarm;
};

// What a sequence runs on.
struct Bench {
  std::unique_ptr<Subject> subject;
  Tally* tally = nullptr;
};

class Operation : public rc::state::Command<State, Bench> {
 public:
  explicit Operation(const State& state)
      : operation_(DrawOperation(state.model, *state.swarm, ChooseByRapidcheck)) {
    RC_PRE(IsSettled(state.model, operation_));
  }

  void checkPreconditions(const State& state) const override {
    RC_PRE(IsSettled(state.model, operation_));
  }

  void apply(State& state) const override { ApplyOperation(state.model, operation_); }

  void run(const State& before, Bench& bench) const override {
    State state = before;
    state.model.view().TakeDeviations();
    const ModelOutcome want = ApplyOperation(state.model, operation_);
    bench.tally->CountDeviations(state.model.view().TakeDeviations());
    const ModelOutcome got = bench.subject->Execute(operation_);
    bench.tally->Count(operation_, want);
    const std::string difference = bench.subject->Compare(state.model, operation_, want, got);
    if (!difference.empty()) {
      RC_FAIL(operation_.Show() + "\n" + difference + "\n\nthe whole scenario:\n" +
              bench.subject->scenario());
    }
  }

  void show(std::ostream& os) const override { os << operation_.Show(); }

 private:
  ModelOperation operation_;
};

DrawnCase DrawPlainCase() {
  DrawnCase drawn;
  drawn.upper = DrawLayer(ChooseByRapidcheck, Marks::kNone);
  drawn.swarm = DrawSwarm(ChooseByRapidcheck);
  return drawn;
}

DrawnCase DrawOverlayCase() {
  DrawnCase drawn;
  const int lowers = 1 + ChooseByRapidcheck(4);
  for (int i = 0; i < lowers; ++i) {
    drawn.lowers.push_back(DrawLayer(ChooseByRapidcheck, Marks::kOverlay));
  }
  if (ChooseByRapidcheck(2) == 1) drawn.upper = DrawLayer(ChooseByRapidcheck, Marks::kOverlay);
  drawn.one_fs = ChooseByRapidcheck(3) != 1;
  drawn.kernel_quirks = ChooseByRapidcheck(4) != 1;
  drawn.swarm = DrawSwarm(ChooseByRapidcheck);
  return drawn;
}

State StateOf(const DrawnCase& drawn) {
  std::unique_ptr<ModelView> view;
  if (drawn.lowers.empty()) {
    view = std::make_unique<PlainView>(BuildLayer(drawn.upper));
  } else {
    std::vector<ModelTree> lowers;
    for (const auto& layer : drawn.lowers) lowers.push_back(BuildLayer(layer));
    view =
        std::make_unique<OverlayView>(BuildLayer(drawn.upper), std::move(lowers),
                                      drawn.kernel_quirks ? KernelQuirks::kOn : KernelQuirks::kOff);
  }
  PosixModel model(std::move(view));
  model.SetHardLinks(HardLinks::kProtected);
  return State{model, std::make_shared<const std::vector<OperationKind>>(drawn.swarm)};
}

enum class Kind : std::uint8_t { kMemFs, kOverlay };

// One case: draws layers and a sequence, and runs it.
void RunCase(Kind kind, const Decorate& decorate, Tally& tally) {
  const DrawnCase drawn =
      *rc::gen::exec(kind == Kind::kMemFs ? &DrawPlainCase : &DrawOverlayCase).as("layers");
  Bench bench;
  bench.tally = &tally;
  if (kind == Kind::kMemFs) {
    bench.subject = std::make_unique<MemFsSubject>(drawn, decorate);
  } else {
    bench.subject = std::make_unique<OverlaySubject>(drawn, decorate);
  }
  // By value: the search for a smaller case calls it after this function has returned.
  rc::state::check([drawn] { return StateOf(drawn); }, bench,
                   rc::state::gen::execOneOfWithArgs<Operation>());
}

int CallsWanted() {
  const char* text = std::getenv("LAMINA_MODEL_OPS");
  return text == nullptr ? kCallsByDefault : std::atoi(text);
}

rc::detail::TestResult Check(Kind kind, const Decorate& decorate, Tally& tally,
                             const rc::detail::TestParams& params) {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  rc::detail::TestMetadata metadata;
  metadata.id = std::string(test->test_suite_name()) + "/" + test->name();
  metadata.description = test->name();
  return rc::detail::checkTestable([&] { RunCase(kind, decorate, tally); }, metadata, params);
}

// Runs half of the calls with a seed that never changes and half with a fresh one.
void ExpectAgreement(Kind kind, Tally& tally) {
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSize = kLongestSequence;
  params.maxSuccess = CallsWanted() / (kLongestSequence / 4) / 2;
  for (const std::uint64_t seed : {kFixedSeed, params.seed}) {
    params.seed = seed;
    std::cout << "seed " << seed << "\n";
    const rc::detail::TestResult result = Check(kind, nullptr, tally, params);
    if (result.is<rc::detail::SuccessResult>()) continue;
    std::ostringstream text;
    rc::detail::printResultMessage(result, text);
    FAIL() << text.str() << "\nreplay: RC_PARAMS=\"seed=" << seed << "\"";
  }
  std::cout << tally.Show();
}

// Every kind of call must have succeeded and, where it can fail, failed often enough.
void ExpectGoodMixture(const Tally& tally) {
  EXPECT_GE(tally.operations(), CallsWanted() * 9 / 10);
  EXPECT_GE(tally.failures() * 10, tally.operations() * 3);
  EXPECT_LE(tally.failures() * 10, tally.operations() * 6);
  const int few = CallsWanted() / 2000;
  for (int i = 0; i < kOperationKinds; ++i) {
    const auto kind = static_cast<OperationKind>(i);
    EXPECT_GE(tally.successes_of(kind), few) << OperationWord(kind);
    const bool cannot_fail = kind >= OperationKind::kAs;
    if (cannot_fail) continue;
    EXPECT_GE(tally.failures_of(kind), few) << OperationWord(kind);
  }
}

TEST(MemFsModel, AgreesWithTheModel) {
  Tally tally;
  ExpectAgreement(Kind::kMemFs, tally);
  if (HasFailure()) return;
  ExpectGoodMixture(tally);
}

TEST(OverlayModel, AgreesWithTheModel) {
  Tally tally;
  ExpectAgreement(Kind::kOverlay, tally);
  if (HasFailure()) return;
  ExpectGoodMixture(tally);
  for (const Deviation& row : Deviations()) {
    if (row.dialect != "overlay") continue;
    EXPECT_GE(tally.uses_of(row.rule), CallsWanted() / 10'000) << row.id;
  }
}

// ── Negative controls: a planted fault must be found ──────────────────────────────────────────

// Says that a name called "b" is gone, and leaves it there.
class ForgetfulFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<void> Remove(const OpContext& op, Place place, FileType expected) override {
    const Result<NodeId> victim = Lookup(op, place);
    if (place.name != "b" || !victim.ok()) {
      return ForwardingFileSystem::Remove(op, place, expected);
    }
    return {};
  }
};

// Confuses two errors of rename.
class ConfusedFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override {
    const Result<void> renamed = ForwardingFileSystem::Rename(op, from, to, mode);
    if (!renamed.ok() && renamed.error() == Errno::kNotEmpty) return Errno::kExist;
    return renamed;
  }
};

template <typename Faulty>
std::unique_ptr<FileSystem> Plant(FileSystem& fs) {
  return std::make_unique<Faulty>(fs);
}

// The message of the failure, "" when the fault was not found.
std::string FindFault(Kind kind, const Decorate& decorate) {
  rc::detail::TestParams params;
  params.seed = kFixedSeed;
  params.maxSize = kLongestSequence;
  params.maxSuccess = 400;  // a directory over a full one is rare on the overlay
  params.disableShrinking = true;
  Tally tally;
  const rc::detail::TestResult result = Check(kind, decorate, tally, params);
  if (!result.is<rc::detail::FailureResult>()) return "";
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  return text.str();
}

TEST(MemFsModel, FindsANameThatStays) {
  EXPECT_THAT(FindFault(Kind::kMemFs, &Plant<ForgetfulFs>), testing::HasSubstr("/b"));
}

TEST(MemFsModel, FindsAWrongErrno) {
  EXPECT_THAT(FindFault(Kind::kMemFs, &Plant<ConfusedFs>),
              testing::HasSubstr("want ENOTEMPTY\ngot  EEXIST"));
}

TEST(OverlayModel, FindsAForgottenWhiteout) {
  EXPECT_THAT(FindFault(Kind::kOverlay, &Plant<ForgetfulFs>), testing::HasSubstr("/b"));
}

TEST(OverlayModel, FindsAWrongErrno) {
  EXPECT_THAT(FindFault(Kind::kOverlay, &Plant<ConfusedFs>),
              testing::HasSubstr("want ENOTEMPTY\ngot  EEXIST"));
}

}  // namespace
}  // namespace lamina::sim
