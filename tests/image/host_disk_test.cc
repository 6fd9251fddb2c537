// HostDisk: a file of the host as sectors.
#include "lamina/image/host_disk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lamina/base/credentials.h"

namespace lamina {
namespace {

class HostDiskFile : public ::testing::Test {
 protected:
  HostDiskFile() {
    std::string pattern = ::testing::TempDir() + "/lamina_disk_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
  }
  ~HostDiskFile() override { std::filesystem::remove_all(top_); }

  std::string File(const std::string& name) const { return (top_ / name).string(); }
  static std::vector<std::byte> Sectors(std::size_t count, int fill) {
    return std::vector<std::byte>(count * kSectorBytes, static_cast<std::byte>(fill));
  }

  std::filesystem::path top_;
  Credentials root_ = RootCredentials();
  OpContext op_{root_, kSimulationStart, Probe()};
};

TEST_F(HostDiskFile, ReadsWhatWasWritten) {
  auto disk = HostDisk::Create(File("a"), 5000);
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_EQ((*disk)->size_sectors(), 10u);
  ASSERT_TRUE((*disk)->Write(op_, Sector{3}, Sectors(2, 7)).ok());
  ASSERT_TRUE((*disk)->Flush(op_).ok());
  auto again = HostDisk::Open(File("a"), HostAccess::kReadOnly);
  ASSERT_TRUE(again.ok()) << again.status();
  std::vector<std::byte> read = Sectors(2, 0);
  ASSERT_TRUE((*again)->Read(op_, Sector{3}, read).ok());
  EXPECT_EQ(read, Sectors(2, 7));
}

TEST_F(HostDiskFile, ADiscardLeavesZeros) {
  auto disk = HostDisk::Create(File("a"), 64 << 10);
  ASSERT_TRUE(disk.ok()) << disk.status();
  ASSERT_TRUE((*disk)->Write(op_, Sector{0}, Sectors(128, 7)).ok());
  const Result<void> discarded = (*disk)->Discard(op_, {Sector{8}, 8});
  if (!discarded.ok() && discarded.error() == Errno::kOpNotSupp) {
    GTEST_SKIP() << "the host's file system knows no holes";
  }
  std::vector<std::byte> read = Sectors(8, 1);
  ASSERT_TRUE((*disk)->Read(op_, Sector{8}, read).ok());
  EXPECT_EQ(read, Sectors(8, 0));
}

TEST_F(HostDiskFile, RefusesPartsOfSectorsAndWhatLiesBehindTheEnd) {
  auto disk = HostDisk::Create(File("a"), 2048);
  ASSERT_TRUE(disk.ok()) << disk.status();
  std::vector<std::byte> read = Sectors(1, 0);
  EXPECT_EQ((*disk)->Read(op_, Sector{4}, read).error(), Errno::kInval);
  read.resize(100);
  EXPECT_EQ((*disk)->Read(op_, Sector{0}, read).error(), Errno::kInval);
  EXPECT_EQ((*disk)->Write(op_, Sector{3}, Sectors(2, 1)).error(), Errno::kInval);
  EXPECT_EQ((*disk)->Discard(op_, {Sector{0}, 5}).error(), Errno::kInval);
}

TEST_F(HostDiskFile, ReadOnlyIsReadOnly) {
  std::ofstream(File("a")) << std::string(1500, 'x');
  auto disk = HostDisk::Open(File("a"), HostAccess::kReadOnly);
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_EQ((*disk)->size_sectors(), 2u);
  EXPECT_EQ((*disk)->Write(op_, Sector{0}, Sectors(1, 1)).error(), Errno::kRoFs);
}

TEST_F(HostDiskFile, AClearedFileHasZerosAndTheNewLength) {
  std::ofstream(File("a")) << std::string(1500, 'x');
  auto looked_at = HostDisk::Open(File("a"), HostAccess::kReadOnly);
  ASSERT_TRUE(looked_at.ok()) << looked_at.status();
  EXPECT_EQ((*looked_at)->Clear(4).error(), Errno::kRoFs);
  auto disk = HostDisk::Open(File("a"), HostAccess::kReadWrite);
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_EQ((*disk)->Clear(~std::uint64_t{0}).error(), Errno::kInval);
  EXPECT_EQ((*disk)->size_sectors(), 2u);
  ASSERT_TRUE((*disk)->Clear(4).ok());
  EXPECT_EQ((*disk)->size_sectors(), 4u);
  EXPECT_EQ(std::filesystem::file_size(File("a")), 4 * kSectorBytes);
  std::vector<std::byte> read = Sectors(4, 1);
  ASSERT_TRUE((*disk)->Read(op_, Sector{0}, read).ok());
  EXPECT_EQ(read, Sectors(4, 0));
}

TEST_F(HostDiskFile, AFileThatGotShorterIsAnError) {
  std::ofstream(File("a")) << std::string(4096, 'x');
  auto disk = HostDisk::Open(File("a"), HostAccess::kReadOnly);
  ASSERT_TRUE(disk.ok()) << disk.status();
  std::filesystem::resize_file(File("a"), 1024);
  std::vector<std::byte> read = Sectors(4, 0);
  EXPECT_EQ((*disk)->Read(op_, Sector{0}, read).error(), Errno::kIo);
}

TEST_F(HostDiskFile, SaysWhatCannotBeOpened) {
  EXPECT_EQ(HostDisk::Open(File("none"), HostAccess::kReadOnly).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(HostDisk::Open(top_.string(), HostAccess::kReadOnly).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo(File("fifo").c_str(), 0600), 0);
  EXPECT_EQ(HostDisk::Open(File("fifo"), HostAccess::kReadOnly).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::ofstream(File("a")) << "x";
  EXPECT_EQ(HostDisk::Create(File("a"), 4096).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(HostDisk::Create(top_.string(), 4096).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(HostDiskFile, AFileThatHoldsNothingMayBeThere) {
  std::ofstream(File("a")).close();
  std::filesystem::resize_file(File("a"), 100'000);
  const auto disk = HostDisk::Create(File("a"), 4096);
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_EQ((*disk)->size_sectors(), 8u);
}

}  // namespace
}  // namespace lamina
