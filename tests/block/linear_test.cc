// LinearDevice: the same sectors, counted from another place.
#include "lamina/block/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "lamina/block/mem_disk.h"
#include "tests/block/device_fixture.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;

TEST(LinearDevice, MapsItsSectorsOntoTheTarget) {
  MemDisk disk(32);
  Result<std::unique_ptr<LinearDevice>> line = LinearDevice::Create(disk, {Sector{10}, 4});
  ASSERT_TRUE(line.ok());
  BlockDevice& device = **line;
  EXPECT_EQ(device.size_sectors(), 4u);
  ASSERT_TRUE(device.Write(Caller().Op(), Sector{0}, Sectors(4, 3)).ok());
  EXPECT_THAT(Fills(disk, 9, 6), ElementsAre(0, 3, 3, 3, 3, 0));
  ASSERT_TRUE(device.Discard(Caller().Op(), {Sector{1}, 2}).ok());
  EXPECT_THAT(Fills(device, 0, 4), ElementsAre(3, 0, 0, 3));
  EXPECT_TRUE(device.Flush(Caller().Op()).ok());
}

TEST(LinearDevice, EndsWhereItsRangeEnds) {
  MemDisk disk(32);
  Result<std::unique_ptr<LinearDevice>> line = LinearDevice::Create(disk, {Sector{10}, 4});
  ASSERT_TRUE(line.ok());
  const OpContext op = Caller().Op();
  EXPECT_EQ((*line)->Write(op, Sector{3}, Sectors(2, 1)).error(), Errno::kInval);
  EXPECT_EQ((*line)->Discard(op, {Sector{4}, 1}).error(), Errno::kInval);
  EXPECT_THAT(Fills(**line, 3, 2), ElementsAre());
  EXPECT_THAT(Fills(disk, 13, 2), ElementsAre(0, 0));
}

TEST(LinearDevice, RefusesARangeThatTheTargetDoesNotHave) {
  MemDisk disk(32);
  EXPECT_EQ(LinearDevice::Create(disk, {Sector{0}, 0}).error(), Errno::kInval);
  EXPECT_EQ(LinearDevice::Create(disk, {Sector{30}, 3}).error(), Errno::kInval);
  EXPECT_EQ(LinearDevice::Create(disk, {Sector{33}, 1}).error(), Errno::kInval);
  EXPECT_TRUE(LinearDevice::Create(disk, {Sector{31}, 1}).ok());
}

}  // namespace
}  // namespace lamina
