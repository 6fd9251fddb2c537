// Many threads on one union. Numbers are those of the table in README.md.
#include <thread>

#include "lamina/fs/synchronized.h"
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

using testing::Each;
using testing::SizeIs;

constexpr int kThreads = 4;
constexpr int kRounds = 150;

// The lower: a directory for each thread, and one for all.
void PutDirectories(Process& lower) {
  ASSERT_TRUE(lower.Mkdir("/all", 0755).ok());
  for (int thread = 0; thread < kThreads; ++thread) {
    const std::string own = "/own" + std::to_string(thread);
    ASSERT_TRUE(lower.Mkdir(own, 0755).ok());
    PutFile(lower, own + "/f", "lower");
    PutFile(lower, "/all/f" + std::to_string(thread), "lower");
  }
}

// Looks names up that are and are not there, makes, moves and removes, in its own directory and in
// that of all. Every result in its own directory is known; what the others do there is not.
void Work(FileSystem& fs, int thread, int& wrong) {
  Clock clock;
  Process process(fs, fs.root(), {.clock = &clock});
  const std::string own = "/own" + std::to_string(thread);
  const std::string mine = "/all/mine" + std::to_string(thread);
  const auto expect = [&](bool holds) { wrong += holds ? 0 : 1; };
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = own + "/n" + std::to_string(round % 7);
    expect(process.GetStat(name, LastLink::kKeep).ok() == false);
    expect(process.Mkdir(name, 0755).ok());
    expect(process.GetStat(name, LastLink::kKeep).ok());
    expect(process.Mkdir(mine, 0755).ok());
    expect(process.ListDirectory("/all").ok());
    expect(process.ListDirectory(own)->size() == 2);
    (void)process.GetStat("/all/mine" + std::to_string((thread + 1) % kThreads), LastLink::kKeep);
    (void)process.Chmod("/all/f" + std::to_string(round % kThreads), 0600);
    expect(process.Rename(name, own + "/moved", RenameMode::kReplace).ok());
    expect(!process.GetStat(name, LastLink::kKeep).ok());
    expect(process.Rmdir(own + "/moved").ok());
    expect(process.Rmdir(mine).ok());
  }
}

// Every path with its type and mode, parents first.
std::vector<std::string> TreeOf(FileSystem& fs) {
  Clock clock;
  Process process(fs, fs.root(), {.clock = &clock});
  std::vector<std::string> lines;
  for (const std::string& dir : NamesIn(process, "/")) {
    const std::string path = '/' + dir;
    lines.push_back(path);
    for (const std::string& name : NamesIn(process, path)) {
      const Result<Stat> stat = process.GetStat(path + '/' + name, LastLink::kKeep);
      lines.push_back(path + '/' + name + ' ' +
                      (stat.ok() ? std::to_string(static_cast<int>(stat->type)) + ' ' +
                                       std::to_string(stat->mode)
                                 : std::string(ErrnoName(stat.error()))));
    }
  }
  return lines;
}

// 70: lookups and the upkeep of the caches met without a lock. No cache of a union has a lock of
// its own: one around all is the rule (lamina/union/union_fs.h).
TEST(OverlayHistory, G_1468_LookupsAndChangesOfManyThreadsLeaveOneTree) {
  OverlayStack stack(6);  // so many that missing names are remembered
  PutDirectories(*stack.OnLower(5));
  stack.Mount();
  SynchronizedFileSystem shared(stack.fs());
  std::vector<int> wrong(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] { Work(shared, thread, wrong[thread]); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, Each(0));
  const std::vector<std::string> seen = TreeOf(stack.fs());
  EXPECT_THAT(seen, SizeIs(1 + 3 * kThreads));
  Result<std::unique_ptr<UnionFs>> fresh = stack.TryMount(stack.Request());
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(seen, TreeOf(**fresh));
}

}  // namespace
}  // namespace lamina
