// Conformance: GetAttr, SetAttr, ReadLink, and the set-id bits.
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

constexpr std::string_view kCapability = "security.capability";

TEST_P(FileSystemConformance, StatNamesItsNodeAndDevice) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_EQ(StatOf(file).node, file);
  if (plain()) {
    EXPECT_EQ(StatOf(file).dev, StatOf(root()).dev);
  }
  EXPECT_NE(StatOf(file).ino, StatOf(root()).ino);
}

TEST_P(FileSystemConformance, AttrOfAnUnknownNodeIsStale) {
  EXPECT_THAT(fs().GetAttr(Op(), NodeId{0}), IsErrno(Errno::kStale));
  EXPECT_THAT(Set(NodeId{0}, {.mode = 0}), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, SetAttrSetsModeOwnerAndTimesAtOnce) {
  const NodeId file = MakeFile(root(), "a");
  const Instant atime = InstantFromSeconds(100, 1);
  const Instant mtime = InstantFromSeconds(200, 2);
  ASSERT_THAT(Set(file, {.mode = 04711, .uid = 7, .gid = 8, .atime = atime, .mtime = mtime}),
              Succeeds());
  const Stat stat = StatOf(file);
  EXPECT_EQ(stat.mode, 04711);
  EXPECT_EQ(stat.uid, 7U);
  EXPECT_EQ(stat.gid, 8U);
  EXPECT_EQ(stat.atime, atime);
  EXPECT_EQ(stat.mtime, mtime);
}

TEST_P(FileSystemConformance, AbsentAttributesAreKept) {
  const NodeId file = MakeFile(root(), "a", "hi", 0640);
  ASSERT_THAT(Set(file, {.gid = 8}), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0640);
  EXPECT_EQ(StatOf(file).uid, 0U);
  EXPECT_EQ(StatOf(file).size_bytes, 2U);
}

TEST_P(FileSystemConformance, AnySetAttrSetsCtime) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_TRUE(ChangesCtime(file, [&] { EXPECT_THAT(Set(file, {}), Succeeds()); }));
}

TEST_P(FileSystemConformance, ChmodKeepsMtime) {
  const NodeId file = MakeFile(root(), "a");
  const Instant mtime = StatOf(file).mtime;
  Advance(5);
  ASSERT_THAT(Set(file, {.mode = 0600}), Succeeds());
  EXPECT_EQ(StatOf(file).mtime, mtime);
}

TEST_P(FileSystemConformance, TimesBeforeTheEpochAreKept) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mtime = InstantFromSeconds(-5, 7)}), Succeeds());
  EXPECT_EQ(StatOf(file).mtime, InstantFromSeconds(-5, 7));
}

TEST_P(FileSystemConformance, EveryChangeGrowsTheChangeOfTheNode) {
  const NodeId file = MakeFile(root(), "a");
  const std::uint64_t made = StatOf(file).change;
  ASSERT_THAT(Set(file, {.mode = 0600}), Succeeds());
  const std::uint64_t changed = StatOf(file).change;
  EXPECT_GT(changed, made);
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_GT(StatOf(file).change, changed);
}

TEST_P(FileSystemConformance, ReadingKeepsTheChangeOfTheNode) {
  const NodeId file = MakeFile(root(), "a", "hi");
  const std::uint64_t before = StatOf(file).change;
  Advance(5);
  EXPECT_EQ(ContentOf(file), "hi");
  EXPECT_EQ(StatOf(file).change, before);
}

// ── Size ─────────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, ShorterSizeCutsTheContent) {
  const NodeId file = MakeFile(root(), "a", "hello");
  ASSERT_THAT(Set(file, {.size_bytes = 2}), Succeeds());
  EXPECT_EQ(ContentOf(file), "he");
}

TEST_P(FileSystemConformance, LongerSizeAddsZeros) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(Set(file, {.size_bytes = 4}), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("hi\0\0", 4));
}

TEST_P(FileSystemConformance, BytesThatWereCutDoNotComeBack) {
  const NodeId file = MakeFile(root(), "a", "hello");
  ASSERT_THAT(Set(file, {.size_bytes = 1}), Succeeds());
  ASSERT_THAT(Set(file, {.size_bytes = 3}), Succeeds());
  EXPECT_EQ(ContentOf(file), std::string("h\0\0", 3));
}

TEST_P(FileSystemConformance, SizeChangeSetsMtime) {
  const NodeId file = MakeFile(root(), "a", "hi");
  Advance(5);
  ASSERT_THAT(Set(file, {.size_bytes = 0}), Succeeds());
  EXPECT_EQ(StatOf(file).mtime, now());
}

TEST_P(FileSystemConformance, GivenMtimeWinsOverTheSizeChange) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(Set(file, {.size_bytes = 0, .mtime = InstantFromSeconds(9)}), Succeeds());
  EXPECT_EQ(StatOf(file).mtime, InstantFromSeconds(9));
}

TEST_P(FileSystemConformance, SizeOfADirectoryIsIsDir) {
  EXPECT_THAT(Set(MakeDir(root(), "d"), {.size_bytes = 0}), IsErrno(Errno::kIsDir));
}

TEST_P(FileSystemConformance, SizeOfASymlinkOrFifoIsInval) {
  EXPECT_THAT(Set(MakeLink(root(), "l", "t"), {.size_bytes = 0}), IsErrno(Errno::kInval));
  EXPECT_THAT(Set(*Make(root(), "p", FileType::kFifo), {.size_bytes = 0}), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, SizeOver63BitsIsFBig) {
  EXPECT_THAT(Set(MakeFile(root(), "a"), {.size_bytes = std::uint64_t{1} << 63U}),
              IsErrno(Errno::kFBig));
}

// ── Set-id bits ──────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, ChangeOfOwnerDropsSetUidAndSetGidEvenForRoot) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06755}), Succeeds());
  ASSERT_THAT(Set(file, {.uid = 7}), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0755);
}

TEST_P(FileSystemConformance, ChangeOfOwnerKeepsSetGidWithoutGroupExecute) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 02644}), Succeeds());
  ASSERT_THAT(Set(file, {.uid = 7}), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 02644);
}

TEST_P(FileSystemConformance, ChangeOfOwnerKeepsTheBitsOfADirectory) {
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(Set(dir, {.mode = 06755}), Succeeds());
  ASSERT_THAT(Set(dir, {.uid = 7}), Succeeds());
  EXPECT_EQ(StatOf(dir).mode, 06755);
}

TEST_P(FileSystemConformance, ChangeOfOwnerDropsTheFileCapability) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, kCapability, "caps"), Succeeds());
  ASSERT_THAT(Set(file, {.gid = 7}), Succeeds());
  EXPECT_THAT(Key(file, kCapability), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, WriteByAUserDropsSetIdBits) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06777}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0777);
}

TEST_P(FileSystemConformance, WriteOfNothingKeepsSetIdBits) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06777}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, ""), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 06777);
}

TEST_P(FileSystemConformance, WriteByRootKeepsSetIdBits) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06777}), Succeeds());
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 06777);
}

TEST_P(FileSystemConformance, WriteByRootDropsTheFileCapability) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, kCapability, "caps"), Succeeds());
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_THAT(Key(file, kCapability), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, SizeChangeByAUserDropsSetIdBits) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06777}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(Set(file, {.size_bytes = 3}), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0777);
}

TEST_P(FileSystemConformance, SizeChangeByRootDropsOnlyTheFileCapability) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 06777}), Succeeds());
  ASSERT_THAT(SetKey(file, kCapability, "caps"), Succeeds());
  ASSERT_THAT(Set(file, {.size_bytes = 3}), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 06777);
  EXPECT_THAT(Key(file, kCapability), IsErrno(Errno::kNoData));
}

// Linux setattr_should_drop_sgid: without group-execute the bit goes only for a stranger.
TEST_P(FileSystemConformance, WriteByAMemberKeepsSetGidWithoutGroupExecute) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 02666, .gid = 8}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 02666);
}

TEST_P(FileSystemConformance, WriteByAStrangerDropsSetGidWithoutGroupExecute) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 02666, .gid = 9}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(WriteAt(OpenFor(file, Access::kWrite), 0, "x"), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0666);
}

TEST_P(FileSystemConformance, AllocateByAUserDropsSetUid) {
  LAMINA_NEEDS(fs().limits().allocates);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 04777}), Succeeds());
  ActAs(UserCredentials(7, 8));
  const HandleId handle = OpenFor(file, Access::kWrite);
  ASSERT_THAT(fs().Allocate(Op(), handle, 0, 1, AllocateMode::kExtend), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0777);
}

// ── Access time, symlinks ────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, FirstReadAfterAWriteMovesAtime) {
  LAMINA_NEEDS(plain());
  const NodeId file = MakeFile(root(), "a", "hi");
  Advance(5);
  EXPECT_EQ(ReadAt(OpenFor(file, Access::kRead), 0, 2), "hi");
  const Instant read = now();
  EXPECT_EQ(StatOf(file).atime, read);
}

TEST_P(FileSystemConformance, SecondReadOfTheDayKeepsAtime) {
  LAMINA_NEEDS(plain());
  const NodeId file = MakeFile(root(), "a", "hi");
  Advance(5);
  EXPECT_EQ(ContentOf(file), "hi");
  const Instant first = StatOf(file).atime;
  Advance(3600);
  EXPECT_EQ(ContentOf(file), "hi");
  EXPECT_EQ(StatOf(file).atime, first);
  Advance(24 * 3600);
  EXPECT_EQ(ContentOf(file), "hi");
  EXPECT_GT(StatOf(file).atime, first);
}

TEST_P(FileSystemConformance, ReadLinkGivesTheTarget) {
  EXPECT_THAT(fs().ReadLink(Op(), MakeLink(root(), "l", "../a")), Gives(std::string("../a")));
}

TEST_P(FileSystemConformance, ReadLinkGivesALongTarget) {
  const std::string target(4095, 't');
  EXPECT_THAT(fs().ReadLink(Op(), MakeLink(root(), "l", target)), Gives(target));
}

TEST_P(FileSystemConformance, ReadLinkOfAFileIsInval) {
  EXPECT_THAT(fs().ReadLink(Op(), MakeFile(root(), "a")), IsErrno(Errno::kInval));
  EXPECT_THAT(fs().ReadLink(Op(), root()), IsErrno(Errno::kInval));
}

}  // namespace
}  // namespace lamina
