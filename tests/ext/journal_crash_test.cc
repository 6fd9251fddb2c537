// Journal: after a crash at any point, replay brings exactly the first transactions, at least those
// whose Commit returned. Every subset of the writes that were not flushed is tried, up to a bound,
// and each of them torn between its two sectors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lamina/ext/journal.h"
#include "tests/ext/journal_fixture.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::size_t kMaxExhaustive = 8;  // unflushed writes of which all subsets are tried
constexpr std::uint32_t kSampledSubsets = 64;

using Contents = std::vector<int>;  // the fill of each home block

// What a history of commits did, step by step, on the device.
struct History {
  MemDisk::Image before;
  std::vector<DeviceStep> steps;
  std::vector<std::size_t> acknowledged;  // step count when transaction i had returned
  std::vector<Contents> after;            // contents after the first i transactions
};

Contents ContentsOf(MemDisk& disk) {
  Contents contents;
  for (std::uint32_t block = 0; block < kHomeBlocks; ++block) {
    contents.push_back(HomeFill(disk, block));
  }
  return contents;
}

// Commits of one to four blocks with revokes and checkpoints between.
History RandomHistory(JournalDisk& machine, SplitMix64& random, int transactions) {
  History history;
  EXPECT_TRUE(machine.Format().ok());
  history.before = machine.disk.Capture();
  history.after.push_back(ContentsOf(machine.disk));
  RecordingDevice device(machine.disk);
  const std::unique_ptr<Journal> journal = machine.OpenOn(device);
  for (int i = 1; i <= transactions; ++i) {
    Contents contents = history.after.back();
    std::map<std::uint32_t, int> fills;
    for (std::uint64_t n = 1 + random.Below(4); n > 0; --n) {
      fills[static_cast<std::uint32_t>(random.Below(6))] = i;
    }
    for (const auto& [block, fill] : fills) contents[block] = fill;
    EXPECT_TRUE(CommitFills(*journal, {fills.begin(), fills.end()}).ok());
    history.after.push_back(contents);
    history.acknowledged.push_back(device.steps.size());
    if (random.Below(5) == 0) {
      EXPECT_TRUE(journal->Checkpoint(machine.caller.Op()).ok());
    }
  }
  history.steps = device.steps;
  return history;
}

void Apply(JournalDisk& machine, const DeviceStep& step, std::size_t from_byte = 0,
           std::size_t bytes = kBlockBytes) {
  if (!step.first.has_value()) return;
  const Sector first{step.first->value + from_byte / kSectorBytes};
  const Bytes part = Bytes(step.bytes).subspan(from_byte, bytes);
  EXPECT_TRUE(machine.disk.Write(machine.caller.Op(), first, part).ok());
}

// The contents after replay of what is on the disk; empty when it could not be replayed.
Contents Recover(JournalDisk& machine) {
  const std::unique_ptr<Journal> journal = machine.Open();
  if (journal == nullptr) return {};
  if (!journal->Replay(machine.caller.Op()).ok()) return {};
  return ContentsOf(machine.disk);
}

// The states a crash right before step `end` can leave; `visit` sees each on the disk.
template <typename Visit>
void VisitCrashStates(JournalDisk& machine, const MemDisk::Image& before,
                      const std::vector<DeviceStep>& steps, std::size_t end, SplitMix64& random,
                      Visit visit) {
  std::size_t begin = end;
  while (begin > 0 && steps[begin - 1].first.has_value()) --begin;
  machine.disk.Restore(before);
  for (std::size_t i = 0; i < begin; ++i) Apply(machine, steps[i]);
  const MemDisk::Image durable = machine.disk.Capture();
  const std::size_t loose = end - begin;
  const bool all = loose <= kMaxExhaustive;
  const std::uint64_t count = all ? std::uint64_t{1} << loose : kSampledSubsets;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t kept = all ? i : random.Next();
    machine.disk.Restore(durable);
    for (std::size_t w = 0; w < loose; ++w) {
      if ((kept >> w & 1) != 0) Apply(machine, steps[begin + w]);
    }
    visit();
  }
  for (std::size_t torn = 0; torn < loose; ++torn) {
    for (const std::size_t half : {std::size_t{0}, kBlockBytes / 2ul}) {
      machine.disk.Restore(durable);
      for (std::size_t w = 0; w < loose; ++w) {
        if (w != torn) Apply(machine, steps[begin + w]);
      }
      Apply(machine, steps[begin + torn], half, kBlockBytes / 2);
      visit();
    }
  }
}

class JournalCrash : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(JournalCrash, ReplayBringsThePrefixThatWasAcknowledged) {
  SplitMix64 random(GetParam());
  JournalDisk machine(16);
  const History history = RandomHistory(machine, random, 8);
  std::uint64_t states = 0;
  for (std::size_t end = 0; end <= history.steps.size(); ++end) {
    const std::size_t acknowledged = static_cast<std::size_t>(
        std::upper_bound(history.acknowledged.begin(), history.acknowledged.end(), end) -
        history.acknowledged.begin());
    VisitCrashStates(machine, history.before, history.steps, end, random, [&] {
      ++states;
      const Contents found = Recover(machine);
      const bool is_prefix =
          found == history.after[acknowledged] ||
          (acknowledged + 1 < history.after.size() && found == history.after[acknowledged + 1]);
      ASSERT_TRUE(is_prefix) << "before step " << end << ", " << acknowledged << " acknowledged";
    });
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(states, 300u);
}

// Goal: replay that is itself cut off brings the same when it is repeated.
TEST_P(JournalCrash, ReplayMayBeCutOff) {
  SplitMix64 random(GetParam());
  JournalDisk machine(16);
  RandomHistory(machine, random, 5);
  const MemDisk::Image crashed = machine.disk.Capture();
  const Contents want = Recover(machine);
  machine.disk.Restore(crashed);
  RecordingDevice device(machine.disk);
  ASSERT_TRUE(machine.OpenOn(device)->Replay(machine.caller.Op()).ok());
  for (std::size_t end = 0; end <= device.steps.size(); ++end) {
    VisitCrashStates(machine, crashed, device.steps, end, random,
                     [&] { ASSERT_EQ(Recover(machine), want) << "before step " << end; });
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalCrash, ::testing::Range<std::uint64_t>(1, 17));

}  // namespace
}  // namespace lamina
