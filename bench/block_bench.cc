// Prices of the block module. First single prices by Google Benchmark, then the tables of W8: a
// thin device of 64 MiB with 1, 8 and 64 snapshots kept, 1024 random 4 KiB overwrites after each.
//
//   block_bench [--benchmark_filter=…]
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "bench/baselines.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "lamina/store/page.h"

namespace lamina::bench {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kImageBytes = 64 * kMiB;
constexpr std::size_t kImageBlocks = kImageBytes / kBlockBytes;
constexpr std::size_t kOverwrites = 1024;
constexpr std::size_t kDeepest = 64;
constexpr std::size_t kSpareBlocks = (kDeepest + 2) * kOverwrites;
constexpr std::uint64_t kChunks = kImageBytes >> 16;  // of 64 KiB
constexpr int kRounds = 15;
constexpr int kSnapshotsInARow = 8;

std::array<std::byte, kBlockBytes> g_block;

[[noreturn]] void Stop(const char* what) {
  std::fprintf(stderr, "block_bench: %s failed\n", what);
  std::abort();
}

// A pool with device 0 of 64 MiB, wholly written, and room for `depth` snapshots: blocks of dropped
// ones are taken again, so that memory is warm.
class ThinImage {
 public:
  explicit ThinImage(std::size_t depth)
      : metadata_(64 * kMiB / kSectorBytes), data_(kChunks * (depth + 3) * 128) {
    const ThinPoolTable table{
        .length_sectors = data_.size_sectors(), .metadata_device = "meta", .data_device = "data"};
    TableResult<std::unique_ptr<ThinPool>> pool = ThinPool::Create(op_, table, metadata_, data_);
    if (!pool.ok()) Stop("making a pool");
    pool_ = *std::move(pool);
    if (!pool_->CreateThin(op_, ThinId{0}).ok()) Stop("create_thin");
    Result<std::unique_ptr<ThinDevice>> device =
        pool_->Activate(op_, ThinId{0}, kImageBytes / kSectorBytes);
    if (!device.ok()) Stop("activating");
    device_ = *std::move(device);
    for (std::uint64_t at = 0; at < kImageBytes; at += kBlockBytes) Write(at, g_block.data());
  }

  void Read(std::uint64_t offset, std::byte* into) {
    if (!device_->Read(op_, Sector{offset / kSectorBytes}, {into, kBlockBytes}).ok()) Stop("read");
  }
  void Write(std::uint64_t offset, const std::byte* from) {
    if (!device_->Write(op_, Sector{offset / kSectorBytes}, {from, kBlockBytes}).ok()) {
      Stop("write");
    }
  }
  // The message, with its commit.
  void Snapshot() {
    if (!pool_->CreateSnapshot(op_, ThinId{++newest_}, ThinId{0}).ok()) Stop("create_snap");
    kept_.push_back(newest_);
  }
  void KeepOnly(std::size_t depth) {
    for (; kept_.size() > depth; kept_.pop_front()) {
      if (!pool_->Delete(op_, ThinId{kept_.front()}).ok()) Stop("delete");
    }
  }
  void Commit() {
    if (!pool_->Commit(op_).ok()) Stop("commit");
  }

 private:
  Credentials cred_;
  OpContext op_{cred_, kSimulationStart, Probe()};
  MemDisk metadata_;
  MemDisk data_;
  std::unique_ptr<ThinPool> pool_;
  std::unique_ptr<ThinDevice> device_;
  std::deque<std::uint64_t> kept_;
  std::uint64_t newest_ = 0;
};

// A disk without a pool: its snapshot is an image of it.
class PlainDisk {
 public:
  PlainDisk() : disk_(kImageBytes / kSectorBytes) {
    for (std::uint64_t at = 0; at < kImageBytes; at += kBlockBytes) Write(at, g_block.data());
  }

  void Read(std::uint64_t offset, std::byte* into) {
    if (!disk_.Read(op_, Sector{offset / kSectorBytes}, {into, kBlockBytes}).ok()) Stop("read");
  }
  void Write(std::uint64_t offset, const std::byte* from) {
    if (!disk_.Write(op_, Sector{offset / kSectorBytes}, {from, kBlockBytes}).ok()) Stop("write");
  }
  void Snapshot() { kept_.push_back(disk_.Capture()); }
  void KeepOnly(std::size_t depth) {
    while (kept_.size() > depth) kept_.pop_front();
  }

 private:
  Credentials cred_;
  OpContext op_{cred_, kSimulationStart, Probe()};
  MemDisk disk_;
  std::deque<MemDisk::Image> kept_;
};

// base.pages with snapshots that are kept.
class PageImage {
 public:
  PageImage() : pages_(kImageBlocks, kSpareBlocks) {}
  void Read(std::uint64_t offset, std::byte* into) { pages_.Read(offset, into); }
  void Write(std::uint64_t offset, const std::byte* from) { pages_.Write(offset, from); }
  void Snapshot() { kept_.emplace_back(pages_); }
  void KeepOnly(std::size_t depth) {
    while (kept_.size() > depth) kept_.pop_front();
  }

 private:
  PageTable pages_;
  std::deque<PageTable> kept_;
};

std::vector<std::uint64_t> Shuffled(std::size_t count, std::uint64_t seed) {
  return ShuffledOffsets(kImageBlocks, count, seed);
}

// ── Single prices ────────────────────────────────────────────────────────────────────────────────

// What does a 4 KiB write to a block that is mapped and not shared cost?
void BM_ThinWriteInPlace(benchmark::State& state) {
  ThinImage image(0);
  const std::vector<std::uint64_t> offsets = Shuffled(kImageBlocks, 1);
  std::size_t at = 0;
  for (auto _ : state) image.Write(offsets[at++ % kImageBlocks], g_block.data());
}
BENCHMARK(BM_ThinWriteInPlace);

// And a read?
void BM_ThinRead(benchmark::State& state) {
  ThinImage image(0);
  const std::vector<std::uint64_t> offsets = Shuffled(kImageBlocks, 1);
  std::size_t at = 0;
  for (auto _ : state) image.Read(offsets[at++ % kImageBlocks], g_block.data());
}
BENCHMARK(BM_ThinRead);

// What does a snapshot with nothing to commit cost, with so many of them there, and its deletion?
void BM_ThinSnapshotAndDelete(benchmark::State& state) {
  ThinImage image(0);
  const auto depth = static_cast<std::size_t>(state.range(0));
  while (state.KeepRunning()) {
    image.Snapshot();
    image.KeepOnly(depth);
  }
  state.SetLabel("kept");
}
BENCHMARK(BM_ThinSnapshotAndDelete)->Arg(1)->Arg(64)->Arg(1024);

// ── W8 ───────────────────────────────────────────────────────────────────────────────────────────

template <typename Image>
void Overwrite(Image& image, const std::vector<std::uint64_t>& offsets) {
  for (const std::uint64_t offset : offsets) {
    image.Write(offset, g_block.data());
    benchmark::ClobberMemory();
  }
}

template <typename Image>
void ReadAll(Image& image, const std::vector<std::uint64_t>& offsets) {
  for (const std::uint64_t offset : offsets) {
    image.Read(offset, g_block.data());
    benchmark::ClobberMemory();
  }
}

// `depth` snapshots, with the overwrites after each.
template <typename Image>
void Deepen(Image& image, std::size_t depth) {
  for (std::size_t i = 0; i < depth; ++i) {
    image.Snapshot();
    Overwrite(image, Shuffled(kOverwrites, 100 + i));
  }
}

const char* Verdict(bool holds) { return holds ? "holds" : "MISSED"; }

// A snapshot alone (what was written is committed), in microseconds: the mean of a few in a row, as
// one is too short for the clock. Floor: 20 us.
void CompareSnapshot(std::size_t depth, ThinImage& thin, PlainDisk& disk, PageImage& pages) {
  std::uint64_t seed = 1000;
  const auto before = [&seed, depth](auto& image, auto commit) {
    return [&image, &seed, depth, commit] {
      Overwrite(image, Shuffled(kOverwrites, ++seed));
      image.KeepOnly(depth - 1);
      commit();
    };
  };
  const auto take = [](auto& image) {
    return [&image] {
      for (int i = 0; i < kSnapshotsInARow; ++i) image.Snapshot();
    };
  };
  const std::vector<double> ns =
      RunRounds({{"base.pages", before(pages, [] {}), take(pages)},
                 {"MemDisk", before(disk, [] {}), take(disk)},
                 {"thin", before(thin, [&] { thin.Commit(); }), take(thin)}},
                kRounds, kSnapshotsInARow);
  std::printf("snapshot  %4zu %10.1f us %10.1f us %10.1f us %27s 20 us: %s\n", depth, ns[0] / 1e3,
              ns[1] / 1e3, ns[2] / 1e3, "", Verdict(ns[2] <= 20e3));
}

// Floor: 2.5x base.pages.
void CompareOverwrite(std::size_t depth, ThinImage& thin, PlainDisk& disk, PageImage& pages) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t seed = 2000;
  const auto before = [&](auto& image) {
    return [&image, &offsets, &seed, depth] {
      offsets = Shuffled(kOverwrites, ++seed / 3);  // the same for all three
      image.Snapshot();
      image.KeepOnly(depth);
    };
  };
  const std::vector<double> ns =
      RunRounds({{"base.pages", before(pages), [&] { Overwrite(pages, offsets); }},
                 {"MemDisk", before(disk), [&] { Overwrite(disk, offsets); }},
                 {"thin", before(thin), [&] { Overwrite(thin, offsets); }}},
                kRounds, static_cast<double>(kOverwrites));
  std::printf("overwrite %4zu %10.0f ns %10.0f ns %10.0f ns %6.2fx base.pages %6.2fx 2.5x: %s\n",
              depth, ns[0], ns[1], ns[2], ns[2] / ns[0], ns[2] / ns[1],
              Verdict(ns[2] <= 2.5 * ns[0]));
}

void CompareRead(std::size_t depth, ThinImage& thin, PlainDisk& disk, PageImage& pages,
                 ThinImage& shallow) {
  const std::vector<std::uint64_t> offsets = Shuffled(kImageBlocks, 7);
  const std::vector<double> ns = RunRounds({{"base.pages", {}, [&] { ReadAll(pages, offsets); }},
                                            {"MemDisk", {}, [&] { ReadAll(disk, offsets); }},
                                            {"thin", {}, [&] { ReadAll(thin, offsets); }},
                                            {"depth 1", {}, [&] { ReadAll(shallow, offsets); }}},
                                           kRounds, static_cast<double>(kImageBlocks));
  std::printf("read      %4zu %10.0f ns %10.0f ns %10.0f ns %6.2fx own depth 1 %5.2fx 1.3x: %s\n",
              depth, ns[0], ns[1], ns[2], ns[2] / ns[3], ns[2] / ns[1],
              Verdict(ns[2] <= 1.3 * ns[3]));
}

void CompareW8() {
  std::printf("\nW8: a thin device of 64 MiB, blocks of 64 KiB, medians of %d rounds\n", kRounds);
  std::printf("%-9s %4s %13s %13s %13s %18s %7s  floor\n", "", "kept", "base.pages", "MemDisk",
              "thin", "thin is", "MemDisk");
  ThinImage shallow(1);
  Deepen(shallow, 1);
  for (const std::size_t depth : {std::size_t{1}, std::size_t{8}, kDeepest}) {
    ThinImage thin(depth);
    PlainDisk disk;
    PageImage pages;
    Deepen(thin, depth);
    Deepen(disk, depth);
    Deepen(pages, depth);
    CompareSnapshot(depth, thin, disk, pages);
    CompareOverwrite(depth, thin, disk, pages);
    CompareRead(depth, thin, disk, pages, shallow);
  }
}

// What a copy of all bytes would cost: the snapshot of a disk that shares nothing.
void PrintFullCopy() {
  WarmMemory from(kImageBytes), to(kImageBytes);
  const std::vector<double> ns =
      RunRounds({{"base.fullcopy", {}, [&] { std::memcpy(to.data(), from.data(), kImageBytes); }}},
                kRounds, 1);
  std::printf("base.fullcopy: %.0f us for a copy of 64 MiB\n", ns[0] / 1e3);
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lamina::PrefaultPages(8 * lamina::bench::kImageBlocks + 2 * lamina::bench::kSpareBlocks);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  lamina::bench::CompareW8();
  lamina::bench::PrintFullCopy();
  return 0;
}
