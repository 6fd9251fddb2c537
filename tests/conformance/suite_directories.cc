// Conformance: ReadDir, and directories that are removed while they are open.
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;

std::vector<std::string> Joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST_P(FileSystemConformance, ReadDirListsEachNameOnce) {
  MakeFile(root(), "a");
  MakeDir(root(), "d");
  MakeLink(root(), "l", "t");
  EXPECT_THAT(NamesOf(root()), ElementsAre("a", "d", "l"));
}

TEST_P(FileSystemConformance, EntryNamesItsNodeAndType) {
  const NodeId dir = MakeDir(root(), "d");
  DirEntry seen;
  ASSERT_THAT(fs().ReadDir(Op(), OpenFor(root(), Access::kRead), {},
                           [&](const DirEntry& entry) {
                             seen = entry;
                             return true;
                           }),
              Succeeds());
  // 0: the file system would have to look it up.
  EXPECT_TRUE(seen.node == NodeId{} || seen.node == dir);
  EXPECT_EQ(seen.type, FileType::kDirectory);
}

TEST_P(FileSystemConformance, EntryNumberIsTheInodeNumber) {
  LAMINA_NEEDS(plain());
  const NodeId file = MakeFile(root(), "a");
  std::uint64_t ino = 0;
  ASSERT_THAT(fs().ReadDir(Op(), OpenFor(root(), Access::kRead), {},
                           [&](const DirEntry& entry) {
                             ino = entry.ino;
                             return true;
                           }),
              Succeeds());
  EXPECT_EQ(ino, StatOf(file).ino);
}

TEST_P(FileSystemConformance, ReadDirOfAnEmptyDirectoryEndsAtOnce) {
  DirCookie cookie;
  EXPECT_THAT(NextNames(OpenFor(root(), Access::kRead), &cookie, 10), IsEmpty());
  EXPECT_EQ(cookie, kDirEnd);
}

TEST_P(FileSystemConformance, ReadDirAfterTheEndGivesNothing) {
  MakeFile(root(), "a");
  DirCookie cookie = kDirEnd;
  EXPECT_THAT(NextNames(OpenFor(root(), Access::kRead), &cookie, 10), IsEmpty());
  EXPECT_EQ(cookie, kDirEnd);
}

TEST_P(FileSystemConformance, ReadDirContinuesWhereTheVisitorStopped) {
  MakeFiles(root(), 5);
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  const auto first = NextNames(handle, &cookie, 2);
  const auto second = NextNames(handle, &cookie, 2);
  const auto third = NextNames(handle, &cookie, 2);
  EXPECT_THAT(Joined(Joined(first, second), third),
              UnorderedElementsAre("f0", "f1", "f2", "f3", "f4"));
  EXPECT_EQ(cookie, kDirEnd);
}

TEST_P(FileSystemConformance, RefusedEntryIsNotTaken) {
  MakeFile(root(), "a");
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  EXPECT_THAT(NextNames(handle, &cookie, 0), IsEmpty());
  EXPECT_THAT(NextNames(handle, &cookie, 10), ElementsAre("a"));
}

TEST_P(FileSystemConformance, ScanCanBeStartedAgain) {
  MakeFiles(root(), 2);
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  EXPECT_THAT(NextNames(handle, &cookie, 10), UnorderedElementsAre("f0", "f1"));
  cookie = DirCookie{};
  EXPECT_THAT(NextNames(handle, &cookie, 10), UnorderedElementsAre("f0", "f1"));
}

TEST_P(FileSystemConformance, EntriesThatStayAreSeenOnceWhileOthersGo) {
  MakeFiles(root(), 6);
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  const auto first = NextNames(handle, &cookie, 3);
  ASSERT_THAT(Remove(root(), first[0]), Succeeds());
  ASSERT_THAT(Remove(root(), first[2]), Succeeds());
  const auto rest = NextNames(handle, &cookie, 10);
  EXPECT_THAT(Joined(first, rest), UnorderedElementsAre("f0", "f1", "f2", "f3", "f4", "f5"));
}

TEST_P(FileSystemConformance, EntriesThatStayAreSeenOnceWhileOthersCome) {
  MakeFiles(root(), 4);
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  const auto first = NextNames(handle, &cookie, 2);
  MakeFile(root(), "new");
  auto all = Joined(first, NextNames(handle, &cookie, 10));
  EXPECT_THAT(all, IsSupersetOf({"f0", "f1", "f2", "f3"}));
  EXPECT_LE(all.size(), 5U);
}

TEST_P(FileSystemConformance, NameThatIsReplacedDuringAScanIsSeenOnce) {
  LAMINA_NEEDS(plain());
  MakeFiles(root(), 4);
  MakeFile(root(), "x");
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  const auto first = NextNames(handle, &cookie, 2);
  ASSERT_THAT(Rename({root(), "x"}, {root(), first[0]}), Succeeds());
  EXPECT_THAT(Joined(first, NextNames(handle, &cookie, 10)),
              UnorderedElementsAre("f0", "f1", "f2", "f3"));
}

TEST_P(FileSystemConformance, TwoScansDoNotDisturbEachOther) {
  MakeFiles(root(), 4);
  const HandleId left = OpenFor(root(), Access::kRead);
  const HandleId right = OpenFor(root(), Access::kRead);
  DirCookie left_cookie;
  DirCookie right_cookie;
  const auto first = NextNames(left, &left_cookie, 1);
  EXPECT_EQ(NextNames(right, &right_cookie, 10).size(), 4U);
  EXPECT_EQ(NextNames(left, &left_cookie, 10).size(), 3U);
}

TEST_P(FileSystemConformance, ReadDirOfAFileIsNotDir) {
  const HandleId handle = OpenFor(MakeFile(root(), "a"), Access::kRead);
  EXPECT_THAT(fs().ReadDir(Op(), handle, {}, [](const DirEntry&) { return true; }),
              IsErrno(Errno::kNotDir));
}

TEST_P(FileSystemConformance, ReadDirThroughAClosedHandleIsBadF) {
  const HandleId handle = OpenFor(root(), Access::kRead);
  Close(handle);
  EXPECT_THAT(fs().ReadDir(Op(), handle, {}, [](const DirEntry&) { return true; }),
              IsErrno(Errno::kBadF));
}

TEST_P(FileSystemConformance, ReadDirOfARemovedDirectoryIsNoEnt) {
  const NodeId dir = MakeDir(root(), "d");
  const HandleId handle = OpenFor(dir, Access::kRead);
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  const Result<DirCookie> next =
      fs().ReadDir(Op(), handle, DirCookie{}, [](const DirEntry&) { return true; });
  EXPECT_THAT(next, IsErrno(Errno::kNoEnt));
  EXPECT_EQ(StatOf(dir).nlink, 0U);
}

TEST_P(FileSystemConformance, RemovedOpenDirectoryHasNoNames) {
  const NodeId dir = MakeDir(root(), "d");
  OpenFor(dir, Access::kRead);
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  EXPECT_THAT(Find(dir, "a"), IsErrno(Errno::kNoEnt));
  EXPECT_THAT(Remove(dir, "a"), IsErrno(Errno::kNoEnt));
}

TEST_P(FileSystemConformance, RemovedDirectoryGoesWithItsLastHandle) {
  const NodeId dir = MakeDir(root(), "d");
  const HandleId handle = OpenFor(dir, Access::kPath);
  ASSERT_THAT(Remove(root(), "d", FileType::kDirectory), Succeeds());
  Close(handle);
  EXPECT_THAT(fs().GetAttr(Op(), dir), IsErrno(Errno::kStale));
}

TEST_P(FileSystemConformance, LargeDirectoryIsReadInPieces) {
  MakeFiles(root(), 300);
  const HandleId handle = OpenFor(root(), Access::kRead);
  DirCookie cookie;
  const auto first = NextNames(handle, &cookie, 100);
  const auto rest = NextNames(handle, &cookie, 1000);
  EXPECT_EQ(first.size(), 100U);
  EXPECT_EQ(rest.size(), 200U);
}

TEST_P(FileSystemConformance, LargeDirectoryCanBeEmptied) {
  MakeFiles(root(), 300);
  RemoveFiles(root(), 300);
  EXPECT_THAT(NamesOf(root()), IsEmpty());
  MakeFile(root(), "f7");
  EXPECT_THAT(NamesOf(root()), ElementsAre("f7"));
}

}  // namespace
}  // namespace lamina
