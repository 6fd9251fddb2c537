// A pool of 100 GiB with 10,000 thin devices of 10 GiB: memory and metadata follow what was
// written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "tests/block/thin_rig.h"

namespace lamina {
namespace {

using ::testing::Each;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kDevices = 10'000;
constexpr std::uint64_t kBlock = 64 << 10;

ThinRig::Shape HundredGiB() {
  constexpr std::uint64_t kPoolBytes = 100 * kGiB;
  return {.blocks = kPoolBytes / kBlock,
          .metadata_blocks = ThinMetadataGuideBytes(kPoolBytes, kBlock) / kThinMetadataBlockBytes,
          .device_blocks = 10 * kGiB / kBlock};
}

// What the process has in memory.
std::uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Device 0 with 100 blocks of data, 4,999 snapshots of it, 5,000 empty devices.
void MakeDevices(ThinRig& rig) {
  rig.Create(0);
  ASSERT_TRUE(rig.Write(0, 0, 1600, 1).ok());
  for (std::uint64_t id = 1; id < kDevices / 2; ++id) rig.Snap(id, 0);
  for (std::uint64_t id = kDevices / 2; id < kDevices; ++id) rig.Create(id);
}

// One page at the end of each device, and one at its beginning.
void WriteToEach(ThinRig& rig) {
  const std::uint64_t last_page = rig.shape().device_blocks * 16 - 1;
  for (std::uint64_t id = 0; id < kDevices; ++id) {
    ASSERT_TRUE(rig.Write(id, 0, 1, static_cast<int>(id % 200) + 2).ok());
    ASSERT_TRUE(rig.Write(id, last_page, 1, 2).ok());
  }
}

TEST(ThinScale, TenThousandDevicesOfTenGiBInAPoolOfAHundred) {
  const std::uint64_t memory_before = ResidentBytes();
  ThinRig rig(HundredGiB());
  MakeDevices(rig);
  EXPECT_EQ(rig.Used(), 100u);
  EXPECT_EQ(rig.data_disk().allocated_bytes(), 100 * kBlock);
  EXPECT_EQ(rig.Details(4'999).mapped_blocks, 100u);

  WriteToEach(rig);
  // The block that all snapshots shared with device 0 was copied by each of them, and is free.
  EXPECT_EQ(rig.Used(), 100 + 2 * kDevices - 1);
  // A tree of one node a device.
  EXPECT_LE(rig.pool().metadata().metadata_blocks().allocated, kDevices + 1'000);
  // 86 MiB of pages were written, and 75 MiB of metadata at most; the rest is shared or
  // zeros. A sanitizer adds its shadow, and keeps what was freed.
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t kMostResident = 1024 * kMiB;
#else
  constexpr std::uint64_t kMostResident = 300 * kMiB;
#endif
  EXPECT_LE(ResidentBytes() - memory_before, kMostResident);

  EXPECT_EQ(rig.Read(7'777, 0, 1), std::vector<int>{7'777 % 200 + 2});
  EXPECT_THAT(rig.Read(4'321, 1, 1599), Each(1));
  EXPECT_THAT(rig.Read(9'999, 1, 1599), Each(0));
}

}  // namespace
}  // namespace lamina
