// Conformance: Rename in its four modes.
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

using testing::ElementsAre;

TEST_P(FileSystemConformance, RenameMovesTheNode) {
  const NodeId file = MakeFile(root(), "a", "hi");
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}), Succeeds());
  EXPECT_THAT(NamesOf(root()), ElementsAre("b"));
  EXPECT_THAT(Find(root(), "b"), Gives(file));
  EXPECT_EQ(ContentOf(file), "hi");
}

TEST_P(FileSystemConformance, RenameIntoAnotherDirectory) {
  const NodeId dir = MakeDir(root(), "d");
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Rename({root(), "a"}, {dir, "a"}), Succeeds());
  EXPECT_THAT(Find(dir, "a"), Gives(file));
  EXPECT_THAT(Find(root(), "a"), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, RenameReplacesAFile) {
  const NodeId file = MakeFile(root(), "a", "new");
  const NodeId replaced = MakeFile(root(), "b", "old");
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}), Succeeds());
  EXPECT_THAT(Find(root(), "b"), Gives(file));
  EXPECT_THAT(fs().GetAttr(Op(), replaced), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, ReplacedFileLivesWhileItIsOpen) {
  MakeFile(root(), "a", "new");
  const NodeId replaced = MakeFile(root(), "b", "old");
  const HandleId handle = OpenFor(replaced, Access::kRead);
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}), Succeeds());
  EXPECT_EQ(ReadAt(handle, 0, 9), "old");
  EXPECT_EQ(StatOf(replaced).nlink, 0U);
}

TEST_P(FileSystemConformance, RenameReplacesAnEmptyDirectory) {
  const NodeId dir = MakeDir(root(), "d");
  MakeFile(dir, "a");
  MakeDir(root(), "e");
  ASSERT_THAT(Rename({root(), "d"}, {root(), "e"}), Succeeds());
  EXPECT_THAT(NamesOf(root()), ElementsAre("e"));
  EXPECT_THAT(NamesOf(dir), ElementsAre("a"));
}

TEST_P(FileSystemConformance, RenameSetsTheTimesOfBothDirectoriesAndCtimeOfTheNode) {
  const NodeId dir = MakeDir(root(), "d");
  const NodeId file = MakeFile(root(), "a");
  const Instant mtime = StatOf(file).mtime;
  Advance(5);
  ASSERT_THAT(Rename({root(), "a"}, {dir, "a"}), Succeeds());
  const Instant moved = now();
  EXPECT_EQ(StatOf(root()).mtime, moved);
  EXPECT_EQ(StatOf(root()).ctime, moved);
  EXPECT_EQ(StatOf(dir).mtime, moved);
  EXPECT_EQ(StatOf(dir).ctime, moved);
  EXPECT_EQ(StatOf(file).ctime, moved);
  EXPECT_EQ(StatOf(file).mtime, mtime);
}

TEST_P(FileSystemConformance, RenameOfOneNameOfANodeOverAnotherDoesNothing) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(fs().Link(Op(), file, {root(), "b"}), Succeeds());
  const Stat before = StatOf(root());
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}), Succeeds());
  EXPECT_THAT(NamesOf(root()), ElementsAre("a", "b"));
  EXPECT_EQ(StatOf(root()).mtime, before.mtime);
}

TEST_P(FileSystemConformance, RenameOntoItselfDoesNothing) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Rename({root(), "a"}, {root(), "a"}), Succeeds());
  EXPECT_THAT(Find(root(), "a"), Gives(file));
}

TEST_P(FileSystemConformance, RenameOfAMissingNameIsNoEnt) {
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, RenameFromOrIntoAFileIsNotDir) {
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Rename({file, "b"}, {root(), "c"}), IsErrno(Errno::kNotDir));
  EXPECT_THAT(Rename({root(), "a"}, {file, "c"}), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, RenameToTooLongANameIsNameTooLong) {
  MakeFile(root(), "a");
  const std::string name(fs().limits().name_max + 1, 'n');
  EXPECT_THAT(Rename({root(), "a"}, {root(), name}), IsErrno(Errno::kNameTooLong));
  EXPECT_THAT(Rename({root(), name}, {root(), "b"}), IsErrno(Errno::kNameTooLong));
}

TEST_P(FileSystemConformance, RenameOfADirectoryOverAFileIsNotDir) {
  MakeDir(root(), "d");
  MakeFile(root(), "a");
  EXPECT_THAT(Rename({root(), "d"}, {root(), "a"}), IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, RenameOfAFileOverADirectoryIsIsDir) {
  MakeDir(root(), "d");
  MakeFile(root(), "a");
  EXPECT_THAT(Rename({root(), "a"}, {root(), "d"}), IsErrno(Errno::kIsDir));
}

TEST_P(FileSystemConformance, RenameOverADirectoryWithEntriesIsNotEmpty) {
  MakeDir(root(), "d");
  MakeFile(MakeDir(root(), "e"), "a");
  EXPECT_THAT(Rename({root(), "d"}, {root(), "e"}), IsErrno(Errno::kNotEmpty));
}

TEST_P(FileSystemConformance, RenameOfADirectoryIntoItselfIsInval) {
  const NodeId dir = MakeDir(root(), "d");
  EXPECT_THAT(Rename({root(), "d"}, {dir, "e"}), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, RenameOfADirectoryIntoItsSubtreeIsInval) {
  const NodeId below = MakeDir(MakeDir(root(), "d"), "e");
  EXPECT_THAT(Rename({root(), "d"}, {below, "f"}), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, RenameOverAnAncestorIsNotEmpty) {
  const NodeId dir = MakeDir(MakeDir(root(), "d"), "e");
  MakeFile(dir, "a");
  EXPECT_THAT(Rename({dir, "a"}, {root(), "d"}), IsErrno(Errno::kNotEmpty));
}

TEST_P(FileSystemConformance, RenameIntoARemovedOpenDirectoryIsNoEnt) {
  const NodeId dir = MakeDir(root(), "d");
  OpenFor(dir, Access::kPath);
  MakeFile(root(), "a");
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  EXPECT_THAT(Rename({root(), "a"}, {dir, "a"}), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, MovedDirectoryCountsInItsNewParent) {
  LAMINA_NEEDS(plain());
  const NodeId from = MakeDir(root(), "from");
  const NodeId to = MakeDir(root(), "to");
  MakeDir(from, "d");
  ASSERT_THAT(Rename({from, "d"}, {to, "d"}), Succeeds());
  EXPECT_EQ(StatOf(from).nlink, 2U);
  EXPECT_EQ(StatOf(to).nlink, 3U);
}

TEST_P(FileSystemConformance, ReplacedDirectoryNoLongerCounts) {
  LAMINA_NEEDS(plain());
  const NodeId from = MakeDir(root(), "from");
  const NodeId to = MakeDir(root(), "to");
  MakeDir(from, "d");
  MakeDir(to, "d");
  ASSERT_THAT(Rename({from, "d"}, {to, "d"}), Succeeds());
  EXPECT_EQ(StatOf(from).nlink, 2U);
  EXPECT_EQ(StatOf(to).nlink, 3U);
}

TEST_P(FileSystemConformance, DirectoryCanMoveUpAndItsOldParentBelowIt) {
  const NodeId outer = MakeDir(root(), "outer");
  const NodeId inner = MakeDir(outer, "inner");
  ASSERT_THAT(Rename({outer, "inner"}, {root(), "inner"}), Succeeds());
  EXPECT_THAT(Rename({root(), "outer"}, {inner, "outer"}), Succeeds());
  EXPECT_THAT(Find(inner, "outer"), Gives(outer));
}

// ── kNoReplace ───────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, NoReplaceMovesToAFreeName) {
  MakeFile(root(), "a");
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kNoReplace), Succeeds());
  EXPECT_THAT(NamesOf(root()), ElementsAre("b"));
}

TEST_P(FileSystemConformance, NoReplaceOverAnExistingNameIsExist) {
  MakeFile(root(), "a");
  MakeFile(root(), "b");
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kNoReplace), IsErrno(Errno::kExist));
}

TEST_P(FileSystemConformance, NoReplaceOfOneNodeWithTwoNamesIsExist) {
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(fs().Link(Op(), file, {root(), "b"}), Succeeds());
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kNoReplace), IsErrno(Errno::kExist));
}

// ── kExchange ────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, ExchangeSwapsTwoFiles) {
  const NodeId first = MakeFile(root(), "a");
  const NodeId second = MakeFile(root(), "b");
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kExchange), Succeeds());
  EXPECT_THAT(Find(root(), "a"), Gives(second));
  EXPECT_THAT(Find(root(), "b"), Gives(first));
}

TEST_P(FileSystemConformance, ExchangeSwapsAFileAndADirectoryWithEntries) {
  const NodeId file = MakeFile(root(), "a");
  const NodeId dir = MakeDir(root(), "d");
  MakeFile(dir, "below");
  ASSERT_THAT(Rename({root(), "a"}, {root(), "d"}, RenameMode::kExchange), Succeeds());
  EXPECT_THAT(Find(root(), "a"), Gives(dir));
  EXPECT_THAT(Find(root(), "d"), Gives(file));
}

TEST_P(FileSystemConformance, ExchangeMovesSubdirectoryCounts) {
  LAMINA_NEEDS(plain());
  const NodeId left = MakeDir(root(), "left");
  const NodeId right = MakeDir(root(), "right");
  MakeDir(left, "d");
  MakeFile(right, "a");
  ASSERT_THAT(Rename({left, "d"}, {right, "a"}, RenameMode::kExchange), Succeeds());
  EXPECT_EQ(StatOf(left).nlink, 2U);
  EXPECT_EQ(StatOf(right).nlink, 3U);
}

TEST_P(FileSystemConformance, ExchangeSetsCtimeOfBothNodes) {
  const NodeId first = MakeFile(root(), "a");
  const NodeId second = MakeFile(root(), "b");
  Advance(5);
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kExchange), Succeeds());
  const Instant swapped = now();
  EXPECT_EQ(StatOf(first).ctime, swapped);
  EXPECT_EQ(StatOf(second).ctime, swapped);
}

TEST_P(FileSystemConformance, ExchangeWithoutATargetIsNoEnt) {
  MakeFile(root(), "a");
  EXPECT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kExchange), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(Rename({root(), "b"}, {root(), "a"}, RenameMode::kExchange), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, ExchangeWithAnAncestorIsInvalEitherWayRound) {
  const NodeId dir = MakeDir(root(), "d");
  MakeFile(dir, "a");
  EXPECT_THAT(Rename({dir, "a"}, {root(), "d"}, RenameMode::kExchange), IsErrno(Errno::kInval));
  EXPECT_THAT(Rename({root(), "d"}, {dir, "a"}, RenameMode::kExchange), IsErrno(Errno::kInval));
}

// ── kLeaveWhiteout ───────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, LeaveWhiteoutPutsADeviceZeroAtTheSource) {
  LAMINA_NEEDS(plain());
  LAMINA_NEEDS(fs().limits().device_nodes);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Rename({root(), "a"}, {root(), "b"}, RenameMode::kLeaveWhiteout), Succeeds());
  EXPECT_THAT(Find(root(), "b"), Gives(file));
  const Stat whiteout = StatOf(*Find(root(), "a"));
  EXPECT_EQ(whiteout.type, FileType::kCharDevice);
  EXPECT_EQ(whiteout.rdev, 0U);
  EXPECT_EQ(whiteout.mode, 0);
  EXPECT_EQ(whiteout.nlink, 1U);
}

TEST_P(FileSystemConformance, LeaveWhiteoutOfADirectoryMovesItsCount) {
  LAMINA_NEEDS(plain());
  LAMINA_NEEDS(fs().limits().device_nodes);
  const NodeId from = MakeDir(root(), "from");
  MakeDir(from, "d");
  ASSERT_THAT(Rename({from, "d"}, {root(), "d"}, RenameMode::kLeaveWhiteout), Succeeds());
  EXPECT_EQ(StatOf(from).nlink, 2U);
  EXPECT_EQ(StatOf(*Find(from, "d")).type, FileType::kCharDevice);
}

}  // namespace
}  // namespace lamina
