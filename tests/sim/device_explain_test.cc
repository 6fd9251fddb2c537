// Explain and the chunk map of devices: virtual block, chunk, shared with whom, break sharing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "lamina/sim/chunk_map.h"
#include "lamina/sim/explain.h"
#include "tests/golden/golden_file.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kSharedImage =
    "scenario 2\n"
    "pool p data=1MiB\n"
    "thin image p 0 1GiB\n"
    "dd of=image fill:i:256KiB\n"
    "snap c1 image\n"
    "dd of=c1 seek=64KiB fill:c:4KiB\n";

Explanation Explain(std::string_view scenario_text, const std::string& operation) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(scenario_text, {.file = "t.scn"});
  EXPECT_TRUE(scenario.ok()) << scenario.status().message();
  const absl::StatusOr<Statement> statement = ParseOperation({operation}, {});
  EXPECT_TRUE(statement.ok()) << statement.status().message();
  absl::StatusOr<Explanation> why =
      ExplainAfter(*scenario, std::nullopt, *statement, ExplainMode::kPlan);
  EXPECT_TRUE(why.ok()) << why.status().message();
  return why.ok() ? *std::move(why) : Explanation();
}

TEST(DeviceExplain, AWriteToASharedChunkBreaksSharing) {
  const Explanation why = Explain(kSharedImage, "dd of=c1 fill:x:4KiB");
  ASSERT_THAT(why.blocks, SizeIs(1));
  const ExplainedBlock& block = why.blocks[0];
  EXPECT_EQ(block.device, "c1");
  EXPECT_EQ(block.chunk, 0u);
  EXPECT_EQ(block.place, "chunk 0 of p, mapped at time 0");
  EXPECT_THAT(block.shared_with, ElementsAre("image block 0"));
  EXPECT_EQ(block.effect, "break sharing: allocate a chunk, copy 64 KiB, write 4 KiB");
  EXPECT_EQ(why.answer, "OK 4096");
  EXPECT_EQ(why.cost.bytes_read, 65536u);
  EXPECT_EQ(why.cost.bytes_written, 65536u + 4096u);
}

TEST(DeviceExplain, EveryKindOfBlockHasItsOwnEffect) {
  const Explanation why = Explain(kSharedImage, "dd of=c1 fill:x:320KiB");
  ASSERT_THAT(why.blocks, SizeIs(5));
  EXPECT_EQ(why.blocks[0].effect, "break sharing: allocate a chunk, write it whole, copy nothing");
  EXPECT_EQ(why.blocks[1].effect, "write 64 KiB in place");
  EXPECT_THAT(why.blocks[1].shared_with, IsEmpty());
  EXPECT_EQ(why.blocks[4].place, "no chunk");
  EXPECT_EQ(why.blocks[4].effect, "provision: allocate a chunk, write it whole");
  EXPECT_EQ(why.cost.bytes_read, 0u);
}

TEST(DeviceExplain, AChunkMayLookSharedThoughNobodyElseHasIt) {
  const Explanation why = Explain(kSharedImage, "dd of=image seek=64KiB fill:x:4KiB");
  ASSERT_THAT(why.blocks, SizeIs(1));
  EXPECT_THAT(why.blocks[0].shared_with, IsEmpty());
  EXPECT_EQ(why.blocks[0].sharing,
            "counts as shared: image was snapshotted at time 1, after 0; yet nobody else has it");
  EXPECT_THAT(why.blocks[0].effect, HasSubstr("break sharing"));
}

TEST(DeviceExplain, AReadChangesNothing) {
  const Explanation why = Explain(kSharedImage, "dd if=c1 skip=1MiB count=4KiB");
  ASSERT_THAT(why.blocks, SizeIs(1));
  EXPECT_EQ(why.blocks[0].block, 16u);
  EXPECT_EQ(why.blocks[0].effect, "zeros, or the external origin; nothing is allocated");
  EXPECT_EQ(why.answer, "zeros:4096");
}

TEST(DeviceExplain, ADiscardGoesBlockByBlock) {
  const Explanation why = Explain(kSharedImage, "discard c1 0 160KiB");
  ASSERT_THAT(why.blocks, SizeIs(3));
  EXPECT_EQ(why.blocks[0].effect, "unmap it; others keep the chunk");
  EXPECT_EQ(why.blocks[1].effect, "unmap it: the chunk is free");
  EXPECT_EQ(why.blocks[2].effect, "a part of a block: nothing");
}

TEST(DeviceExplain, DmSnapshotCopiesToTheCowDevice) {
  const std::string text =
      "scenario 2\ndisk base 1MiB\nsnap s base cow=512KiB chunk=4KiB\ndd of=s fill:s:4KiB\n";
  EXPECT_EQ(Explain(text, "dd of=s fill:x:512").blocks[0].place, "chunk 2 of the COW device");
  EXPECT_EQ(Explain(text, "dd of=s seek=8KiB fill:x:512").blocks[0].effect,
            "an exception: copy 4 KiB from the origin, write 512 B");
  EXPECT_EQ(Explain(text, "dd of=base seek=8KiB fill:x:512").blocks[0].effect,
            "1 of its snapshots must copy first, then write it");
}

TEST(DeviceExplain, CountsTheBlocksThatItDoesNotShow) {
  const Explanation copy = Explain(kSharedImage, "dd if=image of=c1 count=2MiB");
  ASSERT_THAT(copy.blocks, SizeIs(2 * kMostBlocks));
  EXPECT_EQ(copy.blocks.front().device, "image");
  EXPECT_EQ(copy.blocks.back().device, "c1");
  EXPECT_THAT(copy.notes, ElementsAre("32 more blocks are not shown"));
  EXPECT_THAT(Explain(kSharedImage, "discard c1 0 1MiB").notes, IsEmpty());
}

TEST(DeviceExplain, NothingHappensPastTheEnd) {
  const Explanation why = Explain(kSharedImage, "dd of=c1 seek=1GiB fill:x:512");
  ASSERT_THAT(why.blocks, SizeIs(1));
  EXPECT_EQ(why.blocks[0].place, "a part of it lies past the end of the device");
  EXPECT_EQ(why.blocks[0].effect, "nothing: the request is refused");
  EXPECT_EQ(why.answer, "EIO");
}

TEST(DeviceExplain, ASnapshotWithoutTheFeatureTakesNoDiscards) {
  const Explanation why =
      Explain("scenario 2\ndisk d 1MiB\nsnap s d cow=1MiB\n", "discard s 0 16KiB");
  ASSERT_THAT(why.blocks, SizeIs(1));
  EXPECT_EQ(why.blocks[0].effect, "the snapshot takes no discards");
  EXPECT_EQ(why.answer, "EOPNOTSUPP");
}

TEST(DeviceExplain, SaysTheWholeStory) {
  ExpectGolden("explain_break_sharing.txt",
               ExplanationText(Explain(kSharedImage, "dd of=c1 seek=32KiB fill:x:64KiB"), {}));
}

// ── Chunk map ──────────────────────────────────────────────────────────────────────────────────

std::vector<ChunkMap> MapsAfter(std::string_view text) {
  const absl::StatusOr<Scenario> scenario = ParseScenario(text, {.file = "t.scn"});
  EXPECT_TRUE(scenario.ok());
  ScenarioRun run(*scenario, {});
  EXPECT_TRUE(run.RunAll().ok());
  absl::StatusOr<std::vector<ChunkMap>> maps = ChunkMapsOf(run);
  EXPECT_TRUE(maps.ok());
  return *std::move(maps);
}

TEST(ChunkMap, CountsSharedAndExclusiveChunks) {
  const std::vector<ChunkMap> maps = MapsAfter(kSharedImage);
  ASSERT_THAT(maps, SizeIs(1));
  const ChunkMap& map = maps[0];
  EXPECT_EQ(map.used, 5u);
  EXPECT_EQ(map.shared, 3u);
  EXPECT_EQ(map.exclusive, 2u);
  EXPECT_EQ(map.used, map.shared + map.exclusive + map.held);
  ASSERT_THAT(map.devices, SizeIs(2));
  EXPECT_EQ(map.devices[1].name, "c1");
  EXPECT_EQ(map.devices[1].mapped, 4u);
  EXPECT_EQ(map.devices[1].shared, 3u);
  EXPECT_EQ(map.devices[1].exclusive, 1u);
}

TEST(ChunkMap, IsDrawn) {
  ExpectGolden("chunk_map.txt", ChunkMapText(MapsAfter(kSharedImage)[0], ChunkMapDetail::kUsers));
}

TEST(ChunkMap, NamesDevicesThatAreNotActiveByTheirId) {
  const std::vector<ChunkMap> maps = MapsAfter(std::string(kSharedImage) + "remove c1\n");
  EXPECT_EQ(maps[0].devices[1].name, "device 1");
}

}  // namespace
}  // namespace lamina::sim
