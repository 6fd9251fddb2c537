// Random histories on an ext file system and on the model: after every call the same results and
// the same tree; at the end of each history the image is clean for e2fsck, and debugfs and the
// kernel's own ext4 show the tree that lamina shows.
//
//   LAMINA_EXT_HISTORIES=1000    how many (default 40)
//   LAMINA_EXT_SEED=7            only this one; a failure prints the one to use
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "gtest/gtest.h"
#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/image/host_dir.h"
#include "sim/model/plain_view.h"
#include "tests/ext/ext_tree.h"
#include "tests/ext/host_tools.h"
#include "tests/model/drawing.h"
#include "tests/model/raw_layer.h"
#include "tests/model/subject.h"
#include "tests/model/tally.h"
#include "tests/store/split_mix.h"

namespace lamina::sim {
namespace {

constexpr int kHistoriesByDefault = 40;
constexpr int kCalls = 60;
constexpr std::uint64_t kDiskBytes = std::uint64_t{4} << 20U;
const Credentials kRootUser = RootCredentials();
const OpContext kOp{kRootUser, kSimulationStart, {}};

// What a mkfs can be asked for; one of them for each history.
const ExtMkfsOptions kKinds[] = {
    {.version = ExtVersion::kExt4},
    {.version = ExtVersion::kExt4, .block_bytes = 4096},
    {.version = ExtVersion::kExt3},
    {.version = ExtVersion::kExt2, .block_bytes = 2048},
};

class ExtSubject final : public Subject {
 public:
  ExtSubject(const DrawnCase& drawn, const ExtMkfsOptions& kind)
      : Subject("scenario 1\n" + drawn.Show(), nullptr), disk_(MemDisk::SectorsOf(kDiskBytes)) {
    LAMINA_CHECK(MakeExt(kOp, disk_, kind).ok());
    Mount();
    LayerBuilder().Build(*fs_, "tree", drawn.upper);
    Open(*fs_, Root());
  }
  ~ExtSubject() override { Shut(); }

  // Clean, and not mounted any more.
  const MemDisk& Finish() {
    Shut();
    LAMINA_CHECK(fs_->Unmount(kOp).ok());
    return disk_;
  }

 private:
  void Mount() {
    auto mounted = ExtFs::Mount(kOp, disk_, {});
    LAMINA_CHECK(mounted.ok());
    fs_ = *std::move(mounted);
  }
  NodeId Root() { return *fs_->Lookup(kOp, {fs_->root(), "tree"}); }
  void Remount() override {
    Shut();
    LAMINA_CHECK(fs_->Unmount(kOp).ok());
    Mount();
    Open(*fs_, Root());
  }
  std::string CompareInside(const PosixModel&) override { return ""; }
  bool RecyclesNumbers() const override { return true; }

  MemDisk disk_;
  std::unique_ptr<ExtFs> fs_;
};

std::string HostTree(const std::filesystem::path& dir, const test::TreeShown& shown) {
  MemFs fs;
  const auto report = ReadHostDirectory(dir.string(), fs, fs.root());
  return report.ok() ? TreeLines(fs, fs.root(), shown) : std::string(report.status().message());
}

class ExtModel : public testing::Test {
 protected:
  // "" or the first difference.
  std::string RunHistory(std::uint64_t seed) {
    SplitMix64 random(seed);
    const auto choose = [&](int count) {
      return static_cast<int>(random.Below(static_cast<std::uint64_t>(count)));
    };
    DrawnCase drawn;
    drawn.upper = DrawLayer(choose, Marks::kNone);
    drawn.swarm = DrawSwarm(choose);
    PosixModel model(std::make_unique<PlainView>(BuildLayer(drawn.upper)));
    model.SetHardLinks(HardLinks::kProtected);
    ExtSubject subject(drawn, kKinds[seed % std::size(kKinds)]);
    for (int call = 0; call < kCalls; ++call) {
      const ModelOperation operation = DrawOperation(model, drawn.swarm, choose);
      if (!IsSettled(model, operation)) continue;
      const ModelOutcome want = ApplyOperation(model, operation);
      const ModelOutcome got = subject.Execute(operation);
      tally_.Count(OperationWord(operation.kind), want);
      const std::string difference = subject.Compare(model, operation, want, got);
      if (!difference.empty()) {
        return operation.Show() + "\n" + difference + "\n\n" + subject.scenario();
      }
    }
    return CompareWithHost(subject.Finish());
  }

  std::string CompareWithHost(const MemDisk& disk) {
    if (!test::HasTool("e2fsck")) return "";
    const test::Scratch scratch;
    const std::filesystem::path image = scratch / "image";
    test::SaveDisk(disk, image);
    if (std::string problems = test::Fsck(image); !problems.empty()) return problems;
    MemDisk copy = test::LoadDisk(image);
    auto fs = ExtFs::Mount(kOp, copy, {.access = ExtAccess::kReadOnly});
    if (!fs.ok()) return fs.error().text;
    const auto lines = [&](const test::TreeShown& shown) {
      return TreeLines(**fs, (*fs)->root(), shown);
    };
    // debugfs copies files, directories and symlinks out, with permissions.
    const test::TreeShown copied{.times = test::TreeTimes::kNone,
                                 .xattrs = false,
                                 .special = false,
                                 .owners = false,
                                 .modes = 0777,
                                 .root = false,
                                 .links = false};
    std::filesystem::create_directory(scratch / "dump");
    test::Shell("debugfs -R 'rdump / " + (scratch / "dump").string() + "' " + image.string());
    if (HostTree(scratch / "dump", copied) != lines(copied)) {
      return "debugfs shows\n" + HostTree(scratch / "dump", copied) + "and lamina\n" +
             lines(copied);
    }
    const test::KernelMount mount(image);
    if (!mount.ok()) return "";
    ++kernel_mounts_;
    const std::string seen = HostTree(mount.path(), {});
    return seen == lines({}) ? "" : "the kernel shows\n" + seen + "and lamina\n" + lines({});
  }

  Tally tally_;
  int kernel_mounts_ = 0;
};

int HistoriesWanted() {
  const char* text = std::getenv("LAMINA_EXT_HISTORIES");
  return text == nullptr ? kHistoriesByDefault : std::atoi(text);
}

TEST_F(ExtModel, EXT_RandomHistoriesAgreeWithTheModelE2fsckDebugfsAndTheKernel) {
  if (const char* seed = std::getenv("LAMINA_EXT_SEED")) {
    EXPECT_EQ(RunHistory(std::strtoull(seed, nullptr, 10)), "");
    return;
  }
  for (int seed = 1; seed <= HistoriesWanted(); ++seed) {
    ASSERT_EQ(RunHistory(static_cast<std::uint64_t>(seed)), "")
        << "replay: LAMINA_EXT_SEED=" << seed;
  }
  EXPECT_GE(tally_.operations(), HistoriesWanted() * kCalls / 2);
  EXPECT_GE(tally_.failures() * 10, tally_.operations() * 2);
  std::cout << tally_.Show();
  if (!test::HasTool("e2fsck")) GTEST_SKIP() << "without e2fsck and debugfs, which the host lacks";
  if (kernel_mounts_ == 0) GTEST_SKIP() << "without loop mounts, which the host does not allow";
}

}  // namespace
}  // namespace lamina::sim
