// Random sequences of calls on a file system and on the model; after every call result, visible
// tree, identities, layers and work directory must agree. Two suites in one file because rapidcheck
// is slow to compile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/state.h>

#include "lamina/fs/forwarding.h"
#include "sim/model/plain_view.h"
#include "tests/model/drawing.h"
#include "tests/model/random_cases.h"
#include "tests/model/subject.h"

namespace lamina::sim {

std::ostream& operator<<(std::ostream& os, const DrawnCase& drawn) { return os << drawn.Show(); }

namespace {

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
    bench.tally->Count(OperationWord(operation_.kind), want);
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

TEST(MemFsModel, AgreesWithTheModel) {
  Tally tally;
  const std::string failure = RunRandomCases([&] { RunCase(Kind::kMemFs, nullptr, tally); });
  ASSERT_TRUE(failure.empty()) << failure;
  ExpectGoodMixture(tally);
}

TEST(OverlayModel, AgreesWithTheModel) {
  Tally tally;
  const std::string failure = RunRandomCases([&] { RunCase(Kind::kOverlay, nullptr, tally); });
  ASSERT_TRUE(failure.empty()) << failure;
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

std::string FindFaultIn(Kind kind, const Decorate& decorate) {
  Tally tally;
  // A directory over a full one is rare on the overlay.
  return FindFault(400, [&] { RunCase(kind, decorate, tally); });
}

TEST(MemFsModel, FindsANameThatStays) {
  EXPECT_THAT(FindFaultIn(Kind::kMemFs, &Plant<ForgetfulFs>), testing::HasSubstr("/b"));
}

TEST(MemFsModel, FindsAWrongErrno) {
  EXPECT_THAT(FindFaultIn(Kind::kMemFs, &Plant<ConfusedFs>),
              testing::HasSubstr("want ENOTEMPTY\ngot  EEXIST"));
}

TEST(OverlayModel, FindsAForgottenWhiteout) {
  EXPECT_THAT(FindFaultIn(Kind::kOverlay, &Plant<ForgetfulFs>), testing::HasSubstr("/b"));
}

TEST(OverlayModel, FindsAWrongErrno) {
  EXPECT_THAT(FindFaultIn(Kind::kOverlay, &Plant<ConfusedFs>),
              testing::HasSubstr("want ENOTEMPTY\ngot  EEXIST"));
}

}  // namespace
}  // namespace lamina::sim
