// Explain and the chunk map of devices: virtual block, chunk, shared with whom, break sharing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "lamina/sim/chunk_map.h"
#include "lamina/sim/explain.h"
#include "tests/golden/golden_file.h"

namespace lamina::sim {
namespace {

using lamina::testing::ExpectGolden;

using ::testing::Contains;
using ::testing::Each;
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

// A request on a device of a few blocks, or something that changes the state of its pool.
std::string RandomRequest(std::minstd_rand& draw) {
  const std::string device = draw() % 3 == 0 ? "s" : draw() % 2 == 0 ? "t" : "u";
  const std::string step = device == "s" ? "KiB" : "0KiB";  // 4 and 40: parts of chunks, too
  const std::string at = std::to_string(4 * (draw() % 20)) + step;
  const std::string length = std::to_string(4 * (1 + draw() % 5)) + step;
  switch (draw() % 8) {
    case 0:
      return "discard " + device + ' ' + at + ' ' + length;
    case 1:
      return "dd if=" + device + " skip=" + at + " count=" + length;
    case 2:
      return "dd of=d seek=" + std::to_string(4 * (draw() % 20)) + "KiB fill:d:4KiB";
    default:
      return "dd of=" + device + " seek=" + at + " fill:x:" + length;
  }
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
  EXPECT_EQ(why.blocks[1].effect, "unmap it: the chunk is free, and is discarded below");
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
  EXPECT_THAT(copy.notes, Contains("32 more blocks are not shown"));
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
  EXPECT_EQ(why.blocks[0].effect, "EOPNOTSUPP: the snapshot takes no discards");
  EXPECT_EQ(why.answer, "EOPNOTSUPP");
}

// ── What is refused, or waits (devicemapper.md sections 9 and 13) ──────────────────────────────

// Blocks 0 to 6 of t are mapped, one chunk is free.
constexpr std::string_view kNearlyFull =
    "scenario 2\n"
    "pool p data=512KiB\n"
    "thin t p 0 1MiB\n"
    "dd of=t fill:a:448KiB\n";

std::vector<std::string> EffectsOf(const Explanation& why) {
  std::vector<std::string> effects;
  for (const ExplainedBlock& block : why.blocks) effects.push_back(block.effect);
  return effects;
}

constexpr const char* kNotReached = "not reached: the operation has ended before";

TEST(DeviceExplain, DM_042_AWriteWaitsWhereAPoolThatQueuesIsFull) {
  const Explanation why = Explain(kNearlyFull, "dd of=t seek=384KiB fill:x:256KiB");
  EXPECT_THAT(EffectsOf(why),
              ElementsAre("write 64 KiB in place", "provision: allocate a chunk, write it whole",
                          "waits (EAGAIN) for at most 60 s (no_space_timeout), then ENOSPC: p has "
                          "no free chunk, all 8 are used",
                          kNotReached));
  EXPECT_EQ(why.answer, "EAGAIN");
  EXPECT_THAT(why.notes, ElementsAre("p goes from rw to out_of_data_space"));
}

TEST(DeviceExplain, DM_041_AFullPoolMayGiveAnErrorAtOnce) {
  const std::string full =
      "scenario 2\npool p data=512KiB error_if_no_space\nthin t p 0 1MiB\ndd of=t fill:a:512KiB\n";
  const Explanation why = Explain(full, "dd of=t seek=512KiB fill:x:64KiB");
  EXPECT_THAT(EffectsOf(why), ElementsAre("ENOSPC: p has no free chunk, all 8 are used, and its "
                                          "table says error_if_no_space"));
  EXPECT_EQ(why.answer, "ENOSPC");
  EXPECT_EQ(Explain(full, "dd of=t fill:x:4KiB").blocks[0].effect, "write 4 KiB in place");
}

TEST(DeviceExplain, DM_042_AfterTheTimeoutAQueueingPoolGivesAnErrorToo) {
  const std::string timed_out =
      std::string(kNearlyFull) + "dd of=t seek=448KiB fill:b:128KiB -> EAGAIN\nsleep 61\n";
  const Explanation why = Explain(timed_out, "dd of=t seek=512KiB fill:x:64KiB");
  EXPECT_THAT(why.blocks[0].effect, HasSubstr("ENOSPC: p has no free chunk, all 8 are used, and "
                                              "writes waited too long already"));
  EXPECT_EQ(why.answer, "ENOSPC");
}

TEST(DeviceExplain, FreedChunksOfAFullPoolCountFromTheCommitOn) {
  const std::string freed =
      std::string(kNearlyFull) + "dd of=t seek=448KiB fill:b:128KiB -> EAGAIN\ndiscard t 0 64KiB\n";
  const Explanation why = Explain(freed, "dd of=t seek=512KiB fill:x:64KiB");
  EXPECT_THAT(why.blocks[0].effect,
              HasSubstr("p is out of data space; what was freed since (1) counts from the"));
  EXPECT_EQ(why.answer, "EAGAIN");
  EXPECT_EQ(Explain(freed + "commit p\n", "dd of=t seek=512KiB fill:x:64KiB").answer, "OK 65536");
}

TEST(DeviceExplain, DM_013_BreakingASharingThatIsNoneNeedsAChunkAllTheSame) {
  const std::string full =
      "scenario 2\npool p data=256KiB error_if_no_space\nthin t p 0 1MiB\ndd of=t fill:a:256KiB\n"
      "snap s t\nremove s\nmessage p delete 1\n";
  const Explanation why = Explain(full, "dd of=t fill:x:4KiB");
  EXPECT_THAT(why.blocks[0].sharing, HasSubstr("yet nobody else has it"));
  EXPECT_THAT(why.blocks[0].effect, HasSubstr("ENOSPC: p has no free chunk"));
  EXPECT_EQ(why.answer, "ENOSPC");
}

TEST(DeviceExplain, ASharingThatIsNoneGivesItsChunkBack) {
  const std::string one_free =
      "scenario 2\npool p data=256KiB error_if_no_space\nthin t p 0 1MiB\ndd of=t fill:a:192KiB\n"
      "snap s t\nremove s\nmessage p delete 1\n";
  const Explanation why = Explain(one_free, "dd of=t fill:x:192KiB");
  EXPECT_THAT(EffectsOf(why), Each(HasSubstr("break sharing")));
  EXPECT_EQ(why.answer, "OK 196608");
}

TEST(DeviceExplain, DM_048_AReadOnlyPoolWritesInPlaceOnly) {
  const std::string read_only = std::string(kNearlyFull) + "pool p read_only\n";
  const Explanation why = Explain(read_only, "dd of=t seek=384KiB fill:x:128KiB");
  EXPECT_THAT(EffectsOf(why),
              ElementsAre("write 64 KiB in place", "EIO: p is read-only: its table says so"));
  EXPECT_EQ(why.answer, "EIO");
  const Explanation discarded = Explain(read_only, "discard t 0 64KiB");
  EXPECT_THAT(EffectsOf(discarded), ElementsAre("nothing, though it succeeds: p is read-only: its "
                                                "table says so"));
  EXPECT_EQ(discarded.answer, "OK");
}

TEST(DeviceExplain, DM_026_DiscardsThatAPoolIgnoresAreRefused) {
  const Explanation why =
      Explain("scenario 2\npool p ignore_discard\nthin t p 0 1MiB\ndd of=t fill:a:64KiB\n",
              "discard t 0 128KiB");
  EXPECT_THAT(EffectsOf(why), ElementsAre("EOPNOTSUPP: the pool ignores discards", kNotReached));
  EXPECT_EQ(why.answer, "EOPNOTSUPP");
}

TEST(DeviceExplain, EveryRequestOfASuspendedPoolWaits) {
  const std::string suspended = std::string(kNearlyFull) + "suspend p\n";
  for (const std::string operation : {"dd of=t fill:x:64KiB", "dd of=t seek=512KiB fill:x:64KiB",
                                      "dd if=t count=4KiB", "discard t 0 64KiB"}) {
    const Explanation why = Explain(suspended, operation);
    EXPECT_THAT(EffectsOf(why), ElementsAre("waits (EAGAIN) until a resume: p is suspended"));
    EXPECT_EQ(why.answer, "EAGAIN");
  }
}

TEST(DeviceExplain, NamesADeviceThatIsNotThere) {
  EXPECT_THAT(Explain(kNearlyFull, "dd of=x fill:x:512").notes,
              ElementsAre("there is no device x"));
  const Explanation pool = Explain(kNearlyFull, "dd of=p fill:x:512");
  EXPECT_THAT(pool.notes, ElementsAre("p is a pool: its thin devices are read and written"));
  EXPECT_EQ(pool.answer, "ENXIO");
}

TEST(DeviceExplain, ACopyEndsWithItsRead) {
  const Explanation why =
      Explain(std::string(kNearlyFull) + "disk d 1MiB\nsuspend p\n", "dd if=t of=d count=4KiB");
  EXPECT_THAT(EffectsOf(why),
              ElementsAre("waits (EAGAIN) until a resume: p is suspended", kNotReached));
}

TEST(DeviceExplain, AnEndBehindTheBlocksThatAreShownIsShownToo) {
  const Explanation why = Explain(
      "scenario 2\npool p data=2MiB error_if_no_space\nthin t p 0 4MiB\n", "dd of=t fill:x:3MiB");
  ASSERT_THAT(why.blocks, SizeIs(kMostBlocks + 1));
  EXPECT_EQ(why.blocks.back().block, 32u);
  EXPECT_THAT(why.blocks.back().effect, HasSubstr("ENOSPC: p has no free chunk, all 32 are used"));
  EXPECT_THAT(why.notes, Contains("31 more blocks are not shown"));
}

// 16 metadata blocks: enough for 512 mappings and not for 768.
TEST(DeviceExplain, SaysThatThePoolRanOutOfMetadata) {
  const std::string text =
      "scenario 2\npool p data=64MiB meta=64KiB\nthin t p 0 1GiB\ndd of=t fill:a:32MiB\n";
  const Explanation why = Explain(text, "dd of=t seek=32MiB fill:b:16MiB");
  EXPECT_EQ(why.answer, "EIO");
  EXPECT_THAT(why.notes, Contains("p goes from rw to ro; p is read-only: needs_check, since an "
                                  "operation on its metadata failed; what changed since its last "
                                  "commit is thrown away"));
  const Explanation next =
      Explain(text + "dd of=t seek=32MiB fill:b:16MiB -> EIO\n", "dd of=t seek=32MiB fill:b:64KiB");
  EXPECT_THAT(EffectsOf(next),
              ElementsAre("EIO: p is read-only: needs_check, since an operation on "
                          "its metadata failed"));
}

TEST(DeviceExplain, DM_061_AFullCowDeviceMakesASnapshotInvalid) {
  const std::string full =
      "scenario 2\ndisk d 1MiB\nsnap s d cow=16KiB chunk=4KiB\ndd of=s fill:s:8KiB\n";
  const Explanation from_origin = Explain(full, "dd of=d seek=8KiB fill:x:4KiB");
  EXPECT_EQ(from_origin.blocks[0].effect,
            "1 of its snapshots must copy first, then write it; s has no room for it and becomes "
            "invalid");
  EXPECT_EQ(from_origin.answer, "OK 4096");
  const Explanation from_snapshot = Explain(full, "dd of=s seek=4KiB fill:x:8KiB");
  EXPECT_THAT(EffectsOf(from_snapshot),
              ElementsAre("write 4 KiB in place",
                          "EIO: the COW device is full, and the snapshot becomes invalid"));
  EXPECT_EQ(from_snapshot.answer, "EIO");
  EXPECT_EQ(
      Explain(full + "dd of=d seek=8KiB fill:x:4KiB\n", "dd if=s count=4KiB").blocks[0].effect,
      "EIO: the snapshot is invalid");
}

TEST(DeviceExplain, DM_062_ASnapshotWithOverflowStaysReadable) {
  const std::string full =
      "scenario 2\ndisk d 1MiB\nsnap s d cow=16KiB chunk=4KiB store=PO\ndd of=s fill:s:8KiB\n";
  EXPECT_EQ(Explain(full, "dd of=s seek=8KiB fill:x:4KiB").blocks[0].effect,
            "EIO: the COW device is full; from now on the snapshot can only be read");
  const std::string overflowed = full + "dd of=s seek=8KiB fill:x:4KiB -> EIO\n";
  EXPECT_EQ(Explain(overflowed, "dd of=s fill:x:4KiB").blocks[0].effect,
            "EIO: the snapshot has overflowed: it can only be read");
  EXPECT_EQ(Explain(overflowed, "dd if=s count=4KiB").blocks[0].effect, "read it there");
}

TEST(DeviceExplain, ASuspendedSnapshotLetsEverythingWait) {
  const std::string text = "scenario 2\ndisk d 1MiB\nsnap s d cow=1MiB\nsuspend s\n";
  EXPECT_THAT(EffectsOf(Explain(text, "dd of=s fill:x:512")),
              ElementsAre("waits (EAGAIN) until a resume: it is suspended"));
  EXPECT_EQ(Explain(text, "dd of=s fill:x:512").answer, "EAGAIN");
}

TEST(DeviceExplain, AnOriginTakesNoDiscards) {
  const Explanation why =
      Explain("scenario 2\ndisk d 1MiB\nsnap s d cow=1MiB\n", "discard d 0 64KiB");
  EXPECT_EQ(why.blocks[0].effect, "EOPNOTSUPP: an origin of snapshots takes no discards");
  EXPECT_EQ(why.answer, "EOPNOTSUPP");
}

// What is explained as refused is refused, and nothing else: on pools and snapshots near their end.
TEST(DeviceExplain, AgreesWithTheAnswerOnRandomHistories) {
  const std::vector<std::string> fronts = {"pool p data=512KiB\n",
                                           "pool p data=512KiB error_if_no_space\n",
                                           "pool p data=512KiB ignore_discard\n"};
  std::minstd_rand draw(5);
  std::size_t refused = 0;
  for (int round = 0; round < 120; ++round) {
    std::string text = "scenario 2\n" + fronts[draw() % fronts.size()] +
                       "thin t p 0 1MiB\nsnap u t\ndisk d 256KiB\n"
                       "snap s d cow=40KiB chunk=4KiB store=" +
                       std::string(draw() % 2 == 0 ? "P" : "PO") + '\n';
    for (std::size_t i = draw() % 12; i-- > 0;) text += RandomRequest(draw) + '\n';
    const std::string operation = RandomRequest(draw);
    const Explanation why = Explain(text, operation);
    const bool ends = std::any_of(why.blocks.begin(), why.blocks.end(), [](const auto& block) {
      const std::string& effect = block.effect;
      return effect.starts_with("E") || effect.starts_with("waits");
    });
    EXPECT_EQ(ends, why.error.has_value()) << text << operation << " gives " << why.answer;
    refused += ends ? 1 : 0;
  }
  EXPECT_GT(refused, 10u);
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
