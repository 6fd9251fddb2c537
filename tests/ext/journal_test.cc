// Journal: what is on the device after each step, replay, revoke, wrap-around, and refusals.
#include "lamina/ext/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tests/ext/journal_fixture.h"

namespace lamina {
namespace {

void PutBig(std::vector<std::byte>& into, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) into[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

std::uint32_t GetBig(const std::vector<std::byte>& from, std::size_t at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(from[at + i]);
  return value;
}

// One journal block as it lies on the device.
std::vector<std::byte> JournalBlock(JournalDisk& machine, std::uint32_t number) {
  std::vector<std::byte> block(kBlockBytes);
  const Sector place{std::uint64_t{machine.layout.blocks[number]} * 2};
  EXPECT_TRUE(machine.disk.Read(machine.caller.Op(), place, block).ok());
  return block;
}

void WriteJournalBlock(JournalDisk& machine, std::uint32_t number,
                       const std::vector<std::byte>& block) {
  const Sector place{std::uint64_t{machine.layout.blocks[number]} * 2};
  EXPECT_TRUE(machine.disk.Write(machine.caller.Op(), place, block).ok());
}

Errno OpenError(JournalDisk& machine) {
  Result<std::unique_ptr<Journal>> opened =
      Journal::Open(machine.caller.Op(), machine.disk, machine.layout);
  return opened.ok() ? Errno{} : opened.error();
}

TEST(Journal, AFreshOneIsEmpty) {
  JournalDisk machine(16);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  ASSERT_NE(journal, nullptr);
  EXPECT_FALSE(journal->needs_replay());
  EXPECT_EQ(journal->capacity_blocks(), 15u);
  EXPECT_EQ(journal->next_sequence(), 1u);
}

TEST(Journal, FormatZeroesWhatLayThere) {
  JournalDisk machine(16);
  for (std::uint32_t i = 0; i < 16; ++i) WriteJournalBlock(machine, i, BlockOf(7));
  ASSERT_TRUE(machine.Format().ok());
  EXPECT_EQ(JournalBlock(machine, 1), BlockOf(0));
  EXPECT_EQ(JournalBlock(machine, 15), BlockOf(0));
}

TEST(Journal, ACommittedBlockIsPendingUntilTheCheckpoint) {
  JournalDisk machine(16);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  ASSERT_TRUE(CommitFills(*journal, {{3, 9}}).ok());
  EXPECT_EQ(HomeFill(machine.disk, 3), 0);
  EXPECT_EQ(std::vector<std::byte>(journal->Pending(3).begin(), journal->Pending(3).end()),
            BlockOf(9));
  ASSERT_TRUE(journal->Checkpoint(machine.caller.Op()).ok());
  EXPECT_EQ(HomeFill(machine.disk, 3), 9);
  EXPECT_TRUE(journal->Pending(3).empty());
  EXPECT_FALSE(machine.Open()->needs_replay());
}

// Goal: the bytes of the kernel's documentation: descriptor, copy, commit record.
TEST(Journal, ATransactionHasTheKernelsForm) {
  JournalDisk machine(16);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  ASSERT_TRUE(CommitFills(*journal, {{3, 9}, {5, 4}}, {7}).ok());

  const std::vector<std::byte> revoke = JournalBlock(machine, 1);
  EXPECT_EQ(GetBig(revoke, 0), 0xc03b3998u);
  EXPECT_EQ(GetBig(revoke, 4), 5u);
  EXPECT_EQ(GetBig(revoke, 8), 1u);
  EXPECT_EQ(GetBig(revoke, 12), 20u);
  EXPECT_EQ(GetBig(revoke, 16), 7u);
  const std::vector<std::byte> descriptor = JournalBlock(machine, 2);
  EXPECT_EQ(GetBig(descriptor, 4), 1u);
  EXPECT_EQ(GetBig(descriptor, 12), 3u);
  EXPECT_EQ(GetBig(descriptor, 16), 0u);           // a UUID follows
  EXPECT_EQ(GetBig(descriptor, 20), 0x55000000u);  // the journal's
  EXPECT_EQ(GetBig(descriptor, 36), 5u);
  EXPECT_EQ(GetBig(descriptor, 40), 2u + 8u);  // same UUID, last
  EXPECT_EQ(JournalBlock(machine, 3), BlockOf(9));
  EXPECT_EQ(JournalBlock(machine, 4), BlockOf(4));
  const std::vector<std::byte> commit = JournalBlock(machine, 5);
  EXPECT_EQ(GetBig(commit, 4), 2u);
  EXPECT_EQ(GetBig(commit, 8), 1u);
  EXPECT_EQ(GetBig(commit, 52), 1'700'000'000u);
}

TEST(Journal, ReplayBringsWhatWasCommittedAndCanBeRepeated) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{3, 9}, {4, 8}}).ok());
  const std::unique_ptr<Journal> again = machine.Open();
  ASSERT_TRUE(again->needs_replay());
  const Result<Journal::Replayed> replayed = again->Replay(machine.caller.Op());
  ASSERT_TRUE(replayed.ok());
  EXPECT_EQ(replayed->transactions, 1u);
  EXPECT_EQ(replayed->blocks_written, 2u);
  EXPECT_EQ(HomeFill(machine.disk, 3), 9);
  EXPECT_EQ(HomeFill(machine.disk, 4), 8);
  EXPECT_FALSE(machine.Open()->needs_replay());
  EXPECT_EQ(again->Replay(machine.caller.Op())->transactions, 0u);
  EXPECT_GT(again->next_sequence(), 2u);
}

TEST(Journal, CommitWaitsForReplay) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{3, 9}}).ok());
  const std::unique_ptr<Journal> again = machine.Open();
  EXPECT_EQ(CommitFills(*again, {{3, 1}}).error(), Errno::kBusy);
  EXPECT_EQ(again->Checkpoint(machine.caller.Op()).error(), Errno::kBusy);
}

TEST(Journal, ATransactionWithoutItsCommitRecordIsNotReplayed) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  {
    const std::unique_ptr<Journal> journal = machine.Open();
    ASSERT_TRUE(CommitFills(*journal, {{3, 9}}).ok());  // journal blocks 1, 2, 3
    ASSERT_TRUE(CommitFills(*journal, {{3, 8}}).ok());  // 4, 5, 6
  }
  WriteJournalBlock(machine, 6, BlockOf(0));
  ASSERT_EQ(machine.Open()->Replay(machine.caller.Op())->transactions, 1u);
  EXPECT_EQ(HomeFill(machine.disk, 3), 9);
}

TEST(Journal, ACopyThatLooksLikeAHeaderIsEscaped) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  std::vector<std::byte> content = BlockOf(6);
  PutBig(content, 0, 0xc03b3998u);
  const std::vector<Journal::Block> blocks = {{2, content}};
  ASSERT_TRUE(machine.Open()->Commit(machine.caller.Op(), blocks, {}).ok());
  EXPECT_EQ(GetBig(JournalBlock(machine, 2), 0), 0u);
  ASSERT_TRUE(machine.Open()->Replay(machine.caller.Op()).ok());
  std::vector<std::byte> home(kBlockBytes);
  ASSERT_TRUE(machine.disk.Read(machine.caller.Op(), Sector{4}, home).ok());
  EXPECT_EQ(home, content);
}

TEST(Journal, ARevokedBlockIsNotReplayedFromOlderTransactions) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  {
    const std::unique_ptr<Journal> journal = machine.Open();
    ASSERT_TRUE(CommitFills(*journal, {{3, 9}, {4, 9}}).ok());
    ASSERT_TRUE(CommitFills(*journal, {{5, 1}}, {3}).ok());
    EXPECT_TRUE(journal->Pending(3).empty());
  }
  const Result<Journal::Replayed> replayed = machine.Open()->Replay(machine.caller.Op());
  EXPECT_EQ(replayed->blocks_revoked, 1u);
  EXPECT_EQ(HomeFill(machine.disk, 3), 0);
  EXPECT_EQ(HomeFill(machine.disk, 4), 9);
}

TEST(Journal, ABlockUsedAgainAfterItsRevokeIsReplayed) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  {
    const std::unique_ptr<Journal> journal = machine.Open();
    ASSERT_TRUE(CommitFills(*journal, {{3, 9}}).ok());
    ASSERT_TRUE(CommitFills(*journal, {}, {3}).ok());
    ASSERT_TRUE(CommitFills(*journal, {{3, 7}}).ok());
  }
  ASSERT_EQ(machine.Open()->Replay(machine.caller.Op())->transactions, 3u);
  EXPECT_EQ(HomeFill(machine.disk, 3), 7);
}

TEST(Journal, ABlockBothWrittenAndRevokedCountsAsWritten) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{3, 9}}, {3, 3}).ok());
  ASSERT_TRUE(machine.Open()->Replay(machine.caller.Op()).ok());
  EXPECT_EQ(HomeFill(machine.disk, 3), 9);
}

// Goal: a checkpoint does not write a block that was freed meanwhile: it may hold data by now.
TEST(Journal, TheCheckpointLeavesRevokedBlocksAlone) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  ASSERT_TRUE(CommitFills(*journal, {{3, 9}}).ok());
  ASSERT_TRUE(CommitFills(*journal, {}, {3}).ok());
  ASSERT_TRUE(machine.disk.Write(machine.caller.Op(), Sector{6}, BlockOf(77)).ok());
  ASSERT_TRUE(journal->Checkpoint(machine.caller.Op()).ok());
  EXPECT_EQ(HomeFill(machine.disk, 3), 77);
}

TEST(Journal, TheRingIsUsedRoundAndRound) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  for (int i = 1; i <= 40; ++i) {
    ASSERT_TRUE(CommitFills(*journal, {{1, i}, {2, i + 100}}).ok());
  }
  ASSERT_TRUE(machine.Open()->Replay(machine.caller.Op()).ok());
  EXPECT_EQ(HomeFill(machine.disk, 1), 40);
  EXPECT_EQ(HomeFill(machine.disk, 2), 140);
}

TEST(Journal, ALogThatFillsTheRingToTheLastBlockIsReplayed) {
  JournalDisk machine(12);  // a ring of 11: descriptor, 9 copies, commit record
  ASSERT_TRUE(machine.Format().ok());
  {
    const std::unique_ptr<Journal> journal = machine.Open();
    ASSERT_TRUE(CommitFills(*journal, {{1, 50}}).ok());  // the next one begins in the middle
    std::vector<std::pair<std::uint32_t, int>> fills;
    for (int i = 0; i < 9; ++i) fills.emplace_back(10 + i, 60 + i);
    ASSERT_TRUE(CommitFills(*journal, fills).ok());
  }
  EXPECT_EQ(machine.Open()->Replay(machine.caller.Op())->blocks_written, 9u);
  EXPECT_EQ(HomeFill(machine.disk, 1), 50);
  EXPECT_EQ(HomeFill(machine.disk, 18), 68);
}

TEST(Journal, ATransactionNeedsMoreDescriptorsAndRevokesThanOneBlockHolds) {
  JournalDisk machine(512);
  const std::unique_ptr<Journal> unformatted = machine.Open();
  EXPECT_EQ(unformatted, nullptr);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  EXPECT_EQ(journal->BlocksNeeded(124, 252), 124u + 1 + 1 + 1);
  EXPECT_EQ(journal->BlocksNeeded(125, 253), 125u + 2 + 2 + 1);
  std::vector<std::pair<std::uint32_t, int>> fills;
  for (std::uint32_t i = 0; i < 300; ++i) fills.emplace_back(i, static_cast<int>(i % 251));
  std::vector<std::uint32_t> revoked(270);
  std::iota(revoked.begin(), revoked.end(), 300u);
  ASSERT_TRUE(CommitFills(*journal, fills, revoked).ok());
  EXPECT_EQ(machine.Open()->Replay(machine.caller.Op())->blocks_written, 300u);
  EXPECT_EQ(HomeFill(machine.disk, 37), 37);
}

TEST(Journal, WhatDoesNotFitIsRefusedWhole) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  EXPECT_TRUE(journal->Fits(9, 0));
  EXPECT_FALSE(journal->Fits(9, 1));
  std::vector<std::pair<std::uint32_t, int>> fills;
  for (int i = 0; i < 10; ++i) fills.emplace_back(10 + i, 60 + i);
  EXPECT_EQ(CommitFills(*journal, fills).error(), Errno::kNoSpc);
  EXPECT_FALSE(machine.Open()->needs_replay());
  EXPECT_TRUE(CommitFills(*journal, {{1, 1}}).ok());
}

TEST(Journal, ABadTransactionIsRefused) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  const std::unique_ptr<Journal> journal = machine.Open();
  const OpContext op = machine.caller.Op();
  const std::vector<std::byte> content = BlockOf(1);
  const std::vector<Journal::Block> short_content = {{1, Bytes(content).first(512)}};
  EXPECT_EQ(journal->Commit(op, short_content, {}).error(), Errno::kInval);
  EXPECT_EQ(CommitFills(*journal, {{1, 1}, {1, 2}}).error(), Errno::kInval);
  EXPECT_EQ(CommitFills(*journal, {{kHomeBlocks + 12, 1}}).error(), Errno::kInval);
  EXPECT_EQ(CommitFills(*journal, {{1, 1}}, {kHomeBlocks + 12}).error(), Errno::kInval);
}

TEST(Journal, AnEmptyTransactionWritesNothing) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  RecordingDevice device(machine.disk);
  const std::unique_ptr<Journal> journal = machine.OpenOn(device);
  EXPECT_TRUE(CommitFills(*journal, {}).ok());
  EXPECT_TRUE(journal->Checkpoint(machine.caller.Op()).ok());
  EXPECT_TRUE(device.steps.empty());
}

// A device whose writes fail from a given one on.
class FailingDevice final : public ForwardingDevice {
 public:
  FailingDevice(BlockDevice& target, int good_writes)
      : ForwardingDevice(target), good_writes_(good_writes) {}
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    if (good_writes_-- <= 0) return Errno::kIo;
    return target().Write(op, first, from);
  }

 private:
  int good_writes_;
};

TEST(Journal, AfterAFailedCommitItIsAborted) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  FailingDevice device(machine.disk, 2);
  const std::unique_ptr<Journal> journal = machine.OpenOn(device);
  EXPECT_EQ(CommitFills(*journal, {{1, 1}}).error(), Errno::kIo);
  EXPECT_EQ(CommitFills(*journal, {{1, 1}}).error(), Errno::kRoFs);
  EXPECT_EQ(journal->Checkpoint(machine.caller.Op()).error(), Errno::kRoFs);
}

TEST(Journal, ForeignSuperblocksAreRefused) {
  struct Edit {
    std::size_t at;
    std::uint32_t value;
    Errno want;
  };
  const std::vector<Edit> edits = {
      {0, 0, Errno::kUClean},               // magic
      {4, 1, Errno::kUClean},               // type
      {12, 4096, Errno::kUClean},           // block size
      {16, 13, Errno::kUClean},             // longer than the file
      {16, 7, Errno::kUClean},              // too short
      {20, 0, Errno::kUClean},              // first
      {20, 12, Errno::kUClean},             // first past the end
      {28, 12, Errno::kUClean},             // start past the end
      {40, 0x20, Errno::kOpNotSupp},        // fast commit
      {40, 0x80000000, Errno::kOpNotSupp},  // unknown
      {44, 1, Errno::kOpNotSupp},           // unknown, read-only compatible
      {40, 0x10, Errno::kUClean},           // a checksum that is wrong
  };
  for (const Edit& edit : edits) {
    JournalDisk machine(12);
    ASSERT_TRUE(machine.Format().ok());
    std::vector<std::byte> super = JournalBlock(machine, 0);
    PutBig(super, edit.at, edit.value);
    WriteJournalBlock(machine, 0, super);
    EXPECT_EQ(OpenError(machine), edit.want) << "at " << edit.at;
  }
}

TEST(Journal, LayoutsThatCannotBeAreRefused) {
  JournalDisk machine(12);
  Journal::Layout layout = machine.layout;
  layout.block_bytes = 512;
  const auto error = [&](const Journal::Layout& bad) {
    return Journal::Format(machine.caller.Op(), machine.disk, bad, {}).error();
  };
  EXPECT_EQ(error(layout), Errno::kInval);
  layout = machine.layout;
  layout.blocks.resize(7);
  EXPECT_EQ(error(layout), Errno::kInval);
  layout = machine.layout;
  layout.blocks.back() = kHomeBlocks + 12;
  EXPECT_EQ(error(layout), Errno::kInval);
}

// Goal: a ring full of descriptors that all carry the expected number ends the scan.
TEST(Journal, ARingWithoutAnEndIsLeftAfterOneTurn) {
  JournalDisk machine(12);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{1, 1}}).ok());
  std::vector<std::byte> revoke(kBlockBytes);
  PutBig(revoke, 0, 0xc03b3998u);
  PutBig(revoke, 4, 5);
  PutBig(revoke, 8, 1);
  PutBig(revoke, 12, 16);
  for (std::uint32_t i = 1; i < 12; ++i) WriteJournalBlock(machine, i, revoke);
  EXPECT_EQ(machine.Open()->Replay(machine.caller.Op())->transactions, 0u);
  EXPECT_FALSE(machine.Open()->needs_replay());
}

TEST(Journal, ACommittedBlockPastTheEndStopsReplayBeforeAnyWrite) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{3, 9}, {4, 9}}).ok());
  std::vector<std::byte> descriptor = JournalBlock(machine, 1);
  PutBig(descriptor, 36, 1'000'000);
  WriteJournalBlock(machine, 1, descriptor);
  EXPECT_EQ(machine.Open()->Replay(machine.caller.Op()).error(), Errno::kUClean);
  EXPECT_EQ(HomeFill(machine.disk, 3), 0);
  EXPECT_TRUE(machine.Open()->needs_replay());
}

TEST(Journal, AVersionOneJournalIsReplayedAndBecomesVersionTwo) {
  JournalDisk machine(32);
  ASSERT_TRUE(machine.Format().ok());
  ASSERT_TRUE(CommitFills(*machine.Open(), {{3, 9}}).ok());
  std::vector<std::byte> super = JournalBlock(machine, 0);
  PutBig(super, 4, 3);
  std::fill(super.begin() + 36, super.end(), std::byte{0xff});  // not part of version 1
  WriteJournalBlock(machine, 0, super);
  ASSERT_TRUE(machine.Open()->Replay(machine.caller.Op()).ok());
  EXPECT_EQ(HomeFill(machine.disk, 3), 9);
  EXPECT_EQ(GetBig(JournalBlock(machine, 0), 4), 4u);
  EXPECT_NE(machine.Open(), nullptr);
}

}  // namespace
}  // namespace lamina
