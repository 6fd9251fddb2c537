// `pool NAME from xml:FILE`: a pool of a real machine is written to, snapshotted and explained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "lamina/sim/chunk_map.h"
#include "lamina/sim/explain.h"
#include "tests/sim/scenario_run.h"

namespace lamina::sim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Device 1 and its snapshot 7 share data blocks 0 to 2; block 4 came after the snapshot.
constexpr std::string_view kDump = R"(
<superblock uuid="" time="1" transaction="2" flags="0" version="2" data_block_size="128"
            nr_data_blocks="16">
  <device dev_id="1" mapped_blocks="4" transaction="0" creation_time="0" snap_time="1">
    <range_mapping origin_begin="0" data_begin="0" length="3" time="0"/>
    <single_mapping origin_block="3" data_block="4" time="1"/>
  </device>
  <device dev_id="7" mapped_blocks="3" transaction="1" creation_time="1" snap_time="1">
    <range_mapping origin_begin="0" data_begin="0" length="3" time="0"/>
  </device>
</superblock>
)";

class PoolSource : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/lamina_pool_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The statements after a first one that makes the pool p from the file with `dump`.
  std::string Importing(std::string_view dump, std::string_view rest) const {
    std::ofstream(folder_ / "dump.xml") << dump;
    std::string text = "scenario 2\npool p from xml:";
    return text.append(File()).append(rest);
  }
  std::string File() const { return (folder_ / "dump.xml").string(); }

  // What running the import of `dump` says; empty when it works.
  std::string ErrorOf(std::string_view dump) const {
    return std::string(RunText(Importing(dump, "\n")).status.message());
  }

  std::filesystem::path folder_;
};

void ExpectHolds(const std::string& text) {
  const Ran ran = RunText(text);
  EXPECT_TRUE(ran.status.ok()) << ran.status.message();
  EXPECT_GT(ran.expectations, 0u);
  for (const ScenarioFailure& failure : ran.failures) {
    ADD_FAILURE() << "line " << failure.line << ": expected " << failure.expected << ", got "
                  << failure.got;
  }
}

std::string WithChanged(std::string_view from, std::string_view to) {
  std::string dump(kDump);
  return dump.replace(dump.find(from), from.size(), to);
}

TEST_F(PoolSource, DM_008_ASharedChunkOfADumpIsCopiedWhenItIsWritten) {
  ExpectHolds(Importing(kDump, R"(            -> OK
thin web p 1 1GiB                         -> OK
thin old p 7 1GiB                         -> OK
status web                                -> 0 2097152 thin 512 511
status old                                -> 0 2097152 thin 384 383
dd of=web fill:w:4096                     -> 4096
expect sharing_broken == 1
expect bytes_copied == 65536
dd of=web seek=192KiB fill:w:4096         -> 4096
expect sharing_broken == 1
expect chunks_provisioned == 0
dd if=web count=8192                      -> fill:w:4096+zeros:4096
dd if=old count=8192                      -> zeros:8192
)"));
}

TEST_F(PoolSource, DM_034_SnapshotsAndMessagesGoOnWhereTheDumpEnds) {
  ExpectHolds(Importing(kDump, R"(            -> OK
thin web p 1 1GiB                         -> OK
dd of=web seek=192KiB fill:a:64KiB        -> 65536
snap now web                              -> OK
table now                                 -> 0 2097152 thin p 8
dd of=web seek=192KiB fill:b:4096         -> 4096
expect sharing_broken == 1
dd if=now skip=192KiB count=4096          -> fill:a:4096
message p create_thin 7                   -> EEXIST
message p set_transaction_id 0 1          -> EINVAL
message p set_transaction_id 2 3          -> OK
message p delete 7                        -> OK
message p delete 7                        -> ENODATA
)"));
}

TEST_F(PoolSource, DM_030_ACrashGoesBackToTheDumpWhenNothingWasCommitted) {
  ExpectHolds(Importing(kDump, R"(            -> OK
thin web p 1 1GiB                         -> OK
dd of=web seek=1MiB fill:w:64KiB          -> 65536
status web                                -> 0 2097152 thin 640 2175
crash lose                                -> OK
status web                                -> 0 2097152 thin 512 511
dd of=web seek=1MiB fill:w:64KiB          -> 65536
)"));
}

TEST_F(PoolSource, THIN_APoolOfADumpMayHaveMoreDataAndFeatures) {
  ExpectHolds(Importing(kDump, R"( data=2MiB low_water=3 error_if_no_space -> OK
table p -> 0 4096 thin-pool p.meta p.data 128 3 1 error_if_no_space
table p.data                              -> 0 4096 disk
pool p from xml:nothing                   -> EEXIST
)"));
}

TEST_F(PoolSource, THIN_ExplainNamesWhoSharesAChunkOfADump) {
  const absl::StatusOr<Scenario> scenario =
      ParseScenario(Importing(kDump, "\nthin web p 1 1GiB\n"), {.file = "t.scn"});
  ASSERT_TRUE(scenario.ok()) << scenario.status().message();
  const absl::StatusOr<Statement> statement =
      ParseOperation({"dd of=web seek=64KiB fill:x:4KiB"}, {});
  ASSERT_TRUE(statement.ok()) << statement.status().message();
  const absl::StatusOr<Explanation> why =
      ExplainAfter(*scenario, std::nullopt, *statement, ExplainMode::kPlan);
  ASSERT_TRUE(why.ok()) << why.status().message();
  ASSERT_THAT(why->blocks, SizeIs(1));
  EXPECT_EQ(why->blocks[0].place, "chunk 1 of p, mapped at time 0");
  EXPECT_THAT(why->blocks[0].shared_with, ElementsAre("device 7 block 1"));
  EXPECT_EQ(why->blocks[0].effect, "break sharing: allocate a chunk, copy 64 KiB, write 4 KiB");
}

TEST_F(PoolSource, THIN_TheChunkMapIsTheDumps) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(Importing(kDump, "\n"), {});
  ASSERT_TRUE(scenario.ok()) << scenario.status().message();
  ScenarioRun run(*scenario, {});
  ASSERT_TRUE(run.RunAll().ok());
  const absl::StatusOr<std::vector<ChunkMap>> maps = ChunkMapsOf(run);
  ASSERT_TRUE(maps.ok()) << maps.status().message();
  ASSERT_THAT(*maps, SizeIs(1));
  EXPECT_EQ(maps->front().total, 16u);
  EXPECT_EQ(maps->front().used, 4u);
  EXPECT_EQ(maps->front().shared, 3u);
  EXPECT_EQ(maps->front().exclusive, 1u);
  EXPECT_THAT(maps->front().devices, SizeIs(2));
}

TEST_F(PoolSource, THIN_WhatIsWrongWithADumpIsSaidWithItsLine) {
  const std::string prefix = "t.scn:2:1: pool p from xml:";
  EXPECT_EQ(ErrorOf(kDump), "");
  EXPECT_THAT(ErrorOf("<superblock"), AllOf(HasSubstr(prefix), HasSubstr(File() + ":1:")));
  EXPECT_THAT(ErrorOf(WithChanged("data_block=\"4\"", "data_block=\"x\"")),
              HasSubstr(File() + ":6:"));
  EXPECT_THAT(ErrorOf(WithChanged("data_block=\"4\"", "data_block=\"16\"")),
              HasSubstr(File() + ":6:"));
  EXPECT_THAT(ErrorOf(WithChanged("dev_id=\"7\"", "dev_id=\"1\"")), HasSubstr(File() + ":8:"));
  EXPECT_THAT(ErrorOf(""), HasSubstr(File()));
}

TEST_F(PoolSource, THIN_AHostileDumpIsRefusedBeforeItCostsMemory) {
  EXPECT_THAT(ErrorOf(WithChanged("nr_data_blocks=\"16\"", "nr_data_blocks=\"1000000000000\"")),
              HasSubstr("1000000000000 data blocks, and a pool here has at most 67108864"));
  EXPECT_THAT(ErrorOf(WithChanged("data_block_size=\"128\"", "data_block_size=\"100\"")),
              HasSubstr("dump.xml: "));
  EXPECT_THAT(ErrorOf(WithChanged("data_block_size=\"128\"", "data_block_size=\"4294967295\"")),
              HasSubstr("dump.xml: "));
  EXPECT_THAT(ErrorOf(WithChanged("nr_data_blocks=\"16\"", "nr_data_blocks=\"0\"")),
              HasSubstr("dump.xml:"));
  std::string many = R"(<superblock uuid="" time="0" transaction="0" data_block_size="128"
      nr_data_blocks="67108864">)";
  for (const char* id : {"1", "2"}) {
    many.append("<device dev_id=\"")
        .append(id)
        .append(
            R"(" mapped_blocks="0" transaction="0" creation_time="0" snap_time="0">
           <range_mapping origin_begin="0" data_begin="0" length="67108864" time="0"/></device>)");
  }
  EXPECT_THAT(ErrorOf(many + "</superblock>"), HasSubstr("more than 1 GiB of metadata"));
}

TEST_F(PoolSource, THIN_FilesThatCannotBeReadAreSaid) {
  const Ran ran = RunText("scenario 2\npool p from xml:" + File() + "\n");
  EXPECT_THAT(std::string(ran.status.message()), HasSubstr(File() + ": No such file or directory"));
  const Ran folder = RunText("scenario 2\npool p from xml:" + folder_.string() + "\n");
  EXPECT_THAT(std::string(folder.status.message()), HasSubstr(": Is a directory"));
}

TEST(PoolSourceWords, THIN_AreCheckedBeforeAnythingRuns) {
  const auto error = [](const std::string& words) {
    return ParseError("scenario 2\npool p " + words + "\n");
  };
  EXPECT_EQ(error("from"), "t.scn:2:8: expected from SOURCE");
  EXPECT_EQ(error("from dump.xml"), "t.scn:2:13: 'dump.xml' is not xml:FILE");
  EXPECT_EQ(error("from xml:a from xml:b"), "t.scn:2:19: from twice");
  EXPECT_EQ(error("chunk=64KiB from xml:a"), "t.scn:2:8: 'chunk=64KiB': the source says it");
  ParseOptions closed{.file = "t.scn"};
  closed.limits.host_files = false;
  const auto refused = ParseScenario("scenario 2\npool p from xml:a\n", closed);
  EXPECT_EQ(std::string(refused.status().message()),
            "t.scn:2:13: files of the host are not allowed here");
}

TEST(PoolSourceLab, THIN_AProductionDumpGoesOn) {
  const std::string source = LAMINA_SOURCE_DIR;
  std::ifstream file(source + "/sim/labs/production-dump.scn");
  ASSERT_TRUE(file.is_open());
  std::string text(std::istreambuf_iterator<char>(file), {});
  ASSERT_THAT(text, HasSubstr("xml:sim/"));
  ExpectHolds(text.replace(text.find("xml:sim/"), 4, "xml:" + source + '/'));
}

}  // namespace
}  // namespace lamina::sim
