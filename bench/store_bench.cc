// Prices of the store module. First single prices by Google Benchmark, then the ratio tables of
// W5 (4 KiB I/O on an open 64 MiB file) and W8 (overwrites after a snapshot).
//
//   store_bench [--benchmark_filter=…]
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/baselines.h"
#include "lamina/store/page.h"
#include "lamina/store/paged_bytes.h"

namespace lamina::bench {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kFileBytes = 64 * kMiB;
constexpr std::size_t kFileBlocks = kFileBytes / kBlockBytes;
constexpr std::size_t kOverwrites = 1024;
constexpr std::size_t kSpareBlocks = 64 * kOverwrites + kOverwrites;
constexpr int kRounds = 15;

std::array<std::byte, kBlockBytes> g_block;

// A content of `size_bytes` with one page of data every `stride_bytes`.
PagedBytes Content(std::uint64_t size_bytes, std::uint64_t stride_bytes) {
  PagedBytes content;
  for (std::uint64_t at = 0; at < size_bytes; at += stride_bytes) content.Write(at, g_block);
  content.Resize(size_bytes);
  return content;
}

// Does the price of a clone depend on the size? (64 MiB and 1 MiB dense; 1 GiB with a page a MiB.)
void BM_Clone(benchmark::State& state) {
  const auto mebibytes = static_cast<std::uint64_t>(state.range(0));
  const PagedBytes content =
      Content(mebibytes * kMiB, mebibytes > 64 ? kMiB : std::uint64_t{kBlockBytes});
  for (auto _ : state) {
    PagedBytes clone = content.Clone();
    benchmark::DoNotOptimize(clone);
  }
  state.SetLabel("MiB");
}
BENCHMARK(BM_Clone)->Arg(1)->Arg(64)->Arg(1024);

// What does the first 4 KiB write after a clone cost, with the clone before it and the release of
// the path and page it replaced after it?
void BM_CloneThenWrite4K(benchmark::State& state) {
  const auto mebibytes = static_cast<std::uint64_t>(state.range(0));
  const std::uint64_t stride = mebibytes > 64 ? kMiB : std::uint64_t{kBlockBytes};
  PagedBytes content = Content(mebibytes * kMiB, stride);
  std::uint64_t at = 0;
  for (auto _ : state) {
    const PagedBytes clone = content.Clone();
    content.Write(at * stride, g_block);
    at = (at + 40503) % (mebibytes * kMiB / stride);
  }
  state.SetLabel("MiB");
}
BENCHMARK(BM_CloneThenWrite4K)->Arg(1)->Arg(64)->Arg(1024);

// What does a file of 16 bytes cost to make and drop?
void BM_SmallFile(benchmark::State& state) {
  for (auto _ : state) {
    PagedBytes content;
    content.Write(0, Bytes(g_block).first(16));
    benchmark::DoNotOptimize(content);
  }
}
BENCHMARK(BM_SmallFile);

// Offsets of all blocks of the file, in order or in a fixed random order.
std::vector<std::uint64_t> OffsetsInOrder() {
  std::vector<std::uint64_t> offsets(kFileBlocks);
  for (std::size_t i = 0; i < kFileBlocks; ++i) offsets[i] = i * kBlockBytes;
  return offsets;
}

std::vector<std::uint64_t> OffsetsShuffled(std::uint64_t seed) {
  std::vector<std::uint64_t> offsets = OffsetsInOrder();
  for (std::size_t i = kFileBlocks - 1; i > 0; --i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    std::swap(offsets[i], offsets[(seed >> 33) % (i + 1)]);
  }
  return offsets;
}

// PagedBytes with the calls of the baselines.
class LaminaFile {
 public:
  LaminaFile() : content_(Content(kFileBytes, kBlockBytes)) {}
  void Read(std::uint64_t offset, std::byte* into) {
    content_.Read(offset, MutableBytes(into, kBlockBytes));
  }
  void Write(std::uint64_t offset, const std::byte* from) {
    content_.Write(offset, Bytes(from, kBlockBytes));
  }
  PagedBytes& content() { return content_; }

 private:
  PagedBytes content_;
};

template <typename File>
std::function<void()> ReadAll(File& file, const std::vector<std::uint64_t>& offsets) {
  return [&file, &offsets] {
    for (const std::uint64_t offset : offsets) {
      file.Read(offset, g_block.data());
      benchmark::ClobberMemory();
    }
  };
}

template <typename File>
std::function<void()> WriteAll(File& file, const std::vector<std::uint64_t>& offsets) {
  return [&file, &offsets] {
    for (const std::uint64_t offset : offsets) {
      file.Write(offset, g_block.data());
      benchmark::ClobberMemory();
    }
  };
}

// One line: nanoseconds of both baselines and lamina, and throughput ratios against base.memcpy.
void PrintW5Line(const char* name, const std::vector<double>& medians, double floor) {
  const double ratio = medians[0] / medians[2];
  std::printf("%-11s %12.0f %12.0f %12.0f %9.2f %9.2f   %.1f %s\n", name, medians[0], medians[1],
              medians[2], medians[0] / medians[1], ratio, floor,
              ratio >= floor ? "holds" : "MISSED");
}

// W5: floor 0.7x base.memcpy for reads and 0.6x for writes.
void CompareW5() {
  LinearBuffer linear(kFileBytes);
  PageTable pages(kFileBlocks, 0);
  LaminaFile lamina;
  const std::vector<std::uint64_t> in_order = OffsetsInOrder();
  const std::vector<std::uint64_t> shuffled = OffsetsShuffled(1);
  std::printf("\nW5: 4 KiB on a 64 MiB file, ns an operation, medians of %d rounds\n", kRounds);
  std::printf("%-11s %12s %12s %12s %9s %9s   %s\n", "", "base.memcpy", "base.pages", "lamina",
              "pages/x", "lamina/x", "floor");
  const auto compare = [&](const char* name, double floor, auto work, const auto& offsets) {
    PrintW5Line(name,
                RunRounds({{"base.memcpy", {}, work(linear, offsets)},
                           {"base.pages", {}, work(pages, offsets)},
                           {"lamina", {}, work(lamina, offsets)}},
                          kRounds, static_cast<double>(kFileBlocks)),
                floor);
  };
  const auto read = [](auto& file, const auto& offsets) { return ReadAll(file, offsets); };
  const auto write = [](auto& file, const auto& offsets) { return WriteAll(file, offsets); };
  compare("seq read", 0.7, read, in_order);
  compare("rand read", 0.7, read, shuffled);
  compare("seq write", 0.6, write, in_order);
  compare("rand write", 0.6, write, shuffled);
}

// W8: 1024 random overwrites right after a snapshot, with `depth` snapshots kept. Floor: 2.5x
// base.pages (time). Taking and dropping snapshots is not part of the overwrite figure.
void CompareW8(std::size_t depth) {
  PageTable pages(kFileBlocks, kSpareBlocks);
  LaminaFile lamina;
  std::deque<PageTable> page_snapshots;
  std::deque<PagedBytes> lamina_snapshots;
  std::vector<std::uint64_t> offsets;
  std::uint64_t seed = 1;
  const auto snapshot = [depth](auto& kept, auto take) {
    take();
    if (kept.size() > depth) kept.pop_front();
  };
  const auto shuffle = [&] {
    offsets = OffsetsShuffled(++seed);
    offsets.resize(kOverwrites);
  };
  const auto snapshot_pages = [&] {
    shuffle();
    snapshot(page_snapshots, [&] { page_snapshots.emplace_back(pages); });
  };
  const auto snapshot_lamina = [&] {
    snapshot(lamina_snapshots, [&] { lamina_snapshots.push_back(lamina.content().Clone()); });
  };
  for (std::size_t i = 0; i < depth; ++i) {
    snapshot_pages();
    WriteAll(pages, offsets)();
    snapshot_lamina();
    WriteAll(lamina, offsets)();
  }
  const std::vector<double> overwrite =
      RunRounds({{"base.pages", snapshot_pages, WriteAll(pages, offsets)},
                 {"lamina", snapshot_lamina, WriteAll(lamina, offsets)}},
                kRounds, static_cast<double>(kOverwrites));
  const std::vector<std::uint64_t> all = OffsetsShuffled(7);
  const std::vector<double> read =
      RunRounds({{"base.pages", {}, ReadAll(pages, all)}, {"lamina", {}, ReadAll(lamina, all)}},
                kRounds, static_cast<double>(kFileBlocks));
  const double ratio = overwrite[1] / overwrite[0];
  std::printf("D=%-9zu %12.0f %12.0f %9.2f   2.5 %-6s %12.0f %12.0f\n", depth, overwrite[0],
              overwrite[1], ratio, ratio <= 2.5 ? "holds" : "MISSED", read[0], read[1]);
}

void Compare() {
  PrefaultPages(2 * kFileBlocks + kSpareBlocks);
  CompareW5();
  std::printf("\nW8: 64 MiB, 1024 random 4 KiB overwrites after a snapshot, ns an operation\n");
  std::printf("%-11s %12s %12s %9s   %-10s %12s %12s\n", "kept", "base.pages", "lamina", "lamina/x",
              "floor", "read pages", "read lamina");
  for (const std::size_t depth : {1U, 8U, 64U}) CompareW8(depth);
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lamina::PrefaultPages(2 * lamina::bench::kFileBlocks);
  benchmark::RunSpecifiedBenchmarks();
  lamina::bench::Compare();
  return 0;
}
