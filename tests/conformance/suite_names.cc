// Conformance: Lookup, Create, CreateOpen, CreateUnnamed, Link, LinkHandle, Remove.
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr NewNode kFile{FileType::kRegular, 0644, 0, {}};

std::string NameOf(std::size_t bytes) { return std::string(bytes, 'n'); }

// ── Lookup ───────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, EmptyRootHasNoNames) { EXPECT_THAT(NamesOf(root()), IsEmpty()); }

TEST_P(FileSystemConformance, RootIsADirectoryOfUserZero) {
  const Stat stat = StatOf(root());
  EXPECT_EQ(stat.type, FileType::kDirectory);
  EXPECT_EQ(stat.mode, 0755);
  EXPECT_EQ(stat.uid, 0U);
}

TEST_P(FileSystemConformance, LookupFindsWhatCreateMade) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Find(root(), "a"), Gives(file));
}

TEST_P(FileSystemConformance, LookupOfAMissingNameIsNoEnt) {
  EXPECT_THAT(Find(root(), "a"), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, LookupIsByteExact) {
  MakeFile(root(), "a");
  EXPECT_THAT(Find(root(), "A"), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(Find(root(), "aa"), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, LookupInAFileIsNotDir) {
  EXPECT_THAT(Find(MakeFile(root(), "a"), "b"), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, LookupOfTooLongANameIsNameTooLong) {
  EXPECT_THAT(Find(root(), NameOf(fs().limits().name_max + 1)), IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, LookupOfTheLongestNameIsNoEnt) {
  EXPECT_THAT(Find(root(), NameOf(fs().limits().name_max)), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, LookupBelowARemovedNodeIsStale) {
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  EXPECT_THAT(Find(dir, "a"), IsErrno(Errno::kStale));
}

// ── Create ───────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, NewFileIsEmptyAndHasOneLink) {
  const Stat stat = StatOf(MakeFile(root(), "a", "", 0640));
  EXPECT_EQ(stat.type, FileType::kRegular);
  EXPECT_EQ(stat.mode, 0640);
  EXPECT_EQ(stat.size_bytes, 0U);
  EXPECT_EQ(stat.allocated_sectors, 0U);
  EXPECT_EQ(stat.nlink, 1U);
}

TEST_P(FileSystemConformance, NewNodeBelongsToTheCaller) {
  ActAs(UserCredentials(7, 8));
  const Stat stat = StatOf(MakeFile(root(), "a"));
  EXPECT_EQ(stat.uid, 7U);
  EXPECT_EQ(stat.gid, 8U);
}

TEST_P(FileSystemConformance, NewNodeHasTheTimeOfTheCall) {
  Advance(5);
  const NodeId file = MakeFile(root(), "a");
  const Instant made = now();
  const Stat stat = StatOf(file);
  EXPECT_EQ(stat.atime, made);
  EXPECT_EQ(stat.mtime, made);
  EXPECT_EQ(stat.ctime, made);
}

TEST_P(FileSystemConformance, CreateSetsTheTimesOfTheDirectory) {
  Advance(5);
  MakeFile(root(), "a");
  const Instant made = now();
  EXPECT_EQ(StatOf(root()).mtime, made);
  EXPECT_EQ(StatOf(root()).ctime, made);
}

TEST_P(FileSystemConformance, NewSymlinkIs0777AndAsLongAsItsTarget) {
  const Stat stat = StatOf(MakeLink(root(), "l", "../target"));
  EXPECT_EQ(stat.type, FileType::kSymlink);
  EXPECT_EQ(stat.mode, 0777);
  EXPECT_EQ(stat.size_bytes, 9U);
}

TEST_P(FileSystemConformance, DeviceNodeKeepsItsNumber) {
  LAMINA_NEEDS(fs().limits().device_nodes);
  const NewNode device{FileType::kBlockDevice, 0600, MakeDevice(8, 1), {}};
  const Result<NodeId> node = fs().Create(Op(), {root(), "sda1"}, device);
  ASSERT_THAT(node, Succeeds());
  EXPECT_EQ(StatOf(*node).type, FileType::kBlockDevice);
  EXPECT_EQ(StatOf(*node).rdev, MakeDevice(8, 1));
  EXPECT_EQ(StatOf(*node).size_bytes, 0U);
}

TEST_P(FileSystemConformance, CharDeviceKeepsItsType) {
  LAMINA_NEEDS(fs().limits().device_nodes);
  const NewNode device{FileType::kCharDevice, 0666, MakeDevice(1, 3), {}};
  const Result<NodeId> node = fs().Create(Op(), {root(), "null"}, device);
  ASSERT_THAT(node, Succeeds());
  EXPECT_EQ(StatOf(*node).type, FileType::kCharDevice);
  EXPECT_EQ(StatOf(*node).rdev, MakeDevice(1, 3));
}

TEST_P(FileSystemConformance, FifosAndSocketsKeepTheirType) {
  EXPECT_EQ(StatOf(*Make(root(), "p", FileType::kFifo)).type, FileType::kFifo);
  EXPECT_EQ(StatOf(*Make(root(), "s", FileType::kSocket)).type, FileType::kSocket);
}

TEST_P(FileSystemConformance, CreateOfAnExistingNameIsExist) {
  MakeFile(root(), "a");
  EXPECT_THAT(Make(root(), "a", FileType::kRegular), IsErrno(Errno::kExist));
  EXPECT_THAT(Make(root(), "a", FileType::kDirectory), IsErrno(Errno::kExist));
}

TEST_P(FileSystemConformance, CreateInAFileIsNotDir) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Make(file, "b", FileType::kRegular), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, CreateOfTooLongANameIsNameTooLong) {
  EXPECT_THAT(Make(root(), NameOf(fs().limits().name_max + 1), FileType::kRegular),
              IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, TheLongestNameCanBeCreatedAndFound) {
  const std::string name = NameOf(fs().limits().name_max);
  const NodeId file = MakeFile(root(), name);
  EXPECT_THAT(Find(root(), name), Gives(file));
  EXPECT_THAT(NamesOf(root()), ElementsAre(name));
}

TEST_P(FileSystemConformance, SymlinkWithoutATargetIsInval) {
  EXPECT_THAT(fs().Create(Op(), {root(), "l"}, {FileType::kSymlink, 0777, 0, ""}),
              IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, SymlinkTargetOver4095BytesIsNameTooLong) {
  const std::string target(4096, 't');
  EXPECT_THAT(fs().Create(Op(), {root(), "l"}, {FileType::kSymlink, 0777, 0, target}),
              IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, FailedCreateLeavesTheDirectoryAlone) {
  MakeFile(root(), "a");
  const Stat before = StatOf(root());
  EXPECT_THAT(Make(root(), "a", FileType::kRegular), IsErrno(Errno::kExist));
  EXPECT_EQ(StatOf(root()).mtime, before.mtime);
  EXPECT_EQ(StatOf(root()).change, before.change);
}

TEST_P(FileSystemConformance, CreateInARemovedOpenDirectoryIsNoEnt) {
  const NodeId dir = MakeDir(root(), "d");
  OpenFor(dir, Access::kRead);
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  EXPECT_THAT(Make(dir, "a", FileType::kRegular), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, SetGidDirectoryGivesItsGroup) {
  const NodeId dir = MakeDir(root(), "d", 02775);
  ASSERT_THAT(Set(dir, {.gid = 50}), Succeeds());
  ActAs(UserCredentials(7, 8));
  EXPECT_EQ(StatOf(MakeFile(dir, "a")).gid, 50U);
  EXPECT_EQ(StatOf(MakeFile(dir, "b")).mode, 0644);
}

TEST_P(FileSystemConformance, SetGidDirectoryGivesSetGidToDirectories) {
  const NodeId dir = MakeDir(root(), "d", 02775);
  EXPECT_EQ(StatOf(MakeDir(dir, "e", 0755)).mode, 02755);
}

// Linux mode_strip_sgid: an executable file of a foreign group does not become set-gid.
TEST_P(FileSystemConformance, SetGidIsStrippedFromANewFileOfAForeignGroup) {
  const NodeId dir = MakeDir(root(), "d", 02777);
  ASSERT_THAT(Set(dir, {.gid = 50}), Succeeds());
  ActAs(UserCredentials(7, 8));
  EXPECT_EQ(StatOf(MakeFile(dir, "a", "", 02755)).mode, 0755);
}

TEST_P(FileSystemConformance, SubdirectoriesCountAsLinks) {
  LAMINA_NEEDS(plain());
  const NodeId dir = MakeDir(root(), "d");
  MakeDir(dir, "e");
  MakeFile(dir, "f");
  EXPECT_EQ(StatOf(dir).nlink, 3U);
  ASSERT_THAT(Remove(dir, "e", FileType::kDirectory), Succeeds());
  EXPECT_EQ(StatOf(dir).nlink, 2U);
}

TEST_P(FileSystemConformance, NodeIdsAreNotReused) {
  const NodeId first = MakeFile(root(), "a");
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_NE(MakeFile(root(), "a"), first);
}

TEST_P(FileSystemConformance, ManyNamesAreAllFound) {
  MakeFiles(root(), 500);
  EXPECT_EQ(NamesOf(root()).size(), 500U);
  EXPECT_THAT(Find(root(), "f0"), Succeeds());
  EXPECT_THAT(Find(root(), "f499"), Succeeds());
  EXPECT_THAT(Find(root(), "f500"), IsErrno(Errno::kNoEnt));
}

// ── CreateOpen, CreateUnnamed ────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, CreateOpenGivesAHandleOfTheNewFile) {
  const Result<Opened> opened =
      fs().CreateOpen(Op(), {root(), "a"}, kFile, {.access = Access::kReadWrite});
  ASSERT_THAT(opened, Succeeds());
  EXPECT_THAT(Find(root(), "a"), Gives(opened->node));
  EXPECT_THAT(WriteAt(opened->handle, 0, "hi"), Gives(std::size_t{2}));
  EXPECT_EQ(ReadAt(opened->handle, 0, 9), "hi");
  fs().Close(opened->handle);
}

// The handle may write although the mode does not let anybody.
TEST_P(FileSystemConformance, CreateOpenIgnoresTheModeOfTheNewFile) {
  ActAs(UserCredentials(7, 8));
  const Result<Opened> opened = fs().CreateOpen(Op(), {root(), "a"}, {FileType::kRegular, 0, 0, {}},
                                                {.access = Access::kWrite});
  ASSERT_THAT(opened, Succeeds());
  EXPECT_THAT(WriteAt(opened->handle, 0, "hi"), Gives(std::size_t{2}));
  fs().Close(opened->handle);
}

TEST_P(FileSystemConformance, CreateOpenOfAnExistingNameIsExist) {
  MakeFile(root(), "a");
  EXPECT_THAT(fs().CreateOpen(Op(), {root(), "a"}, kFile, {}), IsErrno(Errno::kExist));
}

TEST_P(FileSystemConformance, UnnamedFileHasNoNameAndNoLink) {
  const Opened file = MakeUnnamed(root());
  EXPECT_THAT(NamesOf(root()), IsEmpty());
  EXPECT_EQ(StatOf(file.node).nlink, 0U);
}

TEST_P(FileSystemConformance, UnnamedFileGoesWithItsLastHandle) {
  const Opened file = MakeUnnamed(root());
  Close(file.handle);
  EXPECT_THAT(fs().GetAttr(Op(), file.node), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, UnnamedFileInAFileIsNotDir) {
  EXPECT_THAT(fs().CreateUnnamed(Op(), MakeFile(root(), "a"), kFile, {}), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, LinkHandleNamesAnUnnamedFile) {
  const Opened file = MakeUnnamed(root());
  ASSERT_THAT(WriteAt(file.handle, 0, "hi"), Succeeds());
  ASSERT_THAT(fs().LinkHandle(Op(), file.handle, {root(), "a"}), Succeeds());
  Close(file.handle);
  EXPECT_EQ(ContentOf(*Find(root(), "a")), "hi");
  EXPECT_EQ(StatOf(*Find(root(), "a")).nlink, 1U);
}

TEST_P(FileSystemConformance, LinkHandleOverAnExistingNameIsExist) {
  const Opened file = MakeUnnamed(root());
  MakeFile(root(), "a");
  EXPECT_THAT(fs().LinkHandle(Op(), file.handle, {root(), "a"}), IsErrno(Errno::kExist));
}

TEST_P(FileSystemConformance, LinkHandleOfAnUnlinkedFileIsNoEnt) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kRead);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_THAT(fs().LinkHandle(Op(), handle, {root(), "b"}), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, LinkHandleOfAClosedHandleIsBadF) {
  const Opened file = MakeUnnamed(root());
  Close(file.handle);
  EXPECT_THAT(fs().LinkHandle(Op(), file.handle, {root(), "a"}), IsErrno(Errno::kBadF));
}

// ── Link ─────────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, LinkGivesOneNodeTwoNames) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(fs().Link(Op(), file, {root(), "b"}), Succeeds());
  EXPECT_THAT(Find(root(), "b"), Gives(file));
  EXPECT_EQ(StatOf(file).nlink, 2U);
}

TEST_P(FileSystemConformance, NodeSurvivesTheRemovalOfOneOfItsNames) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(fs().Link(Op(), file, {root(), "b"}), Succeeds());
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_EQ(StatOf(file).nlink, 1U);
  EXPECT_EQ(ContentOf(*Find(root(), "b")), "hi");
}

TEST_P(FileSystemConformance, LinkSetsCtimeOfTheNodeAndTimesOfTheDirectory) {
  const NodeId file = MakeFile(root(), "a");
  const NodeId dir = MakeDir(root(), "d");
  EXPECT_TRUE(ChangesCtime(file, [&] {
    EXPECT_THAT(fs().Link(Op(), file, {dir, "b"}), Succeeds());
    EXPECT_EQ(StatOf(dir).mtime, StatOf(file).ctime);
  }));
}

TEST_P(FileSystemConformance, LinkOfADirectoryIsPerm) {
  EXPECT_THAT(fs().Link(Op(), MakeDir(root(), "d"), {root(), "e"}), IsErrno(Errno::kPerm));
}

TEST_P(FileSystemConformance, LinkOverAnExistingNameIsExist) {
  const NodeId file = MakeFile(root(), "a");
  MakeFile(root(), "b");
  EXPECT_THAT(fs().Link(Op(), file, {root(), "b"}), IsErrno(Errno::kExist));
}

TEST_P(FileSystemConformance, LinkInAFileIsNotDir) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(fs().Link(Op(), file, {file, "b"}), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, LinkUnderTooLongANameIsNameTooLong) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(fs().Link(Op(), file, {root(), NameOf(fs().limits().name_max + 1)}),
              IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, LinkOfAnUnlinkedOpenFileIsNoEnt) {
  const NodeId file = MakeFile(root(), "a");
  OpenFor(file, Access::kRead);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_THAT(fs().Link(Op(), file, {root(), "b"}), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, SymlinksCanHaveTwoNames) {
  const NodeId link = MakeLink(root(), "l", "t");
  ASSERT_THAT(fs().Link(Op(), link, {root(), "m"}), Succeeds());
  EXPECT_EQ(StatOf(link).nlink, 2U);
}

// ── Remove ───────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, RemovedNameIsGone) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_THAT(Find(root(), "a"), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(fs().GetAttr(Op(), file), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, RemoveSetsTheTimesOfTheDirectory) {
  MakeFile(root(), "a");
  Advance(5);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  const Instant removed = now();
  EXPECT_EQ(StatOf(root()).mtime, removed);
  EXPECT_EQ(StatOf(root()).ctime, removed);
}

TEST_P(FileSystemConformance, RemoveOfAMissingNameIsNoEnt) {
  EXPECT_THAT(Remove(root(), "a"), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(Remove(root(), "a", FileType::kDirectory), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, UnlinkOfADirectoryIsIsDir) {
  MakeDir(root(), "d");
  EXPECT_THAT(Remove(root(), "d"), IsErrno(Errno::kIsDir));
}

TEST_P(FileSystemConformance, RmdirOfAFileIsNotDir) {
  MakeFile(root(), "a");
  EXPECT_THAT(Remove(root(), "a", FileType::kDirectory), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, RmdirOfADirectoryWithEntriesIsNotEmpty) {
  MakeFile(MakeDir(root(), "d"), "a");
  EXPECT_THAT(Remove(root(), "d", FileType::kDirectory), IsErrno(Errno::kNotEmpty));
}

TEST_P(FileSystemConformance, RemoveInAFileIsNotDir) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Remove(file, "b"), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, RemoveOfTooLongANameIsNameTooLong) {
  EXPECT_THAT(Remove(root(), NameOf(fs().limits().name_max + 1)), IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, UnlinkedFileLivesUntilItsLastHandleCloses) {
  const NodeId file = MakeFile(root(), "a", "hi");
  const HandleId first = OpenFor(file, Access::kReadWrite);
  const HandleId second = OpenFor(file, Access::kRead);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_EQ(StatOf(file).nlink, 0U);
  EXPECT_THAT(WriteAt(first, 2, "!"), Succeeds());
  Close(first);
  EXPECT_EQ(ReadAt(second, 0, 9), "hi!");
  Close(second);
  EXPECT_THAT(fs().GetAttr(Op(), file), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, PathHandleKeepsAnUnlinkedFile) {
  const NodeId file = MakeFile(root(), "a");
  OpenFor(file, Access::kPath);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_EQ(StatOf(file).nlink, 0U);
}

TEST_P(FileSystemConformance, UnlinkSetsCtimeOfTheNode) {
  const NodeId file = MakeFile(root(), "a");
  OpenFor(file, Access::kPath);
  EXPECT_TRUE(ChangesCtime(file, [&] { EXPECT_THAT(Remove(root(), "a"), Succeeds()); }));
}

TEST_P(FileSystemConformance, NameCanBeMadeAgainWhileTheOldFileIsOpen) {
  const HandleId old_handle = OpenFor(MakeFile(root(), "a", "old"), Access::kRead);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  const NodeId made = MakeFile(root(), "a", "new");
  EXPECT_EQ(ReadAt(old_handle, 0, 9), "old");
  EXPECT_EQ(ContentOf(made), "new");
}

TEST_P(FileSystemConformance, ChangesGrowTheChangeCount) {
  const std::uint64_t before = fs().change_count();
  MakeFile(root(), "a");
  const std::uint64_t made = fs().change_count();
  EXPECT_GT(made, before);
  ASSERT_THAT(Remove(root(), "a"), Succeeds());
  EXPECT_GT(fs().change_count(), made);
}

}  // namespace
}  // namespace lamina
