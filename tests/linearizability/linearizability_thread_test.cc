// Concurrent histories of file systems behind one lock, explained by the model; and that the
// checker finds what cannot be explained.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "lamina/fs/forwarding.h"
#include "sim/model/plain_view.h"
#include "tests/linearizability/checker.h"
#include "tests/linearizability/model_specification.h"
#include "tests/linearizability/program.h"
#include "tests/linearizability/scene.h"

namespace lamina::sim {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kHistories = 500;  // of each kind
#else
constexpr int kHistories = 2000;
#endif

// ── The checker by itself ──────────────────────────────────────────────────────────────────────

RecordedCall CallAt(std::uint64_t called, std::uint64_t returned, OperationKind kind,
                    const std::string& result) {
  RecordedCall call;
  call.called = called;
  call.returned = returned;
  call.operation.kind = kind;
  call.operation.path = "/a";
  call.operation.mode = 0644;
  call.result = result;
  return call;
}

bool IsLinearizable(const History& history) {
  return FindLinearization(history, ModelSpecification(PosixModel(std::make_unique<PlainView>())))
      .linearizable;
}

TEST(Checker, CallsThatFollowEachOtherKeepTheirOrder) {
  const RecordedCall create = CallAt(1, 2, OperationKind::kCreate, "OK");
  EXPECT_TRUE(IsLinearizable({{create, CallAt(3, 4, OperationKind::kStat, "there")}}));
  EXPECT_FALSE(IsLinearizable({{create, CallAt(3, 4, OperationKind::kStat, "ENOENT")}}));
}

TEST(Checker, CallsThatOverlapMayChangePlaces) {
  const RecordedCall create = CallAt(1, 4, OperationKind::kCreate, "OK");
  EXPECT_TRUE(IsLinearizable({{create, CallAt(2, 3, OperationKind::kStat, "there")}}));
  EXPECT_TRUE(IsLinearizable({{create, CallAt(2, 3, OperationKind::kStat, "ENOENT")}}));
}

TEST(Checker, WhatWasSeenOnceIsSeenByLaterCalls) {
  const RecordedCall create = CallAt(1, 8, OperationKind::kCreate, "OK");
  const RecordedCall seen = CallAt(2, 3, OperationKind::kStat, "there");
  EXPECT_FALSE(IsLinearizable({{create, seen, CallAt(4, 5, OperationKind::kStat, "ENOENT")}}));
  const RecordedCall unseen = CallAt(2, 3, OperationKind::kStat, "ENOENT");
  EXPECT_TRUE(IsLinearizable({{create, unseen, CallAt(4, 5, OperationKind::kStat, "there")}}));
}

TEST(Checker, OfTwoCallsForOneNameOneFails) {
  const RecordedCall first = CallAt(1, 4, OperationKind::kCreate, "OK");
  EXPECT_TRUE(IsLinearizable({{first, CallAt(2, 3, OperationKind::kCreate, "EEXIST")}}));
  EXPECT_FALSE(IsLinearizable({{first, CallAt(2, 3, OperationKind::kCreate, "OK")}}));
}

TEST(Checker, GivesTheOrderItFound) {
  const History history = {
      {CallAt(1, 4, OperationKind::kCreate, "OK"), CallAt(2, 3, OperationKind::kStat, "ENOENT")}};
  const Verdict verdict =
      FindLinearization(history, ModelSpecification(PosixModel(std::make_unique<PlainView>())));
  EXPECT_EQ(verdict.order, (std::vector<std::size_t>{1, 0}));
}

// ── File systems ───────────────────────────────────────────────────────────────────────────────

struct Case {
  const char* name;
  SceneKind kind;
};

class Linearizability : public testing::TestWithParam<Case> {};

TEST_P(Linearizability, EveryHistoryHasAnOrderThatTheModelAccepts) {
  Scene scene(GetParam().kind);
  SplitMix64 random(1);
  std::size_t calls = 0;
  int overlaps = 0;
  std::uint64_t steps = 0;
  for (int i = 0; i < kHistories; ++i) {
    const Program program = DrawProgram(random, 3);
    const std::unique_ptr<SharedTree> tree = scene.Make();
    const History history = RunProgram(program, tree->fs(), static_cast<std::uint64_t>(i));
    const Verdict verdict = FindLinearization(history, scene.specification());
    ASSERT_TRUE(verdict.linearizable) << "history " << i << "\n" << verdict.Show(history);
    calls += history.calls.size();
    overlaps += history.overlaps();
    steps += verdict.steps;
  }
  std::cout << kHistories << " histories, " << calls << " calls, " << overlaps
            << " of them began while another one was under way, " << steps
            << " steps of the model\n";
  EXPECT_GT(overlaps, kHistories);
}

INSTANTIATE_TEST_SUITE_P(FileSystems, Linearizability,
                         testing::Values(Case{"MemFs", SceneKind::kMemFs},
                                         Case{"MemFsSharedReads", SceneKind::kMemFsSharedReads},
                                         Case{"Overlay", SceneKind::kOverlay}),
                         [](const auto& some) { return std::string(some.param.name); });

// ── Negative control ───────────────────────────────────────────────────────────────────────────

// Renames a file by giving it the new name and taking the old one away: right for one thread; two
// calls for all others, each of them under the lock, both together not.
class LinkAndUnlink final : public ForwardingFileSystem {
 public:
  explicit LinkAndUnlink(FileSystem& target) : ForwardingFileSystem(target) {}

  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override {
    const Result<NodeId> source = target().Lookup(op, from);
    const Result<NodeId> victim = target().Lookup(op, to);
    const bool plain = mode == RenameMode::kReplace && source.ok() && !victim.ok();
    if (!plain) return target().Rename(op, from, to, mode);
    const Result<Stat> stat = target().GetAttr(op, *source);
    if (!stat.ok() || stat->type == FileType::kDirectory) {
      return target().Rename(op, from, to, mode);
    }
    if (Result<void> linked = target().Link(op, *source, to); !linked.ok()) return linked;
    std::this_thread::yield();
    return target().Remove(op, from, stat->type);
  }
};

// How many histories it takes to find one that has no order; most + 1: none was found.
int HistoriesUntilFound(SceneKind kind, std::size_t threads, int most, std::string& shown) {
  Scene scene(kind);
  SplitMix64 random(2);
  for (int i = 1; i <= most; ++i) {
    Program program = DrawProgram(random, 5);
    program.resize(std::min(program.size(), threads));
    const std::unique_ptr<SharedTree> tree = scene.Make();
    LinkAndUnlink broken(tree->fs());
    const History history = RunProgram(program, broken, static_cast<std::uint64_t>(i));
    const Verdict verdict = FindLinearization(history, scene.specification());
    if (verdict.linearizable) continue;
    shown = verdict.Show(history);
    return i;
  }
  return most + 1;
}

TEST_P(Linearizability, RenameThatIsTwoCallsIsFound) {
  std::string shown;
  const int found = HistoriesUntilFound(GetParam().kind, 4, kHistories, shown);
  EXPECT_LE(found, kHistories);
  std::cout << "found in history " << found << "\n" << shown;
}

// The control is right for who is alone: it is the threads that break it.
TEST_P(Linearizability, RenameThatIsTwoCallsIsRightForOneThread) {
  std::string shown;
  EXPECT_EQ(HistoriesUntilFound(GetParam().kind, 1, 200, shown), 201) << shown;
}

}  // namespace
}  // namespace lamina::sim
