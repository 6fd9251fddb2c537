// Conformance: Open, Read, Write, Allocate, Seek, Clone, ShareContent, AdoptContent, Map, Sync.
#include <algorithm>

#include "lamina/store/paged_bytes.h"
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = std::uint64_t{1} << 62U;

std::string Repeat(char byte, std::size_t count) { return std::string(count, byte); }

// ── Open, Read, Write ────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, WriteGrowsTheFile) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId handle = OpenFor(file, Access::kWrite);
  EXPECT_THAT(WriteAt(handle, 0, "hello"), Gives(std::size_t{5}));
  EXPECT_THAT(WriteAt(handle, 3, "p me"), Gives(std::size_t{4}));
  EXPECT_EQ(ContentOf(file), "help me");
  EXPECT_EQ(StatOf(file).size_bytes, 7U);
}

TEST_P(FileSystemConformance, WriteSetsMtimeAndCtime) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId handle = OpenFor(file, Access::kWrite);
  Advance(5);
  ASSERT_THAT(WriteAt(handle, 0, "x"), Succeeds());
  const Instant written = now();
  EXPECT_EQ(StatOf(file).mtime, written);
  EXPECT_EQ(StatOf(file).ctime, written);
}

TEST_P(FileSystemConformance, WriteOfNothingChangesNothing) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId handle = OpenFor(file, Access::kWrite);
  const std::uint64_t before = StatOf(file).change;
  EXPECT_THAT(WriteAt(handle, 100, ""), Gives(std::size_t{0}));
  EXPECT_EQ(StatOf(file).size_bytes, 0U);
  EXPECT_EQ(StatOf(file).change, before);
}

TEST_P(FileSystemConformance, WritePastTheEndLeavesAHoleOfZeros) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 4, "!"), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("hi\0\0!", 5));
}

TEST_P(FileSystemConformance, WriteAcrossPagesIsReadBack) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  const std::string text = Repeat('a', 3 * kPage) + "end";
  EXPECT_THAT(WriteAt(handle, 5, text), Gives(text.size()));
  EXPECT_EQ(ReadAt(handle, 5, text.size()), text);
  EXPECT_EQ(ReadAt(handle, 5 + 3 * kPage, 100), "end");
}

TEST_P(FileSystemConformance, SmallFileCanGrowAndShrinkByteByByte) {
  const NodeId file = MakeFile(root(), "a", "0123456789abcdef");
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  ASSERT_THAT(WriteAt(handle, 16, "g"), Succeeds());
  EXPECT_EQ(ContentOf(file), "0123456789abcdefg");
  ASSERT_THAT(Set(file, {.size_bytes = 3}), Succeeds());
  ASSERT_THAT(WriteAt(handle, 4, "x"), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("012\0x", 5));
}

TEST_P(FileSystemConformance, ReadAtOrPastTheEndGivesNothing) {
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hi"), Access::kRead);
  EXPECT_EQ(ReadAt(handle, 2, 10), "");
  EXPECT_EQ(ReadAt(handle, kHuge, 10), "");
}

TEST_P(FileSystemConformance, ReadIsShortOnlyAtTheEnd) {
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hello"), Access::kRead);
  EXPECT_EQ(ReadAt(handle, 1, 3), "ell");
  EXPECT_EQ(ReadAt(handle, 1, 10), "ello");
}

TEST_P(FileSystemConformance, AppendIgnoresTheOffset) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const Result<HandleId> handle = TryOpen(file, {.access = Access::kWrite, .append = true});
  ASSERT_THAT(handle, Succeeds());
  EXPECT_THAT(WriteAt(*handle, 0, "!"), Gives(std::size_t{1}));
  EXPECT_EQ(ContentOf(file), "hello!");
}

TEST_P(FileSystemConformance, TruncateAtOpenEmptiesTheFile) {
  const NodeId file = MakeFile(root(), "a", "hello");
  Advance(5);
  ASSERT_THAT(TryOpen(file, {.access = Access::kWrite, .truncate = true}), Succeeds());
  const Instant opened = now();
  EXPECT_EQ(StatOf(file).size_bytes, 0U);
  EXPECT_EQ(StatOf(file).mtime, opened);
}

TEST_P(FileSystemConformance, WriteAccessToADirectoryIsIsDir) {
  EXPECT_THAT(TryOpen(root(), {.access = Access::kWrite}), IsErrno(Errno::kIsDir));
  EXPECT_THAT(TryOpen(root(), {.access = Access::kReadWrite}), IsErrno(Errno::kIsDir));
}

TEST_P(FileSystemConformance, OpenOfARemovedNodeIsStale) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_THAT(TryOpen(file, {}), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, ReadThroughAWriteHandleIsBadF) {
  std::byte byte;
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hi"), Access::kWrite);
  EXPECT_THAT(fs().Read(Op(), handle, 0, MutableBytes(&byte, 1)), IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, ReadThroughAPathHandleIsBadF) {
  std::byte byte;
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hi"), Access::kPath);
  EXPECT_THAT(fs().Read(Op(), handle, 0, MutableBytes(&byte, 1)), IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, ReadThroughAClosedHandleIsBadF) {
  std::byte byte;
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hi"), Access::kRead);
  Close(handle);
  EXPECT_THAT(fs().Read(Op(), handle, 0, MutableBytes(&byte, 1)), IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, HandleIdsOfClosedHandlesAreNotReused) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId closed = OpenFor(file, Access::kRead);
  Close(closed);
  EXPECT_NE(OpenFor(file, Access::kRead), closed);
}

TEST_P(FileSystemConformance, ReadOfADirectoryIsIsDir) {
  std::byte byte;
  EXPECT_THAT(fs().Read(Op(), OpenFor(root(), Access::kRead), 0, MutableBytes(&byte, 1)),
              IsErrno(Errno::kIsDir));
}

TEST_P(FileSystemConformance, ReadOfASymlinkIsInval) {
  std::byte byte;
  const HandleId handle = OpenFor(MakeLink(root(), "l", "t"), Access::kRead);
  EXPECT_THAT(fs().Read(Op(), handle, 0, MutableBytes(&byte, 1)), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, WriteThroughAReadHandleIsBadF) {
  EXPECT_THAT(WriteAt(OpenFor(MakeFile(root(), "a"), Access::kRead), 0, "x"),
              IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, WriteAtTheLargestSizeIsFBig) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(WriteAt(handle, fs().limits().file_bytes_max, "x"), IsErrno(Errno::kFBig));
}

TEST_P(FileSystemConformance, WritePast63BitsIsFBig) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(WriteAt(handle, 2 * kHuge - 2, "xy"), IsErrno(Errno::kFBig));
  EXPECT_THAT(WriteAt(handle, 2 * kHuge, "x"), IsErrno(Errno::kFBig));
}

TEST_P(FileSystemConformance, WriteFarOutTakesLittleRoom) {
  const NodeId file = MakeFile(root(), "a");
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  const std::uint64_t far = std::min(kHuge, fs().limits().file_bytes_max / 2 / kPage * kPage);
  ASSERT_THAT(WriteAt(handle, far, "far"), Succeeds());
  EXPECT_EQ(StatOf(file).size_bytes, far + 3);
  EXPECT_GE(StatOf(file).allocated_sectors, 8U);
  EXPECT_LE(StatOf(file).allocated_sectors, 8U * 4);  // ext2: three blocks lead to the fourth
  EXPECT_EQ(ReadAt(handle, far, 9), "far");
}

TEST_P(FileSystemConformance, TwoHandlesSeeOneContent) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId reader = OpenFor(file, Access::kRead);
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "J"), Succeeds());
  EXPECT_EQ(ReadAt(reader, 0, 9), "Jello");
}

TEST_P(FileSystemConformance, ShortContentTakesOnePage) {
  EXPECT_EQ(StatOf(MakeFile(root(), "a", "hi")).allocated_sectors, 8U);
}

// ── Allocate ─────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, AllocateExtendGrowsTheSizeAndTakesRoom) {
  LAMINA_NEEDS(fs().limits().allocates);
  const NodeId file = MakeFile(root(), "a", "hi");
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 0, 2 * kPage, AllocateMode::kExtend), Succeeds());
  EXPECT_EQ(StatOf(file).size_bytes, 2 * kPage);
  EXPECT_EQ(StatOf(file).allocated_sectors, 16U);
  EXPECT_EQ(ReadAt(handle, 0, 3), std::string("hi\0", 3));
}

TEST_P(FileSystemConformance, AllocateKeepSizeTakesRoomPastTheEnd) {
  LAMINA_NEEDS(fs().limits().allocates);
  const NodeId file = MakeFile(root(), "a", "hi");
  const HandleId handle = OpenFor(file, Access::kWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 0, 3 * kPage, AllocateMode::kKeepSize), Succeeds());
  EXPECT_EQ(StatOf(file).size_bytes, 2U);
  EXPECT_EQ(StatOf(file).allocated_sectors, 24U);
}

TEST_P(FileSystemConformance, PunchMakesWholePagesAHole) {
  const NodeId file = MakeFile(root(), "a", Repeat('x', 3 * kPage));
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, kPage, kPage, AllocateMode::kPunch), Succeeds());
  EXPECT_EQ(StatOf(file).size_bytes, 3 * kPage);
  EXPECT_EQ(StatOf(file).allocated_sectors, 16U);
  EXPECT_EQ(ReadAt(handle, kPage - 1, 2), std::string("x\0", 2));
}

TEST_P(FileSystemConformance, PunchOfPartOfAPageWritesZeros) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId handle = OpenFor(file, Access::kWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 1, 2, AllocateMode::kPunch), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("h\0\0lo", 5));
}

TEST_P(FileSystemConformance, PunchPastTheEndKeepsTheSize) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId handle = OpenFor(file, Access::kWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 3, 10 * kPage, AllocateMode::kPunch), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("hel\0\0", 5));
}

TEST_P(FileSystemConformance, ZeroWritesZerosAndGrowsTheSize) {
  LAMINA_NEEDS(fs().limits().allocates);
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId handle = OpenFor(file, Access::kWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 3, 4, AllocateMode::kZero), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("hel\0\0\0\0", 7));
}

TEST_P(FileSystemConformance, AllocateThroughAReadHandleIsBadF) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kRead);
  EXPECT_THAT(fs().Allocate(Op(), handle, 0, 1, AllocateMode::kExtend), IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, AllocateOfAFifoIsNoDev) {
  const HandleId handle = OpenFor(*Make(root(), "p", FileType::kFifo), Access::kWrite);
  EXPECT_THAT(fs().Allocate(Op(), handle, 0, 1, AllocateMode::kExtend), IsErrno(Errno::kNoDev));
}

TEST_P(FileSystemConformance, AllocateOfNothingIsInval) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(fs().Allocate(Op(), handle, 0, 0, AllocateMode::kExtend), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, AllocatePast63BitsIsFBig) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(fs().Allocate(Op(), handle, 2 * kHuge - 1, 1, AllocateMode::kPunch),
              IsErrno(Errno::kFBig));
}

// ── Seek ─────────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, SeekFindsDataAndHoles) {
  const NodeId file = MakeFile(root(), "a", Repeat('x', kPage));
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  ASSERT_THAT(WriteAt(handle, 3 * kPage, "y"), Succeeds());
  EXPECT_THAT(fs().Seek(Op(), handle, 10, SeekKind::kData), Gives(std::uint64_t{10}));
  EXPECT_THAT(fs().Seek(Op(), handle, 10, SeekKind::kHole), Gives(kPage));
  EXPECT_THAT(fs().Seek(Op(), handle, kPage, SeekKind::kData), Gives(3 * kPage));
  EXPECT_THAT(fs().Seek(Op(), handle, 3 * kPage, SeekKind::kHole), Gives(3 * kPage + 1));
}

TEST_P(FileSystemConformance, EndOfASmallFileIsAHole) {
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hello"), Access::kRead);
  EXPECT_THAT(fs().Seek(Op(), handle, 0, SeekKind::kHole), Gives(std::uint64_t{5}));
  EXPECT_THAT(fs().Seek(Op(), handle, 2, SeekKind::kData), Gives(std::uint64_t{2}));
}

TEST_P(FileSystemConformance, SeekAtOrPastTheEndIsNxIo) {
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hello"), Access::kRead);
  EXPECT_THAT(fs().Seek(Op(), handle, 5, SeekKind::kData), IsErrno(Errno::kNxIo));
  EXPECT_THAT(fs().Seek(Op(), handle, 5, SeekKind::kHole), IsErrno(Errno::kNxIo));
}

TEST_P(FileSystemConformance, SeekForDataInAHoleAtTheEndIsNxIo) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.size_bytes = kPage}), Succeeds());
  const HandleId handle = OpenFor(file, Access::kRead);
  EXPECT_THAT(fs().Seek(Op(), handle, 0, SeekKind::kData), IsErrno(Errno::kNxIo));
  EXPECT_THAT(fs().Seek(Op(), handle, 7, SeekKind::kHole), Gives(std::uint64_t{7}));
}

TEST_P(FileSystemConformance, SeekThroughAClosedHandleIsBadF) {
  const HandleId handle = OpenFor(MakeFile(root(), "a", "hello"), Access::kRead);
  Close(handle);
  EXPECT_THAT(fs().Seek(Op(), handle, 0, SeekKind::kData), IsErrno(Errno::kBadF));
}

// ── Clone, ShareContent, AdoptContent ────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, CloneOfAWholeFileIsIndependentAfterwards) {
  LAMINA_NEEDS(fs().limits().clone);
  const NodeId file = MakeFile(root(), "a", Repeat('x', 2 * kPage));
  const NodeId copy = MakeFile(root(), "b");
  const HandleId target = OpenFor(copy, Access::kReadWrite);
  EXPECT_THAT(fs().Clone(Op(), OpenFor(file, Access::kRead), 0, target, 0, 2 * kPage),
              Gives(2 * kPage));
  ASSERT_THAT(WriteAt(target, 0, "changed"), Succeeds());
  EXPECT_EQ(ContentOf(file), Repeat('x', 2 * kPage));
  EXPECT_EQ(ContentOf(copy), "changed" + Repeat('x', 2 * kPage - 7));
}

TEST_P(FileSystemConformance, CloneOfARangeKeepsTheRestOfTheTarget) {
  LAMINA_NEEDS(fs().limits().clone);
  const NodeId file = MakeFile(root(), "a", Repeat('x', 2 * kPage));
  const NodeId copy = MakeFile(root(), "b", Repeat('y', 3 * kPage));
  EXPECT_THAT(fs().Clone(Op(), OpenFor(file, Access::kRead), kPage, OpenFor(copy, Access::kWrite),
                         kPage, kPage),
              Gives(kPage));
  EXPECT_EQ(ContentOf(copy), Repeat('y', kPage) + Repeat('x', kPage) + Repeat('y', kPage));
}

TEST_P(FileSystemConformance, CloneKeepsHoles) {
  LAMINA_NEEDS(fs().limits().clone);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 2 * kPage, "end"), Succeeds());
  const NodeId copy = MakeFile(root(), "b", Repeat('y', 2 * kPage));
  EXPECT_THAT(fs().Clone(Op(), OpenFor(file, Access::kRead), 0, OpenFor(copy, Access::kWrite), 0,
                         2 * kPage + 3),
              Gives(2 * kPage + 3));
  EXPECT_EQ(StatOf(copy).allocated_sectors, 8U);
  EXPECT_EQ(ContentOf(copy), ContentOf(file));
}

TEST_P(FileSystemConformance, CloneStopsAtTheEndOfTheSource) {
  LAMINA_NEEDS(fs().limits().clone);
  const NodeId copy = MakeFile(root(), "b");
  EXPECT_THAT(fs().Clone(Op(), OpenFor(MakeFile(root(), "a", "hello"), Access::kRead), 1,
                         OpenFor(copy, Access::kWrite), 0, kPage),
              Gives(std::uint64_t{4}));
  EXPECT_EQ(ContentOf(copy), "ello");
}

TEST_P(FileSystemConformance, CloneNeedsAReaderAndAWriter) {
  LAMINA_NEEDS(fs().limits().clone);
  const HandleId reader = OpenFor(MakeFile(root(), "a", "hello"), Access::kRead);
  const HandleId writer = OpenFor(MakeFile(root(), "b"), Access::kWrite);
  EXPECT_THAT(fs().Clone(Op(), writer, 0, writer, 0, 1), IsErrno(Errno::kBadF));
  EXPECT_THAT(fs().Clone(Op(), reader, 0, reader, 0, 1), IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, SharedContentStaysWhatItWas) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId handle = OpenFor(file, Access::kReadWrite);
  const auto content = fs().ShareContent(Op(), handle);
  LAMINA_NEEDS(content.ok() || content.error() != Errno::kOpNotSupp);
  ASSERT_THAT(WriteAt(handle, 0, "J"), Succeeds());
  std::string text(5, '\0');
  (*content)->Read(0, std::as_writable_bytes(std::span(text)));
  EXPECT_EQ(text, "hello");
}

TEST_P(FileSystemConformance, AdoptedContentReplacesWhatWasThere) {
  const HandleId source = OpenFor(MakeFile(root(), "a", Repeat('x', kPage)), Access::kRead);
  const NodeId file = MakeFile(root(), "b", Repeat('y', 3 * kPage));
  const HandleId target = OpenFor(file, Access::kReadWrite);
  const auto content = fs().ShareContent(Op(), source);
  LAMINA_NEEDS(content.ok() || content.error() != Errno::kOpNotSupp);
  ASSERT_THAT(fs().AdoptContent(Op(), target, *content), Succeeds());
  const Instant adopted = now();
  EXPECT_EQ(StatOf(file).mtime, adopted);
  ASSERT_THAT(WriteAt(target, 0, "z"), Succeeds());
  EXPECT_EQ(ContentOf(file), "z" + Repeat('x', kPage - 1));
  EXPECT_EQ(ReadAt(source, 0, 2), "xx");
}

// ── Map, Sync, space ─────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, MappingReadsAfterItsHandleIsClosed) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const HandleId handle = OpenFor(file, Access::kRead);
  const Result<HandleId> mapping = fs().Map(Op(), handle, MapMode::kPrivate);
  ASSERT_THAT(mapping, Succeeds());
  Close(handle);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_EQ(ReadAt(*mapping, 0, 9), "hello");
  fs().Close(*mapping);
}

TEST_P(FileSystemConformance, SharedMappingWritesTheFile) {
  const NodeId file = MakeFile(root(), "a", "hello");
  const Result<HandleId> mapping =
      fs().Map(Op(), OpenFor(file, Access::kReadWrite), MapMode::kSharedWrite);
  ASSERT_THAT(mapping, Succeeds());
  ASSERT_THAT(WriteAt(*mapping, 0, "J"), Succeeds());
  EXPECT_EQ(ContentOf(file), "Jello");
  fs().Close(*mapping);
}

TEST_P(FileSystemConformance, MapThroughAWriteHandleIsAccess) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(fs().Map(Op(), handle, MapMode::kPrivate), IsErrno(Errno::kAccess));
}

TEST_P(FileSystemConformance, SharedWriteMappingThroughAReadHandleIsAccess) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kRead);
  EXPECT_THAT(fs().Map(Op(), handle, MapMode::kSharedWrite), IsErrno(Errno::kAccess));
}

TEST_P(FileSystemConformance, MapOfADirectoryIsNoDev) {
  EXPECT_THAT(fs().Map(Op(), OpenFor(root(), Access::kRead), MapMode::kPrivate),
              IsErrno(Errno::kNoDev));
}

TEST_P(FileSystemConformance, SyncOfOpenFilesAndDirectoriesSucceeds) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(fs().Sync(Op(), handle, SyncMode::kData), Succeeds());
  EXPECT_THAT(fs().Sync(Op(), OpenFor(root(), Access::kRead), SyncMode::kAll), Succeeds());
  EXPECT_THAT(fs().SyncAll(Op()), Succeeds());
}

TEST_P(FileSystemConformance, SpaceIsTakenAndGivenBack) {
  const FsSpace before = *fs().GetSpace(Op());
  const NodeId file = MakeFile(root(), "a", Repeat('x', 2 * kPage));
  EXPECT_LE(fs().GetSpace(Op())->free_bytes, before.free_bytes - 2 * kPage);
  EXPECT_EQ(StatOf(file).nlink, 1U);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_LE(fs().GetSpace(Op())->free_bytes, fs().GetSpace(Op())->total_bytes);
}

TEST_P(FileSystemConformance, WriteIsShortWhenSpaceRunsOut) {
  LAMINA_NEEDS(UseSmall(4 * kPage, 100));
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kReadWrite);
  const Result<std::size_t> written = WriteAt(handle, 0, Repeat('x', 10 * kPage));
  ASSERT_THAT(written, Succeeds());
  EXPECT_LT(*written, 10 * kPage);
  EXPECT_EQ(ReadAt(handle, 0, 10 * kPage), Repeat('x', *written));
  EXPECT_THAT(WriteAt(handle, *written, "x"), IsErrno(Errno::kNoSpc));
}

TEST_P(FileSystemConformance, FullFileSystemStillOverwrites) {
  LAMINA_NEEDS(UseSmall(4 * kPage, 100));
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kReadWrite);
  ASSERT_THAT(WriteAt(handle, 0, Repeat('x', 10 * kPage)), Succeeds());
  EXPECT_THAT(WriteAt(handle, 0, "yy"), Gives(std::size_t{2}));
}

TEST_P(FileSystemConformance, AllocateWithoutSpaceIsNoSpc) {
  LAMINA_NEEDS(UseSmall(4 * kPage, 100));
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kWrite);
  EXPECT_THAT(fs().Allocate(Op(), handle, 0, 10 * kPage, AllocateMode::kExtend),
              IsErrno(Errno::kNoSpc));
}

TEST_P(FileSystemConformance, CreateWithoutNodesIsNoSpc) {
  LAMINA_NEEDS(UseSmall(64 * kPage, 2));
  MakeFile(root(), "a");
  EXPECT_THAT(Make(root(), "b", FileType::kRegular), IsErrno(Errno::kNoSpc));
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_THAT(Make(root(), "b", FileType::kRegular), Succeeds());
}

}  // namespace
}  // namespace lamina
