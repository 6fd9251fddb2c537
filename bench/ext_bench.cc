// What each layer adds to 4 KiB of I/O: the same random offsets of 64 MiB in a buffer, on a
// MemDisk, on a thin device, and in a file of ExtFs on each of these two. In ns by rounds in which
// all take turns; in instructions by callgrind, which runs this program a second time.
//
//   ext_bench
//   ext_bench count      the work that callgrind counts; no clock, no output
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "bench/baselines.h"
#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_device.h"
#include "lamina/block/thin_pool.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "lamina/store/page.h"

// The instructions of every call are one record of callgrind, which knows it by this name.
extern "C" [[gnu::noinline]] void LaminaCounted(const std::function<void()>* work) {
  (*work)();
  benchmark::ClobberMemory();  // or the call is a jump, and nothing returns from here
}

namespace lamina::bench {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kFileBytes = 64 * kMiB;
constexpr std::size_t kFileBlocks = kFileBytes / kBlockBytes;
constexpr std::uint64_t kDeviceBytes = 96 * kMiB;  // the file, the inode tables, the journal
constexpr std::size_t kOperations = 1024;          // stays below the 8 MiB at which ExtFs commits
constexpr int kRounds = 31;

alignas(64) std::array<std::byte, kBlockBytes> g_block;

[[noreturn]] void Stop(const char* what) {
  std::fprintf(stderr, "ext_bench: %s failed\n", what);
  std::abort();
}

// ── Targets ──────────────────────────────────────────────────────────────────────────────────────

// Calls of the superuser, each a microsecond of virtual time after the one before, so that every
// write of a file changes its times.
class Caller {
 public:
  OpContext Op() { return {cred_, Instant{now_ns_ += 1000}, Probe()}; }

 private:
  Credentials cred_;
  std::int64_t now_ns_ = kSimulationStart.virtual_ns;
};

// 64 MiB, whatever lies below.
class Target {
 public:
  virtual ~Target() = default;
  virtual void Read(std::uint64_t offset) = 0;
  virtual void Write(std::uint64_t offset) = 0;
  virtual void Sync() = 0;

  // Every block mapped, and committed.
  void Fill() {
    for (std::uint64_t at = 0; at < kFileBytes; at += kBlockBytes) Write(at);
    Sync();
  }
};

// base.memcpy
class BufferTarget final : public Target {
 public:
  BufferTarget() : buffer_(kFileBytes) {}
  void Read(std::uint64_t offset) override { buffer_.Read(offset, g_block.data()); }
  void Write(std::uint64_t offset) override { buffer_.Write(offset, g_block.data()); }
  void Sync() override {}

 private:
  LinearBuffer buffer_;
};

class DeviceTarget final : public Target {
 public:
  explicit DeviceTarget(BlockDevice& device) : device_(device) {}
  void Read(std::uint64_t offset) override {
    if (!device_.Read(caller_.Op(), Sector{offset / kSectorBytes}, g_block).ok()) Stop("read");
  }
  void Write(std::uint64_t offset) override {
    if (!device_.Write(caller_.Op(), Sector{offset / kSectorBytes}, g_block).ok()) Stop("write");
  }
  void Sync() override {
    if (!device_.Flush(caller_.Op()).ok()) Stop("flush");
  }

 private:
  Caller caller_;
  BlockDevice& device_;
};

// An ext4 with blocks of 4 KiB and one file.
class FileTarget final : public Target {
 public:
  explicit FileTarget(BlockDevice& device) {
    if (!MakeExt(caller_.Op(), device, {.block_bytes = kBlockBytes}).ok()) Stop("mkfs");
    ExtOutcome<std::unique_ptr<ExtFs>> mounted = ExtFs::Mount(caller_.Op(), device);
    if (!mounted.ok()) Stop("mount");
    fs_ = *std::move(mounted);
    const Result<Opened> made =
        fs_->CreateOpen(caller_.Op(), {fs_->root(), "file"},
                        {.type = FileType::kRegular, .mode = 0644}, {.access = Access::kReadWrite});
    if (!made.ok()) Stop("create");
    file_ = made->handle;
  }
  ~FileTarget() override { fs_->Close(file_); }

  void Read(std::uint64_t offset) override {
    const Result<std::size_t> done = fs_->Read(caller_.Op(), file_, offset, g_block);
    if (!done.ok() || *done != kBlockBytes) Stop("read");
  }
  void Write(std::uint64_t offset) override {
    const Result<std::size_t> done = fs_->Write(caller_.Op(), file_, offset, g_block);
    if (!done.ok() || *done != kBlockBytes) Stop("write");
  }
  void Sync() override {
    if (!fs_->Sync(caller_.Op(), file_, SyncMode::kAll).ok()) Stop("sync");
  }

 private:
  Caller caller_;
  std::unique_ptr<ExtFs> fs_;
  HandleId file_{};
};

// A pool on memory disks, blocks of 64 KiB, with one thin device.
class ThinStack {
 public:
  ThinStack()
      : metadata_(MemDisk::SectorsOf(64 * kMiB)), data_(MemDisk::SectorsOf(2 * kDeviceBytes)) {
    const ThinPoolTable table{
        .length_sectors = data_.size_sectors(), .metadata_device = "meta", .data_device = "data"};
    TableResult<std::unique_ptr<ThinPool>> pool =
        ThinPool::Create(caller_.Op(), table, metadata_, data_);
    if (!pool.ok()) Stop("making a pool");
    pool_ = *std::move(pool);
    if (!pool_->CreateThin(caller_.Op(), ThinId{0}).ok()) Stop("create_thin");
    Result<std::unique_ptr<ThinDevice>> device =
        pool_->Activate(caller_.Op(), ThinId{0}, MemDisk::SectorsOf(kDeviceBytes));
    if (!device.ok()) Stop("activating");
    device_ = *std::move(device);
  }
  BlockDevice& device() { return *device_; }

 private:
  Caller caller_;
  MemDisk metadata_;
  MemDisk data_;
  std::unique_ptr<ThinPool> pool_;
  std::unique_ptr<ThinDevice> device_;
};

// ── Work ─────────────────────────────────────────────────────────────────────────────────────────

enum class Load : std::uint8_t {
  kRead,
  kOverwrite,  // in place: mapped, not shared; one sync after all of them
  kSyncedOverwrite,
};
constexpr std::array kLoads = {Load::kRead, Load::kOverwrite, Load::kSyncedOverwrite};
constexpr std::array<const char*, kLoads.size()> kLoadNames = {"read", "overwrite",
                                                               "overwrite+sync"};

// Short operations in a row overlap in the processor, longer ones do not: what a bare disk saves by
// that would be a price of the layer above it. So layers are compared with a fence after each.
enum class Pace : std::uint8_t { kInARow, kFenced };

void AwaitMemory() {
#if defined(__x86_64__)
  _mm_mfence();  // every store is done
  _mm_lfence();  // and nothing after this has begun
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

void Run(Target& target, Load load, Pace pace, const std::vector<std::uint64_t>& offsets) {
  for (const std::uint64_t offset : offsets) {
    if (load == Load::kRead) {
      target.Read(offset);
    } else {
      target.Write(offset);
    }
    if (load == Load::kSyncedOverwrite) target.Sync();
    benchmark::ClobberMemory();
    if (pace == Pace::kFenced) AwaitMemory();
  }
  if (load == Load::kOverwrite) target.Sync();
}

constexpr std::size_t kTargets = 5;
enum : std::size_t { kBuffer, kDisk, kThin, kExtOnDisk, kExtOnThin };
constexpr std::array<const char*, kTargets> kTargetNames = {"base.memcpy", "MemDisk", "thin",
                                                            "ext on MemDisk", "ext on thin"};
using Prices = std::array<double, kTargets>;

class Bench {
 public:
  Bench() {
    for (Target* const target : targets_) {
      target->Fill();
      // Round the ring of the journal, whose blocks a thin device maps at the first write.
      Run(*target, Load::kSyncedOverwrite, Pace::kInARow, offsets_);
      Run(*target, Load::kOverwrite, Pace::kInARow, offsets_);
    }
  }

  // ns an operation.
  Prices Time(Load load, Pace pace) {
    std::vector<Contender> contenders;
    for (std::size_t i = 0; i < kTargets; ++i) {
      contenders.push_back({kTargetNames[i], {}, [this, i, load, pace] {
                              Run(*targets_[i], load, pace, offsets_);
                            }});
    }
    contenders[0].prepare = [this] {
      offsets_ = ShuffledOffsets(kFileBlocks, kOperations, ++seed_);
    };
    const std::vector<double> medians =
        RunRounds(contenders, kRounds, static_cast<double>(kOperations));
    Prices prices{};
    std::copy(medians.begin(), medians.end(), prices.begin());
    return prices;
  }

  void Count(Load load) {
    for (Target* const target : targets_) {
      const std::function<void()> work = [this, target, load] {
        Run(*target, load, Pace::kInARow, offsets_);
      };
      work();
      LaminaCounted(&work);
    }
  }

 private:
  BufferTarget buffer_;
  MemDisk disk_{MemDisk::SectorsOf(kDeviceBytes)};
  ThinStack thin_;
  MemDisk disk_below_ext_{MemDisk::SectorsOf(kDeviceBytes)};
  ThinStack thin_below_ext_;
  DeviceTarget on_disk_{disk_};
  DeviceTarget on_thin_{thin_.device()};
  FileTarget file_on_disk_{disk_below_ext_};
  FileTarget file_on_thin_{thin_below_ext_.device()};
  std::array<Target*, kTargets> targets_ = {&buffer_, &on_disk_, &on_thin_, &file_on_disk_,
                                            &file_on_thin_};
  std::uint64_t seed_ = 1;
  std::vector<std::uint64_t> offsets_ = ShuffledOffsets(kFileBlocks, kOperations, seed_);
};

// ── Instructions ─────────────────────────────────────────────────────────────────────────────────

// The totals of the records that callgrind wrote, in their order.
std::vector<double> ReadTotals(const std::filesystem::path& file) {
  constexpr std::string_view kTotals = "totals: ";
  std::vector<double> totals;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(kTotals, 0) == 0) totals.push_back(std::stod(line.substr(kTotals.size())));
  }
  return totals;
}

// Instructions an operation, of each load; empty where valgrind cannot be run.
std::vector<Prices> CountInstructions() {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("lamina_ext_bench." + std::to_string(getpid()));
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      "valgrind --tool=callgrind --combine-dumps=yes --toggle-collect=LaminaCounted "
      "--dump-after=LaminaCounted '--callgrind-out-file=" +
      file.string() + "' '" + program + "' count >/dev/null 2>&1";
  const bool ran = std::system(command.c_str()) == 0;
  const std::vector<double> totals = ran ? ReadTotals(file) : std::vector<double>();
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (totals.size() < kLoads.size() * kTargets) return {};
  std::vector<Prices> counts(kLoads.size());
  for (std::size_t i = 0; i < kLoads.size() * kTargets; ++i) {
    counts[i / kTargets][i % kTargets] = totals[i] / static_cast<double>(kOperations);
  }
  return counts;
}

// ── Tables ───────────────────────────────────────────────────────────────────────────────────────

void PrintTotals(const char* name, const char* unit, const Prices& prices) {
  std::printf("%-15s %-12s", name, unit);
  for (const double price : prices) {
    std::printf(" %7.0f (%4.1fx)", price, price / prices[kBuffer]);
  }
  std::printf("\n");
}

void PrintLayers(const char* name, const char* unit, const Prices& prices) {
  std::printf("%-15s %-12s", name, unit);
  const std::array layers = {prices[kDisk] - prices[kBuffer], prices[kThin] - prices[kDisk],
                             prices[kExtOnThin] - prices[kExtOnDisk],
                             prices[kExtOnDisk] - prices[kDisk],
                             prices[kExtOnThin] - prices[kThin]};
  for (const double layer : layers) std::printf(" %15.0f", layer);
  std::printf("\n");
}

void CompareLayers() {
  std::vector<Prices> in_a_row, fenced;
  {
    Bench bench;
    for (const Load load : kLoads) {
      in_a_row.push_back(bench.Time(load, Pace::kInARow));
      fenced.push_back(bench.Time(load, Pace::kFenced));
    }
  }
  const std::vector<Prices> counts = CountInstructions();
  std::printf("4 KiB at random offsets of 64 MiB: medians of %d rounds of %zu, and callgrind\n",
              kRounds, kOperations);
  std::printf("\n%-28s", "an operation");
  for (const char* const name : kTargetNames) std::printf(" %15s", name);
  std::printf("\n");
  for (std::size_t i = 0; i < kLoads.size(); ++i) {
    PrintTotals(kLoadNames[i], "ns in a row", in_a_row[i]);
    PrintTotals(kLoadNames[i], "ns fenced", fenced[i]);
    if (!counts.empty()) PrintTotals(kLoadNames[i], "instructions", counts[i]);
  }
  std::printf("\n%-28s %15s %15s %15s %15s %15s\n", "what a layer adds", "MemDisk", "thin",
              "thin below ext", "ext on MemDisk", "ext on thin");
  for (std::size_t i = 0; i < kLoads.size(); ++i) {
    PrintLayers(kLoadNames[i], "ns fenced", fenced[i]);
    if (!counts.empty()) PrintLayers(kLoadNames[i], "instructions", counts[i]);
  }
  if (counts.empty()) std::printf("valgrind did not run: no instructions are counted\n");
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  // Memory that is freed stays, and is warm when it is taken again.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  lamina::PrefaultPages(6 * lamina::bench::kFileBlocks);
  if (argc > 1 && std::string_view(argv[1]) == "count") {
    lamina::bench::Bench bench;
    for (const lamina::bench::Load load : lamina::bench::kLoads) bench.Count(load);
    return 0;
  }
  lamina::bench::CompareLayers();
  return 0;
}
