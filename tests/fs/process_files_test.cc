#include <array>

#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Access kRead = Access::kRead;
constexpr Access kWrite = Access::kWrite;
constexpr Access kReadWrite = Access::kReadWrite;

class ProcessFiles : public testing::Test, protected ProcessFixture {
 protected:
  std::string Pread(Fd fd, std::size_t count = 16, std::uint64_t offset = 0) {
    std::string buffer(count, '?');
    Result<std::size_t> read = process.Pread(fd, std::as_writable_bytes(std::span(buffer)), offset);
    return read.ok() ? buffer.substr(0, *read) : Said(read);
  }
  std::string ReadNext(Fd fd, std::size_t count = 16) {
    std::string buffer(count, '?');
    Result<std::size_t> read = process.Read(fd, std::as_writable_bytes(std::span(buffer)));
    return read.ok() ? buffer.substr(0, *read) : Said(read);
  }
  std::string Pwrite(Fd fd, std::string_view text, std::uint64_t offset = 0) {
    return Said(process.Pwrite(fd, AsBytes(text), offset));
  }
  std::string WriteNext(Fd fd, std::string_view text) {
    return Said(process.Write(fd, AsBytes(text)));
  }
  std::string Allocate(Fd fd, std::uint64_t length = 1) {
    return Said(process.Fallocate(fd, 0, length, AllocateMode::kExtend));
  }
  std::string Copy(Fd from, std::uint64_t from_offset, Fd to, std::uint64_t to_offset,
                   std::uint64_t length) {
    Result<std::uint64_t> copied = process.CopyRange(from, from_offset, to, to_offset, length);
    return copied.ok() ? std::to_string(*copied) : Said(copied);
  }
  std::vector<std::string> Names(Fd fd, std::size_t max_entries) {
    const std::vector<ProcessEntry> entries = *process.ReadEntries(fd, max_entries);
    std::vector<std::string> names;
    for (const ProcessEntry& entry : entries) names.push_back(entry.name);
    return names;
  }
};

TEST_F(ProcessFiles, DirectoryIsNotReadOrWritten) {
  const Fd fd = MustOpen("/d", How(kRead));
  EXPECT_THAT(Pread(fd), Eq("EISDIR"));
  EXPECT_THAT(Pwrite(fd, "x"), Eq("EBADF"));
  EXPECT_THAT(Said(process.Ftruncate(fd, 0)), Eq("EINVAL"));
  EXPECT_THAT(Allocate(fd), Eq("EBADF"));
  EXPECT_THAT(Said(process.SeekNext(fd, 0, SeekKind::kData)), Eq("EINVAL"));
}

TEST_F(ProcessFiles, AccessModeIsKept) {
  const Fd reader = MustOpen("/f", How(kRead));
  const Fd writer = MustOpen("/f", How(kWrite));
  EXPECT_THAT(Pwrite(reader, "x"), Eq("EBADF"));
  EXPECT_THAT(Pread(writer), Eq("EBADF"));
  EXPECT_THAT(Said(process.Ftruncate(reader, 0)), Eq("EINVAL"));
  EXPECT_THAT(Allocate(reader), Eq("EBADF"));
}

TEST_F(ProcessFiles, PathDescriptorOnlyTellsAttributes) {
  const Fd fd = MustOpen("/f", How(Access::kPath));
  EXPECT_THAT(Said(process.Fstat(fd)), Eq("OK"));
  EXPECT_THAT(Pread(fd), Eq("EBADF"));
  EXPECT_THAT(Said(process.Fchmod(fd, 0)), Eq("EBADF"));
  EXPECT_THAT(Said(process.Fsync(fd, SyncMode::kAll)), Eq("EBADF"));
  EXPECT_THAT(Said(process.Flock(fd, LockKind::kShared)), Eq("EBADF"));
  EXPECT_THAT(Said(process.Fgetxattr(fd, "user.a")), Eq("EBADF"));
  EXPECT_THAT(Said(process.ReadEntries(fd, 1)), Eq("EBADF"));
}

TEST_F(ProcessFiles, ClosedDescriptorIsBad) {
  const Fd fd = MustOpen("/f", How(kRead));
  Must(process.Close(fd));
  EXPECT_THAT(Said(process.Close(fd)), Eq("EBADF"));
  EXPECT_THAT(Said(process.Fstat(fd)), Eq("EBADF"));
}

TEST_F(ProcessFiles, PositionMovesWithReadsAndWrites) {
  const Fd fd = MustOpen("/f", How(kReadWrite));
  EXPECT_THAT(ReadNext(fd, 1), Eq("h"));
  EXPECT_THAT(WriteNext(fd, "o!"), Eq("OK"));
  EXPECT_THAT(ReadNext(fd), Eq(""));
  EXPECT_THAT(Said(process.SeekTo(fd, 0)), Eq("OK"));
  EXPECT_THAT(ReadNext(fd), Eq("ho!"));
}

TEST_F(ProcessFiles, AppendIgnoresTheOffset) {
  OpenHow how = How(kReadWrite);
  how.append = true;
  const Fd fd = MustOpen("/f", how);
  EXPECT_THAT(Pwrite(fd, "!", 0), Eq("OK"));
  EXPECT_THAT(Content("/f"), Eq("hi!"));
  EXPECT_THAT(WriteNext(fd, "?"), Eq("OK"));
  EXPECT_THAT(ReadNext(fd), Eq(""));
}

TEST_F(ProcessFiles, UnlinkedFileLivesWhileOpen) {
  const Fd fd = MustOpen("/f", How(kReadWrite));
  Must(process.Unlink("/f"));
  EXPECT_THAT(Pread(fd), Eq("hi"));
  EXPECT_THAT(Said(process.Fchmod(fd, 0600)), Eq("OK"));
  EXPECT_THAT(process.Fstat(fd)->nlink, Eq(0U));
}

TEST_F(ProcessFiles, FallocateWantsALength) {
  const Fd fd = MustOpen("/f", How(kReadWrite));
  EXPECT_THAT(Allocate(fd, 0), Eq("EINVAL"));
  EXPECT_THAT(Allocate(fd, 100), Eq("OK"));
  EXPECT_THAT(process.Fstat(fd)->size_bytes, Eq(100U));
}

TEST_F(ProcessFiles, CopyIsClippedAtTheEnd) {
  const Fd from = MustOpen("/d/e/file", How(kRead));
  const Fd to = MustOpen("/f", How(kReadWrite));
  EXPECT_THAT(Copy(from, 1, to, 2, 100), Eq("3"));
  EXPECT_THAT(Copy(from, 9, to, 0, 100), Eq("0"));
  EXPECT_THAT(Content("/f"), Eq("hiile"));
}

TEST_F(ProcessFiles, CopyRefusesWhatLinuxRefuses) {
  const Fd directory = MustOpen("/d", How(kRead));
  const Fd reader = MustOpen("/f", How(kRead));
  const Fd both = MustOpen("/f", How(kReadWrite));
  const Fd fifo = MustOpen("/p", How(kReadWrite));
  OpenHow how = How(kWrite);
  how.append = true;
  const Fd appender = MustOpen("/mine", how);
  EXPECT_THAT(Copy(directory, 0, both, 0, 1), Eq("EISDIR"));
  EXPECT_THAT(Copy(fifo, 0, both, 0, 1), Eq("EINVAL"));
  EXPECT_THAT(Copy(both, 0, reader, 9, 1), Eq("EBADF"));
  EXPECT_THAT(Copy(both, 0, appender, 0, 1), Eq("EBADF"));
  EXPECT_THAT(Copy(reader, 0, both, 1, 2), Eq("EINVAL"));
}

TEST_F(ProcessFiles, CopyKeepsHoles) {
  Put("/sparse", "", 0644);
  const Fd from = MustOpen("/sparse", How(kReadWrite));
  EXPECT_THAT(Pwrite(from, "mid", 8192), Eq("OK"));
  Must(process.Ftruncate(from, 32768));
  const Fd to = MustOpen("/f", How(kReadWrite));
  EXPECT_THAT(Copy(from, 0, to, 0, 32768), Eq("32768"));
  EXPECT_THAT(Content("/f"), Eq(Content("/sparse")));
  EXPECT_THAT(process.Fstat(to)->allocated_sectors, Eq(8U));
}

TEST_F(ProcessFiles, FlockKeepsAnotherDescriptionOut) {
  const Fd first = MustOpen("/f", How(kRead));
  const Fd second = MustOpen("/f", How(kRead));
  Must(process.Flock(first, LockKind::kExclusive));
  EXPECT_THAT(Said(process.Flock(second, LockKind::kShared)), Eq("EAGAIN"));
  Must(process.Close(first));
  EXPECT_THAT(Said(process.Flock(second, LockKind::kShared)), Eq("OK"));
}

TEST_F(ProcessFiles, DirectoryIsReadInPieces) {
  const Fd fd = MustOpen("/d/e", How(kRead));
  EXPECT_THAT(Names(fd, 1), ElementsAre("."));
  EXPECT_THAT(Names(fd, 2), SizeIs(2));
  EXPECT_THAT(Names(fd, 9), SizeIs(1));
  EXPECT_THAT(Names(fd, 9), IsEmpty());
  Must(process.RewindDirectory(fd));
  EXPECT_THAT(Names(fd, 9), testing::UnorderedElementsAre(".", "..", "file", "x"));
}

TEST_F(ProcessFiles, DotEntriesHaveTheInodesOfTheDirectories) {
  const Fd fd = MustOpen("/d/e/.", How(kRead));
  const std::vector<ProcessEntry> dots = *process.ReadEntries(fd, 2);
  EXPECT_THAT(dots[0].ino, Eq(process.GetStat("/d/e", LastLink::kKeep)->ino));
  EXPECT_THAT(dots[1].ino, Eq(process.GetStat("/d", LastLink::kKeep)->ino));
}

TEST_F(ProcessFiles, RemovedDirectoryIsNotRead) {
  const Fd fd = MustOpen("/d/e/x", How(kRead));
  Must(process.Rmdir("/d/e/x"));
  EXPECT_THAT(Said(process.ReadEntries(fd, 1)), Eq("ENOENT"));
}

TEST_F(ProcessFiles, ListDirectoryLeavesTheDotsOut) {
  EXPECT_THAT(*process.ListDirectory("/d/e"), SizeIs(2));
  EXPECT_THAT(Said(process.ListDirectory("/f")), Eq("ENOTDIR"));
  EXPECT_THAT(process.open_count(), Eq(0U));
}

TEST_F(ProcessFiles, FifoHasNoPosition) {
  const Fd fd = MustOpen("/p", How(kRead));
  EXPECT_THAT(Pread(fd), Eq("ESPIPE"));
  EXPECT_THAT(Said(process.SeekTo(fd, 0)), Eq("ESPIPE"));
  EXPECT_THAT(Said(process.SeekNext(fd, 0, SeekKind::kData)), Eq("ESPIPE"));
  EXPECT_THAT(Said(process.Ftruncate(fd, 0)), Eq("EINVAL"));
  EXPECT_THAT(Said(process.Fsync(fd, SyncMode::kAll)), Eq("EINVAL"));
  EXPECT_THAT(Allocate(fd), Eq("EBADF"));
}

TEST_F(ProcessFiles, FifoCarriesBytesInOrder) {
  const Fd reader = MustOpen("/p", How(kRead));
  EXPECT_THAT(ReadNext(reader), Eq(""));
  const Fd writer = MustOpen("/p", How(kWrite));
  EXPECT_THAT(ReadNext(reader), Eq("EAGAIN"));
  EXPECT_THAT(WriteNext(writer, "abc"), Eq("OK"));
  EXPECT_THAT(ReadNext(reader, 2), Eq("ab"));
  Must(process.Close(writer));
  EXPECT_THAT(ReadNext(reader), Eq("c"));
  EXPECT_THAT(ReadNext(reader), Eq(""));
}

TEST_F(ProcessFiles, FifoWithoutReaderBreaks) {
  const Fd reader = MustOpen("/p", How(kRead));
  const Fd writer = MustOpen("/p", How(kWrite));
  Must(process.Close(reader));
  EXPECT_THAT(WriteNext(writer, "x"), Eq("EPIPE"));
  EXPECT_THAT(ReadNext(writer), Eq("EBADF"));
  EXPECT_THAT(Allocate(writer), Eq("ESPIPE"));
}

TEST_F(ProcessFiles, FullFifoTakesNoMore) {
  const Fd fd = MustOpen("/p", How(kReadWrite));
  const std::string much(70000, 'x');
  EXPECT_THAT(*process.Write(fd, AsBytes(much)), Eq(65536U));
  EXPECT_THAT(WriteNext(fd, "x"), Eq("EAGAIN"));
}

TEST_F(ProcessFiles, EveryCallIsSeenFromBeginToEnd) {
  class Recorder : public EventSink {
   public:
    void OnEvent(const Event& event) override {
      if (event.kind == EventKind::kCallBegin) text += "begin " + std::string(event.name) + "\n";
      if (event.kind == EventKind::kCallEnd) text += "end " + std::to_string(event.detail) + "\n";
    }
    std::string text;
  };
  Recorder recorder;
  process.set_sink(&recorder);
  EXPECT_FALSE(process.Unlink("/nope").ok());
  Must(process.Unlink("/f"));
  EXPECT_THAT(recorder.text, Eq("begin unlink\nend 2\nbegin unlink\nend 0\n"));
}

TEST_F(ProcessFiles, ClockMovesOneTickACall) {
  const Instant before = clock.now();
  Must(process.Unlink("/f"));
  EXPECT_THAT(clock.now().virtual_ns - before.virtual_ns, Eq(1000));
}

}  // namespace
}  // namespace lamina
