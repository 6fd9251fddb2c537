// MemFs and threads: a frozen tree without a lock, a writable one behind SynchronizedFileSystem.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/synchronized.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

constexpr int kThreads = 4;
constexpr int kFiles = 50;
constexpr NewNode kFile{FileType::kRegular, 0644, 0, {}};

class CountingLoader : public LazyContent {
 public:
  Result<std::shared_ptr<const PagedBytes>> Load() override {
    ++loads;
    auto content = std::make_shared<PagedBytes>();
    content->Write(0, AsBytes("lazy"));
    return std::shared_ptr<const PagedBytes>(content);
  }
  std::atomic<int> loads = 0;
};

// What one thread needs for its calls.
struct Caller {
  Credentials cred;
  Instant now = kSimulationStart;
  OpContext Op() {
    now.virtual_ns += 1000;
    return OpContext{cred, now, Probe()};
  }
};

std::string NumberedName(std::string prefix, int index) {
  return prefix.append(std::to_string(index));
}

void RunThreads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int index = 0; index < kThreads; ++index) threads.emplace_back(work, index);
  for (std::thread& thread : threads) thread.join();
}

std::string ReadAll(FileSystem& fs, Caller& caller, NodeId node) {
  const Result<HandleId> handle = fs.Open(caller.Op(), node, {});
  LAMINA_CHECK(handle.ok());
  std::string text(100, '\0');
  const Result<std::size_t> bytes =
      fs.Read(caller.Op(), *handle, 0, std::as_writable_bytes(std::span(text)));
  LAMINA_CHECK(bytes.ok());
  fs.Close(*handle);
  return text.substr(0, *bytes);
}

// Makes, writes, reads and lists files whose names begin with `prefix`; leaves half of them.
int WorkOn(FileSystem& fs, const std::string& prefix) {
  Caller caller;
  int right = 0;
  for (int index = 0; index < kFiles; ++index) {
    const std::string name = NumberedName(prefix, index);
    const Result<Opened> made =
        fs.CreateOpen(caller.Op(), {fs.root(), name}, kFile, {.access = Access::kWrite});
    LAMINA_CHECK(made.ok());
    LAMINA_CHECK(fs.Write(caller.Op(), made->handle, 0, AsBytes(name)).ok());
    fs.Close(made->handle);
    LAMINA_CHECK(fs.Lookup(caller.Op(), {fs.root(), name}).ok());
    if (ReadAll(fs, caller, made->node) == name) ++right;
    if (index % 2 == 0) continue;
    LAMINA_CHECK(fs.Remove(caller.Op(), {fs.root(), name}, FileType::kRegular).ok());
  }
  return right;
}

TEST(MemFsThreads, FrozenTreeIsReadByManyThreadsWithoutALock) {
  MemFs fs;
  WorkOn(fs, "f");
  fs.Freeze();
  std::atomic<int> right = 0;
  RunThreads([&](int) {
    Caller caller;
    for (int index = 0; index < kFiles; index += 2) {
      const std::string name = NumberedName("f", index);
      const Result<NodeId> node = fs.Lookup(caller.Op(), {fs.root(), name});
      LAMINA_CHECK(node.ok());
      LAMINA_CHECK(fs.GetAttr(caller.Op(), *node).ok());
      if (ReadAll(fs, caller, *node) == name) ++right;
    }
  });
  EXPECT_EQ(right, kThreads * kFiles / 2);
}

TEST(MemFsThreads, LazyFileOfAFrozenTreeIsLoadedOnceForAllThreads) {
  Caller maker;
  MemFs fs;
  const auto loader = std::make_shared<CountingLoader>();
  const Result<NodeId> node = fs.CreateLazy(maker.Op(), {fs.root(), "a"}, kFile, 4, loader);
  ASSERT_TRUE(node.ok());
  fs.Freeze();
  std::atomic<int> right = 0;
  RunThreads([&](int) {
    Caller caller;
    LAMINA_CHECK(fs.GetAttr(caller.Op(), *node).ok());
    if (ReadAll(fs, caller, *node) == "lazy") ++right;
  });
  EXPECT_EQ(right, kThreads);
  EXPECT_EQ(loader->loads, 1);
}

class SynchronizedThreads : public testing::TestWithParam<LockSharing> {};

TEST_P(SynchronizedThreads, WritersDoNotDisturbEachOther) {
  MemFs target;
  SynchronizedFileSystem fs(target, GetParam());
  std::atomic<int> right = 0;
  RunThreads([&](int thread) { right += WorkOn(fs, NumberedName("t", thread).append("-")); });
  EXPECT_EQ(right, kThreads * kFiles);
  Caller caller;
  const Result<HandleId> root = fs.Open(caller.Op(), fs.root(), {});
  ASSERT_TRUE(root.ok());
  int entries = 0;
  ASSERT_TRUE(
      fs.ReadDir(caller.Op(), *root, {}, [&](const DirEntry&) { return ++entries > 0; }).ok());
  fs.Close(*root);
  EXPECT_EQ(entries, kThreads * kFiles / 2);
}

INSTANTIATE_TEST_SUITE_P(BothWays, SynchronizedThreads,
                         testing::Values(LockSharing::kExclusive, LockSharing::kSharedReads));

// An image shares its nodes with the live tree; dropping it elsewhere must not disturb a writer.
TEST(MemFsThreads, ImagesMayBeDroppedByAnotherThread) {
  MemFs fs;
  WorkOn(fs, "a");
  auto image = std::make_unique<MemFs::Image>(fs.Capture());
  std::thread dropper([&] { image.reset(); });
  EXPECT_EQ(WorkOn(fs, "b"), kFiles);
  dropper.join();
}

}  // namespace
}  // namespace lamina
