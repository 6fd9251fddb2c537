// Crashes: after any crash the next mount shows the tree as it was after one of the calls, none of
// them before the last sync that returned; and e2fsck finds nothing.
//
// A device keeps every write. A crash happens between two of its steps: what was flushed is there;
// of the writes after the last flush any are there, whole or with some of their sectors. All
// subsets up to kMostSubsets for each gap between two flushes, beyond that a sample of as many.
//
//   LAMINA_EXT_CRASHES=100    how many histories (default 8)
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lamina/block/forwarding_device.h"
#include "tests/block/device_fixture.h"
#include "tests/ext/ext_fixture.h"
#include "tests/ext/ext_tree.h"
#include "tests/store/split_mix.h"

namespace lamina::test {
namespace {

constexpr int kHistoriesByDefault = 8;
constexpr std::size_t kMostSubsets = 32;
constexpr std::uint64_t kChecksEach = 16;  // e2fsck sees one of so many different images

struct Step {
  std::uint64_t sector = 0;
  std::vector<std::byte> bytes;  // empty: a flush
};

class Recorder final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  Result<void> Write(const OpContext& op, Sector first, Bytes from) override {
    steps.push_back({first.value, {from.begin(), from.end()}});
    return target().Write(op, first, from);
  }
  Result<void> Flush(const OpContext& op) override {
    steps.push_back({});
    return target().Flush(op);
  }
  std::vector<Step> steps;
};

// What was true when so many steps had been made.
struct Moment {
  std::size_t steps = 0;
  std::size_t synced = 0;  // index of the oldest tree that may be seen
};

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed), bench_(4 * kMiB, Options(seed)), recorder_(bench_.disk) {
    bench_.Unmount();
    before_ = bench_.disk.Capture();
    bench_.MountOn(recorder_);
    Keep();
    moments_.push_back({0, 0});
  }

  void Run(int calls) {
    for (int call = 0; call < calls; ++call) {
      Change(call);
      Keep();
    }
    for (auto& [name, handle] : open_) bench_.fs().Close(handle);
    bench_.Crash();
  }

  // "" or what went wrong.
  std::string CheckCrashes() {
    MemDisk disk(bench_.disk.size_sectors());
    disk.Restore(before_);
    std::size_t begin = 0;
    for (std::size_t end = 0; end <= recorder_.steps.size(); ++end) {
      const bool is_flush = end < recorder_.steps.size() && recorder_.steps[end].bytes.empty();
      if (!is_flush && end < recorder_.steps.size()) continue;
      if (std::string wrong = CheckGap(disk, begin, end); !wrong.empty()) return wrong;
      for (std::size_t step = begin; step < end; ++step) Apply(disk, recorder_.steps[step], ~0U);
      begin = end + 1;
    }
    return "";
  }

  // The same for a device whose flushes do nothing: at the end any write may be missing.
  std::string CheckLyingDevice() {
    MemDisk disk(bench_.disk.size_sectors());
    disk.Restore(before_);
    std::erase_if(recorder_.steps, [](const Step& step) { return step.bytes.empty(); });
    for (Moment& moment : moments_) moment.steps = 0;
    return CheckGap(disk, 0, recorder_.steps.size());
  }

  std::size_t states() const { return states_; }
  std::size_t images() const { return seen_.size(); }
  std::size_t checked() const { return checked_; }

 private:
  static ExtMkfsOptions Options(std::uint64_t seed) {
    return {.version = seed % 2 == 0 ? ExtVersion::kExt4 : ExtVersion::kExt3};
  }

  // The tree as it is now; the same one again changes nothing.
  void Keep() {
    trees_.push_back(Tree(bench_.fs()));
    if (synced_now_) moments_.push_back({recorder_.steps.size(), trees_.size() - 1});
    synced_now_ = false;
  }
  // Times of reading would be writes of their own.
  static std::string Tree(ExtFs& fs) { return TreeLines(fs, fs.root(), {}); }

  NodeId SomeDir() {
    std::vector<NodeId> dirs = {bench_.root()};
    for (const char* name : {"d0", "d1"}) {
      const Result<NodeId> dir = bench_.fs().Lookup(bench_.Op(), {bench_.root(), name});
      if (dir.ok()) dirs.push_back(*dir);
    }
    return dirs[random_.Below(dirs.size())];
  }
  std::string SomeName() { return "n" + std::to_string(random_.Below(5)); }

  // One call. Written bytes are never written again, so that a tree is a matter of metadata alone.
  void Change(int call) {
    const NodeId dir = SomeDir();
    const std::string name = SomeName();
    const Place place{dir, name};
    const OpContext op = bench_.Op();
    ExtFs& fs = bench_.fs();
    switch (random_.Below(13)) {
      case 0:
        (void)fs.Create(op, {bench_.root(), "d" + std::to_string(random_.Below(2))},
                        {FileType::kDirectory, 0755, 0, {}});
        return;
      case 1:
        (void)fs.Remove(op, {bench_.root(), "d" + std::to_string(random_.Below(2))},
                        FileType::kDirectory);
        return;
      case 2:
      case 3:
        (void)fs.Remove(op, place, FileType::kRegular);
        return;
      case 4:
      case 5:
        (void)fs.Rename(op, place, {SomeDir(), SomeName()}, RenameMode::kReplace);
        return;
      case 6:
        (void)fs.Create(op, place,
                        {FileType::kSymlink, 0777, 0, std::string(1 + random_.Below(100), 't')});
        return;
      case 7:
        if (const Result<NodeId> node = fs.Lookup(op, place); node.ok()) {
          (void)fs.SetXattr(op, *node, "trusted.k", std::string(random_.Below(300), 'v'),
                            XattrMode::kSet);
        }
        return;
      case 8:
        (void)fs.SyncAll(op);
        synced_now_ = true;
        return;
      case 9:
        if (const Result<NodeId> node = fs.Lookup(op, place); node.ok()) {
          if (!open_.contains(name)) open_[name] = *fs.Open(op, *node, {});
        }
        return;
      case 10:
        if (const auto found = open_.find(name); found != open_.end()) {
          fs.Close(found->second);
          open_.erase(found);
        }
        return;
      default:
        Append(place, call);
    }
  }

  // To a new file or the end of an old one, in one write; the file may have been cut to nothing.
  void Append(Place place, int call) {
    ExtFs& fs = bench_.fs();
    Result<NodeId> node = fs.Lookup(bench_.Op(), place);
    if (!node.ok()) node = fs.Create(bench_.Op(), place, {FileType::kRegular, 0644, 0, {}});
    if (!node.ok()) return;
    Keep();
    const Result<HandleId> handle =
        fs.Open(bench_.Op(), *node, {.access = Access::kWrite, .append = true});
    if (!handle.ok()) return;
    const std::string text(1 + random_.Below(5000), static_cast<char>('a' + call % 26));
    (void)fs.Write(bench_.Op(), *handle, 0, AsBytes(text));
    fs.Close(*handle);
  }

  static void Apply(MemDisk& disk, const Step& step, std::uint64_t sectors) {
    for (std::size_t at = 0; at < step.bytes.size(); at += kSectorBytes) {
      const std::uint64_t index = at / kSectorBytes;
      if (((sectors >> (index % 64)) & 1U) == 0) continue;
      const Bytes part = Bytes(step.bytes).subspan(at, kSectorBytes);
      LAMINA_CHECK(disk.Write(Caller().Op(), Sector{step.sector + index}, part).ok());
    }
  }

  // The crashes between two flushes: steps [begin, end) may or may not be there.
  std::string CheckGap(const MemDisk& durable, std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    const bool all = count < 6;
    const std::size_t subsets = all ? std::size_t{1} << count : kMostSubsets;
    for (std::size_t subset = 0; subset < subsets; ++subset) {
      MemDisk disk(durable.size_sectors());
      disk.Restore(durable.Capture());
      std::size_t last = begin;
      for (std::size_t index = 0; index < count; ++index) {
        // Whole subsets first; in a sample, some writes are torn.
        std::uint64_t sectors = ((subset >> index) & 1U) != 0 ? ~std::uint64_t{0} : 0;
        if (!all) {
          const std::uint64_t fate = random_.Below(4);
          sectors = fate == 0 ? random_.Next() : (fate == 1 ? 0 : ~std::uint64_t{0});
        }
        if (sectors != 0) last = begin + index + 1;
        Apply(disk, recorder_.steps[begin + index], sectors);
      }
      ++states_;
      if (std::string wrong = CheckState(disk, begin); !wrong.empty()) {
        return "after " + std::to_string(last) + " of " + std::to_string(recorder_.steps.size()) +
               " steps: " + wrong;
      }
    }
    return "";
  }

  std::string CheckState(MemDisk& disk, std::size_t begin) {
    std::string content(disk.size_sectors() * kSectorBytes, '\0');
    disk.content().Read(0, std::as_writable_bytes(std::span(content)));
    if (!seen_.insert(std::hash<std::string>()(content)).second) return "";
    auto mounted = ExtFs::Mount(bench_.Op(), disk, {});
    if (!mounted.ok()) return "mount: " + mounted.error().text;
    const std::string tree = Tree(**mounted);
    std::size_t oldest = 0;
    for (const Moment& moment : moments_) {
      // A sync that returned before the crash: its last step is a flush that is durable.
      if (moment.steps <= begin) oldest = moment.synced;
    }
    bool known = false;
    for (std::size_t index = oldest; index < trees_.size(); ++index) {
      known = known || trees_[index] == tree;
    }
    if (!known) return "not the tree after any call since " + std::to_string(oldest) + ":\n" + tree;
    if (!(*mounted)->Unmount(bench_.Op()).ok()) return "unmount";
    if (seen_.size() % kChecksEach != 0) return "";
    ++checked_;
    return ExtBench::CheckImage(disk);
  }

  SplitMix64 random_;
  ExtBench bench_;
  Recorder recorder_;
  MemDisk::Image before_;
  std::map<std::string, HandleId> open_;
  std::vector<std::string> trees_;
  std::vector<Moment> moments_;
  bool synced_now_ = false;
  std::set<std::size_t> seen_;
  std::size_t states_ = 0;
  std::size_t checked_ = 0;
};

int HistoriesWanted() {
  const char* text = std::getenv("LAMINA_EXT_CRASHES");
  return text == nullptr ? kHistoriesByDefault : std::atoi(text);
}

TEST(ExtCrash, EXT_EveryCrashStateIsTheTreeAfterACallAndKeepsWhatWasSynced) {
  std::size_t states = 0;
  std::size_t images = 0;
  std::size_t checked = 0;
  for (int seed = 1; seed <= HistoriesWanted(); ++seed) {
    History history(static_cast<std::uint64_t>(seed));
    history.Run(40);
    ASSERT_EQ(history.CheckCrashes(), "") << "seed " << seed;
    states += history.states();
    images += history.images();
    checked += history.checked();
  }
  std::cout << states << " crash states, " << images << " different images, " << checked
            << " of them seen by e2fsck\n";
  if (!HasTool("e2fsck")) GTEST_SKIP() << "without e2fsck, which the host lacks";
}

// Negative control: the check above finds what goes wrong when flushes do not hold.
TEST(ExtCrash, EXT_ADeviceThatLiesAboutFlushesIsFound) {
  History history(1);
  history.Run(40);
  EXPECT_NE(history.CheckLyingDevice(), "");
}

// ── Orphans ──────────────────────────────────────────────────────────────────────────────────────

TEST(ExtOrphans, EXT_AFileThatWasOpenWithoutANameGoesAtTheNextMount) {
  ExtBench bench(4 * kMiB, {});
  const std::uint64_t free = bench.free_bytes();
  const NodeId node = bench.MakeFile(bench.root(), "a", std::string(100'000, 'x'));
  bench.Open(node);
  ASSERT_TRUE(bench.fs().Remove(bench.Op(), {bench.root(), "a"}, FileType::kRegular).ok());
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  EXPECT_LT(bench.free_bytes(), free);
  bench.Crash();
  // The image alone is what e2fsck expects of a crash: replayed, with an orphan that it clears.
  if (HasTool("e2fsck")) {
    const Scratch scratch;
    SaveDisk(bench.disk, scratch / "image");
    const Ended repaired = Shell("e2fsck -fp " + (scratch / "image").string());
    EXPECT_LE(repaired.status, 1) << repaired.out;
    EXPECT_THAT(repaired.out, testing::HasSubstr("Clearing orphaned inode"));
  }
  bench.Mount();
  EXPECT_EQ(bench.free_bytes(), free);
  EXPECT_EQ(bench.fs().GetAttr(bench.Op(), node).error(), Errno::kStale);
  EXPECT_EQ(bench.UnmountAndCheck(), "");
}

TEST(ExtOrphans, EXT_AFileThatNeverHadANameGoesWithACrash) {
  ExtBench bench(4 * kMiB, {});
  const std::uint64_t free = bench.free_bytes();
  const auto made = bench.fs().CreateUnnamed(bench.Op(), bench.root(), {}, {Access::kReadWrite});
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(bench.Write(made->handle, 0, std::string(50'000, 'x')));
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  bench.Crash();
  bench.Mount();
  EXPECT_EQ(bench.free_bytes(), free);
  EXPECT_EQ(bench.UnmountAndCheck(), "");
}

// Two orphans; the one below the head of the list is closed first.
TEST(ExtOrphans, EXT_OrphansLeaveTheListInAnyOrder) {
  ExtBench bench(4 * kMiB, {});
  const std::uint64_t free = bench.free_bytes();
  const NodeId first = bench.MakeFile(bench.root(), "a", "first");
  const NodeId second = bench.MakeFile(bench.root(), "b", "second");
  const HandleId first_handle = bench.Open(first);
  const HandleId second_handle = bench.Open(second);
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(bench.fs().Remove(bench.Op(), {bench.root(), name}, FileType::kRegular).ok());
  }
  bench.fs().Close(first_handle);
  EXPECT_EQ(bench.Read(second_handle, 0, 10), "second");
  bench.fs().Close(second_handle);
  EXPECT_EQ(bench.free_bytes(), free);
  EXPECT_EQ(bench.UnmountAndCheck(), "");
}

TEST(ExtOrphans, EXT_AReadOnlyMountReplaysInMemoryAndWritesNothing) {
  ExtBench bench(4 * kMiB, {});
  bench.MakeFile(bench.root(), "a", "kept");
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  bench.Crash();
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, {}};
  Recorder recorder(bench.disk);
  {
    auto fs = ExtFs::Mount(op, recorder, {.access = ExtAccess::kReadOnly});
    ASSERT_TRUE(fs.ok()) << fs.error().text;
    EXPECT_TRUE((*fs)->Lookup(op, {(*fs)->root(), "a"}).ok());
    EXPECT_EQ((*fs)->Create(op, {(*fs)->root(), "b"}, {}).error(), Errno::kRoFs);
    EXPECT_TRUE((*fs)->Unmount(op).ok());
  }
  EXPECT_TRUE(recorder.steps.empty());
}

// ── Discard ──────────────────────────────────────────────────────────────────────────────────────

class DiscardRecorder final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  Result<void> Discard(const OpContext& op, SectorRange range) override {
    sectors += range.count;
    return target().Discard(op, range);
  }
  std::uint64_t sectors = 0;
};

TEST(ExtDiscard, EXT_FreedBlocksAreDiscardedAfterTheirCommit) {
  ExtBench bench(4 * kMiB, {}, {.discard = ExtDiscard::kOn});
  bench.Unmount();
  DiscardRecorder recorder(bench.disk);
  bench.MountOn(recorder);
  bench.MakeFile(bench.root(), "a", std::string(100 * 1024, 'x'));
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  const std::uint64_t allocated = bench.disk.allocated_bytes();
  ASSERT_TRUE(bench.fs().Remove(bench.Op(), {bench.root(), "a"}, FileType::kRegular).ok());
  EXPECT_EQ(recorder.sectors, 0U);
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  EXPECT_EQ(recorder.sectors, 200U);
  EXPECT_LT(bench.disk.allocated_bytes(), allocated);
  EXPECT_EQ(bench.UnmountAndCheck(), "");
}

TEST(ExtCommit, EXT_ChangesAreCommittedAtTheirDeadline) {
  ExtBench bench(4 * kMiB, {});
  ASSERT_TRUE(bench.fs().SyncAll(bench.Op()).ok());
  EXPECT_FALSE(bench.fs().NextDeadline().has_value());
  const OpContext op = bench.Op();
  ASSERT_TRUE(bench.fs().Create(op, {bench.root(), "a"}, {}).ok());
  const std::optional<Instant> due = bench.fs().NextDeadline();
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->virtual_ns, op.now.virtual_ns + 5 * kNanosecondsPerSecond);
  const std::uint64_t commits = bench.fs().commits();
  ASSERT_TRUE(bench.fs().RunUntil(op, Instant{due->virtual_ns - 1}).ok());
  EXPECT_EQ(bench.fs().commits(), commits);
  ASSERT_TRUE(bench.fs().RunUntil(op, *due).ok());
  EXPECT_EQ(bench.fs().commits(), commits + 1);
  bench.Crash();
  bench.Mount();
  EXPECT_TRUE(bench.fs().Lookup(bench.Op(), {bench.root(), "a"}).ok());
}

}  // namespace
}  // namespace lamina::test
