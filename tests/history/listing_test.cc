// Directory listings and what is remembered of directories. Numbers are those of the table in
// README.md.
#include "lamina/testing/matchers.h"
#include "tests/history/replay.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// 300 names in each of two lowers, a third of them in both, and some in upper.
void MountManyNames(OverlayStack& stack) {
  for (int i = 0; i < 300; ++i) {
    PutFile(*stack.OnLower(0), "/n" + std::to_string(i), "top");
    PutFile(*stack.OnLower(1), "/n" + std::to_string(i + 200), "bottom");
  }
  stack.Mount();
  PutFile(stack.process(), "/n7", "changed");
  ASSERT_THAT(stack.process().Unlink("/n8"), IsOk());
  PutFile(stack.process(), "/new", "new");
}

// The names as `chunk` entries a call give them, in the order of the calls.
std::vector<std::string> InChunks(Process& process, Process::Fd fd, std::size_t chunk) {
  std::vector<std::string> names;
  Result<std::vector<ProcessEntry>> entries = process.ReadEntries(fd, chunk);
  while (entries.ok() && !entries->empty()) {
    for (const ProcessEntry& entry : *entries) names.push_back(entry.name);
    entries = process.ReadEntries(fd, chunk);
  }
  EXPECT_THAT(entries, IsOk());
  return names;
}

// 53: the order was another one at each opening, so a position meant something else.
TEST(OverlayHistory, F_4266f68_AListingHasOneOrderHoweverItIsRead) {
  OverlayStack stack(2);
  MountManyNames(stack);
  Process& process = stack.process();
  const Process::Fd fd = *process.Open("/", {.directory = true}, 0);
  const std::vector<std::string> order = InChunks(process, fd, 1000);
  EXPECT_EQ(order.size(), 502u);  // 500 - /n8 + /new, and "." and ".."
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), order.size());
  ASSERT_THAT(process.RewindDirectory(fd), IsOk());
  EXPECT_EQ(InChunks(process, fd, 1), order);
  ASSERT_THAT(process.RewindDirectory(fd), IsOk());
  ASSERT_THAT(process.ReadEntries(fd, 250), IsOk());
  ASSERT_THAT(process.RewindDirectory(fd), IsOk());
  EXPECT_EQ(InChunks(process, fd, 7), order);
  ASSERT_THAT(process.Close(fd), IsOk());
  const Process::Fd again = *process.Open("/", {.directory = true}, 0);
  EXPECT_EQ(InChunks(process, again, 3), order);
}

// 53: every position is where the listing goes on, whatever was read in between.
TEST(OverlayHistory, F_4266f68_EveryPositionOfAListingCanBeReturnedTo) {
  OverlayStack stack(2);
  MountManyNames(stack);
  UnionFs& fs = stack.fs();
  const OpContext op = stack.Op();
  const HandleId handle = *fs.Open(op, fs.root(), {});
  std::vector<DirCookie> positions = {DirCookie{}};
  std::vector<std::string> order;
  while (positions.back() != kDirEnd) {
    bool taken = false;
    positions.push_back(*fs.ReadDir(op, handle, positions.back(), [&](const DirEntry& entry) {
      if (taken) return false;
      order.emplace_back(entry.name);
      return taken = true;
    }));
  }
  ASSERT_EQ(order.size(), 500u);
  std::vector<std::string> backwards;
  for (std::size_t i = order.size(); i-- > 0;) {
    bool taken = false;
    ASSERT_THAT(fs.ReadDir(op, handle, positions[i],
                           [&](const DirEntry& entry) {
                             if (!taken) backwards.emplace_back(entry.name);
                             return !taken && (taken = true);
                           }),
                IsOk());
  }
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(backwards, order);
  fs.Close(handle);
}

// 54: the merged list was kept although the directory had changed.
TEST(OverlayHistory, K_65cd913ec9d9_ARewoundListingShowsWhatChanged) {
  const Replay replay(R"(
    layer bottom
      mkdir /d 0755
      put /d/a 0644 "a"
      put /d/b 0644 "b"
    layer top
      mkdir /d 0755
      put /d/c 0644 "c"
    layer upper
    stack top bottom upper
    mount
      open h /d rdonly,directory   -> OK
      hreaddir h                   -> [a:f b:f c:f]
      unlink /d/a                  -> OK
      put /d/new 0644 "n"          -> OK 1
      rename /d/b /d/moved         -> OK
      hreaddir h                   -> [a:f b:f c:f]
      hrewind h                    -> OK
      hreaddir h                   -> [c:f moved:f new:f]
      mkdir /d/a 0755              -> OK
      unlink /d/new                -> OK
      hrewind h                    -> OK
      hreaddir h                   -> [a:d c:f moved:f]
      readdir /d                   -> [a:d c:f moved:f]
      close h                      -> OK
  )");
  EXPECT_EQ(replay.Broken(), "");
  EXPECT_THAT(replay.Merged(), Shows("/d/\n  a/\n  c \"c\"\n  moved \"b\""));
}

// 55: an entry made or moved in the middle of a listing made another one disappear.
TEST(OverlayHistory, F_259_ChangesDuringAListingCostNoOtherEntry) {
  OverlayStack stack(2);
  MountManyNames(stack);
  Process& process = stack.process();
  const Process::Fd fd = *process.Open("/", {.directory = true}, 0);
  const Result<std::vector<ProcessEntry>> first = process.ReadEntries(fd, 100);
  ASSERT_THAT(first, IsOk());
  PutFile(process, "/during", "d");
  ASSERT_THAT(process.Rename("/n3", "/renamed", RenameMode::kReplace), IsOk());
  ASSERT_THAT(process.Unlink("/n450"), IsOk());
  ASSERT_THAT(process.Mkdir("/n8", 0755), IsOk());
  std::vector<std::string> names = InChunks(process, fd, 10);
  for (const ProcessEntry& entry : *first) names.push_back(entry.name);
  // What was there from the beginning to the end is there once.
  std::vector<std::string> stable;
  for (int i = 0; i < 500; ++i) {
    if (i != 3 && i != 8 && i != 450) stable.push_back("n" + std::to_string(i));
  }
  std::sort(stable.begin(), stable.end());
  std::sort(names.begin(), names.end());
  EXPECT_TRUE(std::includes(names.begin(), names.end(), stable.begin(), stable.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  ASSERT_THAT(process.RewindDirectory(fd), IsOk());
  stable.insert(stable.end(), {".", "..", "during", "renamed", "n8", "new"});
  EXPECT_THAT(InChunks(process, fd, 10), ::testing::UnorderedElementsAreArray(stable));
}

// 56: a directory that was made anew asked the lowers for the names of the old one.
TEST(OverlayHistory, F_d5b2cec_AFreshDirectoryAsksNoLower) {
  FsPtr fs =
      Overlay({.lower = {Tree("/d/\n  a \"a\"\n  b/\n    c \"c\""), Tree("/d/\n  e \"e\"")}});
  ASSERT_THAT(fs->RemoveAll("/d"), IsOk());
  ASSERT_THAT(fs->Mkdir("/d"), IsOk());
  const std::uint64_t before = fs->counters().branch_probes;
  EXPECT_THAT(fs->Lstat("/d/a"), HasErrno(ENOENT));
  EXPECT_THAT(fs->Lstat("/d/b"), HasErrno(ENOENT));
  EXPECT_THAT(fs->Lstat("/d/b/c"), HasErrno(ENOENT));
  EXPECT_THAT(fs->Lstat("/d/e"), HasErrno(ENOENT));
  EXPECT_LE(fs->counters().branch_probes - before, 4u);  // the upper, once for each
  EXPECT_THAT(fs->ReadDir("/d"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(fs->Layer("upper"), Shows("/d/ opaque"));
}

// Counts the calls that read anything.
class CountingFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  std::uint64_t calls = 0;

  Result<NodeId> Lookup(const OpContext& op, Place place) override {
    ++calls;
    return ForwardingFileSystem::Lookup(op, place);
  }
  Result<Stat> GetAttr(const OpContext& op, NodeId node) override {
    ++calls;
    return ForwardingFileSystem::GetAttr(op, node);
  }
  Result<HandleId> Open(const OpContext& op, NodeId node, OpenFlags flags) override {
    ++calls;
    return ForwardingFileSystem::Open(op, node, flags);
  }
  Result<DirCookie> ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                            absl::FunctionRef<bool(const DirEntry&)> visit) override {
    return ForwardingFileSystem::ReadDir(op, dir, from, [&](const DirEntry& entry) {
      ++calls;
      return visit(entry);
    });
  }
};

// Branch calls that a second stat of a directory with `entries` subdirectories takes.
std::uint64_t CallsOfAStat(int entries) {
  OverlayStack stack(1);
  const OpContext op = stack.Op();
  MemFs& lower = stack.lower(0);
  const NodeId dir = *lower.Create(op, {lower.root(), "d"}, {FileType::kDirectory, 0755, 0, {}});
  for (int i = 0; i < entries; ++i) {
    const std::string name = std::to_string(i);
    const FileType type = i < 1000 ? FileType::kDirectory : FileType::kRegular;
    EXPECT_THAT(lower.Create(op, {dir, name}, {type, 0755, 0, {}}), IsOk());
  }
  CountingFs counting(lower);
  OverlayMount mount = stack.Request();
  mount.lowers[0].fs = &counting;
  Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(mount);
  EXPECT_THAT(fs, IsOk());
  const NodeId shown = *(*fs)->Lookup(op, {(*fs)->root(), "d"});
  EXPECT_THAT((*fs)->GetAttr(op, shown), IsOk());
  counting.calls = 0;
  EXPECT_THAT((*fs)->GetAttr(op, shown), IsOk());
  return counting.calls;
}

// 57: each stat of a directory counted its subdirectories.
TEST(OverlayHistory, F_401_AStatOfABigDirectoryCountsNothing) {
  EXPECT_EQ(CallsOfAStat(10), 1u);
  EXPECT_EQ(CallsOfAStat(100'000), 1u);
}

}  // namespace
}  // namespace lamina::testing
