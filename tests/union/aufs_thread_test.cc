// AUFS and threads: one thread adds, removes and changes branches while others use the union.
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/base/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/synchronized.h"
#include "lamina/union/aufs.h"
#include "tests/image/tree_text.h"
#include "tests/union/busy_threads.h"

namespace lamina {
namespace {

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};

// Branches /0 and /1 to write, /2 and /3 frozen and made by a busy process.
class SharedUnion {
 public:
  explicit SharedUnion(std::string_view text) {
    for (std::uint64_t i = 2; i < std::size(branches_); ++i) {
      BusyProcess maker(branches_[i], 100 + i);
      for (int call = 0; call < 150; ++call) maker.Call();
    }
    for (std::uint64_t i = 2; i < std::size(branches_); ++i) branches_[i].Freeze();
    Result<std::unique_ptr<UnionFs>> mounted =
        MountAufs(kOp, text, [&](std::string_view path) { return Resolve(path); });
    LAMINA_CHECK(mounted.ok());
    union_ = *std::move(mounted);
    shared_ = std::make_unique<SynchronizedFileSystem>(*union_);
  }

  FileSystem& fs() { return *shared_; }
  UnionFs& alone() { return *union_; }

  // Under the lock of the tree.
  Result<void> Remount(std::string_view text) {
    Result<void> done;
    shared_->Exclusively([&] {
      done = RemountAufs(kOp, *union_, text, [&](std::string_view path) { return Resolve(path); });
    });
    return done;
  }
  void RunDeferred() {
    shared_->Exclusively([&] { LAMINA_CHECK(union_->RunUntil(kOp, kOp.now).ok()); });
  }
  std::string Frozen() {
    std::string text;
    for (std::uint64_t i = 2; i < std::size(branches_); ++i) {
      text += test::TreeText(branches_[i], branches_[i].root(), test::TreeDetail::kFull);
    }
    return text;
  }

 private:
  Result<DirectoryRef> Resolve(std::string_view path) {
    MemFs& branch = branches_[static_cast<std::size_t>(path.back() - '0')];
    return DirectoryRef{&branch, branch.root(), {}, std::string(path)};
  }

  static MemFsOptions Quiet() { return {.atime = AtimePolicy::kNever}; }

  MemFs branches_[4] = {MemFs(Quiet()), MemFs(Quiet()), MemFs(Quiet()), MemFs(Quiet())};
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<SynchronizedFileSystem> shared_;
};

TEST(AufsThreads, BranchesComeAndGoWhileOthersWork) {
  SharedUnion tree("br:/0=rw:/2=ro+wh,dirwh=1");
  const std::string before = tree.Frozen();
  std::atomic<int> changes = 0;
  std::atomic<int> busy = 0;
  std::vector<std::map<std::string, int>> outcomes(kThreads);
  RunThreads([&](int index) {
    if (index == 0) {
      const char* const verbs[] = {"append:/3=ro+wh", "add:1:/1=rw",  "mod:/1=ro",   "mod:/1=rw",
                                   "create=rr",       "del:/3",       "del:/1",      "create=tdp",
                                   "append:/3=ro",    "mod:/3=ro+wh", "udba=notify", "udba=reval"};
      const auto end = std::chrono::steady_clock::now() + kMostTime;
      for (std::size_t i = 0; i < kCalls && std::chrono::steady_clock::now() < end; ++i) {
        const Result<void> done = tree.Remount(verbs[i % std::size(verbs)]);
        LAMINA_CHECK(done.ok() || done.error() == Errno::kBusy || done.error() == Errno::kDom);
        ++(done.ok() ? changes : busy);
        tree.RunDeferred();
      }
      return;
    }
    BusyProcess process(tree.fs(), 2000 + static_cast<std::uint64_t>(index));
    KeepBusy(process);
    outcomes[static_cast<std::size_t>(index)] = process.outcomes();
  });
  std::map<std::string, int> total;
  for (const auto& some : outcomes) {
    for (const auto& [name, count] : some) total[name] += count;
  }
  for (const auto& [name, count] : total) std::cout << name << ' ' << count << '\n';
  std::cout << changes << " changes of branches, " << busy << " refused\n";
  EXPECT_GT(changes, 50);
  EXPECT_GT(total["OK"], 100);
  EXPECT_EQ(tree.Frozen(), before);
  // Whatever they left behind, names and listings agree, also when nothing is cached.
  EXPECT_THAT(Contradictions(tree.fs()), testing::IsEmpty());
  DropUnusedNames(tree.alone());
  EXPECT_THAT(Contradictions(tree.fs()), testing::IsEmpty());
}

TEST(AufsThreads, OneTreeSharedByAllIsConsistentAtTheEnd) {
  SharedUnion tree("br:/0=rw:/1=rw:/2=ro+wh:/3=ro+wh");
  const std::string before = tree.Frozen();
  RunThreads([&](int index) {
    BusyProcess process(tree.fs(), 1000 + static_cast<std::uint64_t>(index));
    KeepBusy(process);
  });
  EXPECT_THAT(Contradictions(tree.fs()), testing::IsEmpty());
  tree.RunDeferred();
  const std::string seen = test::TreeText(tree.fs(), tree.fs().root(), test::TreeDetail::kFull);
  DropUnusedNames(tree.alone());
  EXPECT_EQ(test::TreeText(tree.fs(), tree.fs().root(), test::TreeDetail::kFull), seen);
  EXPECT_EQ(tree.Frozen(), before);
}

}  // namespace
}  // namespace lamina
