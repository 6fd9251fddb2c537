// Prices of MemFs. First single prices by Google Benchmark, then the ratio tables of W6 (create and
// unlink 100,000 files) and W9 (bytes of host memory a small file).
//
//   mem_fs_bench [--benchmark_filter=…]
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/baselines.h"
#include "lamina/fs/mem_fs.h"

namespace lamina::bench {
namespace {

constexpr std::size_t kFiles = 100'000;
constexpr std::size_t kMemoryFiles = 1'000'000;
constexpr int kRounds = 9;
constexpr NewNode kFile{FileType::kRegular, 0644, 0, {}};
constexpr NewNode kDirectory{FileType::kDirectory, 0755, 0, {}};

std::vector<std::string> MakeNames(std::size_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t index = 0; index < count; ++index) {
    names.push_back(std::string("file-").append(std::to_string(index)));
  }
  return names;
}

// A tree of empty directories below the root, and calls at a fixed time.
class Tree {
 public:
  explicit Tree(std::size_t directories) {
    for (std::size_t index = 0; index < directories; ++index) {
      const std::string name = std::to_string(index);
      directories_.push_back(*fs_.Create(op_, {fs_.root(), name}, kDirectory));
    }
  }

  MemFs& fs() { return fs_; }
  const OpContext& op() const { return op_; }
  NodeId Create(std::size_t directory, const std::string& name) {
    return *fs_.Create(op_, {directories_[directory], name}, kFile);
  }
  void CreateWith(std::size_t directory, const std::string& name, Bytes content) {
    const Opened opened =
        *fs_.CreateOpen(op_, {directories_[directory], name}, kFile, {.access = Access::kWrite});
    if (!fs_.Write(op_, opened.handle, 0, content).ok()) std::abort();
    fs_.Close(opened.handle);
  }
  void Unlink(std::size_t directory, const std::string& name) {
    if (!fs_.Remove(op_, {directories_[directory], name}, FileType::kRegular).ok()) std::abort();
  }
  NodeId Lookup(std::size_t directory, const std::string& name) {
    const Result<NodeId> node = fs_.Lookup(op_, {directories_[directory], name});
    return node.ok() ? *node : NodeId{};
  }

 private:
  Credentials cred_;
  OpContext op_{cred_, kSimulationStart, Probe()};
  MemFs fs_;
  std::vector<NodeId> directories_;
};

// What does a lookup that finds cost, in directories of so many names?
void BM_Lookup(benchmark::State& state) {
  const std::vector<std::string> names = MakeNames(static_cast<std::size_t>(state.range(0)));
  Tree tree(1);
  for (const std::string& name : names) tree.Create(0, name);
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(tree.Lookup(0, names[at]));
    at = (at + 40503) % names.size();
  }
  state.SetLabel("names");
}
BENCHMARK(BM_Lookup)->Arg(10)->Arg(1000)->Arg(100'000);

// And one that misses?
void BM_LookupMiss(benchmark::State& state) {
  const std::vector<std::string> names = MakeNames(static_cast<std::size_t>(state.range(0)));
  Tree tree(1);
  for (const std::string& name : names) tree.Create(0, name);
  const std::string missing = "nothing";
  for (auto _ : state) benchmark::DoNotOptimize(tree.Lookup(0, missing));
  state.SetLabel("names");
}
BENCHMARK(BM_LookupMiss)->Arg(10)->Arg(1000)->Arg(100'000);

// Does the price of an image, the first change after it and the way back depend on the number of
// files?
void BM_CaptureChangeRestore(benchmark::State& state) {
  const std::vector<std::string> names = MakeNames(static_cast<std::size_t>(state.range(0)));
  Tree tree(1);
  for (const std::string& name : names) tree.Create(0, name);
  for (auto _ : state) {
    const MemFs::Image image = tree.fs().Capture();
    tree.Create(0, "new");
    tree.fs().Restore(image);
  }
  state.SetLabel("files");
}
BENCHMARK(BM_CaptureChangeRestore)->Arg(100)->Arg(10'000)->Arg(1'000'000);

// W6: `directories` directories share 100,000 files.
void CompareCreateUnlink(std::size_t directories) {
  const std::vector<std::string> names = MakeNames(kFiles);
  Tree tree(directories);
  DirectoryMaps maps(directories);
  const std::vector<double> medians = RunRounds({{"base.dirmap",
                                                  {},
                                                  [&] {
                                                    for (std::size_t i = 0; i < kFiles; ++i)
                                                      maps.Create(i % directories, names[i]);
                                                    for (std::size_t i = 0; i < kFiles; ++i)
                                                      maps.Unlink(i % directories, names[i]);
                                                  }},
                                                 {"MemFs",
                                                  {},
                                                  [&] {
                                                    for (std::size_t i = 0; i < kFiles; ++i)
                                                      tree.Create(i % directories, names[i]);
                                                    for (std::size_t i = 0; i < kFiles; ++i)
                                                      tree.Unlink(i % directories, names[i]);
                                                  }}},
                                                kRounds, kFiles);
  std::printf("W6 create + unlink, %6zu directories: base.dirmap %6.0f ns  MemFs %6.0f ns  %.2fx\n",
              directories, medians[0], medians[1], medians[1] / medians[0]);
}

// Lookups that find, in an order that leaves the caches cold.
void CompareLookup(std::size_t directories) {
  const std::vector<std::string> names = MakeNames(kFiles);
  Tree tree(directories);
  DirectoryMaps maps(directories);
  for (std::size_t i = 0; i < kFiles; ++i) {
    tree.Create(i % directories, names[i]);
    maps.Create(i % directories, names[i]);
  }
  const auto each = [&](const auto& lookup) {
    for (std::size_t i = 0, at = 0; i < kFiles; ++i, at = (at + 40503) % kFiles) {
      benchmark::DoNotOptimize(lookup(at % directories, names[at]));
    }
  };
  const std::vector<double> medians = RunRounds(
      {{"base.dirmap",
        {},
        [&] {
          each([&](std::size_t dir, const std::string& name) { return maps.Lookup(dir, name); });
        }},
       {"MemFs",
        {},
        [&] {
          each([&](std::size_t dir, const std::string& name) { return tree.Lookup(dir, name); });
        }}},
      kRounds, kFiles);
  std::printf("   lookup,          %6zu directories: base.dirmap %6.0f ns  MemFs %6.0f ns  %.2fx\n",
              directories, medians[0], medians[1], medians[1] / medians[0]);
}

// W9: 1,000 directories share a million files of `bytes` bytes.
void MeasureMemory(std::size_t bytes) {
  const std::vector<std::string> names = MakeNames(kMemoryFiles);
  const std::string content(bytes, 'x');
  Tree tree(1000);
  const std::size_t before = mallinfo2().uordblks;
  const std::uint64_t counted_before = tree.fs().memory_bytes();
  for (std::size_t i = 0; i < kMemoryFiles; ++i) {
    tree.CreateWith(i % 1000, names[i], AsBytes(content));
  }
  const auto files = static_cast<double>(kMemoryFiles);
  std::printf("W9 file of %3zu bytes: %.0f B of heap, %.0f B by memory_bytes()\n", bytes,
              static_cast<double>(mallinfo2().uordblks - before) / files,
              static_cast<double>(tree.fs().memory_bytes() - counted_before) / files);
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  for (const std::size_t directories : {1, 100, 10'000}) {
    lamina::bench::CompareCreateUnlink(directories);
    lamina::bench::CompareLookup(directories);
  }
  lamina::bench::MeasureMemory(16);
  lamina::bench::MeasureMemory(0);
  return 0;
}
