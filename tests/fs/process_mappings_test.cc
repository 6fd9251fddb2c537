#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::Eq;

constexpr Access kRead = Access::kRead;
constexpr Access kWrite = Access::kWrite;
constexpr Access kReadWrite = Access::kReadWrite;

class ProcessMappings : public testing::Test, protected ProcessFixture {
 protected:
  std::string Map(Fd fd, std::uint64_t length, MapSharing sharing, bool writable) {
    return Said(process.Mmap(fd, length, sharing, writable));
  }
};

constexpr bool kReadable = false;
constexpr bool kWritable = true;

TEST_F(ProcessMappings, AskWhatLinuxAsks) {
  const Fd reader = MustOpen("/f", How(kRead));
  const Fd writer = MustOpen("/f", How(kWrite));
  const Fd directory = MustOpen("/d", How(kRead));
  EXPECT_THAT(Map(Fd{99}, 0, MapSharing::kShared, kReadable), Eq("EBADF"));
  EXPECT_THAT(Map(reader, 0, MapSharing::kShared, kReadable), Eq("EINVAL"));
  EXPECT_THAT(Map(writer, 10, MapSharing::kShared, kReadable), Eq("EACCES"));
  EXPECT_THAT(Map(writer, 10, MapSharing::kPrivate, kReadable), Eq("EACCES"));
  EXPECT_THAT(Map(reader, 10, MapSharing::kShared, kWritable), Eq("EACCES"));
  EXPECT_THAT(Map(reader, 10, MapSharing::kPrivate, kWritable), Eq("OK"));
  EXPECT_THAT(Map(directory, 10, MapSharing::kShared, kReadable), Eq("ENODEV"));
  EXPECT_THAT(Map(directory, 10, MapSharing::kShared, kWritable), Eq("EACCES"));
}

TEST_F(ProcessMappings, SharedMappingShowsAndMakesChanges) {
  const Fd fd = MustOpen("/f", How(kReadWrite));
  const Mapping mapping = *process.Mmap(fd, 4, MapSharing::kShared, kWritable);
  EXPECT_TRUE(process.Pwrite(fd, AsBytes("H"), 0).ok());
  EXPECT_THAT(*process.ReadMapping(mapping, 0, 100), Eq(std::string("Hi\0\0", 4)));
  Must(process.WriteMapping(mapping, 1, AsBytes("oo")));
  EXPECT_THAT(Content("/f"), Eq("Ho"));
}

TEST_F(ProcessMappings, PrivateMappingKeepsItsWrites) {
  Put("/two", std::string(5000, 'a'), 0644);
  const Fd fd = MustOpen("/two", How(kReadWrite));
  const Mapping mapping = *process.Mmap(fd, 5000, MapSharing::kPrivate, kWritable);
  Must(process.WriteMapping(mapping, 4094, AsBytes("bbbb")));
  EXPECT_TRUE(process.Pwrite(fd, AsBytes("cc"), 0).ok());
  EXPECT_THAT(*process.ReadMapping(mapping, 4092, 8), Eq("aabbbbaa"));
  EXPECT_THAT(*process.ReadMapping(mapping, 0, 3), Eq("aaa"));
  EXPECT_THAT(Content("/two").substr(4092, 8), Eq("aaaaaaaa"));
}

TEST_F(ProcessMappings, PageNotWrittenFollowsTheFile) {
  const Fd fd = MustOpen("/f", How(kReadWrite));
  const Mapping mapping = *process.Mmap(fd, 2, MapSharing::kPrivate, kReadable);
  EXPECT_TRUE(process.Pwrite(fd, AsBytes("H"), 0).ok());
  EXPECT_THAT(*process.ReadMapping(mapping, 0, 2), Eq("Hi"));
}

TEST_F(ProcessMappings, ReadOnlyMappingFaultsOnWrite) {
  const Mapping mapping =
      *process.Mmap(MustOpen("/f", How(kRead)), 2, MapSharing::kShared, kReadable);
  EXPECT_THAT(Said(process.WriteMapping(mapping, 0, AsBytes("x"))), Eq("EFAULT"));
}

TEST_F(ProcessMappings, MappingKeepsTheDescriptionAndItsLock) {
  const Fd fd = MustOpen("/f", How(kRead));
  Must(process.Flock(fd, LockKind::kExclusive));
  const Mapping mapping = *process.Mmap(fd, 2, MapSharing::kShared, kReadable);
  Must(process.Close(fd));
  Must(process.Unlink("/f"));
  Must(process.Mknod("/other", FileType::kRegular, 0644, 0));
  EXPECT_THAT(*process.ReadMapping(mapping, 0, 2), Eq("hi"));
  EXPECT_THAT(process.open_count(), Eq(1U));
  Must(process.Munmap(mapping));
  EXPECT_THAT(process.open_count(), Eq(0U));
  EXPECT_THAT(Said(process.Munmap(mapping)), Eq("EINVAL"));
}

}  // namespace
}  // namespace lamina
