// Commits of thin metadata: whatever of one reaches the device, the pool is at the last commit or
// at this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/thin_dump.h"
#include "tests/block/thin_changes.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/block/write_log.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

ThinDump DumpOf(BlockDevice& device) {
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), device);
  if (!opened.ok()) return {};
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), **opened);
  return dump.ok() ? *dump : ThinDump();
}

// A pool with a commit behind it and changes of every kind before it, on a device that remembers.
class LoggedPool {
 public:
  LoggedPool() : log(disk) {
    metadata = std::move(*ThinMetadata::Format(MetadataOp(), log, 128, 4000));
  }

  void Change(std::uint64_t seed, int steps = 6, std::uint64_t most = 150) {
    SplitMix64 draw(seed);
    for (int step = 0; step < steps; ++step) ChangeOnce(*metadata, draw, most);
    const std::uint64_t transaction = metadata->transaction_id();
    ASSERT_TRUE(metadata->SetTransactionId(MetadataOp(), transaction, transaction + 1).ok());
  }

  MemDisk disk{kSmallMetadataBlocks * 8};
  WriteLog log;
  std::unique_ptr<ThinMetadata> metadata;
};

// `disk` with the entries of the log that `wanted` names.
template <typename Wanted>
void Replay(const MemDisk::Image& before, const WriteLog& log, MemDisk& disk, Wanted wanted) {
  disk.Restore(before);
  for (std::size_t i = 0; i < log.writes.size(); ++i) {
    if (!wanted(i)) continue;
    ASSERT_TRUE(disk.Write(MetadataOp(), log.writes[i].first, log.writes[i].bytes).ok());
  }
}

TEST(ThinCommit, WritesTheSuperblockOnceAndLast) {
  LoggedPool pool;
  pool.log.writes.clear();
  pool.Change(1);
  ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
  ASSERT_GT(pool.log.writes.size(), 3u);
  const WriteLog::Entry& last = pool.log.writes.back();
  EXPECT_EQ(last.first, Sector{0});
  for (std::size_t i = 0; i + 1 < pool.log.writes.size(); ++i) {
    EXPECT_NE(pool.log.writes[i].first, Sector{0});
    EXPECT_LT(pool.log.writes[i].epoch, last.epoch) << "a flush comes between";
  }
}

TEST(ThinCommit, WritesNothingWhenNothingChanged) {
  LoggedPool pool;
  pool.log.writes.clear();
  const std::size_t flushes = pool.log.flushes;
  ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
  EXPECT_TRUE(pool.log.writes.empty());
  EXPECT_EQ(pool.log.flushes, flushes);
}

// Goal: every prefix of the writes, every single write lost, and random subsets, of 40 commits.
TEST(ThinCommit, DM_030_ACrashLeavesTheOldOrTheNewCommit) {
  LoggedPool pool;
  SplitMix64 draw(30);
  int states = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const MemDisk::Image before = pool.disk.Capture();
    const ThinDump old_commit = DumpOf(pool.disk);
    pool.log.writes.clear();
    pool.Change(seed);
    ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
    const ThinDump new_commit = DumpOf(pool.disk);
    ASSERT_NE(old_commit, new_commit);

    MemDisk crashed(kSmallMetadataBlocks * 8);
    const std::size_t superblock = pool.log.writes.size() - 1;
    const auto expect = [&](const ThinDump& commit) {
      ++states;
      ASSERT_EQ(DumpOf(crashed), commit) << "seed " << seed;
      ASSERT_EQ(FindingsOf(crashed), "") << "seed " << seed;
    };
    for (std::size_t end = 0; end <= superblock; ++end) {
      Replay(before, pool.log, crashed, [&](std::size_t i) { return i < end; });
      expect(old_commit);
      Replay(before, pool.log, crashed, [&](std::size_t i) { return i < superblock && i != end; });
      expect(old_commit);
    }
    for (int subset = 0; subset < 8; ++subset) {
      const std::uint64_t chosen = draw.Next();
      Replay(before, pool.log, crashed,
             [&](std::size_t i) { return i < superblock && (chosen >> i % 64 & 1) != 0; });
      expect(old_commit);
    }
    Replay(before, pool.log, crashed, [](std::size_t) { return true; });
    expect(new_commit);
  }
  RecordProperty("states", states);
  EXPECT_GT(states, 700);
}

// Goal: all subsets of the writes before the flush, of 100 small commits; 100 of them when there
// are more than 2^9.
TEST(ThinCommit, AnySubsetOfTheWritesLeavesTheOldCommit) {
  LoggedPool pool;
  MemDisk crashed(kSmallMetadataBlocks * 8);
  SplitMix64 draw(100);
  int states = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const MemDisk::Image before = pool.disk.Capture();
    const ThinDump old_commit = DumpOf(pool.disk);
    pool.log.writes.clear();
    pool.Change(seed, 3, 5);
    ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
    const std::size_t nodes = pool.log.writes.size() - 1;
    const bool all = nodes <= 9;
    for (std::uint64_t i = 0; i < (all ? std::uint64_t{1} << nodes : 100); ++i) {
      const std::uint64_t chosen = all ? i : draw.Next();
      Replay(before, pool.log, crashed,
             [&](std::size_t write) { return write < nodes && (chosen >> write % 64 & 1) != 0; });
      ASSERT_EQ(DumpOf(crashed), old_commit) << "seed " << seed << ", writes " << chosen;
      ++states;
    }
    ASSERT_EQ(FindingsOf(crashed), "") << "seed " << seed;
  }
  RecordProperty("states", states);
  EXPECT_GT(states, 8000);
}

TEST(ThinCommit, AFormatThatStopsHalfWayLeavesTheDeviceUnformatted) {
  LoggedPool pool;
  const MemDisk::Image before = pool.disk.Capture();
  pool.log.writes.clear();
  ASSERT_TRUE(ThinMetadata::Format(MetadataOp(), pool.log, 256, 50).ok());
  MemDisk crashed(kSmallMetadataBlocks * 8);
  for (std::size_t end = 1; end < pool.log.writes.size(); ++end) {
    Replay(before, pool.log, crashed, [&](std::size_t i) { return i < end; });
    ASSERT_TRUE(*ThinMetadata::IsUnformatted(MetadataOp(), crashed)) << end;
  }
  Replay(before, pool.log, crashed, [](std::size_t) { return true; });
  EXPECT_EQ(DumpOf(crashed).data_block_size, 256u);
}

TEST(ThinCommit, ATornSuperblockIsOneOrTheOther) {
  LoggedPool pool;
  pool.Change(3);
  ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
  const ThinDump old_commit = DumpOf(pool.disk);
  const MemDisk::Image before = pool.disk.Capture();
  pool.log.writes.clear();
  pool.Change(4);
  ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
  const ThinDump new_commit = DumpOf(pool.disk);
  MemDisk crashed(kSmallMetadataBlocks * 8);
  const std::size_t superblock = pool.log.writes.size() - 1;
  Replay(before, pool.log, crashed, [&](std::size_t i) { return i < superblock; });
  for (std::uint64_t sector = 8; sector-- > 0;) {  // the first one last
    EXPECT_EQ(DumpOf(crashed), old_commit);
    const Bytes bytes(pool.log.writes[superblock].bytes);
    const Bytes one = bytes.subspan(sector * kSectorBytes, kSectorBytes);
    ASSERT_TRUE(crashed.Write(MetadataOp(), Sector{sector}, one).ok());
  }
  EXPECT_EQ(DumpOf(crashed), new_commit);
}

TEST(ThinCommit, DM_031_AnAbortGoesBackToTheLastCommit) {
  MetadataRig pool;
  pool.CreateThin(0);
  pool.Provision(0, 0, 4);
  pool.Commit();
  pool.CreateSnapshot(1, 0);
  pool.Provision(0, 0, 2);
  EXPECT_TRUE(pool->Changed(ThinId{0}));
  ASSERT_TRUE(pool->Abort(MetadataOp()).ok());
  EXPECT_EQ(pool.MappingOf(0, 0), "0,0");
  EXPECT_FALSE(*pool->Exists(MetadataOp(), ThinId{1}));
  EXPECT_EQ(pool->time(), 0u);
  EXPECT_EQ(pool->data_blocks().allocated, 4u);
  EXPECT_FALSE(pool->AnyChange());
  EXPECT_TRUE(pool->AbortedWithChanges(ThinId{0}));
  pool->ForgetAborted(ThinId{0});
  EXPECT_FALSE(pool->AbortedWithChanges(ThinId{0}));
  EXPECT_FALSE(pool->AbortedWithChanges(ThinId{5}));
}

// Goal: a commit that fails at any of its calls can be aborted, and is there or is not.
TEST(ThinCommit, DM_047_ACommitThatFailsCanOnlyBeAborted) {
  for (std::uint64_t good = 0; good < 25; ++good) {
    LoggedPool pool;
    pool.Change(7);
    ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
    const ThinDump old_commit = DumpOf(pool.disk);
    pool.Change(8);
    pool.log.FailAfter(good, 1);
    if (pool.metadata->Commit(MetadataOp()).ok()) continue;
    EXPECT_EQ(pool.metadata->Commit(MetadataOp()).error(), Errno::kIo);
    EXPECT_EQ(pool.metadata->CreateThin(MetadataOp(), ThinId{99}).error(), Errno::kIo);
    ASSERT_TRUE(pool.metadata->Abort(MetadataOp()).ok());
    ASSERT_EQ(FindingsOf(pool.disk), "") << good;
    const ThinDump now = DumpOf(pool.disk);
    EXPECT_EQ(pool.metadata->transaction_id(), now.transaction);
    EXPECT_TRUE(now == old_commit || now.transaction == old_commit.transaction + 1);
    ASSERT_TRUE(pool.metadata->SetNeedsCheck(MetadataOp()).ok());
    EXPECT_EQ(DumpOf(pool.disk).flags, 1u);
    pool.Change(9);
    ASSERT_TRUE(pool.metadata->Commit(MetadataOp()).ok());
    ASSERT_EQ(FindingsOf(pool.disk), "") << good;
  }
}

TEST(ThinCommit, AnAbortThatFailsEndsEverything) {
  LoggedPool pool;
  pool.Change(7);
  pool.log.FailAfter(0, 1);
  EXPECT_EQ(pool.metadata->Abort(MetadataOp()).error(), Errno::kIo);
  EXPECT_EQ(pool.metadata->Exists(MetadataOp(), ThinId{0}).error(), Errno::kIo);
  EXPECT_EQ(pool.metadata->Commit(MetadataOp()).error(), Errno::kIo);
  EXPECT_EQ(pool.metadata->Abort(MetadataOp()).error(), Errno::kIo);
}

TEST(ThinCommit, NeedsCheckWaitsForTheTransactionToEnd) {
  MetadataRig pool;
  pool.CreateThin(0);
  EXPECT_EQ(pool->SetNeedsCheck(MetadataOp()).error(), Errno::kBusy);
  pool.Commit();
  EXPECT_TRUE(pool->SetNeedsCheck(MetadataOp()).ok());
  pool.Reopen();
  EXPECT_TRUE(pool->needs_check());
}

TEST(ThinCommit, TheHookComesBeforeTheFirstWriteAndCanRefuse) {
  LoggedPool pool;
  pool.Change(2);
  pool.log.writes.clear();
  Errno refusal = Errno::kIo;
  std::size_t writes_seen = 99;
  pool.metadata->SetCommitHook([&](const OpContext&) -> Result<void> {
    writes_seen = pool.log.writes.size();
    return refusal;
  });
  EXPECT_EQ(pool.metadata->Commit(MetadataOp()).error(), Errno::kIo);
  EXPECT_EQ(writes_seen, 0u);
  EXPECT_TRUE(pool.log.writes.empty());
}

TEST(ThinCommit, MetadataThatIsFullGivesNoSpaceAndThenAnAbort) {
  MetadataRig pool(100'000, 20);
  pool.CreateThin(0);
  pool.Commit();
  const OpContext op = MetadataOp();
  Result<void> inserted;
  for (std::uint64_t i = 0; inserted.ok() && i < 100'000; ++i) {
    const Result<std::uint64_t> block = pool->AllocateDataBlock(op);
    ASSERT_TRUE(block.ok());
    inserted = pool->Insert(op, ThinId{0}, i, *block);
  }
  EXPECT_EQ(inserted.error(), Errno::kNoSpc);
  EXPECT_EQ(pool->Commit(op).error(), Errno::kIo);
  ASSERT_TRUE(pool->Abort(op).ok());
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

}  // namespace
}  // namespace lamina
