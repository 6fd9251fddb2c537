// The real thin_check, thin_dump and thin_restore: they read what lamina writes, and lamina reads
// what they write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/block/thin_changes.h"
#include "tests/block/thin_example.h"
#include "tests/block/thin_metadata_fixture.h"
#include "tests/block/thin_tool_run.h"

namespace lamina {
namespace {

constexpr const char* kNoTools = "thin-provisioning-tools are not installed";

// What thin_check says of the disk, "" when it is content.
std::string ThinCheckOf(MemDisk& disk) {
  const ToolFile file;
  file.PutDisk(disk);
  const ToolAnswer answer = RunShell("thin_check " + file.path());
  return answer.exit_code == 0 ? "" : answer.text;
}

std::string ThinDumpOf(MemDisk& disk, const std::string& options = "") {
  const ToolFile file;
  file.PutDisk(disk);
  return RunShell("thin_dump " + options + " " + file.path()).text;
}

std::string DumpText(ThinMetadata& metadata) {
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), metadata);
  return dump.ok() ? ThinXml(*dump) : "cannot be read";
}

TEST(ThinTools, ReadAnEmptyPool) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MetadataRig pool;
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_EQ(ThinDumpOf(pool.disk), DumpText(*pool));
  EXPECT_EQ(FindingsOf(pool.disk), "");
}

TEST(ThinTools, ReadTheWorkedExampleOfTheSpecification) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MetadataRig pool(16);
  pool.CreateThin(1);
  pool.Provision(1, 0, 4);
  ASSERT_TRUE(pool->SetTransactionId(MetadataOp(), 0, 1).ok());
  pool.CreateSnapshot(2, 1);
  ASSERT_TRUE(pool->SetTransactionId(MetadataOp(), 1, 3).ok());
  pool.Provision(1, 0, 1);
  pool.Provision(2, 9, 1);
  pool.Commit();
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_EQ(ThinDumpOf(pool.disk), kThinExample);
  EXPECT_EQ(DumpText(*pool), ThinDumpOf(pool.disk));
}

// Goal: trees of more than one level, counts of 3 and more, several bitmaps.
TEST(ThinTools, ReadALargePoolWithManySnapshots) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MetadataRig pool(100'000, 4096);
  pool.CreateThin(0);
  pool.Provision(0, 0, 50'000);
  for (std::uint64_t id = 1; id <= 150; ++id) {
    pool.CreateSnapshot(id, id - 1);
    pool.Provision(id, id * 200, 3);
  }
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_TRUE(ThinDumpOf(pool.disk) == DumpText(*pool));
}

TEST(ThinTools, ReadWhatRandomHistoriesLeave) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SplitMix64 draw(seed);
    MetadataRig pool(6000, 1024);
    for (int step = 0; step < 120; ++step) {
      ChangeOnce(*pool, draw, 400);
      if (draw.Below(10) == 0) pool.Commit();
    }
    pool.Commit();
    ASSERT_EQ(FindingsOf(pool.disk), "") << "seed " << seed;
    ASSERT_EQ(ThinCheckOf(pool.disk), "") << "seed " << seed;
    ASSERT_EQ(ThinDumpOf(pool.disk), DumpText(*pool)) << "seed " << seed;
  }
}

TEST(ThinTools, ReadAHeldMetadataSnapshot) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MetadataRig pool(1024);
  pool.CreateThin(0);
  pool.Provision(0, 0, 400);
  pool.Commit();
  ThinDump before = *ReadThinDump(MetadataOp(), *pool);
  before.nr_data_blocks = 0;  // the copy of the superblock has no space maps
  ASSERT_TRUE(pool->ReserveMetadataSnapshot(MetadataOp()).ok());
  pool.Provision(0, 10, 5);
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{0}).ok());
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_EQ(ThinDumpOf(pool.disk, "--metadata-snap"), ThinXml(before));
  ASSERT_TRUE(pool->ReleaseMetadataSnapshot(MetadataOp()).ok());
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_EQ(pool->data_blocks().allocated, 0u);
}

TEST(ThinTools, SeeTheNeedsCheckFlag) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MetadataRig pool;
  ASSERT_TRUE(pool->SetNeedsCheck(MetadataOp()).ok());
  const ToolFile file;
  file.PutDisk(pool.disk);
  EXPECT_EQ(RunShell("thin_check --clear-needs-check-flag " + file.path()).exit_code, 0);
  file.GetDisk(pool.disk);
  pool.Reopen();
  EXPECT_FALSE(pool->needs_check());
}

// Three devices, one of 9000 single mappings, an odd block size, counts of up to 3.
ThinDump Sample() {
  ThinDump dump;
  dump.time = 9;
  dump.transaction = 77;
  dump.data_block_size = 192;
  dump.nr_data_blocks = 40'000;
  ThinDumpDevice many;
  many.dev_id = 3;
  many.mapped_blocks = 9000;
  many.creation_time = 1;
  many.snap_time = 9;
  for (std::uint64_t i = 0; i < 9000; ++i) many.runs.push_back({i * 3, 20'000 + i * 2, 1, 4});
  const ThinDumpDevice runs{.dev_id = 70'000,
                            .mapped_blocks = 5100,
                            .transaction = 5,
                            .creation_time = 2,
                            .snap_time = 2,
                            .runs = {{5, 0, 5000, 2}, {1'000'000'000, 20'000, 100, 2}}};
  ThinDumpDevice copy = runs;
  copy.dev_id = 70'001;
  dump.devices = {many, runs, copy};
  return dump;
}

TEST(ThinTools, WriteWhatIsOpenedHere) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  const ToolFile xml;
  const ToolFile image;
  xml.Put(ThinXml(Sample()));
  MemDisk disk(1024 * 8);
  image.PutDisk(disk);
  ASSERT_EQ(RunShell("thin_restore -i " + xml.path() + " -o " + image.path()).exit_code, 0);
  image.GetDisk(disk);
  EXPECT_EQ(FindingsOf(disk), "");  // though the tool's totals of the metadata are off by one
  Result<std::unique_ptr<ThinMetadata>> opened = ThinMetadata::Open(MetadataOp(), disk);
  ASSERT_TRUE(opened.ok());
  const Result<ThinDump> dump = ReadThinDump(MetadataOp(), **opened);
  ASSERT_TRUE(dump.ok());
  EXPECT_EQ(*dump, Sample());
}

TEST(ThinTools, AcceptWhatIsWrittenOnTopOfARestoredPool) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  const ToolFile xml;
  const ToolFile image;
  xml.Put(ThinXml(Sample()));
  MetadataRig pool(16, 1024);
  image.PutDisk(pool.disk);
  ASSERT_EQ(RunShell("thin_restore -i " + xml.path() + " -o " + image.path()).exit_code, 0);
  image.GetDisk(pool.disk);
  pool.Reopen();
  pool.CreateSnapshot(4, 3);
  pool.Provision(4, 6000, 50);
  ASSERT_TRUE(pool->Delete(MetadataOp(), ThinId{70'000}).ok());
  ASSERT_TRUE(pool->ResizeData(MetadataOp(), 60'000).ok());
  ASSERT_TRUE(pool->Remove(MetadataOp(), ThinId{3}, 0, 20'000, [](const ThinUnmapped&) {}).ok());
  pool.Commit();
  EXPECT_EQ(FindingsOf(pool.disk), "");
  EXPECT_EQ(ThinCheckOf(pool.disk), "");
  EXPECT_TRUE(ThinDumpOf(pool.disk) == DumpText(*pool));
}

TEST(ThinTools, ReadWhatIsRestoredHere) {
  if (!HaveThinTools()) GTEST_SKIP() << kNoTools;
  MemDisk disk(1024 * 8);
  ASSERT_TRUE(RestoreThinMetadata(MetadataOp(), Sample(), disk).ok());
  EXPECT_EQ(FindingsOf(disk), "");
  EXPECT_EQ(ThinCheckOf(disk), "");
  EXPECT_TRUE(ThinDumpOf(disk) == ThinXml(Sample()));
}

}  // namespace
}  // namespace lamina
