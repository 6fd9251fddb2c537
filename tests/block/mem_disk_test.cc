// MemDisk: sparse, exact at its ends, captured in O(1).
#include "lamina/block/mem_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/block/device_fixture.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;

class Listener final : public EventSink {
 public:
  void OnEvent(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

TEST(MemDisk, ReadsZerosWhereNothingWasWritten) {
  MemDisk disk(MemDisk::SectorsOf(std::uint64_t{100} << 30));
  EXPECT_EQ(disk.size_sectors(), 209'715'200u);
  EXPECT_THAT(Fills(disk, 209'715'198, 2), ElementsAre(0, 0));
  EXPECT_EQ(disk.allocated_bytes(), 0u);
}

TEST(MemDisk, KeepsWhatIsWrittenSectorBySector) {
  MemDisk disk(64);
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{3}, Sectors(2, 7)).ok());
  EXPECT_THAT(Fills(disk, 2, 4), ElementsAre(0, 7, 7, 0));
  EXPECT_EQ(disk.allocated_bytes(), 4096u);
}

TEST(MemDisk, RefusesPartsOfSectorsAndWhatLiesPastTheEnd) {
  MemDisk disk(8);
  std::vector<std::byte> part(100);
  std::vector<std::byte> two = Sectors(2, 1);
  const OpContext op = Caller().Op();
  EXPECT_EQ(disk.Read(op, Sector{0}, part).error(), Errno::kInval);
  EXPECT_EQ(disk.Write(op, Sector{0}, part).error(), Errno::kInval);
  EXPECT_EQ(disk.Read(op, Sector{7}, two).error(), Errno::kInval);
  EXPECT_EQ(disk.Write(op, Sector{7}, two).error(), Errno::kInval);
  EXPECT_EQ(disk.Write(op, Sector{~std::uint64_t{0}}, two).error(), Errno::kInval);
  EXPECT_EQ(disk.Discard(op, {Sector{7}, 2}).error(), Errno::kInval);
  EXPECT_TRUE(disk.Read(op, Sector{8}, MutableBytes{}).ok());
  EXPECT_THAT(Fills(disk, 0, 8), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(MemDisk, DiscardedSectorsReadAsZeros) {
  MemDisk disk(32);
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{0}, Sectors(32, 5)).ok());
  ASSERT_TRUE(disk.Discard(Caller().Op(), {Sector{7}, 17}).ok());
  EXPECT_THAT(Fills(disk, 6, 3), ElementsAre(5, 0, 0));
  EXPECT_THAT(Fills(disk, 23, 2), ElementsAre(0, 5));
  EXPECT_EQ(disk.allocated_bytes(), 2 * 4096u) << "the page between is a hole";
}

TEST(MemDisk, AnImageStaysWhatItWas) {
  MemDisk disk(16);
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{0}, Sectors(16, 1)).ok());
  const MemDisk::Image before = disk.Capture();
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{4}, Sectors(1, 2)).ok());
  disk.Resize(32);
  EXPECT_THAT(Fills(disk, 3, 3), ElementsAre(1, 2, 1));
  disk.Restore(before);
  EXPECT_THAT(Fills(disk, 3, 3), ElementsAre(1, 1, 1));
  EXPECT_EQ(disk.size_sectors(), 16u);
}

TEST(MemDisk, ResizeCutsAndAddsZeros) {
  MemDisk disk(16);
  ASSERT_TRUE(disk.Write(Caller().Op(), Sector{0}, Sectors(16, 1)).ok());
  disk.Resize(3);
  disk.Resize(5);
  EXPECT_THAT(Fills(disk, 2, 3), ElementsAre(1, 0, 0));
}

TEST(MemDisk, TellsWhatItDid) {
  Listener listener;
  MemDisk disk(16, /*source=*/9);
  const Caller caller(&listener);
  std::vector<std::byte> one = Sectors(1, 1);
  ASSERT_TRUE(disk.Write(caller.Op(), Sector{2}, Sectors(3, 1)).ok());
  ASSERT_TRUE(disk.Read(caller.Op(), Sector{4}, one).ok());
  ASSERT_TRUE(disk.Flush(caller.Op()).ok());
  ASSERT_TRUE(disk.Discard(caller.Op(), {Sector{1}, 2}).ok());
  ASSERT_EQ(listener.events.size(), 4u);
  EXPECT_EQ(listener.events[0].kind, EventKind::kSectorWrite);
  EXPECT_EQ(listener.events[0].source, 9u);
  EXPECT_EQ(listener.events[0].subject, 2u);
  EXPECT_EQ(listener.events[0].amount, 1536u);
  EXPECT_EQ(listener.events[1].kind, EventKind::kSectorRead);
  EXPECT_EQ(listener.events[2].kind, EventKind::kFlush);
  EXPECT_EQ(listener.events[3].kind, EventKind::kDiscard);
  EXPECT_EQ(listener.events[3].amount, 1024u);
}

}  // namespace
}  // namespace lamina
