// Unions and threads: frozen layers are shared without a lock, a writable tree has one lock.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/base/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/synchronized.h"
#include "lamina/store/paged_bytes.h"
#include "lamina/union/overlay.h"
#include "tests/image/tree_text.h"
#include "tests/union/busy_process.h"
#include "tests/union/busy_threads.h"

namespace lamina {
namespace {

using test::TreeDetail;

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};

std::string Text(FileSystem& fs) { return test::TreeText(fs, fs.root(), TreeDetail::kFull); }

NodeId MakeDirectory(FileSystem& fs, std::string_view name) {
  const Result<NodeId> made =
      fs.Create(kOp, {fs.root(), name}, {FileType::kDirectory, 0755, 0, {}});
  LAMINA_CHECK(made.ok());
  return *made;
}

class CountedContent : public LazyContent {
 public:
  Result<std::shared_ptr<const PagedBytes>> Load() override {
    ++loads;
    auto content = std::make_shared<PagedBytes>();
    content->Write(0, AsBytes("lazy"));
    return std::shared_ptr<const PagedBytes>(content);
  }
  std::atomic<int> loads = 0;
};

// Three layers that a busy process made, with marks, one body not loaded yet; frozen.
class Image {
 public:
  Image() {
    for (std::uint64_t i = 0; i < std::size(layers_); ++i) {
      BusyProcess maker(layers_[i], 100 + i);
      for (int call = 0; call < 150; ++call) maker.Call();
      (void)layers_[i].Remove(kOp, {layers_[i].root(), "c"}, FileType::kRegular);
    }
    MemFs& top = layers_[0];
    const NodeId opaque = MakeDirectory(top, "opaque");
    LAMINA_CHECK(top.SetXattr(kOp, opaque, "trusted.overlay.opaque", "y", XattrMode::kSet).ok());
    MakeDirectory(layers_[1], "opaque");
    LAMINA_CHECK(top.Create(kOp, {top.root(), "gone"}, {FileType::kCharDevice, 0, 0, {}}).ok());
    MakeDirectory(layers_[2], "gone");
    const NewNode file{FileType::kRegular, 0644, 0, {}};
    LAMINA_CHECK(layers_[1].CreateLazy(kOp, {layers_[1].root(), "lazy"}, file, 4, lazy_).ok());
    for (MemFs& layer : layers_) layer.Freeze();
  }

  std::vector<DirectoryRef> lowers() {
    std::vector<DirectoryRef> lowers;
    for (MemFs& layer : layers_) lowers.push_back({&layer, layer.root(), {}, "layer"});
    return lowers;
  }
  std::string Show() {
    std::string text;
    for (MemFs& layer : layers_) text += Text(layer);
    return text;
  }
  int loads() const { return lazy_->loads; }

 private:
  std::shared_ptr<CountedContent> lazy_ = std::make_shared<CountedContent>();
  MemFs layers_[3];
};

// A writable tree over an image: an upper, the union, one lock.
class Container {
 public:
  explicit Container(Image& image) : image_(image) {
    upper_ = MakeDirectory(home_, "upper");
    work_ = MakeDirectory(home_, "work");
    Mount();
  }

  void Mount() {
    OverlayMount mount;
    mount.lowers = image_.lowers();
    mount.upper = DirectoryRef{&home_, upper_, {home_.root()}, "upper"};
    mount.work = DirectoryRef{&home_, work_, {home_.root()}, "work"};
    mount.options.kernel_quirks = false;  // which list what is not there
    shared_.reset();
    Result<std::unique_ptr<UnionFs>> mounted = MountOverlay(kOp, mount);
    LAMINA_CHECK(mounted.ok());
    union_ = *std::move(mounted);
    shared_ = std::make_unique<SynchronizedFileSystem>(*union_);
  }

  FileSystem& fs() { return *shared_; }
  std::string WorkText() { return test::TreeText(home_, work_, TreeDetail::kBrief); }

 private:
  Image& image_;
  MemFs home_{{.atime = AtimePolicy::kNever}};
  NodeId upper_;
  NodeId work_;
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<SynchronizedFileSystem> shared_;
};

struct Day {  // of one thread
  int calls = 0;
  std::string log;
  std::string tree;
};

Day SpendDay(Image& image, int seed, int calls) {
  Day day;
  Container container(image);
  {
    BusyProcess process(container.fs(), static_cast<std::uint64_t>(seed));
    for (; day.calls < calls; ++day.calls) process.Call();
    day.log = process.log();
  }
  day.tree = Text(container.fs());
  return day;
}

TEST(UnionThreads, ContainersOnOneImageDoNotDisturbEachOther) {
  Image image;
  std::vector<Day> days(kThreads);
  RunThreads([&](int index) {
    Container container(image);
    Day& day = days[static_cast<std::size_t>(index)];
    {
      BusyProcess process(container.fs(), static_cast<std::uint64_t>(index));
      LAMINA_CHECK(
          test::ContentOf(container.fs(), test::Find(container.fs(), container.fs().root(), "lazy"))
              .ok());
      day.calls = KeepBusy(process);
      day.log = process.log();
    }
    day.tree = Text(container.fs());
  });
  EXPECT_EQ(image.loads(), 1);
  int calls = 0;
  for (int index = 0; index < kThreads; ++index) {
    const Day& day = days[static_cast<std::size_t>(index)];
    const Day alone = SpendDay(image, index, day.calls);
    EXPECT_EQ(day.log, alone.log) << "thread " << index;
    EXPECT_EQ(day.tree, alone.tree) << "thread " << index;
    calls += day.calls;
  }
  std::cout << calls << " calls\n";
}

TEST(UnionThreads, FrozenLayersStayWhatTheyAre) {
  Image image;
  const std::string before = image.Show();
  std::atomic<int> same = 0;
  RunThreads([&](int index) {
    if (index % 2 == 0) {
      SpendDay(image, index, kCalls / 8);
      return;
    }
    for (int round = 0; round < 5; ++round) same += image.Show() == before ? 1 : 0;
  });
  EXPECT_EQ(same, 5 * kThreads / 2);
  EXPECT_EQ(image.Show(), before);
}

TEST(UnionThreads, OneTreeSharedByAllIsConsistentAtTheEnd) {
  Image image;
  const std::string before = image.Show();
  Container container(image);
  std::vector<std::map<std::string, int>> outcomes(kThreads);
  RunThreads([&](int index) {
    BusyProcess process(container.fs(), 1000 + static_cast<std::uint64_t>(index));
    KeepBusy(process);
    outcomes[static_cast<std::size_t>(index)] = process.outcomes();
  });
  std::map<std::string, int> total;
  for (const auto& some : outcomes) {
    for (const auto& [name, count] : some) total[name] += count;
  }
  for (const auto& [name, count] : total) std::cout << name << ' ' << count << '\n';
  EXPECT_GT(total["OK"], 100);
  // A path is several calls of the file system: what it led to may be gone by the next (ESTALE).
  const std::vector<std::string> expected = {"OK",     "ENOENT", "EEXIST", "ENOTDIR",
                                             "EISDIR", "EINVAL", "EXDEV",  "ENOTEMPTY",
                                             "ELOOP",  "ESTALE", "EPERM"};
  for (const auto& [name, count] : total) EXPECT_THAT(expected, testing::Contains(name));

  EXPECT_THAT(Contradictions(container.fs()), testing::IsEmpty());
  EXPECT_EQ(container.WorkText(), "d work\n");
  const std::string seen = Text(container.fs());
  container.Mount();
  EXPECT_EQ(Text(container.fs()), seen);  // nothing is known to the mount alone
  EXPECT_EQ(image.Show(), before);
}

}  // namespace
}  // namespace lamina
