// Every crash state of small histories on ext: recovery finds all that was synced, and nothing that
// was not begun; the image is clean for the checker before and after it, and for e2fsck.
//
//   LAMINA_EXT_CRASHES=100     how many histories (default 4)
//   LAMINA_EXT_CRASH_SEED=7    only this one; a failure prints the one to use
//
// The calls are such that the tree after recovery is the tree after one of them: nothing that was
// committed is overwritten in place (data of a file is not in the journal).
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/check.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/sim/crash_states.h"
#include "tests/ext/ext_tree.h"
#include "tests/ext/host_tools.h"
#include "tests/store/split_mix.h"

namespace lamina::sim {
namespace {

constexpr int kHistoriesByDefault = 4;
constexpr int kCalls = 14;
constexpr std::uint64_t kDiskBytes = std::uint64_t{2} << 20U;
constexpr int kStatesPerFsck = 40;
const Credentials kRootUser = RootCredentials();

OpContext OpAt(int second) {
  return {kRootUser, Instant{kSimulationStart.virtual_ns + second * kNanosecondsPerSecond},
          Probe()};
}

const ExtMkfsOptions kKinds[] = {
    {.version = ExtVersion::kExt4, .inode_count = 64},
    {.version = ExtVersion::kExt3, .inode_count = 64},
};

// A tree that there was, and when.
struct Moment {
  std::string tree;
  std::size_t begun = 0;  // steps of the device when the call that made it began
};

struct Synced {
  std::size_t moment = 0;  // everything up to it
  std::size_t steps = 0;   // of the device when the sync was done
};

// A history on a recorded disk.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), disk_(MemDisk::SectorsOf(kDiskBytes)) {
    LAMINA_CHECK(MakeExt(OpAt(0), disk_, kKinds[seed % std::size(kKinds)]).ok());
    BlockDevice& device = recorder_.Record(disk_);
    auto fs = ExtFs::Mount(OpAt(0), device, {.discard = ExtDiscard::kOn});
    LAMINA_CHECK(fs.ok());
    fs_ = *std::move(fs);
    dirs_.push_back(fs_->root());
    moments_.push_back({test::TreeLines(*fs_, fs_->root()), 0});
  }

  void Run() {
    for (int call = 1; call <= kCalls; ++call) {
      const std::size_t begun = recorder_.steps();
      Draw(call);
      moments_.push_back({test::TreeLines(*fs_, fs_->root()), begun});
      if (random_.Below(3) == 0) Sync(call);
    }
  }

  const DeviceHistory& device() const { return recorder_.history(); }

  // "" or why `tree` cannot be what is left.
  std::string Judge(const std::string& tree, const CrashState& state) const {
    std::size_t least = 0;
    for (const Synced& synced : synced_) {
      if (synced.steps <= state.last_step) least = synced.moment;
    }
    for (std::size_t i = least; i < moments_.size(); ++i) {
      if (moments_[i].tree != tree) continue;
      if (i == 0 || moments_[i].begun <= state.first_step) return "";
    }
    return absl::StrCat("no moment from ", least, " on; the last one synced is\n",
                        moments_[least].tree, "found is\n", tree);
  }

 private:
  void Sync(int call) {
    LAMINA_CHECK(fs_->SyncAll(OpAt(call)).ok());
    synced_.push_back({moments_.size() - 1, recorder_.steps()});
  }

  Place Free() {
    name_ = absl::StrCat("n", names_++, std::string(random_.Below(40), 'x'));
    return {dirs_[random_.Below(dirs_.size())], name_};
  }
  Place Taken() { return files_.empty() ? Place{fs_->root(), "none"} : PlaceOf(PickFile()); }
  std::size_t PickFile() { return random_.Below(files_.size()); }
  Place PlaceOf(std::size_t file) const { return {files_[file].dir, files_[file].name}; }

  // Some calls fail: what they leave is a moment too.
  void Draw(int call) {
    const OpContext op = OpAt(call);
    switch (random_.Below(8)) {
      case 0:
      case 1:
        return MakeFile(op);
      case 2: {
        const Place place = Free();
        const auto made = fs_->Create(op, place, {FileType::kDirectory, 0755, 0, {}});
        if (made.ok()) dirs_.push_back(*made);
        return;
      }
      case 3: {
        const std::string target(1 + random_.Below(120), 't');
        (void)fs_->Create(op, Free(), {FileType::kSymlink, 0777, 0, target});
        return;
      }
      case 4:
        return Append(op);
      case 5:
        return Forget(op);
      case 6:
        return Move(op);
      case 7:
        return Mark(op);
    }
  }

  void MakeFile(const OpContext& op) {
    const Place place = Free();
    const auto made = fs_->Create(op, place, {FileType::kRegular, 0644, 0, {}});
    if (made.ok()) files_.push_back({place.dir, std::string(place.name)});
  }

  void Append(const OpContext& op) {
    const auto node = fs_->Lookup(op, Taken());
    if (!node.ok()) return;
    const auto handle = fs_->Open(op, *node, {.access = Access::kWrite, .append = true});
    if (!handle.ok()) return;
    const std::string text(1 + random_.Below(20'000), static_cast<char>('a' + random_.Below(26)));
    (void)fs_->Write(op, *handle, 0, AsBytes(text));
    fs_->Close(*handle);
  }

  void Forget(const OpContext& op) {
    if (files_.empty()) return;
    const std::size_t file = PickFile();
    (void)fs_->Remove(op, PlaceOf(file), FileType::kRegular);
    files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(file));
  }

  void Move(const OpContext& op) {
    if (files_.empty()) return;
    const std::size_t file = PickFile();
    const Place to = Free();
    if (random_.Below(3) == 0) {
      const auto node = fs_->Lookup(op, PlaceOf(file));
      if (node.ok()) (void)fs_->Link(op, *node, to);
      return;
    }
    if (!fs_->Rename(op, PlaceOf(file), to, RenameMode::kReplace).ok()) return;
    files_[file] = {to.dir, std::string(to.name)};
  }

  void Mark(const OpContext& op) {
    const auto node = fs_->Lookup(op, Taken());
    if (!node.ok()) return;
    if (random_.Below(2) == 0) {
      (void)fs_->SetAttr(op, *node, {.size_bytes = 0});
      return;
    }
    const std::string value(random_.Below(300), 'v');
    (void)fs_->SetXattr(op, *node, "user.mark", value, XattrMode::kSet);
  }

  struct Named {
    NodeId dir;
    std::string name;
  };

  SplitMix64 random_;
  MemDisk disk_;
  HistoryRecorder recorder_;
  std::unique_ptr<ExtFs> fs_;
  std::vector<NodeId> dirs_;
  std::vector<Named> files_;
  std::string name_;
  int names_ = 0;
  std::vector<Moment> moments_;
  std::vector<Synced> synced_;
};

class CheckedCrash : public testing::Test {
 protected:
  // "" or the first thing that is wrong.
  std::string Explore(std::uint64_t seed) {
    History history(seed);
    history.Run();
    std::string wrong;
    std::set<std::uint64_t> seen;
    const CrashBounds bounds{.exhaustive_changes = 6,
                             .exhaustive_tears = 2,
                             .samples = 30,
                             .max_outcomes = 150,
                             .seed = seed};
    counts_ += ForEachCrashState(history.device(), bounds, [&](CrashState& state) {
      // What is on the disk decides what is found; when it may have come about does as well.
      if (!seen.insert(state.hash).second) return true;
      wrong = Recover(history, state);
      if (!wrong.empty()) absl::StrAppend(&wrong, state.text, "\n");
      return wrong.empty();
    });
    distinct_ += seen.size();
    return wrong;
  }

  static std::string Check(BlockDevice& disk, bool may_have_notes) {
    ExtOutcome<ExtReport> report = CheckExt(OpAt(100), disk);
    if (!report.ok()) return report.error().text + '\n';
    std::string text;
    for (const ExtFinding& finding : report->findings) {
      if (may_have_notes && finding.severity == ExtSeverity::kNote) continue;
      absl::StrAppend(&text, FindingText(finding), "\n");
    }
    return text;
  }

  std::string Recover(const History& history, const CrashState& state) {
    MemDisk disk(0);
    disk.Restore(state.images[0]);
    if (std::string found = Check(disk, true); !found.empty()) return "before recovery: " + found;
    auto fs = ExtFs::Mount(OpAt(100), disk, {.atime = ExtAtime::kNever});
    if (!fs.ok()) return "mount: " + fs.error().text + '\n';
    const std::string tree = test::TreeLines(**fs, (*fs)->root());
    if (!(*fs)->Unmount(OpAt(100)).ok()) return "unmount fails\n";
    if (std::string found = Check(disk, false); !found.empty()) return "after it: " + found;
    if (std::string found = history.Judge(tree, state); !found.empty()) return found;
    if (++recovered_ % kStatesPerFsck != 0 || !has_fsck_) return "";
    ++checked_;
    const test::Scratch scratch;
    test::SaveDisk(disk, scratch / "image");
    return test::Fsck(scratch / "image");
  }

  bool has_fsck_ = test::HasTool("e2fsck");
  CrashCounts counts_;
  std::uint64_t distinct_ = 0;
  std::uint64_t recovered_ = 0;
  std::uint64_t checked_ = 0;
};

TEST_F(CheckedCrash, EXT_EveryCrashStateRecoversToWhatWasSynced) {
  if (const char* seed = std::getenv("LAMINA_EXT_CRASH_SEED")) {
    EXPECT_EQ(Explore(std::strtoull(seed, nullptr, 10)), "");
    return;
  }
  const char* text = std::getenv("LAMINA_EXT_CRASHES");
  const int wanted = text == nullptr ? kHistoriesByDefault : std::atoi(text);
  for (int seed = 1; seed <= wanted; ++seed) {
    ASSERT_EQ(Explore(static_cast<std::uint64_t>(seed)), "")
        << "replay: LAMINA_EXT_CRASH_SEED=" << seed;
  }
  std::cout << wanted << " histories: " << counts_.ToString() << "; " << distinct_
            << " distinct images recovered, " << checked_ << " of them through e2fsck\n";
  EXPECT_GE(distinct_, static_cast<std::uint64_t>(wanted) * 50);
  if (!has_fsck_) GTEST_SKIP() << "without e2fsck, which the host lacks";
}

// The control: a disk that lost everything is not taken for what was synced.
TEST_F(CheckedCrash, ALostSyncIsFound) {
  History history(1);
  history.Run();
  CrashState state;
  state.images = {history.device().bases[0]};
  state.first_step = state.last_step = history.device().steps.size();
  EXPECT_NE(Recover(history, state), "");
}

}  // namespace
}  // namespace lamina::sim
