// A device with its snapshot-origin target, and any number of snapshots of it.
#ifndef LAMINA_TESTS_BLOCK_SNAPSHOT_RIG_H_
#define LAMINA_TESTS_BLOCK_SNAPSHOT_RIG_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lamina/block/mem_disk.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/block/snapshot_origins.h"
#include "tests/block/device_fixture.h"

namespace lamina {

// Chunks have 8 sectors unless said otherwise.
class SnapshotRig {
 public:
  explicit SnapshotRig(std::uint64_t sectors = 1024)
      : disk(sectors), origin(WriteThrough(sectors)) {}

  static SnapshotTable Table(std::uint64_t sectors, std::string_view arguments,
                             std::string_view target = "snapshot") {
    const TableResult<SnapshotTable> table =
        ParseSnapshotTable("0 " + std::to_string(sectors) + " " + std::string(target) +
                           " disk cow " + std::string(arguments));
    EXPECT_TRUE(table.ok());
    return table.ok() ? *table : SnapshotTable();
  }

  TableResult<std::unique_ptr<SnapshotDevice>> Load(MemDisk& cow, std::string_view arguments,
                                                    std::string_view target = "snapshot") {
    return SnapshotDevice::Load(op, origins, Table(disk.size_sectors(), arguments, target), disk,
                                cow);
  }
  std::unique_ptr<OriginDevice> WriteThrough(std::uint64_t sectors) {
    const SnapshotOriginTable table{.length_sectors = sectors, .origin_device = "disk"};
    return std::move(*OriginDevice::Create(origins, table, disk));
  }
  // Loaded and resumed.
  std::unique_ptr<SnapshotDevice> Snapshot(MemDisk& cow, std::string_view arguments,
                                           std::string_view target = "snapshot") {
    TableResult<std::unique_ptr<SnapshotDevice>> loaded = Load(cow, arguments, target);
    EXPECT_TRUE(loaded.ok()) << loaded.message();
    EXPECT_TRUE((*loaded)->Resume(op).ok());
    return std::move(*loaded);
  }
  // `source` hands over to a snapshot-merge on the same COW device.
  std::unique_ptr<SnapshotDevice> Merge(SnapshotDevice& source, MemDisk& cow,
                                        std::string_view arguments) {
    TableResult<std::unique_ptr<SnapshotDevice>> loaded = Load(cow, arguments, "snapshot-merge");
    EXPECT_TRUE(loaded.ok()) << loaded.message();
    source.Suspend();
    EXPECT_TRUE((*loaded)->Resume(op).ok());
    return std::move(*loaded);
  }

  Result<void> Write(BlockDevice& device, std::uint64_t first, std::uint64_t count, int fill) {
    return device.Write(op, Sector{first}, Sectors(count, fill));
  }
  Errno WriteError(BlockDevice& device, std::uint64_t first, std::uint64_t count) {
    const Result<void> done = Write(device, first, count, 99);
    EXPECT_FALSE(done.ok());
    return done.ok() ? Errno{} : done.error();
  }
  Errno ReadError(BlockDevice& device, std::uint64_t first, std::uint64_t count) {
    std::vector<std::byte> bytes(count * kSectorBytes);
    const Result<void> done = device.Read(op, Sector{first}, bytes);
    EXPECT_FALSE(done.ok());
    return done.ok() ? Errno{} : done.error();
  }
  // The origin holds 1, 2, 3 … in its chunks.
  void Number(std::uint64_t chunks) {
    for (std::uint64_t i = 0; i < chunks; ++i) {
      ASSERT_TRUE(Write(*origin, i * 8, 8, static_cast<int>(i + 1)).ok());
    }
  }
  static int FillOf(BlockDevice& device, std::uint64_t sector) {
    const std::vector<int> fills = Fills(device, sector, 1);
    return fills.empty() ? -2 : fills[0];
  }

  Caller caller;
  OpContext op = caller.Op();
  SnapshotOrigins origins;
  MemDisk disk;
  std::unique_ptr<OriginDevice> origin;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_SNAPSHOT_RIG_H_
