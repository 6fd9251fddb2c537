// dm-snapshot on devices that fail: what becomes of the write, of the snapshot, of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lamina/block/mem_disk.h"
#include "lamina/block/snapshot_device.h"
#include "lamina/sim/faulty_device.h"
#include "tests/block/device_fixture.h"

namespace lamina::sim {
namespace {

class SnapshotFault : public ::testing::Test {
 protected:
  SnapshotFault() {
    EXPECT_TRUE(disk_.Write(op_, Sector{0}, Sectors(64, 1)).ok());
    const SnapshotOriginTable table{.length_sectors = 64, .origin_device = "disk"};
    origin_ = std::move(*OriginDevice::Create(origins_, table, faulty_disk_));
    snapshot_ = Load("snapshot", "PO");
    EXPECT_TRUE(snapshot_->Resume(op_).ok());
  }
  std::unique_ptr<SnapshotDevice> Load(const std::string& target, const std::string& store) {
    const auto table = ParseSnapshotTable("0 64 " + target + " disk cow " + store + " 8");
    auto loaded = SnapshotDevice::Load(op_, origins_, *table, faulty_disk_, faulty_cow_);
    EXPECT_TRUE(loaded.ok()) << loaded.message();
    return std::move(*loaded);
  }
  Result<void> Write(BlockDevice& device, std::uint64_t first, std::uint64_t count) {
    return device.Write(op_, Sector{first}, Sectors(count, 9));
  }

  Caller caller_;
  OpContext op_ = caller_.Op();
  FaultPlan plan_;
  MemDisk disk_{64};
  MemDisk cow_{128};
  FaultyDevice faulty_disk_{disk_, plan_, "disk"};
  FaultyDevice faulty_cow_{cow_, plan_, "cow"};
  SnapshotOrigins origins_;
  std::unique_ptr<OriginDevice> origin_;
  std::unique_ptr<SnapshotDevice> snapshot_;
};

TEST_F(SnapshotFault, AChunkThatCannotBeReadMakesTheSnapshotInvalidAndTheWriteGoesOn) {
  plan_.Add(Fault::On(Op::kPread).AtDevice("disk").Times(1).Fail(Errno::kIo));
  EXPECT_TRUE(Write(*origin_, 0, 8).ok());
  EXPECT_EQ(snapshot_->Status(), "Invalid");
  EXPECT_EQ(Fills(disk_, 0, 8), std::vector<int>(8, 9));
}

TEST_F(SnapshotFault, AChunkThatCannotBeWrittenMakesTheSnapshotInvalidWithOverflowToo) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("cow").Times(1).Fail(Errno::kNoSpc));
  EXPECT_EQ(Write(*snapshot_, 0, 8).error(), Errno::kIo);
  EXPECT_EQ(snapshot_->Status(), "Invalid");
}

TEST_F(SnapshotFault, AnExceptionThatCannotBeRecordedMakesTheSnapshotInvalid) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("cow").Sectors(8, 8).Times(1).Fail(Errno::kIo));
  EXPECT_TRUE(Write(*origin_, 0, 8).ok());
  EXPECT_EQ(snapshot_->Status(), "Invalid");
  snapshot_.reset();
  EXPECT_EQ(Load("snapshot", "P")->Status(), "Invalid") << "the header says so";
}

TEST_F(SnapshotFault, AHeaderThatCannotBeWrittenChangesNothingUntilTheNextLoad) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("cow").Fail(Errno::kIo));
  EXPECT_TRUE(Write(*origin_, 0, 8).ok());
  EXPECT_EQ(snapshot_->Status(), "Invalid");
  plan_.Clear();
  snapshot_.reset();
  EXPECT_EQ(Load("snapshot", "P")->Status(), "16/128 16");
}

TEST_F(SnapshotFault, AWriteInPlaceThatFailsLeavesTheSnapshotAsItWas) {
  ASSERT_TRUE(Write(*snapshot_, 0, 8).ok());
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("cow").Times(1).Fail(Errno::kIo));
  EXPECT_EQ(Write(*snapshot_, 0, 1).error(), Errno::kIo);
  EXPECT_EQ(snapshot_->Status(), "24/128 16");
}

TEST_F(SnapshotFault, AnOriginThatFailsHasItsExceptionAlready) {
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("disk").Times(1).Fail(Errno::kIo));
  EXPECT_EQ(Write(*origin_, 0, 8).error(), Errno::kIo);
  EXPECT_EQ(snapshot_->exception_count(), 1u);
  EXPECT_EQ(Fills(*snapshot_, 0, 8), std::vector<int>(8, 1));
}

class MergeFault : public SnapshotFault {
 protected:
  void StartMerge() {
    ASSERT_TRUE(Write(*snapshot_, 0, 8).ok());
    merge_ = Load("snapshot-merge", "P");
    snapshot_->Suspend();
    ASSERT_TRUE(merge_->Resume(op_).ok());
  }
  void ExpectFailedMerge() {
    EXPECT_EQ(merge_->RunUntil(op_, op_.now).error(), Errno::kIo);
    EXPECT_EQ(merge_->Status(), "Merge failed");
    EXPECT_FALSE(merge_->NextDeadline().has_value());
    plan_.Clear();
    EXPECT_EQ(merge_->MergeNext(op_).error(), Errno::kIo) << "for good";
    EXPECT_EQ(Fills(*merge_, 0, 8), std::vector<int>(8, 9)) << "and still shows its content";
  }
  std::unique_ptr<SnapshotDevice> merge_;
};

TEST_F(MergeFault, ACopyThatFailsEndsTheMerge) {
  StartMerge();
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("disk").Fail(Errno::kIo));
  ExpectFailedMerge();
}

TEST_F(MergeFault, AFlushThatFailsEndsTheMerge) {
  StartMerge();
  plan_.Add(Fault::On(Op::kFsync).AtDevice("disk").Fail(Errno::kIo));
  ExpectFailedMerge();
}

TEST_F(MergeFault, AnAreaThatCannotBeWrittenEndsTheMerge) {
  StartMerge();
  plan_.Add(Fault::On(Op::kPwrite).AtDevice("cow").Fail(Errno::kIo));
  ExpectFailedMerge();
}

}  // namespace
}  // namespace lamina::sim
