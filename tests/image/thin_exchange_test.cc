// A pool leaves as a dump and comes back: random histories, and production dumps that go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "lamina/block/thin_check.h"
#include "lamina/block/thin_counts.h"
#include "lamina/block/thin_lint.h"
#include "lamina/block/thin_metadata_disk.h"
#include "lamina/image/thin_xml.h"
#include "tests/block/device_fixture.h"
#include "tests/oracle/thin_history.h"

namespace lamina {
namespace {

using ::testing::IsEmpty;

OpContext Op() {
  static const Caller caller;
  return caller.Op();
}

// LAMINA_THIN_POOLS=1000 for long runs.
std::uint64_t PoolCount() {
  const char* text = std::getenv("LAMINA_THIN_POOLS");
  return text == nullptr ? 12 : std::strtoull(text, nullptr, 10);
}

std::vector<std::string> Findings(BlockDevice& metadata) {
  const Result<std::vector<ThinFinding>> findings = CheckThinMetadata(Op(), metadata);
  if (!findings.ok()) return {"cannot be read"};
  std::vector<std::string> lines;
  for (const ThinFinding& finding : *findings) lines.push_back(finding.what);
  return lines;
}

// The metadata of `dump` on a disk of its own; an empty one after an error.
std::unique_ptr<MemDisk> Restored(const ThinDump& dump) {
  Result<std::unique_ptr<MemDisk>> disk = MakeThinMetadataDisk(Op(), dump);
  EXPECT_TRUE(disk.ok());
  return disk.ok() ? std::move(*disk) : std::make_unique<MemDisk>(8);
}

ThinDump DumpOf(BlockDevice& disk) {
  const Result<std::unique_ptr<ThinMetadata>> metadata = ThinMetadata::Open(Op(), disk);
  EXPECT_TRUE(metadata.ok());
  if (!metadata.ok()) return {};
  Result<ThinDump> dump = ReadThinDump(Op(), **metadata);
  EXPECT_TRUE(dump.ok());
  return dump.ok() ? *std::move(dump) : ThinDump();
}

ThinDump ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const absl::StatusOr<ThinXmlDocument> document = ReadThinXml(text);
  EXPECT_TRUE(document.ok()) << document.status().message();
  return document.ok() ? document->dump : ThinDump();
}

// Out as XML, in again, onto another disk, and out again: all the same, and sound.
void ExpectExchanged(MemDisk& disk, const ThinDump& model) {
  const ThinDump dump = DumpOf(disk);
  ASSERT_EQ(dump, model);
  EXPECT_THAT(Findings(disk), IsEmpty());
  EXPECT_THAT(LintThinDump(dump), IsEmpty());
  const absl::StatusOr<ThinXmlDocument> read = ReadThinXml(ThinXmlText(dump));
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->dump, dump);
  const std::unique_ptr<MemDisk> other = Restored(read->dump);
  EXPECT_EQ(DumpOf(*other), dump);
  EXPECT_THAT(Findings(*other), IsEmpty());
}

TEST(ThinExchange, RandomPoolsComeBackAsTheyWere) {
  for (std::uint64_t seed = 1; seed <= PoolCount(); ++seed) {
    SCOPED_TRACE(seed);
    MemDisk disk(MemDisk::SectorsOf(std::uint64_t{4} << 20));
    ASSERT_TRUE(ThinMetadata::Format(Op(), disk, 128, 700).ok());
    ThinHistory history(disk, seed);
    for (int i = 0; i < 120; ++i) history.Step();
    history.Finish();
    ExpectExchanged(disk, history.ModelDump());
  }
}

TEST(ThinExchange, TheExampleOfTheReadme) {
  MemDisk metadata_disk(MemDisk::SectorsOf(std::uint64_t{1} << 20));
  const std::string text =
      ThinXmlText(ReadFile(LAMINA_SOURCE_DIR "/tests/oracle/thin/02-origin-snap.xml"));
  const OpContext op = Op();
  absl::StatusOr<ThinXmlDocument> xml = ReadThinXml(text);
  Result<void> written = RestoreThinMetadata(op, xml->dump, metadata_disk);
  std::string again = ThinXmlText(xml->dump);
  EXPECT_TRUE(written.ok());
  EXPECT_EQ(again, text);
  EXPECT_EQ(DumpOf(metadata_disk), xml->dump);
}

// A dump from elsewhere is a pool like any other: it is written to, snapshotted, crashed.
TEST(ThinExchange, ImportedDumpsGoOn) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(LAMINA_SOURCE_DIR "/tests/oracle/thin")) {
    if (entry.path().extension() != ".xml") continue;
    SCOPED_TRACE(entry.path());
    const ThinDump dump = ReadFile(entry.path());
    for (std::uint64_t seed = 1; seed <= PoolCount(); ++seed) {
      const std::unique_ptr<MemDisk> disk = Restored(dump);
      ASSERT_EQ(DumpOf(*disk), dump);
      ThinHistory history(*disk, seed);
      for (int i = 0; i < 60; ++i) history.Step();
      history.Finish();
      ExpectExchanged(*disk, history.ModelDump());
    }
    ++files;
  }
  EXPECT_EQ(files, 3);
}

TEST(ThinExchange, CountsOfADumpAreTheReferenceCountsOfThePool) {
  MemDisk disk(MemDisk::SectorsOf(std::uint64_t{4} << 20));
  ASSERT_TRUE(ThinMetadata::Format(Op(), disk, 128, 300).ok());
  ThinHistory history(disk, 99);
  for (int i = 0; i < 200; ++i) history.Step();
  history.Finish();
  const ThinDump dump = history.ModelDump();
  EXPECT_EQ(CountUsedThinBlocks(dump), history.metadata().data_blocks().allocated);
  const std::vector<ThinDeviceCounts> counts = CountThinBlocks(dump);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::uint64_t exclusive = 0;
    for (const ThinRun& run : dump.devices[i].runs) {
      for (std::uint64_t at = 0; at < run.length; ++at) {
        const auto count = history.metadata().DataReferenceCount(Op(), run.data_begin + at);
        ASSERT_TRUE(count.ok());
        if (*count == 1) ++exclusive;
      }
    }
    EXPECT_EQ(counts[i].exclusive_blocks, exclusive) << counts[i].dev_id;
  }
}

// ── how much it takes ─────────────────────────────────────────────────────────────────────────

ThinDump OneRun(std::uint64_t data_blocks, std::uint64_t length) {
  ThinDump dump;
  dump.nr_data_blocks = data_blocks;
  dump.devices = {{0, length, 0, 0, 0, {}}};
  if (length > 0) dump.devices[0].runs = {{0, 0, length, 0}};
  return dump;
}

TEST(ThinMetadataDisk, WhatFitsNowhereIsKnownAtOnce) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 40;
  EXPECT_EQ(LeastThinMetadataBlocks(OneRun(kHuge, 0)), kMaxThinMetadataBlocks + 1);
  EXPECT_EQ(LeastThinMetadataBlocks(OneRun(kHuge, kHuge)), kMaxThinMetadataBlocks + 1);
  EXPECT_EQ(MakeThinMetadataDisk(Op(), OneRun(kHuge, kHuge)).error(), Errno::kNoSpc);
}

TEST(ThinMetadataDisk, HoldsALongRunAndHasRoom) {
  const ThinDump dump = OneRun(100'000, 60'000);
  const std::unique_ptr<MemDisk> disk = Restored(dump);
  EXPECT_EQ(DumpOf(*disk), dump);
  EXPECT_THAT(Findings(*disk), IsEmpty());
  const auto metadata = ThinMetadata::Open(Op(), *disk);
  ASSERT_TRUE(metadata.ok());
  EXPECT_GT((*metadata)->metadata_blocks().free(), LeastThinMetadataBlocks(dump));
  EXPECT_LT(disk->allocated_bytes(), std::uint64_t{2} << 20);
}

TEST(ThinMetadataDisk, GivesTheErrorsOfARestore) {
  ThinDump dump = OneRun(100, 3);
  dump.version = 7;
  EXPECT_EQ(MakeThinMetadataDisk(Op(), dump).error(), Errno::kInval);
  dump = OneRun(100, 3);
  dump.devices.push_back(dump.devices[0]);
  EXPECT_EQ(MakeThinMetadataDisk(Op(), dump).error(), Errno::kExist);
}

}  // namespace
}  // namespace lamina
