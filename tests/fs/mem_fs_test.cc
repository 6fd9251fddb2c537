// What MemFs has beyond the FileSystem contract: images, freezing, lazy content, events, footprint.
// The contract itself is asked in tests/conformance.
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "tests/fs/mem_fs_fixture.h"

namespace lamina {
namespace {

using testing::ElementsAre;

// ── Images ───────────────────────────────────────────────────────────────────────────────────────

TEST_F(MemFsTest, RestoreBringsBackNamesContentAndAttributes) {
  const NodeId file = Make("a", "before");
  const Stat stat = StatOf(file);
  const MemFs::Image image = fs_.Capture();
  const HandleId handle = Open(file, Access::kWrite);
  ASSERT_TRUE(Write(handle, "after!").ok());
  fs_.Close(handle);
  ASSERT_TRUE(Unlink("a").ok());
  fs_.Restore(image);
  EXPECT_EQ(ContentOf(file), "before");
  EXPECT_EQ(StatOf(file).ctime, stat.ctime);
}

TEST_F(MemFsTest, RestoreForgetsWhatWasMadeSince) {
  const MemFs::Image image = fs_.Capture();
  const NodeId file = Make("a");
  fs_.Restore(image);
  EXPECT_FALSE(Has("a"));
  EXPECT_EQ(ErrorOf(file), Errno::kStale);
}

TEST_F(MemFsTest, NodeIdsAreNotReusedAfterRestore) {
  const MemFs::Image image = fs_.Capture();
  const NodeId first = Make("a");
  fs_.Restore(image);
  EXPECT_NE(Make("a"), first);
  EXPECT_EQ(ErrorOf(first), Errno::kStale);
}

TEST_F(MemFsTest, RestoreIsAChange) {
  const MemFs::Image image = fs_.Capture();
  Make("a");
  const std::uint64_t before = fs_.change_count();
  fs_.Restore(image);
  EXPECT_GT(fs_.change_count(), before);
}

TEST_F(MemFsTest, ChangeOfANodeIsNeverRepeatedAfterRestore) {
  const NodeId file = Make("a");
  const MemFs::Image image = fs_.Capture();
  ASSERT_TRUE(fs_.SetAttr(Op(), file, {.mode = 0600}).ok());
  const std::uint64_t lost = StatOf(file).change;
  fs_.Restore(image);
  ASSERT_TRUE(fs_.SetAttr(Op(), file, {.mode = 0640}).ok());
  EXPECT_GT(StatOf(file).change, lost);
}

TEST_F(MemFsTest, ImageCanBeRestoredAgainAndAgain) {
  MakeMany(40);
  const MemFs::Image image = fs_.Capture();
  RemoveMany(40);
  fs_.Restore(image);
  RemoveMany(20);
  fs_.Restore(image);
  EXPECT_TRUE(Has("f0"));
  EXPECT_TRUE(Has("f39"));
}

TEST_F(MemFsTest, LaterImageOutlivesARestoreOfAnEarlierOne) {
  const MemFs::Image empty = fs_.Capture();
  Make("a", "one");
  const MemFs::Image full = fs_.Capture();
  fs_.Restore(empty);
  Make("b");
  fs_.Restore(full);
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("b"));
}

TEST_F(MemFsTest, HandleOfANodeThatIsStillThereSurvivesRestore) {
  const NodeId file = Make("a", "before");
  const HandleId handle = Open(file, Access::kReadWrite);
  const MemFs::Image image = fs_.Capture();
  ASSERT_TRUE(Write(handle, "after!").ok());
  fs_.Restore(image);
  EXPECT_EQ(*Read(handle), "before");
  fs_.Close(handle);
}

TEST_F(MemFsTest, HandleOfANodeThatIsGoneAfterRestoreIsStale) {
  const MemFs::Image image = fs_.Capture();
  const HandleId handle = Open(Make("a"));
  fs_.Restore(image);
  EXPECT_EQ(Read(handle).error(), Errno::kStale);
  fs_.Close(handle);
}

TEST_F(MemFsTest, UnlinkedFileWhoseHandleWasClosedIsNotRestored) {
  const NodeId file = Make("a", std::string(kPage, 'x'));
  const HandleId handle = Open(file);
  ASSERT_TRUE(Unlink("a").ok());
  const MemFs::Image image = fs_.Capture();
  fs_.Close(handle);
  const std::uint64_t free_bytes = FreeBytes();
  fs_.Restore(image);
  EXPECT_EQ(ErrorOf(file), Errno::kStale);
  EXPECT_EQ(FreeBytes(), free_bytes);
}

TEST_F(MemFsTest, UnlinkedFileThatIsStillOpenIsRestored) {
  const NodeId file = Make("a", "hi");
  const HandleId handle = Open(file);
  ASSERT_TRUE(Unlink("a").ok());
  const MemFs::Image image = fs_.Capture();
  Make("b");
  fs_.Restore(image);
  EXPECT_EQ(*Read(handle), "hi");
  EXPECT_EQ(StatOf(file).nlink, 0U);
  fs_.Close(handle);
  EXPECT_EQ(ErrorOf(file), Errno::kStale);
}

TEST_F(MemFsTest, RestoreGivesBackSpace) {
  const std::uint64_t free_bytes = FreeBytes();
  const MemFs::Image image = fs_.Capture();
  Make("a", std::string(10 * kPage, 'x'));
  fs_.Restore(image);
  EXPECT_EQ(FreeBytes(), free_bytes);
}

TEST_F(MemFsTest, ImageCanBeRestoredInAnotherFileSystem) {
  const NodeId file = Make("a", "hi");
  MemFs other;
  other.Restore(fs_.Capture());
  EXPECT_EQ(*other.Lookup(Op(), {other.root(), "a"}), file);
  ASSERT_TRUE(Unlink("a").ok());
  EXPECT_TRUE(other.GetAttr(Op(), file).ok());
}

// ── Frozen trees ─────────────────────────────────────────────────────────────────────────────────

TEST_F(MemFsTest, EveryChangeOfAFrozenTreeIsRoFs) {
  const NodeId file = Make("a", "hi");
  const Place free_place{fs_.root(), "b"};
  fs_.Freeze();
  EXPECT_TRUE(fs_.limits().read_only);
  EXPECT_EQ(fs_.Create(Op(), free_place, kFile).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.CreateUnnamed(Op(), fs_.root(), kFile, {}).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.Link(Op(), file, free_place).error(), Errno::kRoFs);
  EXPECT_EQ(Unlink("a").error(), Errno::kRoFs);
  EXPECT_EQ(fs_.Rename(Op(), {fs_.root(), "a"}, free_place, RenameMode::kReplace).error(),
            Errno::kRoFs);
  EXPECT_EQ(fs_.SetAttr(Op(), file, {}).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.SetXattr(Op(), file, "user.k", "v", XattrMode::kSet).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.RemoveXattr(Op(), file, "user.k").error(), Errno::kRoFs);
  EXPECT_EQ(fs_.Open(Op(), file, {.access = Access::kWrite}).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.Open(Op(), file, {.truncate = true}).error(), Errno::kRoFs);
  EXPECT_EQ(fs_.SetChangeTime(file, now_).error(), Errno::kRoFs);
}

TEST_F(MemFsTest, HandleOfAFrozenTreeIsTheNode) {
  const NodeId file = Make("a", "hi");
  fs_.Freeze();
  const HandleId handle = Open(file);
  EXPECT_EQ(handle.value, file.value);
  EXPECT_EQ(*Read(handle), "hi");
  fs_.Close(handle);
}

TEST_F(MemFsTest, HandleFromBeforeTheFreezeStaysValid) {
  const HandleId handle = Open(Make("a", "hi"), Access::kReadWrite);
  fs_.Freeze();
  EXPECT_EQ(*Read(handle), "hi");
  EXPECT_EQ(Write(handle, "x").error(), Errno::kRoFs);
  fs_.Close(handle);
}

TEST_F(MemFsTest, ReadingAFrozenTreeChangesNothing) {
  const NodeId file = Make("a", "hi");
  fs_.Freeze();
  const Stat before = StatOf(file);
  const std::uint64_t changes = fs_.change_count();
  now_.virtual_ns += 48 * 3600 * kNanosecondsPerSecond;
  EXPECT_EQ(ContentOf(file), "hi");
  EXPECT_EQ(StatOf(file).atime, before.atime);
  EXPECT_EQ(fs_.change_count(), changes);
}

// ── Lazy content ─────────────────────────────────────────────────────────────────────────────────

TEST_F(MemFsTest, LazyFileIsLoadedOnceAtItsFirstRead) {
  const auto loader = std::make_shared<TextLoader>("lazy");
  const NodeId file = *MakeLazy("a", loader, 4);
  EXPECT_EQ(StatOf(file).size_bytes, 4U);
  EXPECT_EQ(StatOf(file).allocated_sectors, 0U);
  EXPECT_EQ(loader->loads, 0);
  EXPECT_EQ(ContentOf(file), "lazy");
  EXPECT_EQ(ContentOf(file), "lazy");
  EXPECT_EQ(loader->loads, 1);
}

TEST_F(MemFsTest, LazyFileOfAFrozenTreeIsLoadedOnce) {
  const auto loader = std::make_shared<TextLoader>("lazy");
  const NodeId file = *MakeLazy("a", loader, 4);
  fs_.Freeze();
  EXPECT_EQ(*Read(Open(file)), "lazy");
  EXPECT_EQ(*Read(Open(file)), "lazy");
  EXPECT_EQ(loader->loads, 1);
}

TEST_F(MemFsTest, LazyFileIsLoadedBeforeItIsWritten) {
  const NodeId file = *MakeLazy("a", std::make_shared<TextLoader>("lazy"), 4);
  const HandleId handle = Open(file, Access::kWrite);
  ASSERT_TRUE(Write(handle, "h").ok());
  fs_.Close(handle);
  EXPECT_EQ(ContentOf(file), "hazy");
}

TEST_F(MemFsTest, TruncateAtOpenLoadsNothing) {
  const auto loader = std::make_shared<TextLoader>("lazy");
  const NodeId file = *MakeLazy("a", loader, 4);
  const Result<HandleId> handle =
      fs_.Open(Op(), file, {.access = Access::kWrite, .truncate = true});
  ASSERT_TRUE(handle.ok());
  fs_.Close(*handle);
  EXPECT_EQ(StatOf(file).size_bytes, 0U);
  EXPECT_EQ(loader->loads, 0);
}

TEST_F(MemFsTest, FailedLoadFailsEverAfter) {
  const auto loader = std::make_shared<TextLoader>("lazy");
  loader->error = Errno::kIo;
  const NodeId file = *MakeLazy("a", loader, 4);
  const HandleId handle = Open(file);
  EXPECT_EQ(Read(handle).error(), Errno::kIo);
  loader->error.reset();
  EXPECT_EQ(Read(handle).error(), Errno::kIo);
  EXPECT_EQ(fs_.Open(Op(), file, {.access = Access::kWrite}).error(), Errno::kIo);
  EXPECT_EQ(loader->loads, 1);
  fs_.Close(handle);
}

TEST_F(MemFsTest, LazyContentOfAnotherSizeIsIo) {
  const HandleId handle = Open(*MakeLazy("a", std::make_shared<TextLoader>("longer"), 4));
  EXPECT_EQ(Read(handle).error(), Errno::kIo);
  fs_.Close(handle);
}

TEST_F(MemFsTest, LazyFileIsSharedLoaded) {
  const HandleId handle = Open(*MakeLazy("a", std::make_shared<TextLoader>("lazy"), 4));
  const auto content = fs_.ShareContent(Op(), handle);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ((*content)->size_bytes(), 4U);
  fs_.Close(handle);
}

// ── Order, events, options ───────────────────────────────────────────────────────────────────────

TEST_F(MemFsTest, EntriesComeInTheOrderTheyWereMade) {
  Make("z");
  Make("a");
  Make("m");
  const HandleId dir = Open(fs_.root());
  EXPECT_THAT(Names(dir), ElementsAre("z", "a", "m"));
  ASSERT_TRUE(Unlink("a").ok());
  Make("a");
  EXPECT_THAT(Names(dir), ElementsAre("z", "m", "a"));
  fs_.Close(dir);
}

TEST_F(MemFsTest, OrderIsKeptWhenADirectoryGrowsAndShrinks) {
  MakeMany(200);
  Make("last");
  RemoveMany(199);
  const HandleId dir = Open(fs_.root());
  EXPECT_THAT(Names(dir), ElementsAre("f199", "last"));
  fs_.Close(dir);
}

TEST_F(MemFsTest, DataCallsEmitEvents) {
  const NodeId file = Make("a", "hello");
  const HandleId handle = Open(file, Access::kReadWrite);
  events_.seen.clear();
  EXPECT_EQ(*Read(handle), "hello");
  ASSERT_TRUE(Write(handle, "J").ok());
  fs_.Close(handle);
  ASSERT_EQ(events_.seen.size(), 2U);
  EXPECT_EQ(events_.seen[0].kind, EventKind::kDataRead);
  EXPECT_EQ(events_.seen[0].amount, 5U);
  EXPECT_EQ(events_.seen[0].subject, file.value);
  EXPECT_EQ(events_.seen[1].kind, EventKind::kDataWrite);
  EXPECT_EQ(events_.seen[1].amount, 1U);
}

TEST_F(MemFsTest, ReadDirEmitsTheNumberOfEntries) {
  MakeMany(3);
  const HandleId dir = Open(fs_.root());
  events_.seen.clear();
  EXPECT_EQ(Names(dir).size(), 3U);
  fs_.Close(dir);
  ASSERT_EQ(events_.seen.size(), 1U);
  EXPECT_EQ(events_.seen[0].kind, EventKind::kDirRead);
  EXPECT_EQ(events_.seen[0].amount, 3U);
}

TEST_F(MemFsTest, SharingAndAdoptingChargeTheWholeContent) {
  const NodeId file = Make("a", std::string(3 * kPage, 'x'));
  const NodeId copy = Make("b");
  const HandleId source = Open(file);
  const HandleId target = Open(copy, Access::kWrite);
  events_.seen.clear();
  ASSERT_TRUE(fs_.AdoptContent(Op(), target, *fs_.ShareContent(Op(), source)).ok());
  ASSERT_EQ(events_.seen.size(), 2U);
  EXPECT_EQ(events_.seen[0].amount, 3 * kPage);
  EXPECT_EQ(events_.seen[1].amount, 3 * kPage);
  fs_.Close(source);
  fs_.Close(target);
}

TEST_F(MemFsTest, CloneOfAnAlignedRangeSharesItsPages) {
  const HandleId source = Open(Make("a", std::string(3 * kPage, 'x')));
  const HandleId target = Open(Make("b", std::string(5, 'y')), Access::kReadWrite);
  EXPECT_EQ(*fs_.Clone(Op(), source, kPage, target, 2 * kPage, 2 * kPage), 2 * kPage);
  fs_.Close(source);
  ASSERT_TRUE(Unlink("b").ok());
  const auto content = fs_.ShareContent(Op(), target);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ((*content)->size_bytes(), 4 * kPage);
  EXPECT_EQ((*content)->page_count(), 3U);
  fs_.Close(target);
  EXPECT_EQ((*content)->CountPages().shared, 2U);
}

TEST_F(MemFsTest, AllocationBeyondReasonIsNoSpc) {
  const HandleId handle = Open(Make("a"), Access::kWrite);
  EXPECT_EQ(fs_.Allocate(Op(), handle, 0, std::uint64_t{1} << 50U, AllocateMode::kExtend).error(),
            Errno::kNoSpc);
  fs_.Close(handle);
}

TEST_F(MemFsTest, LinkMaxLimitsNamesAndSubdirectories) {
  MemFs fs({.link_max = 3});
  const NewNode dir{FileType::kDirectory, 0755, 0, {}};
  const NodeId file = *fs.Create(Op(), {fs.root(), "a"}, kFile);
  ASSERT_TRUE(fs.Link(Op(), file, {fs.root(), "b"}).ok());
  ASSERT_TRUE(fs.Link(Op(), file, {fs.root(), "c"}).ok());
  EXPECT_EQ(fs.Link(Op(), file, {fs.root(), "d"}).error(), Errno::kMLink);
  ASSERT_TRUE(fs.Create(Op(), {fs.root(), "e"}, dir).ok());
  EXPECT_EQ(fs.Create(Op(), {fs.root(), "f"}, dir).error(), Errno::kMLink);
}

TEST_F(MemFsTest, NoatimeKeepsAtime) {
  MemFs fs({.atime = AtimePolicy::kNever});
  const NodeId link = *fs.Create(Op(), {fs.root(), "l"}, {FileType::kSymlink, 0777, 0, "t"});
  const Instant before = fs.GetAttr(Op(), link)->atime;
  now_.virtual_ns += kNanosecondsPerSecond;
  EXPECT_EQ(*fs.ReadLink(Op(), link), "t");
  EXPECT_EQ(fs.GetAttr(Op(), link)->atime, before);
}

TEST_F(MemFsTest, XattrValuesTakeSpace) {
  const NodeId file = Make("a");
  const std::uint64_t free_bytes = FreeBytes();
  ASSERT_TRUE(fs_.SetXattr(Op(), file, "user.k", std::string(100, 'v'), XattrMode::kSet).ok());
  EXPECT_EQ(FreeBytes(), free_bytes - 100);
  ASSERT_TRUE(fs_.RemoveXattr(Op(), file, "user.k").ok());
  EXPECT_EQ(FreeBytes(), free_bytes);
}

TEST_F(MemFsTest, ChangeTimeCanBeSet) {
  const NodeId file = Make("a");
  ASSERT_TRUE(fs_.SetChangeTime(file, InstantFromSeconds(5)).ok());
  EXPECT_EQ(StatOf(file).ctime, InstantFromSeconds(5));
}

TEST_F(MemFsTest, DevicesDifferUnlessTheyAreGiven) {
  MemFs other;
  EXPECT_NE(other.GetAttr(Op(), other.root())->dev, StatOf(fs_.root()).dev);
  EXPECT_EQ(MemFs({.device = 77}).GetAttr(Op(), fs_.root())->dev, 77U);
}

// ── Footprint (performance target W9) ────────────────────────────────────────────────────────────

TEST_F(MemFsTest, SmallFileTakesAtMost250Bytes) {
  const std::uint64_t before = fs_.memory_bytes();
  MakeMany(20'000, "sixteen bytes ok");
  EXPECT_LE((fs_.memory_bytes() - before) / 20'000, 250U);
}

TEST_F(MemFsTest, RemovedEntriesLeaveNothingBehind) {
  Make("stays");
  const std::uint64_t before = fs_.memory_bytes();
  MakeMany(5'000);
  RemoveMany(5'000);
  EXPECT_LE(fs_.memory_bytes(), before + 2'000);
}

}  // namespace
}  // namespace lamina
